"""Battles in the store: kept once, read as the same numbers either way, each kind apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from harness.arena.bradley_terry import fit
from harness.arena.counts import count_pairs
from harness.arena.logs import read_log
from harness.arena.types import Battle, Outcome, Style
from harness.errors import HarnessError
from harness.store import battles as store_battles
from harness.store import database
from harness.store.battles import Selection, add, kinds, load_counts, load_table
from tests.shared_data import shared


def battle(number: int, a: str, b: str, outcome: Outcome, **more: object) -> Battle:
    made = Battle(f"b{number}", "people", a, b, outcome, f"p{number % 3}", "s", number)
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.duckdb"


def test_adding_twice_adds_nothing(store: Path) -> None:
    rows = [battle(n, "x", "y", "a") for n in range(5)]
    assert add(store, rows) == 5
    assert add(store, rows) == 0
    assert add(store, [*rows, battle(5, "y", "x", "tie")]) == 1
    assert load_counts(store).battles == 6


def test_the_first_vote_stays_and_a_verifier_may_think_again(store: Path) -> None:
    add(store, [battle(1, "x", "y", "a"), battle(2, "x", "y", "a", kind="verifier")])
    add(store, [battle(1, "x", "y", "b"), battle(2, "x", "y", "b", kind="verifier")])
    assert load_counts(store, Selection(("people",))).wins.tolist() == [1, 0]
    assert load_counts(store, Selection(("verifier",))).wins.tolist() == [0, 1]


def test_counts_of_the_database_are_the_counts_of_the_columns(store: Path) -> None:
    rng = np.random.default_rng(1)
    outcomes: tuple[Outcome, ...] = ("a", "b", "tie", "both_bad")
    rows = [
        battle(
            n,
            *(f"m{i}" for i in rng.permutation(4)[:2]),
            outcomes[rng.integers(4)],
            weight=float(rng.integers(1, 4)),
        )
        for n in range(200)
    ]
    add(store, rows)
    grouped, columns = load_counts(store), load_table(store)
    assert columns.clusters == 3
    counted = count_pairs(columns)
    assert grouped.models == counted.models
    for name in ("won", "squared", "crossed", "met", "wins", "ties", "losses"):
        np.testing.assert_allclose(getattr(grouped, name), getattr(counted, name), err_msg=name)
    np.testing.assert_allclose(fit(grouped).theta, fit(counted).theta, atol=1e-12)


def test_both_orders_are_one_battle_and_disagreement_is_a_tie(store: Path) -> None:
    add(
        store,
        [
            battle(1, "x", "y", "a", match="agreed", order="a"),
            battle(2, "y", "x", "b", match="agreed", order="a"),
            battle(3, "x", "y", "a", match="apart", order="a"),
            battle(4, "x", "y", "b", match="apart", order="b"),
            battle(5, "x", "y", "tie", match="half", order="a"),
            battle(6, "x", "y", "a", match="half", order="b"),
            battle(7, "y", "x", "a"),
        ],
    )
    combined = load_counts(store)
    assert combined.models == ("x", "y")
    assert (combined.wins.tolist(), combined.ties.tolist()) == ([1, 1], [2, 2])
    single = load_table(store, Selection(each_order=True))
    assert len(single) == 7
    assert sorted(single.first.tolist()) == [-1, -1, 0, 1, 1, 1, 1]


def test_kinds_stand_apart_and_combine_on_demand(store: Path) -> None:
    add(
        store,
        [
            battle(1, "x", "y", "a"),
            battle(2, "x", "z", "b", kind="judge", genre="math"),
            battle(3, "x", "y", "b", kind="import:old", genre="coding"),
        ],
    )
    assert [(one.kind, one.battles, one.models) for one in kinds(store)] == [
        ("import:old", 1, 2),
        ("judge", 1, 2),
        ("people", 1, 2),
    ]
    assert load_counts(store, Selection(("judge", "people"))).models == ("x", "y", "z")
    assert load_counts(store, Selection(genres=("math",))).models == ("x", "z")
    assert load_counts(store, Selection(models=("x", "y"))).battles == 2
    with pytest.raises(HarnessError, match="no battles of that choice"):
        load_counts(store, Selection(("judge",), ("coding",)))


def test_names_with_quotes_are_only_names(store: Path) -> None:
    add(store, [battle(1, "it's", "x'); DROP TABLE battles; --", "a", genre="o'clock")])
    selection = Selection(genres=("o'clock",), models=("it's", "x'); DROP TABLE battles; --"))
    assert load_counts(store, selection).battles == 1


def test_time_order_is_time_then_place(store: Path) -> None:
    from datetime import UTC, datetime

    late, early = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    add(
        store,
        [
            battle(1, "x", "y", "a", time=late),
            battle(2, "x", "y", "b", time=early),
            battle(4, "x", "y", "tie", sequence=9),
            battle(3, "x", "y", "b", sequence=8),
        ],
    )
    assert load_table(store, in_time_order=True).score.tolist() == [0.0, 0.5, 0.0, 1.0]


def test_styles_come_back_as_differences(store: Path) -> None:
    add(
        store,
        [
            battle(1, "x", "y", "a", style_a=Style(30, 2, 0, 1), style_b=Style(10, 0, 0, 1)),
            battle(2, "x", "y", "b"),
        ],
    )
    table = load_table(store, style=True)
    assert table.style is not None
    np.testing.assert_allclose(table.style, [[20 / 41, 2 / 3, 0, 0]])
    assert load_table(store).style is None


def test_an_empty_store_says_what_brings_battles(store: Path) -> None:
    database.prepare(store)
    with pytest.raises(HarnessError, match="harness arena import"):
        load_counts(store)
    with pytest.raises(HarnessError, match="harness arena play"):
        load_table(store)


def test_a_store_that_lacks_an_earlier_migration_gets_it(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = database.migrations()
    between = [(3, "CREATE TABLE between_them (x INTEGER)")]
    database.prepare(store)
    monkeypatch.setattr(
        database, "migrations", lambda: sorted([*(m for m in known if m[0] != 3), *between])
    )
    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM harness_schema WHERE version = 3")
    database.prepare(store)
    with database.connect(store, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM between_them").fetchone() == (0,)
        applied = connection.execute("SELECT version FROM harness_schema ORDER BY 1").fetchall()
    assert [row[0] for row in applied] == sorted({number for number, _ in known} | {3})


def test_published_battles_rate_the_same_through_the_store(store: Path) -> None:
    log = read_log(shared("battles", "rakuda-v1", "tournaments_rakuda_v1.jsonl"))
    assert add(store, log.battles) == 1200
    published = json.loads(shared("battles", "rakuda-v1", "rankings_rakuda_v1.json").read_text())
    counts = load_counts(store)
    rates = (counts.wins + counts.ties / 2) / counts.met.sum(1)
    found = dict(zip(counts.models, rates, strict=True))
    for row in published["ranking"]:
        assert found[row["model_id"]] == pytest.approx(row["win_rate"], abs=1e-12)


def test_many_battles_are_spooled_in_batches(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_battles, "_BATCH", 3)
    assert add(store, (battle(n, "x", "y", "a") for n in range(8))) == 8
