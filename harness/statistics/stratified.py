"""A paired change averaged over strata: datasets of a genre, genres of a suite."""

from __future__ import annotations

import numpy as np

from harness.statistics.clusters import Floats, Labels, satterthwaite_df
from harness.statistics.paired import PairedData, PairedDifference, by_student, paired_difference


def stratified_difference(
    data: PairedData, stratum: Labels, weights: Floats, level: float = 0.95
) -> PairedDifference:
    """The change Σ_h w_h · (mean change in stratum h), its clustered error, interval and p-values.

    stratum  shape (n,): the stratum of each item, numbers from 0, each of them taken
    weights  shape (strata,): above 0, adding up to 1; equal ones give the mean of the strata's
             means, as leaderboards show it

    Strata are fixed and their items drawn independently, so variances add up (Cochran 1977,
    chapter 5): with each item's change multiplied by ω = n·w_h/n_h the change is a plain mean, and
    only spread about the own stratum's mean counts. Within strata the error is the clustered one
    of `paired_difference`, and so is the least that it can be where few items changed, which is
    applied once to the whole. A stratum of a single cluster has no spread of its own and is
    centred on the whole (`lonely.psu = "adjust"` of R's survey package). Degrees of freedom after
    Satterthwaite (1946): (Σ v_h)² / Σ (v_h²/df_h). One stratum gives `paired_difference` itself.

    A cluster must not reach over strata; where one does, its parts count as independent. Raises
    ValueError: a level outside (0, 1), weights that do not fit, fewer than two clusters.
    """
    weights = np.asarray(weights, dtype=np.float64)
    strata, n = weights.size, data.base.size
    if stratum.shape != (n,) or not np.isclose(weights.sum(), 1) or not (weights > 0).all():
        raise ValueError("expected a stratum for each item and weights above 0 that add up to 1")
    if strata == 1:
        return paired_difference(data, level)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    own = np.bincount(stratum, minlength=strata).astype(np.float64)
    if not own.all():
        raise ValueError("a stratum has no items: leave it out, and renew the weights")
    factor = (n * weights / own)[stratum]
    weighted = factor * data.difference
    change = float(weighted.mean())
    # Clusters within strata, and the stratum of each.
    pairs = stratum.astype(np.int64) * (int(data.cluster.max()) + 1) + data.cluster
    numbers, group = np.unique(pairs, return_inverse=True)
    home = numbers // (int(data.cluster.max()) + 1)
    clusters = np.bincount(home, minlength=strata)
    if numbers.size < 2:
        raise ValueError("one cluster says nothing about the spread between clusters")
    sizes = np.bincount(group).astype(np.float64)
    sums = np.bincount(group, weights=weighted)
    lonely = clusters == 1
    centre = np.where(lonely, change, np.bincount(stratum, weights=weighted) / own)
    residual = sums - sizes * centre[home]
    residual[np.abs(residual) < 1e-12 * data.scale * sizes * factor.max()] = 0.0
    share = np.where(lonely[home], sizes / n, sizes / own[home])
    squares = np.square(residual) / (1 - share)
    spread: Floats = np.bincount(home, weights=squares, minlength=strata).astype(np.float64)
    df = np.array(
        [
            1.0 if lonely[number] else satterthwaite_df(sizes[home == number])
            for number in range(strata)
        ]
    )
    variance = _at_least(spread, sums / sizes, n, sizes.size, data.scale) / n**2
    return by_student(change, variance, _freedom(spread, df), level, n=n, clusters=int(sizes.size))


def _at_least(spread: Floats, means: Floats, n: int, clusters: int, scale: float) -> float:
    """n² times the variance, no less than with two pseudo-clusters added (`paired_difference`)."""
    moved = means[np.abs(means) > 1e-12 * scale]
    step = float(np.square(moved).mean()) if moved.size else scale**2
    size, total = n / clusters, float(spread.sum())
    return max(total, (total + 2 * size**2 * step) * n**2 / (n + 2 * size) ** 2)


def _freedom(spread: Floats, df: Floats) -> float:
    doubt = float((np.square(spread) / df).sum())
    # No spread at all says nothing of which stratum matters: their degrees of freedom add up.
    return float(spread.sum() ** 2 / doubt) if doubt > 0 else float(df.sum())
