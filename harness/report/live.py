"""Redraws boards while evaluations run, and says how far each of those is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from harness.report.cells import Cell, Name, laid_out
from harness.store.queries import refresh
from harness.store.running import Running, running
from harness.visible import visible

_BAR, _NARROW_BAR, _NARROW = 20, 10, 100
# Without an answer for so long, an evaluation may have been killed.
_SILENT_SECONDS = 600.0


def watch(
    console: Console,
    path: Path,
    draw: Callable[[], RenderableType],
    *,
    suites: Sequence[str] = (),
    every: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Draws again every `every` seconds until no evaluation of the suites runs, or Ctrl-C; the
    last drawing stays. Where nobody watches a terminal, one line a change tells the progress.

    draw  reads the store and gives the boards
    """
    told = ""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while True:
                refresh(path)
                now = running(path, suites)
                if not now:
                    break
                if console.is_terminal:
                    boards = draw()
                    live.update(Group(progress(now, console.width), boards), refresh=True)
                elif (line := _line(now)) != told:
                    told = line
                    console.print(Text(visible(line)), soft_wrap=True)
                sleep(every)
        except KeyboardInterrupt:
            pass
    console.print(draw())


def progress(found: Sequence[Running], room: int, at: datetime | None = None) -> RenderableType:
    """A line for each running evaluation: a bar, done of planned, and whether it is still heard
    of."""
    width = _BAR if room >= _NARROW else _NARROW_BAR
    rows = [_cells(one, at or datetime.now(UTC), width) for one in found]
    headings = ["", "checkpoint", "suite", "", "done", "failed", ""]
    return laid_out("running", headings, rows, room, left=("suite", ""))


def _cells(one: Running, now: datetime, width: int) -> list[Cell]:
    row = one.evaluation
    planned = max(1, row.planned)
    share = min(1.0, (one.done + one.failed) / planned)
    full = int(share * width)
    silent = one.answered_at is not None and (
        (now - one.answered_at).total_seconds() > _SILENT_SECONDS
    )
    note = f"no answer since {one.answered_at:%H:%M} UTC" if silent else ""
    return [
        Text("●", style="yellow" if silent else "green"),
        Name(row.checkpoint),
        row.suite,
        Text.assemble(("━" * full, "green"), ("━" * (width - full), "bright_black")),
        f"{one.done} of {row.planned}  {share:>4.0%}",
        Text(str(one.failed) if one.failed else "", style="red"),
        Text(note, style="yellow"),
    ]


def _line(found: Sequence[Running]) -> str:
    return "; ".join(
        f"{one.evaluation.checkpoint} {one.evaluation.suite}: {one.done} of "
        f"{one.evaluation.planned} done" + (f", {one.failed} failed" if one.failed else "")
        for one in found
    )
