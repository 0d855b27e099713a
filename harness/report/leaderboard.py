"""Draws boards in the terminal: rank, score with interval, genre bars, sparkline over steps."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.standings import Board, Standing
from harness.statistics.means import Estimate

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDE = 110


def sparkline(values: Sequence[float], top: float) -> str:
    """One block a value, from 0 to `top`: a flat low line is low, not stretched."""
    if top <= 0:
        return _BLOCKS[0] * len(values)
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[min(last, max(0, round(value / top * last)))] for value in values)


def print_boards(console: Console, boards: Sequence[Board], left_out: int) -> None:
    for board in boards:
        console.print(_table(board, console.width))
        console.print(Text(_caption(board), style="dim"))
        console.print()
    if left_out:
        console.print(
            Text(
                f"{left_out} older group(s) of evaluations, over other items or protocol "
                "versions, are not comparable with these: --all shows them.",
                style="dim",
            )
        )


def _table(board: Board, width: int) -> Table:
    table = Table(
        title=f"{board.suite}   {board.protocol}",
        title_justify="left",
        title_style="bold",
        header_style="dim",
        pad_edge=False,
        padding=(0, 1),
    )
    # Genres go below one another in a narrow terminal's place of missing columns: the score
    # columns are what must never be cut.
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("checkpoint", no_wrap=True, overflow="ellipsis", min_width=12)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("95 %", justify="right", no_wrap=True)
    for genre in board.genres:
        table.add_column(genre if width >= _WIDE else genre[:4], no_wrap=True, justify="right")
    table.add_column("format", justify="right", no_wrap=True)
    table.add_column("lenient", justify="right", no_wrap=True)
    steps = max((len(one.trajectory) for one in board.standings), default=0)
    if steps > 1:
        table.add_column("over steps", no_wrap=True)
    top = max(
        [score for one in board.standings for _, score in one.trajectory]
        + [one.measured.score.mean for one in board.standings]
    )
    for one in board.standings:
        table.add_row(*_cells(board, one, top, steps))
    return table


def _cells(board: Board, one: Standing, top: float, steps: int) -> list[Text | str]:
    measured = one.measured
    name = Text(one.name)
    if measured.evaluation.state != "complete":
        name.append(" (partial)", style="yellow")
    if measured.evaluation.failed:
        rate = measured.evaluation.failed / max(1, measured.evaluation.planned)
        name.append(f" ({rate:.0%} failed)", style="red")
    score = measured.score
    cells: list[Text | str] = [
        str(one.rank),
        name,
        Text(_percent(score.mean), style="bold"),
        Text(f"{_percent(score.low)}–{_percent(score.high)}", style="dim"),
    ]
    cells += [_bar(measured.genres.get(genre)) for genre in board.genres]
    cells += [_metric(measured.metrics.get(name)) for name in ("format", "lenient")]
    if steps > 1:
        path = [value for _, value in one.trajectory]
        cells.append(Text(sparkline(path, top), style="cyan") if len(path) > 1 else "")
    return cells


def _bar(estimate: Estimate | None) -> Text:
    if estimate is None:
        return Text("–", style="dim")
    share = estimate.mean
    colour = "red" if share < 1 / 3 else "yellow" if share < 2 / 3 else "green"
    block = sparkline([share], 1.0)
    return Text.assemble((block, colour), f" {share * 100:3.0f}")


def _metric(estimate: Estimate | None) -> str:
    return "–" if estimate is None else _percent(estimate.mean)


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


def _caption(board: Board) -> str:
    samples = "greedy" if board.samples == 1 else f"{board.samples} samples an item"
    parts = [
        f"{board.items} items, {samples}; percent of the strict score, mean over genres",
        "rows whose intervals overlap share a rank",
    ]
    if any(one.measured.templates for one in board.standings):
        parts.append(
            "seen / unseen templates: "
            + ", ".join(
                f"{one.name} {_pair(one)}" for one in board.standings if one.measured.templates
            )
        )
    return ". ".join(parts) + "."


def _pair(one: Standing) -> str:
    templates = one.measured.templates
    return " / ".join(_metric(templates.get(name)) for name in ("seen", "unseen"))
