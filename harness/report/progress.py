"""The progress bar of long work: rate, time left, cache hits and failures so far."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from harness.evaluate import Progress, Report

LINE_SECONDS = 30.0


@contextmanager
def progress_bar(console: Console, label: str) -> Iterator[Report]:
    """Yields what `evaluate` reports to; the bar is gone when the block ends. Where nobody watches
    a terminal (CI, a log file), a line every half minute stands for the bar."""
    if not console.is_terminal:
        yield _lines(console, label)
        return
    columns = (
        TextColumn(f"  {label}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None, rate="", note="")

        def report(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.planned,
                completed=progress.done + progress.failed,
                rate=_rate(bar.tasks[0].speed),
                note=_note(progress),
            )

        yield report


def _lines(console: Console, label: str) -> Report:
    begun = told = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < LINE_SECONDS:
            return
        told = now
        answered = progress.done + progress.failed
        rate = _rate((answered - progress.reused) / (now - begun))
        note = f", {_note(progress)}" if _note(progress) else ""
        console.print(f"  {label}: {answered} of {progress.planned}, {rate}{note}", style="dim")

    return report


def _rate(speed: float | None) -> str:
    return "" if speed is None else f"{speed:.1f}/s"


def _note(progress: Progress) -> str:
    parts = []
    if progress.reused:
        parts.append(f"{progress.reused} from the store")
    if progress.cached_tokens:
        parts.append(f"{progress.cached_tokens / progress.prompt_tokens:.0%} prefix-cached")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    return ", ".join(parts)
