"""Draws boards of ratings in the terminal: score with interval, genres, what is unjudged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.text import Text

from harness.report.cells import Cell, Name, bar, caption, fits, hidden, laid_out, sparkline, thin
from harness.report.judged import AGGREGATES, HIGHEST, JudgedBoard, JudgedScores, JudgedStanding
from harness.report.leaderboard import MOST_TOLD, moved, notes, older, told_moves
from harness.report.movement import TOTAL, Movement
from harness.report.published import Beside
from harness.report.published_table import beside_caption, beside_cells, merged
from harness.statistics.means import Estimate

_HOW = {
    "rows": "the mean over all readable ratings",
    "genres": "the mean over genres of their means over questions and turns",
    "repeats": "the mean over repeats of their means over questions",
}


def print_judged(console: Console, boards: Sequence[JudgedBoard], left_out: int) -> None:
    for board in boards:
        console.print(drawn(board, console.width))
    if left_out:
        console.print(Text(older(left_out, "judged evaluations"), style="dim"))


def drawn(
    board: JudgedBoard,
    room: int,
    moves: Mapping[str, Movement] | None = None,
    imported: Sequence[Beside] = (),
) -> Group:
    """A board in `room` columns; `moves` and `imported` as for `leaderboard.drawn`."""
    moves = moves or {}
    for detail in (3, 2, 1, 0):
        headings = _headings(board, detail)
        ours = [_cells(board, one, detail, moves) for one in board.standings]
        theirs = [_imported(board, one, detail, len(headings)) for one in imported]
        rows = merged(
            [(_shown(board, one), row) for one, row in zip(board.standings, ours, strict=True)],
            [(one.score, row) for one, row in zip(imported, theirs, strict=True)],
        )
        if fits(headings, rows, room):
            break
    judge = f"judge {board.judge[0]}" if board.judge else "no judge"
    title = f"{board.protocol.suite}   {board.protocol.id}   {judge}"
    table = laid_out(title, headings, rows, room, left=("steps",))
    lines = [_caption(board, detail, moves), *beside_caption(imported)]
    return Group(table, caption(lines), Text())


def _shown(board: JudgedBoard, one: JudgedStanding) -> float | None:
    """A score on the scale that the protocol shows."""
    ratings = one.scores.ratings
    return None if ratings is None else ratings.score.mean / board.protocol.variant.shown


def _imported(board: JudgedBoard, one: Beside, detail: int, columns: int) -> list[Cell]:
    def told(value: float) -> str:
        return f"{value:.{2 if board.protocol.variant.shown == 1 else 3}f}"

    def share(value: float) -> float:
        variant = board.protocol.variant
        return (value * variant.shown - variant.lowest) / (HIGHEST - variant.lowest)

    cells = beside_cells(one, board.genres, told, None if detail > 1 else share)
    return [*cells, *[""] * (columns - len(cells))]


def _headings(board: JudgedBoard, detail: int) -> list[str]:
    """3: all there is; 2: numbers for genres alone; 1: bars for them and the rest; 0: bars."""
    found = ["#", "checkpoint", "score", "95 %"]
    found += board.genres if detail > 1 else ["genres"]
    if detail in (1, 3) and _has_rules(board):
        found.append("by rule")
    found.append("unjudged")
    if detail in (1, 3) and board.judge is not None:
        found.append("judge failed" if detail == 3 else "failed")
    return [*found, "steps"] if detail != 2 and _has_steps(board) else found


def _has_rules(board: JudgedBoard) -> bool:
    return any(one.scores.verified for one in board.standings)


def _has_steps(board: JudgedBoard) -> bool:
    return any(len(one.trajectory) > 1 for one in board.standings)


def _cells(
    board: JudgedBoard, standing: JudgedStanding, detail: int, moves: Mapping[str, Movement]
) -> list[Cell]:
    one, variant = standing.scores, board.protocol.variant
    digits, shown = 2 if variant.shown == 1 else 3, variant.shown
    rank = "–" if standing.rank is None else str(standing.rank)
    cells: list[Cell] = [rank, Name(standing.name, notes(standing.evaluation))]
    genres = one.ratings.genres if one.ratings else {}
    if one.ratings is None:
        cells += [Text("–", style="dim"), ""]
    else:
        score = one.ratings.score
        mean = f"{score.mean / shown:.{digits}f}"
        if one.ratings.sd is not None and detail in (1, 3):
            mean += f" ± {one.ratings.sd / shown:.{digits}f}"
        interval = f"{score.low / shown:.{digits}f}–{score.high / shown:.{digits}f}"
        cells += [
            Text.assemble((mean, "bold"), moved(board.standings, standing, TOTAL, moves)),
            Text(interval, style="dim"),
        ]
    bars = [_bar(genres.get(genre), float(variant.lowest)) for genre in board.genres]
    if detail > 1:
        cells += [
            Text.assemble(
                *((bar, " ") if detail == 3 else ()),
                f"{genres[genre].mean / shown:.{digits}f}",
                moved(board.standings, standing, genre, moves),
            )
            if genre in genres
            else bar
            for genre, bar in zip(board.genres, bars, strict=True)
        ]
    else:
        cells.append(Text.assemble(*bars))
    if detail in (1, 3) and _has_rules(board):
        cells.append(_verified(one))
    cells.append(_share(one.unjudged, one.answers, "yellow"))
    if detail in (1, 3) and board.judge is not None:
        cells.append(_share(sum(one.failures.values()), one.judgments, "red"))
    if detail != 2 and _has_steps(board):
        path = thin([(value - variant.lowest) / HIGHEST for _, value in standing.trajectory], 16)
        cells.append(Text(sparkline(path, 1.0) if len(path) > 1 else "", style="cyan"))
    return cells


def _bar(estimate: Estimate | None, lowest: float) -> Text:
    return bar(None if estimate is None else (estimate.mean - lowest) / (HIGHEST - lowest))


def _verified(one: JudgedScores) -> str:
    right = sum(pair[0] for pair in one.verified.values())
    decided = sum(pair[1] for pair in one.verified.values())
    return f"{right} of {decided}" if decided else "–"


def _share(part: int, whole: int, style: str) -> Text:
    if not whole:
        return Text("–", style="dim")
    return Text(f"{part / whole:.0%}", style=style if part else "dim")


def _caption(board: JudgedBoard, detail: int, moves: Mapping[str, Movement]) -> str:
    variant = board.protocol.variant
    lowest, highest = variant.lowest / variant.shown, HIGHEST / variant.shown
    answers = "one answer each" if board.samples == 1 else f"{board.samples} answers each"
    lines = [
        f"{board.items} questions, {answers}; {lowest:g} to {highest:g}. Score: "
        f"{AGGREGATES[variant.aggregation]}, {_HOW[variant.aggregation]}. Intervals "
        "are clustered by question; rows whose intervals overlap share a rank."
    ]
    if board.hidden:
        lines.append(hidden(board.hidden, len(board.standings)))
    if detail < 2:
        lines.append(f"Genres: {', '.join(board.genres)}.")
    lines += told_moves(
        [
            (one.name, moves[one.evaluation.id])
            for one in board.standings
            if one.evaluation.id in moves
        ]
    )
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
    for standing in board.standings if len(board.standings) <= MOST_TOLD else ():
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
