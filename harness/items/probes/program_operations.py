"""What the interpreter of coding probes can do with values, and the limits it keeps them in."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any

from harness.errors import HarnessError

# Entries or characters of a value, and bits of an integer.
_LONGEST = 1000
_MOST_BITS = 256

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        *(abs, all, any, bool, chr, enumerate, int, len, list, max, min, ord, range, reversed),
        *(sorted, str, sum, zip),
    )
}
METHODS: dict[type[Any], tuple[str, ...]] = {
    str: (
        *("capitalize", "count", "endswith", "find", "index", "isdigit", "isupper", "join"),
        *("lower", "replace", "split", "startswith", "swapcase", "upper"),
    ),
    list: (
        *("append", "copy", "count", "extend", "index", "insert", "pop", "remove"),
        *("reverse", "sort"),
    ),
    dict: ("get", "items", "keys", "pop", "values"),
}


class LimitExceededError(Exception):
    """Too many steps, calls, entries, characters or bits."""


def operate(op: ast.operator, left: Any, right: Any) -> Any:
    """An operator's result; what would grow beyond all measure is stopped before."""
    if type(op) not in _BINARY:
        raise outside(op)
    if isinstance(op, ast.Mod) and isinstance(left, str):
        raise outside(op)
    if isinstance(op, ast.Pow) and not (
        isinstance(left, int) and isinstance(right, int) and 0 <= right <= 64
    ):
        raise LimitExceededError
    if isinstance(op, ast.Mult):
        sizes = [len(one) for one in (left, right) if isinstance(one, str | list | tuple)]
        times = [one for one in (left, right) if isinstance(one, int)]
        if sizes and times and sizes[0] * times[0] > _LONGEST:
            raise LimitExceededError
    return within_limits(_BINARY[type(op)](left, right))


def within_limits(value: Any) -> Any:
    """The value itself; numbers, texts and ranges stay short, and containers hold containers of
    plain values at most, for to print deeper ones could take for ever."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise LimitExceededError
    if isinstance(value, str | list | tuple | range) and len(value) > _LONGEST:
        raise LimitExceededError
    for entry in _entries(value):
        if any(_entries(inner) for inner in _entries(entry)):
            raise LimitExceededError
    return value


def _entries(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list | tuple) else ()


def outside(node: ast.AST) -> HarnessError:
    """The error that says which part of a program, at which line, is not in the subset."""
    line = getattr(node, "lineno", None)
    return HarnessError(
        f"line {line or 'unknown'} of the program has {type(node).__name__}, which is outside the "
        "subset of Python that coding probes use"
    )
