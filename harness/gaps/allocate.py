"""Turns weights into whole numbers of samples that add up exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.statistics.clusters import Floats


def allocate(
    total: int,
    weights: Sequence[float] | Floats,
    *,
    least: int = 0,
    caps: Sequence[int | None] = (),
) -> list[int]:
    """Whole numbers in proportion to weights, by the method of largest remainders.

    total    to be given out, 0 or more
    weights  finite, 0 or more; a weight of 0 gets nothing
    least    who would get fewer than this gets nothing, the smallest share first, and the others
             divide it; where `total` itself is less, the largest weight gets all of it
    caps     most that each may get, None for no cap; what a cap leaves over goes to the others in
             proportion. Below `least`, a cap counts in its place

    The answers add up to `total`, or to the sum of the caps where that is less, or to 0 where no
    weight is above 0. Ties go to the first. Raises ValueError: a negative or infinite weight, a
    negative total, caps that do not fit.
    """
    share = np.asarray(weights, dtype=np.float64)
    if share.ndim != 1 or not (np.isfinite(share).all() and (share >= 0).all()) or total < 0:
        raise ValueError("expected finite weights and a total, all of them 0 or more")
    if caps and len(caps) != share.size:
        raise ValueError(f"{len(caps)} caps for {share.size} weights")
    top = np.array([np.inf if cap is None else cap for cap in caps or [None] * share.size])
    if (top < 0).any():
        raise ValueError("a cap is below 0")
    floor = np.minimum(least, top)
    active = (share > 0) & (top > 0)
    exact = _poured(total, share, top, active)
    while active.sum() > 1 and (small := active & (exact < floor - 1e-9)).any():
        # One at a time: what it gives up may raise the next above the floor.
        lowest = np.flatnonzero(small)
        active[lowest[::-1][np.argmin(exact[lowest[::-1]])]] = False
        exact = _poured(total, share, top, active)
    return _rounded(exact, top)


def _poured(total: float, share: Floats, top: Floats, active: np.ndarray) -> Floats:
    """Real shares of `total` in proportion, none above its cap."""
    exact = np.zeros(share.size)
    open_ = active.copy()
    rest = float(total)
    while open_.any() and rest > 0:
        # Divided first, so that weights near the smallest floats keep their proportion.
        scaled = share[open_] / share[open_].max()
        given = rest * scaled / scaled.sum()
        full = given >= top[open_]
        places = np.flatnonzero(open_)
        if not full.any():
            exact[places] = given
            break
        exact[places[full]] = top[places[full]]
        rest -= float(top[places[full]].sum())
        open_[places[full]] = False
    return exact


def _rounded(exact: Floats, top: Floats) -> list[int]:
    whole = np.floor(exact + 1e-9)
    missing = round(float(exact.sum() - whole.sum()))
    room = (exact > 0) & (whole < top)
    order = sorted(np.flatnonzero(room), key=lambda at: (whole[at] - exact[at], at))
    for at in order[:missing]:
        whole[at] += 1
    return [int(value) for value in whole]
