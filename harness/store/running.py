"""Reads how far evaluations are that are still running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.store.database import connect
from harness.store.pruned import rows_of
from harness.store.queries import EvaluationRow, counts, evaluations


@dataclass(frozen=True)
class Running:
    """An evaluation that runs: done and failed of planned requests, and when the last answer came
    (None before the first)."""

    evaluation: EvaluationRow
    done: int
    failed: int
    answered_at: datetime | None


def running(path: Path, suites: Sequence[str] = ()) -> list[Running]:
    """The running evaluations of some suites, of all when empty, oldest first."""
    found = []
    for row in evaluations(path, "e.state = 'running'"):
        if not suites or row.suite in suites:
            done, failed, _ = counts(path, row.id)
            found.append(Running(row, done, failed, _last_answered(path, row.id)))
    return found


def _last_answered(path: Path, evaluation: str) -> datetime | None:
    with connect(path, read_only=True) as connection:
        row = connection.execute(
            "SELECT max(g.created_at) FROM requests r "
            f"JOIN {rows_of('generations')} g USING (key) "
            "WHERE r.evaluation IN (SELECT unnest($ids))",
            {"ids": [evaluation]},
        ).fetchone()
    return row[0] if row else None
