"""The sign-flip permutation test of a paired change over clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.statistics.clusters import Floats
from harness.statistics.paired import PairedData

# Enumerating 2^18 signs takes some milliseconds; convolving takes about this many products.
_ENUMERATED = 18
_PRODUCTS = 3e7
_DENOMINATORS = 64


@dataclass(frozen=True)
class SignFlip:
    """Permutation p-values of "no change".

    p_two_sided  by the size of the change;  p_drop, p_rise: one-sided
    method       exact by lattice or by enumeration, or monte-carlo
    draws        sign patterns drawn at random, 0 for exact
    error        standard error that the draws leave in p_two_sided, 0 for exact
    """

    p_two_sided: float
    p_drop: float
    p_rise: float
    method: Literal["lattice", "enumeration", "monte-carlo"]
    draws: int
    error: float


def sign_flip(data: PairedData, draws: int = 9_999, seed: int = 0) -> SignFlip:
    """Permutation test of a paired change: under no change, swapping base and candidate for a whole
    cluster is as likely as not (Fisher 1935; for clusters Winkler et al. 2015).

    Only the sums of differences within clusters matter, so a cluster is one signed number, and:

    - sums that are whole multiples of 1/d, d ≤ 64 (right or wrong, means of a few samples) have
      their exact distribution by convolution on that lattice;
    - up to 18 clusters that changed have all their sign patterns counted;
    - else `draws` patterns at random, p = (1 + as extreme)/(1 + draws) (Phipson and Smyth 2010).
      One random byte looks up the partial sum of eight clusters.

    Without clusters and on binary items the exact p is McNemar's. Raises ValueError: draws < 1.
    """
    if draws < 1:
        raise ValueError(f"{draws} draws: expected at least 1")
    sums = np.bincount(data.cluster, weights=data.difference)
    size = np.abs(sums)
    moved = size > 1e-12 * data.scale
    observed, size = float(sums.sum()), size[moved]
    lattice = _lattice(size)
    if lattice is not None:
        denominator, steps = lattice
        counts = _convolved(steps)
        totals = (np.arange(counts.size) - steps.sum()) / denominator
        return _exact(totals, counts, observed, "lattice")
    if size.size <= _ENUMERATED:
        totals = np.zeros(1)
        for step in size:
            totals = np.concatenate([totals - step, totals + step])
        return _exact(totals, np.full(totals.size, 1 / totals.size), observed, "enumeration")
    return _sampled(size, observed, draws, seed)


def _lattice(size: Floats) -> tuple[int, np.ndarray] | None:
    """(d, whole numbers d·size) for the least d that makes them whole; None where no small d does
    or the convolution would be long."""
    for denominator in range(1, _DENOMINATORS + 1):
        scaled = size * denominator
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= 1e-9 * np.maximum(1.0, scaled)).all():
            steps = whole.astype(np.int64)
            length = 2 * int(steps.sum()) + 1
            distinct = np.unique(steps).size
            return (denominator, steps) if distinct * length**2 / 4 <= _PRODUCTS else None
    return None


def _convolved(steps: np.ndarray) -> Floats:
    """Probabilities of Σ ± step at −Σ steps … Σ steps: steps of one size are a binomial."""
    from scipy import stats

    spread: Floats = np.ones(1)
    for step, count in zip(*np.unique(steps, return_counts=True), strict=True):
        own = np.zeros(2 * int(step) * int(count) + 1)
        own[:: 2 * int(step)] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        spread = np.convolve(spread, own).astype(np.float64)
    return spread


def _exact(
    totals: Floats,
    weights: Floats,
    observed: float,
    method: Literal["lattice", "enumeration"],
) -> SignFlip:
    # Sums that differ by rounding only are ties.
    slack = 1e-9 * max(1.0, float(np.abs(totals).max()))
    return SignFlip(
        p_two_sided=min(1.0, float(weights[np.abs(totals) >= abs(observed) - slack].sum())),
        p_drop=min(1.0, float(weights[totals <= observed + slack].sum())),
        p_rise=min(1.0, float(weights[totals >= observed - slack].sum())),
        method=method,
        draws=0,
        error=0.0,
    )


def _sampled(size: Floats, observed: float, draws: int, seed: int) -> SignFlip:
    octets = np.pad(size, (0, -size.size % 8)).reshape(-1, 8)
    signs = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    # partial[b, j]: the sum of octet j under the signs of byte b, flat for one gather.
    partial = (octets @ signs.T).ravel()
    offset = np.arange(octets.shape[0], dtype=np.int32) * 256
    random = np.random.default_rng(seed)
    totals = np.empty(draws)
    chunk = max(1, 200_000 // octets.shape[0])
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        drawn = random.integers(0, 256, (rows, octets.shape[0]), dtype=np.uint8)
        totals[start : start + rows] = partial[drawn + offset].sum(axis=1)
    slack = 1e-9 * float(size.sum())
    beyond = int(np.count_nonzero(np.abs(totals) >= abs(observed) - slack))
    p = (1 + beyond) / (1 + draws)
    return SignFlip(
        p_two_sided=p,
        p_drop=(1 + int(np.count_nonzero(totals <= observed + slack))) / (1 + draws),
        p_rise=(1 + int(np.count_nonzero(totals >= observed - slack))) / (1 + draws),
        method="monte-carlo",
        draws=draws,
        error=math.sqrt(p * (1 - p) / draws),
    )
