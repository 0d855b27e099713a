"""The outcome of comparing two mathematical answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Outcome = Literal["equal", "unequal", "undecided"]
Reason = Literal[
    "unparsable answer",
    "unparsable gold",
    "too long",
    "timeout",
    "memory",
    "crashed",
    "math-verify is not installed",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
# What decided: the same text, our exact reader, or sympy in a worker process; "" when nothing did.
By = Literal["text", "exact", "sympy", ""]

INSTALL = "pip install 'math-verify[antlr4-13-2]==0.9.0'"


@dataclass(frozen=True)
class MathVerdict:
    """Whether an answer equals the gold.

    outcome  equal, unequal, or undecided, which is never to be taken for either
    reason   why it is undecided; None otherwise
    by       what decided it
    """

    outcome: Outcome
    reason: Reason | None = None
    by: By = ""

    @property
    def equal(self) -> bool:
        return self.outcome == "equal"

    def __str__(self) -> str:
        if self.reason is None:
            return self.outcome
        hint = f": {INSTALL}" if self.reason == "math-verify is not installed" else ""
        return f"undecided ({self.reason}{hint})"
