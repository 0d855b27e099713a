"""The paired difference of two checkpoints on common items, with clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special

from harness.statistics.clusters import (
    Floats,
    Keys,
    Labels,
    finite,
    partition,
    satterthwaite_df,
)


@dataclass(frozen=True, eq=False)
class PairedData:
    """Item means of two checkpoints over the items that both have, row by row the same item.

    base     shape (n,): the mean over an item's turns, samples and judgments at the baseline
    cand     shape (n,): the same for the candidate
    cluster  shape (n,): group numbers; items of one passage or template share a number
    scale    the largest difference that one item can show: 1 for scores in [0, 1], 9 for 1 to 10

    Build it with `paired_data`, which checks and numbers the clusters.
    """

    base: Floats
    cand: Floats
    cluster: Labels
    scale: float = 1.0

    @property
    def difference(self) -> Floats:
        """cand − base of each item: positive is better where more is better."""
        return self.cand - self.base

    @property
    def is_binary(self) -> bool:
        """Whether every score is 0 or 1, so that items flip or do not."""
        return bool(np.isin(self.base, (0, 1)).all() and np.isin(self.cand, (0, 1)).all())


@dataclass(frozen=True)
class PairedDifference:
    """A mean change with its uncertainty, in the unit of the scores; positive is a rise.

    se            clustered standard error
    df            degrees of freedom of t = change/se
    low high      two-sided t interval at `level`
    p_two_sided   of no change;  p_drop: of no drop;  p_rise: of no rise (each one-sided)
    n clusters    common items, and independent groups among them
    variance      n · se²: the variance that each further item divides, clusters included
    discordant    share of items that flipped, for binary scores; else None
    """

    change: float
    se: float
    df: float
    low: float
    high: float
    level: float
    p_two_sided: float
    p_drop: float
    p_rise: float
    n: int
    clusters: int
    variance: float
    discordant: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON."""
        return asdict(self)


def paired_data(
    base: Sequence[float] | Floats,
    cand: Sequence[float] | Floats,
    clusters: Keys | None = None,
    scale: float = 1.0,
) -> PairedData:
    """Checks two aligned rows of item means and numbers their clusters (see `partition`).

    Raises ValueError: lengths that differ, no items, a score not finite, a scale not above 0.
    """
    first, second = finite(base), finite(cand)
    if first.size != second.size:
        raise ValueError(f"{first.size} baseline scores for {second.size} of the candidate")
    if not scale > 0:
        raise ValueError(f"scale is {scale}, expected the range of a score, above 0")
    return PairedData(first, second, partition(clusters, first.size), scale)


def paired_difference(data: PairedData, level: float = 0.95) -> PairedDifference:
    """The mean paired change, its clustered error, interval and p-values.

    Error: CR2 over clusters with Satterthwaite's degrees of freedom (see `clustered_mean`), which
    is the paired t-test where every item is its own cluster. Where few items changed at all, that
    error rests on few events, and on none when every item agrees: 0 flips of 20 is not proof of no
    change. So the error is at least that with two pseudo-clusters of average size m added, one up
    and one down by s, the root mean square of the clusters' changes that are not 0 (`scale` when
    all are):

        se² = max(Σ S_g²/(1 − m_g/n) / n², (Σ S_g²/(1 − m_g/n) + 2 m² s²) / (n + 2m)²)

    For binary scores without clusters the second is the error of Bonett and Price (2012, "Adjusted
    Wald confidence interval for a difference of binomial proportions based on paired data"), here
    about the plain difference; for graded scores that mostly differ the first is larger.

    Raises ValueError: a level outside (0, 1), fewer than two clusters.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    difference, n = data.difference, data.base.size
    sizes = np.bincount(data.cluster).astype(np.float64)
    if sizes.size < 2:
        raise ValueError("one cluster says nothing about the spread between clusters")
    change = float(difference.mean())
    variance = float(change_variances(difference[:, None], data.cluster, data.scale)[0])
    discordant = float((difference != 0).mean()) if data.is_binary else None
    df = satterthwaite_df(sizes)
    return by_student(change, variance, df, level, n=n, clusters=sizes.size, discordant=discordant)


def by_student(
    change: float,
    variance: float,
    df: float,
    level: float,
    *,
    n: int,
    clusters: int,
    discordant: float | None = None,
) -> PairedDifference:
    """A change with its interval and p-values by Student's t.

    variance  of the change, not of an item's
    """
    se = math.sqrt(variance)
    t = change / se
    reach = float(special.stdtrit(df, 0.5 + level / 2)) * se
    return PairedDifference(
        change=change,
        se=se,
        df=df,
        low=change - reach,
        high=change + reach,
        level=level,
        p_two_sided=2 * float(special.stdtr(df, -abs(t))),
        p_drop=float(special.stdtr(df, t)),
        p_rise=float(special.stdtr(df, -t)),
        n=n,
        clusters=clusters,
        variance=n * variance,
        discordant=discordant,
    )


def change_variances(changes: Floats, cluster: Labels, scale: float) -> Floats:
    """The variance of each mean change, as `paired_difference` describes it.

    changes  shape (n, J): J changes of each of n items;  cluster: shape (n,), numbers from 0
    Answers shape (J,).
    """
    n = changes.shape[0]
    sizes = np.bincount(cluster).astype(np.float64)
    sums = changes
    if sizes.size < n:
        order = np.argsort(cluster, kind="stable")
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
        sums = np.add.reduceat(changes[order], starts, axis=0)
    else:
        sizes = np.ones(n)
    weights = 1 / (1 - sizes / n)
    mean = changes.mean(axis=0)
    squares = np.square(sums)
    # Σ (S_g − m_g·mean)² / (1 − m_g/n), multiplied out so that no array of residuals is made.
    whole = weights @ squares
    spread = whole - 2 * mean * ((weights * sizes) @ sums) + mean**2 * (weights @ sizes**2)
    # Of equal changes there remains a rounding error, not spread.
    spread = np.where(spread > 1e-12 * whole, spread, 0.0)
    count = np.count_nonzero(np.abs(sums) > 1e-12 * scale * sizes[:, None], axis=0)
    squared_means = squares.sum(axis=0) if sizes.size == n else (1 / sizes**2) @ squares
    step = np.where(count > 0, squared_means / np.maximum(count, 1), scale**2)
    size = n / sizes.size
    answer: Floats = np.maximum(spread / n**2, (spread + 2 * size**2 * step) / (n + 2 * size) ** 2)
    return answer
