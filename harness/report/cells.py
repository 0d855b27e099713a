"""What every board in the terminal is laid out with: tables that fit, names cut in their middle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len, chop_cells
from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from harness.visible import visible

# A name is cut to no less than this many cells; rather a narrower layout is taken.
LEAST_NAME = 18
_BARELY_A_NAME, _LEAST_COLUMNS = 10, 3
_ELLIPSIS = "…"
# What a table takes beside its cells: a blank before it, and two between columns.
_EDGE, _GAP = 1, 2

_BLOCKS = "▁▂▃▄▅▆▇█"

ARROWS = {"up": ("▲", "green"), "down": ("▼", "red")}


@dataclass(frozen=True)
class Name:
    """The cell of a name, which alone gives way where the terminal is narrow.

    notes  stand after it and are never cut
    """

    text: str
    notes: Text = field(default_factory=Text)
    style: str = ""


Cell = Text | str | Name


def shortened(name: str, cells: int) -> str:
    """The name in at most `cells` terminal cells, a full-width character being two.

    It is cut in its middle, because runs differ at the front and steps at the end; the end keeps
    its last part (after the last slash) whole where that takes no more than two thirds.
    """
    if cell_len(name) <= cells:
        return name
    if cells <= 1:
        return _ELLIPSIS[:cells]
    last = cell_len(name.rpartition("/")[2]) + 1
    tail = last if last <= cells * 2 // 3 else (cells - 1) // 2
    back = _first(name[::-1], tail)[::-1]
    return _first(name, cells - 1 - cell_len(back)) + _ELLIPSIS + back


def _first(text: str, cells: int) -> str:
    """As much of the beginning as fits; never half of a full-width character."""
    if cells <= 0:
        return ""
    if cells == 1:  # chop_cells would give a full-width character two.
        return text[:1] if cell_len(text[:1]) == 1 else ""
    return chop_cells(text, cells)[0] if text else ""


def fits(headings: Sequence[str], rows: Sequence[Sequence[Cell]], room: int) -> bool:
    """Whether a table has its room with names cut to no less than `LEAST_NAME`."""
    longest = max(
        (cell_len(one.text) for row in rows for one in row if isinstance(one, Name)), default=0
    )
    return room - _others(headings, rows) >= min(longest, LEAST_NAME)


def _others(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    """Cells that everything but the names takes."""
    return _EDGE + _GAP * len(headings) + sum(_widths(headings, rows))


def _widths(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[int]:
    """The width of each column; of a name only its notes count."""
    widths = []
    for place, heading in enumerate(headings):
        cells = [row[place] for row in rows]
        named = any(isinstance(one, Name) for one in cells)
        widths.append(max([0 if named else cell_len(heading), *map(_width, cells)]))
    return widths


def _width(cell: Cell) -> int:
    return cell_len(cell.notes.plain) if isinstance(cell, Name) else cell_len(str(cell))


def laid_out(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    room: int,
    left: Iterable[str] = (),
) -> Group:
    """A title over a table in which each column but that of the names is as wide as its cells.

    left  headings of columns that are set to the left; names always are

    Where there is room for hardly any name, the last columns are left out rather than half shown.
    """
    while len(headings) > _LEAST_COLUMNS and room - _others(headings, rows) < _BARELY_A_NAME:
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    table = Table(
        header_style="dim",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    widths = _widths(headings, rows)
    for place, (heading, width) in enumerate(zip(headings, widths, strict=True)):
        named = any(isinstance(row[place], Name) for row in rows)
        justify: JustifyMethod = "left" if named or heading in left else "right"
        # As texts: square brackets in a name are no markup.
        table.add_column(
            Text(visible(heading)),
            justify=justify,
            no_wrap=True,
            min_width=None if named else width,
        )
    space = max(_BARELY_A_NAME, room - _others(headings, rows))
    for row in rows:
        table.add_row(*(_text(one, space) for one in row))
    # Not the table's own title, which a narrow table would cut.
    return Group(Text(visible(title), style="bold"), table)


def _text(cell: Cell, space: int) -> Text:
    if isinstance(cell, Name):
        return Text.assemble((shortened(visible(cell.text), space), cell.style), cell.notes)
    return cell if isinstance(cell, Text) else Text(visible(cell))


def caption(lines: Sequence[str]) -> Text:
    """What stands below a table."""
    return Text(visible("\n".join(lines)), style="dim")


def arrow(direction: str | None, padded: bool) -> Text:
    """▲ or ▼; a blank instead where others of the column have one."""
    if direction is None:
        return Text("  " if padded else "")
    mark, style = ARROWS[direction]
    return Text(f" {mark}", style=style)


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


def hidden(number: int, shown: int, among: str = "all of them") -> str:
    """What is said of rows that are not shown."""
    return f"{shown} of {shown + number} rows are shown; ranks are those among {among}."


def bar(share: float | None) -> Text:
    """One block of a share, in the colour of its third."""
    if share is None:
        return Text("–", style="dim")
    colour = "red" if share < 1 / 3 else "yellow" if share < 2 / 3 else "green"
    return Text(sparkline([share], 1.0), style=colour)
