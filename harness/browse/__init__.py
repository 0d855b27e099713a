"""A viewer of the store in the terminal: evaluations, their items, answers, and differences."""
