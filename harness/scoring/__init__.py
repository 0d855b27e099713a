"""Turns raw answers into scores: pure functions over text, no files, no clock, no model."""
