"""The page where people vote: blind battles between models, and the leaderboard they make."""
