"""Proposals of battles from a table of those that were held, for all models or for a new one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.arena.bradley_terry import cluster_meat, covariance, fit
from harness.arena.counts import count_pairs
from harness.arena.pairing import MARGIN, POWER, PRIOR, Proposal, believe, choose_anchors, propose
from harness.arena.types import BattleTable
from harness.errors import HarnessError

ANCHORS = 3


def proposals(
    table: BattleTable,
    count: int,
    *,
    model: str | None = None,
    anchors: Sequence[str] = (),
    power: float = POWER,
    margin: float = MARGIN,
) -> list[Proposal]:
    """The next battles after those of a table, best first.

    model    place this one: only its battles are proposed. It may have none so far
    anchors  whom it meets; by default ANCHORS well-known models about where it may stand

    Raises HarnessError for anchors that have no battles, or anchors without a model to place.
    """
    if unknown := [name for name in anchors if name not in table.models]:
        raise HarnessError(f"{', '.join(unknown)} has no battles here, so it is no anchor")
    counts = count_pairs(table)
    new = [] if model is None else [model]
    beliefs = believe(table.models, counts.won, new, noise=noise(table))
    if model is not None and not anchors:
        anchors = choose_anchors(beliefs, model, ANCHORS)
    return propose(beliefs, count, focus=model, opponents=anchors, power=power, margin=margin)


def noise(table: BattleTable) -> float:
    """How many times the variance of the ratings, clustered by prompt, is what independent
    battles without ties would leave: below 1 where many tie, above where prompts decide."""
    if table.clusters < 2:
        return 1.0
    found = fit(count_pairs(table), prior=PRIOR)
    clustered = np.trace(covariance(found, cluster_meat(table, found)))
    model = np.trace(covariance(found, found.hessian))
    return float(max(clustered / model, 0.05))
