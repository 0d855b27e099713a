"""The health of a training run: its curves summed up at each checkpoint, and what was out of the
ordinary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.scoring.repetition import is_repetitive
from harness.statistics.training_health import (
    Anomaly,
    Plateau,
    gradient_anomalies,
    loss_spikes,
    plateau,
)
from harness.store.training import (
    LogLine,
    TrainingCurves,
    answers_by_step,
    training_curves,
    training_runs,
)

# Rows of a run without evaluated checkpoints or held-out losses.
_MOST_ROWS = 10


@dataclass(frozen=True)
class Stretch:
    """What happened between the row before and `step`.

    loss          mean over the stretch;  genre_losses: on held-out samples, at `step`
    grad_norm     the largest
    tokens_per_second  mean;  mfu: mean, None on a CPU
    spikes, gradients  stretches out of the ordinary that began here
    repetitive    share of this checkpoint's stored answers that are loops, None where none is
    """

    step: int
    tokens_seen: int | None
    loss: float | None
    genre_losses: Mapping[str, float]
    grad_norm: float | None
    learning_rate: float | None
    tokens_per_second: float | None
    mfu: float | None
    spikes: int
    gradients: int
    repetitive: float | None
    phase: str | None
    events: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with a column for each genre."""
        row = asdict(self) | {"events": "; ".join(self.events)}
        losses = row.pop("genre_losses")
        return row | {f"loss {genre}": loss for genre, loss in losses.items()}


@dataclass(frozen=True)
class TrainingHealth:
    """A run's stretches by step, and what was out of the ordinary."""

    run: str
    stretches: tuple[Stretch, ...]
    spikes: tuple[Anomaly, ...]
    gradients: tuple[Anomaly, ...]
    plateau: Plateau | None


def training_health(path: Path, run: str) -> TrainingHealth:
    """The health of a run from the store. Raises HarnessError for a run without a log."""
    curves = training_curves(path, run)
    if not curves.lines:
        known = ", ".join(training_runs(path)) or "none"
        raise HarnessError(
            f"{path}: run {run!r} has no training log (those that have one: {known}); "
            "`harness import training RUN_DIR` brings it in"
        )
    repetitive = {
        step: sum(map(is_repetitive, texts)) / len(texts)
        for step, texts in answers_by_step(path, run).items()
    }
    return summarise(curves, repetitive)


def summarise(curves: TrainingCurves, repetitive: Mapping[int, float]) -> TrainingHealth:
    """The health of curves; pure.

    repetitive  share of repetitive answers by step of the evaluated checkpoints
    """
    spikes = loss_spikes(*_series(curves.lines, "loss"))
    gradients = gradient_anomalies(*_series(curves.lines, "grad_norm"))
    marks = _marks(curves, repetitive)
    stretches = []
    start = -1
    for mark in marks:
        lines = [line for line in curves.lines if start < line.step <= mark]
        stretches.append(
            Stretch(
                step=mark,
                tokens_seen=_last(lines, "tokens_seen"),
                loss=_mean(lines, "loss"),
                genre_losses={
                    genre: dict(points)[mark]
                    for genre, points in curves.genre_losses.items()
                    if mark in dict(points)
                },
                grad_norm=max(_values(lines, "grad_norm"), default=None),
                learning_rate=_last(lines, "learning_rate"),
                tokens_per_second=_mean(lines, "tokens_per_second"),
                mfu=_mean(lines, "mfu"),
                spikes=sum(start < one.step <= mark for one in spikes),
                gradients=sum(start < one.step <= mark for one in gradients),
                repetitive=repetitive.get(mark),
                phase=_last(lines, "phase"),
                events=tuple(
                    f"step {line.step}: {line.event}" for line in lines if line.event is not None
                ),
            )
        )
        start = mark
    flat = plateau(*_series(curves.lines, "loss"))
    return TrainingHealth(curves.run, tuple(stretches), tuple(spikes), tuple(gradients), flat)


def _marks(curves: TrainingCurves, repetitive: Mapping[int, float]) -> list[int]:
    """The steps at which rows end: evaluated checkpoints and held-out losses, else tenths."""
    steps = [line.step for line in curves.lines]
    marks = {step for points in curves.genre_losses.values() for step, _ in points}
    marks |= {step for step in repetitive if step <= steps[-1]}
    if not marks:
        every = max(1, -(-len(steps) // _MOST_ROWS))
        marks = set(steps[every - 1 :: every])
    return sorted(marks | {steps[-1]})


def _series(lines: Sequence[LogLine], name: str) -> tuple[list[int], list[float]]:
    known = [(line.step, getattr(line, name)) for line in lines]
    kept = [(step, value) for step, value in known if value is not None]
    return [step for step, _ in kept], [value for _, value in kept]


def _values(lines: Sequence[LogLine], name: str) -> list[float]:
    return [value for line in lines if (value := getattr(line, name)) is not None]


def _mean(lines: Sequence[LogLine], name: str) -> float | None:
    values = _values(lines, name)
    return sum(values) / len(values) if values else None


def _last(lines: Sequence[LogLine], name: str) -> Any:
    return next((v for line in reversed(lines) if (v := getattr(line, name)) is not None), None)
