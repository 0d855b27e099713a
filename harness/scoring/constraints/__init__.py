"""Verifiable constraints on Japanese answers, each a pure function of the text."""

from harness.scoring.constraints.follow import Verdict, follows, readings, verdicts
from harness.scoring.constraints.rules import RULES, Rule, constraint_fault
from harness.scoring.constraints.words import has_tokenizer

# Raised whenever a rule can decide differently: it is part of the protocol's hash.
CONSTRAINTS_VERSION = 1

__all__ = [
    "CONSTRAINTS_VERSION",
    "RULES",
    "Rule",
    "Verdict",
    "constraint_fault",
    "follows",
    "has_tokenizer",
    "readings",
    "verdicts",
]
