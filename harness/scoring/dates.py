"""Reads dates as Japanese texts write them: 令和6年4月1日, R6.4.1, 2024/4/1, 二〇二四年四月一日."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from harness.scoring.normalise import unify
from harness.scoring.numerals import japanese_number

# The year before an era's first, and the era's first and last days.
_ERAS = {
    "明治": (1867, date(1868, 1, 25), date(1912, 7, 30)),
    "大正": (1911, date(1912, 7, 30), date(1926, 12, 25)),
    "昭和": (1925, date(1926, 12, 25), date(1989, 1, 7)),
    "平成": (1988, date(1989, 1, 8), date(2019, 4, 30)),
    "令和": (2018, date(2019, 5, 1), date(9999, 12, 31)),
}
_LETTERS = {"M": "明治", "T": "大正", "S": "昭和", "H": "平成", "R": "令和"}
_KANJI = r"[0-9零〇一二三四五六七八九十百千]+"
_DAY_OF_WEEK = re.compile(r"\s?[(]?(?P<name>[日月火水木金土])(?:曜日?)?[)]?$")
_WRITTEN = re.compile(
    rf"(?:(?P<era>明治|大正|昭和|平成|令和|[MTSHR])\s?|西暦)?(?P<year>元|{_KANJI})年\s?"
    rf"(?:(?P<month>{_KANJI})月\s?(?:(?P<day>{_KANJI})日)?)?"
)
_NO_YEAR = re.compile(rf"(?P<month>{_KANJI})月\s?(?P<day>{_KANJI})日")
_SIGNS = re.compile(
    r"(?P<era>[MTSHR]\.?|明治|大正|昭和|平成|令和)?(?P<year>[0-9]{1,4})(?P<sign>[-/.])"
    r"(?P<month>[0-9]{1,2})(?P=sign)(?P<day>[0-9]{1,2})"
)
_COMPACT = re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
_WEEK = "月火水木金土日"


@dataclass(frozen=True)
class Day:
    """A calendar date; what was not written is None."""

    year: int | None
    month: int | None
    day: int | None


def read_date(text: str, compact: bool = False) -> Day | None:
    """The date that a text is, or None. A day of the week behind it must be right; an era must
    have had that day; a date that no calendar has (2月30日) is None.

    compact  whether 20240401 is one too
    """
    text = unify(text).strip(" 。.")
    named = _DAY_OF_WEEK.search(text)
    if named is not None and "日" in text[: named.start()] + "日" * (named.start() > 7):
        found = _read(text[: named.start()].strip(), compact)
        if found is not None and _has_weekday(found, named["name"]):
            return found
    return _read(text, compact)


def _has_weekday(found: Day, name: str) -> bool:
    if found.year is None or found.month is None or found.day is None:
        return True
    return _WEEK[date(found.year, found.month, found.day).weekday()] == name


def _read(text: str, compact: bool) -> Day | None:
    if len(text) > 40:
        return None
    if match := _NO_YEAR.fullmatch(text):
        return _day(None, None, match["month"], match["day"])
    if match := _WRITTEN.fullmatch(text):
        return _day(match["era"], match["year"], match["month"], match["day"])
    if match := _SIGNS.fullmatch(text):
        era = (match["era"] or "").rstrip(".") or None
        if era is None and len(match["year"]) != 4:
            return None
        return _day(era, match["year"], match["month"], match["day"])
    if compact and (match := _COMPACT.fullmatch(text)):
        return _day(None, match["year"], match["month"], match["day"])
    return None


def _number(text: str | None) -> int | None:
    value = None if text is None else japanese_number(text)
    return int(value) if value is not None and value.isdecimal() else None


def _day(era: str | None, year: str | None, month: str | None, day: str | None) -> Day | None:
    number = 1 if year == "元" else _number(year)
    if year is not None and (number is None or not 1 <= number <= 9999):
        return None
    if year == "元" and era is None:
        return None
    found = Day(number, _number(month), _number(day))
    if (month is not None and found.month is None) or (day is not None and found.day is None):
        return None
    first = last = None
    if era is not None and number is not None:
        before, first, last = _ERAS[_LETTERS.get(era, era)]
        found = Day(before + number, found.month, found.day)
    if found.month is not None and not 1 <= found.month <= 12:
        return None
    if found.month is not None and found.day is not None:
        try:
            # A leap year stands for a year that is not known.
            exact = date(found.year or 2000, found.month, found.day)
        except ValueError:
            return None
        if first is not None and last is not None and not first <= exact <= last:
            return None
    elif (
        first is not None
        and last is not None
        and not (first.year <= (found.year or 0) <= last.year)
    ):
        return None
    return found
