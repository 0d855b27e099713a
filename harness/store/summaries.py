"""Scores that other harnesses summed up: one number for a run, step, task and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pyarrow as pa

from harness.errors import HarnessError
from harness.store.database import connect, prepare


@dataclass(frozen=True)
class Summary:
    """One imported score.

    protocol          how it was asked, as far as the source says ("5-shot, version 1"); may be ""
    stderr            standard error, None where unknown
    n                 items behind the value, None where unknown
    higher_is_better  None where the source does not say
    place             `file:line` it came from
    """

    run: str
    step: int
    task: str
    protocol: str
    metric: str
    value: float
    stderr: float | None
    n: int | None
    higher_is_better: bool | None
    place: str

    @property
    def key(self) -> tuple[str, int, str, str, str]:
        return (self.run, self.step, self.task, self.protocol, self.metric)


_COLUMNS = "run, step, task, protocol, metric, value, stderr, n, higher_is_better, place"
_TYPES = {
    "run": pa.string(),
    "step": pa.int64(),
    "task": pa.string(),
    "protocol": pa.string(),
    "metric": pa.string(),
    "value": pa.float64(),
    "stderr": pa.float64(),
    "n": pa.int64(),
    "higher_is_better": pa.bool_(),
    "place": pa.string(),
}


def add_summaries(path: Path, rows: Sequence[Summary]) -> int:
    """Adds the scores that the store does not hold yet, all or none; returns how many were new.

    rows  each key once

    Raises HarnessError where the store holds another value or error under the same key, naming
    both; nothing is written then.
    """
    prepare(path)
    columns = list(zip(*map(astuple, rows), strict=True)) if rows else [()] * len(_TYPES)
    # `given` is found by DuckDB through the name of this variable.
    given = pa.table(
        [
            pa.array(column, type=kind)
            for column, kind in zip(columns, _TYPES.values(), strict=True)
        ],
        names=list(_TYPES),
    )
    same = " AND ".join(
        f"new.{name} = old.{name}" for name in ("run", "step", "task", "protocol", "metric")
    )
    with connect(path) as connection:
        connection.register("given", given)
        connection.execute("BEGIN")
        clash = connection.execute(
            f"SELECT new.place, new.value, new.stderr, old.place, old.value, old.stderr, new.run, "
            f"new.step, new.task, new.metric FROM given new JOIN summaries old ON {same} "
            "WHERE new.value <> old.value OR new.stderr IS DISTINCT FROM old.stderr "
            "ORDER BY new.place LIMIT 1"
        ).fetchone()
        if clash is not None:
            raise HarnessError(_sentence(clash[0], clash[1:3], clash[3], clash[4:6], clash[6:]))
        found = connection.execute(
            f"INSERT INTO summaries SELECT {_COLUMNS}, now() FROM given new "
            f"WHERE NOT EXISTS (FROM summaries old WHERE {same}) RETURNING 1"
        ).fetchall()
        connection.execute("COMMIT")
    return len(found)


def without_repeats(rows: Sequence[Summary]) -> list[Summary]:
    """The rows with each key once. Raises HarnessError where two of one key differ."""
    kept: dict[tuple[str, int, str, str, str], Summary] = {}
    for row in rows:
        first = kept.setdefault(row.key, row)
        if (first.value, first.stderr) != (row.value, row.stderr):
            raise HarnessError(
                _sentence(
                    row.place,
                    (row.value, row.stderr),
                    first.place,
                    (first.value, first.stderr),
                    (row.run, row.step, row.task, row.metric),
                )
            )
    return list(kept.values())


def _sentence(
    place: str,
    new: tuple[float, float | None],
    old_place: str,
    old: tuple[float, float | None],
    key: tuple[object, ...],
) -> str:
    run, step, task, metric = key
    return (
        f"{place}: {run} step {step} has {task} {metric} {_number(*new)}, but {old_place} gave "
        f"{_number(*old)}; correct one of them, or import this under another --run"
    )


def _number(value: float, stderr: float | None) -> str:
    return f"{value:.6g}" + ("" if stderr is None else f" ± {stderr:.3g}")


def summaries(path: Path, run: str) -> list[Summary]:
    """The imported scores of a run, by task, metric and step; none for an unknown run."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM summaries WHERE run = ? ORDER BY task, protocol, metric, step",
            [run],
        ).fetchall()
    return [Summary(*row) for row in rows]


def imported_runs(path: Path) -> dict[str, int]:
    """Number of checkpoints of each imported run."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT run, count(DISTINCT step) FROM summaries GROUP BY run ORDER BY run"
        ).fetchall()
    return {str(run): int(steps) for run, steps in rows}
