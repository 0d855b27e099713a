"""Draws boards of ratings in the terminal: score with interval, genres, what is unjudged."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.judged import HIGHEST, JudgedBoard, JudgedScores, JudgedStanding
from harness.report.leaderboard import sparkline
from harness.statistics.means import Estimate

_HOW = {
    "rows": "the mean over all readable ratings",
    "genres": "the mean over genres of their means over questions and turns",
    "repeats": "the mean over repeats of their means over questions",
}


def print_judged(console: Console, boards: Sequence[JudgedBoard], left_out: int) -> None:
    for board in boards:
        wide = console.width >= _width_needed(board)
        console.print(_table(board, wide, console.width))
        console.print(Text(_caption(board, wide), style="dim"))
        console.print()
    if left_out:
        console.print(
            Text(
                f"{left_out} older group(s) of judged evaluations, over other items or protocol "
                "versions, are not comparable with these: --all shows them.",
                style="dim",
            )
        )


def _width_needed(board: JudgedBoard) -> int:
    names = max(cell_len(one.scores.evaluation.checkpoint) for one in board.standings)
    return 60 + names + sum(max(6, len(genre)) + 2 for genre in board.genres)


def _table(board: JudgedBoard, wide: bool, room: int) -> Table:
    judge = f"judge {board.judge[0]}" if board.judge else "no judge"
    suite = board.protocol.suite
    table = Table(
        title=f"{suite}   {board.protocol.id}   {judge}",
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    rows = [_cells(board, one, wide) for one in board.standings]
    headings = ["score", "95 %", *(board.genres if wide else ("genres",))]
    if any(one.scores.verified for one in board.standings):
        headings.append("by rule")
    headings.append("unjudged")
    if board.judge is not None:
        headings.append("judge failed")
    widths = [
        max(cell_len(str(cell)) for cell in (heading, *(row[place] for row in rows)))
        for place, heading in enumerate(headings, 2)
    ]
    # Only names are shortened where the terminal is narrow.
    rest = sum(widths) + 2 * len(widths) + 7
    table.add_column("#", justify="right", no_wrap=True, min_width=2)
    table.add_column(
        "checkpoint", overflow="ellipsis", no_wrap=True, max_width=max(12, room - rest)
    )
    for heading, width in zip(headings, widths, strict=True):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*row)
    return table


def _cells(board: JudgedBoard, standing: JudgedStanding, wide: bool) -> list[Text | str]:
    one, row, variant = standing.scores, standing.scores.evaluation, board.protocol.variant
    digits = 2 if variant.shown == 1 else 3
    name = Text(row.checkpoint)
    if row.state != "complete":
        name.append(" (partial)", style="yellow")
    if row.failed:
        name.append(f" ({row.failed / max(1, row.planned):.0%} failed)", style="red")
    cells: list[Text | str] = ["–" if standing.rank is None else str(standing.rank), name]
    genres = one.ratings.genres if one.ratings else {}
    if one.ratings is None:
        cells += [Text("–", style="dim"), ""]
    else:
        score, shown = one.ratings.score, variant.shown
        mean = f"{score.mean / shown:.{digits}f}"
        if one.ratings.sd is not None:
            mean += f" ± {one.ratings.sd / shown:.{digits}f}"
        interval = f"{score.low / shown:.{digits}f}–{score.high / shown:.{digits}f}"
        cells += [Text(mean, style="bold"), Text(interval, style="dim")]
    bars = [_bar(genres.get(genre), float(variant.lowest)) for genre in board.genres]
    if wide:
        cells += [
            Text.assemble(bar, f" {genres[genre].mean / variant.shown:.{digits}f}")
            if genre in genres
            else bar
            for genre, bar in zip(board.genres, bars, strict=True)
        ]
    else:
        cells.append(Text.assemble(*bars))
    if any(other.scores.verified for other in board.standings):
        cells.append(_verified(one))
    cells.append(_share(one.unjudged, one.answers, "yellow"))
    if board.judge is not None:
        cells.append(_share(sum(one.failures.values()), one.judgments, "red"))
    return cells


def _bar(estimate: Estimate | None, lowest: float) -> Text:
    if estimate is None:
        return Text("–", style="dim")
    share = (estimate.mean - lowest) / (HIGHEST - lowest)
    colour = "red" if share < 1 / 3 else "yellow" if share < 2 / 3 else "green"
    return Text(sparkline([share], 1.0), style=colour)


def _verified(one: JudgedScores) -> str:
    right = sum(pair[0] for pair in one.verified.values())
    decided = sum(pair[1] for pair in one.verified.values())
    return f"{right} of {decided}" if decided else "–"


def _share(part: int, whole: int, style: str) -> Text:
    if not whole:
        return Text("–", style="dim")
    return Text(f"{part / whole:.0%}", style=style if part else "dim")


def _caption(board: JudgedBoard, wide: bool) -> str:
    variant = board.protocol.variant
    lowest, highest = variant.lowest / variant.shown, HIGHEST / variant.shown
    answers = "one answer each" if board.samples == 1 else f"{board.samples} answers each"
    lines = [
        f"{board.items} questions, {answers}; {lowest:g} to {highest:g}, "
        f"{_HOW[variant.aggregation]}. Intervals are clustered by question; rows whose intervals "
        "overlap share a rank."
    ]
    if not wide:
        lines.append(f"Genres: {', '.join(board.genres)}.")
    if board.protocol.is_ours:
        what = "is right" if board.judge else "is right, or keeps to its constraints,"
        rest = "" if board.judge else "; the score is over these alone, the rest is unjudged"
        lines.append(
            f"Where a rule decides whether an answer {what} it counts {HIGHEST:g} or "
            f"{lowest:g}{rest}."
        )
    if board.judge and variant.judge not in (None, board.judge[0]):
        lines.append(
            f"The judge of record is {variant.judge}: these scores are not comparable with "
            "published ones."
        )
    for standing in board.standings:
        one = standing.scores
        if len(one.noise) > 1:
            parts = (f"{name} {error / variant.shown:.3f}" for name, error in one.noise.items())
            lines.append(f"{one.evaluation.checkpoint}: standard error from {', '.join(parts)}.")
    failures: dict[str, int] = {}
    for standing in board.standings:
        for name, number in standing.scores.failures.items():
            failures[name] = failures.get(name, 0) + number
    if failures:
        told = ", ".join(f"{name} {number}" for name, number in sorted(failures.items()))
        lines.append(f"Judgments without a rating: {told}; none of them is averaged.")
    return "\n".join(lines)
