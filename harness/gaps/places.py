"""The places of a suite at which a gap is measured: all of it, genres, datasets, skills, levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.items.schema import JASTER_ASIDE
from harness.regression.measure import ALL, Measured, measure_pairs
from harness.statistics.clusters import Floats
from harness.store.paired import Column, PairedScores

Kind = Literal["suite", "genre", "dataset", "skill", "level"]
# Parts a skill's name from a level in a column of labels; no name holds it.
_PART = "\x1f"


@dataclass(frozen=True)
class Place:
    """Where a score was measured. What a kind does not tell apart is "all", "" or None.

    kind   level is a skill at one difficulty
    """

    kind: Kind
    genre: str
    dataset: str = ALL
    skill: str = ""
    level: int | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        if self.kind == "suite":
            return ALL
        if self.kind == "genre":
            return self.genre
        if self.kind == "dataset":
            return self.dataset
        skill = self.skill or self.genre
        return skill if self.level is None else f"{skill} level {self.level}"


def measured_places(
    suite: str,
    scores: PairedScores,
    skills: Mapping[str, tuple[str, int | None]],
    level: float,
) -> dict[Place, Measured]:
    """The paired change at every place of a suite, the suite first, then by genre.

    scores  of one metric;  skills: (skill, level) by item hash, of those that have any;  level: of
            the intervals

    A genre is the mean of its datasets, as leaderboards weigh them; a skill, and a skill at one
    difficulty, is the mean of its items. Datasets are places only where a genre has several.
    """
    found: dict[Place, Measured] = {}
    datasets: dict[str, list[tuple[Place, Measured]]] = {}
    for one in measure_pairs(suite, scores, level):
        if one.dataset == ALL:
            kind: Kind = "suite" if one.genre == ALL else "genre"
            found[Place(kind, one.genre)] = one
        else:
            place = Place("dataset", one.genre, one.dataset)
            datasets.setdefault(one.genre, []).append((place, one))
    for several in datasets.values():
        if len(several) > 1:
            found |= dict(several)
    own = [skills.get(scores.item.labels[code], ("", None)) for code in scores.item.codes]
    by_skill = [skill for skill, _ in own]
    by_level = ["" if grade is None else f"{skill}{_PART}{grade}" for skill, grade in own]
    for one in _by(suite, scores, by_skill, level):
        found[Place("skill", one.genre, skill=one.dataset)] = one
    for one in _by(suite, scores, by_level, level):
        skill, _, grade = one.dataset.partition(_PART)
        found[Place("level", one.genre, skill=skill, level=int(grade))] = one
    return found


def rows_by_place(
    scores: PairedScores, skills: Mapping[str, tuple[str, int | None]]
) -> dict[Place, list[int]]:
    """The rows of each place, places as `measured_places` tells them apart."""
    found: dict[Place, list[int]] = {}
    for at, (item, genre, dataset) in enumerate(
        zip(scores.item.codes, scores.genre.codes, scores.dataset.codes, strict=True)
    ):
        name, part = scores.genre.labels[genre], scores.dataset.labels[dataset]
        skill, level = skills.get(scores.item.labels[item], ("", None))
        places = [Place("suite", ALL), Place("genre", name)]
        if part:
            places.append(Place("dataset", name, part))
        if skill:
            places.append(Place("skill", name, skill=skill))
        if level is not None:
            places.append(Place("level", name, skill=skill, level=level))
        for place in places:
            found.setdefault(place, []).append(at)
    return found


def item_worth(scores: PairedScores) -> Floats:
    """Shape (rows,): what one point of an item is worth to the suite's total, as leaderboards weigh
    it: genres alike, datasets alike within theirs, items alike within those. Categories that stand
    aside are worth nothing, unless there is nothing else. All of them add up to 1."""
    genre = [scores.genre.labels[code] for code in scores.genre.codes]
    strata = list(zip(genre, scores.dataset.codes.tolist(), strict=True))
    counted = {name for name in genre if name not in JASTER_ASIDE} or set(genre)
    sizes: dict[tuple[str, int], int] = {}
    for stratum in strata:
        sizes[stratum] = sizes.get(stratum, 0) + 1
    parts: dict[str, int] = {}
    for name, _ in sizes:
        parts[name] = parts.get(name, 0) + 1
    return np.array(
        [
            1 / (len(counted) * parts[stratum[0]] * sizes[stratum])
            if stratum[0] in counted
            else 0.0
            for stratum in strata
        ],
        dtype=np.float64,
    )


def _by(suite: str, scores: PairedScores, labels: list[str], level: float) -> list[Measured]:
    """`measure_pairs` with other labels in place of the datasets, and only those."""
    names = tuple(dict.fromkeys(labels))
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.array([numbers[label] for label in labels], dtype=np.intp)
    relabelled = replace(scores, dataset=Column(names, codes))
    return [one for one in measure_pairs(suite, relabelled, level) if one.dataset != ALL]
