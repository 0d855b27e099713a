"""Worked solutions that keep track: who holds what, which way someone faces, who is whose relative,
which rule turns one word into another."""

from __future__ import annotations

import random
import re
from itertools import pairwise, product

from harness.items.probes.family import Problem
from harness.items.probes.reasoning_state import COMPASS, FEMALE_WORDS, OPERATIONS, SIBLINGS
from training.synthesis.traces.trace import Trace, Tracer

Draw = random.Random


def _tracking(draw: Draw, problem: Problem) -> Trace:
    story, thing = problem.slots["story"], problem.slots["thing"]
    first, *sentences = [one for one in story.split("。") if one]
    if "渡した" in story and "全員" not in story and "は" not in first.split("が")[0]:
        holder = first.split("が")[0]
        steps = [
            draw.choice(
                (f"はじめに{thing}を持っているのは{holder}です。", f"最初の持ち主は{holder}です。")
            )
        ]
        for sentence in sentences:
            giver, receiver = sentence.removesuffix("に渡した").split("は", 1)
            if giver != holder:
                raise ValueError(sentence)
            steps.append(f"{giver}が{receiver}に渡したので、{thing}は{receiver}の手に移ります。")
            holder = receiver
        return Trace(tuple(steps), holder)
    pairs = [one.split("は", 1) for one in first.removesuffix("を持っている").split("、")]
    held = {pair[0]: pair[1] for pair in pairs}
    steps = [draw.choice(("はじめの持ち物は、", "最初は、")) + _table(held) + "です。"]
    for sentence in sentences:
        if "矢印" in sentence:
            ring = sentence.split("：")[1].split("→")
            held |= _passed(held, ring)
            steps.append(f"全員が矢印の先の人へ渡すと、{_table(held)}となります。")
            continue
        who, other = sentence.removesuffix("が持ち物を交換した").rsplit("と", 1)
        name = who
        if who.endswith("を持っている人"):
            what = who.removesuffix("を持っている人")
            name = next(one for one, thing_ in held.items() if thing_ == what)
        held[name], held[other] = held[other], held[name]
        lead = f"{who}は{name}です。" if who != name else ""
        both = f"{name}は{held[name]}、{other}は{held[other]}"
        steps.append(f"{lead}{name}と{other}が交換すると、{both}を持つことになります。")
    steps.append(f"最後は、{_table(held)}です。")
    return Trace(tuple(steps), next(name for name, what in held.items() if what == thing))


def _passed(held: dict[str, str], ring: list[str]) -> dict[str, str]:
    before = dict(held)
    return {b: before[a] for a, b in pairwise(ring)}


def _table(held: dict[str, str]) -> str:
    return "、".join(f"{name}が{what}" for name, what in held.items())


_TURN = {"右へ90度": 1, "180度": 2, "左へ90度": 3}


def _direction(draw: Draw, problem: Problem) -> Trace:
    steps, facing = list[str](), 0
    for sentence in filter(None, problem.slots["story"].split("。")):
        if found := re.fullmatch(r"(\S+?)は([北東南西])を向いている", sentence):
            facing = COMPASS.index(found[2])
            steps.append(f"{found[1]}ははじめ、{found[2]}を向いています。")
        elif "初め、" in sentence:
            name, words = sentence.split("は初め、")
            turn = 1 if "右の" in words else 3 if "左の" in words else 2
            where = {1: "から見て右", 2: "の反対", 3: "から見て左"}[turn]
            old, facing = COMPASS[facing], (facing + turn) % 4
            steps.append(f"{name}は、{old}{where}の方角である{COMPASS[facing]}を向いて始めます。")
        else:
            name, turns = sentence.removesuffix("向きを変えた").split("は", 1)
            path: list[str] = []
            for turn_text in turns.split("、続いて"):
                facing = (facing + _TURN[turn_text]) % 4
                word = draw.choice(("曲がる", "回る", "向きを変える")) if not path else "回る"
                path.append(f"{turn_text}{word}と{COMPASS[facing]}")
            steps.append(f"{name}は、{'、'.join(path)}を向きます。")
    return Trace(tuple(steps), COMPASS[facing])


_FACT = re.compile(r"(\S+?)は(\S+?)の(父|母|息子|娘|兄|姉|弟|妹)だ。")
# "parent" or "sibling", a person, and whose parent or sibling that is.
Link = tuple[str, str, str]
# For each relation its links between the answer A, the one who is asked about O, and people M and
# K between them; the sentence; and the word's sex, where it tells one.
_GRAND = (("parent", "M", "O"), ("parent", "A", "M"))
_GREAT = (("parent", "M", "O"), ("parent", "K", "M"), ("parent", "A", "K"))
_AUNT = (("parent", "M", "O"), ("sibling", "A", "M"))
_NIECE = (("sibling", "M", "O"), ("parent", "M", "A"))
_RELATIONS: dict[str, tuple[tuple[Link, ...], str, bool | None]] = {
    "父": ((("parent", "A", "O"),), "AはOの親で、男性です", False),
    "母": ((("parent", "A", "O"),), "AはOの親で、女性です", True),
    "祖父": (_GRAND, "MはOの親で、AはMの父です", False),
    "祖母": (_GRAND, "MはOの親で、AはMの母です", True),
    "曽祖父": (_GREAT, "MはOの親、KはMの親、AはKの父です", False),
    "曽祖母": (_GREAT, "MはOの親、KはMの親、AはKの母です", True),
    "おじ": (_AUNT, "MはOの親で、AはMの兄弟です", False),
    "おば": (_AUNT, "MはOの親で、AはMの姉妹です", True),
    "おい": (_NIECE, "MはOの兄弟姉妹で、AはMの息子です", False),
    "めい": (_NIECE, "MはOの兄弟姉妹で、AはMの娘です", True),
    "孫": ((("parent", "O", "M"), ("parent", "M", "A")), "MはOの子で、AはMの子です", None),
    "いとこ": (
        (("parent", "M", "O"), ("sibling", "K", "M"), ("parent", "K", "A")),
        "MはOの親、KはMの兄弟姉妹、AはKの子です",
        None,
    ),
}


def _kinship(draw: Draw, problem: Problem) -> Trace:
    """Parents and siblings by forward chaining; each link keeps why it holds."""
    facts = _FACT.findall(problem.slots["facts"])
    of, _, word = problem.slots["question"].removesuffix("はだれですか。").rpartition("の")
    female = {a: said in FEMALE_WORDS for a, _, said in facts}
    people = sorted({one for a, b, _ in facts for one in (a, b)})
    why = _links(facts, people)
    links, text, sex = _RELATIONS[word]
    for answer, m, k in product(people, repeat=3):
        if sex is not None and female.get(answer) is not sex:
            continue
        who = {"A": answer, "O": of, "M": m, "K": k}
        goals = [(kind, who[one], who[other]) for kind, one, other in links]
        if answer != of and all(goal in why for goal in goals):
            steps = dict.fromkeys(line for goal in goals for line in _derived(goal, why))
            told = re.sub("[AOMK]", lambda found: "{" + found[0] + "}", text).format_map(who)
            return Trace((*steps, f"{told}。よって、{answer}は{of}の{word}です。"), answer)
    raise ValueError(word)


def _links(
    facts: list[tuple[str, str, str]], people: list[str]
) -> dict[Link, tuple[tuple[Link, ...], str]]:
    """All that follows of parents and siblings: the links it follows from, and why."""
    why: dict[Link, tuple[tuple[Link, ...], str]] = {}
    for a, b, word in facts:
        text = f"{a}は{b}の{word}です"
        if word in SIBLINGS:
            why["sibling", a, b] = why["sibling", b, a] = (), text
        else:
            why["parent", *((a, b) if word in ("父", "母") else (b, a))] = (), text
    grown = True
    while grown:
        grown = False
        for x, y, z in product(people, repeat=3):
            for new, premises, text in (
                (
                    ("parent", x, z),
                    (("parent", x, y), ("sibling", y, z)),
                    f"{y}と{z}は兄弟姉妹で親が同じなので、{x}は{z}の親でもあります",
                ),
                (
                    ("sibling", x, z),
                    (("parent", y, x), ("parent", y, z)),
                    f"{x}と{z}はどちらも{y}の子なので、兄弟姉妹です",
                ),
                (
                    ("sibling", x, z),
                    (("sibling", x, y), ("sibling", y, z)),
                    f"{x}と{z}はどちらも{y}の兄弟姉妹なので、互いに兄弟姉妹です",
                ),
            ):
                if new not in why and x != z and all(one in why for one in premises):
                    why[new] = premises, text
                    grown = True
    return why


def _derived(goal: Link, why: dict[Link, tuple[tuple[Link, ...], str]]) -> list[str]:
    premises, text = why[goal]
    return [line for one in premises for line in _derived(one, why)] + [f"{text}。"]


_SAID = {
    "reverse": "文字を逆の順に並べる",
    "first to the end": "最初の文字を最後に移す",
    "last to the front": "最後の文字を先頭に移す",
    "swap the first two": "最初の2文字を入れかえる",
    "swap the last two": "最後の2文字を入れかえる",
    "swap the ends": "最初と最後の文字を入れかえる",
    "drop the first": "最初の文字を消す",
    "drop the last": "最後の文字を消す",
    "double the first": "最初の文字を2回重ねる",
    "double the last": "最後の文字を2回重ねる",
    "first again at the end": "最初の文字を最後にもう一度付ける",
}


def _rule(draw: Draw, problem: Problem) -> Trace:
    examples = [tuple(one.split("→")) for one in problem.slots["examples"].split("、")]
    query = problem.slots["query"]
    rules: list[tuple[str, ...]] = [(name,) for name in OPERATIONS]
    rules += list(product(OPERATIONS, repeat=2))

    def through(rule: tuple[str, ...], word: str) -> list[str]:
        path = [word]
        for name in rule:
            if len(path[-1]) < 2:
                raise ValueError(word)
            path.append(OPERATIONS[name](path[-1]))
        return path

    rule = next(one for one in rules if all(through(one, a)[-1] == b for a, b in examples))
    said = "、次に".join(_SAID[name] for name in rule)
    steps = [
        draw.choice(
            ("例を比べて規則を探します。", "それぞれの例で、文字の並びの変わり方を調べます。")
        ),
        f"「{said}」と考えると、"
        + "、".join("→".join(through(rule, a)) for a, _ in examples)
        + "となり、どの例にも当てはまります。",
        f"「{query}」に当てはめると、{'→'.join(through(rule, query))}となります。",
    ]
    return Trace(tuple(steps), through(rule, query)[-1])


STATE: dict[str, Tracer] = {
    "reasoning/tracking": _tracking,
    "reasoning/direction": _direction,
    "reasoning/kinship": _kinship,
    "reasoning/rule": _rule,
}
