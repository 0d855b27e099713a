"""The quality card of a round: yield, diversity, difficulty, proof, cost, and samples to read."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.synthesis.diversity import distinct, evenness, spread
from training.synthesis.lineage import Round
from training.synthesis.shards import Row, samples_in
from training.synthesis.types import Sample

# Samples that diversity is measured on: enough for two digits, and as many for every round, since
# distinct-n falls as texts are added.
MEASURED = 5_000
SHOWN = 20
_GRAMS = (2, 3, 4)


@dataclass(frozen=True)
class Stage:
    """What a stage did to the candidates that came to it."""

    name: str
    dropped: int
    left: int


@dataclass(frozen=True)
class Card:
    """What a reader wants to know of a round before anyone trains on it.

    lineage     of the round
    stages      in their order: those of generators, verification, filters, and what follows them
    samples     kept;  measured: of those, how many diversity was measured on
    distinct    by n, see `diversity.distinct`;  spread: see `diversity.spread`
    personas    for each part of a persona the number of values drawn and their evenness
    levels, genres, methods  samples by difficulty, by genre, by how their answers were verified
    proven      share of samples whose answer is known to be right, not only thought to be
    characters  mean length of a sample
    shown       samples drawn at random, to be read
    """

    lineage: Mapping[str, Any]
    stages: tuple[Stage, ...]
    samples: int
    measured: int
    distinct: Mapping[int, float]
    spread: float
    personas: Mapping[str, tuple[int, float]]
    levels: Mapping[str, int]
    genres: Mapping[str, int]
    methods: Mapping[str, int]
    proven: float
    characters: float
    shown: tuple[Sample, ...]

    @property
    def per_second(self) -> float:
        """Samples kept in a second of the round's time."""
        seconds = self.lineage["seconds"]
        return self.samples / seconds if seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {**asdict(self), "per_second": self.per_second}
        plain["shown"] = [
            {"id": one.id, "skill": one.skill, "level": one.level, "text": one.text}
            for one in self.shown
        ]
        return plain


def make_card(made: Round, measured: int = MEASURED, shown: int = SHOWN) -> Card:
    """The card of a round, from its shards and lineage; the same round has the same card."""
    lineage = made.lineage
    chance = random.Random(f"card/{lineage['plan']}")
    rows = _drawn(made, max(measured, shown), chance)
    texts = [row.sample.text for row in rows[:measured]]
    counted = _counted(made)
    total = max(1, lineage["counts"]["kept"])
    return Card(
        lineage=lineage,
        stages=_stages(lineage),
        samples=lineage["counts"]["kept"],
        measured=len(texts),
        distinct={n: distinct(texts, n) for n in _GRAMS},
        spread=spread(texts),
        personas=_personas([row.sample for row in rows[:measured]]),
        levels=_sorted(counted["levels"]),
        genres=_sorted(counted["genres"]),
        methods=_sorted(counted["methods"]),
        proven=counted["proven"][""] / total,
        characters=counted["characters"][""] / total,
        shown=tuple(row.sample for row in rows[:shown]),
    )


def _drawn(made: Round, count: int, chance: random.Random) -> list[Row]:
    """Rows drawn at random, in random order, without all of them in memory (reservoir)."""
    kept: list[Row] = []
    for number, row in enumerate(samples_in(made.shards)):
        if len(kept) < count:
            kept.append(row)
        elif (place := chance.randrange(number + 1)) < count:
            kept[place] = row
    chance.shuffle(kept)
    return kept


def _counted(made: Round) -> dict[str, Counter[str]]:
    names = ("levels", "genres", "methods", "proven", "characters")
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    for row in samples_in(made.shards):
        sample = row.sample
        found["levels"]["not graded" if sample.level is None else str(sample.level)] += 1
        found["genres"][sample.genre] += 1
        found["methods"][sample.proof.method] += 1
        found["proven"][""] += sample.proof.proven
        found["characters"][""] += len(sample.text)
    return found


def _stages(lineage: Mapping[str, Any]) -> tuple[Stage, ...]:
    counts = lineage["counts"]
    dropped = counts["dropped"]
    # What generators drop, they drop before anything else looks at it.
    order = [stage for stage in dropped if stage not in lineage["filters"]]
    left = counts["tried"]
    stages = []
    for name in (*order, *lineage["filters"]):
        left -= dropped.get(name, 0)
        stages.append(Stage(name, dropped.get(name, 0), left))
    return tuple(stages)


def _personas(samples: Sequence[Sample]) -> dict[str, tuple[int, float]]:
    drawn: dict[str, list[str]] = {}
    for sample in samples:
        for part, value in sample.origin.persona.items():
            drawn.setdefault(part, []).append(value)
    return {part: (len(set(values)), evenness(values)) for part, values in sorted(drawn.items())}


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: counts[key] for key in sorted(counts)}
