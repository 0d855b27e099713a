"""Bradley-Terry strengths by Newton's method on pair counts, with sandwich covariances.

The model: a beats b with probability σ(θa − θb); a tie is half a win for each. θ minimises
−Σ w [y log p + (1 − y) log(1 − p)], y the score of a. The display scale is θ·400/ln 10 + anchor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from harness.arena.counts import PairCounts
from harness.arena.graph import examine
from harness.arena.threads import single_threaded
from harness.arena.types import BattleTable, Floats
from harness.errors import HarnessError

# Points of the display scale for one unit of θ: 400 points are odds of ten to one.
POINTS = 400 / math.log(10)

_STEPS = 100
_TOLERANCE = 1e-11


@dataclass(frozen=True)
class Fit:
    """Fitted strengths.

    theta    (M,); mean 0, or the anchored model at 0
    hessian  of the loss, prior included, (M, M): singular along 1 without a prior
    prior    virtual ties of each model with a player of strength 0
    pinned   index of the model that is held at 0; None: the mean is
    steps    Newton steps taken
    """

    models: tuple[str, ...]
    theta: Floats
    hessian: Floats
    prior: float
    pinned: int | None
    steps: int

    def contrast(self, values: Floats) -> Floats:
        """Moves strengths, (..., M), so that their mean or the pinned one is 0."""
        if self.pinned is None:
            return np.asarray(values - values.mean(-1, keepdims=True))
        return np.asarray(values - values[..., self.pinned, None])


@single_threaded
def fit(counts: PairCounts, *, prior: float = 0.0, pinned: str | None = None) -> Fit:
    """Strengths of greatest likelihood.

    prior   virtual ties of every model with one player of strength 0: pulls ratings towards each
            other and makes them finite for any battles; 0 is none
    pinned  the model to hold at 0; otherwise the mean is 0

    Raises HarnessError where no finite strengths exist and there is no prior (groups that never
    met, models that only won or only lost: `graph.examine`), or the pinned model has no battles.
    """
    if prior < 0:
        raise HarnessError(f"prior is {prior}, expected a number of virtual ties, 0 or more")
    if pinned is not None and pinned not in counts.models:
        raise HarnessError(f"{pinned} has no battles here, so nothing can be anchored at it")
    if prior == 0:
        graph = examine(counts.models, counts.won)
        if not graph.rateable:
            raise HarnessError(
                f"no finite ratings: {graph.report()}; add battles that connect them, leave "
                "models out, or state a prior (--prior 1)"
            )
    theta, hessian, steps = newton(counts.won[None], prior)
    index = None if pinned is None else counts.models.index(pinned)
    found = Fit(counts.models, theta[0], hessian[0], prior, index, steps)
    return Fit(counts.models, found.contrast(theta[0]), hessian[0], prior, index, steps)


def newton(won: Floats, prior: float, start: Floats | None = None) -> tuple[Floats, Floats, int]:
    """Strengths with mean 0 (without a prior) and Hessians of D problems at once; the steps taken.

    won    (D, M, M), `PairCounts.won` of each
    start  (D, M) or (M,), where to begin; 0 otherwise

    Every problem must have a finite solution. A step that does not lower the loss is halved.
    """
    draws, size, _ = won.shape
    total = won + won.transpose(0, 2, 1)
    theta = (
        np.zeros((draws, size))
        if start is None
        else np.array(np.broadcast_to(start, won.shape[:2]))
    )
    loss = _losses(won, prior, theta)
    hessian = np.empty_like(won)
    for step in range(1, _STEPS + 1):
        p = expit(theta[:, :, None] - theta[:, None, :])
        own = expit(theta)
        slope = (won - total * p).sum(2) + prior * (0.5 - own)
        spread = total * p * (1 - p)
        hessian = -spread
        diagonal = np.arange(size)
        hessian[:, diagonal, diagonal] += spread.sum(2) + prior * own * (1 - own)
        move = np.linalg.solve(_regular(hessian, prior), slope[:, :, None])[:, :, 0]
        if float(np.abs(move).max()) < _TOLERANCE:
            return theta + move, hessian, step
        scale = np.ones((draws, 1))
        for _ in range(40):
            after = _losses(won, prior, theta + scale * move)
            # Near the end the loss is flat to rounding, and any step is as good.
            worse = after > loss + 1e-9 * np.abs(loss)
            if not worse.any():
                break
            scale[worse] /= 2
        theta, loss = theta + scale * move, after
    raise HarnessError(
        f"the ratings did not settle in {_STEPS} Newton steps: the battles are all but "
        "separated; state a prior (--prior 1)"
    )


def _losses(won: Floats, prior: float, theta: Floats) -> Floats:
    difference = theta[:, :, None] - theta[:, None, :]
    lost = (won * np.logaddexp(0.0, -difference)).sum((1, 2))
    virtual = 0.5 * (np.logaddexp(0.0, -theta) + np.logaddexp(0.0, theta))
    return np.asarray(lost + prior * virtual.sum(1))


def _regular(hessian: Floats, prior: float) -> Floats:
    """The Hessian with its null direction (all strengths moved alike) filled in: solutions keep
    their mean, and differences are not touched."""
    if prior > 0:
        return hessian
    size = hessian.shape[-1]
    level = np.trace(hessian, axis1=-2, axis2=-1) / size**2
    return np.asarray(hessian + level[..., None, None])


def inverse(found: Fit) -> Floats:
    """The inverse Hessian on the space that the data (and prior) speak of, (M, M)."""
    return np.asarray(np.linalg.inv(_regular(found.hessian, found.prior)))


@single_threaded
def covariance(found: Fit, meat: Floats) -> Floats:
    """The sandwich H⁻¹ B H⁻¹ of the anchored strengths, (M, M); meat: B, (M, M)."""
    bread = found.contrast(inverse(found).T)  # rows: the influence of a score, after anchoring
    return np.asarray(bread.T @ meat @ bread)


def battle_meat(counts: PairCounts, found: Fit) -> Floats:
    """B where every battle is independent: Σ w²(y − p)² (ea − eb)(ea − eb)ᵀ, with the factor
    n/(n − 1) of small samples."""
    p = expit(found.theta[:, None] - found.theta[None, :])
    # Each pair once from either side: y² (1−p)² + (1−y)² p² − 2 y(1−y) p(1−p), expanded (y − p)².
    residual = (
        counts.squared * np.square(1 - p)
        + counts.squared.T * np.square(p)
        - 2 * counts.crossed * p * (1 - p)
    )
    meat = -residual
    np.fill_diagonal(meat, residual.sum(1))
    n = counts.battles
    return np.asarray(meat * (n / (n - 1)))


def cluster_scores(table: BattleTable, found: Fit) -> Floats:
    """The score Σ w (y − p)(ea − eb) of each cluster, (G, M)."""
    p = expit(found.theta[table.a] - found.theta[table.b])
    residual = table.weight * (table.score - p)
    size = len(table.models)
    cells = table.clusters * size
    scores = np.bincount(table.cluster * size + table.a, residual, cells)
    scores -= np.bincount(table.cluster * size + table.b, residual, cells)
    return np.asarray(scores, np.float64).reshape(table.clusters, size)


@single_threaded
def cluster_meat(table: BattleTable, found: Fit) -> Floats:
    """B where only clusters are independent: Σ s sᵀ over their scores, with the factor G/(G − 1)
    (Liang and Zeger 1986; the usual correction for few clusters)."""
    if table.clusters < 2:
        raise HarnessError(
            "all battles are on one prompt: an interval over prompts needs two or more"
        )
    scores = cluster_scores(table, found)
    # Their sum is 0 but for a prior, which pulls against it.
    scores -= scores.mean(0)
    return np.asarray(scores.T @ scores * (table.clusters / (table.clusters - 1)))
