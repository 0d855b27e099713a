"""Battles from a judge's verdicts in both orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.arena.judged import take_judged
from harness.errors import HarnessError
from harness.store import database
from harness.store.battles import Selection, kinds, load_counts, load_table
from tests.test_arena_cli import measure, run

# As the judge's migration has them, for a store that does not have it.
_TABLES = """
CREATE TABLE IF NOT EXISTS judgments (
    key VARCHAR, attempt INTEGER, judge VARCHAR, prompt VARCHAR, prompt_hash VARCHAR,
    repeat INTEGER, messages JSON, sampling JSON, text VARCHAR, value DOUBLE, failure VARCHAR,
    error VARCHAR, prompt_tokens BIGINT, completion_tokens BIGINT, cost DOUBLE, latency DOUBLE,
    place VARCHAR, created_at TIMESTAMPTZ);
CREATE TABLE IF NOT EXISTS paired (
    evaluation_a VARCHAR, evaluation_b VARCHAR, answer_a VARCHAR, answer_b VARCHAR, judge VARCHAR,
    prompt_set VARCHAR, swapped BOOLEAN, repeat INTEGER, key VARCHAR);
"""


def judge(store: Path, number: int, swapped: bool, value: float | None, attempt: int = 0) -> None:
    """A verdict on the answers of the checkpoints "good" and "poor" to an item."""
    key = f"{number}-{swapped}"
    with database.connect(store) as connection:
        connection.execute(_TABLES)
        (a, answer_a), (b, answer_b) = (
            connection.execute(
                "SELECT e.id, r.key FROM requests r JOIN evaluations e ON e.id = r.evaluation "
                "JOIN checkpoints c USING (fingerprint) JOIN items i ON i.hash = r.item_hash "
                "WHERE c.name = ? AND i.id = ? AND r.kind = 'answer'",
                [name, f"t/{number:03d}"],
            ).fetchall()[0]
            for name in ("good", "poor")
        )
        connection.execute(
            "INSERT INTO judgments VALUES (?, ?, 'j', 'pair', 'h', 0, '[]', '{}', '', ?, NULL, "
            "NULL, 1, 1, NULL, 2.5, 'here', '2026-01-01')",
            [key, attempt, value],
        )
        if attempt == 0:
            connection.execute(
                "INSERT INTO paired VALUES (?, ?, ?, ?, 'j', 's', ?, 0, ?)",
                [a, b, answer_a, answer_b, swapped, key],
            )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    measure(path, "good", set(), items=4)
    measure(path, "poor", {0, 1, 2}, items=4)
    return path


def test_both_orders_are_one_battle(store: Path) -> None:
    # 0: both say good. 1: whoever is first. 2: both a tie. 3: poor, and one order unreadable.
    for number, straight, turned in ((0, 1.0, 0.0), (1, 1.0, 1.0), (2, 0.5, 0.5), (3, 0.0, None)):
        judge(store, number, False, straight)
        judge(store, number, True, turned)
    done = take_judged(store)
    assert (done.verdicts, done.new, done.unreadable) == (7, 7, 1)
    assert take_judged(store).new == 0
    (found,) = kinds(store)
    assert (found.kind, found.battles, found.prompts) == ("judge", 7, 4)
    counts = load_counts(store)
    assert counts.models == ("good", "poor")
    assert (counts.wins.tolist(), counts.ties.tolist()) == ([1, 1], [2, 2])
    single = load_table(store, Selection(each_order=True))
    assert sorted(zip(single.first.tolist(), single.score.tolist(), strict=True)) == [
        (-1, 0.0),
        (-1, 0.5),
        (-1, 1.0),
        (1, 0.0),
        (1, 0.5),
        (1, 1.0),
        (1, 1.0),
    ]


def test_the_latest_attempt_counts(store: Path) -> None:
    judge(store, 0, False, None)
    judge(store, 0, False, 1.0, attempt=1)
    assert take_judged(store, "j").verdicts == 1
    said = run("arena", "judged", "--store", store)
    assert "1 verdicts of kind judge, 0 of them new" in said


def test_without_verdicts_the_command_that_asks_is_named(store: Path) -> None:
    with pytest.raises(HarnessError, match="harness pairwise A B"):
        take_judged(store)
    judge(store, 0, False, 1.0)
    with pytest.raises(HarnessError, match="no pairwise verdicts of other"):
        take_judged(store, "other")
