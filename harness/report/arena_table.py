"""Draws the arena in the terminal: ratings with their intervals, the win matrix, proposals."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from harness.arena.correlation import Agreement, Correlation
from harness.arena.pairing import Proposal
from harness.arena.ratings import Rating
from harness.arena.variants import POSITION
from harness.report.arena import ArenaBoard, Pairing
from harness.report.cells import Cell, Name, caption, fits, laid_out

_BAR = 18


def print_arena(console: Console, boards: Sequence[ArenaBoard]) -> None:
    for board in boards:
        console.print(drawn(board, console.width))


def drawn(board: ArenaBoard, width: int) -> Group:
    """A board in `width` columns, and what its numbers are."""
    ratings = board.ratings
    for detail in (3, 2, 1, 0):
        headings = _headings(board, detail)
        rows = [_cells(board, one, detail) for one in ratings.rows]
        if fits(headings, rows, width):
            break
    title = f"arena   {' + '.join(board.kinds)}   {ratings.method}"
    table = laid_out(title, headings, rows, width)
    wide = detail == 3
    terms = [
        Text(_term(name, value, from_, to), style="yellow")
        for name, (value, from_, to) in (ratings.terms or {}).items()
    ]
    return Group(table, caption([_caption(board, wide)]), *terms, Text())


def _headings(board: ArenaBoard, detail: int) -> list[str]:
    """3: ratings by genre too; 2: without them; 1: without battles; 0: without the whisker."""
    found = ["#", "model", "rating", f"{board.ratings.level * 100:.0f} %"]
    found += [""] if detail else []
    found += ["battles"] if detail > 1 else []
    return [*found, "win", *(board.genres if detail == 3 else ())]


def _cells(board: ArenaBoard, one: Rating, detail: int) -> list[Cell]:
    low = min(row.low for row in board.ratings.rows)
    high = max(row.high for row in board.ratings.rows)
    cells: list[Cell] = [
        str(one.rank),
        Name(one.model),
        Text(f"{one.rating:.0f}", style="bold"),
        Text(f"{one.low:.0f}–{one.high:.0f}", style="dim"),
    ]
    cells += [_whisker(one, low, high)] if detail else []
    cells += [f"{one.battles:,}"] if detail > 1 else []
    cells.append(f"{one.win_rate * 100:.0f} %")
    if detail == 3:
        cells += [_genre(board.genres[genre].get(one.model)) for genre in board.genres]
    return cells


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _whisker(one: Rating, low: float, high: float) -> Text:
    """The interval as a line on the board's common scale, the rating as a point on it."""

    def column(points: float) -> int:
        return round((points - low) / max(high - low, 1e-9) * (_BAR - 1))

    begin, middle, end = column(one.low), column(one.rating), column(one.high)
    line = "".join(
        "●" if at == middle else "─" if begin <= at <= end else " " for at in range(_BAR)
    )
    return Text(line, style="cyan")


def _genre(one: Rating | None) -> Text:
    if one is None:
        return Text("–", style="dim")
    return Text(f"{one.rating:.0f}")


def _term(name: str, value: float, low: float, high: float) -> str:
    sure = "" if low <= 0 <= high else ", surely"
    if name == POSITION:
        side = "first" if value > 0 else "second"
        return (
            f"Position: whoever is seen first is {value:+.0f} points ({low:+.0f} to {high:+.0f}); "
            f"the {side} is favoured{sure}."
        )
    return f"Style, {name}: {value:+.3f} log odds a standard deviation ({low:+.3f} to {high:+.3f})."


def _caption(board: ArenaBoard, wide: bool) -> str:
    ratings = board.ratings
    lines = [
        f"{board.battles:,} battles on {board.prompts:,} prompts; a tie is half a win. 400 points: "
        f"odds of ten to one. Intervals: {ratings.interval}, clustered by prompt; rank: 1 + models "
        "surely above."
    ]
    lines += [f"{note[:1].upper()}{note[1:]}." for note in ratings.notes]
    if board.genres and not wide:
        lines.append(
            f"Ratings by genre ({', '.join(board.genres)}) in a wider terminal, or with --json."
        )
    lines += [f"{genre} is not rated: {why}." for genre, why in board.unrated.items()]
    return "\n".join(lines)


def print_matrix(console: Console, found: Sequence[Pairing]) -> None:
    """Rows beat columns: percent of the battles, ties half, and how many there were."""
    order = list(dict.fromkeys(one.model for one in found))
    opponents = list(dict.fromkeys(one.opponent for one in found))
    columns = [name for name in order if name in opponents]
    columns += [name for name in opponents if name not in order]
    by_pair = {(one.model, one.opponent): one for one in found}
    number = {name: place for place, name in enumerate(order, start=1)}
    if len(columns) == 1:
        _print_against(console, found, columns[0])
        return
    table = _table("win matrix: percent that the row wins against the column, ties half")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("model", overflow="ellipsis", no_wrap=True)
    fits = max(1, (console.width - 30) // 6)
    shown = columns[:fits]
    for name in shown:
        table.add_column(str(number.get(name, name)), justify="right", no_wrap=True, min_width=4)
    for name in order:
        cells = [_share(by_pair.get((name, other)), name == other) for other in shown]
        table.add_row(str(number[name]), name, *cells)
    console.print(table)
    if len(columns) > fits:
        console.print(
            Text(f"{len(columns) - fits} more columns in a wider terminal, or with --csv.", "dim")
        )


def _share(one: Pairing | None, self_: bool) -> Text:
    if one is None:
        return Text("·" if self_ else "", style="dim")
    share = one.rate.mean
    sure = one.rate.low > 0.5 or one.rate.high < 0.5
    colour = "green" if share > 0.5 else "red" if share < 0.5 else ""
    return Text(f"{share * 100:.0f}", style=f"bold {colour}" if sure else "")


def _print_against(console: Console, found: Sequence[Pairing], opponent: str) -> None:
    table = _table(f"against {opponent}")
    table.add_column("model", overflow="ellipsis", no_wrap=True)
    for heading in ("battles", "win", "tie", "loss", "adjusted", "95 %", "predicted"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=cell_len(heading))
    for one in sorted(found, key=lambda one: -one.rate.mean):
        shares = (one.wins / one.battles, one.ties / one.battles, one.losses / one.battles)
        table.add_row(
            one.model,
            str(one.battles),
            *(f"{share * 100:.1f}" for share in shares),
            Text(f"{one.rate.mean * 100:.1f}", style="bold"),
            Text(f"{one.rate.low * 100:.1f}–{one.rate.high * 100:.1f}", style="dim"),
            "–" if one.predicted is None else f"{one.predicted * 100:.1f}",
        )
    console.print(table)
    console.print(
        Text(
            "Percent; adjusted: wins and half of the ties; predicted: by the ratings of all.",
            style="dim",
        )
    )


def print_proposals(console: Console, found: Sequence[Proposal], power: float) -> None:
    table = _table("next battles")
    for heading in ("#", "model", "opponent"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for heading in ("ahead by", "± 95 %", "order in doubt", "to separate"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, one in enumerate(found, start=1):
        table.add_row(
            str(number),
            one.model_a,
            one.model_b,
            f"{one.gap:.0f}",
            f"{one.se * 1.96:.0f}",
            f"{one.doubt * 100:.0f} %",
            "–" if one.needed is None else f"{one.needed:,}",
        )
    console.print(table)
    console.print(
        Text(
            "Points. To separate: battles of these two until their 95 % interval excludes 0 with "
            f"a chance of {power:.0%}, if the gap is what it seems.",
            style="dim",
        )
    )


def print_agreements(console: Console, title: str, found: Sequence[Agreement]) -> None:
    table = _table(title)
    table.add_column("genre", no_wrap=True)
    for heading in ("models", "Spearman", "95 %", "Kendall", "95 %"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=cell_len(heading))
    for one in found:
        table.add_row(
            one.genre, str(one.spearman.n), *_correlation(one.spearman), *_correlation(one.kendall)
        )
    console.print(table)
    console.print(
        Text("Rank correlation of ratings with scores over the models that have both.", "dim")
    )


def _correlation(one: Correlation) -> tuple[Text, Text]:
    value = "–" if one.value is None else f"{one.value:+.2f}"
    interval = "" if one.low is None or one.high is None else f"{one.low:+.2f} to {one.high:+.2f}"
    return Text(value, style="bold"), Text(interval, style="dim")
