"""Whether what a program returned or printed is what a hidden test expects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def same_value(expected: Any, found: Any, tolerance: float | None = None) -> bool:
    """Whether two JSON values are equal. Tuples count as lists; true is not 1; 3.0 is 3; with a
    tolerance numbers may differ by it absolutely or relatively, NaN equals nothing."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float) and isinstance(found, int | float):
        if tolerance is None:
            return expected == found
        return math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return len(expected) == len(found) and all(
            same_value(one, other, tolerance) for one, other in zip(expected, found, strict=True)
        )
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return expected.keys() == found.keys() and all(
            same_value(value, found[key], tolerance) for key, value in expected.items()
        )
    return type(expected) is type(found) and bool(expected == found)


def same_output(expected: str, found: str) -> bool:
    """Whether two outputs are the same lines: white space at the end of a line and empty lines at
    the end of the output are not looked at, as judges of programming contests do."""
    return _lines(expected) == _lines(found)


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines
