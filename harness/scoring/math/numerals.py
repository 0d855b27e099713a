"""Rewrites numbers, however they are written in Japanese, in digits that arithmetic can read."""

from __future__ import annotations

import re
from fractions import Fraction

from harness.scoring.numerals import japanese_number

_FORMAL = str.maketrans(
    "壱壹弌弐貳貮参參肆伍陸漆捌玖拾佰陌阡仟萬", "一一一二二二三三四五六七八九十百百千千万"
)
_KANJI = "零〇一二三四五六七八九十百千万億兆京"
_RUN = re.compile(
    rf"(?:[0-9][0-9,]*(?:\.[0-9]+)?)?[{_KANJI}壱壹弌弐貳貮参參肆伍陸漆捌玖拾佰陌阡仟萬]"
    rf"[0-9,.{_KANJI}壱壹弌弐貳貮参參肆伍陸漆捌玖拾佰陌阡仟萬]*"
)
_POINT = re.compile(
    r"([零〇一二三四五六七八九])[・.点]([零〇一二三四五六七八九]+)(?![十百千万億兆])"
)
_ONE_DIGIT = {character: str(value) for value, character in enumerate("零一二三四五六七八九")}
_ONE_DIGIT["〇"] = "0"
_GROUPED = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
_REWRITES = (
    (re.compile(r"マイナス|負の|(?<![0-9A-Za-z)])[▲△](?=[0-9])"), "-"),
    (re.compile(r"プラス"), "+"),
    (re.compile(r"ルート"), "√"),
    (re.compile(r"([A-Za-z0-9)])の([0-9]+)乗"), r"\1^(\2)"),
    (re.compile(r"([0-9]+)\s?(?:と|・|か)\s?([0-9]+)分の([0-9]+)"), r"\1と(\3/\2)"),
    (re.compile(r"([0-9]+)分の([0-9]+)"), r"(\2/\1)"),
    (re.compile(r"(?<![0-9/.,^])([0-9]+) ([0-9]+)/([0-9]+)(?![0-9/.])"), r"\1と(\2/\3)"),
    (re.compile(r"([0-9]+)と([0-9]+)/([0-9]+)(?![0-9/.])"), r"\1と(\2/\3)"),
    (re.compile(r"(?<=[0-9])\s?対\s?(?=[0-9])"), ":"),
    (re.compile(r"^半分$"), "(1/2)"),
)
# A recurring decimal: with dots over the digits, a bar, brackets, or ... behind it.
RECURRING = re.compile(
    r"([0-9]+)\.([0-9]*)(?:˙([0-9](?:[0-9]*˙[0-9])?)|\[([0-9]+)\]|\(([0-9]+)\)|(\.{2,}))"
)
_LONGEST_DECIMAL = 300


def in_digits(text: str) -> str:
    """3億5千万円 as 350000000円, 百二十三 as 123, 弐拾 as 20, 三分の一 as (1/3), マイナス5 as -5,
    1 1/2 as 1と(1/2), 1,234 as 1234. What is no numeral stays."""
    text = _POINT.sub(_with_point, text)
    text = _RUN.sub(_digits, text)
    text = _GROUPED.sub(lambda found: found[0].replace(",", ""), text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text


def _with_point(found: re.Match[str]) -> str:
    return f"{_ONE_DIGIT[found[1]]}.{''.join(_ONE_DIGIT[digit] for digit in found[2])}"


def _digits(found: re.Match[str]) -> str:
    run = found[0].translate(_FORMAL)
    stripped = run.rstrip(",.")
    tail = run[len(stripped) :]
    left, sign, right = stripped.partition("京")
    if sign:
        high, low = japanese_number(left), japanese_number(right) if right else "0"
        if high is None or low is None or "." in high + low or len(low) > 16:
            return found[0]
        return str(int(high) * 10**16 + int(low)) + tail
    value = japanese_number(stripped)
    return found[0] if value is None else value + tail


def recurring(found: re.Match[str]) -> Fraction | None:
    """The value of a match of RECURRING; None where ... follows digits that do not recur."""
    whole, fixed = found[1], found[2]
    period = next((group for group in found.groups()[2:5] if group), "").replace("˙", "")
    if found[6]:
        repeated = re.fullmatch(r"([0-9]*?)([0-9]{1,6}?)(\2+)", fixed)
        if repeated is None or len(repeated[3]) < (2 if len(repeated[2]) == 1 else 1):
            return None
        fixed, period = repeated[1], repeated[2]
    if not period or len(whole) + len(fixed) + len(period) > _LONGEST_DECIMAL:
        return None
    nines = 10 ** len(period) - 1
    start = Fraction(int(whole + fixed), 10 ** len(fixed))
    return start + Fraction(int(period), nines * 10 ** len(fixed))
