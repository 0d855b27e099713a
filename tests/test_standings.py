"""Boards: what may stand together, in which order, and how a run grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.evaluate import evaluate
from harness.protocols.catalogue import open_suite, spread
from harness.protocols.short_answer import ShortAnswer
from harness.report.cells import sparkline, thin
from harness.report.standings import boards
from tests.test_evaluate import CHECKPOINT, ScriptedEngine, letter, render


def measure(store: Path, step: int, right: int, run: str | None = "run", items: int = 10) -> None:
    """An evaluation in which the first `right` of its items have the gold answer A, as the
    scripted engine answers; the others want B."""
    asked = [
        replace(letter(n), answer="A" if n < right else "B", genre="math" if n % 2 else "stem")
        for n in range(items)
    ]
    checkpoint = replace(
        CHECKPOINT,
        name=f"{run}/step_{step}",
        fingerprint=f"{run}{step}".ljust(64, "0"),
        run=run,
        step=step if run else None,
    )
    evaluate(
        checkpoint,
        ShortAnswer("t"),
        asked,
        store=store,
        render=render,
        open_engine=ScriptedEngine,
    )


def test_only_comparable_evaluations_share_a_board(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    measure(store, 1, 5)
    measure(store, 2, 5)
    measure(store, 1, 2)  # other gold answers: another item set, and the most recent one
    made, left_out = boards(store)
    assert [len(board.standings) for board in made] == [1]
    assert left_out == 1
    every, none_left = boards(store, all_item_sets=True)
    assert [len(board.standings) for board in every] == [1, 1]
    assert none_left == 0
    assert sorted(len(board.standings[0].trajectory) for board in every) == [1, 2]


def test_a_run_is_one_row_with_its_trajectory(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    for step in (20, 3, 100):
        measure(store, step, 6)
    board = boards(store)[0][0]
    assert [one.name for one in board.standings] == ["run/step_100"]
    assert [step for step, _ in board.standings[0].trajectory] == [3, 20, 100]
    unfolded = boards(store, every_checkpoint=True)[0][0]
    assert len(unfolded.standings) == 3
    assert {one.rank for one in unfolded.standings} == {1}


def test_score_is_the_mean_of_genre_means(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    measure(store, 1, 7, items=9)  # stem 4 of 5 right, math 3 of 4
    measured = boards(store)[0][0].standings[0].measured
    assert measured.genres["stem"].mean == pytest.approx(4 / 5)
    assert measured.genres["math"].mean == pytest.approx(3 / 4)
    assert measured.score.mean == pytest.approx((4 / 5 + 3 / 4) / 2)
    assert measured.score.low < measured.score.mean < measured.score.high


def test_sparkline_keeps_scale() -> None:
    assert sparkline([0.0, 0.5, 1.0], 1.0) == "▁▅█"
    assert sparkline([0.1, 0.1], 1.0) == "▂▂"
    assert sparkline([0.0, 0.0], 0.0) == "▁▁"


def test_a_long_trajectory_keeps_its_ends() -> None:
    values = [float(n) for n in range(100)]
    shown = thin(values, 24)
    assert (len(shown), shown[0], shown[-1]) == (24, 0.0, 99.0)
    assert shown == sorted(shown)
    assert thin(values[:5], 24) == values[:5]


def test_a_limit_spreads_over_genres_and_only_adds() -> None:
    suite = open_suite("basics")
    small, large = spread(suite.items, 16), spread(suite.items, 40)
    assert [item.id for item in large[:16]] == [item.id for item in small]
    per_genre = [sum(item.genre == genre for item in small) for genre in {i.genre for i in small}]
    assert per_genre == [2] * 8
