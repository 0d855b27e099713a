"""What a student is measured against: a checkpoint, the best one in the store, or goals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.gaps.goals import Goals, load_goals
from harness.masking import masked_url
from harness.regression.compare import RANKING
from harness.regression.measure import ALL, measure_pairs
from harness.regression.pairing import find_pairs, judge_of, named_evaluations
from harness.report.measured import measure
from harness.statistics.clusters import Floats
from harness.store.lineage import judges_of
from harness.store.paired import Column, Judge, PairedScores, paired_scores
from harness.store.queries import EvaluationRow, evaluations

BEST = "best"
_SERVED = "openai:"


@dataclass(frozen=True, eq=False)
class Side:
    """One suite's student beside its target.

    target  the target's evaluation; None where it is a goal
    name    what the target is called
    metric  the one that ranks the suite
    scores  of that metric alone: base is the target's, cand the student's
    chosen_from  checkpoints among which the target was found the best; 1 where it was named
    """

    student: EvaluationRow
    target: EvaluationRow | None
    name: str
    metric: str
    scores: PairedScores
    judge: Judge | None = None
    chosen_from: int = 1

    @property
    def suite(self) -> str:
        return self.student.suite


@dataclass(frozen=True)
class Sides:
    """A student beside its target in every suite that both have, and what was left out."""

    sides: tuple[Side, ...]
    notes: tuple[str, ...] = ()


def find_sides(
    path: Path,
    student: str,
    target: str,
    suites: Sequence[str] = (),
    judge: str | None = None,
) -> Sides:
    """A student beside a target, from the store alone.

    student  a checkpoint's name, fingerprint or path, the openai:URL#MODEL that was evaluated, or
             the beginning of an evaluation's id
    target   the same, or `best`, or a file of goals (*.yaml, *.yml)
    suites   only these;  judge: whose ratings count, where several have judged

    Raises HarnessError where there is nothing to compare, saying why.
    """
    rows = [row for row in _named(path, student) if not suites or row.suite in suites]
    if not rows:
        raise HarnessError(
            f"{student} was not evaluated on {', '.join(suites)}; `harness eval {student} --suite "
            f"{suites[0]}` does it"
        )
    if target == BEST:
        found = _beside_best(path, rows, judge)
    elif target.endswith((".yaml", ".yml")):
        found = _beside_goals(path, rows, load_goals(Path(target)), judge)
    else:
        found = _beside_checkpoint(path, rows, _named(path, target), judge)
    if not found.sides:
        raise HarnessError(f"nothing to measure {student} by: {'; '.join(found.notes)}")
    return found


def only_metric(scores: PairedScores, metric: str) -> PairedScores:
    """The rows of one metric."""
    code = scores.metric.labels.index(metric) if metric in scores.metric.labels else -1
    return at_rows(scores, np.flatnonzero(scores.metric.codes == code))


def at_rows(scores: PairedScores, rows: np.ndarray) -> PairedScores:
    """Some of the rows."""

    def of(column: Column) -> Column:
        return Column(column.labels, column.codes[rows])

    return PairedScores(
        of(scores.item),
        of(scores.genre),
        of(scores.dataset),
        of(scores.cluster),
        of(scores.metric),
        scores.base[rows],
        scores.cand[rows],
    )


def _named(path: Path, name: str) -> list[EvaluationRow]:
    """As `named_evaluations`; a served model by its address too, without asking the server."""
    if name.startswith(_SERVED):
        url, _, model = name.removeprefix(_SERVED).partition("#")
        served = evaluations(
            path,
            "rtrim(c.url, '/') = rtrim(?, '/') AND (? = '' OR starts_with(c.name, ? || '@'))",
            [masked_url(url), model, model],
        )
        if served:
            return served
    return named_evaluations(path, name)


def _beside_checkpoint(
    path: Path,
    student: Sequence[EvaluationRow],
    target: Sequence[EvaluationRow],
    judge: str | None,
) -> Sides:
    pairs = find_pairs(path, [target], student, (), judge)
    sides, notes = [], []
    for pair in pairs.pairs:
        scores = _read(path, pair.base, pair.cand, pair.judge)
        metric = _ranking(scores)
        if metric is None:
            notes.append(f"{pair.suite}: no metric that ranks it on both sides")
            continue
        sides.append(
            Side(
                pair.cand,
                pair.base,
                pair.base.checkpoint,
                metric,
                only_metric(scores, metric),
                pair.judge,
            )
        )
    absent = target[-1].checkpoint
    notes += [f"{row.suite}: {absent} was not evaluated on it" for row in pairs.only_cand]
    return Sides(tuple(sides), tuple(notes))


def _beside_best(path: Path, student: Sequence[EvaluationRow], judge: str | None) -> Sides:
    """The checkpoint with the highest total of each suite, among all that were asked the same
    items in the same way as the student's latest evaluation.

    One checkpoint for the whole suite, not one a genre, which would take the luckiest of each. Its
    total is lucky all the same; `chosen_from` lets the tests allow for that.
    """
    sides, notes = [], []
    for row in _latest(student):
        by = judge_of(path, [row], judge)
        rivals = {
            other.fingerprint: other
            for other in evaluations(
                path,
                "e.protocol_hash = ? AND e.items_hash = ? AND e.samples = ? "
                "AND e.state = 'complete' AND e.fingerprint <> ?",
                [row.protocol_hash, row.items_hash, row.samples, row.fingerprint],
            )
            if by is None or (by.name, by.prompt_set) in judges_of(path, other.id)
        }
        found = _best(path, list(rivals.values()), row, by)
        if found is None:
            notes.append(
                f"{row.suite}: no other checkpoint was asked the same items in the same way"
            )
            continue
        sides.append(found)
    return Sides(tuple(sides), tuple(notes))


def _best(
    path: Path, rivals: Sequence[EvaluationRow], row: EvaluationRow, judge: Judge | None
) -> Side | None:
    """A student beside the best of its rivals; None where none has a score to set beside."""
    # What a leaderboard has counted is kept: of many rivals only the best one's scores are read.
    if judge is None and measure(path, [row]):
        totals = [(one.score.mean, one.evaluation) for one in measure(path, rivals)]
    else:
        totals = []
        for rival in rivals:
            scores = _read(path, rival, row, judge)
            if (metric := _ranking(scores)) is not None:
                total = measure_pairs(row.suite, only_metric(scores, metric))[0]
                assert total.genre == ALL
                totals.append((total.base, rival))
    for _, rival in sorted(totals, key=lambda one: (one[0], one[1].checkpoint), reverse=True):
        scores = _read(path, rival, row, judge)
        if (metric := _ranking(scores)) is not None:
            own = only_metric(scores, metric)
            name = f"{rival.checkpoint} (best)"
            return Side(row, rival, name, metric, own, judge, len(totals))
    return None


def _beside_goals(
    path: Path, student: Sequence[EvaluationRow], goals: Goals, judge: str | None
) -> Sides:
    from harness.store.gap_rows import asked_items

    sides, notes = [], []
    for row in _latest(student):
        by = judge_of(path, [row], judge)
        scores = _read(path, row, row, by)
        metric = _ranking(scores)
        if metric is None:
            notes.append(f"{row.suite}: no metric that ranks it")
            continue
        own = only_metric(scores, metric)
        wanted = {
            one.hash: goals.goal(row.suite, one.genre, one.dataset, one.skill)
            for one in asked_items(path, row.id, metric)
        }
        base: Floats = np.array(
            [_or_nan(wanted[own.item.labels[code]]) for code in own.item.codes], dtype=np.float64
        )
        if not np.isfinite(base).any():
            notes.append(f"{row.suite}: {goals.name} has no goal for it")
            continue
        if metric != "rating" and base[np.isfinite(base)].max() > 1:
            raise HarnessError(
                f"{goals.name}: a goal above 1 matches {row.suite}, whose {metric} runs from 0 to "
                "1; write 0.8 for 80 points of 100"
            )
        sides.append(Side(row, None, goals.name, metric, replace(own, base=base), by))
    return Sides(tuple(sides), tuple(notes))


def _read(
    path: Path, target: EvaluationRow, student: EvaluationRow, judge: Judge | None
) -> PairedScores:
    return paired_scores(path, [target.id], student.id, student.protocol_hash, judge)


def _ranking(scores: PairedScores) -> str | None:
    """The metric that ranks a suite, of those that any item has on both sides."""
    both = np.isfinite(scores.base) & np.isfinite(scores.cand)
    present = {scores.metric.labels[code] for code in set(scores.metric.codes[both].tolist())}
    return next((name for name in RANKING if name in present), None)


def _latest(rows: Sequence[EvaluationRow]) -> list[EvaluationRow]:
    """The latest evaluation of each suite, complete ones before others."""
    found: dict[str, EvaluationRow] = {}
    for row in rows:
        before = found.get(row.suite)
        if before is None or row.state == "complete" or before.state != "complete":
            found[row.suite] = row
    return [found[suite] for suite in sorted(found)]


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
