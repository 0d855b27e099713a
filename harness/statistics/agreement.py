"""How far two raters of the same things agree, with intervals that resample whole clusters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A statistic and its percentile bootstrap interval; limits are None where a resample left
    too little to compute it."""

    value: float
    low: float | None
    high: float | None
    level: float = 0.95


@dataclass(frozen=True)
class Agreement:
    """Two raters of the same n things in `clusters` independent groups.

    exact           share of things rated alike
    kappa           Cohen's, beyond what the raters' own habits would give by chance
    weighted_kappa  the same with quadratic weights: near misses count little
    spearman        rank correlation, ties at their mean rank
    difference      mean of the first minus the second, in points

    A statistic is None where a rater gave everything one rating: nothing can be told.
    """

    n: int
    clusters: int
    exact: Interval
    kappa: Interval | None
    weighted_kappa: Interval | None
    spearman: Interval | None
    difference: Interval


def rating_agreement(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """The agreement of two raters on a numeric scale.

    first, second  their ratings of the same things, finite
    clusters       things of equal key are dependent and drawn together; left out, none are
    draws, seed    of the bootstrap: percentiles over resampled clusters (Efron and Tibshirani
                   1993, chapter 13)

    Raises ValueError for lengths that differ, nothing rated, or a rating that is not finite.
    """
    pairs = np.array([first, second], dtype=np.float64) if len(first) == len(second) else None
    if pairs is None or pairs.size == 0:
        raise ValueError(f"{len(first)} and {len(second)} ratings, expected as many, and some")
    if not np.isfinite(pairs).all():
        raise ValueError("a rating is NaN or infinite: leave failed ones out and count them")
    samples = _resamples(pairs.shape[1], clusters, draws, seed)

    def interval(statistic: Callable[[Floats, Floats], float]) -> Interval | None:
        value = statistic(*pairs)
        if np.isnan(value):
            return None
        drawn = np.array([statistic(*pairs[:, rows]) for rows in samples])
        return percentiles(value, drawn[~np.isnan(drawn)], level)

    exact, difference = interval(_exact), interval(_difference)
    assert exact is not None
    assert difference is not None
    return Agreement(
        n=pairs.shape[1],
        clusters=pairs.shape[1] if clusters is None else len(set(clusters)),
        exact=exact,
        kappa=interval(cohen_kappa),
        weighted_kappa=interval(weighted_kappa),
        spearman=interval(spearman),
        difference=difference,
    )


def label_agreement(
    first: Sequence[str],
    second: Sequence[str],
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[Interval, Interval | None]:
    """Share of labels alike, and Cohen's kappa (None where both always gave one label), for raters
    with labels that have no order, such as preferences. Parameters as in `rating_agreement`."""
    numbers = {label: float(place) for place, label in enumerate(sorted({*first, *second}))}
    told = rating_agreement(
        [numbers[one] for one in first],
        [numbers[one] for one in second],
        clusters,
        level,
        draws,
        seed,
    )
    return told.exact, told.kappa


def cohen_kappa(first: Floats, second: Floats) -> float:
    """(p_o − p_e)/(1 − p_e): agreement beyond chance (Cohen 1960). NaN when both raters gave one
    and the same rating throughout."""
    kinds, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    table = np.zeros((kinds.size, kinds.size))
    np.add.at(table, (places[: first.size], places[first.size :]), 1 / first.size)
    expected = float(table.sum(axis=1) @ table.sum(axis=0))
    if expected >= 1:
        return float("nan")
    return (float(np.trace(table)) - expected) / (1 - expected)


def weighted_kappa(first: Floats, second: Floats) -> float:
    """Cohen's kappa with quadratic weights (Cohen 1968): 1 − mean (a − b)² over the mean of
    (a_i − b_j)² over all i and j. On a numeric scale it needs no list of categories. NaN when
    both raters gave one and the same rating throughout."""
    observed = float(np.square(first - second).mean())
    chance = float(first.var() + second.var() + (first.mean() - second.mean()) ** 2)
    return 1 - observed / chance if chance > 0 else float("nan")


def spearman(first: Floats, second: Floats) -> float:
    """Pearson's correlation of the ranks, ties at their mean rank; NaN when either is constant."""
    a, b = _ranks(first), _ranks(second)
    spread = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float(a @ b) / spread if spread > 0 else float("nan")


def percentiles(value: float, drawn: Floats, level: float) -> Interval:
    """A statistic with the central `level` of its bootstrap draws."""
    if drawn.size < 2:
        return Interval(value, None, None, level)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level)


def _ranks(values: Floats) -> Floats:
    """Ranks less their mean."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[places]
    centred: Floats = ranks - ranks.mean()
    return centred


def _exact(first: Floats, second: Floats) -> float:
    return float((first == second).mean())


def _difference(first: Floats, second: Floats) -> float:
    return float((first - second).mean())


def _resamples(
    n: int, clusters: Sequence[Hashable] | None, draws: int, seed: int
) -> list[npt.NDArray[np.intp]]:
    """Row numbers of each bootstrap draw."""
    random = np.random.default_rng(seed)
    if clusters is None:
        return list(random.integers(0, n, (draws, n)))
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} cluster keys for {n} ratings")
    groups: dict[Hashable, list[int]] = {}
    for row, key in enumerate(clusters):
        groups.setdefault(key, []).append(row)
    rows: list[npt.NDArray[np.intp]] = [np.array(group) for group in groups.values()]
    drawn = random.integers(0, len(rows), (draws, len(rows)))
    return [np.concatenate([rows[group] for group in chosen]) for chosen in drawn]
