"""Worked solutions of problems on ratios and percentages."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

from harness.items.probes.exact import decimal_text
from harness.items.probes.family import Problem
from training.synthesis.traces.arithmetic import result
from training.synthesis.traces.trace import Trace, Tracer, numbers_in

Draw = random.Random
Solved = tuple[list[str], Fraction | int]


def _rate(percent: int) -> str:
    return decimal_text(Fraction(percent, 100))


def _part(draw: Draw, situation: str, target: str) -> Solved:
    whole, percent = numbers_in(target)
    value = whole * percent // 100
    if draw.random() < 0.5:
        rate = _rate(percent)
        return [
            f"{percent}%を小数で表すと{rate}です。",
            f"もとにする量に割合をかけて、{whole}×{rate}={value}となります。",
        ], value
    return [
        f"{whole}の1%は、{whole}÷100={decimal_text(Fraction(whole, 100))}です。",
        f"{percent}%はその{percent}倍なので、"
        f"{decimal_text(Fraction(whole, 100))}×{percent}={value}です。",
    ], value


def _discount(draw: Draw, situation: str, target: str) -> Solved:
    price, off = numbers_in(situation)
    tenths = off // 10 if "%" in situation else off
    value, less = price * (10 - tenths) // 10, price * tenths // 10
    name = f"{off}%" if "%" in situation else f"{off}割"
    if draw.random() < 0.5:
        return [
            f"{name}引きなので、定価の{10 - tenths}割の値段になります。{10 - tenths}割は"
            f"{_rate(10 * (10 - tenths))}です。",
            f"代金は、{price}×{_rate(10 * (10 - tenths))}={value}（円）です。",
        ], value
    return [
        f"値引きされる金額は、定価の{name}なので{price}×{_rate(10 * tenths)}={less}（円）です。",
        result(draw, "代金", price, "-", less, "円"),
    ], value


def _increase(draw: Draw, situation: str, target: str) -> Solved:
    before, percent = numbers_in(situation)
    more = before * percent // 100
    if draw.random() < 0.5:
        return [
            f"増えた人数は、先月の{percent}%なので{before}×{_rate(percent)}={more}（人）です。",
            result(draw, "今月の利用者", before, "+", more, "人"),
        ], before + more
    return [
        f"{percent}%増えたので、今月は先月の{100 + percent}%にあたります。"
        f"{100 + percent}%は{_rate(100 + percent)}です。",
        f"{before}×{_rate(100 + percent)}={before + more}（人）となります。",
    ], before + more


def _share(draw: Draw, situation: str, target: str) -> Solved:
    whole, part = numbers_in(situation)
    value = part * 100 // whole
    return [
        draw.choice(
            ("割合は、比べる量÷もとにする量で求めます。", "全体の人数をもとにして割合を求めます。")
        ),
        f"{part}÷{whole}={_rate(value)}です。",
        f"百分率に直すと、{_rate(value)}×100={value}（%）です。",
    ], value


def _whole(draw: Draw, situation: str, target: str) -> Solved:
    part, percent = numbers_in(situation)
    value = part * 100 // percent
    if draw.random() < 0.5:
        return [
            f"本全体を1とすると、読んだ{part}ページは{_rate(percent)}にあたります。",
            f"全体は、比べる量を割合で割って、{part}÷{_rate(percent)}={value}（ページ）です。",
        ], value
    return [
        f"{percent}%が{part}ページなので、1%は{part}÷{percent}="
        f"{decimal_text(Fraction(part, percent))}（ページ）です。",
        f"100%では、{decimal_text(Fraction(part, percent))}×100={value}（ページ）です。",
    ], value


def _split(draw: Draw, situation: str, target: str) -> Solved:
    total, a, b = numbers_in(situation)
    part = total // (a + b)
    return [
        draw.choice(
            (
                f"比の合計は{a}+{b}={a + b}です。",
                f"全体を{a}+{b}={a + b}等分して考えます。",
            )
        ),
        result(draw, "比の1にあたる金額", total, "÷", a + b, "円"),
        f"兄の分は比の{a}にあたるので、{part}×{a}={part * a}（円）です。",
    ], part * a


def _twice(draw: Draw, situation: str, target: str) -> Solved:
    price, first, second = numbers_in(situation)
    middle = price * (10 - first) // 10
    value = middle * (10 - second) // 10
    lead = draw.choice(("", "2回目の割引きは、1回目の割引き後の値段にかかることに注意します。"))
    return [
        *([lead] if lead else []),
        f"{first}割引きすると定価の{10 - first}割になるので、"
        f"{price}×{_rate(10 * (10 - first))}={middle}（円）です。",
        f"さらに{second}割引きするとその{10 - second}割なので、"
        f"{middle}×{_rate(10 * (10 - second))}={value}（円）です。",
    ], value


def _profit(draw: Draw, situation: str, target: str) -> Solved:
    cost, up, off = numbers_in(situation)
    listed = cost * (10 + up) // 10
    sold = listed * (10 - off) // 10
    return [
        f"定価は、原価に{up}割の利益を加えて{cost}×{_rate(100 + 10 * up)}={listed}（円）です。",
        f"売った値段は、定価の{off}割引きなので{listed}×{_rate(100 - 10 * off)}={sold}（円）です。",
        draw.choice(("利益は売った値段と原価の差です。", "利益は、売値から原価を引いて求めます。"))
        + f"{sold}-{cost}={sold - cost}（円）です。",
    ], sold - cost


def _brine(draw: Draw, situation: str, target: str) -> Solved:
    a, x, b, y = numbers_in(situation)
    salts = [Fraction(a * x, 100), Fraction(b * y, 100)]
    salt, whole = sum(salts), x + y
    strength = Fraction(a * x + b * y, whole)
    first, second = map(decimal_text, salts)
    # The share of salt need not be a short decimal, but the percentage is.
    times = decimal_text(salt * 100)
    return [
        draw.choice(("ふくまれる食塩の量に注目します。", "まず、それぞれの食塩の重さを求めます。")),
        f"{a}%の食塩水{x}gの食塩は、{x}×{_rate(a)}={first}（g）です。",
        f"{b}%の食塩水{y}gの食塩は、{y}×{_rate(b)}={second}（g）です。",
        f"混ぜると、食塩は{first}+{second}={decimal_text(salt)}（g）、"
        f"全体は{x}+{y}={whole}（g）になります。",
        f"濃さは、{decimal_text(salt)}×100÷{whole}={times}÷{whole}={decimal_text(strength)}（%）です。",
    ], strength


def _chain(draw: Draw, situation: str, target: str) -> Solved:
    _, total, a, b, d, c = numbers_in(situation)
    common = math.lcm(b, d)
    parts = [a * common // b, common, c * common // d]
    return [
        "Bの金額が両方の比に出てくるので、Bの数をそろえます。",
        f"{b}と{d}の最小公倍数は{common}です。A:Bは{_scaled(a, b, common // b)}、"
        f"B:Cは{_scaled(d, c, common // d)}となります。",
        f"よって、A:B:Cは{':'.join(map(str, parts))}です。",
        f"比の合計は{'+'.join(map(str, parts))}={sum(parts)}なので、比の1にあたる金額は"
        f"{total}÷{sum(parts)}={decimal_text(Fraction(total, sum(parts)))}（円）です。",
        f"Cは比の{parts[2]}にあたるので、{decimal_text(Fraction(total, sum(parts)))}×{parts[2]}="
        f"{decimal_text(Fraction(total * parts[2], sum(parts)))}（円）です。",
    ], Fraction(total * parts[2], sum(parts))


def _scaled(a: int, b: int, times: int) -> str:
    """A ratio multiplied: 3:1を9倍して27:9."""
    return f"{a}:{b}を{times}倍して{a * times}:{b * times}" if times > 1 else f"{a}:{b}のまま"


_KINDS: dict[str, Callable[[Draw, str, str], Solved]] = {
    "part": _part,
    "off": _discount,
    "increase": _increase,
    "share": _share,
    "whole": _whole,
    "split": _split,
    "twice": _twice,
    "profit": _profit,
    "brine": _brine,
    "chain": _chain,
}


def _ratio(draw: Draw, problem: Problem) -> Trace:
    slots = problem.slots
    kind = problem.content.split(" ", 1)[0]
    steps, value = _KINDS[kind](draw, slots["situation"], slots["target"])
    answer = decimal_text(value)
    return Trace(tuple(steps), answer, f"{slots['target']}は{answer}{slots['unit']}")


RATIOS: dict[str, Tracer] = {"math/ratio": _ratio}
