"""Worked solutions of generated problems, step by step, in polite Japanese."""
