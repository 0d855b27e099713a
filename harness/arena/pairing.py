"""Which battle to hold next, and how many it takes to tell two models apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr, ndtri

from harness.arena.bradley_terry import POINTS, newton
from harness.arena.threads import single_threaded
from harness.arena.types import Floats, Ints
from harness.errors import HarnessError

# Virtual ties with a mean player that keep beliefs finite before there are battles: a model of
# which nothing is known stands within ±680 points of the mean (95 %).
PRIOR = 1.0
POWER = 0.8
MARGIN = 20.0
# Differences that count for less than this share of the greatest are settled.
_NEGLIGIBLE = 1e-4


@dataclass(frozen=True)
class Beliefs:
    """What is known of the strengths: theta (M,), and their covariance (M, M)."""

    models: tuple[str, ...]
    theta: Floats
    covariance: Floats


@dataclass(frozen=True)
class Proposal:
    """A battle that is worth holding.

    gap     points by which model_a is ahead as far as is known; se its standard error
    doubt   chance that the order of the two is wrong, at most one half
    gain    what the battle is worth, see `propose`
    needed  further battles of these two until their intervals part, see `battles_needed`
    """

    model_a: str
    model_b: str
    gap: float
    se: float
    doubt: float
    gain: float
    needed: int | None


@single_threaded
def believe(
    models: tuple[str, ...],
    won: Floats,
    new: Sequence[str] = (),
    prior: float = PRIOR,
    noise: float = 1.0,
) -> Beliefs:
    """Beliefs from battles, (M, M) as `PairCounts.won`; new: models that have had none.

    noise  factor on the variance that battles leave: above 1 where battles on one prompt agree
           more than chance (the ratio of clustered to model variance)
    """
    names = (*models, *(name for name in new if name not in models))
    size, known = len(names), len(models)
    all_won = np.zeros((1, size, size))
    all_won[0, :known, :known] = won
    theta, hessian, _ = newton(all_won, prior)
    return Beliefs(names, theta[0], np.linalg.inv(hessian[0]) * noise)


@single_threaded
def propose(
    beliefs: Beliefs,
    count: int = 1,
    *,
    focus: str | None = None,
    opponents: Sequence[str] = (),
    level: float = 0.95,
    power: float = POWER,
    margin: float = MARGIN,
) -> list[Proposal]:
    """The next battles, best first, each chosen as if those before it had been held.

    A battle of i and j adds information p(1 − p), averaged over what p may be, on θi − θj, and
    so shrinks the variance of every difference that it bears on. Its gain is the sum of these
    relative shrinkages, each weighted by the squared doubt about the order of its two models:
    close ratings and models of few battles come first, settled ones never. (Squared, because
    in `benchmarks/arena_simulation.py` that finds the order soonest.) The doubt is the chance
    that the order is wrong by more than `margin` points, so that two models of one strength do
    not take all battles for ever.

    focus      a model to place: only its differences count, and only its battles are proposed
    opponents  whom it may meet (anchors); all when empty
    """
    size = len(beliefs.models)
    if size < 2:
        raise HarnessError("one model alone has nobody to meet: name another")
    index = {name: number for number, name in enumerate(beliefs.models)}
    first, second = np.triu_indices(size, 1)
    targets = first, second
    if focus is not None:
        # Both as they stand: the focus with everybody else.
        others = np.array([n for n in range(size) if n != index[focus]])
        targets = np.full(size - 1, index[focus]), others
        allowed = [index[name] for name in opponents if name != focus] or list(others)
        first, second = np.full(len(allowed), index[focus]), np.array(allowed)
    elif opponents:
        raise HarnessError("opponents are for a model to place: name it too")
    spread = beliefs.covariance.copy()
    found = []
    for _ in range(count):
        gains, weight = _gains(beliefs.theta, spread, (first, second), targets, margin / POINTS)
        best = int(gains.argmax())
        i, j = int(first[best]), int(second[best])
        found.append(_proposal(beliefs, spread, i, j, float(gains[best]), level, power))
        along = spread[:, i] - spread[:, j]
        spread = spread - np.outer(along, along) * (
            weight[best] / (1 + weight[best] * (along[i] - along[j]))
        )
    return found


def _gains(
    theta: Floats,
    spread: Floats,
    battles: tuple[Ints, Ints],
    targets: tuple[Ints, Ints],
    margin: float,
) -> tuple[Floats, Floats]:
    """Gain and information of each candidate battle."""
    first, second = battles
    along = spread[:, first] - spread[:, second]  # (M, candidates)
    columns = np.arange(first.size)
    own = along[first, columns] - along[second, columns]
    # E[p(1 − p)] for a difference N(d, v): the logistic density seen through that doubt.
    weight = _information(theta[first] - theta[second], own)
    k, m = targets
    variance = spread[k, k] + spread[m, m] - 2 * spread[k, m]
    doubt = ndtr(-(np.abs(theta[k] - theta[m]) + margin) / np.sqrt(variance))
    worth = np.square(doubt) / variance
    open_ = worth > _NEGLIGIBLE * worth.max()
    shrunk = np.square(along[k[open_]] - along[m[open_]]) * (weight / (1 + weight * own))
    return np.asarray(worth[open_] @ shrunk), weight


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)


def _information(difference: Floats, variance: Floats) -> Floats:
    p = expit(difference[:, None] + np.sqrt(variance)[:, None] * _NODES)
    return np.asarray((p * (1 - p)) @ _WEIGHTS / _WEIGHTS.sum())


def _proposal(
    beliefs: Beliefs, spread: Floats, i: int, j: int, gain: float, level: float, power: float
) -> Proposal:
    gap = float(beliefs.theta[i] - beliefs.theta[j])
    if gap < 0:
        i, j, gap = j, i, -gap
    se = math.sqrt(spread[i, i] + spread[j, j] - 2 * spread[i, j])
    return Proposal(
        beliefs.models[i],
        beliefs.models[j],
        gap * POINTS,
        se * POINTS,
        float(ndtr(-gap / se)),
        gain,
        battles_needed(gap * POINTS, se * POINTS, level=level, power=power),
    )


def battles_needed(
    gap: float,
    se: float = math.inf,
    *,
    level: float = 0.95,
    power: float = POWER,
    noise: float = 1.0,
) -> int | None:
    """Battles between two models `gap` points apart until, with probability `power`, the interval
    of their difference excludes 0; None for no gap.

    se     standard error of the difference so far, in points: what is known already counts
    noise  variance of a battle relative to p(1 − p): ties lower it, prompts on which battles
           agree raise it

    Each battle adds information p(1 − p)/noise on θa − θb, and d·√information must reach the
    quantiles of both.
    """
    d = abs(gap) / POINTS
    if d == 0:
        return None
    p = float(expit(d))
    wanted = ((float(ndtri(0.5 + level / 2)) + float(ndtri(power))) / d) ** 2
    lacking = wanted - (0.0 if math.isinf(se) else (POINTS / se) ** 2)
    return max(0, math.ceil(lacking * noise / (p * (1 - p))))


def choose_anchors(beliefs: Beliefs, model: str, count: int = 3) -> tuple[str, ...]:
    """Models to place another against, spread over where it may stand (two standard errors about
    its rating, within the scale): of those near each mark the one that is known best. As the
    model's place becomes known they draw together around it."""
    place = beliefs.models.index(model)
    others = [number for number in range(len(beliefs.models)) if number != place]
    if len(others) <= count:
        return tuple(beliefs.models[number] for number in others)
    gap = (beliefs.theta - beliefs.theta[place]) * POINTS
    # Against the mean of the others: the level of them all is nobody's doubt.
    centre = np.eye(len(gap))
    centre[:, others] -= 1 / len(others)
    error = np.sqrt(np.diag(centre @ beliefs.covariance @ centre.T)) * POINTS
    low = max(float(gap[others].min()), -2 * error[place])
    high = min(float(gap[others].max()), 2 * error[place])
    step = max((high - low) / count, 1.0)
    chosen: list[int] = []
    for number in range(count):
        mark = low + step * (number + 0.5)
        free = [one for one in others if one not in chosen]
        # Half a step off its mark costs as much as 25 points of standard error.
        chosen.append(
            min(free, key=lambda one: np.hypot(error[one], (gap[one] - mark) / step * 50))
        )
    return tuple(beliefs.models[number] for number in chosen)
