"""Bootstrap of Bradley-Terry strengths over clusters of battles: drawn anew, or reweighted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.arena.bradley_terry import Fit, cluster_scores, inverse, newton
from harness.arena.graph import examine
from harness.arena.threads import single_threaded
from harness.arena.types import BattleTable, Floats
from harness.errors import HarnessError

# Draws that are fitted at once; more would not fit the cache.
_AT_ONCE = 50
# A bootstrap of which more draws have no finite ratings says little about the tails.
_MOST_FAILED = 0.1


@dataclass(frozen=True)
class Draws:
    """theta: (draws, M), anchored as the fit was; failed: draws that had no finite ratings and
    are left out."""

    theta: Floats
    failed: int


@single_threaded
def multinomial(table: BattleTable, found: Fit, draws: int, seed: int) -> Draws:
    """Draws as many clusters as there are, with replacement, and fits each sample anew.

    Raises HarnessError for fewer than two clusters, or where more than a tenth of the samples
    have no finite ratings (the battles are too few for a bootstrap without a prior).
    """
    _check_clusters(table)
    rng = np.random.default_rng(seed)
    share = np.full(table.clusters, 1 / table.clusters)
    cells, weights = _cells_by_cluster(table)
    size = len(table.models)
    kept: list[Floats] = []
    for begin in range(0, draws, _AT_ONCE):
        count = min(_AT_ONCE, draws - begin)
        times = rng.multinomial(table.clusters, share, size=count).astype(np.float64)
        won = np.asarray(weights @ times.T).T
        full = np.zeros((count, size * size))
        full[:, cells] = won
        samples = full.reshape(count, size, size)
        if found.prior == 0:
            samples = samples[[examine(table.models, one).rateable for one in samples]]
        if len(samples):
            kept.append(newton(samples, found.prior, found.theta)[0])
    theta = np.concatenate(kept) if kept else np.empty((0, size))
    failed = draws - len(theta)
    if failed > _MOST_FAILED * draws:
        raise HarnessError(
            f"{failed} of {draws} bootstrap samples have no finite ratings: too few battles for a "
            "bootstrap; take the sandwich interval, or state a prior (--prior 1)"
        )
    return Draws(found.contrast(theta), failed)


@single_threaded
def multiplier(table: BattleTable, found: Fit, draws: int, seed: int) -> Draws:
    """Weighs each cluster by a Poisson(1) draw and takes one Newton step from the fit, its
    Hessian held: θ* = θ + H⁻¹ Σ (w − 1) s, s the clusters' scores.

    Thousands of draws cost two matrix products. It agrees with the sandwich to first order, so
    it is for many clusters; for a handful, `multinomial` shows the skew that this cannot.
    """
    _check_clusters(table)
    scores = cluster_scores(table, found)
    influence = (scores - scores.mean(0)) @ found.contrast(inverse(found).T)
    # In single precision: the error, one part in ten million of a deviation, is far below the
    # noise of the draws.
    narrow = influence.astype(np.float32)
    rng = np.random.default_rng(seed)
    theta = np.empty((draws, len(table.models)))
    for begin in range(0, draws, _AT_ONCE):
        count = min(_AT_ONCE, draws - begin)
        times = poisson_one(rng, (count, table.clusters))
        times -= 1
        theta[begin : begin + count] = times @ narrow
    return Draws(found.theta + theta, 0)


def poisson_one(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Poisson(1) draws as float32, by inversion of 16 random bits: probabilities are right to
    2⁻¹⁶, and the mean and the variance to 1e-4, at a fifth of the cost of exact draws."""
    return _POISSON[rng.integers(0, 1 << 16, size=shape, dtype=np.uint16)]


def _poisson_table() -> np.ndarray:
    from math import exp, factorial

    below = np.cumsum([exp(-1) / factorial(k) for k in range(12)])
    middles = (np.arange(1 << 16) + 0.5) / (1 << 16)
    return np.searchsorted(below, middles).astype(np.float32)


_POISSON = _poisson_table()


def _check_clusters(table: BattleTable) -> None:
    if table.clusters < 2:
        raise HarnessError("all battles are on one prompt: a bootstrap needs two or more prompts")


def _cells_by_cluster(table: BattleTable):  # type: ignore[no-untyped-def]
    """The pairs of models that met, as flat indices of an (M, M) matrix, and what each cluster
    adds to them, sparse (pairs, G)."""
    from scipy.sparse import coo_array

    size = len(table.models)
    flat = np.concatenate([table.a * size + table.b, table.b * size + table.a])
    value = np.concatenate([table.weight * table.score, table.weight * (1 - table.score)])
    cluster = np.concatenate([table.cluster, table.cluster])
    cells, row = np.unique(flat, return_inverse=True)
    sparse = coo_array((value, (row, cluster)), shape=(cells.size, table.clusters))
    return cells, sparse.tocsr()
