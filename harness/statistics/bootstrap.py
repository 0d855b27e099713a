"""Bootstrap intervals of a mean over clusters: BCa and studentised, by sufficient statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from harness.statistics.clusters import Floats, Keys, finite, partition

BootstrapMethod = Literal["bca", "studentised"]

# Index draws held at once: small enough for the processor's cache.
_CHUNK = 1 << 18


@dataclass(frozen=True)
class BootstrapInterval:
    """A mean and its bootstrap interval, in the unit of the values.

    se      standard deviation of the draws
    draws   resamples of the clusters
    """

    mean: float
    se: float
    low: float
    high: float
    level: float
    method: BootstrapMethod
    draws: int


def cluster_bootstrap(
    values: Sequence[float] | Floats,
    clusters: Keys | None = None,
    level: float = 0.95,
    method: BootstrapMethod = "bca",
    draws: int = 9_999,
    seed: int = 0,
) -> BootstrapInterval:
    """An interval for the mean of rows, resampling whole clusters (see `partition`).

    bca          bias-corrected and accelerated percentiles (Efron 1987), the acceleration from
                 leaving out one cluster at a time
    studentised  quantiles of (mean* − mean)/se* (Efron and Tibshirani 1993, chapter 12), se* the
                 linearised error of each draw: better coverage for skewed graded scores

    A resample enters only through sums over its clusters of S (the sum of values), m (rows) and
    their squares and product. Clusters that are alike are counted, not listed: with few distinct
    (S, m), as for right or wrong, a draw is one multinomial.

    Where all values agree the interval is a point: bootstrap cannot see what never occurred, so use
    `cluster_mean` or `paired_difference` there. Studentised limits are infinite where so few
    clusters are left that one draw in 2/(1 − level) has no spread.

    Raises ValueError: faulty rows, fewer than two clusters, draws < 100, a level outside (0, 1).
    """
    rows = finite(values)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    if draws < 100:
        raise ValueError(f"{draws} draws leave no tail to read: expected at least 100")
    group = partition(clusters, rows.size)
    sizes = np.bincount(group).astype(np.float64)
    if sizes.size < 2:
        raise ValueError("one cluster says nothing about the spread between clusters")
    mean = float(rows.mean())
    # Centred sums, so that squares keep their digits: a draw's mean is `mean` + Σ S / Σ m.
    sums: Floats = np.bincount(group, weights=rows - mean).astype(np.float64)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    resampled = _resample(sums, sizes, draws, np.random.default_rng(seed), method)
    centred = resampled[0] / resampled[1]
    if method == "bca":
        low, high = mean + _bca(centred, sums, sizes, tails)
    else:
        low, high = mean - _studentised(centred, resampled, sums, sizes, tails[::-1])
    return BootstrapInterval(
        mean, float(centred.std(ddof=1)), float(low), float(high), level, method, draws
    )


def _resample(
    sums: Floats, sizes: Floats, draws: int, random: np.random.Generator, method: BootstrapMethod
) -> Floats:
    """Shape (2 or 5, draws): Σ S, Σ m and for studentising Σ S², Σ S m, Σ m² of each draw."""
    kinds, counts = np.unique(np.stack([sums, sizes]), axis=1, return_counts=True)
    s, m = kinds if 50 * counts.size < sums.size else (sums, sizes)
    terms = [s, m] if method == "bca" else [s, m, s * s, s * m, m * m]
    if s.size < sums.size:
        times: Floats = random.multinomial(sums.size, counts / sums.size, draws).astype(np.float64)
        return np.array([times @ term for term in terms])
    # What is the same in every cluster need not be looked up.
    constant = [bool((term == term[0]).all()) for term in terms]
    answer = np.empty((len(terms), draws))
    chunk = max(1, _CHUNK // s.size)
    for start in range(0, draws, chunk):
        rows = slice(start, min(start + chunk, draws))
        chosen = random.integers(0, s.size, (rows.stop - start, s.size), dtype=np.intp)
        for number, term in enumerate(terms):
            answer[number, rows] = (
                term[0] * s.size if constant[number] else term.take(chosen).sum(axis=1)
            )
    return answer


def _bca(centred: Floats, sums: Floats, sizes: Floats, tails: Floats) -> Floats:
    # The median rank of 0 among the draws; ties count half, as discrete scores have many.
    below = (np.count_nonzero(centred < 0) + np.count_nonzero(centred <= 0)) / 2
    if np.ptp(centred) == 0:
        return np.zeros(2)
    bias = special.ndtri(np.clip(below, 0.5, centred.size - 0.5) / centred.size)
    left_out = (sums.sum() - sums) / (sizes.sum() - sizes)
    influence = left_out.mean() - left_out
    spread = np.square(influence).sum()
    skew = (influence**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    z = bias + special.ndtri(tails)
    answer: Floats = np.quantile(centred, special.ndtr(bias + z / (1 - skew * z)))
    return answer


def _studentised(
    centred: Floats, resampled: Floats, sums: Floats, sizes: Floats, tails: Floats
) -> Floats:
    total, rows, squares, products, weights = resampled
    residual = squares - 2 * centred * products + centred**2 * weights
    error = np.sqrt(np.maximum(residual, 0.0)) / rows
    # A draw without spread says nothing finite: it belongs to the end of its own side.
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(total == 0, 0.0, centred / error)
    own = float(np.sqrt(np.square(sums).sum()) / sizes.sum())
    limits = np.quantile(t, tails, method="inverted_cdf")
    answer: Floats = limits * own if own > 0 else np.zeros(2)
    return answer
