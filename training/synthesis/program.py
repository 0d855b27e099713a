"""Makes samples of the probe families by program: training templates and contents alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Draw, Family
from harness.items.probes.generate import LEVELS, training_draw
from training.synthesis.types import Ask, Dropped, Order, Origin, Proof, Sample


def program(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """One sample for each candidate, its bare answer as the reply; asks no teacher.

    A line without a skill draws from all families of its genre, one without a level from all
    levels. Raises HarnessError where the catalogue has no such family.
    """
    line = order.line
    families = _families(line.genre, line.skill)
    levels = LEVELS if line.level is None else (line.level,)
    for index in range(order.start, order.start + order.count):
        key = f"{order.seed}/{line.purpose}/{line.genre}/{line.skill}/{line.level}/{index}"
        chooser = Draw(key, "training")
        family, level = chooser.choice(families), chooser.choice(levels)
        item, _ = training_draw(family, level, key)
        item = replace(item, id=f"{family.name}/L{level}/train/{key}")
        yield Sample(
            line.genre,
            line.skill or family.name,
            level,
            (Message("user", item.turns[0]), Message("assistant", item.answer)),
            item.answer,
            Proof("solver", True, "by construction"),
            Origin("program@1", index, order.seed, item.template or ""),
            item,
        )


def _families(genre: str, skill: str) -> tuple[Family, ...]:
    found = tuple(
        family for family in FAMILIES if (family.name == skill if skill else family.genre == genre)
    )
    if not found:
        raise HarnessError(
            f"the plan's line {genre} {skill}: no probe family of that name; "
            "`harness items probes` lists them"
        )
    return found
