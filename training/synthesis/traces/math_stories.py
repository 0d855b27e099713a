"""Worked solutions of word problems: shopping, sharing, journeys, tanks and ages."""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.items.probes.family import Problem
from training.synthesis.traces.arithmetic import result, worked
from training.synthesis.traces.trace import Trace, Tracer, numbers_in

Draw = random.Random
Solved = tuple[list[str], int]


def _buy(draw: Draw, text: str, target: str) -> Solved:
    _, price, count = numbers_in(text)
    return [
        draw.choice(
            (
                "代金は、1つの値段に買った数をかけて求めます。",
                f"{price}円のものを{count}つ分買ったので、かけ算で求めます。",
            )
        ),
        worked(draw, price, "×", count),
    ], price * count


def _give(draw: Draw, text: str, target: str) -> Solved:
    had, given = numbers_in(text)
    return [
        draw.choice(
            (
                "残りの数は、はじめの数からあげた数を引いて求めます。",
                f"はじめに{had}あったものから、{given}減ったと考えます。",
            )
        ),
        worked(draw, had, "-", given),
    ], had - given


def _share(draw: Draw, text: str, target: str) -> Solved:
    total, people = numbers_in(text)
    return [
        draw.choice(
            (
                f"{people}人で同じ数ずつ分けるので、わり算で求めます。",
                "全体の数を人数で割ると、1人分が求められます。",
            )
        ),
        worked(draw, total, "÷", people),
    ], total // people


def _buy_two_kinds(draw: Draw, text: str, target: str) -> Solved:
    _, p, n, _, q, m = numbers_in(text)
    return [
        draw.choice(("それぞれの代金を求めて、合計します。", "品物ごとに代金を計算します。")),
        f"1種類目の代金は、{p}×{n}={p * n}（円）です。",
        f"2種類目の代金は、{q}×{m}={q * m}（円）です。",
        result(draw, "合計", p * n, "+", q * m, "円"),
    ], p * n + q * m


def _change(draw: Draw, text: str, target: str) -> Solved:
    _, price, count, paid, _ = numbers_in(text)
    cost = price * count
    return [
        f"まず代金を求めます。{price}×{count}={cost}（円）です。",
        draw.choice(("おつりは、出した金額から代金を引いて求めます。", "次に、おつりを求めます。"))
        + f"{paid}-{cost}={paid - cost}（円）です。",
    ], paid - cost


def _hand_out(draw: Draw, text: str, target: str) -> Solved:
    total, people, each = numbers_in(text)
    return [
        f"配った数は、{people}×{each}={people * each}です。",
        draw.choice(("はじめの数から引くと残りがわかります。", "残りは、全体から引いて求めます。"))
        + f"{total}-{people * each}={total - people * each}です。",
    ], total - people * each


def _two_legs(draw: Draw, text: str, target: str) -> Solved:
    v, t, w, u = numbers_in(text)
    return [
        draw.choice(("道のりは、速さ×時間で求めます。", "「道のり＝速さ×時間」を使います。")),
        f"はじめの道のりは{v}×{t}={v * t}（km）です。",
        f"そのあとの道のりは{w}×{u}={w * u}（km）です。",
        result(draw, "道のりの合計", v * t, "+", w * u, "km"),
    ], v * t + w * u


def _sum_and_difference(draw: Draw, text: str, target: str) -> Solved:
    total, more = numbers_in(text)
    more_owner = text.rsplit("。", 2)[1].split("は")[0]
    less = (total - more) // 2
    steps = [
        draw.choice(
            (
                f"多いほうの{more}の差を取り除くと、2人の数は等しくなります。",
                "合計から差を引くと、少ないほうの2倍になります。",
            )
        ),
        f"{total}-{more}={total - more}、{total - more}÷2={less}なので、少ないほうは{less}です。",
    ]
    if not target.startswith(more_owner):
        return [*steps, "求めるのは、少ないほうの数です。"], less
    steps.append(f"多いほうは、{less}+{more}={less + more}です。")
    return steps, less + more


def _coupon(draw: Draw, text: str, target: str) -> Solved:
    _, price, count, off, paid = numbers_in(text)
    cost = price * count
    return [
        f"割引き前の合計は{price}×{count}={cost}（円）です。",
        f"{off}円の割引きで、{cost}-{off}={cost - off}（円）になります。",
        result(draw, "おつり", paid, "-", cost - off, "円"),
    ], paid - cost + off


def _two_kinds(draw: Draw, text: str, target: str) -> Solved:
    _, p, _, q, count, total = numbers_in(text)
    if draw.random() < 0.5:
        all_cheap = p * count
        return [
            f"全部が{p}円のものだったとすると、代金は{p}×{count}={all_cheap}（円）です。",
            f"実際の代金との差は{total}-{all_cheap}={total - all_cheap}（円）です。",
            f"1つを{q}円のものに替えるごとに、{q}-{p}={q - p}（円）ずつ増えます。",
            result(draw, f"よって、{q}円のものの数", total - all_cheap, "÷", q - p),
        ], (total - all_cheap) // (q - p)
    rest = total - p * count
    return [
        f"{q}円のものをx、{p}円のものを{count}-xとおきます。",
        f"代金の式は、{q}x+{p}({count}-x)={total}です。",
        f"かっこを開いて整理すると、{q - p}x+{p * count}={total}となります（{q}-{p}={q - p}、"
        f"{p}×{count}={p * count}）。",
        f"{total}-{p * count}={rest}より{q - p}x={rest}なので、"
        f"x={rest}÷{q - p}={rest // (q - p)}です。",
    ], rest // (q - p)


def _meet(draw: Draw, text: str, target: str) -> Solved:
    gap, _, v, w = numbers_in(text)
    return [
        draw.choice(
            (
                "向かい合って進むので、2人の間は1分ごとに速さの和だけ縮まります。",
                "1分間に2人合わせて進む道のりを考えます。",
            )
        ),
        f"{v}+{w}={v + w}（m）ずつ近づきます。",
        result(draw, f"{gap}m近づくまでの時間", gap, "÷", v + w, "分"),
    ], gap // (v + w)


def _catch_up(draw: Draw, text: str, target: str) -> Solved:
    slow, head, fast = numbers_in(text)
    lead = slow * head
    return [
        f"兄が出るまでに進んだ道のりは、{slow}×{head}={lead}（m）です。",
        draw.choice(
            (
                f"2人の間は1分ごとに{fast}-{slow}={fast - slow}（m）ずつ縮みます。",
                f"兄のほうが1分に{fast}-{slow}={fast - slow}（m）多く進みます。",
            )
        ),
        result(draw, "追いつくまでの時間", lead, "÷", fast - slow, "分"),
    ], lead // (fast - slow)


def _surplus(draw: Draw, text: str, target: str) -> Solved:
    _, few, left, _, many, short = numbers_in(text)
    people = (left + short) // (many - few)
    return [
        f"1人分の差は{many}-{few}={many - few}、全体の差は、余りと不足を合わせて"
        f"{left}+{short}={left + short}です。",
        f"子どもの人数は、{left + short}÷{many - few}={people}（人）です。",
        f"用意した数は、{few}×{people}={few * people}に余りの{left}を足して、"
        f"{few * people}+{left}={few * people + left}です。",
        *(
            [f"確かめると、{many}×{people}-{short}={many * people - short}となり、合っています。"]
            if draw.random() < 0.5
            else []
        ),
    ], few * people + left


def _bridge(draw: Draw, text: str, target: str) -> Solved:
    train, speed, bridge = numbers_in(text)
    metres = speed * 1000 // 3600
    return [
        f"時速{speed}kmは、1時間に{speed * 1000}m進む速さです。{speed * 1000}÷3600={metres}なので、"
        f"秒速{metres}mです。",
        draw.choice(
            (
                "渡り終わるまでに、電車は橋の長さと電車の長さを合わせた分だけ進みます。",
                "電車の最後尾が橋を出るまでなので、進む道のりは橋と電車の長さの和です。",
            )
        )
        + f"{bridge}+{train}={bridge + train}（m）です。",
        result(draw, "かかる時間", bridge + train, "÷", metres, "秒"),
    ], (bridge + train) // metres


def _ages(draw: Draw, text: str, target: str) -> Solved:
    child, parent, times = numbers_in(text)
    years = (parent - times * child) // (times - 1)
    right = parent - times * child
    steps = [
        f"x年後とすると、お母さんは{parent}+x（歳）、子は{child}+x（歳）です。",
        f"{times}倍になるので、{parent}+x={times}({child}+x)という式ができます。",
        f"右辺は{times * child}+{times}xです（{times}×{child}={times * child}）。",
    ]
    if times == 2:
        steps.append(f"移項すると、x={parent}-{times * child}={years}となります。")
    else:
        steps.append(
            f"移項すると、{parent}-{times * child}={right}より{times - 1}x={right}なので、"
            f"x={right}÷{times - 1}={years}です。"
        )
    if draw.random() < 0.6:
        steps.append(
            f"確かめると、{years}年後は{parent}+{years}={parent + years}（歳）と"
            f"{child}+{years}={child + years}（歳）で、"
            f"{child + years}×{times}={parent + years}です。"
        )
    return steps, years


def _tank(draw: Draw, text: str, target: str) -> Solved:
    fill, alone, drain, whole = numbers_in(text)
    first, net = fill * alone, fill - drain
    together = (whole - first) // net
    return [
        f"はじめの{alone}分で入る水は、{fill}×{alone}={first}（L）です。",
        f"残りは{whole}-{first}={whole - first}（L）です。",
        f"栓を開けた後は、1分に{fill}-{drain}={net}（L）ずつ増えます。",
        f"残りがいっぱいになるまでの時間は、{whole - first}÷{net}={together}（分）です。",
        f"入れ始めからは、{alone}+{together}={alone + together}（分）です。",
    ], alone + together


_KINDS: dict[str, Callable[[Draw, str, str], Solved]] = {
    "buy": _buy,
    "give": _give,
    "share": _share,
    "change": _change,
    "hand out": _hand_out,
    "legs": _two_legs,
    "sum": _sum_and_difference,
    "coupon": _coupon,
    "kinds": _two_kinds,
    "meet": _meet,
    "catch": _catch_up,
    "surplus": _surplus,
    "bridge": _bridge,
    "ages": _ages,
    "tank": _tank,
}


def _story(draw: Draw, problem: Problem) -> Trace:
    text, target, unit = (problem.slots[name] for name in ("situation", "target", "unit"))
    kind = next(kind for kind in _KINDS if problem.content.startswith(kind + " "))
    solve = _buy_two_kinds if problem.content.startswith("buy [") else _KINDS[kind]
    steps, value = solve(draw, text, target)
    if target == "その時間":
        target = "渡り終わるまでの時間"
    return Trace(tuple(steps), str(value), f"{target}は{value}{unit}")


STORIES: dict[str, Tracer] = {"math/word_problem": _story}
