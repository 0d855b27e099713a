"""Mean scores with standard errors and intervals that respect clusters of dependent items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special

from harness.statistics.clusters import (
    Floats,
    Keys,
    finite,
    partition,
    residual_sums,
    satterthwaite_df,
)


@dataclass(frozen=True)
class Estimate:
    """A mean with its uncertainty, in the unit of the scores.

    se        standard error of the mean
    low high  two-sided interval at `level`
    n         scores averaged
    clusters  independent groups among them
    df        degrees of freedom of the t quantile in the interval
    """

    mean: float
    se: float
    low: float
    high: float
    n: int
    clusters: int
    df: float = math.inf
    level: float = 0.95

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON; infinite degrees of freedom become None."""
        return {
            name: None if isinstance(value, float) and math.isinf(value) else value
            for name, value in asdict(self).items()
        }


def cluster_mean(
    values: Sequence[float] | Floats,
    clusters: Keys | None = None,
    level: float = 0.95,
    bounded: bool = True,
) -> Estimate:
    """The mean of scores, its clustered standard error and an interval.

    values    one score per row, finite; within [0, 1] unless `bounded` is False
    clusters  one key per row; rows of equal key are dependent, None is a cluster of its own.
              Left out, every row is

    Standard error: with S_g the sum over cluster g of (x − mean) and m_g its size,

        se² = Σ_g S_g² / (1 − m_g/n) / n²

    which is the clustered error of Miller (2024, arXiv 2411.00640, section 2.2) with the CR2
    correction of Bell and McCaffrey (2002) for few clusters, in closed form for a mean: the
    factor is G/(G−1) for G clusters of one size, and with one row per cluster the whole is the
    ordinary s²/n. Degrees of freedom follow Bell and McCaffrey too: G−1 for equal sizes, fewer
    when a few clusters dominate.

    Interval, bounded scores: Wilson's with the effective sample size mean(1 − mean)/se² in place
    of n and Student's t in place of z (as for complex surveys: Dean and Pagano 2015), so that it
    stays within [0, 1] and leans towards the middle. Where se is 0 (all right, all wrong, all the
    same) the effective size is the number of clusters: 0 of 20 is not known to be 0. A single
    cluster tells nothing of the spread between clusters: its se is the largest that scores of
    that mean can have, and the effective size is 1.
    Interval, unbounded: mean ± t·se.

    Raises ValueError: no rows, a value not finite or out of [0, 1], lengths that differ, a level
    outside (0, 1), or a single cluster of unbounded scores.
    """
    scores = finite(values)
    if bounded and (scores.min() < 0 or scores.max() > 1):
        raise ValueError("a score lies outside [0, 1]: pass bounded=False for other scales")
    _check_level(level)
    n = scores.size
    group = partition(clusters, n)
    sizes = np.bincount(group).astype(np.float64)
    count = sizes.size
    mean = float(scores.mean())
    if count == 1:
        if not bounded:
            raise ValueError("one cluster says nothing about the spread between clusters")
        se, df = math.sqrt(max(0.0, mean * (1 - mean))), 1.0
        low, high = _wilson(mean, se, 1, df, level)
        return Estimate(mean, se, low, high, n, 1, df, level)
    sums = residual_sums(scores, group, sizes)
    se = float(np.sqrt((np.square(sums) / (1 - sizes / n)).sum()) / n)
    df = satterthwaite_df(sizes)
    low, high = _interval(mean, se, count, df, level, bounded)
    return Estimate(mean, se, low, high, n, count, df, level)


def mean_of_means(
    estimates: Sequence[Estimate], level: float = 0.95, bounded: bool = True
) -> Estimate:
    """The unweighted mean of independent estimates (genres, datasets), as leaderboards show it.

    se = sqrt(Σ se²)/G for G estimates. The interval is that of `cluster_mean` with this mean and
    se, Satterthwaite's degrees of freedom (Σ se²)² / Σ (se⁴/df) and, where every se is 0, the
    effective size G² / Σ (1/clusters) that independent scores of one mean would have. The
    estimates' own limits are not used, so theirs may be of another level.

    Raises ValueError: no estimates, one that is not finite, a bounded mean outside [0, 1], or a
    level outside (0, 1).
    """
    _check_level(level)
    if not estimates:
        raise ValueError("no estimates to average")
    means = np.array([estimate.mean for estimate in estimates], dtype=np.float64)
    variances = np.square([estimate.se for estimate in estimates], dtype=np.float64)
    dfs = np.array([estimate.df for estimate in estimates], dtype=np.float64)
    if not (np.isfinite(means).all() and np.isfinite(variances).all()):
        raise ValueError("an estimate is NaN or infinite")
    mean = float(means.mean())
    if bounded and (means.min() < 0 or means.max() > 1):
        raise ValueError("a mean lies outside [0, 1]: pass bounded=False for other scales")
    se = float(np.sqrt(variances.sum()) / means.size)
    doubt = float((np.square(variances) / dfs).sum())
    # All se 0: nothing says which estimate matters, so their degrees of freedom add up.
    df = float(variances.sum() ** 2 / doubt) if doubt > 0 else float(dfs.sum())
    clusters = np.array([estimate.clusters for estimate in estimates], dtype=np.float64)
    size = means.size**2 / float((1 / clusters).sum())
    low, high = _interval(mean, se, size, df, level, bounded)
    n = sum(estimate.n for estimate in estimates)
    return Estimate(mean, se, low, high, n, int(clusters.sum()), df, level)


def _interval(
    mean: float, se: float, size: float, df: float, level: float, bounded: bool
) -> tuple[float, float]:
    if bounded:
        return _wilson(mean, se, size, df, level)
    reach = float(special.stdtrit(df, 0.5 + level / 2)) * se
    return mean - reach, mean + reach


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")


def _wilson(mean: float, se: float, least: float, df: float, level: float) -> tuple[float, float]:
    """Wilson's score interval at the effective sample size mean(1 − mean)/se², or `least` where
    that is not defined."""
    variance = mean * (1 - mean)
    size = variance / se**2 if se > 0 and variance > 0 else least
    t = float(special.stdtrit(df, 0.5 + level / 2))
    centre = (mean + t**2 / (2 * size)) / (1 + t**2 / size)
    reach = t / (1 + t**2 / size) * math.sqrt(variance / size + t**2 / (4 * size**2))
    return max(0.0, min(mean, centre - reach)), min(1.0, max(mean, centre + reach))
