"""Reasoning probes about places: who sits where, and who is on duty when."""

from __future__ import annotations

from itertools import pairwise

from harness.items.probes.arrangement import (
    THINGS,
    Clue,
    Space,
    canonical,
    minimal,
    true_clues,
    worlds,
)
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import DUTIES
from harness.items.probes.reasoning_order import NAME, people, prefer


def _seat(position: int, n: int, from_left: bool) -> str:
    """A seat of a row."""
    if position in (0, n - 1):
        return "一番左" if position == 0 else "一番右"
    return f"左から{position + 1}番目" if from_left else f"右から{n - position}番目"


def _seat_text(draw: Draw, names: list[str], clue: Clue) -> str:
    """A clue about a row (position 0 is the left end) or a round table, in words."""
    kind, n = clue.kind, len(names)
    a = names[clue.args[0]]
    if kind == "at":
        return f"{a}は{_seat(clue.args[1], n, draw.random() < 0.5)}だ。"
    if kind == "not_at":
        return f"{a}は{_seat(clue.args[1], n, True)}ではない。"
    if kind == "end":
        return f"{a}は端にいる。"
    b = names[clue.args[1]]
    if kind in SWAPPABLE and draw.random() < 0.5:
        a, b = b, a
        if kind in MIRRORED:
            return MIRRORED[kind].format(a=a, b=b)
    return SEAT_WORDS[kind].format(a=a, b=b)


SEAT_WORDS = {
    "before": "{a}は{b}より左にいる。",
    "next": "{a}のすぐ右隣は{b}だ。",
    "adjacent": "{a}と{b}は隣どうしだ。",
    "parted": "{a}と{b}は隣どうしではない。",
    "gap": "{a}と{b}の間にはちょうど1人いる。",
    "clockwise": "{a}から時計回りに1つ先の席は{b}だ。",
    "clockwise2": "{a}から時計回りに2つ先の席は{b}だ。",
    "opposite": "{a}の真向かいは{b}だ。",
    "beside": "{a}と{b}は隣どうしだ。",
    "not_beside": "{a}と{b}は隣どうしではない。",
}
# The same clue told from the other person's side, whose name comes as {a}.
MIRRORED = {
    "before": "{a}は{b}より右にいる。",
    "next": "{a}のすぐ左隣は{b}だ。",
    "clockwise": "{a}から反時計回りに1つ先の席は{b}だ。",
    "clockwise2": "{a}から反時計回りに2つ先の席は{b}だ。",
}
SWAPPABLE = {*MIRRORED, "adjacent", "parted", "gap", "opposite", "beside", "not_beside"}


def _seating(draw: Draw, level: int) -> Problem:
    n = (draw.choice((3, 4)), 3, 4, 5, 6)[level - 1]
    names = people(draw, level, n)
    space: Space = "ring" if level == 5 else "line"
    truth = draw.choice(worlds(space, n))
    seats = sorted(range(n), key=truth.__getitem__)
    clues: list[Clue] = []
    if level == 1:
        clues = [Clue("next", (a, b)) for a, b in pairwise(seats)]
        text = f"左から{'、'.join(names[i] for i in seats)}の順に座っている。"
    else:
        if level == 5:
            kinds = ["clockwise2", "opposite", "beside", "not_beside", "clockwise"]
            liked = {"opposite", "clockwise2", "not_beside"}
        else:
            kinds = ["next", "adjacent", "before", "end", "at", "not_at"]
            kinds += ["gap", "parted"] if level >= 3 else []
            liked = {"gap", "adjacent", "end"} if level >= 3 else {"next", "before"}
        candidates = prefer(draw, true_clues(space, n, truth, kinds, range(n)), liked)
        found = minimal(draw, space, n, candidates)
        assert found is not None  # neighbours alone fix all seats
        clues = found
        where = "円卓を囲んで" if level == 5 else "横一列に"
        text = f"{'、'.join(names)}の{n}人が{where}座っている。"
        text += "".join(_seat_text(draw, names, clue) for clue in clues)
    # What the clues say outright is not asked, except on level 1, where all is said.
    stated = {clue.args for clue in clues if level > 1 and clue.kind in ("next", "at", "opposite")}
    stated |= {(b, a) for a, b in stated}
    stated |= {clue.args for clue in clues if clue.kind == "clockwise"}
    questions = []
    for i, seat in enumerate(seats):
        if level == 5:
            for step, words in ((1, "から時計回りに1つ先の席"), (3, "の真向かい")):
                other = seats[(i + step) % n]
                if (seat, other) not in stated:
                    questions.append((f"{step}({names[seat]})", f"{names[seat]}{words}", other))
            continue
        if (seat, i) not in stated:
            questions.append((f"at{i}", _seat(i, n, True), seat))
        if i + 1 < n and (seat, seats[i + 1]) not in stated:
            other = seats[i + 1]
            questions.append((f"right({names[seat]})", f"{names[seat]}のすぐ右隣", other))
            questions.append((f"left({names[other]})", f"{names[other]}のすぐ左隣", seat))
    key, asked, answer = draw.choice(questions)
    return Problem(
        slots={"clues": text, "question": f"{asked}はだれですか。"},
        content=f"seating|{space}|{n}|{canonical(clues, names)}|{key}",
        answer=names[answer],
        format=NAME,
        metric="exact",
    )


SEATING = Family(
    name="reasoning/seating",
    version=1,
    templates=(
        "{clues}{question}名前だけを答えてください。",
        "{clues}\n{question}\n名前のみ書いてください。",
        "席順の問題です。{clues}{question}名前だけで答えてください。",
        "{question}名前だけを書いてください。\n席順：{clues}",
        "【席順】{clues}\n【問い】{question}\n（名前だけを答える）",
        "{clues}席順から考えて、{question}答えの名前以外は書かないこと。",
        "{clues}ここで質問。{question}名前をひとつだけ答えてください。",
        "座席についてのメモ：{clues}\n確認したいこと：{question}\n返事は名前だけでお願いします。",
        "さて問題です。{clues}このとき、{question}理由は不要なので、名前だけを書くように。",
    ),
    problem=_seating,
)

DAYS = ("月曜日", "火曜日", "水曜日", "木曜日", "金曜日")


def _duty_text(draw: Draw, names: list[str], days: list[str], clue: Clue) -> str:
    """A clue about a roster in words. Names are people, then (on higher levels) their duties."""
    kind, n = clue.kind, len(days)
    # A duty stands for whoever has it.
    who = [names[i] + ("の人" if i >= n else "") for i in clue.args[: THINGS.get(kind, 2)]]
    a, b = who[0], who[-1]
    if kind == "at":
        return f"{a}の当番は{days[clue.args[1]]}だ。"
    if kind == "not_at":
        return f"{a}の当番は{days[clue.args[1]]}ではない。"
    if kind == "either":
        return f"{a}の当番は{days[clue.args[1]]}か{days[clue.args[2]]}だ。"
    if kind in ("same", "differ"):
        return f"{a}は{names[clue.args[1]]}{'だ' if kind == 'same' else 'ではない'}。"
    if kind == "next":
        if draw.random() < 0.5:
            return f"{b}の当番は{a}の当番の次の日だ。"
        return f"{a}の当番は{b}の当番の前の日だ。"
    if draw.random() < 0.5:
        return f"{b}の当番は{a}の当番より後だ。"
    return f"{a}の当番は{b}の当番より先だ。"


def _schedule(draw: Draw, level: int) -> Problem:
    n = 3 if level <= 2 else 4
    first = draw.randrange(len(DAYS) - n + 1)
    days = list(DAYS[first : first + n])
    names = people(draw, level, n)
    space: Space = "line"
    if level >= 4:
        space = "grid"
        names += draw.entities(DUTIES, n)
    truth = draw.choice(worlds(space, n))
    kinds = {
        1: ["at"],
        2: ["not_at", "before"],
        3: ["not_at", "either", "before", "next"],
        4: ["at", "not_at", "before", "next", "same", "differ"],
        5: ["not_at", "either", "before", "next", "differ"],
    }[level]
    # A person's duty is asked on the higher levels, else who is on duty on a day.
    position = draw.randrange(n)
    person = truth[:n].index(position)
    hidden = Clue("at", (person, position))
    key, asked = f"day{position}", f"{days[position]}の当番"
    if level >= 4 and draw.random() < 0.5:
        duty = truth[n:].index(position) + n
        hidden = Clue("same", (person, duty))
        key = asked = names[duty]
    candidates = [
        clue
        for clue in true_clues(space, n, truth, kinds, range(len(names)))
        if clue != hidden
        and (clue.kind not in ("same", "differ") or clue.args[0] < n <= clue.args[1])
    ]
    candidates = prefer(draw, candidates, {"before", "next", "either", "differ"})
    clues = minimal(draw, space, n, candidates)
    if clues is None:  # without what was hidden, these kinds cannot tell two worlds apart
        return _schedule(draw, level)
    if level == 1:
        text = f"{'、'.join(names)}が{'・'.join(day[0] for day in days)}に1日ずつ当番をする。"
        text += "".join(f"{names[i]}は{days[k]}。" for i, k in (clue.args for clue in clues))
    else:
        text = f"{'、'.join(names[:n])}が{days[0]}から{days[-1]}まで1人1日ずつ当番をする。"
        if level >= 4:
            text += f"また4人は、{'、'.join(sorted(names[n:]))}を1人1つずつ受け持つ。"
        text += "".join(_duty_text(draw, names, days, clue) for clue in clues)
    return Problem(
        slots={"clues": text, "question": f"{asked}はだれですか。"},
        content=f"schedule|{days[0]}|{n}|{canonical(clues, names)}|{key}",
        answer=names[person],
        format=NAME,
        metric="exact",
    )


SCHEDULE = Family(
    name="reasoning/schedule",
    version=1,
    templates=(
        "{clues}{question}名前だけを答えてください。",
        "{clues}\n{question}\n答えは名前だけにしてください。",
        "当番表を考えます。{clues}{question}名前だけで答えてください。",
        "{question}名前だけを書いてください。\n決まりごと：{clues}",
        "【当番の条件】{clues}\n【問い】{question}\n【回答形式】名前のみ",
        "{clues}すべての条件に合うように考えると、{question}名前のみを答えること。",
        "{clues}それでは、{question}名前だけをひとことで教えてください。",
        "当番の割り当てメモ：{clues}\n知りたいこと：{question}\n名前だけ返信してください。",
        "先生からの出題：{clues}{question}途中の考えは書かず、名前だけを記すこと。",
    ),
    problem=_schedule,
)
