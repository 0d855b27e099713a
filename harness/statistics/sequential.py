"""Anytime-valid inference for a stream of new items within one comparison, and online FDR.

A confidence sequence may be looked at after every item and stopped at will; an e-value of 1/α or
more refutes its hypothesis at level α however the stopping was chosen. Both need items that arrive
afresh: the next item's score must not depend on those seen, given the two checkpoints. Multiplying
e-values over checkpoints that are scored on the same items is therefore INVALID: every factor holds
the same luck of the baseline on those items, and false alarms come several times as often as
claimed (a test shows it). For a run of checkpoints use `spent_at`, or `lond` and `saffron` here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.statistics.clusters import Floats, finite

StreamMethod = Literal["betting", "empirical-bernstein"]


@dataclass(frozen=True, eq=False)
class ConfidenceSequence:
    """Limits that hold at all times together with probability 1 − α.

    low high  shape (n,): after each score, in its unit; they only ever narrow
    """

    low: Floats
    high: Floats
    alpha: float


@dataclass(frozen=True, eq=False)
class OnlineDecisions:
    """Tests decided one by one.

    levels    shape (n,): the level of each test, fixed before it was seen
    rejected  shape (n,): whether p ≤ level
    """

    levels: Floats
    rejected: np.ndarray


def confidence_sequence(
    values: Sequence[float] | Floats,
    alpha: float = 0.05,
    bounds: tuple[float, float] = (0.0, 1.0),
    method: StreamMethod = "betting",
    grid: int = 1000,
) -> ConfidenceSequence:
    """A confidence sequence for the mean of bounded scores that arrive one by one.

    values  in order of arrival, within `bounds`: (0, 1) for scores, (−1, 1) for paired differences
    method  of Waudby-Smith and Ramdas (2023, "Estimating means of bounded random variables by
            betting", JRSS-B): "betting" is the hedged capital process with predictable plug-in bets
            (section 4), "empirical-bernstein" the closed form (theorem 2), wider and quicker
    grid    candidate means that betting tries between the bounds; limits are rounded outwards

    Items that share a passage must arrive as one value, their mean. Raises ValueError: a value out
    of bounds, alpha outside (0, 1).
    """
    unit = _unit(values, alpha, bounds)
    if method == "betting":
        low, high = _betting(unit, alpha, grid)
    else:
        low, high = _bernstein(unit, alpha)
    width = bounds[1] - bounds[0]
    return ConfidenceSequence(
        low=bounds[0] + width * np.maximum.accumulate(np.clip(low, 0, 1)),
        high=bounds[0] + width * np.minimum.accumulate(np.clip(high, 0, 1)),
        alpha=alpha,
    )


def drop_e_values(
    values: Sequence[float] | Floats,
    null: float = 0.0,
    bounds: tuple[float, float] = (-1.0, 1.0),
    alpha: float = 0.05,
) -> Floats:
    """The e-process against "the mean is at least `null`": evidence of a drop after each score.

        e_t = Π (1 − λ_i (x_i − null)),  λ_i ≥ 0 chosen from earlier scores only

    of Waudby-Smith and Ramdas (2023); the bets suit a decision at level `alpha`, at which
    e_t ≥ 1/alpha refutes the hypothesis at any time (Ville's inequality).

    values  paired differences of new items in order of arrival, within `bounds`
    null    within `bounds`; −margin tests non-inferiority. Answers shape (n,).
    """
    unit = _unit(values, alpha, bounds)
    centre = (null - bounds[0]) / (bounds[1] - bounds[0])
    if not 0 < centre < 1:
        raise ValueError(f"null is {null}, expected inside {bounds}")
    bets = np.minimum(_bets(unit, alpha), 0.5 / (1 - centre))
    answer: Floats = np.exp(np.cumsum(np.log1p(-bets * (unit - centre))))
    return answer


def lond(p_values: Sequence[float] | Floats, alpha: float = 0.05) -> OnlineDecisions:
    """Online control of the false discovery rate: level_t = α·γ_t·(1 + discoveries so far).

    Javanmard and Montanari (2018, "Online rules for control of false discovery rate and false
    discovery exceedance"), γ_t ∝ 1/(t log² t); valid for independent or positively dependent p
    (Zrnic, Ramdas and Jordan 2021). One p per checkpoint, or per metric and checkpoint in order.
    """
    p = _p_values(p_values, alpha)
    shares = _shares(p.size)
    levels, rejected = np.empty(p.size), np.zeros(p.size, dtype=bool)
    for t in range(p.size):
        levels[t] = alpha * shares[t] * (1 + int(rejected[:t].sum()))
        rejected[t] = p[t] <= levels[t]
    return OnlineDecisions(levels, rejected)


def saffron(
    p_values: Sequence[float] | Floats, alpha: float = 0.05, candidate: float = 0.5
) -> OnlineDecisions:
    """Online control of the false discovery rate for independent p-values, adaptive to the share of
    true changes: tests with p above `candidate` cost nothing.

    Ramdas et al. (2018, "SAFFRON: an adaptive algorithm for online control of the false discovery
    rate", algorithm 1) with initial wealth α/2 and γ_t ∝ t^-1.6. Checkpoints that share a baseline
    are not independent: use `lond` there.
    """
    p = _p_values(p_values, alpha)
    if not 0 < candidate < 1:
        raise ValueError(f"candidate is {candidate}, expected between 0 and 1")
    shares = np.arange(1, p.size + 1, dtype=np.float64) ** -1.6 / 2.2857656  # ζ(1.6)
    wealth = alpha / 2
    levels, rejected = np.empty(p.size), np.zeros(p.size, dtype=bool)
    candidates = p <= candidate
    for t in range(p.size):
        seen = np.concatenate([[0], np.cumsum(candidates[:t])])
        earned = wealth * shares[t - seen[t]]
        for order, when in enumerate(np.flatnonzero(rejected[:t]).tolist()):
            # Since each discovery, counting only tests that were no candidates.
            since = t - when - 1 - int(seen[t] - seen[when + 1])
            earned += (alpha - wealth if order == 0 else alpha) * shares[since]
        levels[t] = min(candidate, (1 - candidate) * earned)
        rejected[t] = p[t] <= levels[t]
    return OnlineDecisions(levels, rejected)


def _betting(unit: Floats, alpha: float, grid: int) -> tuple[Floats, Floats]:
    bets = _bets(unit, alpha)
    means = np.linspace(0, 1, grid + 1)
    up, down = np.zeros(means.size), np.zeros(means.size)
    with np.errstate(divide="ignore"):
        most_up, most_down = 0.5 / means, 0.5 / (1 - means)
    inside = np.ones(means.size, dtype=bool)
    low, high = np.empty(unit.size), np.empty(unit.size)
    threshold = math.log(2 / alpha)
    first, last = 0, means.size - 1
    for t, (value, bet) in enumerate(zip(unit.tolist(), bets.tolist(), strict=True)):
        # Means already refuted need no more capital.
        kept = slice(first, last + 1)
        gap = value - means[kept]
        up[kept] += np.log1p(np.minimum(bet, most_up[kept]) * gap)
        down[kept] += np.log1p(-np.minimum(bet, most_down[kept]) * gap)
        inside[kept] &= np.maximum(up[kept], down[kept]) < threshold
        left = np.flatnonzero(inside[kept])
        if left.size:
            first, last = first + int(left[0]), first + int(left[-1])
        low[t], high[t] = means[max(first - 1, 0)], means[min(last + 1, means.size - 1)]
    return low, high


def _bernstein(unit: Floats, alpha: float) -> tuple[Floats, Floats]:
    bets = np.minimum(_bets(unit, alpha), 0.5)
    before = np.concatenate([[0.5], _running_mean(unit)[:-1]])
    cost = np.cumsum(np.square(unit - before) * (-np.log1p(-bets) - bets))
    total = np.cumsum(bets)
    centre = np.cumsum(bets * unit) / total
    reach = (math.log(2 / alpha) + cost) / total
    return centre - reach, centre + reach


def _bets(unit: Floats, alpha: float) -> Floats:
    """The predictable plug-in λ_t = sqrt(2 log(2/α) / (σ̂²_{t−1} t log(1 + t)))."""
    number = np.arange(1, unit.size + 1)
    spread = (0.25 + np.cumsum(np.square(unit - _running_mean(unit)))) / (number + 1)
    known = np.concatenate([[0.25], spread[:-1]])
    answer: Floats = np.sqrt(2 * math.log(2 / alpha) / (known * number * np.log(1 + number)))
    return answer


def _running_mean(unit: Floats) -> Floats:
    answer: Floats = (0.5 + np.cumsum(unit)) / (np.arange(1, unit.size + 1) + 1)
    return answer


def _shares(size: int) -> Floats:
    number = np.arange(1, size + 1, dtype=np.float64)
    # Σ 1/(t log² max(t, 2)) over all t is 4.1911, rounded up.
    answer: Floats = 1 / (number * np.square(np.log(np.maximum(number, 2)))) / 4.1912
    return answer


def _unit(values: Sequence[float] | Floats, alpha: float, bounds: tuple[float, float]) -> Floats:
    rows = finite(values)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, expected between 0 and 1")
    if not bounds[0] < bounds[1]:
        raise ValueError(f"bounds are {bounds}, expected the lower first")
    if rows.min() < bounds[0] or rows.max() > bounds[1]:
        raise ValueError(f"a score lies outside {bounds}: a stream needs the range of its scores")
    return (rows - bounds[0]) / (bounds[1] - bounds[0])


def _p_values(p_values: Sequence[float] | Floats, alpha: float) -> Floats:
    p = finite(p_values)
    if not (p.min() >= 0 and p.max() <= 1 and 0 < alpha < 1):
        raise ValueError("expected p-values from 0 to 1 and alpha between 0 and 1")
    return p
