"""Standard errors of a mean over clusters of dependent rows, and the partition they rest on."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]
Keys = Sequence[Hashable | None] | npt.NDArray[np.generic]
Correction = Literal["CR0", "CR1", "CR2"]


@dataclass(frozen=True)
class ClusteredMean:
    """A mean and its clustered standard error, in the unit of the values.

    n         rows averaged
    clusters  independent groups among them
    df        degrees of freedom of a t statistic with this error
    """

    mean: float
    se: float
    df: float
    n: int
    clusters: int


def clustered_mean(
    values: Sequence[float] | Floats, clusters: Keys | None = None, correction: Correction = "CR2"
) -> ClusteredMean:
    """The mean of `values`, with a sandwich error over clusters.

    values      one finite value per row
    clusters    as in `partition`
    correction  with S_g the sum of residuals in cluster g, m_g its size, G clusters, n rows:

        CR0  Σ S_g² / n²                      Liang and Zeger (1986)
        CR1  Σ S_g² / n² · G/(G−1)            the usual small-sample factor, df G−1
        CR2  Σ S_g² / (1 − m_g/n) / n²        Bell and McCaffrey (2002), unbiased where rows are
                                              independent and alike, with their Satterthwaite df

    CR2 in closed form for a mean; Miller (2024, arXiv 2411.00640) uses CR0 for evaluations. CR0 is
    too small for few clusters and claims no df of its own: it gets G−1.

    Raises ValueError: no rows, a value not finite, lengths that differ, fewer than two clusters.
    """
    rows = finite(values)
    group = partition(clusters, rows.size)
    sizes = np.bincount(group).astype(np.float64)
    count = sizes.size
    if count < 2:
        raise ValueError("one cluster says nothing about the spread between clusters")
    mean = float(rows.mean())
    squares = np.square(residual_sums(rows, group, sizes))
    if correction == "CR2":
        squares /= 1 - sizes / rows.size
    variance = float(squares.sum()) / rows.size**2
    if correction == "CR1":
        variance *= count / (count - 1)
    df = satterthwaite_df(sizes) if correction == "CR2" else count - 1.0
    return ClusteredMean(mean, math.sqrt(variance), df, rows.size, count)


def partition(clusters: Keys | None, n: int) -> Labels:
    """Cluster keys as numbers 0 … G−1, in order of first appearance.

    clusters  one key per row; rows of equal key are dependent, None is a cluster of its own. Left
              out, every row is

    Raises ValueError where there is not one key per row.
    """
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} cluster keys for {n} rows")
    if isinstance(clusters, np.ndarray) and clusters.dtype.kind in "iu":
        _, first, number = np.unique(clusters, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[number]
    keys = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    seen: dict[Hashable, int] = {}
    numbers = np.empty(n, dtype=np.intp)
    for row, key in enumerate(keys):
        numbers[row] = seen.setdefault(object() if key is None else key, len(seen))
    return numbers


def residual_sums(values: Floats, group: Labels, sizes: Floats) -> Floats:
    """The sum of (value − mean) in each cluster; rounding errors of equal values count as 0."""
    sums: Floats = np.bincount(group, weights=values - values.mean()).astype(np.float64)
    sums[np.abs(sums) < 1e-12 * float(np.abs(values).max()) * sizes] = 0.0
    return sums


def satterthwaite_df(sizes: Floats) -> float:
    """Degrees of freedom of the CR2 error of a mean: G−1 for G clusters of one size, fewer when a
    few clusters dominate.

    tr(P)²/tr(P²) of Bell and McCaffrey (2002), P the covariance of the corrected cluster sums when
    rows are independent and alike: P_gg = m_g, P_gh = −m_g m_h / n / sqrt((1 − m_g/n)(1 − m_h/n)).
    """
    n = sizes.sum()
    q = np.square(sizes) / (1 - sizes / n)
    trace = np.square(sizes).sum() + (q.sum() ** 2 - np.square(q).sum()) / n**2
    return float(n**2 / trace)


def finite(values: Sequence[float] | Floats) -> Floats:
    """The values as one row of floats. Raises ValueError: none, another shape, NaN, infinity."""
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 1 or rows.size == 0:
        raise ValueError("no scores: expected one or more in one dimension")
    if not np.isfinite(rows).all():
        raise ValueError("a score is NaN or infinite: leave failed items out and count them")
    return rows
