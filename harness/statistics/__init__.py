"""Intervals and tests over scores: pure functions over arrays, each citing its source."""
