"""Who asks, how, about what, where and under which condition: balanced draws, and how far they
cover what there is to draw."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.judge.prompt_files import read_yaml

# The lists that a persona is drawn from, by the name of their file. The numbers of entries have no
# common factor, pair by pair.
DIMENSIONS = ("roles", "temperaments", "keywords", "settings", "constraints")


@dataclass(frozen=True)
class Persona:
    """What one question to a teacher is made of; all of it Japanese, ready for a prompt.

    role         who asks                     temperament  how that person thinks and speaks
    keyword, other_keyword  what it is about; two different ones
    setting      where and when               constraint   what the question keeps to
    """

    role: str
    temperament: str
    keyword: str
    other_keyword: str
    setting: str
    constraint: str

    def fields(self) -> dict[str, str]:
        """By name, for a prompt's template and for `Origin.persona`."""
        return asdict(self)


def draw(index: int, seed: int) -> Persona:
    """Persona `index` of an endless sequence.

    Entry i of a list of n is that of place i mod n in an order shuffled by the seed. So any n
    draws in a row hold every entry once; and as the lengths of the lists have no common factor,
    any n·m in a row hold every pair of two lists once (Chinese remainder theorem). The second
    keyword moves on by one place each time the first has gone round, and thus meets every other.

    Raises ValueError for an index below 0.
    """
    if index < 0:
        raise ValueError(f"index is {index}, expected 0 or more")

    def entry(name: str) -> str:
        order = _shuffled(name, seed)
        return order[index % len(order)]

    keywords = _shuffled("keywords", seed)
    count = len(keywords)
    step = 1 + index // count % (count - 1)
    return Persona(
        entry("roles"),
        entry("temperaments"),
        entry("keywords"),
        keywords[(index + step) % count],
        entry("settings"),
        entry("constraints"),
    )


def instruction(genre: str, index: int, seed: int) -> str:
    """One of the wordings by which a teacher is told what kind of question a genre wants.

    Raises HarnessError for a genre that has none.
    """
    wordings: dict[str, list[str]] = data("genres")
    if genre not in wordings:
        raise HarnessError(
            f"genre {genre!r} has no questions that a teacher could write, expected one of "
            f"{', '.join(wordings)}; give the line another generator"
        )
    order = list(wordings[genre])
    random.Random(f"{seed}/{genre}").shuffle(order)
    return order[index % len(order)]


def topic(skill: str, level: int | None) -> str:
    """Lines of a prompt that name a skill and a difficulty; "" for neither."""
    known = data("skills")
    lines = []
    if skill:
        lines.append(f"題材の範囲：{known['skills'].get(skill, skill.rpartition('/')[2])}")
    if level is not None:
        lines.append(f"難しさ：5段階の{level}。{known['levels'].get(level, '')}")
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class Covered:
    """How far draws cover a list, or the pairs of two lists.

    entries     how many there are            used  how many of them occur
    fewest, most  how often the rarest (0 for one that does not occur) and the commonest occur
    evenness    Shannon entropy of the counts over that of equal counts, as far as `draws` could
                reach: 1.0 is as even as can be, 0.0 is one entry alone
    """

    entries: int
    used: int
    fewest: int
    most: int
    evenness: float


@dataclass(frozen=True)
class Coverage:
    """`draws` personas; by list and by pair of lists."""

    draws: int
    single: Mapping[str, Covered]
    pairs: Mapping[tuple[str, str], Covered]


# The field of a persona that each list fills; the second keyword is not counted again.
_FIELDS = dict(
    zip(DIMENSIONS, ("role", "temperament", "keyword", "setting", "constraint"), strict=True)
)


def coverage(personas: Iterable[Mapping[str, str]]) -> Coverage:
    """How far personas (as `Origin.persona` keeps them) cover what there is to draw. Those without
    one of the fields are left out of what it is counted in."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in DIMENSIONS}
    pairs: dict[tuple[str, str], Counter[tuple[str, str]]] = {
        pair: Counter() for pair in combinations(DIMENSIONS, 2)
    }
    total = 0
    for persona in personas:
        total += 1
        here = {name: persona[key] for name, key in _FIELDS.items() if key in persona}
        for name, value in here.items():
            counts[name][value] += 1
        for one, other in combinations(here, 2):
            pairs[one, other][here[one], here[other]] += 1
    sizes = {name: len(entries(name)) for name in DIMENSIONS}
    return Coverage(
        total,
        {name: _covered(counts[name], sizes[name]) for name in DIMENSIONS},
        {pair: _covered(pairs[pair], sizes[pair[0]] * sizes[pair[1]]) for pair in pairs},
    )


def _covered(counts: Counter[Any], size: int) -> Covered:
    total, used = sum(counts.values()), len(counts)
    reachable = min(size, total)
    if reachable < 2:
        evenness = float(total > 0)
    else:
        shares = [count / total for count in counts.values()]
        evenness = -sum(share * math.log(share) for share in shares) / math.log(reachable)
    fewest = min(counts.values(), default=0) if used == size else 0
    return Covered(size, used, fewest, max(counts.values(), default=0), min(1.0, evenness))


def entries(name: str) -> tuple[str, ...]:
    """All entries of one of `DIMENSIONS`, in the order of its file."""
    return tuple(entry for group in data(name).values() for entry in group)


@lru_cache(maxsize=16)
def data(name: str) -> Any:
    """The content of a file of this package's `data` folder; not to be changed by its reader."""
    return read_yaml(Path(str(resources.files("training.synthesis"))) / "data" / f"{name}.yaml")


@lru_cache(maxsize=64)
def _shuffled(name: str, seed: int) -> tuple[str, ...]:
    order = list(entries(name))
    random.Random(f"{seed}/{name}").shuffle(order)
    return tuple(order)
