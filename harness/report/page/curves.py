"""What a report draws: scores by genre over a run's checkpoints, and rivals beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.report.judged import JudgedBoard, judged_boards
from harness.report.standings import Board, boards
from harness.runs import Run, Stage, lineage_of, open_run
from harness.statistics.means import Estimate
from harness.store.queries import EvaluationRow, evaluations, find_evaluation
from harness.store.summaries import imported_runs

# The series over everything, beside the genres.
TOTAL = "total"
# Rivals that are drawn when none is named: more lines than these are no help.
_MOST_RIVALS = 3
_NORMAL = 1.959964


@dataclass(frozen=True)
class Point:
    """One checkpoint's score, in the panel's unit; `low` and `high` are its 95 % interval."""

    step: int
    checkpoint: str
    mean: float
    low: float
    high: float
    tokens: int | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Curve:
    """One genre over the checkpoints of the subject, by step."""

    genre: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Rival:
    """Another model on the same items: its score by genre, TOTAL among them."""

    name: str
    scores: Mapping[str, Point]


@dataclass(frozen=True)
class Panel:
    """One suite under one protocol and judge: what may stand in one figure.

    unit      "%" for shares, which are given in percent, or the name of another scale
    highest   of the scale, where it has one
    curves    TOTAL first
    latest    the subject's last evaluation; None for imported means
    note      how it was measured, in one sentence
    tokens    tokens seen by step, where figures are to be drawn over tokens; else empty
    """

    suite: str
    protocol: str
    judge: str
    unit: str
    highest: float | None
    curves: tuple[Curve, ...]
    rivals: tuple[Rival, ...]
    latest: EvaluationRow | None
    note: str
    tokens: Mapping[int, int] = field(default_factory=dict)

    @property
    def axis(self) -> str:
        return "tokens" if self.tokens else "step"

    def place(self, step: float) -> float:
        """Where a step lies on the axis; between known steps by interpolation."""
        if not self.tokens:
            return step
        known = sorted(self.tokens)
        return float(np.interp(step, known, [self.tokens[one] for one in known]))

    @property
    def total(self) -> Curve:
        return self.curves[0]

    @property
    def steps(self) -> list[int]:
        return sorted({point.step for curve in self.curves for point in curve.points})


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    run      its run, where it is one with several checkpoints, read for regressions
    stages   what lineage says of its checkpoints, by step
    rivals   names that were asked for beside it
    """

    name: str
    run: Run | None
    stages: tuple[Stage, ...]
    panels: tuple[Panel, ...]
    rivals: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def collect(path: Path, names: Sequence[str], suites: Sequence[str] = ()) -> Subject:
    """The subject, which is the first name, and rivals, which are the others or, where there are
    none, the best of those that were measured on the same items.

    A name is a run, a checkpoint, the beginning of an evaluation's id, or an imported run. Raises
    HarnessError for an unknown name, and where the subject has no scores.
    """
    subject, *others = names
    if subject in imported_runs(path) and not evaluations(path, "c.run = ?", [subject]):
        return _imported(path, subject, suites)
    rows = _rows(path, subject, suites)
    mine = {row.id for row in rows}
    wanted = {name: {row.id for row in _rows(path, name, suites)} for name in others}
    panels = [_panel(board, mine, wanted) for board in _boards(path, suites)]
    found = tuple(one for one in panels if one is not None)
    if not found:
        raise HarnessError(f"{subject}: nothing is scored yet; `harness eval` or `harness score`")
    run = next((row.run for row in rows if row.run and row.step is not None), None)
    several = run is not None and len({row.step for row in rows}) > 1
    opened = open_run(run, path, suites=suites) if run is not None and several else None
    stages = _stages(path, run) if run is not None else ()
    return Subject(subject, opened, stages, found, tuple(others))


def panels_of(path: Path, fingerprints: Sequence[str], suites: Sequence[str] = ()) -> list[Panel]:
    """One panel a suite and judge for checkpoints of any run: that in which most of them stand.
    Without rivals."""
    rows = evaluations(path, "list_contains(?, e.fingerprint)", [list(fingerprints)])
    mine = {row.id for row in rows}
    found: dict[tuple[str, str], Panel] = {}
    for board in _boards(path, suites):
        panel = _panel(board, mine, {})
        if panel is None:
            continue
        before = found.get((panel.suite, panel.judge))
        if before is None or len(panel.total.points) > len(before.total.points):
            found[panel.suite, panel.judge] = replace(panel, rivals=())
    return list(found.values())


def over_tokens(panel: Panel) -> Panel:
    """The panel with tokens for its axis. Raises HarnessError where a checkpoint does not say how
    many it has seen."""
    points = [point for curve in panel.curves for point in curve.points]
    if unknown := next((one for one in points if one.tokens is None), None):
        raise HarnessError(
            f"{unknown.checkpoint} does not say how many tokens it has seen (`tokens_seen` of its "
            "lineage.json), so nothing can be drawn over tokens; leave out --over"
        )
    return replace(panel, tokens={one.step: one.tokens for one in points if one.tokens is not None})


def _stages(path: Path, run: str) -> tuple[Stage, ...]:
    return tuple(sorted(lineage_of(path, run).values(), key=lambda one: one.step))


def _rows(path: Path, name: str, suites: Sequence[str]) -> list[EvaluationRow]:
    rows = evaluations(path, "c.run = ? OR c.name = ? OR c.fingerprint = ?", [name] * 3)
    if not rows:
        rows = [find_evaluation(path, name)]
    kept = [row for row in rows if not suites or row.suite in suites]
    if not kept:
        known = ", ".join(sorted({row.suite for row in rows}))
        raise HarnessError(f"{name} has no evaluation of {', '.join(suites)}; it has {known}")
    return kept


@dataclass(frozen=True)
class _Row:
    evaluation: EvaluationRow
    scores: dict[str, Estimate]


@dataclass(frozen=True)
class _Table:
    """A board of either sort as rows of estimates."""

    suite: str
    protocol: str
    judge: str
    unit: str
    factor: float
    highest: float
    rows: tuple[_Row, ...]
    genres: tuple[str, ...]
    note: str


def _boards(path: Path, suites: Sequence[str]) -> list[_Table]:
    strict, _ = boards(path, suites=suites, every_checkpoint=True)
    judged, _ = judged_boards(path, suites=suites, every_checkpoint=True)
    return [_strict(one) for one in strict] + [_judged(one) for one in judged]


def _strict(board: Board) -> _Table:
    rows = tuple(
        _Row(one.measured.evaluation, {TOTAL: one.measured.score, **one.measured.genres})
        for one in board.standings
    )
    how = "greedy" if board.samples == 1 else f"{board.samples} samples an item"
    note = f"{board.items:,} items, {how}; percent of the strict score, its mean over genres."
    return _Table(
        board.suite, board.protocol, "", "%", 100.0, 100.0, rows, (TOTAL, *board.genres), note
    )


def _judged(board: JudgedBoard) -> _Table:
    shown = board.protocol.variant.shown
    rows = tuple(
        _Row(
            one.scores.evaluation,
            {TOTAL: one.scores.ratings.score, **one.scores.ratings.genres},
        )
        for one in board.standings
        if one.scores.ratings is not None
    )
    judge = board.judge[0] if board.judge else ""
    who = f"rated by {judge}" if judge else "decided by rule, without a judge"
    first = board.standings[0].scores.evaluation
    return _Table(
        first.suite,
        first.protocol,
        judge,
        "rating",
        1 / shown,
        10.0 / shown,
        rows,
        (TOTAL, *board.genres),
        f"{board.items:,} items, {who}.",
    )


def _panel(table: _Table, mine: set[str], wanted: Mapping[str, set[str]]) -> Panel | None:
    own = [row for row in table.rows if row.evaluation.id in mine]
    if not own:
        return None
    own.sort(key=lambda row: (row.evaluation.step or 0, row.evaluation.started_at))
    curves = [
        Curve(
            genre,
            tuple(_point(row, genre, table.factor) for row in own if genre in row.scores),
        )
        for genre in table.genres
    ]
    return Panel(
        table.suite,
        table.protocol,
        table.judge,
        table.unit,
        table.highest,
        tuple(one for one in curves if one.points),
        tuple(_rivals(table, mine, wanted)),
        own[-1].evaluation,
        table.note,
    )


def _rivals(table: _Table, mine: set[str], wanted: Mapping[str, set[str]]) -> Iterable[Rival]:
    runs = {row.evaluation.run for row in table.rows if row.evaluation.id in mine}
    # What a run was taken back from lies under its own name, and is no rival unless asked for.
    aside = tuple(f"{run}/" for run in runs if run)
    others = [
        row
        for row in table.rows
        if row.evaluation.id not in mine
        and (wanted or not (row.evaluation.run or "").startswith(aside))
    ]
    if wanted:
        for name, ids in wanted.items():
            rows = [row for row in others if row.evaluation.id in ids]
            if rows:
                last = max(rows, key=lambda row: row.evaluation.step or 0)
                yield _rival(name, last, table.factor)
        return
    best: dict[str, _Row] = {}
    for row in sorted(others, key=lambda row: row.evaluation.step or 0):
        best[row.evaluation.run or row.evaluation.fingerprint] = row
    ranked = sorted(best.values(), key=lambda row: -row.scores[TOTAL].mean)
    for row in ranked[:_MOST_RIVALS]:
        yield _rival(row.evaluation.checkpoint, row, table.factor)


def _rival(name: str, row: _Row, factor: float) -> Rival:
    return Rival(name, {genre: _point(row, genre, factor) for genre in row.scores})


def _point(row: _Row, genre: str, factor: float) -> Point:
    one = row.scores[genre]
    return Point(
        row.evaluation.step or 0,
        row.evaluation.checkpoint,
        one.mean * factor,
        one.low * factor,
        one.high * factor,
        row.evaluation.tokens_seen,
        row.evaluation.fingerprint,
    )


def _imported(path: Path, name: str, suites: Sequence[str]) -> Subject:
    """A run of means that another harness summed up: a curve for each of its series."""
    run = open_run(name, path, suites=suites)
    shares = [one for one in run.series if one.unit == "share"]
    chosen = shares or list(run.series)
    curves = []
    for one in chosen:
        factor = 100.0 * one.sign if shares else one.sign
        error = np.sqrt(one.variance) if one.variance is not None else np.zeros(one.values.size)
        curves.append(
            Curve(
                one.metric,
                tuple(
                    Point(int(step), f"{name}@{step}", *_bounds(value, half, factor))
                    for step, value, half in zip(
                        one.steps, one.values, error * _NORMAL, strict=True
                    )
                ),
            )
        )
    left = len(run.series) - len(chosen)
    note = f"Imported means of {len(chosen)} metrics; no items, so no answers to show."
    if left:
        note += f" {left} metrics that are no shares are left out of the figures."
    panel = Panel(
        "imported", name, "", "%" if shares else "score", None, (_mean(curves), *curves), (), None,
        note,
    )  # fmt: skip
    return Subject(name, run, run.stages, (panel,), notes=run.notes)


def _bounds(value: float, half: float, factor: float) -> tuple[float, float, float]:
    low, high = sorted(((value - half) * factor, (value + half) * factor))
    return value * factor, low, high


def _mean(curves: Sequence[Curve]) -> Curve:
    """The unweighted mean of curves at the steps that all of them have, without an interval: their
    errors are not known to be independent."""
    steps = set.intersection(*({point.step for point in one.points} for one in curves))
    values = {
        step: [point.mean for one in curves for point in one.points if point.step == step]
        for step in sorted(steps)
    }
    return Curve(
        TOTAL,
        tuple(
            Point(step, f"step {step}", mean, mean, mean)
            for step, found in values.items()
            for mean in [sum(found) / len(found)]
        ),
    )
