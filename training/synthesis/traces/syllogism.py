"""Worked solutions of syllogisms: chains of implications between having and lacking something."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from harness.items.probes.family import Problem
from training.synthesis.traces.trace import Trace, Tracer

Draw = random.Random
# A term, and whether it is had or lacked.
Term = tuple[str, bool]
_STATEMENT = re.compile(r"(all|none|some_not|some)\(([^,()]+),([^,()]+)\)")


def _syllogism(draw: Draw, problem: Problem) -> Trace:
    _, text, claim_text = problem.content.split("|")
    premises = [(form, a, b) for form, a, b in _STATEMENT.findall(text)]
    ((form, a, b),) = _STATEMENT.findall(claim_text)
    arrows = list(_arrows(premises))
    steps = [_listed(premises)]
    said = problem.slots["claim"]
    wanted = (b, form in ("all", "some"))
    opposite = (b, not wanted[1])
    if form in ("all", "none"):
        if way := _way(arrows, (a, True), wanted):
            steps.append(_told(way))
            return Trace((*steps, f"よって、「{said}」は必ず正しいといえます。"), "はい")
        for example in _examples(premises):
            first, second = _reach(arrows, example, (a, True)), _reach(arrows, example, opposite)
            if first and second:
                steps.append(_shown(example, first, second))
                return Trace(
                    (*steps, f"これは「{said}」に反するので、正しくありません。"), "いいえ"
                )
    else:
        for example in _examples(premises):
            first, second = _reach(arrows, example, (a, True)), _reach(arrows, example, wanted)
            if first and second:
                steps.append(_shown(example, first, second))
                return Trace((*steps, f"よって、「{said}」は必ず正しいといえます。"), "はい")
        if way := _way(arrows, (a, True), opposite):
            steps.append(_told(way))
            return Trace((*steps, f"これは「{said}」に反するので、正しくありません。"), "いいえ")
    steps.append(
        draw.choice(
            (
                f"これらをつないでも、{_noun((a, True))}と{_noun((b, True))}の関係は"
                "一つに定まりません。",
                f"前提をどうつなげても、{_noun((a, True))}が{_noun((b, True))}かどうかは"
                "決まりません。",
            )
        )
    )
    steps.append("主張が成り立つ場合も、成り立たない場合も、前提と矛盾しません。")
    return Trace(tuple(steps), "どちらともいえない")


def _arrows(premises: list[tuple[str, str, str]]) -> Iterator[tuple[Term, Term]]:
    """Implications, each with its contrapositive."""
    for form, a, b in premises:
        if form in ("all", "none"):
            then = (b, form == "all")
            yield (a, True), then
            yield (b, not then[1]), (a, False)


def _way(arrows: list[tuple[Term, Term]], first: Term, last: Term) -> list[Term]:
    """The shortest chain of implications between two literals."""
    ways, seen = [[first]], {first}
    while ways:
        way = ways.pop(0)
        if way[-1] == last:
            return way
        for one, then in arrows:
            if one == way[-1] and then not in seen:
                seen.add(then)
                ways.append([*way, then])
    return []


def _examples(
    premises: list[tuple[str, str, str]],
) -> Iterator[tuple[Term, Term]]:
    """What the premises say to exist: both literals of each."""
    for form, a, b in premises:
        if form in ("some", "some_not"):
            yield (a, True), (b, form == "some")


def _reach(arrows: list[tuple[Term, Term]], example: tuple[Term, Term], last: Term) -> list[Term]:
    ways = [way for one in example if (way := _way(arrows, one, last))]
    return min(ways, key=len) if ways else []


def _is_set(term: str) -> bool:
    return not term.endswith("ている") and not term.endswith("でいる")


def _noun(literal: Term) -> str:
    """A literal as a noun phrase: A, Aでないもの, 犬を飼っている人."""
    term, had = literal
    if _is_set(term):
        return term if had else f"{term}でないもの"
    return f"{term if had else term[:-2] + 'いない'}人"


def _verb(literal: Term) -> str:
    term, had = literal
    if _is_set(term):
        return f"{term}である" if had else f"{term}でない"
    return term if had else term[:-2] + "いない"


def _listed(premises: list[tuple[str, str, str]]) -> str:
    texts = []
    for form, a, b in premises:
        then = (b, form in ("all", "some"))
        if form in ("all", "none"):
            texts.append(f"「{_verb((a, True))}→{_verb(then)}」")
        else:
            kind = "もの" if _is_set(a) else "人"
            both = f"{_verb((a, True))}、かつ{_verb(then)}"
            texts.append(f"「{both}{kind}がいる」" if kind == "人" else f"「{both}ものがある」")
    return f"前提を整理すると、{'、'.join(texts)}となります。"


def _told(way: list[Term]) -> str:
    chain = "→".join(map(_verb, way))
    return f"つなげると、「{chain}」となります。" if len(way) > 2 else f"前提から「{chain}」です。"


def _shown(example: tuple[Term, Term], first: list[Term], second: list[Term]) -> str:
    kind = "もの" if _is_set(example[0][0]) else "人"
    exists = "ある" if kind == "もの" else "いる"
    text = f"「{_verb(example[0])}、かつ{_verb(example[1])}{kind}」が{exists}と前提にあります。"
    chains = ["→".join(map(_verb, way)) for way in (first, second) if len(way) > 1]
    if chains:
        text += "".join(f"「{chain}」" for chain in chains) + "なので、"
    return f"{text}その{kind}は{_verb(first[-1])}と同時に{_verb(second[-1])}ことになります。"


SYLLOGISM: dict[str, Tracer] = {"reasoning/syllogism": _syllogism}
