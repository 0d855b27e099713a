"""Worked solutions of orderings, seatings and rosters."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise

from harness.items.probes.arrangement import THINGS, Clue, Space
from harness.items.probes.family import Draw as SplitDraw
from harness.items.probes.family import Problem
from harness.items.probes.reasoning_order import SCALES, comparison
from harness.items.probes.reasoning_places import DAYS, SEAT_WORDS
from training.synthesis.traces.deduction import Puzzle, deduce
from training.synthesis.traces.trace import Trace, Tracer

Draw = random.Random
_CLUE = re.compile(r"([a-z_0-9]+)\(([^()]*)\)")


def read_clues(text: str) -> list[tuple[str, list[str], list[int]]]:
    """Canonical clues as (kind, names, positions)."""
    found = []
    for kind, inside in _CLUE.findall(text):
        arguments = inside.split(",")
        count = THINGS.get(kind, 2)
        found.append((kind, arguments[:count], [int(one) for one in arguments[count:]]))
    return found


def _clues_of(text: str, names: Sequence[str]) -> list[Clue]:
    return [
        Clue(kind, (*map(names.index, who), *positions))
        for kind, who, positions in read_clues(text)
    ]


def _named(text: str) -> list[str]:
    return list(dict.fromkeys(name for _, who, _ in read_clues(text) for name in who))


def _people(problem: Problem) -> list[str]:
    """Everyone, as the first sentence of the clues lists them."""
    found = re.match(r"([^。]+?、[^。]+?)(?:の[0-9]人|が)", problem.slots["clues"])
    return found[1].split("、") if found else []


def _ordering(draw: Draw, problem: Problem) -> Trace:
    _, more, text, count, asked = problem.content.split("|")
    n, position = int(count), int(asked)
    scale = next(one for one in SCALES if one.more == more)
    listed = _people(problem) if n > 3 else []
    names = listed if len(listed) == n else _named(text)
    clues = _clues_of(text, names)
    wording = SplitDraw(str(draw.random()), "training")
    if all(clue.kind in ("before", "between") for clue in clues):
        return _chain(draw, problem, names, clues, scale.more, scale.less, position)
    said = [
        (clue, comparison(wording, scale, list(names), clue, plain=True).rstrip("。"))
        for clue in clues
    ]

    def numbered(k: int) -> str:
        return f"{k + 1}番目"

    lead = draw.choice(
        (
            f"{more}順に1番目から{n}番目までの場所を考え、条件を順に当てはめます。",
            f"{more}順に並べ、前から1番目、2番目…と数えて、手がかりを整理します。",
        )
    )
    steps, winner = _found(draw, Puzzle("line", n, names, said, numbered), position)
    question = problem.slots["question"].removesuffix("はだれですか。")
    last = f"{question}は前から{position + 1}番目の人なので、{winner}です。"
    return Trace((lead, *steps, last), winner)


def _found(draw: Draw, puzzle: Puzzle, position: int, things: int = 0) -> tuple[list[str], str]:
    """Steps until it is known who of the first `things` (all: 0) is at a position, and who."""
    count = things or puzzle.n

    def holders(open_: list[set[int]]) -> list[int]:
        return [thing for thing in range(count) if position in open_[thing]]

    seen: list[list[set[int]]] = []

    def done(open_: list[set[int]]) -> bool:
        seen.append(open_)
        return len(holders(open_)) == 1

    steps = deduce(draw, puzzle, done)
    winner = holders(seen[-1])[0]
    if len(seen[-1][winner]) > 1:
        steps.append(f"{puzzle.place(position)}になれるのは{puzzle.names[winner]}だけです。")
    return steps, puzzle.names[winner]


def _chain(
    draw: Draw,
    problem: Problem,
    names: Sequence[str],
    clues: Sequence[Clue],
    more: str,
    less: str,
    position: int,
) -> Trace:
    """An order that comparisons alone fix: the first of those who are left, again and again."""
    pairs = [pair for clue in clues for pair in pairwise(clue.args)]
    left, order, steps = list(range(len(names))), list[int](), list[str]()
    while left:
        below = {b: a for a, b in pairs if a in left and b in left}
        (top,) = [one for one in left if one not in below]
        why = "と".join(f"「{names[b]}は{names[a]}より{less}」" for b, a in sorted(below.items()))
        if len(left) == len(names):
            steps.append(f"{why}から、一番{more}のは{names[top]}です。")
        elif why:
            rest = "、".join(names[one] for one in left)
            steps.append(f"残りの{rest}では、{why}から、次は{names[top]}です。")
        left.remove(top)
        order.append(top)
    steps[0] = draw.choice(("まず、一番前に来る人を探します。", "順に並べて考えます。")) + steps[0]
    steps.append(f"{more}順に並べると、{'、'.join(names[one] for one in order)}となります。")
    question = problem.slots["question"].removesuffix("はだれですか。")
    answer = names[order[position]]
    steps.append(f"{question}は{answer}です。")
    return Trace(tuple(steps), answer)


def _seating(draw: Draw, problem: Problem) -> Trace:
    _, kind, count, text, key = problem.content.split("|")
    space: Space = "ring" if kind == "ring" else "line"
    n = int(count)
    question = problem.slots["question"].removesuffix("はだれですか。")
    if problem.slots["clues"].startswith("左から"):
        names = problem.slots["clues"].removeprefix("左から").split("の順に")[0].split("、")
    else:
        names = _people(problem)
    said = [(clue, _seat_said(names, clue, n)) for clue in _clues_of(text, names)]

    def row(k: int) -> str:
        return {0: "一番左", n - 1: "一番右"}.get(k, f"左から{k + 1}番目")

    def ring(k: int) -> str:
        return f"{k}番の席"

    puzzle = Puzzle(space, n, names, said, ring if space == "ring" else row)
    asked = re.fullmatch(r"at([0-9])|(right|left|1|3)\((\S+)\)", key)
    if asked is None:
        raise ValueError(key)
    steps: list[str] = []
    if problem.slots["clues"].startswith("左から"):
        order = list(range(n))
        steps.append("、".join(f"{row(k)}は{names[k]}" for k in order) + "です。")
    else:
        order, steps = _all_seats(draw, puzzle)
    if space == "ring":
        steps.insert(
            0, f"{names[0]}の席を0番とし、時計回りに1番から{n - 1}番まで番号を付けて考えます。"
        )
        steps.append(f"0番から順に、{'、'.join(names[one] for one in order)}となります。")
    elif len(steps) > 1:
        steps.append(f"左から順に、{'、'.join(names[one] for one in order)}となります。")
    if asked[1]:
        seat = int(asked[1])
    else:
        step = {"right": 1, "left": -1, "1": 1, "3": 3}[asked[2]]
        seat = order.index(names.index(asked[3])) + step
        seat = seat % n if space == "ring" else seat
    answer = names[order[seat]]
    steps.append(f"{question}は{answer}です。")
    return Trace(tuple(steps), answer)


def _all_seats(draw: Draw, puzzle: Puzzle) -> tuple[list[int], list[str]]:
    """Who sits at each position, and the steps that show it."""
    seen: list[list[set[int]]] = []

    def done(open_: list[set[int]]) -> bool:
        seen.append(open_)
        return all(len(positions) == 1 for positions in open_)

    steps = deduce(draw, puzzle, done)
    order = sorted(range(puzzle.n), key=lambda thing: min(seen[-1][thing]))
    return order, steps


def _seat_said(names: Sequence[str], clue: Clue, n: int) -> str:
    a = names[clue.args[0]]
    if clue.kind in ("at", "not_at"):
        k = clue.args[1]
        seat = {0: "一番左", n - 1: "一番右"}.get(k, f"左から{k + 1}番目")
        return f"{a}は{seat}{'だ' if clue.kind == 'at' else 'ではない'}"
    if clue.kind == "end":
        return f"{a}は端にいる"
    return SEAT_WORDS[clue.kind].format(a=a, b=names[clue.args[1]]).rstrip("。")


def _schedule(draw: Draw, problem: Problem) -> Trace:
    _, first, count, text, key = problem.content.split("|")
    n, start = int(count), DAYS.index(first)
    days = DAYS[start : start + n]
    staff = _people(problem)
    duties = sorted({name for name in [*_named(text), key] if name.endswith("係")})
    found = re.search(r"また4人は、([^。]+?)を1人1つずつ", problem.slots["clues"])
    duties = found[1].split("、") if found else []
    names = [*staff, *duties]
    shown = [*staff, *(f"{duty}の人" for duty in duties)]
    clues = _clues_of(text, names)
    said = [(clue, _duty_said(shown, days, clue, n)) for clue in clues]
    space: Space = "grid" if duties else "line"
    puzzle = Puzzle(space, n, shown, said, lambda k: days[k])
    question = problem.slots["question"].removesuffix("はだれですか。")
    if key.startswith("day"):
        steps, winner = _found(draw, puzzle, int(key[3:]), things=n)
        if len(steps) > 1:
            steps.append(f"したがって、{question}は{winner}です。")
        return Trace(tuple(steps) or (f"{question}は{winner}です。",), winner)
    duty = names.index(key)
    seen: list[list[set[int]]] = []

    def done(open_: list[set[int]]) -> bool:
        seen.append(open_)
        days_of = open_[duty]
        return len(days_of) == 1 and sum(bool(days_of & open_[p]) for p in range(n)) == 1

    steps = deduce(draw, puzzle, done)
    (day,) = seen[-1][duty]
    (winner_at,) = [p for p in range(n) if day in seen[-1][p]]
    steps.append(
        f"{key}の人の当番は{days[day]}で、{days[day]}の当番は{staff[winner_at]}です。"
        f"したがって、{question}は{staff[winner_at]}です。"
    )
    return Trace(tuple(steps), staff[winner_at])


def _duty_said(names: Sequence[str], days: Sequence[str], clue: Clue, n: int) -> str:
    a = names[clue.args[0]]
    kind = clue.kind
    if kind in ("at", "not_at"):
        return f"{a}の当番は{days[clue.args[1]]}{'だ' if kind == 'at' else 'ではない'}"
    if kind == "either":
        return f"{a}の当番は{days[clue.args[1]]}か{days[clue.args[2]]}だ"
    b = names[clue.args[1]]
    if kind in ("same", "differ"):
        return f"{a}は{b.removesuffix('の人')}{'だ' if kind == 'same' else 'ではない'}"
    if kind == "next":
        return f"{b}の当番は{a}の当番の次の日だ"
    return f"{b}の当番は{a}の当番より後だ"


PLACES: dict[str, Tracer] = {
    "reasoning/ordering": _ordering,
    "reasoning/seating": _seating,
    "reasoning/schedule": _schedule,
}
