"""What training runs said of themselves: loss, gradients, throughput, held-out losses by genre."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from harness.store.database import connect, prepare

if TYPE_CHECKING:
    import pyarrow

# Answers of one checkpoint that are read for repetition; more would tell no more.
_MOST_ANSWERS = 500


@dataclass(frozen=True)
class LogLine:
    """One step of a run's log; None where the log does not say.

    loss, grad_norm    nats a token; norm before clipping
    tokens_per_second  over all processes;  mfu: share of the accelerators' peak
    event              what happened at this step, or None
    """

    step: int
    tokens_seen: int | None = None
    loss: float | None = None
    grad_norm: float | None = None
    learning_rate: float | None = None
    tokens_per_second: float | None = None
    mfu: float | None = None
    phase: str | None = None
    event: str | None = None


@dataclass(frozen=True)
class TrainingCurves:
    """A run's log by step, and by genre the (step, loss) of held-out samples."""

    run: str
    lines: tuple[LogLine, ...]
    genre_losses: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)


_COLUMNS = [one.name for one in fields(LogLine)]


def put_curves(path: Path, curves: TrainingCurves) -> int:
    """Makes the store say of a run what `curves` does, all or nothing; returns how many lines were
    new or changed. Nothing is written where none was: putting the same again costs one read."""
    prepare(path)
    known = training_curves(path, curves.run)
    old = {line.step: line for line in known.lines}
    changed = [line for line in curves.lines if old.get(line.step) != line]
    gone = sorted(old.keys() - {line.step for line in curves.lines})
    new_losses, old_losses = set(_flat(curves)), set(_flat(known))
    if not (changed or gone or new_losses != old_losses):
        return 0
    with connect(path) as connection:
        connection.execute("BEGIN")
        for step in gone:
            connection.execute(
                "DELETE FROM training_log WHERE run = ? AND step = ?", [curves.run, step]
            )
        if changed:
            connection.register("given", _table(changed))
            connection.execute(
                f"INSERT OR REPLACE INTO training_log SELECT ?, {', '.join(_COLUMNS)} FROM given",
                [curves.run],
            )
        for step, genre, _ in old_losses - new_losses:
            connection.execute(
                "DELETE FROM training_genre_loss WHERE run = ? AND step = ? AND genre = ?",
                [curves.run, step, genre],
            )
        if added := sorted(new_losses - old_losses):
            connection.executemany(
                "INSERT OR REPLACE INTO training_genre_loss VALUES (?, ?, ?, ?)",
                [[curves.run, *row] for row in added],
            )
        connection.execute("COMMIT")
    return len(changed)


def training_curves(path: Path, run: str) -> TrainingCurves:
    """The log of a run as it is stored; empty for a run that logged nothing."""
    with connect(path, read_only=True) as connection:
        lines = connection.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM training_log WHERE run = ? ORDER BY step", [run]
        ).fetchall()
        losses = connection.execute(
            "SELECT genre, step, loss FROM training_genre_loss WHERE run = ? ORDER BY genre, step",
            [run],
        ).fetchall()
    by_genre: dict[str, list[tuple[int, float]]] = {}
    for genre, step, loss in losses:
        by_genre.setdefault(genre, []).append((step, loss))
    return TrainingCurves(
        run,
        tuple(LogLine(*line) for line in lines),
        {genre: tuple(points) for genre, points in by_genre.items()},
    )


def training_runs(path: Path) -> dict[str, int]:
    """The runs with a log, and the last step of each."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT run, max(step) FROM training_log GROUP BY run ORDER BY run"
        ).fetchall()
    return {str(run): int(step) for run, step in rows}


def answers_by_step(path: Path, run: str) -> dict[int, list[str]]:
    """Some stored answers of each evaluated checkpoint of a run: the first few hundred by key."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT c.step, g.text FROM checkpoints c JOIN evaluations e USING (fingerprint) "
            "JOIN requests r ON r.evaluation = e.id JOIN generations g USING (key) "
            "WHERE c.run = $run AND c.step IS NOT NULL AND r.kind = 'answer' "
            "AND g.fingerprint IN (SELECT fingerprint FROM checkpoints WHERE run = $run) "
            "AND g.finish_reason <> 'error' "
            "QUALIFY row_number() OVER (PARTITION BY c.step ORDER BY g.key) <= $most "
            "ORDER BY c.step",
            {"run": run, "most": _MOST_ANSWERS},
        ).fetchall()
    answers: dict[int, list[str]] = {}
    for step, text in rows:
        answers.setdefault(int(step), []).append(text)
    return answers


def _table(lines: Sequence[LogLine]) -> pyarrow.Table:
    import pyarrow as pa

    kinds = {"step": pa.int64(), "tokens_seen": pa.int64(), "phase": pa.string()}
    kinds |= {"event": pa.string()}
    columns = zip(*map(astuple, lines), strict=True)
    return pa.table(
        [
            pa.array(column, type=kinds.get(name, pa.float64()))
            for name, column in zip(_COLUMNS, columns, strict=True)
        ],
        names=_COLUMNS,
    )


def _flat(curves: TrainingCurves) -> Iterator[tuple[int, str, float]]:
    for genre, points in curves.genre_losses.items():
        for step, loss in points:
            yield step, genre, loss
