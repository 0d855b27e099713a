"""How items are asked and scored."""
