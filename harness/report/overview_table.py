"""Draws the table across suites in the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from harness.report.cells import Cell, Name, bar, caption, fits, hidden, laid_out, shortened
from harness.report.leaderboard import notes
from harness.report.overview import SUITE_MEAN, Overview, OverviewRow

# Rows that a caption names before it counts the rest.
_MOST_NAMED = 2
_LONGEST = 32


def drawn(found: Overview, room: int) -> Group:
    """The table in `room` columns: numbers for each suite, else a bar for each."""
    names = [one.name for one in found.columns]
    for detail in (2, 1, 0):
        interval = ["95 %"] if detail else []
        headings = ["#", "checkpoint", SUITE_MEAN, *interval]
        headings += [*(names if detail == 2 else ["suites"]), *found.arena]
        rows = [_cells(found, row, detail) for row in found.rows]
        if fits(headings, rows, room):
            break
    table = laid_out("overview", headings, rows, room)
    return Group(table, caption(_caption(found, detail)), Text())


def _cells(found: Overview, row: OverviewRow, detail: int) -> list[Cell]:
    score = row.score
    cells: list[Cell] = ["–" if row.rank is None else str(row.rank)]
    cells.append(Name(row.name, notes(row.evaluation)))
    cells.append(Text("–" if score is None else _percent(score.mean), style="bold"))
    if detail:
        told = "" if score is None else f"{_percent(score.low)}–{_percent(score.high)}"
        cells.append(Text(told, style="dim"))
    bars = []
    for column in found.columns:
        one = row.suites.get(column.name)
        style = "" if column.name in found.counted else "dim"
        drawn = bar(None if one is None else one.mean)
        bars.append(drawn)
        if detail == 2:
            number = Text("" if one is None else f" {_percent(one.mean):>4}", style=style)
            cells.append(drawn + number)
    if detail < 2:
        cells.append(Text.assemble(*bars))
    for name in found.arena:
        rating = row.ratings.get(name)
        cells.append("–" if rating is None else f"{rating[0]:.0f} (#{rating[1]})")
    return cells


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


def _caption(found: Overview, detail: int) -> list[str]:
    if found.counted:
        rated = any(one.rated and one.name in found.counted for one in found.columns)
        lines = [
            f"{SUITE_MEAN}: the unweighted mean, in percent, of the suites that every row here "
            f"has: {', '.join(found.counted)}"
            + ("; a rating counts as rating/10" if rated else "")
            + ". Rows whose intervals overlap share a rank."
        ]
    else:
        lines = [f"No {SUITE_MEAN}: there is no suite that every row here has; --filter helps."]
    for column in found.columns if found.counted else ():
        if column.name not in found.counted:
            lines.append(f"{column.name} is not counted: {_why(found, column.name, column.why)}.")
    if found.hidden:
        lines.append(hidden(found.hidden, len(found.rows), "the rows shown"))
    if detail < 2:
        lines.append(f"Suites: {', '.join(one.name for one in found.columns)}.")
    return lines


def _why(found: Overview, name: str, why: str) -> str:
    if why:
        return why
    lacking = found.lacking(name)
    told = ", ".join(shortened(name, _LONGEST) for name in lacking[:_MOST_NAMED])
    rest = len(lacking) - _MOST_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"{told}{more} {'lacks' if len(lacking) == 1 else 'lack'} it"
