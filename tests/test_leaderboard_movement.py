"""Arrows: where a score moved significantly since the checkpoint before, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.regression.measure import Measured
from harness.report.movement import LEVEL, TOTAL, Change, changes, movement
from harness.statistics.paired import PairedDifference
from harness.store.queries import EvaluationRow, evaluations
from tests.comparison_store import MadeItem, MadeScores, by_item, keep, rate, strict


def outcome(genre: str, change: float, p_drop: float, p_rise: float) -> Measured:
    difference = PairedDifference(change, 0.1, 9, -1, 1, 0.95, 1, p_drop, p_rise, 10, 10, 0.1)
    return Measured("s", genre, TOTAL, "strict", 0, 0, difference, "t", p_drop, p_rise, 0, 0)


def test_holm_over_the_row() -> None:
    # By hand: two-sided 0.01, 0.04, 0.03; Holm 3·0.01, then 2·0.03, then max(0.06, 0.04).
    found = changes(
        [
            outcome(TOTAL, 0.2, 0.995, 0.005),
            outcome("math", -0.1, 0.02, 0.98),
            outcome("stem", 0.1, 0.985, 0.015),
        ]
    )
    assert found[TOTAL].p == pytest.approx(0.03)
    assert found["stem"].p == pytest.approx(0.06)
    assert found["math"].p == pytest.approx(0.06)
    assert [one.direction for one in found.values()] == ["up", None, None]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(0, 1)),
        min_size=1,
        max_size=9,
    )
)
def test_an_arrow_needs_its_own_p_and_points_where_the_score_went(
    rows: list[tuple[float, float]],
) -> None:
    measured = [
        outcome(f"g{n}", change, p if change < 0 else 1 - p, 1 - p if change < 0 else p)
        for n, (change, p) in enumerate(rows)
    ]
    for one, found in zip(measured, changes(measured).values(), strict=True):
        raw = min(1.0, 2 * min(one.p_drop, one.p_rise))
        assert raw - 1e-12 <= found.p <= 1
        if found.direction is not None:
            assert found.p <= LEVEL
            assert (found.direction == "up") == (found.change > 0)


def test_false_arrows_are_rarer_than_the_level() -> None:
    """Two evaluations of one unchanged model: in no more than 5 % of rows any arrow at all."""
    rng = np.random.default_rng(7)
    genres = [f"g{n}" for n in range(4)]
    rows, alarms = 300, 0
    for _ in range(rows):
        measured = made_up(rng, genres, [0.3, 0.5, 0.7, 0.9], [0.3, 0.5, 0.7, 0.9])
        alarms += any(one.direction for one in changes(measured).values())
    # 300 · 5 % is 15; above 23 a true rate of 5 % comes once in a hundred.
    assert alarms <= 23


def test_a_true_change_is_found_where_it_is() -> None:
    rng = np.random.default_rng(8)
    measured = made_up(rng, ["math", "stem"], [0.8, 0.5], [0.3, 0.5], items=120)
    found = {name: one.direction for name, one in changes(measured).items()}
    assert found == {TOTAL: "down", "math": "down", "stem": None}


def made_up(
    rng: np.random.Generator,
    genres: list[str],
    before: list[float],
    after: list[float],
    items: int = 40,
) -> list[Measured]:
    from harness.regression.measure import measure_pairs
    from harness.store.paired import Column, PairedScores

    n = items * len(genres)
    genre = np.repeat(np.arange(len(genres)), items)
    nothing = np.zeros(n, dtype=np.intp)
    number = np.arange(n)
    names = tuple(str(one) for one in number)
    return measure_pairs(
        "s",
        PairedScores(
            item=Column(names, number),
            genre=Column(tuple(genres), genre),
            dataset=Column(("",), nothing),
            cluster=Column(names, number),
            metric=Column(("strict",), nothing),
            base=(rng.random(n) < np.array(before)[genre]).astype(np.float64),
            cand=(rng.random(n) < np.array(after)[genre]).astype(np.float64),
        ),
        level=0.95,
    )


def stored(store: Path) -> list[EvaluationRow]:
    return evaluations(store)


def test_movement_between_stored_checkpoints(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    keep(
        store,
        strict("r/1", [1] * 20 + [0] * 20, run="r", step=1),
        strict("r/2", [1] * 40, run="r", step=2, later=1),
    )
    found = movement(store, *stored(store), "strict")
    assert found is not None
    assert found.against == "r/1"
    assert found.changes["math"].change == pytest.approx(0.5)
    # The exact test of 20 flips one way and none back: mid-p 2^-21, two-sided, twice by Holm.
    assert found.changes["math"].p <= 2 * 2 * 2.0**-21
    assert found.direction("math") == found.direction(TOTAL) == "up"
    assert found.to_dict()["all"]["direction"] == "up"


def test_no_arrow_while_an_evaluation_runs_or_nothing_is_common(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    keep(
        store,
        strict("r/1", [1] * 20, run="r", step=1),
        strict("r/2", [0] * 20, run="r", step=2, later=1, state="running"),
        strict("r/3", [0] * 20, "stem", run="r", step=3, later=2),
    )
    first, running, other = stored(store)
    assert movement(store, first, running, "strict") is None
    assert movement(store, first, other, "strict") is None


def test_ratings_move_on_the_scale_that_is_shown(tmp_path: Path) -> None:
    from harness.store.paired import Judge

    store = tmp_path / "results.duckdb"
    made = [
        MadeScores(name, {"length": by_item([0.0] * 30)}, run="r", step=step, later=step)
        for step, name in enumerate(("a", "b"), 1)
    ]
    keep(store, *made)
    for one, least in zip(made, (2, 6), strict=True):
        rate(store, one, "judge", "p", lambda item, repeat, least=least: least + int(item[-1]) % 3)  # type: ignore[misc]
    found = movement(store, *stored(store), "rating", Judge("judge", "p"))
    assert found is not None
    assert found.changes[TOTAL].change == pytest.approx(4)
    assert found.to_dict(10)["all"]["change"] == pytest.approx(0.4)
    assert found.direction(TOTAL) == "up"


def test_equal_scores_never_move(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    item = {MadeItem(str(n)): [1.0] for n in range(5)}
    keep(
        store,
        MadeScores("r/1", {"strict": item}, run="r", step=1),
        MadeScores("r/2", {"strict": item}, run="r", step=2, later=1),
    )
    found = movement(store, *stored(store), "strict")
    assert found is not None
    assert all(isinstance(one, Change) and one.direction is None for one in found.changes.values())
