"""Scores one answer by its item's constraints, with IFEval's four numbers and a failure class."""

from __future__ import annotations

from collections.abc import Sequence

from harness.items.schema import Constraint, Item
from harness.scoring.constraints.follow import verdicts
from harness.scoring.failure import LEAST_LETTERS, Failure
from harness.scoring.language import is_japanese, letters
from harness.scoring.repetition import is_repetitive
from harness.scoring.score import Score

_LANGUAGE = "ja:language:response_language"


def score_constraints(item: Item, raw: str, finish_reason: str) -> tuple[Score, ...]:
    """Six scores of one raw answer:

    strict, lenient          1.0 when every constraint is followed, strictly or loosely (see
                             `Verdict`); the names that every protocol ranks and shows by
    prompt_strict, _loose    the same under IFEval's names
    instruction_strict, _loose  the share of the item's constraints that is followed

    IFEval's instruction-level accuracy weighs every constraint alike; the mean of these shares
    over items weighs every item alike.
    """
    found = verdicts(item.constraints, raw)
    strict = float(all(one.strict for one in found))
    loose = float(all(one.loose for one in found))
    return (
        Score("strict", strict, classify(item.constraints, raw, finish_reason, strict, loose)),
        Score("lenient", loose),
        Score("prompt_strict", strict),
        Score("prompt_loose", loose),
        Score("instruction_strict", sum(one.strict for one in found) / len(found)),
        Score("instruction_loose", sum(one.loose for one in found) / len(found)),
    )


def classify(
    constraints: Sequence[Constraint], raw: str, finish_reason: str, strict: float, loose: float
) -> Failure | None:
    """Why an answer does not follow every constraint, None when it does. The first that holds:

    empty       nothing but white space
    repetition  the answer loops
    language    at least 20 letters, mostly not Japanese, where no other language was asked for
    truncated   the token limit cut it (finish_reason "length"), and it is not followed loosely
    format      all else
    """
    if strict == 1.0:
        return None
    if not raw.strip(" \t\r\n\v\f\u3000\u200b\ufeff"):
        return "empty"
    if is_repetitive(raw):
        return "repetition"
    foreign = letters(raw) >= LEAST_LETTERS and not is_japanese(raw)
    if foreign and not any(one.id == _LANGUAGE for one in constraints):
        return "language"
    if loose < 1.0 and finish_reason == "length":
        return "truncated"
    return "format"
