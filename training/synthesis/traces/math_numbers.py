"""Worked solutions of problems on bare numbers: expressions, equations, sequences."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise

from harness.items.probes.exact import decimal_text
from harness.items.probes.family import Problem
from training.synthesis.traces.arithmetic import plain, steps_of, worked
from training.synthesis.traces.trace import Trace, Tracer, numbers_in

Draw = random.Random


def _expression(draw: Draw, problem: Problem) -> Trace:
    expression = problem.slots["e"]
    steps, value = steps_of(draw, expression)
    answer = decimal_text(value)
    if len(steps) == 1 and draw.random() < 0.3:
        steps.insert(0, draw.choice((f"{expression}を計算します。", "順番に計算します。")))
    elif len(steps) > 1 and draw.random() < 0.4:
        steps.insert(
            0,
            draw.choice(
                (
                    "計算の順序に気をつけて、一つずつ計算します。",
                    "かっこの中、かけ算・わり算、足し算・引き算の順に計算します。",
                    f"{expression}を順に計算していきます。",
                )
            ),
        )
    return Trace(tuple(steps), answer, f"計算の結果は{answer}")


def _equation(draw: Draw, problem: Problem) -> Trace:
    text = problem.slots["e"]
    for pattern, solve in _EQUATIONS:
        if match := re.fullmatch(pattern, text):
            numbers = [int(group or 1) for group in match.groups()]
            steps, root = solve(draw, *numbers)
            if draw.random() < 0.35 and "、" not in text:
                steps.append(_check(draw, text, root))
            return Trace(tuple(steps), str(root), f"xの値は{root}")
    raise ValueError(text)


def _check(draw: Draw, text: str, root: int) -> str:
    left, right = (
        re.sub(r"(\d)([x(])", r"\1×\2", side).replace("x", str(root)) for side in text.split("=")
    )
    value = str(steps_of(random.Random(0), left)[1])
    equal = f"{left}={value}" if right == value else f"{left}={value}、右辺は{right}={value}"
    return draw.choice(
        (
            f"確かめると、左辺は{equal}となり、正しく成り立ちます。",
            f"x={root}を元の式に入れて確かめると、左辺は{equal}で、両辺が一致します。",
        )
    )


Solved = tuple[list[str], int]


def _plus(draw: Draw, a: int, b: int) -> Solved:
    first = draw.choice(
        (
            f"両辺から{a}を引くと、x={b}-{a}となります。",
            f"{a}を右辺に移項すると、x={b}-{a}です。",
            f"xは、{b}から{a}を引いた数です。x={b}-{a}となります。",
        )
    )
    return [first, worked(draw, b, "-", a)], b - a


def _times(draw: Draw, a: int, b: int) -> Solved:
    first = draw.choice(
        (
            f"{a}xは{a}×xのことです。両辺を{a}で割ると、x={b}÷{a}です。",
            f"両辺を{a}で割って、x={b}÷{a}とします。",
        )
    )
    return [first, worked(draw, b, "÷", a)], b // a


def _minus(draw: Draw, a: int, b: int) -> Solved:
    first = draw.choice(
        (f"両辺に{a}を足すと、x={b}+{a}となります。", f"-{a}を移項すると、x={b}+{a}です。")
    )
    return [first, worked(draw, b, "+", a)], b + a


def _over(draw: Draw, a: int, b: int) -> Solved:
    first = draw.choice(
        (f"両辺に{a}をかけると、x={b}×{a}です。", f"xは{b}の{a}倍なので、x={b}×{a}となります。")
    )
    return [first, worked(draw, b, "×", a)], b * a


def _two_steps(sign: str) -> Callable[..., Solved]:
    def solve(draw: Draw, a: int, b: int, c: int) -> Solved:
        back = "-" if sign == "+" else "+"
        right = c - b if sign == "+" else c + b
        verb = f"両辺から{b}を引く" if sign == "+" else f"両辺に{b}を足す"
        moved = draw.choice((f"{verb}と", f"{sign}{b}を右辺に移項すると"))
        return [
            f"{moved}、{a}x={c}{back}{b}です。{plain(c, back, b)}なので、{a}x={right}となります。",
            f"両辺を{a}で割ると、x={right}÷{a}です。",
            worked(draw, right, "÷", a),
        ], right // a

    return solve


def _both_sides(draw: Draw, a: int, b: int, c: int, d: int) -> Solved:
    rest, right = a - c, d - b
    steps = [
        draw.choice(
            (
                "xを含む項を左辺に、数を右辺に集めます。",
                "xの項を左辺へ、数の項を右辺へ移項します。",
            )
        ),
        f"{a}x-{_x(c)}={d}-{b}となります。",
        f"左辺は{plain(a, '-', c)}より{_x(rest)}、右辺は{d}-{b}={right}です。",
    ]
    if rest == 1:
        return [*steps, f"よって、x={right}です。"], right
    steps += [f"{rest}x={right}の両辺を{rest}で割ります。", worked(draw, right, "÷", rest)]
    return steps, right // rest


def _bracket(draw: Draw, a: int, b: int, c: int, d: int) -> Solved:
    steps, root = _both_sides(draw, a, a * b, c, d)
    opened = draw.choice(
        (
            f"まず、かっこを外します。{plain(a, '×', b)}なので、{a}x+{a * b}={_x(c)}+{d}です。",
            f"左辺のかっこを開くと、{plain(a, '×', b)}より{a}x+{a * b}={_x(c)}+{d}となります。",
        )
    )
    return [opened, *steps], root


def _pair(draw: Draw, a: int, b: int, p: int, c: int, d: int, q: int) -> Solved:
    """ax+by=p and cx-dy=q: y goes out by addition."""
    first = f"{_x(a)}+{_x(b, 'y')}={p}"
    second = f"{_x(c)}-{_x(d, 'y')}={q}"
    steps = [
        f"{first}を①、{second}を②とします。",
        draw.choice(("yを消去します。", "yの係数をそろえて、yを消去します。")),
    ]
    # Each equation times the other's factor of y.
    e, f, r = a * d, b * d, p * d
    g, h, s = c * b, d * b, q * b
    if b == d:
        e, f, r, g, h, s = a, b, p, c, d, q
    else:
        if d > 1:
            steps.append(f"①の両辺に{d}をかけると、{_x(e)}+{_x(f, 'y')}={r}です（{p}×{d}={r}）。")
        if b > 1:
            steps.append(f"②の両辺に{b}をかけると、{_x(g)}-{_x(h, 'y')}={s}です（{q}×{b}={s}）。")
    total, right = e + g, r + s
    steps.append(
        f"2つの式を足すとyが消え、{e}+{g}={total}、{r}+{s}={right}より、{_x(total)}={right}です。"
    )
    root = right // total
    steps.append(f"両辺を{total}で割ります。{worked(draw, right, '÷', total)}")
    return steps, root


def _x(factor: int, letter: str = "x") -> str:
    return letter if factor == 1 else f"{factor}{letter}"


_EQUATIONS: tuple[tuple[str, Callable[..., Solved]], ...] = (
    (r"x\+(\d+)=(\d+)", _plus),
    (r"(\d+)\+x=(\d+)", _plus),
    (r"(\d+)x=(\d+)", _times),
    (r"x-(\d+)=(\d+)", _minus),
    (r"x÷(\d+)=(\d+)", _over),
    (r"(\d+)x\+(\d+)=(\d+)", _two_steps("+")),
    (r"(\d+)x-(\d+)=(\d+)", _two_steps("-")),
    (r"(\d+)x\+(\d+)=(\d+)x\+(\d+)", _both_sides),
    (r"(\d+)\(x\+(\d+)\)=(\d+)x\+(\d+)", _bracket),
    (r"(\d*)x\+(\d*)y=(\d+)、(\d*)x-(\d*)y=(\d+)", _pair),
)


def _sequence(draw: Draw, problem: Problem) -> Trace:
    terms = numbers_in(problem.slots["s"])
    found = [solved for rule in _RULES if (solved := rule(draw, terms)) is not None]
    if len({value for _, value in found}) != 1:
        raise ValueError(f"{len(found)} rules fit {terms}")
    steps, value = found[0]
    return Trace(tuple(steps), str(value), f"次の数は{value}")


def _differences(terms: list[int]) -> tuple[list[int], str]:
    """The steps from term to term, and the equations that show them."""
    steps = [b - a for a, b in pairwise(terms)]
    texts = [f"{b}-{a}={b - a}" if b >= a else f"{a}-{b}={a - b}" for a, b in pairwise(terms)]
    return steps, "、".join(texts)


def _constant_step(draw: Draw, terms: list[int]) -> Solved | None:
    steps, texts = _differences(terms)
    if len(set(steps)) > 1:
        return None
    step = steps[0]
    sign = "+" if step >= 0 else "-"
    way = "増えて" if step >= 0 else "減って"
    value = terms[-1] + step
    return [
        draw.choice(("隣り合う数の差を調べます。", "となりどうしの差を見ます。"))
        + f"{texts}です。",
        draw.choice(
            (
                f"どこも{abs(step)}ずつ{way}います。",
                f"差はいつも{abs(step)}で、数は{abs(step)}ずつ{way}いきます。",
            )
        ),
        f"次の数は、{terms[-1]}{sign}{abs(step)}={value}です。",
    ], value


def _constant_factor(draw: Draw, terms: list[int]) -> Solved | None:
    factor = terms[1] // terms[0] if terms[0] else 0
    if factor < 2 or any(b != a * factor for a, b in pairwise(terms)):
        return None
    texts = "、".join(f"{a}×{factor}={b}" for a, b in pairwise(terms))
    value = terms[-1] * factor
    return [
        draw.choice(("前の数との比を調べます。", "前の数の何倍になっているかを見ます。"))
        + f"{texts}です。",
        f"どの数も、前の数の{factor}倍になっています。",
        f"次の数は、{worked(draw, terms[-1], '×', factor)}",
    ], value


def _growing_step(draw: Draw, terms: list[int]) -> Solved | None:
    steps, texts = _differences(terms)
    growth = {b - a for a, b in pairwise(steps)}
    if len(growth) > 1 or growth <= {0} or min(steps) < 0:
        return None
    more = growth.pop()
    if more < 0:
        return None
    step = steps[-1] + more
    return [
        draw.choice(("隣り合う数の差を調べます。", "となりどうしの差を見ます。"))
        + f"{texts}です。",
        f"差は{'、'.join(map(str, steps))}と、{more}ずつ大きくなっています。",
        f"次の差は{steps[-1]}+{more}={step}なので、"
        f"次の数は{terms[-1]}+{step}={terms[-1] + step}です。",
    ], terms[-1] + step


def _step_and_factor(draw: Draw, terms: list[int]) -> Solved | None:
    """A step and a factor in turn: +3, ×2, +3, ×2, ..."""
    step = terms[1] - terms[0]
    if len(terms) < 6 or not terms[1] or step < 1:
        return None
    factor = terms[2] // terms[1]
    for at, (a, b) in enumerate(pairwise(terms)):
        if b != (a * factor if at % 2 else a + step):
            return None
    texts = [
        f"{a}×{factor}={b}" if at % 2 else f"{a}+{step}={b}"
        for at, (a, b) in enumerate(pairwise(terms))
    ]
    times = (len(terms) - 1) % 2
    value = terms[-1] * factor if times else terms[-1] + step
    last = f"{terms[-1]}×{factor}={value}" if times else f"{terms[-1]}+{step}={value}"
    return [
        f"前の数とのつながりを順に調べます。{'、'.join(texts)}です。",
        f"「{step}を足す」と「{factor}倍する」が交互に行われています。",
        f"次は{f'{factor}倍する' if times else f'{step}を足す'}番なので、{last}です。",
    ], value


def _sum_of_two(draw: Draw, terms: list[int]) -> Solved | None:
    if len(terms) < 6 or any(
        c != a + b for a, b, c in zip(terms, terms[1:], terms[2:], strict=False)
    ):
        return None
    texts = "、".join(f"{a}+{b}={a + b}" for a, b in pairwise(terms[:-1]))
    value = terms[-2] + terms[-1]
    return [
        draw.choice(("前の2つの数を足してみます。", "続く2つの数の和を調べます。"))
        + f"{texts}です。",
        "どの数も、直前の2つの数の和になっています。",
        f"次の数は、{terms[-2]}+{terms[-1]}={value}です。",
    ], value


_RULES = (_constant_step, _constant_factor, _growing_step, _step_and_factor, _sum_of_two)

NUMBERS: dict[str, Tracer] = {
    "math/arithmetic": _expression,
    "math/decimal": _expression,
    "math/equation": _equation,
    "math/sequence": _sequence,
}
