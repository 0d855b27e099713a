"""Worked solutions of problems on averages, counting, ratios and units."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from fractions import Fraction

from harness.items.probes.exact import decimal_text
from harness.items.probes.family import Problem
from training.synthesis.traces.arithmetic import result
from training.synthesis.traces.trace import Trace, Tracer, numbers_in

Draw = random.Random


def _told(problem: Problem, steps: list[str], value: Fraction | int) -> Trace:
    """A trace whose answer is said with the target and the unit of the question."""
    answer = decimal_text(value)
    said = f"{problem.slots['target']}は{answer}{problem.slots['unit']}"
    return Trace(tuple(steps), answer, said)


def _running_sum(numbers: list[int]) -> str:
    return f"{'+'.join(map(str, numbers))}={sum(numbers)}"


def _average(draw: Draw, problem: Problem) -> Trace:
    situation = problem.slots["situation"]
    numbers = numbers_in(situation)
    if situation.startswith("1組"):
        n, a, m, b = numbers[1], numbers[2], numbers[4], numbers[5]
        total, people = n * a + m * b, n + m
        return _told(
            problem,
            [
                draw.choice(
                    (
                        "全員の合計点を、全員の人数で割ります。",
                        "平均点どうしを足して2で割るのではなく、合計点と人数から求めます。",
                    )
                ),
                result(draw, "1組の合計点", a, "×", n, "点"),
                result(draw, "2組の合計点", b, "×", m, "点"),
                f"合わせた合計点は{n * a}+{m * b}={total}（点）です。",
                f"人数は、合わせて{n}+{m}={people}（人）です。",
                f"平均点は、{total}÷{people}={total // people}（点）です。",
            ],
            total // people,
        )
    count, scores = numbers[0], numbers[1:]
    if "までの点数は" in situation:
        mean, scores = numbers[1], numbers[3:]
        known = sum(scores)
        return _told(
            problem,
            [
                result(draw, f"{count}回の合計点", mean, "×", count, "点"),
                f"{count - 1}回目までの合計点は、{_running_sum(scores)}（点）です。",
                draw.choice(("その差が", "これらの差が")) + f"{count}回目の点数です。",
                result(draw, f"{count}回目の点数", mean * count, "-", known, "点"),
            ],
            mean * count - known,
        )
    total, value = sum(scores), Fraction(sum(scores), count)
    lead = draw.choice(("平均は、合計を回数で割って求めます。", "まず、点数の合計を求めます。", ""))
    return _told(
        problem,
        [
            f"{lead}合計は{_running_sum(scores)}（点）です。",
            f"テストは{count}回なので、平均点は{total}÷{count}={decimal_text(value)}（点）です。",
        ],
        value,
    )


def _counting(draw: Draw, problem: Problem) -> Trace:
    kind = problem.content.split(" ", 1)[0]
    numbers = numbers_in(problem.slots["situation"])
    steps, value = _COUNTED[kind](draw, problem, numbers)
    return _told(problem, steps, value)


def _range(draw: Draw, problem: Problem, numbers: list[int]) -> tuple[list[str], int]:
    a, b = numbers
    value = b - a + 1
    return [
        draw.choice(
            (
                f"{a}から{b}までの整数の個数は、差に1を足して求めます。",
                "両端の数もふくむので、差に1を足します。",
            )
        ),
        f"{b}-{a}={b - a}で、{b - a}+1={value}です。",
    ], value


def _multiples(draw: Draw, problem: Problem, numbers: list[int]) -> tuple[list[str], int]:
    n = numbers[-1]
    k = numbers_in(problem.slots["target"])[0]
    value, rest = divmod(n, k)
    division = f"{k}×{value}={k * value}、{n}-{k * value}={rest}"
    return [
        f"{n}までに{k}が何個分あるかを考えます。",
        f"{n}を{k}で割ると、商は{value}、余りは{rest}です（{division}）。",
        draw.choice(
            (
                f"{k}の倍数は{k}×1から{k}×{value}までの{value}個です。",
                f"したがって、{k}の倍数は{value}個あります。",
            )
        ),
    ], value


def _product_rule(draw: Draw, problem: Problem, numbers: list[int]) -> tuple[list[str], int]:
    a, b, c = numbers[:3]
    value = a * b * c
    return [
        draw.choice(
            (
                "それぞれの選び方は独立なので、種類の数をかけ合わせます。",
                f"主食の{a}通りのそれぞれにおかずが{b}通り、さらに飲み物が{c}通りあります。",
            )
        ),
        f"{a}×{b}={a * b}で、{a * b}×{c}={value}です。",
    ], value


def _committee(draw: Draw, problem: Problem, numbers: list[int]) -> tuple[list[str], int]:
    _, n, r, _, m, s = numbers
    first, second = math.comb(n, r), math.comb(m, s)
    return [
        draw.choice(
            (
                "順番を区別しないので、組み合わせの数を考えます。",
                "学年ごとに選び方を数え、最後にかけ合わせます。",
            )
        ),
        f"1年生{n}人から{r}人を選ぶ選び方は、{_comb(n, r)}です。",
        f"2年生{m}人から{s}人を選ぶ選び方は、{_comb(m, s)}です。",
        result(draw, "委員の選び方", first, "×", second, "通り"),
    ], first * second


def _comb(n: int, r: int) -> str:
    value = math.comb(n, r)
    if r == 1:
        return f"{n}通り"
    top = "×".join(str(n - k) for k in range(r))
    bottom = "×".join(str(r - k) for k in range(r))
    return f"({top})÷({bottom})={math.perm(n, r)}÷{math.factorial(r)}={value}（通り）"


def _divisible(draw: Draw, problem: Problem, numbers: list[int]) -> tuple[list[str], int]:
    n = numbers[-1]
    a, b = numbers_in(problem.slots["target"])
    common = math.lcm(a, b)
    by_a, by_b, both = n // a, n // b, n // common
    steps = [
        f"{n}以下の{k}の倍数は、{n}を{k}で割った商の{count}個です（{k}×{count}={k * count}）。"
        for k, count in ((a, by_a), (b, by_b))
    ]
    steps.append(
        f"{a}と{b}の最小公倍数は{common}なので、両方で割り切れる数は{both}個です"
        + (f"（{common}×{both}={common * both}）。" if both else "。")
    )
    target = problem.slots["target"]
    if "または" in target or "でも" in target:
        either = by_a + by_b - both
        steps.append(
            f"{a}または{b}で割り切れる数は、重なりを除いて{by_a}+{by_b}-{both}={either}（個）です。"
        )
        if "または" in target:
            return steps, either
        steps.append(f"どちらでも割り切れない数は、{n}-{either}={n - either}（個）です。")
        return steps, n - either
    del steps[1]
    steps.append(
        f"{a}の倍数から、{b}でも割り切れる数を除くと、{by_a}-{both}={by_a - both}（個）です。"
    )
    return steps, by_a - both


_COUNTED: dict[str, Callable[[Draw, Problem, list[int]], tuple[list[str], int]]] = {
    "range": _range,
    "multiples": _multiples,
    "product": _product_rule,
    "committee": _committee,
    "divisible": _divisible,
}


# Units: how many of the base unit (m, g, second, L, m²) one of each makes.
_BASE: dict[str, Fraction] = {
    **{"km": Fraction(1000), "m": Fraction(1), "cm": Fraction(1, 100), "mm": Fraction(1, 1000)},
    **{"t": Fraction(10**6), "kg": Fraction(1000), "g": Fraction(1)},
    **{"週間": Fraction(604800), "日": Fraction(86400), "時間": Fraction(3600)},
    **{"分": Fraction(60), "秒": Fraction(1)},
    **{"kL": Fraction(1000), "m³": Fraction(1000), "L": Fraction(1), "dL": Fraction(1, 10)},
    **{"mL": Fraction(1, 1000), "km²": Fraction(10**6), "ha": Fraction(10**4), "a": Fraction(100)},
    **{"m²": Fraction(1), "cm²": Fraction(1, 10**4), "mm²": Fraction(1, 10**6)},
}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(週間|時間|km²|cm²|mm²|m²|m³|[a-zA-Z]+|日|分|秒)")


def _unit(draw: Draw, problem: Problem) -> Trace:
    given, asked = problem.slots["x"], problem.slots["ask"]
    unit = asked.split("何")[1]
    if "速" in asked:
        steps, value = _speed(draw, given, asked)
        answer = decimal_text(value)
        per = asked.split("何")[0]
        return Trace(tuple(steps), answer, f"{given}は{per}{answer}{unit}")
    amounts = [(Fraction(number), name) for number, name in _AMOUNT.findall(given)]
    steps, parts = [], []
    for number, name in amounts:
        text = decimal_text(number)
        factor = _BASE[name] / _BASE[unit]
        part = number * factor
        parts.append(part)
        if name == unit:
            continue
        shown = decimal_text(part)
        if factor >= 1:
            known = f"1{name}は{decimal_text(factor)}{unit}"
            steps.append(
                draw.choice(
                    (
                        f"{known}です。{text}{name}は、{text}×{decimal_text(factor)}={shown}（{unit}）です。",
                        f"{known}なので、{text}×{decimal_text(factor)}={shown}（{unit}）となります。",
                    )
                )
            )
        else:
            many = decimal_text(1 / factor)
            steps.append(
                draw.choice(
                    (
                        f"1{unit}は{many}{name}です。{text}{name}は、{text}÷{many}={shown}（{unit}）です。",
                        f"{many}{name}が1{unit}にあたるので、{text}÷{many}={shown}（{unit}）となります。",
                    )
                )
            )
    total = sum(parts, Fraction(0))
    if len(parts) > 1:
        terms = "+".join(map(decimal_text, parts))
        steps.append(
            draw.choice(("これらを合わせると、", "すべて足すと、", "合計すると、"))
            + f"{terms}={decimal_text(total)}（{unit}）です。"
        )
    answer = decimal_text(total)
    return Trace(tuple(steps), answer, f"{given}は{answer}{unit}")


def _speed(draw: Draw, given: str, asked: str) -> tuple[list[str], Fraction]:
    match = re.match(r"(時速|分速|秒速)(\d+(?:\.\d+)?)(km|m)", given)
    if match is None:
        raise ValueError(given)
    per, value, unit = match[1], Fraction(match[2]), match[3]
    wanted_per, wanted_unit = asked.split("何")
    seconds = {"時速": 3600, "分速": 60, "秒速": 1}
    steps = []
    shown = decimal_text(value)

    def convert_length() -> None:
        nonlocal value, unit, shown
        if unit == wanted_unit:
            return
        new = value * _BASE[unit] / _BASE[wanted_unit]
        sign = "×" if unit == "km" else "÷"
        steps.append(
            f"1kmは1000mなので、{shown}{sign}1000={decimal_text(new)}より、"
            f"{per}{decimal_text(new)}{wanted_unit}です。"
        )
        value, unit, shown = new, wanted_unit, decimal_text(new)

    if wanted_unit == "m":
        convert_length()
    ratio = Fraction(seconds[wanted_per], seconds[per])
    names = {3600: "1時間", 60: "1分", 1: "1秒"}
    new = value * ratio
    sign, factor = ("×", ratio) if ratio > 1 else ("÷", 1 / ratio)
    small = min(seconds[per], seconds[wanted_per])
    big = max(seconds[per], seconds[wanted_per])
    count = {(3600, 1): "3600秒", (3600, 60): "60分", (60, 1): "60秒"}[big, small]
    steps.append(
        f"{names[big]}は{count}です。{names[seconds[wanted_per]]}に進む道のりは、"
        f"{shown}{sign}{decimal_text(factor)}={decimal_text(new)}（{unit}）なので、"
        f"{wanted_per}{decimal_text(new)}{unit}です。"
    )
    per, value, shown = wanted_per, new, decimal_text(new)
    convert_length()
    return steps, value


QUANTITIES: dict[str, Tracer] = {
    "math/average": _average,
    "math/counting": _counting,
    "math/unit": _unit,
}
