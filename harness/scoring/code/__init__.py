"""Scores programs: finds the code in an answer, has it run by a Runner, compares what came back."""
