"""Math probes on units: lengths, weights, times, areas, volumes and speeds."""

from __future__ import annotations

from fractions import Fraction

from harness.items.probes.exact import decimal_text, number_problem
from harness.items.probes.family import Draw, Family, Problem

# Larger unit, smaller unit, how many of the smaller make one of the larger.
_PLAIN_UNITS = (
    ("時間", "分", 60), ("分", "秒", 60), ("日", "時間", 24), ("週間", "日", 7), ("m", "cm", 100),
    ("km", "m", 1000), ("cm", "mm", 10), ("kg", "g", 1000), ("t", "kg", 1000), ("L", "mL", 1000),
    ("L", "dL", 10), ("dL", "mL", 100),
)  # fmt: skip
_DECIMAL_UNITS = tuple(row for row in _PLAIN_UNITS if row[2] in (10, 100, 1000))
_AREA_UNITS = (
    ("m²", "cm²", 10_000), ("km²", "m²", 1_000_000), ("ha", "m²", 10_000), ("a", "m²", 100),
    ("m³", "L", 1000), ("km²", "ha", 100), ("cm²", "mm²", 100), ("ha", "a", 100),
)  # fmt: skip


def _unit(draw: Draw, level: int) -> Problem:
    """1: whole larger to smaller units. 2: decimals, both ways. 3: two units into one. 4: areas,
    volumes, and three units of time. 5: speeds, and sums over units."""
    if level == 1:
        large, small, factor = draw.choice(_PLAIN_UNITS)
        count = draw.randint(2, 60)
        return _converted(f"{count}{large}", small, f"unit {large} {small} {count}", count * factor)
    if level == 2 or (level == 4 and draw.random() < 0.7):
        large, small, factor = draw.choice(_DECIMAL_UNITS if level == 2 else _AREA_UNITS)
        amount = Fraction(draw.randint(1, 29) * 10 + draw.randint(1, 9), 10)
        # Both directions are one fact, and so one content.
        content = f"unit {large} {small} {amount}"
        if draw.random() < 0.5:
            return _converted(f"{decimal_text(amount)}{large}", small, content, amount * factor)
        return _converted(f"{decimal_text(amount * factor)}{small}", large, content, amount)
    if level == 3:
        large, small, factor = draw.choice(_PLAIN_UNITS)
        count, rest = draw.randint(2, 20), draw.randint(1, factor - 1)
        return _converted(
            f"{count}{large}{rest}{small}",
            small,
            f"unit {large} {small} {count} {rest}",
            count * factor + rest,
        )
    if level == 4:
        hours, minutes, seconds = draw.randint(1, 9), draw.randint(1, 59), draw.randint(1, 59)
        return _converted(
            f"{hours}時間{minutes}分{seconds}秒",
            "秒",
            f"time {hours} {minutes} {seconds}",
            hours * 3600 + minutes * 60 + seconds,
        )
    return draw.choice([_speed, _sum_over_units])(draw)


def _speed(draw: Draw) -> Problem:
    metres = draw.randint(2, 90)
    per_hour, per_minute = Fraction(metres * 36, 10), metres * 60
    texts = {
        f"時速{decimal_text(per_hour)}km": ("秒速", "m", Fraction(metres)),
        f"秒速{metres}m": ("時速", "km", per_hour),
        f"分速{per_minute}m": ("時速", "km", per_hour),
        f"時速{decimal_text(per_hour)}kmの速さ": ("分速", "m", Fraction(per_minute)),
    }
    given, (per, unit, value) = draw.choice(list(texts.items()))
    return number_problem({"x": given, "ask": f"{per}何{unit}"}, f"speed {metres}", value)


def _sum_over_units(draw: Draw) -> Problem:
    big, middle, small, step = draw.choice(
        [("km", "m", "cm", 100), ("t", "kg", "g", 1000), ("kL", "L", "mL", 1000)]
    )
    # All three amounts in the middle unit.
    a, b = 100 * draw.randint(11, 49), draw.randint(12, 950)
    c = Fraction(draw.randint(2, 90), 10)
    return _converted(
        f"{decimal_text(Fraction(a, 1000))}{big}と{b}{middle}と{c * step}{small}の合計",
        middle,
        f"units {big} {a} {b} {c}",
        a + b + c,
    )


def _converted(given: str, unit: str, content: str, value: Fraction | int) -> Problem:
    return number_problem({"x": given, "ask": f"何{unit}"}, content, value)


UNITS: tuple[Family, ...] = (
    Family(
        "math/unit",
        1,
        (
            "{x}は{ask}ですか。数字だけを書いてください。",
            "{x}は{ask}にあたりますか。単位を付けずに数字だけで答えてください。",
            "単位の換算: {x}は{ask}？\n答え（数字のみ）:",
            "次の問いに数字だけで答えなさい。\n{x}は{ask}か。",
            "{x}が{ask}かを求め、数字だけを返してください。",
            "単位をそろえる練習です。{x}は{ask}になりますか。答えの数字だけを書いてください。",
            "{x}を別の単位で表すと{ask}でしょうか。コンマや単位を付けず、数字だけを書いてください。",
            "{x}は{ask}か、数だけを書いてください。単位は要りません。",
            "{x}は{ask}と同じですか。半角数字だけで答えてください。",
        ),
        _unit,
    ),
)
