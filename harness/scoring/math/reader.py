"""Reads an answer in plain notation into every value that it can mean."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from harness.scoring.dates import read_date
from harness.scoring.math.grammar import UnreadError, expression
from harness.scoring.math.intervals import as_named, read_words_of_order, relation
from harness.scoring.math.notation import NotPlainError, bare, plain, tidy
from harness.scoring.math.numerals import in_digits
from harness.scoring.math.poly import Poly, TooHardError, constant
from harness.scoring.math.units import HALVED, UNITS, Unit, unit
from harness.scoring.math.values import (
    Clock,
    Collection,
    Interval,
    Named,
    Quantity,
    Ratio,
    Union,
    Value,
    Words,
    number,
)

_NO_SOLUTION = re.compile(r"(?:実数?)?解?は?(?:なし|無し|存在しない|ない|ありません|存在しません)")
_OR = re.compile(r"\s*(?:または|又は|もしくは|あるいは|および|及び|\bor\b|\band\b|、|;)\s*")
_CLOCK = re.compile(
    r"(?P<half>午前|午後|AM|PM|am|pm)?\s?(?P<hour>[0-9]{1,2})"
    r"(?:時(?:(?P<minute>[0-9]{1,2})分(?:(?P<second>[0-9]{1,2})秒)?|(?P<past>半)|ちょうど)?"
    r"|:(?P<minute2>[0-9]{2})(?::(?P<second2>[0-9]{2}))?)\s?(?P<after>[AaPp]\.?[Mm]\.?)?"
)
_NAME = re.compile(r"[A-Za-zα-ωΑ-Ω](?:_\(?[A-Za-z0-9]{1,3}\)?)?")
_ASSIGNED = re.compile(rf"({_NAME.pattern})\s?(?:=|は)\s?(.+)", re.DOTALL)
_FUNCTION = re.compile(r"([fgh])\s?\(([a-z])\)\s?=\s?(.+)", re.DOTALL)
_TUPLE = re.compile(r"\(([^()=]+)\)\s?=\s?(\(.+\))")
_ALL_NUMBERS = re.compile(r"(?:すべて|全て)の(?:実数|数)|\(-∞,\s?\+?∞\)")
_ALTERNATIVES = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_PART = re.compile(rf"([0-9]+(?:\.[0-9]+)?|\([0-9]+/[0-9]+\))\s?({_ALTERNATIVES})(半)?(?:と\s?)?")
_SUFFIX = re.compile(
    rf"(.*?[0-9)\]}}πnr!\s])\s?({_ALTERNATIVES}|[ァ-ー]{{2,}}|(?<=\s)[A-Za-z]{{3,}})(半)?",
    re.DOTALL,
)
_SPEED = re.compile(
    r"(時速|分速|秒速|毎時|毎分|毎秒)\s?(.+?)\s?(km|m|cm|キロメートル|メートル|キロ)"
)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_MOST_MEMBERS = 40


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The text in plain notation with its numerals in digits; LaTeX that has no such form stays."""
    tidied = tidy(text)
    try:
        rewritten = plain(tidied)
    except NotPlainError:
        rewritten = tidied
    rewritten = rewritten.replace("**", "^")
    return bare(in_digits(" ".join(rewritten.split())))


@lru_cache(maxsize=4096)
def read(text: str) -> tuple[Value, ...]:
    """What a canonical text can mean, likeliest first; nothing when it is not understood."""
    if not text or "\\" in text:
        return ()
    return tuple(_readings(text, 0))


def _readings(text: str, depth: int) -> list[Value]:
    text = text.strip()
    if not text or depth > 3:
        return []
    if _NO_SOLUTION.fullmatch(text) or text == "{}":
        return [Words("解なし")]
    if _ALL_NUMBERS.fullmatch(text):
        return [Interval(None, None, True, True)]
    for special in (read_date(text), _clock(text)):
        if special is not None and (":" not in text or text.startswith("午")):
            return [special]
    found: list[Value] = []
    if (clock := _clock(text)) is not None:
        found.append(clock)
    if (ratio := _ratio(text)) is not None:
        found.append(ratio)
    if found:
        return found
    if (interval := read_words_of_order(text, scalar)) is not None:
        return [interval]
    if (several := _several(text, depth)) is not None:
        return [several]
    if (bracketed := _bracketed(text, depth)) is not None:
        return bracketed
    if (point := _TUPLE.fullmatch(text)) is not None:
        return _named_point(point[1], point[2], depth)
    if "±" in text and text.count("±") <= 2:
        return _both_signs(text, depth)
    if (function := _FUNCTION.fullmatch(text)) and not set(function[3]) & set("=<>"):
        value = scalar(function[3])
        return [] if value is None else [Named(f"{function[1]}({function[2]})", number(value))]
    if (assigned := _ASSIGNED.fullmatch(text)) and not set(assigned[2]) & set("=<>"):
        name = re.sub(r"[()]", "", assigned[1])
        return [as_named(name, value) for value in _readings(assigned[2], depth + 1)]
    if set(text) & set("<>=∈"):
        related = relation(text, scalar, lambda inner: _readings(inner, depth + 1))
        return [] if related is None else [related]
    return _quantities(text)


def _quantities(text: str) -> list[Value]:
    found: list[Value] = []
    if (value := scalar(text)) is not None:
        found.append(number(value))
    if (measured := _measured(text)) is not None:
        found.append(measured)
    return found


def scalar(text: str) -> Poly | None:
    """The value of an expression without a unit."""
    try:
        return expression(text)
    except (UnreadError, TooHardError, ZeroDivisionError, RecursionError):
        return None


def _measured(text: str) -> Quantity | None:
    """A number with its unit, or several: 1時間30分, 2√3 cm, 時速60km, ¥1200, -5度."""
    text = re.sub(r"^(-?)([¥$€])\s?(.+)$", r"\1\3\2", text)
    if (speed := _SPEED.fullmatch(text)) is not None:
        value, measure = scalar(speed[2]), unit(speed[1] + speed[3])
        return None if value is None or measure is None else Quantity(((value, measure),))
    sign, body = ("-", text[1:].strip()) if text.startswith("-") else ("", text)
    parts: list[tuple[Poly, Unit | None]] = []
    position = 0
    while (part := _PART.match(body, position)) and len(parts) < 6:
        position = part.end()
        found = _part(part[1], part[2], part[3])
        if found is None:
            return None
        parts.append(found)
    if len(parts) > 1 and position == len(body) and len({u for _, u in parts}) == len(parts):
        if sign:
            parts = [(-value, measure) for value, measure in parts]
        return Quantity(tuple(parts))
    suffix = _SUFFIX.fullmatch(text)
    if suffix is None:
        return None
    one = _part(suffix[1].strip(), suffix[2], suffix[3])
    return None if one is None else Quantity((one,))


def _part(text: str, name: str, half: str | None) -> tuple[Poly, Unit | None] | None:
    value, measure = scalar(text), unit(name)
    if value is None or measure is None or (half and name not in HALVED):
        return None
    return (value + constant(1) / constant(2) if half else value), measure


def _clock(text: str) -> Clock | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour = int(found["hour"])
    minute = 30 if found["past"] else int(found["minute"] or found["minute2"] or 0)
    second = int(found["second"] or found["second2"] or 0)
    half = found["half"] or (found["after"] or "").replace(".", "")
    afternoon = half.lower() in ("午後", "pm")
    if half and hour > 12:
        return None
    if afternoon and hour < 12:
        hour += 12
    elif half.lower() == "am" and hour == 12:
        hour = 0
    if hour > 24 or minute > 59 or second > 59:
        return None
    return Clock(hour, minute, second)


def _ratio(text: str) -> Ratio | None:
    pieces = text.split(":")
    if not 2 <= len(pieces) <= 6 or re.search(r":0[0-9]", text):
        return None
    values = [scalar(piece) for piece in pieces]
    first = values[0]
    if first is None or not first.terms or None in values:
        return None
    try:
        return Ratio(tuple(value / first for value in values if value is not None))
    except (TooHardError, ZeroDivisionError):
        return None


def _several(text: str, depth: int) -> Value | None:
    """A list without brackets: 1, 2 or x=1またはx=2 or x=1,2; intervals make a union."""
    pieces = _OR.split(text)
    if len(pieces) == 1 and "∪" in text:
        pieces = text.split("∪")
    pieces = [piece for whole in pieces for piece in _outside_brackets(whole)]
    if len(pieces) == 1 and re.search(r"[0-9)]と\s?[-0-9A-Za-z]", text) and "と(" not in text:
        pieces = text.split("と")
    if not 2 <= len(pieces) <= _MOST_MEMBERS or not all(piece.strip() for piece in pieces):
        return None
    readings = [_readings(piece, depth + 1) for piece in pieces]
    if not all(readings):
        return None
    # (0,1) is a point, unless it is joined to intervals.
    members = [found[-1] if "∪" in text else found[0] for found in readings]
    if any(isinstance(member, Interval | Union) for member in members):
        return _union(members)
    if isinstance(members[0], Named) and not any(isinstance(m, Named) for m in members[1:]):
        name = members[0].name
        values = (members[0].value, *members[1:])
        return Named(name, Collection("list", _distinct(values)))
    names = {member.name for member in members if isinstance(member, Named)}
    if len(names) == 1 and all(isinstance(member, Named) for member in members):
        values = tuple(member.value for member in members if isinstance(member, Named))
        return Named(names.pop(), Collection("list", _distinct(values)))
    return Collection("list", _distinct(tuple(members)))


def _union(members: list[Value]) -> Union | None:
    parts: list[Interval] = []
    for member in members:
        if isinstance(member, Collection) and member.kind == "tuple":
            return None
        if not isinstance(member, Interval):
            return None
        parts.append(member)
    keyed = []
    for part in parts:
        low = float("-inf") if part.low is None else part.low.approximate()
        high = float("inf") if part.high is None else part.high.approximate()
        if low is None or high is None:
            return None
        keyed.append((low, high, part))
    keyed.sort(key=lambda entry: entry[:2])
    # Overlapping intervals would have to be merged, or meant that both hold.
    if any(right[0] < left[1] for left, right in pairwise(keyed)):
        return None
    return Union(tuple(part for _, _, part in keyed))


def _outside_brackets(text: str) -> list[str]:
    """The text cut at commas that no bracket encloses."""
    pieces, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            pieces.append(text[start:position])
            start = position + 1
    return [*pieces, text[start:]]


def _bracketed(text: str, depth: int) -> list[Value] | None:
    """A set, a tuple, an interval; None when no bracket encloses the whole text or holds one
    value only (but {3} is the set of 3)."""
    opening, closing = text[0], text[-1]
    if opening not in _BRACKETS or closing not in ")]}" or len(text) < 3:
        return None
    level = 0
    for position, character in enumerate(text):
        level += (character in "([{") - (character in ")]}")
        if level == 0 and position < len(text) - 1:
            return None
    inner = text[1:-1]
    pieces = _outside_brackets(inner)
    if opening == "{" and closing == "}":
        members = _members(pieces, depth)
        return None if members is None else [Collection("set", _distinct(members))]
    if len(pieces) < 2:
        return None
    found: list[Value] = []
    members = _members(pieces, depth)
    if opening == "(" and closing == ")" and members is not None:
        found.append(Collection("tuple", members))
    if len(pieces) == 2 and opening in "([" and closing in ")]":
        ends = [_end(piece) for piece in pieces]
        if all(end is not False for end in ends):
            low, high = (end if isinstance(end, Poly) else None for end in ends)
            low_open, high_open = opening == "(" or low is None, closing == ")" or high is None
            interval = Interval(low, high, low_open, high_open)
            if opening == "[" or closing == "]" or None in (low, high):
                return [interval]
            found.append(interval)
    if opening == "[" and closing == "]" and members is not None and not found:
        found.append(Collection("list", members))
    return found


def _end(text: str) -> Poly | bool:
    """An interval's end, True for an infinite one, False for none."""
    if re.fullmatch(r"\s*[-+]?\s*(?:∞|inf|oo)\s*", text):
        return True
    value = scalar(text)
    return False if value is None else value


def _members(pieces: list[str], depth: int) -> tuple[Value, ...] | None:
    if len(pieces) > _MOST_MEMBERS:
        return None
    readings = [_readings(piece, depth + 1) for piece in pieces]
    return tuple(found[0] for found in readings) if all(readings) else None


def _distinct(members: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(members))


def _named_point(names: str, values: str, depth: int) -> list[Value]:
    """(x, y) = (1, 2) as x=1, y=2."""
    called = [name.strip() for name in names.split(",")]
    points = [one for one in _readings(values, depth + 1) if isinstance(one, Collection)]
    if not points or len(points[0].members) != len(called):
        return []
    if not all(_NAME.fullmatch(name) for name in called):
        return []
    members = zip(called, points[0].members, strict=True)
    return [Collection("list", tuple(Named(name, value) for name, value in members))]


def _both_signs(text: str, depth: int) -> list[Value]:
    """±2 is 2 and -2; with two ± the signs go together."""
    pair = [_readings(text.replace("±", sign), depth + 1) for sign in "+-"]
    if not all(pair):
        return []
    members = tuple(found[0] for found in pair)
    if all(isinstance(member, Named) for member in members):
        names = [member.name for member in members if isinstance(member, Named)]
        values = tuple(member.value for member in members if isinstance(member, Named))
        return [Named(names[0], Collection("list", _distinct(values)))]
    return [Collection("list", _distinct(members))]
