"""The leaderboard of the page: ratings of one kind of battle, their genres, and the win matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from harness.arena.ratings import Rating
from harness.errors import HarnessError
from harness.report.arena import ArenaBoard, Pairing, Wanted, arena_boards, pairings
from harness.store.battles import KindSummary, Selection, kinds, load_table

# A board serves all who look within so many seconds.
FRESH = 3.0
# Where votes are too few for finite ratings: virtual ties of each model, and the page says so.
PRIOR = 1.0


@dataclass(frozen=True)
class Standing:
    """What the page shows of one kind of battle.

    prior     whether virtual ties were needed
    pairings  by (model, opponent)
    """

    board: ArenaBoard
    prior: bool
    pairings: dict[tuple[str, str], Pairing]

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(row.model for row in self.board.ratings.rows)

    def rating(self, model: str) -> Rating | None:
        return next((row for row in self.board.ratings.rows if row.model == model), None)


class Boards:
    """Standings by kind, each remembered for a moment. Reads the store: call it where that is
    allowed."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._held: dict[str, tuple[float, Standing | None]] = {}

    def kinds(self) -> list[KindSummary]:
        return kinds(self.store)

    def standing(self, kind: str) -> Standing | None:
        """None where there are no battles of that kind, or none that can be rated."""
        at, found = self._held.get(kind, (float("-inf"), None))
        if monotonic() - at > FRESH:
            found = _standing(self.store, Selection((kind,)))
            self._held[kind] = (monotonic(), found)
        return found


def _standing(store: Path, selection: Selection) -> Standing | None:
    known = {one.kind for one in kinds(store)}
    if not known.issuperset(selection.kinds):
        return None
    for prior in (0.0, PRIOR):
        try:
            (board, *_), _ = arena_boards(store, selection, replace(Wanted(), prior=prior))
        except HarnessError:
            continue
        found: Sequence[Pairing] = pairings(load_table(store, selection))
        pairs = {(one.model, one.opponent): one for one in found}
        return Standing(board, prior > 0, pairs)
    return None
