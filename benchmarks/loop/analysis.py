"""From raw result lines to contrasts: what arms reached by seed and place, differences, Holm."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.statistics.clusters import clustered_mean
from harness.statistics.multiplicity import holm
from harness.statistics.paired import PairedDifference, by_student

Line = Mapping[str, Any]
# Accuracies, 0 to 1, by place: a genre, or one of `MEANS`.
Places = Mapping[str, float]

UNTOUCHED, LAGGING, OTHERS, TOTAL = "untouched", "lagging", "others", "total"
MEANS = (LAGGING, OTHERS, UNTOUCHED, TOTAL)
BASE, NONE, UNIFORM = "base", "none", "uniform"
LEVEL = 0.95


@dataclass(frozen=True)
class Study:
    """Finished runs of one setting.

    values   accuracies by arm and seed
    lagging  the genres that lag, by seed, as the steering items had it
    """

    values: Mapping[str, Mapping[int, Places]]
    lagging: Mapping[int, tuple[str, ...]]

    @property
    def seeds(self) -> list[int]:
        return sorted(self.lagging)

    @property
    def steady(self) -> list[str]:
        """Genres that lag in no seed."""
        genres = {name for one in self.values.get(BASE, {}).values() for name in one}
        ever = {name for names in self.lagging.values() for name in names}
        return sorted(genres - ever - set(MEANS))

    def mean(self, arm: str, place: str) -> float | None:
        """Over the seeds that have both; None without any."""
        found = [one[place] for one in self.values.get(arm, {}).values() if place in one]
        return _mean(found) if found else None


def study(lines: Iterable[Line], metric: str = "strict") -> Study:
    """Reads raw lines of one setting. A seed counts once its base is there, whose line says what
    lags and which skills were steered by; all other skills are untouched."""
    lines = list(lines)
    bases = {line["seed"]: line for line in lines if line["arm"] == BASE}
    values: dict[str, dict[int, Places]] = defaultdict(dict)
    for line in lines:
        base = bases.get(line["seed"])
        if base is not None:
            skills = accuracies(line, metric)
            untouched = [one for one in skills if one not in base["steering"]]
            values[line["arm"]][line["seed"]] = by_place(skills, base["lagging"], untouched)
    return Study(dict(values), {seed: tuple(one["lagging"]) for seed, one in bases.items()})


def accuracies(line: Line, metric: str = "strict") -> dict[str, float]:
    """By skill, from the marks of its items."""
    return {skill: marks.count("1") / len(marks) for skill, marks in line[metric].items()}


def by_place(
    skills: Mapping[str, float], lagging: Sequence[str], untouched: Sequence[str]
) -> Places:
    """Genres as means of their skills, and the means over genres: those that lag, those that do
    not, and all. The untouched skills are a place of their own and in none of these."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for skill, value in skills.items():
        grouped[UNTOUCHED if skill in untouched else skill.partition("/")[0]].append(value)
    places = {name: _mean(values) for name, values in grouped.items()}
    genres = [name for name in places if name != UNTOUCHED]
    means = {
        LAGGING: [places[one] for one in genres if one in lagging],
        OTHERS: [places[one] for one in genres if one not in lagging],
        TOTAL: [places[one] for one in genres],
    }
    return places | {name: _mean(values) for name, values in means.items() if values}


def contrast(
    found: Study, weights: Mapping[str, float], place: str, level: float = LEVEL
) -> PairedDifference | None:
    """A weighted sum of arms, such as {"gap": 1, "uniform": -1}, at a place: its mean over the
    seeds that have all of them, with Student's interval over seeds.

    A seed is an independent repetition with items of its own, so the spread between seeds holds the
    noise of items and of training alike. None with fewer than two seeds.
    """
    arms = [found.values.get(arm, {}) for arm in weights]
    sums = [
        sum(weight * arm[seed][place] for weight, arm in zip(weights.values(), arms, strict=True))
        for seed in found.seeds
        if all(place in arm.get(seed, {}) for arm in arms)
    ]
    if len(sums) < 2:
        return None
    mean = clustered_mean(sums)
    # Equal differences in all seeds show no spread, and t needs one.
    variance = max(mean.se**2, 1e-12)
    return by_student(mean.mean, variance, mean.df, level, n=mean.n, clusters=mean.clusters)


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


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
