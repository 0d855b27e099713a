"""Problems whose answer is an exact number: integers and terminating decimals, never floats."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from harness.items.probes.family import Problem
from harness.items.schema import FormatRule


def decimal_text(value: Fraction | int) -> str:
    """The number in plain decimal digits without trailing zeros: 3/4 -> "0.75", 6/2 -> "3".

    Raises ValueError when the decimal expansion does not end.
    """
    value = Fraction(value)
    places, scaled = 0, value
    while scaled.denominator != 1:
        places, scaled = places + 1, scaled * 10
        if places > 12:
            raise ValueError(f"{value} has no short decimal expansion")
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def integer_problem(slots: Mapping[str, str], content: str, answer: int) -> Problem:
    return Problem(slots, content, str(answer), FormatRule("integer"), "number")


def number_problem(slots: Mapping[str, str], content: str, answer: Fraction | int) -> Problem:
    return Problem(slots, content, decimal_text(answer), FormatRule("number"), "number")
