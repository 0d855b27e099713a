"""Finds numbers in Japanese text: digits, separators, 万 and 億, fractions, kanji numerals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext

_SMALL = {"十": 10, "百": 100, "千": 1000}
_BIG = {"万": 10**4, "億": 10**8, "兆": 10**12}
_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0}
_KANJI = "零〇一二三四五六七八九十百千万億兆"
_LONGEST = 40

_TOKEN = re.compile(
    r"(?P<sign>(?<![0-9A-Za-z)\]])-|マイナス|[▲△])?(?<![0-9A-Za-z_.])"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?P<part>\.[0-9]+)?"
    r"(?:(?P<scale>[十百千万億兆][0-9,.十百千万億兆]*)|(?P<under>/[0-9]+)(?![0-9/]))?"
)
_PIECE = re.compile(r"[0-9]+(?:\.[0-9]+)?|.", re.DOTALL)
# What may follow a kanji numeral that is the whole answer; 一番 or 千葉 must not be read.
_KANJI_ALONE = re.compile(
    rf"(?P<sign>マイナス)?(?P<number>[{_KANJI}]+)"
    r"(?:個|つ|人|名|本|枚|円|回|匹|頭|羽|冊|台|杯|皿|袋|箱|日|年|か月|ヶ月|週間|時間|分|秒|歳|点|度|倍"
    r"|通り|%|パーセント|キロ|メートル|センチ|グラム|リットル)?"
    r"(?:です|だ|である|でした|になります|となります)?[。.!]?"
)


@dataclass(frozen=True)
class Number:
    """A number and where it stands; `text` is canonical: ASCII digits, sign, point or slash."""

    start: int
    end: int
    text: str


def numbers(text: str) -> Iterator[Number]:
    """Numbers written with digits in a text that went through `normalise.unify`, left to right.

    1,234 loses its separator, 3万5千 and 1.2億 are worked out, 3/4 stays a fraction (a date such
    as 2024/4/1 is its parts), マイナス5 and ▲5 are negative, a hyphen after a digit or letter is
    no sign. Digits inside a Latin word (x1, H2O) are no numbers. Linear in the text's length.
    """
    for found in _TOKEN.finditer(text):
        whole, under = found["whole"].replace(",", ""), found["under"] or ""
        if under and text[found.start() - 1 : found.start()] == "/":  # the end of a date
            yield Number(found.start(), found.start("under"), whole)
            yield Number(found.start("under") + 1, found.end(), under[1:])
            continue
        value: str | None = whole + (found["part"] or "") + under
        if found["scale"]:
            value = japanese_number(found[0][found.start("whole") - found.start() :])
        if value is not None:
            yield Number(found.start(), found.end(), ("-" if found["sign"] else "") + value)


def japanese_number(text: str) -> str | None:
    """The value of 二十三, 二〇二四, 3万5千 or 1.2億 in ASCII digits; None when the units do not
    descend or the text is longer than 40 characters."""
    text = text.rstrip(",.")
    if not 0 < len(text) <= _LONGEST:
        return None
    with localcontext(prec=100):  # exact for every text of that length
        return _worked_out(text.replace(",", ""))


def _worked_out(text: str) -> str | None:
    total = section = Decimal(0)
    digits = ""  # of the number that waits for its unit
    small_limit, big_limit = 10**4, 10**16
    for piece in _PIECE.findall(text):
        if piece in _DIGITS:
            digits += str(_DIGITS[piece])
        elif piece in _SMALL:
            if _SMALL[piece] >= small_limit:
                return None
            small_limit = _SMALL[piece]
            section += Decimal(digits or 1) * small_limit
            digits = ""
        elif piece in _BIG:
            section += Decimal(digits or 0)
            if _BIG[piece] >= big_limit or not section:
                return None
            big_limit, small_limit = _BIG[piece], 10**4
            total += section * big_limit
            section, digits = Decimal(0), ""
        elif piece[0].isdecimal() and not digits:
            digits = piece
        else:
            return None
    value = total + section + Decimal(digits or 0)
    return format(value.to_integral() if value == value.to_integral() else value, "f")


def kanji_number(text: str) -> str | None:
    """The value of a text that is one kanji numeral, perhaps with a counter and です."""
    found = _KANJI_ALONE.fullmatch(text.strip())
    if found is None:
        return None
    value = japanese_number(found["number"])
    return None if value is None else ("-" if found["sign"] else "") + value
