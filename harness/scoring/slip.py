"""Tells a slip of calculation from a wrong plan, by a wrong number beside the right one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import combinations
from math import prod
from typing import Literal

from harness.scoring.normalise import unify
from harness.scoring.numerals import numbers

Cause = Literal["arithmetic", "plan"]

# Questions with more numbers than this are tables: any value is a result of some two of them.
_MOST_OPERANDS = 8
# Below this, one off and a wrong digit are what a guess gives too.
_LEAST_OFF_BY_ONE, _LEAST_WRONG_DIGIT = 10, 100


def number_cause(question: str, gold: str, given: str) -> Cause | None:
    """Why a number may be wrong, as far as numbers alone tell; None where they do not, or where
    one of them is no number or both are equal.

    question  the item's last turn;  gold, given: numbers as `extract` returns them, "3/4" too

    With the numbers of the question as operands, the first that holds:

    plan        two operands give `gold` by one of + − × ÷ and `given` by another of them
    arithmetic  the digits show a slip (`is_slip`)
    plan        `given` is an operand, a result of two operands, or the sum or product of all:
                calculated right, or copied, but not what was asked for

    A judgment by circumstance: a wrong plan may end one carry from the right number.
    """
    right, wrong = _value(gold), _value(given)
    if right is None or wrong is None or right == wrong:
        return None
    operands = [
        value for one in numbers(unify(question)) if (value := _value(one.text)) is not None
    ]
    several = len(operands) > _MOST_OPERANDS
    pairs = [] if several else [list(_results(*pair)) for pair in combinations(operands, 2)]
    if any(right in results and wrong in results for results in pairs):
        return "plan"
    if is_slip(right, wrong):
        return "arithmetic"
    whole = [] if several or len(operands) < 3 else [sum(operands), prod(operands)]
    if wrong in operands or wrong in whole or any(wrong in results for results in pairs):
        return "plan"
    return None


def is_slip(right: Fraction, wrong: Fraction) -> bool:
    """Whether a number differs from the right one as a slip of calculation leaves it:

    - the other sign, or the decimal point elsewhere (a ratio of 10, 100, 1000 or their inverse)
    - one off, from 10 on, or a carry lost or doubled (10, 100, ... off, of more digits than that)
    - two neighbouring digits swapped
    - one digit wrong, of three or more

    Fractions are compared by the first rule and by numerator under one denominator. Each of the
    rules is narrow enough that a guess of the same number of digits meets one of them by chance in
    fewer than one case in ten (`tests/test_gaps_slips.py` counts them).
    """
    if right == -wrong:
        return True
    if right == 0 or wrong == 0 or (right < 0) != (wrong < 0):
        return False
    ratio = max(right / wrong, wrong / right)
    if ratio in (10, 100, 1000):
        return True
    scale = max(right.denominator, wrong.denominator)
    if scale % min(right.denominator, wrong.denominator):
        return False
    a, b = abs(right * scale), abs(wrong * scale)
    return a.denominator == b.denominator == 1 and _digits_slip(a.numerator, b.numerator)


def _digits_slip(right: int, wrong: int) -> bool:
    off, one, other = abs(right - wrong), str(right), str(wrong)
    least = min(right, wrong)
    if off == 1:
        return least >= _LEAST_OFF_BY_ONE
    if str(off).strip("0") == "1" and least > off:
        return True
    if len(one) != len(other):
        return False
    differ = [place for place in range(len(one)) if one[place] != other[place]]
    if len(differ) == 1:
        return least >= _LEAST_WRONG_DIGIT
    if len(differ) != 2 or differ[1] != differ[0] + 1:
        return False
    first, second = differ
    return one[first] == other[second] and one[second] == other[first]


def _results(x: Fraction, y: Fraction) -> Iterator[Fraction]:
    """x + y, x × y, and both differences and quotients."""
    yield x + y
    yield x - y
    yield y - x
    yield x * y
    if y:
        yield x / y
    if x:
        yield y / x


def _value(text: str) -> Fraction | None:
    """An exact number; None for what is none, or longer than a calculation's result."""
    text = text.strip().replace(",", "")
    if not text or len(text) > 40:
        return None
    whole, slash, under = text.partition("/")
    try:
        value = Fraction(Decimal(whole))
        return value / Fraction(Decimal(under)) if slash else value
    except (InvalidOperation, ValueError, OverflowError, ZeroDivisionError):
        return None
