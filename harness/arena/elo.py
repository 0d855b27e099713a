"""Elo ratings in time order, as FastChat computes them: K 4, scale 400, base 10, start 1000."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit

from harness.arena.types import BattleTable, Floats

K = 4.0
START = 1000.0
SCALE = 400.0


def elo(table: BattleTable, *, k: float = K, start: float = START, scale: float = SCALE) -> Floats:
    """Ratings after the battles in the order of the table, (M,), in points.

    After each battle a gains k·w·(y − 1/(1 + 10^((Rb − Ra)/scale))) and b loses as much. Unlike
    Bradley-Terry, the order of the battles moves the result, and early ones are forgotten.
    """
    ratings = [start] * len(table.models)
    alpha = math.log(10) / scale
    rows = zip(
        table.a.tolist(),
        table.b.tolist(),
        table.score.tolist(),
        table.weight.tolist(),
        strict=True,
    )
    for a, b, score, weight in rows:
        expected = 1 / (1 + math.exp(alpha * (ratings[b] - ratings[a])))
        change = k * weight * (score - expected)
        ratings[a] += change
        ratings[b] -= change
    return np.array(ratings)


def elo_draws(
    table: BattleTable,
    draws: int,
    seed: int,
    *,
    k: float = K,
    start: float = START,
    scale: float = SCALE,
) -> Floats:
    """Ratings of bootstrap samples, (draws, M): clusters are drawn with replacement, the order of
    the battles stays, and a battle drawn n times moves the ratings n times as far."""
    rng = np.random.default_rng(seed)
    share = np.full(table.clusters, 1 / table.clusters)
    times = rng.multinomial(table.clusters, share, size=draws).astype(np.float64)
    alpha = math.log(10) / scale
    # One row a model, so that a battle reads and writes two of them for all draws at once.
    ratings = np.full((len(table.models), draws), start)
    steps = k * table.weight
    for row in range(len(table)):
        a, b = table.a[row], table.b[row]
        expected = expit(alpha * (ratings[a] - ratings[b]))
        change = steps[row] * times[:, table.cluster[row]] * (table.score[row] - expected)
        ratings[a] += change
        ratings[b] -= change
    return ratings.T
