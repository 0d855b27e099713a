"""Boards of scores that others published, and which of them may stand beside ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.errors import HarnessError
from harness.report.choice import Choice
from harness.report.judged import JudgedBoard
from harness.report.standings import Board
from harness.store.published import Published, Source, published, sources

# The protocol of ours by which a group of a published table was measured, where its name is not
# the protocol's own id. Swallow's `ja_mtb` is Japanese MT-Bench as `swallow-2025` defines it.
PROTOCOLS = {"ja_mtb": "mt-bench-ja/swallow-2025"}
BENCHMARK_MEAN = "benchmark-mean"
# A column that is the mean of the others, as tables name it: "Ja Avg", "average", 平均.
_AVERAGE = re.compile(r"(?:^|[\s_-])(?:avg|average|mean|overall)\.?$|^平均|平均$", re.IGNORECASE)


@dataclass(frozen=True)
class PublishedRow:
    """One model of a published table.

    place  1 + number of models of a higher score: no interval was published, so it is no rank
    score  the published average, else the unweighted mean over benchmarks where it has all; None
           where it lacks one
    """

    place: int | None
    model: str
    model_id: str
    score: float | None
    scores: dict[str, float]


@dataclass(frozen=True)
class PublishedBoard:
    """One group of benchmarks of a published table, values as they were published.

    total  the name of the score: a published average's, or `BENCHMARK_MEAN`
    top    the largest value: bars are drawn up to it, or up to 1
    hidden rows that are not shown
    """

    source: Source
    group: str
    benchmarks: tuple[str, ...]
    total: str
    top: float
    rows: tuple[PublishedRow, ...]
    hidden: int = 0

    @property
    def protocol(self) -> str:
        """The id of the protocol of ours that it may stand beside."""
        return PROTOCOLS.get(self.group, self.group)

    def to_dicts(self) -> list[dict[str, Any]]:
        return [
            {
                "suite": "published",
                "imported": True,
                "source": self.source.name,
                "licence": self.source.licence,
                "group": self.group,
                "name": row.model,
                "model_id": row.model_id,
                "place": row.place,
                "aggregate": self.total,
                "score": row.score,
                "benchmarks": row.scores,
            }
            for row in self.rows
        ]


@dataclass(frozen=True)
class Beside:
    """An imported row among ours: on the scale that our protocol shows, a share for boards of
    verified scores."""

    source: Source
    model: str
    score: float | None
    genres: dict[str, float]


def published_boards(path: Path, name: str | None = None) -> list[PublishedBoard]:
    """A board for each group of each imported table, or of one of them.

    Raises HarnessError where there is none of that name.
    """
    known = sources(path)
    if name is not None and name not in {one.name for one in known}:
        there = ", ".join(one.name for one in known) or "none"
        raise HarnessError(
            f"no published table named {name!r} (there is {there}); `harness import table FILE` "
            "brings one in"
        )
    made = []
    for source in known:
        if name in (None, source.name):
            rows = published(path, source.name)
            groups = dict.fromkeys(row.group for row in rows)
            made += [
                _board(source, group, [row for row in rows if row.group == group])
                for group in groups
            ]
    return made


def _board(source: Source, group: str, rows: Sequence[Published]) -> PublishedBoard:
    several = {
        row.benchmark: len({one.metric for one in rows if one.benchmark == row.benchmark}) > 1
        for row in {one.benchmark: one for one in rows}.values()
    }
    models: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        told = f"{row.benchmark} {row.metric}".strip() if several[row.benchmark] else row.benchmark
        models.setdefault((row.model, row.model_id), {})[told] = row.value
    names = list(dict.fromkeys(name for scores in models.values() for name in scores))
    average = next((name for name in names if _AVERAGE.search(name)), None)
    benchmarks = tuple(name for name in names if name != average)
    found = []
    for (model, model_id), scores in models.items():
        if average is not None:
            score = scores.pop(average, None)
        else:
            complete = len(scores) == len(benchmarks)
            score = fmean(scores.values()) if complete else None
        found.append(PublishedRow(None, model, model_id, score, scores))
    found.sort(key=lambda row: (-_or(row.score), row.model))
    placed = [
        row
        if row.score is None
        else replace(row, place=1 + sum(_or(other.score) > row.score for other in found))
        for row in found
    ]
    return PublishedBoard(
        source,
        group,
        benchmarks,
        average or BENCHMARK_MEAN,
        max([1.0, *(row.value for row in rows)]),
        tuple(placed),
    )


def chosen_published(boards: Sequence[PublishedBoard], choice: Choice) -> list[PublishedBoard]:
    """The rows whose model, id, table or group fits, in the order asked for; places stay."""
    found = []
    for board in boards:
        rows = [
            row
            for row in board.rows
            if choice.fits(row.model, row.model_id, board.source.name, board.group)
        ]
        if choice.sort == "name":
            rows.sort(key=lambda row: row.model)
        elif choice.sort in board.benchmarks:
            rows.sort(key=lambda row: -_or(row.scores.get(choice.sort)))
        if rows:
            hidden = len(board.rows) - len(rows)
            found.append(replace(board, rows=tuple(rows), hidden=hidden))
    return found


def beside(board: Board | JudgedBoard, tables: Sequence[PublishedBoard]) -> list[Beside]:
    """The published rows that were measured by a board's own protocol, by its id; highest first.
    None on a board of another judge than the protocol's judge of record.

    On a board of verified scores a table whose values exceed 1 is taken for percent.
    """
    if isinstance(board, Board):
        protocol = board.protocol
    else:
        protocol, record = board.protocol.id, board.protocol.variant.judge
        if board.judge is None or record not in (None, board.judge[0]):
            return []
    found = []
    for table in tables:
        if table.protocol != protocol:
            continue
        scale = 100.0 if isinstance(board, Board) and table.top > 1 else 1.0
        for row in table.rows:
            genres = {name: row.scores[name] / scale for name in board.genres if name in row.scores}
            score = None if row.score is None else row.score / scale
            found.append(Beside(table.source, row.model, score, genres))
    return sorted(found, key=lambda one: -_or(one.score))


def _or(value: float | None) -> float:
    return float("-inf") if value is None else value
