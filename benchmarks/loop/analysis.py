"""From raw result lines to contrasts: what arms reached by seed and place, differences, Holm."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.statistics.clusters import clustered_mean
from harness.statistics.multiplicity import holm
from harness.statistics.paired import PairedDifference, by_student

Line = Mapping[str, Any]
# Right (1) and wrong (0) of the items of a skill, in the order of the seed's proof set.
Marks = npt.NDArray[np.float64]
# A place, such as a genre or one of `MEANS`, as weights of skills that add up to 1.
Weights = Mapping[str, float]

UNTOUCHED, LAGGING, OTHERS, TOTAL = "untouched", "lagging", "others", "total"
MEANS = (LAGGING, OTHERS, UNTOUCHED, TOTAL)
BASE, NONE, UNIFORM = "base", "none", "uniform"
LEVEL = 0.95


@dataclass(frozen=True)
class Study:
    """Finished runs of one setting.

    marks    by arm, seed and skill
    places   by seed and name
    lagging  the genres that lag, by seed, as the steering items had it
    """

    marks: Mapping[str, Mapping[int, Mapping[str, Marks]]]
    places: Mapping[int, Mapping[str, Weights]]
    lagging: Mapping[int, tuple[str, ...]]

    @property
    def seeds(self) -> list[int]:
        return sorted(self.lagging)

    @property
    def genres(self) -> list[str]:
        return sorted({name for places in self.places.values() for name in places} - set(MEANS))

    @property
    def steady(self) -> list[str]:
        """Genres that lag in no seed."""
        ever = {name for names in self.lagging.values() for name in names}
        return [name for name in self.genres if name not in ever]

    def seeds_of(self, arms: Iterable[str], place: str) -> list[int]:
        """Seeds that have all of some arms, and a place."""
        known = [self.marks.get(arm, {}) for arm in arms]
        return [
            seed
            for seed in self.seeds
            if place in self.places[seed] and all(seed in one for one in known)
        ]

    def value(self, arm: str, seed: int, place: str) -> float:
        """Accuracy, 0 to 1."""
        marks = self.marks[arm][seed]
        return math.fsum(
            weight * marks[skill].mean() for skill, weight in self.places[seed][place].items()
        )

    def mean(self, arm: str, place: str) -> float | None:
        """Over the seeds that have both; None without any."""
        found = [self.value(arm, seed, place) for seed in self.seeds_of([arm], place)]
        return math.fsum(found) / len(found) if found else None


def study(lines: Iterable[Line], metric: str = "strict") -> Study:
    """Reads raw lines of one setting. A seed counts once its base is there, whose line says what
    lags and which skills were steered by; all other skills are untouched."""
    lines = list(lines)
    bases = {line["seed"]: line for line in lines if line["arm"] == BASE}
    marks: dict[str, dict[int, dict[str, Marks]]] = defaultdict(dict)
    for line in lines:
        if line["seed"] in bases:
            marks[line["arm"]][line["seed"]] = marks_of(line, metric)
    places = {
        seed: places_of(line[metric], line["lagging"], line["steering"])
        for seed, line in bases.items()
    }
    return Study(dict(marks), places, {seed: tuple(one["lagging"]) for seed, one in bases.items()})


def marks_of(line: Line, metric: str = "strict") -> dict[str, Marks]:
    return {skill: np.array(list(text), dtype=float) for skill, text in line[metric].items()}


def places_of(
    skills: Iterable[str], lagging: Iterable[str], steered: Iterable[str]
) -> dict[str, Weights]:
    """Genres as means of their skills; the means over genres that lag, that do not, and of all,
    where there are any; and the mean of the untouched skills, which are in none of these."""
    asked, steered, lagging = list(skills), set(steered), set(lagging)
    by_genre: dict[str, list[str]] = defaultdict(list)
    for skill in asked:
        by_genre[skill.partition("/")[0] if skill in steered else UNTOUCHED].append(skill)
    places: dict[str, Weights] = {
        name: dict.fromkeys(own, 1 / len(own)) for name, own in by_genre.items()
    }
    genres = [name for name in by_genre if name != UNTOUCHED]
    for name, members in (
        (LAGGING, [one for one in genres if one in lagging]),
        (OTHERS, [one for one in genres if one not in lagging]),
        (TOTAL, genres),
    ):
        if members:
            places[name] = {
                skill: weight / len(members)
                for genre in members
                for skill, weight in places[genre].items()
            }
    return places


def contrast(
    found: Study, arms: Mapping[str, float], place: str, level: float = LEVEL
) -> PairedDifference | None:
    """A weighted sum of arms, such as {"gap": 1, "uniform": -1}, at a place: its mean over the
    seeds that have all of them, with Student's interval over seeds.

    A seed is an independent repetition with items of its own, so the spread between seeds holds the
    noise of items and of training alike. The error is never less than what the items alone make it,
    paired over arms: a few seeds may agree by chance. None with fewer than two seeds.
    """
    seeds = found.seeds_of(arms, place)
    if len(seeds) < 2:
        return None
    sums = [
        math.fsum(weight * found.value(arm, seed, place) for arm, weight in arms.items())
        for seed in seeds
    ]
    mean = clustered_mean(sums)
    items = math.fsum(_item_variance(found, arms, seed, place) for seed in seeds) / len(seeds) ** 2
    variance = max(mean.se**2, items, 1e-12)
    return by_student(mean.mean, variance, mean.df, level, n=mean.n, clusters=mean.clusters)


def _item_variance(found: Study, arms: Mapping[str, float], seed: int, place: str) -> float:
    """Sampling variance of one seed's sum over its items, skill by skill."""
    total = 0.0
    for skill, weight in found.places[seed][place].items():
        rows = sum(share * found.marks[arm][seed][skill] for arm, share in arms.items())
        total += weight**2 * float(np.var(rows, ddof=1)) / np.size(rows)
    return total


def against(found: Study, arm: str, other: str, place: str) -> PairedDifference | None:
    """An arm less another one."""
    return contrast(found, {arm: 1.0, other: -1.0}, place)


def beyond_twice(found: Study, arm: str, place: str = LAGGING) -> PairedDifference | None:
    """An arm's gain over `none`, less twice uniform's."""
    return contrast(found, {arm: 1.0, UNIFORM: -2.0, NONE: 1.0}, place)


@dataclass(frozen=True)
class Tested:
    """A contrast of an arm at a place; `p` one-sided, after Holm over its family."""

    arm: str
    place: str
    change: PairedDifference
    p: float


def gains(found: Study, arms: Sequence[str], other: str) -> list[Tested]:
    """Whether arms gained more than another one where it lagged."""
    changes = [(arm, LAGGING, against(found, arm, other, LAGGING)) for arm in arms]
    return _tested(changes, drop=False)


def regressions(found: Study, arms: Sequence[str], other: str = NONE) -> list[Tested]:
    """Whether arms lost anything that was not meant to gain: the mean of the others, the untouched
    skills, and every genre that lags in no seed. One family over all of these."""
    places = (OTHERS, UNTOUCHED, *found.steady)
    changes = [(arm, place, against(found, arm, other, place)) for arm in arms for place in places]
    return _tested(changes, drop=True)


def _tested(
    changes: Sequence[tuple[str, str, PairedDifference | None]], drop: bool
) -> list[Tested]:
    known = [(arm, place, one) for arm, place, one in changes if one is not None]
    if not known:
        return []
    adjusted = holm([one.p_drop if drop else one.p_rise for _, _, one in known])
    return [Tested(*one, float(p)) for one, p in zip(known, adjusted, strict=True)]
