"""Reads equations, inequalities and the words of order: 0<x≦1, x=3, 0以上1未満."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.scoring.math.poly import Poly
from harness.scoring.math.values import Collection, Equation, Interval, Named, Value, as_equation

_NAME = r"[A-Za-zα-ωΑ-Ω](?:_\(?[A-Za-z0-9]{1,3}\)?)?"
_RELATION = re.compile(r"<=|>=|=<|=>|<|>|=|∈")
_LOWER = re.compile(r"(.+?)\s?(以上|より大きい?く?|より上|を(?:超え|こえ)る?|超)")
_UPPER = re.compile(r"(.+?)\s?(以下|未満|より小さい?く?|より下)")
_BOTH = re.compile(
    r"(.+?)\s?(以上|より大きく|より大きい|を超え|超)(?:で|かつ)?[、,]?\s?"
    r"(.+?)\s?(以下|未満|より小さい)"
)
_SUBJECT = re.compile(rf"(?:({_NAME})\s?(?:は|が)\s?)?(.+?)(?:の(?:範囲|数|値))?")

Scalar = Callable[[str], Poly | None]


def read_words_of_order(text: str, scalar: Scalar) -> Interval | None:
    """0以上1未満, xは3より大きい; None when the text has no such words."""
    if not re.search(r"以上|以下|未満|より|超", text):
        return None
    subject = _SUBJECT.fullmatch(text)
    name, body = (subject[1] or "", subject[2]) if subject else ("", text)
    if found := _BOTH.fullmatch(body):
        low, high = scalar(found[1]), scalar(found[3])
        if low is None or high is None:
            return None
        return Interval(low, high, found[2] != "以上", found[4] != "以下", name)
    if found := _LOWER.fullmatch(body):
        low = scalar(found[1])
        return None if low is None else Interval(low, None, found[2] != "以上", True, name)
    if found := _UPPER.fullmatch(body):
        high = scalar(found[1])
        return None if high is None else Interval(None, high, True, found[2] != "以下", name)
    return None


def relation(text: str, scalar: Scalar, readings: Callable[[str], list[Value]]) -> Value | None:
    """An equation, or an inequality with one variable between or beside numbers."""
    signs = [found[0].replace("=<", "<=").replace("=>", ">=") for found in _RELATION.finditer(text)]
    sides = [side.strip() for side in _RELATION.split(text)]
    if signs == ["∈"]:
        return _element(sides, readings)
    values = [scalar(side) for side in sides]
    if any(value is None for value in values):
        return None
    polys = [value for value in values if value is not None]
    if signs == ["="]:
        difference = (polys[0] - polys[1]).scaled()
        return Equation(difference) if difference.variables() else None
    if all(sign == "=" for sign in signs):  # 2x = 6 = ..., a calculation: its last side answers
        return None
    return _inequality(polys, signs)


def _element(sides: list[str], readings: Callable[[str], list[Value]]) -> Value | None:
    intervals = [found for found in readings(sides[1]) if isinstance(found, Interval)]
    if not intervals or not re.fullmatch(_NAME, sides[0]):
        return None
    found = intervals[-1]
    return Interval(found.low, found.high, found.low_open, found.high_open, sides[0])


def _inequality(sides: list[Poly], signs: list[str]) -> Interval | None:
    if len({sign[0] for sign in signs}) != 1 or len(signs) > 2:
        return None
    if signs[0][0] == ">":
        sides, signs = sides[::-1], signs[::-1]
    opens = [sign in "<>" for sign in signs]
    if len(signs) == 2:
        name = _variable(sides[1])
        if not name or sides[0].variables() or sides[2].variables():
            return None
        return Interval(sides[0], sides[2], opens[0], opens[1], name)
    if (name := _variable(sides[0])) and not sides[1].variables():
        return Interval(None, sides[1], True, opens[0], name)
    if (name := _variable(sides[1])) and not sides[0].variables():
        return Interval(sides[0], None, opens[0], True, name)
    return _solved(sides, opens[0])


def _solved(sides: list[Poly], is_open: bool) -> Interval | None:
    """2x+1 < 5 solved for its only variable, where it is linear."""
    difference = sides[0] - sides[1]
    names = difference.variables()
    if len(names) != 1:
        return None
    name = names.pop()
    slope = difference.terms.get(((name, 1),))
    if slope is None or any(
        dict(monomial).get(name) and monomial != ((name, 1),) for monomial in difference.terms
    ):
        return None
    rest = Poly(
        {key: -value / slope for key, value in difference.terms.items() if key != ((name, 1),)}
    )
    if slope > 0:
        return Interval(None, rest, True, is_open, name)
    return Interval(rest, None, is_open, True, name)


def _variable(side: Poly) -> str:
    """The name of the variable that a side consists of."""
    if len(side.terms) != 1:
        return ""
    ((monomial, value),) = side.terms.items()
    alone = value == 1 and len(monomial) == 1 and monomial[0][1] == 1
    return monomial[0][0] if alone and side.variables() else ""


def as_named(name: str, value: Value) -> Value:
    """x=3 as a named value; y=2x+y as the equation that it is."""
    named = Named(name, value)
    if not isinstance(value, Collection) and (equation := as_equation(named)) is not None:
        own = {part for part, _ in getattr(value, "parts", ()) if name in part.variables()}
        if own:
            return equation
    return named
