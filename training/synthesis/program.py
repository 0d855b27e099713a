"""Samples from the probe families: questions of training templates with bare answers, and the same
problems with their solutions worked out in polite Japanese; each answer is found anew."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family, Problem
from harness.items.probes.generate import LEVELS, training_draw
from harness.items.probes.verify import is_proven
from harness.items.schema import Item
from harness.scoring.format import gold_fault
from harness.scoring.score import score_answer
from training.synthesis.candidates import candidate_draw, candidate_key, share
from training.synthesis.questions import closings, traced_answer, traced_question
from training.synthesis.traces.catalogue import TRACERS
from training.synthesis.traces.trace import Trace
from training.synthesis.types import Ask, Dropped, Order, Origin, Proof, Sample

NAME = "program@1"
# Share of solutions that are worked out, where a line's settings do not say. An extraction is
# rarely explained, and a format is nothing but the bare answer.
TRACED = {"math": 0.5, "reasoning": 0.5, "coding": 0.5, "extraction": 0.2, "format": 0.0}


def serves(line: Line) -> bool:
    """Whether `program` has a family for a line."""
    return any(line.skill in ("", one.name) and one.genre == line.genre for one in FAMILIES)


def families(line: Line) -> tuple[Family, ...]:
    """The families of a line: that of its skill, or all of its genre. Raises HarnessError where
    there is none."""
    found = tuple(
        one for one in FAMILIES if one.genre == line.genre and line.skill in ("", one.name)
    )
    if not found:
        raise HarnessError(
            f"no program makes samples of genre {line.genre!r} and skill {line.skill!r}, expected "
            f"a probe family such as {FAMILIES[0].name}"
        )
    return found


def program(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """Candidates `order.start` to `order.start + order.count` of a line; `ask` is not used.

    Settings: `trace`, the share of worked solutions, 0 to 1.
    """
    pool = families(order.line)
    traced = share(order.line, "trace", TRACED.get(order.line.genre, 0.0))
    for index in range(order.start, order.start + order.count):
        draw = candidate_draw(NAME, order, index)
        family = draw.choice(pool)
        level = order.line.level or draw.choice(LEVELS)
        item, problem = training_draw(family, level, candidate_key(NAME, order, index))
        wanted = draw.random() < traced and family.name in TRACERS
        origin = Origin(NAME, index, order.seed, template=item.template or "")
        yield _sample(draw, item, problem, origin, wanted)


def proof_of(family: str, item: Item, problem: Problem, trace: Trace | None) -> Proof:
    """How a problem's answer was found anew: by the solver of its genre, by working it out, or,
    where the answer stands in the question, by the rules of its format."""
    if family.startswith(("reasoning/", "coding/")):
        return Proof("solver", is_proven(family, problem), "solved anew from the question")
    if trace is not None:
        return Proof("solver", trace.answer == problem.answer, "worked out anew, step by step")
    fault = gold_fault(item)
    return Proof("rules", fault is None, fault or "drawn with its answer; obeys its format")


def work_out(draw: random.Random, family: str, problem: Problem) -> Trace | None:
    """The problem's solution; None where there is none for it."""
    if family not in TRACERS:
        return None
    try:
        return TRACERS[family](draw, problem)
    except ValueError:
        return None


def _sample(
    draw: random.Random, item: Item, problem: Problem, origin: Origin, traced: bool
) -> Sample | Dropped:
    family = item.skill
    trace = work_out(draw, family, problem)
    if trace is None and family in TRACERS and not family.startswith(("reasoning/", "coding/")):
        return Dropped("verification", "no solution could be worked out", item.turns[0])
    proof = proof_of(family, item, problem, trace)
    if not proof.passed or (trace is not None and trace.answer not in (item.answer, *item.accept)):
        return Dropped("verification", f"the answer of {family} was not found anew", item.turns[0])
    question, answer = item.turns[0], item.answer
    if traced and trace is not None:
        closing = draw.choice(closings(problem, trace))
        asked = traced_question(draw, family, problem, closing)
        told = traced_answer(draw, trace, closing)
        worked = dataclasses.replace(item, turns=(asked,), template=None, seen=None)
        # A solution whose end a careful reader would take for another answer stays untold.
        if score_answer(worked, told, "stop")[2].value == 1:
            question, answer, item = asked, told, worked
            origin = dataclasses.replace(origin, template=f"{family} worked")
    item = dataclasses.replace(item, id=f"{family}/L{item.level}/synthesis/{item.hash[:16]}")
    return Sample(
        genre=item.genre,
        skill=family,
        level=item.level,
        messages=(Message("user", question), Message("assistant", answer)),
        answer=item.answer,
        proof=proof,
        origin=origin,
        item=item,
    )


if __name__ == "__main__":
    from training.synthesis.show import show

    show()
