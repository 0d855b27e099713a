"""Draws boards in the terminal: rank, score with interval, genre bars, sparkline over steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group
from rich.text import Text

from harness.report.cells import (
    ARROWS,
    Cell,
    Name,
    arrow,
    bar,
    caption,
    fits,
    hidden,
    laid_out,
    sparkline,
    thin,
)
from harness.report.judged import JudgedStanding
from harness.report.movement import TOTAL, Movement
from harness.report.published import Beside
from harness.report.published_table import beside_caption, beside_cells, merged
from harness.report.standings import GENRE_MEAN, Board, Standing
from harness.statistics.means import Estimate
from harness.store.queries import EvaluationRow

_MOST_STEPS = 24
# Rows beyond which a caption does not tell of each.
MOST_TOLD = 5
# A sparkline's full height is at least this share: noise around zero is no mountain.
_LEAST_TOP = 0.1


def print_boards(console: Console, boards: Sequence[Board], left_out: int) -> None:
    for board in boards:
        console.print(drawn(board, console.width))
    if left_out:
        console.print(Text(older(left_out, "evaluations"), style="dim"))


def older(number: int, what: str) -> str:
    """What is said of groups that are left out."""
    return (
        f"{number} older group(s) of {what}, over other items or protocol versions, are not "
        "comparable with these: --all shows them."
    )


def drawn(
    board: Board,
    room: int,
    moves: Mapping[str, Movement] | None = None,
    *,
    by_dataset: bool = False,
    imported: Sequence[Beside] = (),
) -> Group:
    """A board in `room` columns: the richest layout that fits, and what its numbers are.

    moves       by evaluation, of rows that have a checkpoint before them
    imported    rows of others' tables that stand among ours
    by_dataset  a column a dataset instead of a genre; where they do not fit, a line each
    """
    moves = moves or {}
    parts = tuple(dict.fromkeys(key for one in board.standings for key in one.measured.datasets))
    parts = parts if by_dataset else ()
    for detail in (2, 1, 0):
        headings = _headings(board, detail, parts)
        ours = [_lines(board, one, detail, parts, moves) for one in board.standings]
        theirs = [_imported(board, one, detail, parts, len(headings)) for one in imported]
        blocks = merged(
            [
                (one.measured.score.mean, own)
                for one, own in zip(board.standings, ours, strict=True)
            ],
            [(one.score, [row]) for one, row in zip(imported, theirs, strict=True)],
        )
        rows = [row for block in blocks for row in block]
        if fits(headings, rows, room):
            break
    table = laid_out(f"{board.suite}   {board.protocol}", headings, rows, room, left=("steps",))
    lines = [_caption(board, detail, moves, by_dataset and not parts)]
    lines += beside_caption(imported)
    return Group(table, caption(lines), Text())


def _headings(board: Board, detail: int, parts: Sequence[tuple[str, str]]) -> list[str]:
    # Where a number for each genre does not fit, each genre keeps its bar.
    genres = ["genres"] if detail < 2 else [name for _, name in parts] or list(board.genres)
    # "format" is a genre too.
    long = {"format": "in format"} if detail == 2 else {}
    metrics = [long.get(one, one) for one in _metrics(board, detail)]
    steps = ["steps"] if _has_steps(board) else []
    return ["#", "checkpoint", "score", "95 %", *genres, *metrics, *steps]


def _has_steps(board: Board) -> bool:
    return any(len(one.trajectory) > 1 for one in board.standings)


def _cells(
    board: Board,
    one: Standing,
    detail: int,
    parts: Sequence[tuple[str, str]],
    moves: Mapping[str, Movement],
) -> list[Cell]:
    measured, score = one.measured, one.measured.score
    cells: list[Cell] = [
        str(one.rank),
        Name(one.name, notes(one.evaluation)),
        Text.assemble((_percent(score.mean), "bold"), moved(board.standings, one, TOTAL, moves)),
        Text(f"{_percent(score.low)}–{_percent(score.high)}", style="dim"),
    ]
    if detail < 2:
        cells.append(Text.assemble(*(_bar(measured.genres.get(genre)) for genre in board.genres)))
    elif parts:
        cells += [_number(measured.datasets.get(part)) for part in parts]
    else:
        cells += [
            Text.assemble(
                _number(measured.genres.get(genre)), moved(board.standings, one, genre, moves)
            )
            for genre in board.genres
        ]
    cells += [_metric(measured.metrics.get(name)) for name in _metrics(board, detail)]
    if _has_steps(board):
        cells.append(_course(board, one, (8, 8, _MOST_STEPS)[detail]))
    return cells


def _lines(
    board: Board,
    one: Standing,
    detail: int,
    parts: Sequence[tuple[str, str]],
    moves: Mapping[str, Movement],
) -> list[list[Cell]]:
    """A row and, where datasets are wanted and have no columns, a line for each of them."""
    cells = _cells(board, one, detail, parts, moves)
    return [cells, *(_dataset_lines(one, parts, len(cells)) if detail < 2 else ())]


def _imported(
    board: Board, one: Beside, detail: int, parts: Sequence[tuple[str, str]], columns: int
) -> list[Cell]:
    wide = detail == 2
    cells = beside_cells(
        one,
        () if wide and parts else board.genres,
        _percent,
        None if wide else float,
        lambda value: f"{value * 100:.0f}",
    )
    return [*cells, *[""] * (columns - len(cells))]


def _dataset_lines(
    one: Standing, parts: Sequence[tuple[str, str]], columns: int
) -> Iterator[list[Cell]]:
    for part in parts:
        found = one.measured.datasets.get(part)
        if found is not None:
            yield [
                "",
                Name(f"  {part[1]}", style="dim"),
                Text(_percent(found.mean)),
                Text(f"{_percent(found.low)}–{_percent(found.high)}", style="dim"),
                _bar(found),
                *[""] * (columns - 5),
            ]


def notes(row: EvaluationRow) -> Text:
    """What stands after a name: that answers are missing."""
    said = Text()
    if row.state != "complete":
        said.append(" (partial)", style="yellow")
    if row.failed:
        said.append(f" ({row.failed / max(1, row.planned):.0%} failed)", style="red")
    return said


def moved(
    standings: Sequence[Standing | JudgedStanding],
    one: Standing | JudgedStanding,
    name: str,
    moves: Mapping[str, Movement],
) -> Text:
    """The arrow of a score, or a blank where another row of the column has one."""
    ways = {
        row.evaluation.id: moves[row.evaluation.id].direction(name)
        for row in standings
        if row.evaluation.id in moves
    }
    return arrow(ways.get(one.evaluation.id), any(ways.values()))


def _course(board: Board, one: Standing, most: int) -> Text:
    """The run's scores up to the row's step, on one scale for the whole board."""
    own = [value for step, value in one.trajectory if step <= (one.evaluation.step or 0)]
    if len(own) < 2:
        return Text()
    top = max(
        [_LEAST_TOP]
        + [score for row in board.standings for _, score in row.trajectory]
        + [row.measured.score.mean for row in board.standings]
    )
    return Text(sparkline(thin(own, most), top), style="cyan")


def told_moves(pairs: Sequence[tuple[str, Movement]]) -> list[str]:
    """One line for each row that moved: "a/step_2 since step_1: ▲ total, stem ▼ math"."""
    lines = []
    for name, found in pairs:
        said = []
        for way, (mark, _) in ARROWS.items():
            names = [key for key, one in found.changes.items() if one.direction == way]
            if names:
                told = ", ".join("total" if key == TOTAL else key for key in names)
                said.append(f"{mark} {told}")
        if said:
            home, slash, last = found.against.rpartition("/")
            against = last if name.startswith(home + slash) else found.against
            lines.append(f"{name} since {against}: {' '.join(said)}.")
    return lines


def _metrics(board: Board, detail: int) -> tuple[str, ...]:
    """What stands beside the score, as far as it fits."""
    scored = {name for one in board.standings for name in one.measured.metrics}
    names = ((), ("format", "lenient"), ("format", "lenient", "choice"))[detail]
    return tuple(name for name in names if name in scored)


def _bar(estimate: Estimate | None) -> Text:
    return bar(None if estimate is None else estimate.mean)


def _number(estimate: Estimate | None) -> Text:
    """A bar and percent."""
    told = "" if estimate is None else f"{estimate.mean * 100:.0f}"
    return Text.assemble(_bar(estimate), f" {told:>2}")


def _metric(estimate: Estimate | None) -> str:
    return "–" if estimate is None else _percent(estimate.mean)


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


def _caption(board: Board, detail: int, moves: Mapping[str, Movement], no_datasets: bool) -> str:
    samples = "greedy" if board.samples == 1 else f"{board.samples} samples an item"
    lines = [
        f"{board.items} items, {samples}. Score: {GENRE_MEAN}, the unweighted mean over genres of "
        "the strict score, in percent; rows whose intervals overlap share a rank."
    ]
    if board.hidden:
        lines.append(f"{hidden(board.hidden, len(board.standings))}")
    if no_datasets:
        lines.append("These items belong to no datasets: genres are shown.")
    elif detail < 2:
        lines.append(f"Genres: {', '.join(board.genres)}.")
    found = [
        (one.name, moves[one.evaluation.id])
        for one in board.standings
        if one.evaluation.id in moves
    ]
    lines += told_moves(found)
    lines += [
        f"{one.name}: {', '.join(one.measured.missing)} not run; llm-jp-eval's AVG, which counts "
        f"them as 0, is {_percent(one.measured.llmjp_average)}."
        for one in board.standings
        if one.measured.missing
    ]
    lines += [f"{one.name}: {_pass_at(one)}." for one in board.standings if one.measured.pass_at]
    if len(board.standings) <= MOST_TOLD and any(one.measured.templates for one in board.standings):
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
