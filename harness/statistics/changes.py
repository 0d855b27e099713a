"""Change points of a series, and what became of a drop: lasting, transient, recovered when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.statistics.clusters import Floats, finite

Persistence = Literal["lasting", "transient", "recent"]


@dataclass(frozen=True)
class Break:
    """Where a level shifted; positions count from 0 in the series given.

    at        first position after the shift, most likely
    low high  range of `at` that the data do not tell apart at the level asked
    """

    at: int
    low: int
    high: int


@dataclass(frozen=True)
class Course:
    """What became of a drop.

    persistence  transient: it came back;  lasting: seen low at several checkpoints, up to the end;
                 recent: too few checkpoints since to say
    recovered    first position of the return, None where there is none
    lowest       position of the lowest score while it lasted
    """

    persistence: Persistence
    recovered: int | None
    lowest: int


def change_points(
    values: Sequence[float] | Floats,
    variances: Sequence[float] | Floats,
    penalty: float | None = None,
) -> list[int]:
    """Positions at which the mean level shifts: the segmentation that minimises

        Σ (y − segment mean)² / variance + penalty · number of shifts

    exactly, by PELT (Killick, Fearnhead and Eckley 2012), each point weighted by its own noise.

    values     shape (T,)
    variances  noise of each point, above 0 (`CheckpointNoise.total`)
    penalty    left out: 3 ln T, above the 2 ln T of Schwarz's criterion (a shift and its place)
               because noise is estimated and neighbours are not quite independent

    Answers the first position of every segment but the first. Raises ValueError: faulty rows.
    """
    rows = finite(values)
    weights = 1 / _positive(variances, rows.size)
    if penalty is None:
        penalty = 3 * math.log(max(2, rows.size))
    w = np.concatenate([[0.0], np.cumsum(weights)])
    wy = np.concatenate([[0.0], np.cumsum(weights * (rows - rows.mean()))])
    wyy = np.concatenate([[0.0], np.cumsum(weights * np.square(rows - rows.mean()))])
    best = np.full(rows.size + 1, -penalty)
    previous = np.zeros(rows.size + 1, dtype=np.intp)
    starts = np.array([0])
    for end in range(1, rows.size + 1):
        cost = wyy[end] - wyy[starts] - np.square(wy[end] - wy[starts]) / (w[end] - w[starts])
        total = best[starts] + cost
        chosen = int(np.argmin(total))
        best[end] = total[chosen] + penalty
        previous[end] = starts[chosen]
        # A start that is worse even without its penalty can never win again.
        starts = np.append(starts[total <= best[end]], end)
    found = []
    end = rows.size
    while previous[end] > 0:
        end = int(previous[end])
        found.append(end)
    return found[::-1]


def locate_break(
    values: Sequence[float] | Floats, variances: Sequence[float] | Floats, level: float = 0.95
) -> Break:
    """The place of the one shift that a stretch of a series is known to hold.

    The position of the greatest likelihood of two levels, and the span of positions whose
    likelihood no ratio test tells from it: each weighed by its likelihood, the least set with the
    share `level` of the whole (the profile posterior of a uniform prior, as in Smith 1975).

    Raises ValueError: fewer than two points, faulty rows.
    """
    rows = finite(values)
    weights = 1 / _positive(variances, rows.size)
    if rows.size < 2:
        raise ValueError("a break needs a point on either side")
    before = np.cumsum(weights)[:-1]
    after = weights.sum() - before
    sum_before = np.cumsum(weights * rows)[:-1]
    sum_after = float((weights * rows).sum()) - sum_before
    gain = np.square(sum_before / before - sum_after / after) * before * after / weights.sum() / 2
    share = np.exp(gain - gain.max())
    share /= share.sum()
    order = np.argsort(-share, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(share[order]), level - 1e-12)) + 1]
    return Break(int(order[0]) + 1, int(kept.min()) + 1, int(kept.max()) + 1)


def course(values: Sequence[float] | Floats, at: int, baseline: float, window: int = 1) -> Course:
    """What became of a drop at position `at` from the level `baseline`.

    The score is back at the first later position from which the mean of `window` checkpoints lies
    in the upper half of the drop, nearer to the baseline than to the mean of the first `window`
    low ones. A return seen at fewer than half of `window` checkpoints, when the series ends, is
    not yet one. Without a return the drop is lasting after max(2, window) checkpoints, recent
    before.

    window  checkpoints over which the drop was found: one for a drop far beyond the noise
    """
    rows = finite(values)
    if not 0 <= at < rows.size or window < 1:
        raise ValueError(f"position {at} of {rows.size} with a window of {window}")
    halfway = (baseline + float(rows[at : at + window].mean())) / 2
    recovered = None
    for start in range(at + 1, rows.size):
        ahead = rows[start : start + window]
        if 2 * ahead.size >= window and ahead.mean() >= halfway and rows[start] >= halfway:
            recovered = start
            break
    end = rows.size if recovered is None else recovered
    lowest = at + int(np.argmin(rows[at:end]))
    if recovered is not None:
        return Course("transient", recovered, lowest)
    lasting = rows.size - at >= max(2, window)
    return Course("lasting" if lasting else "recent", None, lowest)


def _positive(variances: Sequence[float] | Floats, n: int) -> Floats:
    rows = np.asarray(variances, dtype=np.float64)
    if rows.shape != (n,) or not (np.isfinite(rows).all() and (rows > 0).all()):
        raise ValueError("expected one variance above 0 for each point")
    return rows
