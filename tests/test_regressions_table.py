"""The regressions table: a finding is one row, its status moves, and a killed writer harms none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.store import database
from harness.store.regressions import (
    Regression,
    _row,
    find_regression,
    record,
    regressions,
    set_status,
)
from harness.store.write import ingest, spool, spool_directory

FOUND = Regression(
    baseline="b" * 64,
    candidate="c" * 64,
    protocol_hash="p" * 64,
    suite="probes",
    genre="math",
    dataset="all",
    metric="strict",
    evidence={"change": -0.12, "low": -0.2, "high": -0.04, "p": 0.003, "n": 200},
    policy={"alpha": 0.05},
    policy_hash="d" * 64,
    cause=[{"source": "wiki", "kind": "weight", "before": 0.5, "after": 0.2}],
    run="r",
    baseline_step=100,
    step=200,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    database.prepare(path)
    return path


def test_what_is_recorded_comes_back(store: Path) -> None:
    other = replace(FOUND, genre="coding", run="s", status="acknowledged")
    record(store, [FOUND, other])
    assert {one.id for one in regressions(store)} == {FOUND.id, other.id}
    assert regressions(store, run="r") == [FOUND]
    assert regressions(store, status=["open"]) == [FOUND]
    assert FOUND.place == "math/all/strict"


def test_recording_again_keeps_the_status(store: Path) -> None:
    record(store, [FOUND])
    set_status(store, [FOUND.id], "acknowledged", note="known: the old tokenizer")
    record(store, [FOUND, replace(FOUND, evidence={})])
    (one,) = regressions(store)
    assert (one.status, one.note) == ("acknowledged", "known: the old tokenizer")
    assert one.evidence == FOUND.evidence
    assert one.updated_at > one.created_at
    set_status(store, [FOUND.id], "fixed", fixed_at_step=300)
    (one,) = regressions(store, status=["fixed"])
    assert (one.fixed_at_step, one.note) == (300, "known: the old tokenizer")
    assert regressions(store, status=["open"]) == []


def test_found_by_the_beginning_of_its_id(store: Path) -> None:
    other = replace(FOUND, genre="coding")
    record(store, [FOUND, other])
    assert find_regression(store, FOUND.id[:12]) == FOUND
    with pytest.raises(HarnessError, match="begins several"):
        find_regression(store, "")
    with pytest.raises(HarnessError, match="no regression whose id begins 'x'"):
        find_regression(store, "x")


def test_a_batch_left_by_a_killed_writer_is_taken_in_once(store: Path) -> None:
    spool(store, {"regressions": [_row(FOUND)]})
    assert len(list(spool_directory(store).iterdir())) == 1
    # A reader takes in what the dead writer spooled; a second reader finds nothing to do.
    assert regressions(store) == [FOUND]
    assert ingest(store) == 0


def test_an_older_store_gets_the_table(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    with database.connect(path) as connection:
        connection.execute(
            "CREATE TABLE harness_schema (version INTEGER PRIMARY KEY, "
            "applied_at TIMESTAMPTZ NOT NULL)"
        )
        for number, script in database.migrations()[:2]:
            connection.execute(script)
            connection.execute("INSERT INTO harness_schema VALUES (?, now())", [number])
    database.prepare(path)
    record(path, [FOUND])
    assert regressions(path) == [FOUND]
