"""Draws published tables in the terminal, and marks imported rows that stand beside ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.console import Group
from rich.text import Text

from harness.report.cells import Cell, Name, caption, fits, hidden, laid_out, sparkline
from harness.report.published import BENCHMARK_MEAN, Beside, PublishedBoard, PublishedRow
from harness.store.published import Source

MARK = "†"
T = TypeVar("T")


def drawn(board: PublishedBoard, room: int) -> Group:
    """A board in `room` columns."""
    for wide in (True, False):
        headings = ["#", f"model {MARK}", *_total(board)]
        headings += board.benchmarks if wide else ["benchmarks"]
        rows = [_cells(board, row, wide) for row in board.rows]
        if fits(headings, rows, room):
            break
    title = "   ".join(filter(None, ("published", board.source.name, board.group)))
    table = laid_out(title, headings, rows, room)
    lines = [marked(board.source)]
    told = "Values as published; no intervals were, so # is a place and no rank."
    if board.total == BENCHMARK_MEAN and _total(board):
        told += f" {BENCHMARK_MEAN}: the unweighted mean over benchmarks, of models that have all."
    lines.append(told)
    if board.hidden:
        lines.append(hidden(board.hidden, len(board.rows)).replace("ranks", "places"))
    if not wide:
        lines.append(f"Benchmarks: {', '.join(board.benchmarks)}.")
    return Group(table, caption(lines), Text())


def _total(board: PublishedBoard) -> list[str]:
    """The heading of the score; none where a single benchmark is its own mean."""
    alone = board.total == BENCHMARK_MEAN and len(board.benchmarks) == 1
    return [] if alone else [board.total]


def _cells(board: PublishedBoard, row: PublishedRow, wide: bool) -> list[Cell]:
    cells: list[Cell] = [
        "–" if row.place is None else str(row.place),
        Name(row.model),
        *(Text(_value(row.score, board.top), style="bold") for _ in _total(board)),
    ]
    scores = [row.scores.get(name) for name in board.benchmarks]
    if wide:
        return [*cells, *(_value(one, board.top) for one in scores)]
    return [*cells, Text.assemble(*(_bar(one, board.top) for one in scores))]


def _value(value: float | None, top: float) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if top <= 1 else f"{value:.2f}" if top <= 10 else f"{value:.1f}"


def _bar(value: float | None, top: float) -> Text:
    return Text("–" if value is None else sparkline([value], top), style="dim")


def marked(source: Source) -> str:
    """What a caption says of imported rows."""
    licence = source.licence or "licence not told"
    return f"{MARK} imported from {source.name} ({licence}), not measured here."


def beside_cells(
    one: Beside,
    genres: Sequence[str],
    told: Callable[[float], str],
    share: Callable[[float], float] | None,
    number: Callable[[float], str] | None = None,
) -> list[Cell]:
    """The first cells of an imported row, all dim: the mark for a rank, no interval, and a number
    for each genre (told by `number`, else as the score), or one cell of bars of its `share`."""
    cells: list[Cell] = [Text(MARK, style="dim"), Name(one.model, style="dim")]
    cells += [Text("–" if one.score is None else told(one.score), style="dim"), ""]
    scores = [one.genres.get(genre) for genre in genres]
    if share is not None:
        bars = ("–" if one is None else sparkline([share(one)], 1.0) for one in scores)
        return [*cells, Text("".join(bars), style="dim")]
    number = number or told
    return cells + [Text("–" if one is None else number(one), style="dim") for one in scores]


def beside_caption(rows: Sequence[Beside]) -> list[str]:
    """One line for each table that rows come from."""
    told = {one.source.name: one.source for one in rows}
    return [f"{marked(source)[:-1]}; by the same protocol, not ranked." for source in told.values()]


def merged(
    ours: Sequence[tuple[float | None, T]],
    imported: Sequence[tuple[float | None, T]],
) -> list[T]:
    """Imported rows at the places of their scores where ours go from high to low, else below."""
    key: Callable[[tuple[float | None, T]], float] = lambda pair: -_or(pair[0])  # noqa: E731
    if list(ours) == sorted(ours, key=key):
        return [row for _, row in sorted([*ours, *imported], key=key)]
    return [row for _, row in (*ours, *imported)]


def _or(value: float | None) -> float:
    return float("-inf") if value is None else value
