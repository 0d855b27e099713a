"""Paired changes of every metric of a suite: over everything, by genre and by dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.items.schema import JASTER_ASIDE
from harness.statistics.binary import mcnemar
from harness.statistics.clusters import Floats, Labels
from harness.statistics.paired import PairedData, PairedDifference
from harness.statistics.permutation import sign_flip
from harness.statistics.stratified import stratified_difference
from harness.store.paired import PairedScores

Test = Literal["t", "mcnemar", "sign-flip", "binomial", "none"]

# The name of the mean over genres, or over the datasets of a genre.
ALL = "all"
# Ratings run from 1 to 10 (0 to 10 in one protocol): the most that an answer can lose.
_SCALES = {"rating": 9.0}
# With fewer independent items than this the t distribution is a guess, and all signs are counted.
_FEW = 50


@dataclass(frozen=True)
class Measured:
    """The paired change of one metric of one genre or dataset, before any verdict.

    genre, dataset  "all" where it is a mean over them
    base, cand      means over the paired items, as a leaderboard weighs them
    change          with its clustered error and t interval
    test            what p_drop ("no drop") and p_rise ("no rise"), one-sided, come from: exact
                    McNemar mid-p for independent right-or-wrong items, exact sign flips for fewer
                    than 50 independent items, else t; none for a single cluster; binomial only
                    against a fixed goal (`harness.gaps.measure`)
    only_base, only_cand  items that have this score on one side only
    """

    suite: str
    genre: str
    dataset: str
    metric: str
    base: float
    cand: float
    change: PairedDifference
    test: Test
    p_drop: float
    p_rise: float
    only_base: int
    only_cand: int

    @property
    def place(self) -> str:
        """GENRE/DATASET/METRIC, as policies name it."""
        return f"{self.genre}/{self.dataset}/{self.metric}"


def measure_pairs(
    suite: str, scores: PairedScores, level: float = 0.9, metrics: Collection[str] | None = None
) -> list[Measured]:
    """Every metric of a suite, overall first, then each genre followed by its datasets.

    metrics  only these

    The mean over genres, and over the datasets of a genre, weighs them alike, as the leaderboard
    does; categories of Jaster that stand aside there stand aside here.
    """
    found: list[Measured] = []
    for code, metric in sorted(enumerate(scores.metric.labels), key=lambda entry: entry[1]):
        if metrics is not None and metric not in metrics:
            continue
        rows = np.flatnonzero(scores.metric.codes == code)
        found += _of_metric(suite, metric, scores, rows, level)
    return found


def _of_metric(
    suite: str, metric: str, scores: PairedScores, rows: Labels, level: float
) -> Iterator[Measured]:
    base, cand = scores.base[rows], scores.cand[rows]
    has_base, has_cand = np.isfinite(base), np.isfinite(cand)
    both = has_base & has_cand
    scale = _scale(metric, base, cand)
    genre, dataset = scores.genre.codes[rows], scores.dataset.codes[rows]
    cluster = scores.cluster.codes[rows]

    def measured(name: str, part: str, where: Labels) -> Measured | None:
        chosen = where[both[where]]
        if chosen.size == 0:
            return None
        group = _numbered(cluster[chosen])[0]
        data = PairedData(base[chosen], cand[chosen], group, scale)
        stratum, weights = _strata(genre[chosen], dataset[chosen])
        change = _change(data, stratum, weights, level)
        share = weights[stratum] / np.bincount(stratum)[stratum]
        test, p_drop, p_rise = _test(data, change, stratum, weights)
        return Measured(
            suite=suite,
            genre=name,
            dataset=part,
            metric=metric,
            base=float((share * data.base).sum()),
            cand=float((share * data.cand).sum()),
            change=change,
            test=test,
            p_drop=p_drop,
            p_rise=p_rise,
            only_base=int((has_base & ~has_cand)[where].sum()),
            only_cand=int((has_cand & ~has_base)[where].sum()),
        )

    names, parts = scores.genre.labels, scores.dataset.labels
    present = sorted(set(genre.tolist()), key=lambda code: names[code])
    counted = [code for code in present if names[code] not in JASTER_ASIDE] or present
    whole = np.flatnonzero(np.isin(genre, counted)) if counted != present else np.arange(rows.size)
    yield from filter(None, [measured(ALL, ALL, whole)])
    for code in present:
        where = np.flatnonzero(genre == code)
        yield from filter(None, [measured(names[code], ALL, where)])
        for part in sorted(set(dataset[where].tolist()), key=lambda code: parts[code]):
            if parts[part]:
                within = where[dataset[where] == part]
                yield from filter(None, [measured(names[code], parts[part], within)])


def _strata(genre: Labels, dataset: Labels) -> tuple[Labels, Floats]:
    """The stratum of each item, a dataset of a genre, and the strata's weights: genres alike, and
    datasets alike within theirs."""
    width = int(dataset.max()) + 1
    stratum, kinds = _numbered(genre * width + dataset)
    _, home, datasets = np.unique(kinds // width, return_inverse=True, return_counts=True)
    return stratum, 1 / (datasets.size * datasets[home])


def _numbered(codes: Labels) -> tuple[Labels, Labels]:
    """(the codes numbered from 0 without gaps, the codes that there are), without sorting them."""
    kinds = np.flatnonzero(np.bincount(codes))
    numbers = np.empty(int(kinds[-1]) + 1, dtype=np.intp)
    numbers[kinds] = np.arange(kinds.size)
    return numbers[codes], kinds


def _change(data: PairedData, stratum: Labels, weights: Floats, level: float) -> PairedDifference:
    if int(data.cluster.max()) > 0:
        return stratified_difference(data, stratum, weights, level)
    # One cluster shows no spread: the error is the largest that there can be.
    change, scale = float(data.difference.mean()), data.scale
    return PairedDifference(
        change=change,
        se=scale,
        df=1.0,
        low=-scale,
        high=scale,
        level=level,
        p_two_sided=1.0,
        p_drop=1.0,
        p_rise=1.0,
        n=data.base.size,
        clusters=1,
        variance=data.base.size * scale**2,
    )


def _test(
    data: PairedData, change: PairedDifference, stratum: Labels, weights: Floats
) -> tuple[Test, float, float]:
    if change.clusters == 1:
        return "none", 1.0, 1.0
    alone = weights.size == 1
    if alone and change.clusters == change.n and data.is_binary:
        flips = mcnemar(int((data.difference < 0).sum()), int((data.difference > 0).sum()))
        return "mcnemar", flips.p_drop, flips.p_rise
    if change.clusters < _FEW:
        factor = data.base.size * (weights / np.bincount(stratum))[stratum]
        weighted = PairedData(
            np.zeros(data.base.size), factor * data.difference, data.cluster, data.scale
        )
        signs = sign_flip(weighted)
        return "sign-flip", signs.p_drop, signs.p_rise
    return "t", change.p_drop, change.p_rise


def _scale(metric: str, base: Floats, cand: Floats) -> float:
    """The most that one item can change: 1 for shares, else what is known or seen."""
    if metric in _SCALES:
        return _SCALES[metric]
    seen = np.concatenate([base, cand])
    seen = seen[np.isfinite(seen)]
    if seen.size == 0 or (seen.min() >= 0 and seen.max() <= 1):
        return 1.0
    return float(seen.max() - seen.min()) or 1.0
