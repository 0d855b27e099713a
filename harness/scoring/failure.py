"""Names the reason for which an answer is not fully right."""

from __future__ import annotations

from typing import Literal, get_args

from harness.items.schema import Item
from harness.scoring.extract import find_answer
from harness.scoring.format import format_fault
from harness.scoring.language import is_japanese, letters
from harness.scoring.repetition import is_repetitive

Failure = Literal["empty", "truncated", "format", "language", "repetition", "knowledge"]
FAILURES: tuple[Failure, ...] = get_args(Failure)

# Fewer letters than this do not show a language: "The answer is A." is no switch to English.
LEAST_LETTERS = 20


def classify(
    item: Item, raw: str, finish_reason: str, strict: float, lenient: float
) -> Failure | None:
    """The failure class of an answer, None when its strict score is 1.0. The first that holds:

    empty       nothing but white space
    repetition  the answer loops (`is_repetitive`), and the gold does not
    language    it breaks the format in at least 20 letters, labels aside, that are mostly not
                Japanese, where the gold, or for labels and numbers the question, is Japanese
    format      the lenient score is 1.0: the right answer is there, in the wrong form
    truncated   the token limit cut it (finish_reason "length") and it breaks the format
    format      the format is broken and no answer can be extracted
    knowledge   all else: a wrong or partly right answer, in the right format or beside it

    A generation that ended in an error has no answer to classify: count it as failed instead.
    """
    if strict == 1.0:
        return None
    if not raw.strip(" \t\r\n\v\f\u3000\u200b\ufeff"):
        return "empty"
    if is_repetitive(raw) and not is_repetitive(item.answer):
        return "repetition"
    broken = format_fault(raw, item.format, item.turns[-1]) is not None
    if broken and _wants_japanese(item) and _is_foreign(raw, item):
        return "language"
    if lenient == 1.0:
        return "format"
    if broken and finish_reason == "length":
        return "truncated"
    if broken and find_answer(raw, item) is None:
        return "format"
    return "knowledge"


def _is_foreign(raw: str, item: Item) -> bool:
    """Whether the prose of an answer, labels such as `entailment` aside, is not Japanese."""
    for label in item.format.labels:
        raw = raw.replace(label, " ")
    return letters(raw) >= LEAST_LETTERS and not is_japanese(raw)


def _wants_japanese(item: Item) -> bool:
    closed = item.format.kind in ("choice", "integer", "number")
    shown = item.turns[-1] if closed or not letters(item.answer) else item.answer
    return letters(shown) > 0 and is_japanese(shown)
