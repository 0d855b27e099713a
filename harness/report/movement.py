"""Which scores of a row moved since the checkpoint before it: significant changes alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.store.derived import is_worth_keeping, recall, remember, revisions
from harness.store.paired import Judge, PairedScores, paired_scores
from harness.store.queries import EvaluationRow

if TYPE_CHECKING:
    from harness.regression.measure import Measured

Direction = Literal["up", "down"]
# The share of unchanged rows that may show any arrow at all.
LEVEL = 0.05
# Of how changes are computed: one more makes the store forget those it has kept.
_VERSION = 1
TOTAL = "all"


@dataclass(frozen=True)
class Change:
    """One score beside that of the checkpoint before it, over the items that both have.

    change, low, high  in the unit of the score, with its 95 % interval
    p          two-sided, adjusted by Holm over the row's total and genres
    direction  up or down where p is at most `LEVEL`, else None
    """

    change: float
    low: float
    high: float
    p: float
    direction: Direction | None

    def to_dict(self, shown: float = 1.0) -> dict[str, Any]:
        """Plain values; `shown` is what the protocol divides scores by."""
        return {
            "change": self.change / shown,
            "low": self.low / shown,
            "high": self.high / shown,
            "p": self.p,
            "direction": self.direction,
        }


@dataclass(frozen=True)
class Movement:
    """A row's changes since the checkpoint before it, by `TOTAL` and genre, in the unit of the
    stored scores."""

    against: str
    changes: Mapping[str, Change]

    def direction(self, name: str) -> Direction | None:
        found = self.changes.get(name)
        return None if found is None else found.direction

    def to_dict(self, shown: float = 1.0) -> dict[str, Any]:
        """The total is named `all`, as in `harness compare`."""
        return {
            "against": self.against,
            **{name: one.to_dict(shown) for name, one in self.changes.items()},
        }


def changes(measured: Sequence[Measured], level: float = LEVEL) -> dict[str, Change]:
    """The changes of a row: its total (the mean over genres) and its genres.

    Each is tested as `harness compare` tests it (`measure_pairs`), two-sided: twice the smaller
    one-sided p. Holm over all of the row keeps the chance of any false arrow in it at `level`,
    however the genres depend on each other and on their total.
    """
    from harness.statistics.multiplicity import holm

    if not measured:
        return {}
    raw = [min(1.0, 2 * min(one.p_drop, one.p_rise)) for one in measured]
    found = {}
    for one, p in zip(measured, holm(raw).tolist(), strict=True):
        change = one.change
        way: Direction = "up" if change.change > 0 else "down"
        # A change of exactly nothing has no direction, whatever its p.
        shown = p <= level and change.change != 0
        found[one.genre] = Change(change.change, change.low, change.high, p, way if shown else None)
    return found


def movement(
    path: Path, before: EvaluationRow, row: EvaluationRow, metric: str, judge: Judge | None = None
) -> Movement | None:
    """What moved between two evaluations of one protocol; None while either is running (a look at
    every redraw would be many tests), or where no item has the metric on both sides."""
    if "running" in (before.state, row.state):
        return None
    scores = paired_scores(path, [before.id], row.id, row.protocol_hash, judge)
    found = changes(_totals(scores, metric))
    return Movement(before.checkpoint, found) if found else None


def movements(
    path: Path, pairs: Sequence[tuple[EvaluationRow, EvaluationRow]], metric: str
) -> dict[str, Movement]:
    """`movement` of verified scores for many pairs (before, row), by the row's evaluation; of
    complete evaluations it is kept in the store until a score of either changes."""
    changed = revisions(path, [one.id for pair in pairs for one in pair])
    keys = {
        row.id: f"movement/{_VERSION}/{metric}/{before.id}/{row.id}"
        for before, row in pairs
        if before.state == row.state == "complete"
    }
    stamps = {row.id: f"{changed[before.id]}/{changed[row.id]}" for before, row in pairs}
    kept = recall(path, {key: stamps[name] for name, key in keys.items()})
    found: dict[str, Movement] = {}
    fresh = []
    answers = 0
    for before, row in pairs:
        text = kept.get(keys.get(row.id, ""))
        if text is not None:
            changes = {name: Change(*values) for name, values in json.loads(text).items()}
            moved = Movement(before.checkpoint, changes) if changes else None
        else:
            moved = movement(path, before, row, metric)
            answers += before.done + row.done
            if row.id in keys:
                plain = {
                    name: astuple(one) for name, one in (moved.changes if moved else {}).items()
                }
                fresh.append((keys[row.id], row.id, stamps[row.id], json.dumps(plain)))
        if moved is not None:
            found[row.id] = moved
    if is_worth_keeping(answers):
        remember(path, fresh)
    return found


def _totals(scores: PairedScores, metric: str) -> list[Measured]:
    """The total and each genre of one metric, datasets within genres left out."""
    from harness.regression.measure import measure_pairs

    return [
        one
        for one in measure_pairs("", scores, level=0.95, metrics=(metric,))
        if one.dataset == TOTAL
    ]
