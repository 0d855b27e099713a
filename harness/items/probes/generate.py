"""Turns probe families into items: a fixed evaluation list, and an endless training stream that
shares no content with it."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence

from harness.errors import HarnessError
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Draw, Family, Problem, Split, in_evaluation
from harness.items.schema import Item

LEVELS = (1, 2, 3, 4, 5)

# A draw lands in the evaluation split with probability 1/4, so 400 misses in a row happen by
# chance once in 10^50: a family that needs more can never reach its split.
_SPLIT_TRIES = 400
# Redraws allowed to find an item unlike the earlier ones of its family and level.
_NEW_ITEM_TRIES = 400


def seen_templates(family: Family) -> range:
    """Indices of the templates that training data may use: all but the last third."""
    return range(len(family.templates) - len(family.templates) // 3)


def unseen_templates(family: Family) -> range:
    """Indices of the templates kept for evaluation alone: the last third."""
    return range(len(seen_templates(family)), len(family.templates))


def probes(
    families: Sequence[Family] = FAMILIES,
    levels: Sequence[int] = LEVELS,
    per_level: int = 4,
    seed: int = 0,
    *,
    part: int = 0,
    parts: int = 1,
) -> list[Item]:
    """Evaluation items, `per_level` for each family and level.

    Items of even index use seen templates and items of odd index unseen ones, so an even
    `per_level` gives half of each. An item is a function of its family, version, level, seed and
    index alone: a greater `per_level` only appends, and other families or levels change nothing.
    No two items of the list are equal.

    With `parts`, each problem belongs to one of so many parts by its content, and those of `part`
    (from 0) alone are drawn: lists of different parts share no problem, in whatever words.

    Raises HarnessError for a level outside 1 to 5, for a `per_level` that the level's space of
    problems cannot serve, and for a family whose levels or content split are faulty.
    """
    _check_levels(levels)
    if per_level < 1:
        raise HarnessError(f"per_level is {per_level}, expected 1 or more items per level")
    if not 0 <= part < parts:
        raise HarnessError(f"part is {part} of {parts}, expected 0 to {parts - 1}")
    items: list[Item] = []
    owners: dict[str, str] = {}
    for family in families:
        _check_family(family)
        for level in levels:
            for item in _evaluation_items(family, level, per_level, seed, part, parts):
                if item.hash in owners:
                    raise HarnessError(
                        f"probe items {owners[item.hash]} and {item.id} are equal; expected every "
                        f"family and level once in the call, and levels whose problems differ"
                    )
                owners[item.hash] = item.id
                items.append(item)
    return items


def training_samples(
    families: Sequence[Family] = FAMILIES,
    levels: Sequence[int] = LEVELS,
    count: int | None = None,
    seed: int = 0,
) -> Iterator[Item]:
    """`count` items for training (endless when None), drawn lazily in constant memory.

    Family and level are drawn uniformly. Templates are seen ones, and no content or entity
    belongs to the evaluation split. Draws are with replacement, so content repeats once a small
    space is used up. Sample i depends on the arguments and i alone: a greater `count` only
    appends.

    Raises HarnessError as `probes` does; at the call, not at the first item.
    """
    _check_levels(levels)
    if not families:
        raise HarnessError("no probe family was given to draw training samples from")
    if count is not None and count < 0:
        raise HarnessError(f"count is {count}, expected 0 or more training samples")
    for family in families:
        _check_family(family)
    return _training_items(tuple(families), tuple(levels), count, seed)


def training_draw(family: Family, level: int, key: str) -> tuple[Item, Problem]:
    """One training item, whose id is empty, and the problem it asks; a function of its arguments.

    The template is a seen one, and nothing belongs to the evaluation split. Raises HarnessError
    as `probes` does.
    """
    _check_levels([level])
    _check_family(family)
    return _drawn(family, level, "training", key, 0)


def evaluation_draw(family: Family, level: int, key: str, index: int = 0) -> tuple[Item, Problem]:
    """One evaluation item, whose id is empty, and the problem it asks; a function of its arguments.

    An even `index` takes a seen template, an odd one an unseen template. Two draws ask the same
    question, in whatever words, where their problems' `content` is equal: so disjoint sets are
    made. Raises HarnessError as `probes` does.
    """
    _check_levels([level])
    _check_family(family)
    return _drawn(family, level, "evaluation", key, index)


def _evaluation_items(
    family: Family, level: int, per_level: int, seed: int, part: int, parts: int
) -> Iterator[Item]:
    earlier: set[str] = set()
    place = "" if parts == 1 else f"{part + 1}of{parts}/"
    for index in range(per_level):
        for attempt in range(_NEW_ITEM_TRIES):
            key = f"{seed}/{index}/{attempt}"
            item, problem = _drawn(family, level, "evaluation", key, index)
            if _part(problem, parts) == part and item.hash not in earlier:
                break
        else:
            raise HarnessError(
                f"probe family {family.name} level {level} has no item left after {index}; "
                f"ask for at most {index} per level"
            )
        earlier.add(item.hash)
        yield dataclasses.replace(item, id=f"{family.name}/L{level}/{place}{seed}/{index}")


def _part(problem: Problem, parts: int) -> int:
    """Which of so many parts a problem belongs to."""
    # The first byte of this hash decides between evaluation and training already.
    digest = hashlib.sha256(problem.content.encode()).digest()[1:9]
    return int.from_bytes(digest, "big") % parts


def _training_items(
    families: tuple[Family, ...], levels: tuple[int, ...], count: int | None, seed: int
) -> Iterator[Item]:
    for index in itertools.count() if count is None else range(count):
        chooser = Draw(f"training/{seed}/{index}", "training")
        family, level = chooser.choice(families), chooser.choice(levels)
        item = _item(family, level, "training", f"{seed}/{index}", 0)
        yield dataclasses.replace(item, id=f"{family.name}/L{level}/train/{seed}/{index}")


def _item(family: Family, level: int, split: Split, key: str, index: int) -> Item:
    return _drawn(family, level, split, key, index)[0]


def _drawn(family: Family, level: int, split: Split, key: str, index: int) -> tuple[Item, Problem]:
    """One item without an id; `index` decides between seen (even) and unseen (odd) templates."""
    source = f"{family.name}@{family.version}/L{level}/{split}/{key}"
    seen = index % 2 == 0
    indices = seen_templates(family) if seen else unseen_templates(family)
    template = Draw(f"{source}/template", split).choice(indices)
    problem = _problem(family, level, split, source)
    name = f"{family.name}@{family.version}#{template}"
    item = Item(
        id="",
        genre=family.genre,
        turns=(family.templates[template].format_map(problem.slots),),
        answer=problem.answer,
        format=problem.format,
        metric=problem.metric,
        accept=problem.accept,
        skill=family.name,
        level=level,
        template=name,
        seen=seen,
        cluster=name,
    )
    return item, problem


def _problem(family: Family, level: int, split: Split, source: str) -> Problem:
    for attempt in range(_SPLIT_TRIES):
        problem = family.problem(Draw(f"{source}/{attempt}", split), level)
        if in_evaluation(problem.content) == (split == "evaluation"):
            return problem
    raise HarnessError(
        f"probe family {family.name} level {level} drew no content of the {split} split in "
        f"{_SPLIT_TRIES} tries; its level needs a greater variety of content"
    )


def _check_levels(levels: Sequence[int]) -> None:
    if not levels or any(level not in LEVELS for level in levels):
        raise HarnessError(f"levels are {list(levels)}, expected one or more of 1 to 5")


def _check_family(family: Family) -> None:
    if len(family.templates) < 6:
        raise HarnessError(
            f"probe family {family.name} has {len(family.templates)} templates, expected six or "
            f"more so that some can be kept for evaluation alone"
        )
