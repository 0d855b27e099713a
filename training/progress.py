"""A progress bar for training: rate, time left, a smoothed loss."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def training_progress(
    name: str, total: int, start: int, *, enabled: bool = True
) -> Iterator[Callable[[int, float], None]]:
    """Opens a bar on stderr and yields `report(step, loss)`; silent where not `enabled`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import MofNCompleteColumn as Count
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        Count(),
        TextColumn("{task.fields[rate]} loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not enabled) as bar:
        task = bar.add_task(name, total=total, completed=start, rate="-- step/s", loss="--")
        mean = None

        def report(step: int, loss: float) -> None:
            nonlocal mean
            mean = loss if mean is None else 0.9 * mean + 0.1 * loss
            speed = bar.tasks[task].speed
            rate = f"{speed:.1f} step/s" if speed else "-- step/s"
            bar.update(task, completed=step, loss=f"{mean:.3f}", rate=rate)

        yield report
