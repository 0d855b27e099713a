"""Draws the health of a training run in the terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.cells import sparkline
from harness.report.training import Stretch, TrainingHealth
from harness.statistics.training_health import Anomaly

WIDE = 120
# Columns that a narrow terminal has no room for.
_WHERE_WIDE = {"tokens", "rate", "MFU", "grads"}
# Anomalies that are named one by one.
_NAMED = 5


def print_health(console: Console, health: TrainingHealth) -> None:
    genres = sorted({genre for row in health.stretches for genre in row.genre_losses})
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    wide = console.width >= WIDE
    shown = {
        name: cell for name, cell in _columns(genres).items() if wide or name not in _WHERE_WIDE
    }
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in health.stretches:
        table.add_row(*(cell(row) for cell in shown.values()))
    losses = [row.loss for row in health.stretches if row.loss is not None]
    console.print(Text.assemble((health.run, "bold"), f"   {_line(losses)}"))
    console.print(table)
    console.print(
        Text(
            "loss: mean since the row above; genres: loss on held-out samples; grad: largest norm; "
            "spikes, grads: stretches out of the ordinary; loops: repetitive answers",
            style="dim",
        )
    )
    _print_anomalies(console, "loss spike", health.spikes)
    _print_anomalies(console, "gradient norm", health.gradients)
    if (flat := health.plateau) is not None:
        console.print(
            Text(
                f"plateau since step {flat.since}: the loss changed by {flat.change:+.4f} "
                f"({flat.low:+.4f} to {flat.high:+.4f}) at {flat.level:.4f}",
                style="yellow",
            )
        )
    for row in health.stretches:
        for event in row.events:
            console.print(Text(event, style="yellow"))


def _columns(genres: list[str]) -> dict[str, Callable[[Stretch], str | Text]]:
    def held_out(genre: str) -> Callable[[Stretch], str]:
        return lambda row: _number(row.genre_losses.get(genre))

    return {
        "step": lambda row: f"{row.step:,}",
        "tokens": lambda row: "–" if row.tokens_seen is None else f"{row.tokens_seen:,}",
        "loss": lambda row: _number(row.loss),
        **{genre: held_out(genre) for genre in genres},
        "grad": lambda row: _number(row.grad_norm, 3),
        "rate": lambda row: "–" if row.learning_rate is None else f"{row.learning_rate:.2g}",
        "tok/s": lambda row: (
            "–" if row.tokens_per_second is None else f"{row.tokens_per_second:,.0f}"
        ),
        "MFU": lambda row: _percent(row.mfu),
        "spikes": lambda row: _count(row.spikes),
        "grads": lambda row: _count(row.gradients),
        "loops": lambda row: _percent(row.repetitive),
    }


def _print_anomalies(console: Console, what: str, found: tuple[Anomaly, ...]) -> None:
    for one in found[:_NAMED]:
        place = f"step {one.step}" if one.step == one.last else f"steps {one.step} to {one.last}"
        console.print(
            Text(
                f"{what} at {place}: {one.value:.4g}, expected {one.expected:.4g} (z {one.z:.0f})",
                style="red",
            )
        )
    if len(found) > _NAMED:
        console.print(Text(f"... and {len(found) - _NAMED} more", style="dim"))


def _line(losses: list[float]) -> str:
    return sparkline(losses, max(losses)) if losses and max(losses) > 0 else ""


def _number(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _count(value: int) -> Text | str:
    return Text(str(value), style="red") if value else "0"
