"""Format drills: questions of training families whose answers have exactly the form that is asked
for, with the order in words, with examples, or with both."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family
from harness.items.probes.generate import LEVELS
from harness.scoring.format import format_fault, gold_fault
from harness.scoring.shape import SHAPES
from training.synthesis.candidates import candidate_draw, candidate_key, chosen, share
from training.synthesis.drill_tasks import (
    CURES,
    KINDS,
    WARNINGS,
    Form,
    Task,
    families_of,
    form,
    task,
)
from training.synthesis.program import proof_of, work_out
from training.synthesis.types import Ask, Dropped, Order, Origin, Proof, Sample

NAME = "drill@1"
Draw = random.Random
# How often a drill shows examples, where a line's settings do not say.
SHOWN = 0.5

# Frames of examples in one message: an opening, the heads of order, question and answer.
FRAMES: tuple[tuple[str, str, str, str], ...] = (
    ("例にならって、最後の問いに答えてください。", "■課題", "■問い", "■答え"),
    (
        "はじめに課題と例を示します。続きを1つだけ埋めてください。",
        "【課題】",
        "【問題】",
        "【解答】",
    ),
    ("", "やること：", "入力：", "出力："),
    ("次の例と同じ形で答えを書いてください。", "# 課題", "## 問", "## 答"),
    ("", "課題:", "Q:", "A:"),
    (
        "例を見て、同じ書き方で空いているところを埋めてください。",
        "＜説明＞",
        "＜質問＞",
        "＜回答＞",
    ),
)


def drill(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """Candidates of a line of format drills; `ask` is not used.

    Settings, all optional:
    shapes   names of `harness.scoring.shape.SHAPES`, parted by semicolons: what answers wrongly
             look like; only drills that cure one of them are made, and some warn of it
    kinds    names of `drill_tasks.KINDS`, parted by commas
    labels   the labels of options or entailment, parted by commas, such as A,B,C,D
    shots    the share that shows examples, 0 to 1

    A line's skill, where it is a probe family, is the only one that is drilled.
    """
    line = order.line
    shapes = _shapes(line)
    kinds = _kinds(line, shapes)
    shown = share(line, "shots", SHOWN)
    labels = tuple(one.strip() for one in line.settings.get("labels", "").split(",") if one.strip())
    for index in range(order.start, order.start + order.count):
        draw = candidate_draw(NAME, order, index)
        kind = draw.choice(kinds)
        family = draw.choice(families_of(kind, _pool(line)))
        level = line.level or draw.choice(LEVELS)
        wanted = labels if kind in ("options", "entailment") else ()
        made = form(draw, kind, family, wanted)
        warned = [one for one in shapes if kind in CURES.get(one, tuple(KINDS)) and one in WARNINGS]
        if warned and draw.random() < 0.6:
            warning = draw.choice(WARNINGS[draw.choice(warned)])
            made = dataclasses.replace(made, order=made.order + warning)
        count = draw.randint(1, 4) if draw.random() < shown else 0
        key = candidate_key(NAME, order, index)
        tasks = [task(draw, made, level, f"{key}/{n}") for n in range(count + 1)]
        if len({one.text for one in tasks}) < len(tasks):
            yield Dropped("examples", "an example is the question itself", tasks[-1].text)
            continue
        origin = Origin(NAME, index, order.seed, template=f"{kind} of {family.name}")
        yield _sample(draw, line, made, level, tasks, origin)


def _shapes(line: Line) -> tuple[str, ...]:
    names = tuple(one.strip() for one in line.settings.get("shapes", "").split(";") if one.strip())
    if unknown := [one for one in names if one not in SHAPES]:
        raise HarnessError(
            f"setting shapes of {line.genre} {line.skill} names {unknown[0]!r}, expected shapes "
            f"of `harness format`, parted by semicolons: {'; '.join(SHAPES)}"
        )
    return names


def _kinds(line: Line, shapes: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds to drill: as set, those that cure a shape, and for which there are families."""
    kinds = chosen(line, "kinds", tuple(KINDS))
    if shapes and "kinds" not in line.settings:
        cured = {kind for one in shapes for kind in CURES.get(one, tuple(KINDS))}
        kinds = tuple(kind for kind in kinds if kind in cured)
    found = tuple(kind for kind in kinds if families_of(kind, _pool(line)))
    if not found:
        raise HarnessError(
            f"no drill of {', '.join(kinds)} can be made for skill {line.skill!r}, expected a "
            "family whose answers have that form, or no skill"
        )
    return found


def _pool(line: Line) -> tuple[Family, ...]:
    """The families that a line's skill names; all where it names none, or one of format itself."""
    named = tuple(one for one in FAMILIES if one.name == line.skill)
    return named if named and named[0].genre != "format" else FAMILIES


def _sample(
    draw: Draw, line: Line, made: Form, level: int, tasks: list[Task], origin: Origin
) -> Sample | Dropped:
    last = tasks[-1]
    messages = _messages(draw, made, tasks)
    question = messages[-1].content
    item = dataclasses.replace(last.item, turns=(question,), template=None, seen=None)
    item = dataclasses.replace(item, id=f"{made.family.name}/drill/{item.hash[:16]}")
    # Examples teach too: each must be as right as the answer.
    for one in tasks:
        if (fault := _fault(draw, made, one)) is not None:
            return Dropped("verification", fault, one.text)
    fault = format_fault(item.answer, item.format, question) or gold_fault(item)
    if fault is not None:
        return Dropped("verification", fault, question)
    return Sample(
        genre=line.genre,
        skill=line.skill or made.family.name,
        level=level,
        messages=(*messages, Message("assistant", item.answer)),
        answer=item.answer,
        proof=Proof("rules", True, "right, and in the form that was asked for"),
        origin=origin,
        item=item,
    )


def _fault(draw: Draw, made: Form, one: Task) -> str | None:
    """Why a task's own problem is not proven, or its answer not in its form; None if well."""
    family, trace = made.family, None
    if family.genre not in ("reasoning", "coding"):
        trace = work_out(draw, family.name, one.problem)
    if not proof_of(family.name, one.source, one.problem, trace).passed:
        return f"the answer of {family.name} was not found anew"
    return format_fault(one.item.answer, one.item.format, one.text)


def _messages(draw: Draw, made: Form, tasks: list[Task]) -> list[Message]:
    """The dialogue up to the answer: one message, or examples as turns."""
    *shots, last = tasks
    if not shots:
        return [Message("user", _asked(draw, made.order, last.text))]
    if draw.random() < 0.4:
        system = draw.random() < 0.5
        messages = [Message("system", made.order)] if system else []
        for at, one in enumerate(tasks):
            text = one.text if system or at else f"{made.order}\n\n{one.text}"
            messages += [Message("user", text), Message("assistant", one.item.answer)]
        return messages[:-1]
    opening, order, question, answer = draw.choice(FRAMES)
    gap = "\n" if not order.endswith((":", "：")) or draw.random() < 0.5 else " "
    blocks = [opening] if opening else []
    blocks.append(f"{order}{gap}{made.order}")
    blocks += [f"{question}{gap}{one.text}\n{answer}{gap}{one.item.answer}" for one in shots]
    blocks.append(f"{question}{gap}{last.text}\n{answer}")
    return [Message("user", "\n\n".join(blocks))]


def _asked(draw: Draw, order: str, text: str) -> str:
    if "\n" not in text and draw.random() < 0.4:
        return text + order
    return f"{text}\n{order}" if draw.random() < 0.7 else f"{order}\n{text}"
