"""Draws boards in the terminal: rank, score with interval, genre bars, sparkline over steps."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.standings import Board, Standing
from harness.statistics.means import Estimate

_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_STEPS = 24
# A sparkline's full height is at least this share: noise around zero is no mountain.
_LEAST_TOP = 0.1


def sparkline(values: Sequence[float], top: float) -> str:
    """One block a value, from 0 to `top`: a flat low line is low, not stretched."""
    if top <= 0:
        return _BLOCKS[0] * len(values)
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[min(last, max(0, round(value / top * last)))] for value in values)


def thin(values: Sequence[float], most: int) -> list[float]:
    """At most `most` of the values, evenly spaced, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    last = len(values) - 1
    return [values[round(index * last / (most - 1))] for index in range(most)]


def print_boards(console: Console, boards: Sequence[Board], left_out: int) -> None:
    for board in boards:
        wide = console.width >= _width_needed(board)
        console.print(_table(board, wide))
        console.print(Text(_caption(board, wide), style="dim"))
        console.print()
    if left_out:
        console.print(
            Text(
                f"{left_out} older group(s) of evaluations, over other items or protocol "
                "versions, are not comparable with these: --all shows them.",
                style="dim",
            )
        )


def _width_needed(board: Board) -> int:
    """Columns that a table with a number for each genre takes, names uncut."""
    names = max((cell_len(one.name) for one in board.standings), default=0)
    genres = sum(max(5, len(genre)) + 2 for genre in board.genres)
    steps = max((len(one.trajectory) for one in board.standings), default=0)
    return 50 + names + genres + (steps + 4 if steps > 1 else 0)


def _table(board: Board, wide: bool) -> Table:
    table = Table(
        title=f"{board.suite}   {board.protocol}",
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("checkpoint", overflow="ellipsis", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True, min_width=5)
    table.add_column("95 %", justify="right", no_wrap=True, min_width=9)
    # Where a number for each genre does not fit, each genre keeps its bar.
    for genre in board.genres if wide else ("genres",):
        table.add_column(genre, justify="right", no_wrap=True)
    for metric in _metrics(board, wide):
        heading = "in format" if metric == "format" else metric
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    steps = max((len(one.trajectory) for one in board.standings), default=0)
    if steps > 1:
        table.add_column("steps", no_wrap=True, min_width=max(5, min(steps, _MOST_STEPS)))
    top = max(
        [_LEAST_TOP]
        + [score for one in board.standings for _, score in one.trajectory]
        + [one.measured.score.mean for one in board.standings]
    )
    for one in board.standings:
        table.add_row(*_cells(board, one, top, steps, wide))
    return table


def _cells(board: Board, one: Standing, top: float, steps: int, wide: bool) -> list[Text | str]:
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
    genres = [measured.genres.get(genre) for genre in board.genres]
    if wide:
        cells += [Text.assemble(_bar(one), f" {_percent_or_dash(one):>3}") for one in genres]
    else:
        cells.append(Text.assemble(*map(_bar, genres)))
    cells += [_metric(measured.metrics.get(name)) for name in _metrics(board, wide)]
    if steps > 1:
        path = thin([value for _, value in one.trajectory], _MOST_STEPS)
        cells.append(Text(sparkline(path, top), style="cyan") if len(path) > 1 else "")
    return cells


def _metrics(board: Board, wide: bool) -> tuple[str, ...]:
    """What stands beside the score; `choice` where closed label sets were scored and fits."""
    scored = {name for one in board.standings for name in one.measured.metrics}
    names = ("format", "lenient", "choice") if wide else ("format", "lenient")
    return tuple(name for name in names if name in scored)


def _bar(estimate: Estimate | None) -> Text:
    if estimate is None:
        return Text("–", style="dim")
    share = estimate.mean
    colour = "red" if share < 1 / 3 else "yellow" if share < 2 / 3 else "green"
    return Text(sparkline([share], 1.0), style=colour)


def _percent_or_dash(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.mean * 100:.0f}"


def _metric(estimate: Estimate | None) -> str:
    return "–" if estimate is None else _percent(estimate.mean)


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


def _caption(board: Board, wide: bool) -> str:
    samples = "greedy" if board.samples == 1 else f"{board.samples} samples an item"
    lines = [
        f"{board.items} items, {samples}. Percent of the strict score, mean over genres; rows "
        "whose intervals overlap share a rank."
    ]
    if not wide:
        lines.append(f"Genres: {', '.join(board.genres)}.")
    lines += [
        f"{one.name}: {', '.join(one.measured.missing)} not run; llm-jp-eval's AVG, which counts "
        f"them as 0, is {_percent(one.measured.llmjp_average)}."
        for one in board.standings
        if one.measured.missing
    ]
    lines += [f"{one.name}: {_pass_at(one)}." for one in board.standings if one.measured.pass_at]
    if any(one.measured.templates for one in board.standings):
        pairs = (f"{one.name} {_pair(one)}" for one in board.standings if one.measured.templates)
        lines.append(f"On templates seen / not seen in training: {', '.join(pairs)}.")
    return "\n".join(lines)


def _pass_at(one: Standing) -> str:
    """pass@1 12.5 (8.0–17.0), pass@8 40.1 (...)"""
    return ", ".join(
        f"pass@{k} {_percent(each.mean)} ({_percent(each.low)}–{_percent(each.high)})"
        for k, each in one.measured.pass_at.items()
    )


def _pair(one: Standing) -> str:
    templates = one.measured.templates
    return " / ".join(_metric(templates.get(name)) for name in ("seen", "unseen"))
