"""The progress bar of a round: samples kept, rate, time left, yield, the teacher's tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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

from harness.report.progress import LINE_SECONDS
from training.synthesis.run import Progress, Report


@contextmanager
def progress_bar(console: Console, tokens: Callable[[], int | None]) -> Iterator[Report]:
    """Yields what `synthesize` reports to; the bar is gone when the block ends. Where nobody
    watches a terminal, a line every half minute stands for it.

    tokens  of the teacher so far; None where there is none
    """
    if not console.is_terminal:
        yield _lines(console, tokens)
        return
    columns = (
        TextColumn("  synthesize"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("synthesize", total=None, rate="", note="")

        def report(progress: Progress) -> None:
            bar.update(task, total=progress.wanted, completed=progress.kept)
            speed = bar.tasks[0].speed
            rate = "" if speed is None else f"{speed:,.1f}/s"
            bar.update(task, rate=rate, note=f"{progress.line}, {_note(progress, tokens())}")

        yield report


def _lines(console: Console, tokens: Callable[[], int | None]) -> Report:
    begun = told = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < LINE_SECONDS:
            return
        told = now
        rate = (progress.kept - progress.reused) / (now - begun)
        left = (progress.wanted - progress.kept) / rate if rate else 0.0
        text = (
            f"  {progress.kept:,} of {progress.wanted:,} samples, {rate:,.1f}/s, "
            f"{left:,.0f} s left, {_note(progress, tokens())}"
        )
        console.print(text, style="dim", markup=False, highlight=False)

    return report


def _note(progress: Progress, tokens: int | None) -> str:
    share = progress.kept / progress.tried if progress.tried else 0.0
    parts = [f"yield {share:.0%}"]
    if progress.reused:
        parts.append(f"{progress.reused:,} from before")
    if tokens is not None:
        parts.append(f"{tokens:,} tokens")
    return ", ".join(parts)
