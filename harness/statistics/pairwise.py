"""Outcomes of pairwise judging in both orders, and the adjusted win rate."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.statistics.means import Estimate, cluster_mean

Outcome = Literal["win", "tie", "loss"]


@dataclass(frozen=True)
class Tally:
    """Battles of one model with another.

    disagreed  ties because the two orders gave different verdicts: position bias, or a coin toss
    win_rate   (wins + ties/2)/n, with an interval clustered by question
    """

    wins: int
    ties: int
    losses: int
    disagreed: int
    win_rate: Estimate


def settle(straight: float, swapped: float) -> Outcome:
    """The outcome for the first model of a pair judged twice (Zheng et al. 2023, section 3.4): a
    win or a loss where both orders say so, else a tie.

    straight  1.0, 0.5 or 0.0: the verdict for what was shown first, the first model
    swapped   the same when the second model was shown first
    """
    turned = 1.0 - swapped
    if straight == turned and straight != 0.5:
        return "win" if straight == 1.0 else "loss"
    return "tie"


def tally(
    verdicts: Sequence[tuple[float, float]], clusters: Sequence[Hashable], level: float = 0.95
) -> Tally:
    """Counts pairs of verdicts as `settle` takes them; clusters: the question of each.

    Raises ValueError: no verdicts, or lengths that differ.
    """
    outcomes = [settle(straight, swapped) for straight, swapped in verdicts]
    shares: dict[Outcome, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}
    return Tally(
        outcomes.count("win"),
        outcomes.count("tie"),
        outcomes.count("loss"),
        sum(straight != 1.0 - swapped for straight, swapped in verdicts),
        cluster_mean([shares[one] for one in outcomes], clusters, level),
    )
