"""What kind of failure lies behind a gap: the stored classes, and finer ones for numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from harness.items.schema import FormatRule, Item
from harness.scoring.extract import find_answer
from harness.scoring.slip import number_cause
from harness.store.gap_rows import FailedAnswer, failed_answers

# What a class of failure says of the student.
CAUSES: dict[str, str] = {
    "empty": "nothing but white space",
    "repetition": "the answer loops",
    "language": "not Japanese where Japanese was asked for",
    "format": "the right answer in the wrong form, or no answer of the kind asked for",
    "truncated": "cut by the token limit",
    "arithmetic": "a slip of calculation: a digit, a carry, a zero, a sign",
    "plan": "a wrong plan: another calculation with the numbers of the question, or a copy of one",
    "knowledge": "a wrong answer that shows no more",
}


def failure_causes(path: Path, evaluation: str) -> dict[str, Counter[str]]:
    """The causes of an evaluation's failed answers, counted by item hash."""
    found: dict[str, Counter[str]] = {}
    for one in failed_answers(path, evaluation):
        found.setdefault(one.item, Counter())[cause(one)] += 1
    return found


def cause(answer: FailedAnswer) -> str:
    """The stored class of a failed answer; of a wrong number in math, `arithmetic` or `plan` where
    the number tells (`scoring.slip.number_cause`)."""
    if answer.question is None or answer.gold is None or answer.text is None:
        return answer.failure
    said = answer.text if answer.extracted is None else answer.extracted
    item = Item(
        answer.item, "math", (answer.question,), answer.gold, FormatRule("number"), "number"
    )
    given = find_answer(said, item)
    if given is None:
        return answer.failure
    return number_cause(answer.question, answer.gold, given) or answer.failure


def summed(by_item: Mapping[str, Counter[str]], items: list[str]) -> dict[str, int]:
    """The causes over some items, most frequent first."""
    total: Counter[str] = Counter()
    for item in items:
        total.update(by_item.get(item, {}))
    return dict(sorted(total.items(), key=lambda entry: (-entry[1], entry[0])))
