"""Decides whether two mathematical answers are equal: exactly where it can, by sympy where not."""

from __future__ import annotations

import re
from functools import lru_cache

from harness.scoring.math.pool import ask
from harness.scoring.math.reader import canonical, read
from harness.scoring.math.values import equal
from harness.scoring.math.verdict import MathVerdict

# No gold is longer; of a longer answer nothing but identity is asked.
LONGEST = 2000
_JAPANESE = re.compile(r"[ぁ-ヿ㐀-鿿豈-﫿]")
# Signs of the plain notation that sympy is not told about.
_OURS = re.compile(r"[˙と]|\.{2,}")


def math_equal(answer: str, gold: str, *, timeout: float = 5.0) -> MathVerdict:
    """Whether an answer is mathematically equal to the gold; docs/verification.md has the rules.

    Both are whole answers (`extract_math_answer` finds one in a text). Values are compared
    exactly: 0.33 is not 1/3. What the exact reader cannot read goes to sympy in a worker process
    with limits on time and memory.

    timeout  seconds that the worker may take once it runs, before it is killed

    Never raises and never hangs. Where neither side can say, the outcome is undecided, with the
    reason; so it is without math-verify for what only sympy could tell.
    """
    if len(answer) > LONGEST or len(gold) > LONGEST:
        if answer.strip() == gold.strip():
            return MathVerdict("equal", by="text")
        return MathVerdict("undecided", "too long")
    return _decided(answer, gold, timeout)


@lru_cache(maxsize=4096)
def _exact(answer: str, gold: str) -> MathVerdict | None:
    """The verdict without sympy; None where sympy may know."""
    if not gold.strip():
        return MathVerdict("undecided", "unparsable gold")
    if not answer.strip():
        return MathVerdict("undecided", "unparsable answer")
    left, right = canonical(answer), canonical(gold)
    if left == right:
        return MathVerdict("equal", by="text")
    found, wanted = read(left), read(right)
    if found and wanted:
        verdicts = [equal(a, b) for b in wanted for a in found]
        if True in verdicts:
            return MathVerdict("equal", by="exact")
        if None not in verdicts:
            return MathVerdict("unequal", by="exact")
    for text, readings, side in ((right, wanted, "gold"), (left, found, "answer")):
        if not readings and (_JAPANESE.search(text) or _OURS.search(text) or not _has_value(text)):
            reason = "unparsable gold" if side == "gold" else "unparsable answer"
            return MathVerdict("undecided", reason)  # type: ignore[arg-type]
    return None


def exactly_equal(answer: str, gold: str) -> bool | None:
    """Whether two answers are equal as far as the exact reader can tell; None where it cannot, or
    where the texts are the same but say no value."""
    if max(len(answer), len(gold)) > LONGEST:
        return None
    left, right = read(canonical(answer)), read(canonical(gold))
    verdicts = [equal(a, b) for b in right for a in left]
    return True if True in verdicts else None if None in verdicts or not verdicts else False


def _has_value(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _decided(answer: str, gold: str, timeout: float) -> MathVerdict:
    exact = _exact(answer, gold)
    return ask(canonical(answer), canonical(gold), timeout) if exact is None else exact
