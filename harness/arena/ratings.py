"""Ratings with intervals, ranks and win probabilities, from battles to the table that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from harness.arena import bootstrap as resampling
from harness.arena.bradley_terry import POINTS, Fit, battle_meat, cluster_meat, covariance, fit
from harness.arena.counts import PairCounts, count_pairs
from harness.arena.elo import START, elo, elo_draws
from harness.arena.types import BattleTable, Floats
from harness.errors import HarnessError

Method = Literal["bt", "elo"]
Interval = Literal["sandwich", "multinomial", "poisson"]

DRAWS = 2000
# An Elo sample costs a pass over all battles.
ELO_DRAWS = 500
SEED = 20260101


@dataclass(frozen=True)
class Anchor:
    """Where the scale hangs: the mean of all models, or one model, stands at `points`."""

    points: float = 1000.0
    model: str | None = None


@dataclass(frozen=True)
class Rating:
    """One model's strength in points (400: odds of ten to one), with its interval.

    rank  1 + number of models whose lower bound exceeds this one's upper bound
    """

    rank: int
    model: str
    rating: float
    low: float
    high: float
    se: float
    battles: int
    wins: int
    ties: int
    losses: int

    @property
    def win_rate(self) -> float:
        """(wins + ties/2) / battles, whoever the opponents were."""
        return (self.wins + self.ties / 2) / self.battles

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "win_rate": self.win_rate}


@dataclass(frozen=True)
class Ratings:
    """All models' ratings, best first.

    method      how they were computed, in words: "bt", "elo", "bt+style", ...
    interval    how the intervals were, in words
    covariance  of the ratings, in points², rows in the order of `rows`; None for Elo
    clusters    prompts (or battles) that the intervals take for independent
    terms       of fits with more than strengths: name → (estimate, low, high)
    """

    method: str
    interval: str
    rows: tuple[Rating, ...]
    level: float
    clusters: int
    covariance: Floats | None = None
    terms: dict[str, tuple[float, float, float]] | None = None
    notes: tuple[str, ...] = ()

    def row(self, model: str) -> Rating:
        return next(one for one in self.rows if one.model == model)


def win_probability(rating: float, other: float) -> float:
    """The chance that a model of one rating beats one of another, a tie being half a win."""
    return float(1 / (1 + 10 ** ((other - rating) / 400)))


def ranks(low: Sequence[float] | Floats, high: Sequence[float] | Floats) -> list[int]:
    """1 + number of models whose lower bound exceeds the model's upper bound, of each."""
    lows, highs = np.asarray(low), np.asarray(high)
    return [1 + int((lows > upper).sum()) for upper in highs]


def quantile(level: float, clusters: int) -> float:
    """The t quantile with clusters − 1 degrees of freedom: two-sided, for few clusters wider."""
    return float(special.stdtrit(clusters - 1, 0.5 + level / 2))


def rate(
    table: BattleTable,
    *,
    method: Method = "bt",
    interval: Interval = "sandwich",
    anchor: Anchor | None = None,
    prior: float = 0.0,
    level: float = 0.95,
    draws: int | None = None,
    seed: int = SEED,
) -> Ratings:
    """Rates the models of a table.

    interval  sandwich: H⁻¹BH⁻¹ over clusters with a t quantile; multinomial: clusters drawn anew
              and fitted anew; poisson: clusters reweighted, one Newton step. The last two are
              percentiles, and Elo always has the first of them
    level     of the two-sided interval: 0.95 is from 2.5 to 97.5 percent

    Raises HarnessError where there are no finite ratings (`bradley_terry.fit`).
    """
    anchor = anchor or Anchor()
    counts = count_pairs(table)
    if method == "elo":
        return _elo(table, counts, level, draws or ELO_DRAWS, seed)
    found = fit(counts, prior=prior, pinned=anchor.model)
    if interval == "sandwich":
        if table.clusters < 2:
            raise HarnessError(
                "all battles are on one prompt: an interval over prompts needs two or more"
            )
        alone = table.clusters == len(table)
        meat = battle_meat(counts, found) if alone else cluster_meat(table, found)
        return bradley_terry_ratings(
            counts, found, covariance(found, meat), anchor, level, table.clusters
        )
    draw = resampling.multinomial if interval == "multinomial" else resampling.multiplier
    sample = draw(table, found, draws or DRAWS, seed)
    points = sample.theta * POINTS + anchor.points
    tail = (1 - level) / 2
    low, high = np.quantile(points, [tail, 1 - tail], axis=0)
    spread = np.atleast_2d(np.cov(points, rowvar=False))
    notes = (f"{sample.failed} bootstrap samples had no finite ratings",) if sample.failed else ()
    return assemble(
        "bt",
        f"{interval} bootstrap, {len(points):,} draws",
        counts,
        found.theta * POINTS + anchor.points,
        (low, high),
        spread,
        level,
        table.clusters,
        notes=notes + _prior_note(prior),
    )


def bradley_terry_ratings(
    counts: PairCounts,
    found: Fit,
    theta_covariance: Floats,
    anchor: Anchor,
    level: float,
    clusters: int,
) -> Ratings:
    """Ratings from a fit and the covariance of its strengths."""
    points = found.theta * POINTS + anchor.points
    spread = theta_covariance * POINTS**2
    reach = quantile(level, clusters) * np.sqrt(np.diag(spread))
    return assemble(
        "bt",
        "sandwich",
        counts,
        points,
        (points - reach, points + reach),
        spread,
        level,
        clusters,
        notes=_prior_note(found.prior),
    )


def assemble(
    method: str,
    interval: str,
    counts: PairCounts,
    points: Floats,
    bounds: tuple[Floats, Floats],
    spread: Floats,
    level: float,
    clusters: int,
    *,
    terms: dict[str, tuple[float, float, float]] | None = None,
    notes: tuple[str, ...] = (),
) -> Ratings:
    """Rows in order of rating, best first, with their ranks; arrays in the order of the models."""
    order = np.argsort(-points, kind="stable")
    place = ranks(*bounds)
    error = np.sqrt(np.diag(spread))
    met = counts.met.sum(1)
    rows = tuple(
        Rating(
            place[i],
            counts.models[i],
            float(points[i]),
            float(bounds[0][i]),
            float(bounds[1][i]),
            float(error[i]),
            round(float(met[i])),
            round(float(counts.wins[i])),
            round(float(counts.ties[i])),
            round(float(counts.losses[i])),
        )
        for i in order
    )
    return Ratings(
        method, interval, rows, level, clusters, spread[np.ix_(order, order)], terms, notes
    )


def _elo(table: BattleTable, counts: PairCounts, level: float, draws: int, seed: int) -> Ratings:
    points = elo(table)
    sample = elo_draws(table, draws, seed)
    tail = (1 - level) / 2
    low, high = np.quantile(sample, [tail, 1 - tail], axis=0)
    # The end of one path need not lie between the quantiles of many.
    bounds = (np.minimum(low, points), np.maximum(high, points))
    return assemble(
        "elo",
        f"multinomial bootstrap in time order, {draws:,} draws",
        counts,
        points,
        bounds,
        np.atleast_2d(np.cov(sample, rowvar=False)),
        level,
        table.clusters,
        notes=(f"starts at {START:g}; depends on the order of the battles",),
    )


def _prior_note(prior: float) -> tuple[str, ...]:
    return (f"prior: {prior:g} virtual ties of each model",) if prior else ()
