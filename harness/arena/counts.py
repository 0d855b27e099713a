"""Counts of battles by pair of models: all that a Bradley-Terry fit needs to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.arena.types import BattleTable, Floats, Ints


@dataclass(frozen=True)
class PairCounts:
    """Sums over the battles of each ordered pair, as (M, M) matrices; w a weight, y the score of
    the row's model (a tie is ½) and 1 − y that of the column's.

    won      Σ w·y: what the row's model won against the column's
    squared  Σ w²·y²
    crossed  Σ w²·y·(1 − y), symmetric
    met      number of battles, symmetric
    wins ties losses
             of each model, unweighted, (M,)
    """

    models: tuple[str, ...]
    won: Floats
    squared: Floats
    crossed: Floats
    met: Floats
    wins: Floats
    ties: Floats
    losses: Floats

    @property
    def total(self) -> Floats:
        """Σ w, symmetric."""
        return np.asarray(self.won + self.won.T)

    @property
    def battles(self) -> int:
        return round(float(self.met.sum()) / 2)


def count_pairs(table: BattleTable, weight: Floats | None = None) -> PairCounts:
    """Counts the battles of a table; weight replaces its own where given, (n,)."""
    w = table.weight if weight is None else weight
    ones = np.ones(len(table))
    return count_cells(table.models, table.a, table.b, table.score, ones, w, np.square(w))


def count_cells(
    models: tuple[str, ...],
    a: Ints,
    b: Ints,
    score: Floats,
    battles: Floats,
    weight: Floats,
    weight_squared: Floats,
) -> PairCounts:
    """Counts from sums over battles alike: of each (a, b, score of a) the number of battles, Σ w
    and Σ w², as a database groups them; or of single battles. All of equal length, in any order.
    """
    size = len(models)
    cell = a * size + b

    def summed(values: Floats) -> Floats:
        return np.asarray(np.bincount(cell, values, size * size), np.float64).reshape(size, size)

    crossed = summed(weight_squared * score * (1 - score))
    met = summed(battles)
    first, second = summed(battles * (score == 1.0)), summed(battles * (score == 0.0))
    ties = met - first - second
    return PairCounts(
        models,
        won=summed(weight * score) + summed(weight * (1 - score)).T,
        squared=summed(weight_squared * np.square(score))
        + summed(weight_squared * np.square(1 - score)).T,
        crossed=crossed + crossed.T,
        met=met + met.T,
        wins=first.sum(1) + second.sum(0),
        ties=ties.sum(1) + ties.sum(0),
        losses=first.sum(0) + second.sum(1),
    )
