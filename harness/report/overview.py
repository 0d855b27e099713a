"""One table across suites: a row a checkpoint or model, a column a suite, and a named total."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harness.report.arena import ArenaBoard
from harness.report.choice import Choice
from harness.report.judged import HIGHEST, JudgedBoard
from harness.report.standings import Board
from harness.statistics.means import Estimate, mean_of_means
from harness.store.queries import EvaluationRow

# The name of the total: the unweighted mean of the suites' scores, as shares, over the suites that
# every row shown has; a rating counts as rating/10 (`docs/leaderboard.md`).
SUITE_MEAN = "suite-mean"


@dataclass(frozen=True)
class Column:
    """A suite. Not counted: one that rules alone have rated, and further judges of one suite.

    why    it is not counted; empty where it may be
    rated  by a judge, on a scale up to 10
    """

    name: str
    why: str = ""
    rated: bool = False


@dataclass(frozen=True)
class OverviewRow:
    """A checkpoint or model; scores are shares, ratings points of the arena.

    score  `SUITE_MEAN` with its interval; None where no suite is common to the rows
    rank   1 + number of rows whose interval lies wholly above this one's
    """

    rank: int | None
    evaluation: EvaluationRow
    score: Estimate | None
    suites: dict[str, Estimate]
    evaluations: dict[str, str]
    at: datetime
    ratings: dict[str, tuple[float, int]]

    @property
    def name(self) -> str:
        return self.evaluation.checkpoint


@dataclass(frozen=True)
class Overview:
    """All rows. counted: the columns that the total averages; arena: names of rating columns;
    hidden: rows that are not shown, and that did not decide what is counted."""

    columns: tuple[Column, ...]
    counted: tuple[str, ...]
    arena: tuple[str, ...]
    rows: tuple[OverviewRow, ...]
    hidden: int = 0

    def lacking(self, column: str) -> list[str]:
        """The rows without a score there."""
        return [row.name for row in self.rows if column not in row.suites]

    def to_dicts(self) -> list[dict[str, Any]]:
        return [
            {
                "rank": row.rank,
                "name": row.name,
                "run": row.evaluation.run,
                "step": row.evaluation.step,
                "aggregate": SUITE_MEAN,
                "score": row.score.mean if row.score else None,
                "low": row.score.low if row.score else None,
                "high": row.score.high if row.score else None,
                "counted": list(self.counted),
                "suites": {name: one.mean for name, one in row.suites.items()},
                "arena": {name: rating for name, (rating, _) in row.ratings.items()},
                "evaluations": row.evaluations,
                "fingerprint": row.evaluation.fingerprint,
            }
            for row in self.rows
        ]


def overview(
    boards: Sequence[Board],
    judged: Sequence[JudgedBoard],
    arena: Sequence[ArenaBoard],
    choice: Choice,
    *,
    every_checkpoint: bool = False,
) -> Overview:
    """The table of boards that have a row for every checkpoint.

    Of a run one row stands for all: of its checkpoints that have the most suites the last. With
    `every_checkpoint` each has a row.
    """
    columns, parts = _columns(boards, judged)
    scores: dict[str, dict[str, Estimate]] = defaultdict(dict)
    rows: dict[str, list[tuple[str, EvaluationRow]]] = defaultdict(list)
    for column, evaluation, score in parts:
        rows[evaluation.fingerprint].append((column, evaluation))
        scores[evaluation.fingerprint][column] = score
    names = [f"arena {'+'.join(one.kinds)}" if len(arena) > 1 else "arena" for one in arena]
    ratings: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
    for name, board in zip(names, arena, strict=True):
        for rated in board.ratings.rows:
            ratings[rated.model][name] = (rated.rating, rated.rank)
    found = [
        OverviewRow(
            None,
            # What lacks answers stands for the row, so that this is told of it.
            next((row for _, row in kept if row.state != "complete"), kept[-1][1]),
            None,
            scores[fingerprint],
            {column: evaluation.id for column, evaluation in kept},
            max(row.finished_at or row.started_at for _, row in kept),
            ratings[kept[-1][1].checkpoint],
        )
        for fingerprint, kept in rows.items()
    ]
    found = found if every_checkpoint else _one_a_run(found)
    shown = [
        row
        for row in found
        if (choice.since is None or row.at >= choice.since)
        and choice.fits(row.name, row.evaluation.run)
    ]
    counted = tuple(
        one.name
        for one in columns
        if shown and not one.why and all(one.name in row.suites for row in shown)
    )
    ranked = _ranked(shown, counted)
    present = [one for one in columns if any(one.name in row.suites for row in shown)]
    return Overview(
        tuple(present),
        counted,
        tuple(name for name in names if any(name in row.ratings for row in shown)),
        tuple(_ordered(ranked, choice.sort)),
        len(found) - len(shown),
    )


def _columns(
    boards: Sequence[Board], judged: Sequence[JudgedBoard]
) -> tuple[list[Column], list[tuple[str, EvaluationRow, Estimate]]]:
    """The columns, and the score of each evaluation in one."""
    columns = [Column(board.suite) for board in boards]
    parts = [
        (board.suite, one.evaluation, one.measured.score)
        for board in boards
        for one in board.standings
    ]
    judges = Counter(board.protocol.suite for board in judged if board.judge)
    seen: set[str] = set()
    # The judge who rated most counts; the others stand beside.
    for rated in sorted(judged, key=lambda one: (-len(one.standings), str(one.judge))):
        suite = rated.protocol.suite
        if rated.judge is None and judges[suite]:
            continue
        name, why = suite, ""
        if rated.judge is None:
            name, why = f"{suite} (by rule)", "without a judge only rules have rated it"
        elif judges[suite] > 1:
            name = f"{suite} ({rated.judge[0]})"
            why = "another judge has rated more of this suite" if suite in seen else ""
        seen.add(suite)
        columns.append(Column(name, why, rated=True))
        parts += [
            (name, one.evaluation, _share(one.scores.ratings.score))
            for one in rated.standings
            if one.scores.ratings is not None
        ]
    return columns, parts


def _share(rating: Estimate) -> Estimate:
    return replace(
        rating,
        mean=rating.mean / HIGHEST,
        se=rating.se / HIGHEST,
        low=rating.low / HIGHEST,
        high=rating.high / HIGHEST,
    )


def _one_a_run(rows: Sequence[OverviewRow]) -> list[OverviewRow]:
    best: dict[str, OverviewRow] = {}
    for row in rows:
        own = row.evaluation
        is_part_of_run = own.run is not None and own.step is not None
        key = f"run {own.run}" if is_part_of_run else own.fingerprint
        if key not in best or _extent(row) >= _extent(best[key]):
            best[key] = row
    return list(best.values())


def _extent(row: OverviewRow) -> tuple[int, int]:
    return len(row.suites), row.evaluation.step or 0


def _ranked(rows: Sequence[OverviewRow], counted: Sequence[str]) -> list[OverviewRow]:
    if not counted:
        return list(rows)
    totals = [mean_of_means([row.suites[name] for name in counted]) for row in rows]
    return [
        replace(row, score=total, rank=1 + sum(other.low > total.high for other in totals))
        for row, total in zip(rows, totals, strict=True)
    ]


def _ordered(rows: Sequence[OverviewRow], sort: str) -> list[OverviewRow]:
    def value(row: OverviewRow) -> float:
        if sort == "step":
            return -float(row.evaluation.step or 0)
        if sort == "date":
            return -row.at.timestamp()
        if sort in row.ratings:
            return -row.ratings[sort][0]
        score = row.score if sort == "score" else row.suites.get(sort)
        return 0.0 if score is None else -score.mean

    if sort == "name":
        return sorted(rows, key=lambda row: row.name)
    return sorted(rows, key=lambda row: (value(row), row.name))
