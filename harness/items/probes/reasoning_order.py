"""Reasoning probes about order: who is tallest, and does one comparison follow from others."""

from __future__ import annotations

from dataclasses import dataclass

from harness.items.probes.arrangement import (
    THINGS,
    Clue,
    canonical,
    minimal,
    true_clues,
    verdict,
    worlds,
)
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import GIVEN_NAMES, LETTERS
from harness.items.schema import FormatRule

NAME = FormatRule(kind="span", max_chars=8, verbatim=True)


def people(draw: Draw, level: int, count: int) -> list[str]:
    """Names for the people of a puzzle: bare letters on level 1, given names above.

    Letters are shared by both splits, as digits are; the problem's content keeps those apart.
    """
    return draw.sample(LETTERS, count) if level == 1 else draw.entities(GIVEN_NAMES, count)


def prefer(draw: Draw, clues: list[Clue], kinds: set[str]) -> list[Clue]:
    """Clues in random order, with those of the given kinds likely to come early."""
    return sorted(clues, key=lambda clue: draw.random() * (0.3 if clue.kind in kinds else 1.0))


@dataclass(frozen=True)
class Scale:
    """Words to compare people by: "AはBより{more}", the superlatives, and the noun that differs
    from one person to the next."""

    more: str
    less: str
    most: str
    least: str
    noun: str


def _scale(more: str, less: str, noun: str) -> Scale:
    """A scale whose * marks where 一番 goes."""
    return Scale(
        more=more.replace("*", ""),
        less=less.replace("*", ""),
        most=more.replace("*", "一番"),
        least=less.replace("*", "一番"),
        noun=noun,
    )


SCALES = tuple(
    _scale(*row.split())
    for row in """
    背が*高い 背が*低い 背の高さ
    足が*速い 足が*遅い 足の速さ
    髪が*長い 髪が*短い 髪の長さ
    声が*大きい 声が*小さい 声の大きさ
    荷物が*重い 荷物が*軽い 荷物の重さ
    点数が*高い 点数が*低い 点数
    手が*大きい 手が*小さい 手の大きさ
    握力が*強い 握力が*弱い 握力
    貯金が*多い 貯金が*少ない 貯金の額
    家が*駅に近い 家が*駅から遠い 駅までの距離
    *早く生まれた *遅く生まれた 生まれた日
    *早く着いた *遅く着いた 着いた時刻
    *早く起きた *遅く起きた 起きた時刻
    """.strip().splitlines()
)


def comparison(draw: Draw, scale: Scale, names: list[str], clue: Clue, plain: bool) -> str:
    """A clue of an ordering in words; position 0 is the most."""
    name = [names[index] for index in clue.args[: THINGS.get(clue.kind, 2)]]
    if clue.kind == "before":
        if plain or draw.random() < 0.5:
            return f"{name[0]}は{name[1]}より{scale.more}。"
        return f"{name[1]}は{name[0]}より{scale.less}。"
    if clue.kind == "between":
        if draw.random() < 0.5:
            return f"{name[1]}は{name[0]}より{scale.less}が、{name[2]}よりは{scale.more}。"
        return f"{name[1]}は{name[2]}より{scale.more}が、{name[0]}よりは{scale.less}。"
    if clue.kind == "not_at":
        return f"{place(scale, clue.args[1], len(names))}は{name[0]}ではない。"
    if clue.kind == "gap":
        return f"{scale.more}順に並べると、{name[0]}と{name[1]}の間にはちょうど1人いる。"
    if draw.random() < 0.5:
        return f"{scale.more}順に並べると、{name[0]}のすぐ次は{name[1]}だ。"
    return f"{scale.less}順に並べると、{name[1]}のすぐ次は{name[0]}だ。"


def place(scale: Scale, position: int, n: int) -> str:
    """A place in an ordering, counted from the nearer end."""
    if position in (0, n - 1):
        return f"{scale.most if position == 0 else scale.least}の"
    if position < n / 2:
        return f"{scale.more}ほうから{position + 1}番目"
    return f"{scale.less}ほうから{n - position}番目"


def _ordering(draw: Draw, level: int) -> Problem:
    n = (3, 3, 4, 5, 6)[level - 1]
    names, scale = people(draw, level, n), draw.choice(SCALES)
    truth = draw.choice(worlds("line", n))
    kinds = ["before"]
    if level >= 4:
        kinds += ["between", "not_at"]
    if level == 5:
        kinds += ["gap", "next"]
    candidates = prefer(draw, true_clues("line", n, truth, kinds, range(n)), {"gap", "next"})
    # A text of nothing but "more than X but less than Y" is tiresome.
    wordy = [clue for clue in candidates if clue.kind == "between"][2:]
    candidates = [clue for clue in candidates if clue not in wordy]
    clues = minimal(draw, "line", n, candidates)
    assert clues is not None  # comparisons alone fix an order
    position = draw.choice((0, n - 1)) if level == 1 else draw.randrange(n)
    text = "".join(comparison(draw, scale, names, clue, level == 1) for clue in clues)
    if level >= 3:
        text = f"{'、'.join(names)}の{n}人は、{scale.noun}がみな違う。{text}"
    return Problem(
        slots={"clues": text, "question": f"{place(scale, position, n)}はだれですか。"},
        content=f"ordering|{scale.more}|{canonical(clues, names)}|{n}|{position}",
        answer=names[truth.index(position)],
        format=NAME,
        metric="exact",
    )


ORDERING = Family(
    name="reasoning/ordering",
    version=1,
    templates=(
        "{clues}{question}名前だけを答えてください。",
        "{clues}\n{question}\n答えは名前だけを書いてください。",
        "次の文を読み、名前だけで答えてください。\n{clues}\n{question}",
        "{question}名前だけで答えてください。\n条件：{clues}",
        "【条件】{clues}\n【問題】{question}\n【答え方】名前だけ",
        "{clues}では、{question}説明は書かず、名前のみを答えること。",
        "クイズです。{clues}さて、{question}名前一つだけで答えてね。",
        "手がかり：{clues}\n質問：{question}\n回答（名前のみ）：",
        "{clues}以上のことから考えて、{question}名前以外は何も書かないでください。",
    ),
    problem=_ordering,
)

UNSURE = ("はい", "いいえ", "不明")


def _transitivity(draw: Draw, level: int) -> Problem:
    n = (3, 3, 4, 5, 6)[level - 1]
    names, scale = people(draw, level, n), draw.choice(SCALES)
    wanted = draw.choice((True, False, None))
    while True:
        truth = draw.choice(worlds("line", n))
        # A random tree of comparisons: none of them follows from the others.
        clues = []
        for a in range(1, n):
            b = draw.randrange(a)
            clues.append(Clue("before", (a, b) if truth[a] < truth[b] else (b, a)))
        stated = {frozenset(clue.args) for clue in clues}
        claims = [
            claim
            for claim in (Clue("before", (a, b)) for a in range(n) for b in range(n) if a != b)
            if frozenset(claim.args) not in stated and verdict("line", n, clues, claim) is wanted
        ]
        if claims:
            break
    claim = draw.choice(claims)
    draw.shuffle(clues)
    return Problem(
        slots={
            "clues": "".join(comparison(draw, scale, names, clue, level == 1) for clue in clues),
            "claim": comparison(draw, scale, names, claim, level == 1).rstrip("。"),
        },
        content=f"transitivity|{scale.more}|{canonical(clues, names)}|{canonical([claim], names)}",
        answer=UNSURE[(True, False, None).index(wanted)],
        format=FormatRule(kind="choice", labels=UNSURE),
        metric="exact",
    )


TRANSITIVITY = Family(
    name="reasoning/transitivity",
    version=1,
    templates=(
        "{clues}「{claim}」は正しいですか。はい・いいえ・不明で答えてください。",
        "{clues}\n「{claim}」は本当ですか。「はい」「いいえ」「不明」のどれかだけを書いてください。",
        "前提：{clues}\n主張：{claim}。\n主張は正しいですか。はい、いいえ、不明のどれか一語で。",
        "「{claim}」という文は正しいですか。はい・いいえ・不明から一つ選んで答えてください。\n"
        "わかっていること：{clues}",
        "{clues}このとき「{claim}」は正しいか。「はい」「いいえ」「不明」の一つだけを書くこと。",
        "【事実】{clues}\n【文】{claim}。\n文が正しければ はい、誤りなら いいえ、"
        "どちらとも決まらなければ 不明 とだけ書いてください。",
        "{clues}これだけを聞いた友だちが「{claim}」と言いました。正しいですか。"
        "はい・いいえ・不明の一語だけで。",
        "読んで判断してください。\n{clues}\n問：「{claim}」は正しいか。\n"
        "解答欄（はい／いいえ／不明）：",
        "{clues}「{claim}」は正しいか、誤りか、決まらないか。"
        "順に「はい」「いいえ」「不明」の一語で答えよ。",
    ),
    problem=_transitivity,
)
