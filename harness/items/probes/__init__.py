"""Generated items that nobody can have trained on, by genre, family, level and seed."""
