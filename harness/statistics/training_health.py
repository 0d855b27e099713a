"""Finds what is wrong in training curves: spikes, gradients out of the ordinary, plateaus. Pure.

A point is held against the points just before it, by their median and median absolute deviation,
so that neither the slow fall of a loss nor an earlier spike moves the measure (Hampel 1974; Leys et
al. 2013 for the factor 1.4826, which makes it the standard deviation of normal noise).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Points that a point is held against, and the fewest of them.
WINDOW, FEWEST = 50, 10
# Robust standard deviations from which a point is out of the ordinary.
THRESHOLD = 6.0
# A loss that wavers by less than this share of its level, or a norm by less than this in its
# logarithm, is taken to waver so much: what is smaller matters to nobody.
LEAST_OF_LEVEL, LEAST_LOG = 0.005, 0.05
# Of the last points, at most so many enter a slope: every pair of them is looked at.
_MOST_IN_SLOPE = 200


@dataclass(frozen=True)
class Anomaly:
    """A stretch of neighbouring points that lie too high.

    step, last  where it begins and ends;  value: its highest, infinite for what is no number
    expected    the median of the points before it;  z: how many robust deviations above that
    """

    step: int
    last: int
    value: float
    expected: float
    z: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Plateau:
    """The last stretch of a curve, over which it surely hardly fell.

    since, until  its steps
    change        over the stretch, by the median of all slopes; low, high: its 95 % interval
    level         the stretch's median
    """

    since: int
    until: int
    change: float
    low: float
    high: float
    level: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def loss_spikes(
    steps: Sequence[int],
    losses: Sequence[float],
    *,
    window: int = WINDOW,
    threshold: float = THRESHOLD,
) -> list[Anomaly]:
    """Stretches where the loss jumps above what the points before it lead to expect.

    steps, losses  of one length, by step. A loss that is no finite number is always a spike.
    """
    return _too_high(steps, losses, window, threshold, LEAST_OF_LEVEL, 0.0)


def gradient_anomalies(
    steps: Sequence[int],
    norms: Sequence[float],
    *,
    window: int = WINDOW,
    threshold: float = THRESHOLD,
) -> list[Anomaly]:
    """Stretches where the gradient's norm jumps; on its logarithm, since norms vary by factors.
    `value` and `expected` are norms, `z` is of logarithms. A norm of 0 is not looked at."""
    kept = [(step, norm) for step, norm in zip(steps, norms, strict=True) if norm != 0]
    logs = [math.log(norm) if norm > 0 else math.nan for _, norm in kept]
    found = _too_high([step for step, _ in kept], logs, window, threshold, 0.0, LEAST_LOG)
    return [
        Anomaly(one.step, one.last, math.exp(one.value), math.exp(one.expected), one.z)
        for one in found
    ]


def plateau(
    steps: Sequence[int], losses: Sequence[float], *, window: int = 200, least: float = 0.01
) -> Plateau | None:
    """The last `window` points, if over them the loss surely fell by less than `least` of its
    level: the whole 95 % interval of the Theil-Sen slope (Sen 1968) says so. None for fewer than 20
    points.
    """
    from scipy.stats import theilslopes

    points = [
        (step, loss) for step, loss in zip(steps, losses, strict=True) if math.isfinite(loss)
    ][-window:]
    if len(points) < 20:
        return None
    blocks = np.array_split(np.array(points, dtype=float), min(len(points), _MOST_IN_SLOPE))
    x, y = np.array([np.median(block, axis=0) for block in blocks]).T
    slope, _, low, high = theilslopes(y, x)
    span = float(points[-1][0] - points[0][0])
    level = float(np.median(y))
    if low * span <= -least * abs(level):
        return None
    return Plateau(
        points[0][0],
        points[-1][0],
        float(slope * span),
        float(low * span),
        float(high * span),
        level,
    )


def _too_high(
    steps: Sequence[int],
    values: Sequence[float],
    window: int,
    threshold: float,
    least_share: float,
    least: float,
) -> list[Anomaly]:
    array = np.array(values, dtype=float)
    found: list[Anomaly] = []
    open_since: int | None = None
    for index, value in enumerate(array):
        before = array[max(0, index - window) : index]
        before = before[np.isfinite(before)]
        z = _robust_z(value, before, least_share, least)
        if z <= threshold:
            open_since = None
            continue
        shown = value if math.isfinite(value) else math.inf
        expected = float(np.median(before)) if before.size else math.nan
        one = Anomaly(steps[index], steps[index], float(shown), expected, z)
        if open_since is None:
            found.append(one)
            open_since = index
        else:
            first = found[-1]
            found[-1] = Anomaly(
                first.step,
                one.step,
                max(first.value, one.value),
                first.expected,
                max(first.z, one.z),
            )
    return found


def _robust_z(
    value: float,
    before: np.ndarray[Any, np.dtype[np.float64]],
    least_share: float,
    least: float,
) -> float:
    if not math.isfinite(value):
        return math.inf
    if before.size < FEWEST:
        return 0.0
    middle = float(np.median(before))
    deviation = 1.4826 * float(np.median(np.abs(before - middle)))
    return (value - middle) / max(deviation, least_share * abs(middle), least, 1e-12)
