"""Checkpoint noise: how much a score moves between checkpoints although nothing really changed.

A score at checkpoint t is trend + η_t + sampling error. η_t, of variance τ², comes from the weights
as they happen to be at that step and is the same for any number of items. It is estimated from the
run itself: what remains of each series when its trend is taken out, less the sampling variance,
pooled over series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from harness.statistics.clusters import Floats, finite

# Bound of one residual in robust standard deviations: a third of the second differences may be
# arbitrarily large, which is what real events make at one checkpoint in nine.
_BOUND = 1.5
# Degrees of freedom left by bounding, by simulation of independent normal noise (T = 6 to 100).
_EFFICIENCY = 0.8
# Kurtosis of lone normal peaks as `noise_tails` picks them, and √n times its standard error, by
# simulation.
_PEAK_KURTOSIS, _PEAK_ERROR = 2.3, 2.7
# Least share of the squared standard error that is noise where checkpoints share items: no two of
# them agree on more than nine tenths of what makes one item harder than another.
_UNSHARED = 0.1
# Second differences from which on an outlying one is bounded: of two never, of three only where its
# square is 26 times the sum of the other two.
_BOUNDABLE = 4
_CONSISTENT = float(stats.chi2.cdf(_BOUND**2, 3) + _BOUND**2 * stats.chi2.sf(_BOUND**2, 1))


@dataclass(frozen=True)
class DetrendedNoise:
    """Variance of a series about its own trend, per checkpoint, on `df` degrees of freedom."""

    variance: float
    df: float


@dataclass(frozen=True)
class CheckpointNoise:
    """Noise of one series, in squared units of its score.

    total     variance per checkpoint about the trend, after pooling: sampling and τ² together
    tau2      the part that more items cannot reduce
    df        degrees of freedom of `total`, own and pooled
    raw       variance seen in this series alone
    sampling  variance of the mean over items at one checkpoint
    """

    total: float
    tau2: float
    df: float
    raw: float
    sampling: float


def detrended_noise(values: Sequence[float] | Floats) -> DetrendedNoise | None:
    """Noise of one series of scores at successive checkpoints; None for fewer than three.

    Second differences y_{t-1} − 2y_t + y_{t+1} forget any straight trend and have variance 6σ² for
    independent noise (as in Rice 1984; Gasser, Sroka and Jennen-Steinmetz 1986). Their scale is a
    bounded M-scale (Huber and Ronchetti 2009, chapter 5): a fall or a spike or two do not pass for
    noise, but a score that flaps throughout does. Degrees of freedom are (tr A)²/tr A² of the sum
    of squares, whose neighbours correlate by −2/3 and 1/6, times what bounding leaves.

    Of fewer than four differences hardly one can stand out from the others: the M-scale would bound
    nothing and yet make up for bounding. They get the plain mean, or the τ of a young run would
    come out far too large and hide what falls in it.

    Raises ValueError: values not finite.
    """
    rows = finite(values)
    count = rows.size - 2
    if count < 1:
        return None
    squares = np.square(rows[:-2] - 2 * rows[1:-1] + rows[2:]) / 6
    overlap = count + 2 * (max(count - 1, 0) * (2 / 3) ** 2 + max(count - 2, 0) / 36)
    if count < _BOUNDABLE:
        return DetrendedNoise(float(squares.mean()), count**2 / overlap)
    return DetrendedNoise(_m_scale(squares), _EFFICIENCY * count**2 / overlap)


def pooled_noise(
    series: Sequence[DetrendedNoise | None], sampling: Sequence[float] | Floats, paired: bool = True
) -> list[CheckpointNoise]:
    """Each series' noise, shrunk towards what the series of a run have in common.

    series    `detrended_noise` of scores in one unit; pass those of several runs to pool over runs
    sampling  variance of each score over items, as it enters the difference of two checkpoints:
              half the paired variance where items are known, else the squared standard error,
              which is too large where checkpoints share their items
    paired    whether `sampling` is exact, so that a smaller total is luck; where it is False a run
              whose series move less than their errors claim is believed, down to a tenth of them

    One τ² for all is the value at which the median of raw/(sampling + τ²) is that of chi-square
    over its degrees of freedom (the estimating equation of Paule and Mandel 1982, by a median).
    What then still differs between series is shrunk by an inverse chi-square prior fitted to the
    logarithms of those ratios (Smyth 2004), without extremes, which keep what they show (Phipson
    et al. 2016): a metric that flaps is not taken for a quiet one because the others are quiet.

    Series without an estimate, being short, get the pool's. Without any, τ² is 0: nothing is known.
    """
    floor = np.asarray(sampling, dtype=np.float64)
    if len(series) != floor.size or not (np.isfinite(floor).all() and (floor >= 0).all()):
        raise ValueError("expected one sampling variance, 0 or more, for each series")
    known = np.array([noise is not None for noise in series], dtype=bool)
    if not known.any():
        return [CheckpointNoise(v, 0.0, math.inf, v, v) for v in floor.tolist()]
    raw = np.array([noise.variance if noise else math.nan for noise in series])
    df = np.array([noise.df if noise else 0.0 for noise in series])
    common = _common_tau2(raw[known], df[known], floor[known])
    level = floor + common
    # A score that never moves at all gives no logarithm: it has no noise to speak of.
    level = np.where(level > 0, level, np.finfo(float).tiny)
    ratio = raw / level
    prior, prior_df = _fit_prior(ratio[known], df[known], paired)
    answer = []
    for number, own in enumerate(known.tolist()):
        # In a pool of one or two, a short series is known no better than the others.
        shrunk, total_df = prior, prior_df or float(df[known].min())
        if own:
            shrunk, total_df = _shrunk(float(ratio[number]), float(df[number]), prior, prior_df)
        total = max(shrunk * level[number], floor[number] * (1.0 if paired else _UNSHARED))
        answer.append(
            CheckpointNoise(
                total=float(total),
                tau2=float(max(0.0, total - floor[number])),
                df=total_df,
                raw=float(raw[number]) if own else float(total),
                sampling=float(floor[number]),
            )
        )
    return answer


def noise_growth(series: Sequence[Floats], scales: Sequence[int]) -> dict[int, float]:
    """How much faster than 1/w the noise of means over w checkpoints fails to shrink, pooled.

    series  scores divided by their noise per checkpoint, each shape (checkpoints,)
    scales  window lengths w, ascending, starting at 1

    Neighbouring checkpoints share luck, so their mean is noisier than independent noise would be.
    The third difference of four adjoining means of w has variance 20σ²/w for independent noise
    (one order above the Hadamard variance of clock noise, Riley 2008, NIST SP 1065), whatever the
    quadratic trend. The median of its square over series and time, relative to that, is the
    factor: at least 1, never falling with w. A scale of which fewer than eight fit into the series
    is not measured, since one real change would touch most differences: it grows as the last did.
    """
    factor: dict[int, float] = {}
    last, growth = 1.0, 1.0
    for scale in scales:
        long = [rows for rows in series if rows.size >= 8 * scale]
        if long:
            seen = np.concatenate([_third_difference(rows, scale) for rows in long])
            squares = np.square(seen) * scale / 20
            found = max(last, float(np.median(squares)) / float(stats.chi2.median(1)))
            growth, last = found / last, found
        elif scale > 1:
            last *= growth
        factor[scale] = last
    return factor


def noise_tails(series: Sequence[Floats]) -> float:
    """Excess kurtosis of checkpoint noise, from peaks: how much likelier than normal a checkpoint
    far off the rest is. 0 where normal noise would do.

    series  scores divided by their noise per checkpoint, each shape (checkpoints,)

    Nothing regresses upwards, so the lone high checkpoints of a run tell how far a lone low one may
    lie by chance (the empirical null of Efron 2004, from the side without effects). A peak is a
    score above both its neighbours (the knee of a learning curve lies above their mean only) whose
    neighbours do not themselves lie as far below the mean of theirs: steps of learning, and falls,
    come in such pairs and are left out. The kurtosis
    of the peaks counts where it exceeds that of normal noise at the one-sided 5 % level.
    """
    picked = []
    for rows in series:
        if rows.size >= 5:
            height = (rows[1:-1] - (rows[:-2] + rows[2:]) / 2) / math.sqrt(1.5)
            here, deepest = height[1:-1], np.minimum(height[:-2], height[2:])
            highest = rows[2:-2] > np.maximum(rows[1:-3], rows[3:-1])
            picked.append(here[highest & (-deepest < 0.8 * here)])
    peaks = np.concatenate(picked) if picked else np.empty(0)
    if peaks.size < 2 or not peaks.any():
        return 0.0
    kurtosis = float((peaks**4).mean() / np.square(peaks).mean() ** 2)
    if kurtosis <= _PEAK_KURTOSIS + float(stats.norm.isf(0.05)) * _PEAK_ERROR / peaks.size**0.5:
        return 0.0
    return 3 * kurtosis / _PEAK_KURTOSIS - 3


def _third_difference(rows: Floats, scale: int) -> Floats:
    sums = np.concatenate([[0.0], np.cumsum(rows)])
    means = (sums[scale:] - sums[:-scale]) / scale
    answer: Floats = (
        means[3 * scale :]
        - 3 * means[2 * scale : -scale]
        + 3 * means[scale : -2 * scale]
        - means[: -3 * scale]
    )
    return answer


def _m_scale(squares: Floats) -> float:
    """σ² solving mean(min(x², b²σ²)) = κσ², from above."""
    variance = float(squares.max())
    for _ in range(500):
        smaller = float(np.minimum(squares, _BOUND**2 * variance).mean()) / _CONSISTENT
        if smaller >= variance * (1 - 1e-6):
            break
        variance = smaller
    return variance


def _common_tau2(raw: Floats, df: Floats, floor: Floats) -> float:
    expected = stats.chi2.median(df) / df

    def excess(tau2: float) -> float:
        level = floor + tau2
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(raw > 0, raw / level, 0.0)
        return float(np.median(ratio / expected)) - 1

    top = 2 * float((raw / expected).max())
    # Not from 0, where a score without sampling error would divide by it.
    least = 1e-9 * top
    if top <= 0 or excess(least) <= 0:
        return 0.0
    return float(optimize.brentq(excess, least, top, xtol=least))


def _fit_prior(ratio: Floats, df: Floats, paired: bool) -> tuple[float, float]:
    """(s₀², d₀) of ratio ~ s₀² F(df, d₀) by the moments of logarithms, extremes pulled in."""
    if ratio.size < 3:
        # Nothing to tell how series differ: none is corrected by the others.
        return (1.0 if paired else float(np.median(ratio))), 0.0
    logs = np.log(np.maximum(ratio, 1e-3)) - special.digamma(df / 2) + np.log(df / 2)
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))
    logs = np.clip(logs, middle - 2.5 * spread, middle + 2.5 * spread)
    between = float(logs.var(ddof=1) - special.polygamma(1, df / 2).mean())
    if between <= 0:
        return math.exp(float(logs.mean())), math.inf
    half = _inverse_trigamma(between)
    return math.exp(float(logs.mean()) + special.digamma(half) - math.log(half)), 2 * half


def _shrunk(ratio: float, df: float, prior: float, prior_df: float) -> tuple[float, float]:
    if prior_df == 0:
        return ratio, df
    limit = prior * (
        stats.f.isf(0.05, df, prior_df)
        if math.isfinite(prior_df)
        else stats.chi2.isf(0.05, df) / df
    )
    if ratio > limit:
        return ratio, df
    if math.isinf(prior_df):
        return prior, math.inf
    return (prior_df * prior + df * ratio) / (prior_df + df), prior_df + df


def _inverse_trigamma(value: float) -> float:
    return float(optimize.brentq(lambda x: special.polygamma(1, x) - value, 1e-6, 1e8))
