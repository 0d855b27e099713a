"""The viewer itself: three screens, each with a search, and keys that stand at the bottom.

What a model wrote is shown as text: no markup of the terminal's and none of the viewer's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Header, Input, Static

from harness.browse.entries import Entry, Evaluated, entries, listed, matches
from harness.store.queries import AnswerRow
from harness.visible import clipped

# Characters of one answer on the screen.
_LONGEST = 20_000


class _Listing(Screen[str | None]):
    """A table with a search line that appears on `/`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search"),
        Binding("escape", "leave", "back"),
    ]

    def compose(self) -> ComposeResult:
        yield Header(show_clock=False)
        yield Input(placeholder="words that must all occur; Enter to go on", id="search")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Static("", id="note")
        yield Footer()

    def on_mount(self) -> None:
        self.search.display = False
        self.prepare()
        self.fill()
        self.table.focus()

    @property
    def table(self) -> DataTable[Text]:
        return self.query_one(DataTable)

    @property
    def search(self) -> Input:
        return self.query_one("#search", Input)

    def note(self, text: str) -> None:
        self.query_one("#note", Static).update(Text(text, style="dim"))

    def prepare(self) -> None:
        raise NotImplementedError

    def fill(self) -> None:
        raise NotImplementedError

    def action_search(self) -> None:
        self.search.display = True
        self.search.focus()

    def action_leave(self) -> None:
        if self.search.display:
            self.search.value = ""
            self.search.display = False
            self.table.focus()
        else:
            self.dismiss(None)

    @on(Input.Changed)
    def _typed(self) -> None:
        self.fill()

    @on(Input.Submitted)
    def _found(self) -> None:
        self.table.focus()


class Evaluations(_Listing):
    """Every evaluation of the store; as a choice of what to compare with, it returns an id."""

    def __init__(self, every: Sequence[Evaluated], choose: str = "") -> None:
        super().__init__()
        self.every = every
        self.choose = choose
        self.title = choose or "evaluations"

    def prepare(self) -> None:
        for name in ("checkpoint", "suite", "score", "items", "failed", "state", "started", "id"):
            self.table.add_column(name, key=name)

    def fill(self) -> None:
        self.table.clear()
        shown = [one for one in self.every if matches(one.searched, self.search.value)]
        for one in shown:
            row = one.row
            cells = (
                row.checkpoint, row.suite, one.total, f"{row.items:,}", str(row.failed or ""),
                row.state, f"{row.started_at:%Y-%m-%d %H:%M}", row.id[:12],
            )  # fmt: skip
            self.table.add_row(*(Text(clipped(cell, 200)) for cell in cells), key=row.id)
        self.note(f"{len(shown)} of {len(self.every)} evaluations")

    def action_leave(self) -> None:
        if self.search.display or self.choose:
            super().action_leave()

    @on(DataTable.RowSelected)
    def _opened(self, event: DataTable.RowSelected) -> None:
        chosen = str(event.row_key.value)
        if self.choose:
            self.dismiss(chosen)
        else:
            self.app.push_screen(Items(self._store, self.every, chosen))

    @property
    def _store(self) -> Path:
        assert isinstance(self.app, Browser)
        return self.app.store


class Items(_Listing):
    """The items of one evaluation, or of two side by side."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "wrong", "wrong only"),
        Binding("d", "difference", "compare with"),
        Binding("c", "changed", "changed only"),
    ]

    def __init__(
        self, store: Path, every: Sequence[Evaluated], evaluation: str, other: str | None = None
    ) -> None:
        super().__init__()
        self.store = store
        self.every = every
        self.row = next(one.row for one in every if one.row.id == evaluation)
        self.other = next((one.row for one in every if one.row.id == other), None)
        self.items = entries(store, evaluation, other)
        self.keep: Callable[[Entry], bool] | None = None
        beside = f" beside {self.other.checkpoint}" if self.other else ""
        self.title = f"{self.row.checkpoint}, {self.row.suite}{beside}"

    def prepare(self) -> None:
        names = ["item", "genre", "skill", "score"]
        names += ["beside"] if self.other else []
        for name in (*names, "failure", "answer"):
            self.table.add_column(name, key=name)

    def fill(self) -> None:
        self.table.clear()
        wanted = self.search.value
        shown = [
            one
            for one in self.items
            if (self.keep is None or self.keep(one)) and matches(one.searched, wanted)
        ]
        for one in shown:
            cells = [one.item, one.genre, one.skill, _number(one.score)]
            cells += [_number(one.other)] if self.other else []
            cells += [one.failure, one.answers[0].text.replace("\n", " ")]
            self.table.add_row(*(Text(clipped(cell, 120)) for cell in cells), key=one.item)
        self.note(f"{len(shown)} of {len(self.items)} items")

    def action_wrong(self) -> None:
        self._toggle(lambda one: one.is_wrong, "wrong")

    def action_changed(self) -> None:
        if self.other is not None:
            self._toggle(lambda one: one.has_changed, "changed")

    def _toggle(self, keep: Callable[[Entry], bool], name: str) -> None:
        is_on = getattr(self.keep, "name", "") == name
        self.keep = None if is_on else keep
        if self.keep is not None:
            self.keep.name = name  # type: ignore[attr-defined]
        self.fill()

    def action_difference(self) -> None:
        same = [
            one
            for one in self.every
            if one.row.suite == self.row.suite and one.row.id != self.row.id
        ]

        def chosen(other: str | None) -> None:
            if other is not None:
                self.app.switch_screen(Items(self.store, self.every, self.row.id, other))

        self.app.push_screen(Evaluations(same, f"compare {self.row.checkpoint} with"), chosen)

    @on(DataTable.RowSelected)
    def _opened(self, event: DataTable.RowSelected) -> None:
        one = next(one for one in self.items if one.item == event.row_key.value)
        names = (self.row.checkpoint, self.other.checkpoint if self.other else "")
        self.app.push_screen(Answers(one, names))


class Answers(Screen[None]):
    """One item: its question, what was expected, and every answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.pop_screen", "back")]

    def __init__(self, entry: Entry, names: tuple[str, str]) -> None:
        super().__init__()
        self.entry = entry
        self.names = names
        self.title = entry.item

    def compose(self) -> ComposeResult:
        yield Header(show_clock=False)
        first = self.entry.answers[0]
        with VerticalScroll():
            yield Static(_labelled("question", first.question))
            if first.gold:
                yield Static(_labelled("expected", first.gold, "green"))
            with Horizontal(id="sides"):
                for name, found in zip(
                    self.names, (self.entry.answers, self.entry.others), strict=True
                ):
                    if found:
                        yield Static(_said(name, found), classes="side")
        yield Footer()


class Browser(App[None]):
    """The viewer over one store, which it never writes to."""

    CSS = """
    #search { dock: top; height: 3; }
    #note { height: 1; padding: 0 1; }
    DataTable { height: 1fr; }
    Static { height: auto; padding: 0 1 1 1; }
    #sides { height: auto; }
    .side { width: 1fr; border-left: thick $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "quit", "quit")]

    def __init__(self, store: Path) -> None:
        super().__init__()
        self.store = store
        self.title = "harness browse"

    def on_mount(self) -> None:
        self.push_screen(Evaluations(listed(self.store)))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _labelled(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label}\n", "bold"), (clipped(text, _LONGEST), style))


def _said(name: str, found: Sequence[AnswerRow]) -> Text:
    told = Text.assemble((f"{name}\n", "bold"))
    for one in found:
        scores = "  ".join(f"{metric} {value:.2f}" for metric, value in sorted(one.scores.items()))
        place = f"turn {one.turn + 1}, sample {one.sample}"
        told.append(f"{place}  {scores}  {one.failure or ''}\n", "dim")
        told.append(clipped(one.error or one.text, _LONGEST) + "\n", "red" if one.error else "")
        for judgment in one.judgments:
            rating = judgment["rating"]
            verdict = judgment["failure"] if rating is None else f"{rating:g}"
            told.append(f"{judgment['judge']}: {verdict}\n", "bold")
            told.append(clipped(str(judgment["text"]), _LONGEST) + "\n", "dim")
    return told
