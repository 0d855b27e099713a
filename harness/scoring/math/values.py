"""What an answer can be: a quantity, an equation, an interval, a collection, a time, a word; and
when two of these are equal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

from harness.scoring.dates import Day
from harness.scoring.math.poly import Poly, constant, symbol
from harness.scoring.math.units import Unit


@dataclass(frozen=True)
class Quantity:
    """Numbers with their units, to be added: 1時間30分 has two parts, 3 one without a unit."""

    parts: tuple[tuple[Poly, Unit | None], ...]


@dataclass(frozen=True)
class Named:
    """A value that is said to be that of a variable: x=3."""

    name: str
    value: Value


@dataclass(frozen=True)
class Equation:
    """Left side minus right side, scaled: x+y=1 and 2x+2y=2 are the same."""

    difference: Poly


@dataclass(frozen=True)
class Interval:
    """The numbers between two ends, None for infinity; `name` is the variable, where named."""

    low: Poly | None
    high: Poly | None
    low_open: bool
    high_open: bool
    name: str = ""


@dataclass(frozen=True)
class Union:
    """Intervals of which the answer is in one, from left to right."""

    parts: tuple[Interval, ...]


@dataclass(frozen=True)
class Collection:
    """Several values: a set {1,2}, a point or tuple (1,2), or a list without brackets."""

    kind: Literal["set", "tuple", "list"]
    members: tuple[Value, ...]


@dataclass(frozen=True)
class Ratio:
    """a:b:c, divided by the first."""

    parts: tuple[Poly, ...]


@dataclass(frozen=True)
class Clock:
    """A time of the day."""

    hour: int
    minute: int
    second: int


@dataclass(frozen=True)
class Words:
    """A word that answers by itself: 解なし."""

    text: str


Value = (
    Quantity | Named | Equation | Interval | Union | Collection | Ratio | Clock | Day | Words
)  # fmt: skip


def number(value: Poly) -> Quantity:
    return Quantity(((value, None),))


def equal(a: Value, b: Value) -> bool | None:
    """Whether two values are equal; None where this module cannot tell."""
    if isinstance(a, Named) or isinstance(b, Named):
        return _named_equal(a, b)
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return _quantities_equal(a, b)
    if isinstance(a, Collection) or isinstance(b, Collection):
        return _collections_equal(a, b)
    if isinstance(a, Equation) and isinstance(b, Equation):
        # Equations that are no multiples of each other may still have the same solutions.
        return True if a == b else None
    if isinstance(a, Equation) or isinstance(b, Equation):
        return None
    if isinstance(a, Interval) and isinstance(b, Interval):
        same = (a.low, a.high, a.low_open, a.high_open) == (b.low, b.high, b.low_open, b.high_open)
        return same and (a.name == b.name or not a.name or not b.name)
    if isinstance(a, Union) and isinstance(b, Union):
        return len(a.parts) == len(b.parts) and all(
            equal(left, right) is True for left, right in zip(a.parts, b.parts, strict=True)
        )
    return type(a) is type(b) and a == b


def _named_equal(a: Value, b: Value) -> bool | None:
    """x=3 is 3, is x=3, and is not y=3; x=2y is the equation x-2y=0."""
    if isinstance(a, Named) and isinstance(b, Named):
        if a.name == b.name:
            return equal(a.value, b.value)
        left, right = as_equation(a), as_equation(b)
        if left is not None and right is not None:
            if left == right:
                return True
            if not left.difference.variables() & right.difference.variables():
                return False
            return None if _has_variables(a.value) or _has_variables(b.value) else False
        return False
    named, other = (a, b) if isinstance(a, Named) else (b, a)
    assert isinstance(named, Named)
    if isinstance(other, Equation):
        return True if as_equation(named) == other else None
    if isinstance(other, Collection) and not isinstance(named.value, Collection):
        return _collections_equal(named, other)
    return equal(named.value, other)


def _has_variables(value: Value) -> bool:
    return isinstance(value, Quantity) and any(part.variables() for part, _ in value.parts)


def as_equation(named: Named) -> Equation | None:
    value = named.value
    if isinstance(value, Quantity) and len(value.parts) == 1 and value.parts[0][1] is None:
        return Equation((symbol(named.name) - value.parts[0][0]).scaled())
    return None


def _totals(quantity: Quantity) -> dict[str, Poly]:
    """What a quantity comes to in each dimension that all its units can measure; "" without."""
    totals: dict[str, Poly] = {}
    choices = [
        [("", Fraction(1))] if unit is None else list(unit.measures) for _, unit in quantity.parts
    ]
    for choice in product(*choices):
        if len({dimension for dimension, _ in choice}) == 1:
            total = constant(0)
            for (value, _), (_, size) in zip(quantity.parts, choice, strict=True):
                total = total + value * constant(size)
            totals.setdefault(choice[0][0], total)
    if len(quantity.parts) == 1 and "time" in totals:
        totals.pop("ratio", None)  # 分 is a hundredth in 4割2分 only
    return totals


def _quantities_equal(a: Quantity, b: Quantity) -> bool:
    left, right = _totals(a), _totals(b)
    if ("" in left) == ("" in right):
        return any(right.get(dimension) == value for dimension, value in left.items())
    bare, other, totals = (left[""], b, right) if "" in left else (right[""], a, left)
    # 50 and 0.5 are both 50%; 30 is 30分, but 90 is not 1時間30分.
    if totals.get("ratio") == bare:
        return True
    value, unit = other.parts[0]
    return len(other.parts) == 1 and unit is not None and unit.droppable and value == bare


def _collections_equal(a: Value, b: Value) -> bool | None:
    if not isinstance(a, Collection) or not isinstance(b, Collection):
        several, one = (a, b) if isinstance(a, Collection) else (b, a)
        assert isinstance(several, Collection)
        if isinstance(one, Interval) and one.low_open and one.high_open:
            # (0,1) is a point or an open interval: the other side tells.
            ends = (one.low, one.high)
            return several.kind == "tuple" and several.members == tuple(
                number(end) for end in ends if end is not None
            )
        if isinstance(one, Equation | Interval | Union):
            return None if isinstance(one, Equation) else False
        return len(several.members) == 1 and equal(several.members[0], one)
    if len(a.members) != len(b.members):
        return False
    if "tuple" in (a.kind, b.kind):
        if "set" in (a.kind, b.kind):
            return False
        left, right = in_order(a), in_order(b)
        return _all(equal(x, y) for x, y in zip(left, right, strict=True))
    table = [[equal(member, other) for other in b.members] for member in a.members]
    if any(not {True, None} & set(line) for line in (*table, *zip(*table, strict=True))):
        return False
    free = set(range(len(table)))
    for row in table:
        match = next((place for place in sorted(free) if row[place] is True), None)
        if match is None:
            return None if any(None in line for line in table) else False
        free.remove(match)
    return True


def in_order(collection: Collection) -> tuple[Value, ...]:
    """The members, those that are all named in the order of their names: y=2, x=1 is (1, 2)."""
    members = collection.members
    if all(isinstance(member, Named) for member in members):
        return tuple(sorted(members, key=lambda member: getattr(member, "name", "")))
    return members


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    found = list(verdicts)
    return False if False in found else None if None in found else True
