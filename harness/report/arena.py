"""Turns stored battles into the arena's tables: ratings by kind and genre, and the win matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from harness.arena.bradley_terry import fit
from harness.arena.counts import count_pairs
from harness.arena.graph import examine
from harness.arena.ratings import Anchor, Interval, Method, Rating, Ratings, rate
from harness.arena.types import BattleTable
from harness.arena.variants import rate_variant
from harness.errors import HarnessError
from harness.statistics.means import Estimate, cluster_mean
from harness.store import battles as battle_store
from harness.store.battles import Selection


@dataclass(frozen=True)
class Wanted:
    """How ratings are to be computed; see `ratings.rate` and `variants.rate_variant`."""

    method: Method = "bt"
    interval: Interval = "sandwich"
    style: str | None = None
    position: bool = False
    prior: float = 0.0
    anchor: Anchor = field(default_factory=Anchor)
    level: float = 0.95
    draws: int | None = None

    def fault(self) -> str | None:
        if (self.style or self.position) and (self.method == "elo" or self.prior):
            return "--style and --position are variants of Bradley-Terry without a prior"
        if (self.style or self.position) and self.interval != "sandwich":
            return "--style and --position have sandwich intervals only"
        if self.method == "elo" and (self.prior or self.anchor.model):
            return "Elo has neither --prior nor --anchor: every model starts at 1000"
        return None


@dataclass(frozen=True)
class ArenaBoard:
    """Ratings from battles of some kinds.

    genres   of each model its rating by genre; a genre in which a model has no battles is missing
    unrated  genres without finite ratings, and why
    """

    kinds: tuple[str, ...]
    battles: int
    prompts: int
    ratings: Ratings
    genres: dict[str, dict[str, Rating]]
    unrated: dict[str, str]

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "suite": "arena",
                "kind": "+".join(self.kinds),
                "method": self.ratings.method,
                "interval": self.ratings.interval,
                **one.to_dict(),
                "genres": {
                    genre: {
                        "rating": models[one.model].rating,
                        "low": models[one.model].low,
                        "high": models[one.model].high,
                        "rank": models[one.model].rank,
                    }
                    for genre, models in self.genres.items()
                    if one.model in models
                },
                "terms": {
                    name: list(values) for name, values in (self.ratings.terms or {}).items()
                },
            }
            for one in self.ratings.rows
        ]


def arena_boards(
    path: Path, selection: Selection, wanted: Wanted, *, by_genre: bool = True
) -> tuple[list[ArenaBoard], list[str]]:
    """A board for each kind of battle, or one for all the kinds that a selection names; and why
    kinds have none.

    Raises HarnessError where there are no battles, or there is no board at all.
    """
    if fault := wanted.fault():
        raise HarnessError(fault)
    found = battle_store.kinds(path)
    groups = [selection.kinds] if selection.kinds else [(one.kind,) for one in found]
    if not groups:
        battle_store.load_counts(path)  # says that there are none
    known = {one.kind: one.genres for one in found}
    made: list[ArenaBoard] = []
    faults: list[str] = []
    for kinds in groups:
        chosen = replace(selection, kinds=kinds)
        try:
            table = _table(path, chosen, wanted)
            ratings = rate_table(table, wanted)
        except HarnessError as error:
            faults.append(f"{'+'.join(kinds)}: {error}")
            continue
        genres: dict[str, dict[str, Rating]] = {}
        unrated: dict[str, str] = {}
        names = sorted({genre for kind in kinds for genre in known.get(kind, ())})
        for genre in names if by_genre and not selection.genres else ():
            part = _table(path, replace(chosen, genres=(genre,)), wanted)
            if why := _unrateable(part, wanted):
                unrated[genre] = why
            else:
                genres[genre] = {row.model: row for row in rate_table(part, wanted).rows}
        made.append(ArenaBoard(kinds, len(table), table.clusters, ratings, genres, unrated))
    if not made:
        raise HarnessError("\n".join(faults))
    return made, faults


def _unrateable(table: BattleTable, wanted: Wanted) -> str:
    """Why there are no finite ratings; empty where there are."""
    if wanted.method == "elo" or wanted.prior:
        return ""
    if table.clusters < 2:
        return "all its battles are on one prompt"
    return examine(table.models, count_pairs(table).won).report(2)


def _table(path: Path, selection: Selection, wanted: Wanted) -> BattleTable:
    # The side that was seen first is lost once both orders are one battle.
    return battle_store.load_table(
        path,
        replace(selection, each_order=selection.each_order or wanted.position),
        in_time_order=wanted.method == "elo",
        style=wanted.style is not None,
    )


def rate_table(table: BattleTable, wanted: Wanted) -> Ratings:
    """Ratings of a table as they are wanted."""
    if wanted.style or wanted.position:
        return rate_variant(
            table,
            style=wanted.style,
            position=wanted.position,
            anchor=wanted.anchor,
            level=wanted.level,
        )
    return rate(
        table,
        method=wanted.method,
        interval=wanted.interval,
        anchor=wanted.anchor,
        prior=wanted.prior,
        level=wanted.level,
        draws=wanted.draws,
    )


@dataclass(frozen=True)
class Pairing:
    """One model's battles against another.

    rate       adjusted win rate (wins + ties/2)/battles, its interval clustered by prompt
    predicted  the same by the Bradley-Terry ratings of all; None where there are none
    """

    model: str
    opponent: str
    battles: int
    wins: int
    ties: int
    losses: int
    rate: Estimate
    predicted: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "opponent": self.opponent,
            "battles": self.battles,
            "wins": self.wins,
            "ties": self.ties,
            "losses": self.losses,
            "win_rate": self.wins / self.battles,
            "adjusted_win_rate": self.rate.mean,
            "low": self.rate.low,
            "high": self.rate.high,
            "predicted": self.predicted,
        }


def pairings(table: BattleTable, against: Sequence[str] = (), level: float = 0.95) -> list[Pairing]:
    """Every model against every other it met, or against some; models in order of their share of
    wins."""
    counts = count_pairs(table)
    share = counts.won.sum(1) / counts.total.sum(1)
    order = sorted(range(len(table.models)), key=lambda i: (-share[i], table.models[i]))
    unknown = [name for name in against if name not in table.models]
    if unknown:
        raise HarnessError(f"{', '.join(unknown)} has no battles here")
    rateable = examine(counts.models, counts.won).rateable
    theta = fit(counts).theta if rateable else None
    found = []
    pair = table.a * len(table.models) + table.b
    rows = {int(cell): np.flatnonzero(pair == cell) for cell in np.unique(pair)}
    for i in order:
        for j in order:
            if i == j or (against and table.models[j] not in against):
                continue
            straight = rows.get(i * len(table.models) + j, np.empty(0, dtype=np.intp))
            turned = rows.get(j * len(table.models) + i, np.empty(0, dtype=np.intp))
            if not straight.size + turned.size:
                continue
            score = np.concatenate([table.score[straight], 1 - table.score[turned]])
            cluster = np.concatenate([table.cluster[straight], table.cluster[turned]])
            found.append(
                Pairing(
                    table.models[i],
                    table.models[j],
                    int(score.size),
                    int((score == 1).sum()),
                    int((score == 0.5).sum()),
                    int((score == 0).sum()),
                    cluster_mean(score, cluster.tolist(), level),
                    None if theta is None else float(expit(theta[i] - theta[j])),
                )
            )
    return found
