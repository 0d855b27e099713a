"""Finds the problem behind a program's sample anew, from the line, the seed and the number of the
candidate, and proves that the sample asks it and has its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.gaps.plan import Line
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.coding import CODING
from harness.items.probes.family import Family, Problem
from harness.items.probes.generate import LEVELS, training_draw
from harness.items.probes.reasoning import REASONING
from harness.items.probes.verify import is_proven, solve_question
from harness.items.schema import Item
from harness.scoring import score_answer
from training.synthesis import drills, premises, program
from training.synthesis.candidates import candidate_draw, candidate_key
from training.synthesis.questions import STATEMENTS
from training.synthesis.types import Order, Proof, Sample

BY_NAME = {family.name: family for family in FAMILIES}

# Ids of the items of `training_samples`.
_STREAMED = re.compile(r"[a-z]+/[a-z_-]+/L[1-5]/train/(.+)")
# A drill shows up to four examples before its question.
_MOST_SHOTS = 4


@dataclass(frozen=True)
class Drawn:
    """A problem as it is drawn anew, and what the question must hold besides it.

    item     the problem in the family's own words;  change: text of a changed premise, or ""
    before   the problem before the premise was changed
    """

    family: Family
    item: Item
    problem: Problem
    before: Problem | None = None
    change: tuple[str, ...] = ()


def prove_drawn(sample: Sample, item: Item, line: Line | None) -> Proof:
    """The proof of a program's sample whose item is of a probe family."""
    method, fault = sample.proof.method, f"nothing says how {item.skill} drew it"
    for drawn in _drawn(sample, item, line):
        fault = _fault(sample, item, drawn) or ""
        if not fault:
            return Proof(method, True, sample.proof.detail or "drawn anew")
    return Proof(method, False, fault)


def _drawn(sample: Sample, item: Item, line: Line | None) -> Iterator[Drawn]:
    """What the candidate may have been made from."""
    family, origin = BY_NAME[item.skill], sample.origin
    if item.level is None:
        return
    if streamed := _STREAMED.fullmatch(item.id):
        yield Drawn(family, *training_draw(family, item.level, streamed[1]))
        return
    if line is None:
        return
    order = Order(line, origin.seed, origin.index, 1)
    key = candidate_key(origin.generator, order, origin.index)
    if origin.generator == program.NAME:
        yield Drawn(family, *training_draw(family, item.level, key))
    elif origin.generator == drills.NAME:
        yield from _drilled(family, item, key)
    elif origin.generator == premises.NAME:
        yield from _changed(order, origin.index, key, item)


def _drilled(family: Family, item: Item, key: str) -> Iterator[Drawn]:
    """The problem that a drill asks: of those that stand in the question the last one, for before
    it there are examples."""
    found = [
        Drawn(family, *training_draw(family, item.level or 0, f"{key}/{shots}"))
        for shots in range(_MOST_SHOTS + 1)
    ]
    yield max(found, key=lambda one: _place(item.turns[-1], one.family, one.problem))


def _changed(order: Order, index: int, key: str, item: Item) -> Iterator[Drawn]:
    """The problem after its premise was changed, drawn as `premise_change` draws it."""
    draw = candidate_draw(premises.NAME, order, index)
    family = draw.choice(premises.families(order.line))
    level = order.line.level or draw.choice(LEVELS)
    found = premises.changed(draw, family, level, key)
    if found is None or (family.name, level) != (item.skill, item.level):
        return
    before, after, change = found
    again = Item("", family.genre, ("",), after.answer, after.format, after.metric, after.accept)
    yield Drawn(family, again, after, before, (change.new, change.new_sentence))


def _fault(sample: Sample, item: Item, drawn: Drawn) -> str | None:
    family, again = drawn.family, drawn.item
    asked = [one.content for one in sample.messages if one.role == "user"]
    if drawn.before is None:
        if not _asks(asked[-1], item, drawn):
            return f"not the question that {family.name} draws"
    else:
        if _place(asked[0], family, drawn.before) < 0:
            return f"not the first question that {family.name} draws"
        if not any(text and text in asked[-1] for text in drawn.change):
            return "not the premise that is changed"
        if (fault := _first_reply_fault(sample, item, drawn.before)) is not None:
            return fault
    if not _same_answer(item, drawn):
        return f"{family.name} draws the answer {again.answer[:40]!r}"
    if family in CODING and solve_question(family.name, again.turns[0]) != (again.answer,):
        return "its program gives something else"
    if family in REASONING and not is_proven(family.name, drawn.problem):
        return "not the only answer"
    return None


def _asks(question: str, item: Item, drawn: Drawn) -> bool:
    """The family's own question, format and all; or its statement among other words."""
    again = drawn.item
    if question == again.turns[0]:
        return (item.format, item.metric) == (again.format, again.metric)
    return _place(question, drawn.family, drawn.problem) >= 0


def _place(question: str, family: Family, problem: Problem) -> int:
    """Where the last statement of a problem ends in a question; -1 where there is none."""
    slots = problem.slots
    texts = [
        text.format_map(slots) for text in (*STATEMENTS.get(family.name, ()), *family.templates)
    ]
    if "premise" in slots:  # entailment is drilled with labels of its own
        texts.append(f"{slots['premise']}\n{slots['hypothesis']}")
    return max(at + len(text) if (at := question.rfind(text)) >= 0 else -1 for text in texts)


def _same_answer(item: Item, drawn: Drawn) -> bool:
    again = drawn.item
    if (item.answer, item.accept) == (again.answer, again.accept):
        return True
    if item.accept or item.format.kind != "choice" or item.answer not in item.format.labels:
        return False
    if again.format.kind in ("integer", "number"):  # the number is one of several options
        return _option(item, item.turns[-1]) == again.answer
    # The same labels in another language: by their places.
    labels = again.format.labels
    places = len(labels) == len(item.format.labels) and again.answer in labels
    return places and item.format.labels.index(item.answer) == labels.index(again.answer)


def _option(item: Item, question: str) -> str | None:
    """The number behind the label that is the answer, where the label has one line alone."""
    pattern = rf"(?m)^{re.escape(item.answer)}(?:\. |：| |）)(-?[0-9]+)$"
    # Examples before the question have options of their own.
    return next(reversed(re.findall(pattern, question)), None)


def _first_reply_fault(sample: Sample, item: Item, before: Problem) -> str | None:
    """Both answers of a dialogue are learnt from."""
    replies = [one.content for one in sample.messages if one.role == "assistant"]
    first = Item("", item.genre, ("",), before.answer, item.format, item.metric, before.accept)
    if next(one.value for one in score_answer(first, replies[0], "stop")[2:]) < 1.0:
        return f"the first reply does not come to {before.answer[:40]!r}"
    return None
