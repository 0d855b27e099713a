"""`harness browse`: driven by keys, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from harness.browse.app import Answers, Browser, Evaluations, Items
from harness.browse.entries import entries, listed, matches
from tests.comparison_store import MadeScores, by_item, keep

HOSTILE = "[bold red]赤[/] \x1b[2J\u202eかくれ [@click=app.quit]押す[/]"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browse") / "results.duckdb"
    items = by_item([1.0, 0.0, 0.0, 1.0])
    other = by_item([1.0, 1.0, 0.0, 0.0])
    texts = dict(zip(items, ("りんご", HOSTILE, "みかん", "ＡＢＣ"), strict=True))
    failures = dict.fromkeys(list(items)[1:3], "knowledge")
    one = MadeScores("old", {"strict": items}, answers=texts, failures=failures)
    keep(path, one, MadeScores("new", {"strict": other}, answers=texts, later=1))
    return path


def drive(store: Path, steps: Callable[[Browser, Pilot[None]], Awaitable[None]]) -> None:
    async def run() -> None:
        app = Browser(store)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(run())


def cells(screen: Any) -> list[list[str]]:
    table = screen.query_one(DataTable)
    return [[str(cell) for cell in table.get_row_at(row)] for row in range(table.row_count)]


def test_from_an_evaluation_to_an_answer_and_back(store: Path) -> None:
    async def steps(app: Browser, pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, Evaluations)
        assert [row[:3] for row in cells(app.screen)] == [
            ["new", "made-up", "50.0"],
            ["old", "made-up", "50.0"],
        ]
        await pilot.press("down", "enter")
        assert isinstance(app.screen, Items)
        assert len(cells(app.screen)) == 4
        await pilot.press("w")
        assert [row[0] for row in cells(app.screen)] == ["math/001", "math/002"]
        await pilot.press("enter")
        assert isinstance(app.screen, Answers)
        text = "\n".join(str(one.render()) for one in app.screen.query(Static))
        assert "[bold red]赤[/]" in text
        assert "\x1b" not in text
        assert "U+202E" in text
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, Evaluations)

    drive(store, steps)


def test_two_evaluations_side_by_side(store: Path) -> None:
    async def steps(app: Browser, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await pilot.press("d")
        assert [row[0] for row in cells(app.screen)] == ["old"]
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Items)
        await pilot.press("c")
        assert [(row[0], row[3], row[4]) for row in cells(app.screen)] == [
            ("math/001", "1.00", "0.00"),
            ("math/003", "0.00", "1.00"),
        ]
        await pilot.press("enter")
        assert len(app.screen.query(".side")) == 2

    drive(store, steps)


def test_search_in_any_width(store: Path) -> None:
    async def steps(app: Browser, pilot: Pilot[None]) -> None:
        await pilot.press("enter", "slash")
        await pilot.press(*"abc", "enter")
        assert [row[0] for row in cells(app.screen)] == ["math/003"]
        await pilot.press("escape")
        assert len(cells(app.screen)) == 4

    drive(store, steps)


def test_entries_pair_by_item(store: Path) -> None:
    new, old = listed(store)
    found = entries(store, new.row.id, old.row.id)
    assert [one.has_changed for one in found] == [False, True, False, True]
    assert matches("ＡＢＣ りんご", "りんご abc")
    assert not matches("ＡＢＣ", "abd")
