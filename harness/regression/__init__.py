"""Verdicts from stored scores: pairs of evaluations, a policy, what broke, what may explain it."""
