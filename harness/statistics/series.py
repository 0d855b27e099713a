"""One metric over the checkpoints of a run, and contrasts of windows of checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from harness.statistics.clusters import Floats, Keys, Labels, partition, satterthwaite_df
from harness.statistics.noise import CheckpointNoise
from harness.statistics.paired import change_variances

Steps = npt.NDArray[np.int64]
_COLUMNS = 32


@dataclass(frozen=True, eq=False)
class MetricSeries:
    """Scores of one metric at successive checkpoints, turned so that more is better.

    metric    its name, as reports show it
    steps     shape (T,), ascending
    values    shape (T,): the score at each step
    variance  shape (T,): squared standard errors; None where unknown or where items are given
    items     shape (n, T): the score of each item at each step, the same items throughout; or None
    cluster   shape (n,): group numbers of the items, or None
    unit      only series of one unit tell of each other's noise
    scale     the range of an item's score
    margin    a drop surely smaller than this is not reported
    sign      −1 where the metric was turned over, since less of it is better
    """

    metric: str
    steps: Steps
    values: Floats
    variance: Floats | None
    items: Floats | None = None
    cluster: Labels | None = None
    unit: str = "score"
    scale: float = 1.0
    margin: float = 0.0
    sign: float = 1.0

    def sampling(self) -> float:
        """Mean sampling variance of one checkpoint as it enters differences; 0 where unknown."""
        if self.items is not None and self.cluster is not None:
            if self.steps.size < 2:
                return 0.0
            pairs = np.diff(self.items, axis=1)
            return float(change_variances(pairs, self.cluster, self.scale).mean()) / 2
        return float(self.variance.mean()) if self.variance is not None else 0.0


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Means of `after` checkpoints up to position `end` less means of the `before` before them.

    All of shape (J,): end, after and before are counts of checkpoints, change and se are in the
    unit of the scores, p is the one-sided p of "no drop".
    """

    end: Labels
    after: Labels
    before: Labels
    change: Floats
    se: Floats
    df: Floats
    p: Floats


def summary_series(
    metric: str,
    steps: Sequence[int],
    values: Sequence[float] | Floats,
    stderr: Sequence[float | None] | Floats | None = None,
    *,
    higher_is_better: bool = True,
    unit: str = "score",
    scale: float = 1.0,
    margin: float = 0.0,
) -> MetricSeries:
    """A series of scores with standard errors, as other harnesses report them.

    stderr  one per step; where any is missing the series alone tells how noisy it is

    Steps may come in any order. Raises ValueError: lengths that differ, a step twice, no steps, a
    score not finite, a negative error.
    """
    order, sorted_steps = _ordered(metric, steps)
    rows = np.asarray(values, dtype=np.float64)
    if rows.shape != sorted_steps.shape or not np.isfinite(rows).all():
        raise ValueError(f"{metric}: expected one finite score for each of {len(steps)} steps")
    variance = None
    if stderr is not None and all(error is not None for error in stderr):
        errors = np.asarray(stderr, dtype=np.float64)
        if errors.shape != rows.shape or (errors < 0).any():
            raise ValueError(f"{metric}: expected a standard error, 0 or more, for each step")
        if np.isfinite(errors).all():
            variance = np.square(errors[order])
    sign = 1.0 if higher_is_better else -1.0
    return MetricSeries(
        metric, sorted_steps, sign * rows[order], variance, None, None, unit, scale, margin, sign
    )


def item_series(
    metric: str,
    steps: Sequence[int],
    scores: Floats,
    clusters: Keys | None = None,
    *,
    higher_is_better: bool = True,
    unit: str = "score",
    scale: float = 1.0,
    margin: float = 0.0,
) -> MetricSeries:
    """A series of per-item scores, so that checkpoints are compared item by item.

    scores    shape (n, T): item means, the items that every checkpoint has (missing ones are never
              filled in: leave out the item, or the checkpoint)
    clusters  as in `partition`

    Raises ValueError: shapes that differ, a step twice, fewer than two clusters, NaN.
    """
    order, sorted_steps = _ordered(metric, steps)
    rows = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(steps) or not np.isfinite(rows).all():
        raise ValueError(f"{metric}: expected finite scores of shape (items, {len(steps)})")
    cluster = partition(clusters, rows.shape[0])
    if np.unique(cluster).size < 2:
        raise ValueError(f"{metric}: one cluster says nothing about the spread between clusters")
    sign = 1.0 if higher_is_better else -1.0
    signed = sign * rows[:, order]
    return MetricSeries(
        metric, sorted_steps, signed.mean(axis=0), None, signed, cluster, unit, scale, margin, sign
    )


def window_contrasts(
    series: MetricSeries,
    windows: Sequence[tuple[int, int, int]],
    noise: CheckpointNoise,
    growth: dict[int, float],
    tails: float = 0.0,
) -> Contrasts:
    """The drop in each of `windows`, (end, after, before), with its error.

    Error of items: the clustered variance of the items' own changes, and τ²·(1/after + 1/before);
    of summaries: the whole noise of the series times that. `growth` raises the noise of means over
    many checkpoints (`noise_growth`). Degrees of freedom by Welch and Satterthwaite. With an excess
    kurtosis `tails` (`noise_tails`) the p is at least that of the scaled t of the kurtosis that the
    mean of so many checkpoints has: one low checkpoint must be lower than where noise is normal.
    """
    end, after, before = (np.array(column, dtype=np.intp) for column in zip(*windows, strict=True))
    weights = np.zeros((len(windows), series.steps.size))
    for row, (last, many, base) in enumerate(windows):
        weights[row, last - many + 1 : last + 1] = 1 / many
        weights[row, last - many - base + 1 : last - many + 1] = -1 / base
    change = weights @ series.values
    white = 1 / after + 1 / before
    share = _growth_at(growth, after) / after + _growth_at(growth, before) / before
    if series.items is not None and series.cluster is not None:
        sampled = np.concatenate(
            [
                change_variances(
                    series.items @ weights[start : start + _COLUMNS].T, series.cluster, series.scale
                )
                for start in range(0, len(windows), _COLUMNS)
            ]
        )
        # Noise beyond sampling: τ², and what windows do not average out.
        extra = np.maximum(0.0, noise.total * share - noise.sampling * white)
        sampled_df = satterthwaite_df(np.bincount(series.cluster).astype(np.float64))
        variance = sampled + extra
        doubt = np.square(sampled) / sampled_df + np.square(extra) / noise.df
        df = np.square(variance) / doubt
    else:
        # Checkpoints scored on fewer items than the rest are that much noisier.
        relative = np.ones(len(windows))
        if series.variance is not None and noise.sampling > 0:
            own = np.square(weights) @ series.variance / white
            relative = np.maximum(1.0, own / noise.sampling)
        variance = noise.total * share * relative
        df = np.full(len(windows), noise.df)
    se = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A series that never moved and has no errors says nothing about its noise.
        t = np.where(se > 0, change / se, 0.0)
    p = np.where(se > 0, stats.t.cdf(t, df), 1.0)
    if tails > 0:
        # Of kurtosis 3 + 6/(df − 4), and variance 1 once scaled.
        excess = tails * (weights**4).sum(axis=1) / np.square(np.square(weights).sum(axis=1))
        heavy = 4 + 6 / excess
        p = np.maximum(p, stats.t.cdf(t * np.sqrt(heavy / (heavy - 2)), heavy))
    return Contrasts(end, after, before, change, se, df, p)


def _growth_at(growth: dict[int, float], counts: Labels) -> Floats:
    """The growth at the shortest scale that is no shorter than each count, or at the longest."""
    scales = np.array(sorted(growth))
    found = np.array([growth[scale] for scale in scales.tolist()])
    answer: Floats = found[np.minimum(np.searchsorted(scales, counts), scales.size - 1)]
    return answer


def _ordered(metric: str, steps: Sequence[int]) -> tuple[Labels, Steps]:
    given = np.asarray(steps, dtype=np.int64)
    if given.ndim != 1 or given.size == 0 or np.unique(given).size != given.size:
        raise ValueError(f"{metric}: expected one or more steps, each once")
    order = np.argsort(given, kind="stable")
    return order, given[order]
