"""What the store keeps of computed scores: the same as computing them again, never out of date."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from harness.report import measured as measuring
from harness.report.gathered import Asked, gather
from harness.store import derived
from harness.store.database import connect
from harness.store.write import ingest, pending, spool
from tests.comparison_store import MadeScores, batch, by_item, keep


def made(step: int, values: list[float], name: str = "tiger", **more: Any) -> MadeScores:
    return MadeScores(
        f"{name}/step_{step}",
        {"strict": by_item(values), "lenient": by_item(values)},
        run=name,
        step=step,
        later=step,
        **more,
    )


def drawn(seed: int, share: float) -> list[float]:
    luck = random.Random(seed)
    return [float(luck.random() < share) for _ in range(40)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(derived, "_WORTH_KEEPING", 1)
    path = tmp_path / "results.duckdb"
    shares = enumerate((0.3, 0.4, 0.5, 0.1, 0.95), 1)
    keep(path, *(made(step, drawn(step, share)) for step, share in shares))
    return path


def board(path: Path) -> list[dict[str, Any]]:
    """The leaderboard's rows; what it kept is in the store afterwards."""
    rows = gather(path, Asked(every_checkpoint=True)).rows()
    ingest(path)
    return rows


def count(path: Path) -> int:
    with connect(path, read_only=True) as connection:
        row = connection.execute("SELECT count(*) FROM derived").fetchone()
    assert row is not None
    return int(row[0])


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reads scores of items fails from here on."""

    def fail(*arguments: Any) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(measuring, "item_tables", fail)
    monkeypatch.setattr("harness.report.movement.paired_scores", fail)


def test_kept_rows_equal_computed_ones(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = board(store)
    assert any(row["changes"]["all"]["direction"] for row in computed if row["changes"])
    assert count(store) == 5 + 4
    forbid(monkeypatch)
    assert board(store) == computed


def test_scores_that_are_replaced_are_read_again(store: Path) -> None:
    before = board(store)
    third = made(3, [1.0] * 40)
    spool(store, {"scores": batch(third)["scores"]})
    ingest(store)
    after = board(store)
    changed = {row["checkpoint"] for row in after if row not in before}
    # Its own row, and that of the checkpoint after it, whose change is against it.
    assert changed >= {"tiger/step_3", "tiger/step_4"}
    assert next(row for row in after if row["step"] == 3)["score"] == 1.0
    with connect(store) as connection:
        connection.execute("DELETE FROM derived")
    assert board(store) == after


def test_a_value_of_older_scores_is_never_taken(store: Path) -> None:
    """The scores change while a leaderboard is being computed from what was there before."""
    ids = [row["evaluation"] for row in board(store) if row["step"] == 1]
    old = derived.revisions(store, ids)
    spool(store, {"scores": batch(made(1, [1.0] * 40))["scores"]})
    ingest(store)
    key = f"measured/1/{ids[0]}"
    derived.remember(store, [(key, ids[0], str(old[ids[0]]), "too old")])
    ingest(store)
    assert next(row for row in board(store) if row["step"] == 1)["score"] == 1.0


def test_items_of_another_genre_are_counted_there(store: Path) -> None:
    """Labels of an item are not part of its hash."""
    board(store)
    rows = batch(made(3, drawn(3, 0.5)))["items"]
    spool(store, {"items": [row | {"genre": "reasoning"} for row in rows]})
    ingest(store)
    assert {tuple(row["genres"]) for row in board(store)} == {("reasoning",)}


def test_what_still_runs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "_WORTH_KEEPING", 1)
    path = tmp_path / "results.duckdb"
    keep(path, made(1, drawn(1, 0.5)), made(2, drawn(2, 0.5), state="running"))
    board(path)
    assert count(path) == 1


def test_few_answers_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    keep(path, made(1, drawn(1, 0.5)))
    gather(path, Asked())
    assert pending(path) == []


def test_many_small_evaluations_are_kept(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is how much would have to be counted again, of all of them together."""
    monkeypatch.setattr(derived, "_WORTH_KEEPING", 5 * 40)
    board(store)
    assert count(store) == 5 + 4
