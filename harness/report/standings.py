"""Turns stored scores into standings: one board a protocol and item set, one row a run or model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.items.schema import GENRES, PROBE_GENRES
from harness.report.measured import GENRE_ORDER, Measured, measure
from harness.store.queries import EvaluationRow, evaluations

# The name of a board's total: the unweighted mean over genres of the ranking metric, a genre of
# several datasets being the unweighted mean of theirs (`docs/leaderboard.md`).
GENRE_MEAN = "genre-mean"


@dataclass(frozen=True)
class Standing:
    """A row of a board: a run's last checkpoint, or a model by itself.

    rank        1 + number of rows whose interval lies wholly above this one's
    trajectory  (step, score) over the run's checkpoints, by step
    before      the checkpoint before it in its run, if there is one on the board
    """

    rank: int
    name: str
    measured: Measured
    trajectory: tuple[tuple[int, float], ...]
    before: EvaluationRow | None = None

    @property
    def evaluation(self) -> EvaluationRow:
        return self.measured.evaluation

    def genre(self, name: str) -> float | None:
        found = self.measured.genres.get(name)
        return None if found is None else found.mean

    def to_dict(self) -> dict[str, Any]:
        evaluation = self.measured.evaluation
        return {
            "suite": evaluation.suite,
            "protocol": evaluation.protocol,
            "rank": self.rank,
            "name": self.name,
            "checkpoint": evaluation.checkpoint,
            "step": evaluation.step,
            "aggregate": GENRE_MEAN,
            "score": self.measured.score.mean,
            "low": self.measured.score.low,
            "high": self.measured.score.high,
            "genres": {name: one.mean for name, one in self.measured.genres.items()},
            "datasets": {
                f"{genre}/{name}": one.mean for (genre, name), one in self.measured.datasets.items()
            },
            "metrics": {name: one.mean for name, one in self.measured.metrics.items()},
            "templates": {name: one.mean for name, one in self.measured.templates.items()},
            "levels": {str(level): one.mean for level, one in self.measured.levels.items()},
            "pass_at": {str(k): asdict(one) for k, one in self.measured.pass_at.items()},
            "items": evaluation.items,
            "samples": evaluation.samples,
            "done": evaluation.done,
            "failed": evaluation.failed,
            "state": evaluation.state,
            "trajectory": [list(point) for point in self.trajectory],
            "missing": list(self.measured.missing),
            **({"llmjp_average": self.measured.llmjp_average} if self.measured.missing else {}),
            "evaluation": evaluation.id,
            "fingerprint": evaluation.fingerprint,
            "protocol_hash": evaluation.protocol_hash,
            "items_hash": evaluation.items_hash,
        }


@dataclass(frozen=True)
class Board:
    """Standings that may be compared: equal protocol hash, item set and samples.

    hidden  rows that are not shown; ranks count them
    """

    suite: str
    protocol: str
    protocol_hash: str
    items: int
    samples: int
    standings: tuple[Standing, ...]
    genres: tuple[str, ...]
    hidden: int = 0


def boards(
    path: Path,
    *,
    suites: Sequence[str] = (),
    every_checkpoint: bool = False,
    all_item_sets: bool = False,
) -> tuple[list[Board], int]:
    """The boards of a store, and how many groups of evaluations were left out because another
    item set or protocol version of their suite is more recent.

    suites            only these; all when empty
    every_checkpoint  a row for each checkpoint instead of each run's last
    all_item_sets     boards for older protocol hashes and item sets too
    """
    groups: dict[tuple[str, str, str, int], list[EvaluationRow]] = defaultdict(list)
    # Ratings have boards of their own, one a judge.
    strict = "coalesce(p.definition->>'protocol', '') <> 'mt-bench'"
    for row in evaluations(path, strict):
        if not suites or row.suite in suites:
            groups[(row.suite, row.protocol_hash, row.items_hash, row.samples)].append(row)
    latest = {key[0]: key for key in sorted(groups, key=lambda key: groups[key][-1].started_at)}
    chosen = list(groups) if all_item_sets else list(latest.values())
    made = []
    for key in sorted(chosen):
        measured = measure(path, groups[key])
        if measured:
            made.append(_board(measured, every_checkpoint))
    return made, len(groups) - len(chosen)


def _board(measured: Sequence[Measured], every_checkpoint: bool) -> Board:
    # An evaluation of unequal seeds may stand twice for one checkpoint: the later one counts.
    current = {one.evaluation.fingerprint: one for one in measured}
    runs: dict[str, list[Measured]] = defaultdict(list)
    for one in current.values():
        row = one.evaluation
        is_part_of_run = row.run is not None and row.step is not None
        runs[f"run {row.run}" if is_part_of_run else row.fingerprint].append(one)
    rows: list[tuple[Measured, tuple[tuple[int, float], ...], EvaluationRow | None]] = []
    for members in runs.values():
        members.sort(key=lambda one: one.evaluation.step or 0)
        path = tuple(
            (one.evaluation.step, one.score.mean)
            for one in members
            if one.evaluation.step is not None
        )
        before = [None, *(one.evaluation for one in members[:-1])]
        pairs = list(zip(members, before, strict=True))
        rows += [(one, path, last) for one, last in (pairs if every_checkpoint else pairs[-1:])]
    rows.sort(key=lambda row: (-row[0].score.mean, row[0].evaluation.checkpoint))
    standings = tuple(
        Standing(
            1 + sum(other.score.low > one.score.high for other, _, _ in rows),
            one.evaluation.checkpoint,
            one,
            path,
            last,
        )
        for one, path, last in rows
    )
    first = measured[0].evaluation
    present = {genre for one in measured for genre in one.genres}
    order = PROBE_GENRES if "format" in present else GENRES
    genres = tuple(genre for genre in dict.fromkeys((*order, *GENRE_ORDER)) if genre in present)
    return Board(
        first.suite,
        first.protocol,
        first.protocol_hash,
        first.items,
        first.samples,
        standings,
        genres,
    )
