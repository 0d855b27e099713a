"""An evaluation's means as named numbers, for whatever draws curves of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.report.judged import judged_boards
from harness.report.standings import boards
from harness.statistics.means import Estimate
from harness.store.queries import EvaluationRow, evaluations, find_evaluation


@dataclass(frozen=True)
class Measures:
    """One evaluation's means.

    values  by name: `probes/total`, `probes/math`, `probes/math/low`, `probes/metric/format`, ...;
            shares between 0 and 1, ratings on the protocol's scale
    judge   whose ratings they are, "" where rules decided
    """

    evaluation: EvaluationRow
    judge: str
    values: dict[str, float]


def measures(path: Path, names: Sequence[str]) -> list[Measures]:
    """Every evaluation of runs, checkpoints or ids, by step and then by time.

    Raises HarnessError for an unknown name, and where nothing is scored.
    """
    wanted: set[str] = set()
    for name in names:
        rows = evaluations(path, "c.run = ? OR c.name = ? OR c.fingerprint = ?", [name] * 3)
        wanted |= {row.id for row in rows} or {find_evaluation(path, name).id}
    found = []
    for board in boards(path, every_checkpoint=True, all_item_sets=True)[0]:
        for one in board.standings:
            if one.measured.evaluation.id in wanted:
                values = _values(board.suite, one.measured.score, one.measured.genres)
                values |= {
                    f"{board.suite}/metric/{metric}": estimate.mean
                    for metric, estimate in one.measured.metrics.items()
                }
                found.append(Measures(one.measured.evaluation, "", values))
    for judged in judged_boards(path, every_checkpoint=True, all_item_sets=True)[0]:
        for standing in judged.standings:
            scores = standing.scores
            if scores.evaluation.id in wanted and scores.ratings is not None:
                shown = judged.protocol.variant.shown
                values = _values(
                    scores.evaluation.suite, scores.ratings.score, scores.ratings.genres, shown
                )
                found.append(
                    Measures(scores.evaluation, judged.judge[0] if judged.judge else "", values)
                )
    if not found:
        raise HarnessError(f"{', '.join(names)}: nothing is scored yet; `harness eval` first")
    return sorted(found, key=lambda one: (one.evaluation.step or 0, one.evaluation.started_at))


def _values(
    suite: str, total: Estimate, genres: Mapping[str, Estimate], shown: float = 1.0
) -> dict[str, float]:
    values = {}
    for name, one in {"total": total, **genres}.items():
        values[f"{suite}/{name}"] = one.mean / shown
        values[f"{suite}/{name}/low"] = one.low / shown
        values[f"{suite}/{name}/high"] = one.high / shown
    return values
