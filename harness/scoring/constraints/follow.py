"""Says which constraints an answer follows, strictly and loosely, in the manner of IFEval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.items.schema import Constraint
from harness.scoring.constraints.rules import RULES


@dataclass(frozen=True)
class Verdict:
    """Whether an answer follows one constraint.

    strict  as the answer stands
    loose   in one of its `readings` at least; never False where strict is True
    """

    id: str
    strict: bool
    loose: bool


def verdicts(constraints: Sequence[Constraint], text: str) -> tuple[Verdict, ...]:
    """One verdict for each constraint, in order. A blank answer follows none."""
    found = []
    for constraint in constraints:
        strict = follows(constraint, text)
        loose = strict or any(follows(constraint, reading) for reading in readings(text)[1:])
        found.append(Verdict(constraint.id, strict, loose))
    return tuple(found)


def follows(constraint: Constraint, text: str) -> bool:
    """Raises KeyError for an unknown id, TypeError where kwargs are missing: items are checked
    when they are loaded."""
    return bool(text.strip()) and RULES[constraint.id].check(text, **constraint.kwargs)


def readings(text: str) -> tuple[str, ...]:
    """The texts in which IFEval looks for an answer, the answer itself first: all of it, without
    its first line, without its last, without both, and each of these without asterisks. What
    falls away is most often a greeting or markup. Equal ones are given once."""
    lines = text.split("\n")
    cuts = [
        text,
        "\n".join(lines[1:]).strip(),
        "\n".join(lines[:-1]).strip(),
        "\n".join(lines[1:-1]).strip(),
    ]
    return tuple(dict.fromkeys([*cuts, *(cut.replace("*", "") for cut in cuts)]))
