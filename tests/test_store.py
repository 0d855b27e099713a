"""The store: nothing lost, nothing doubled, and a clear sentence for every fault."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.errors import HarnessError
from harness.store import database, queries, write
from harness.store.columns import COLUMNS

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def generation(key: str, text: str = "あ", finish_reason: str = "stop") -> dict[str, Any]:
    return {
        "key": key,
        "fingerprint": "f",
        "item_hash": "i",
        "kind": "answer",
        "sample": 0,
        "turn": 0,
        "prompt": "問",
        "sampling": "{}",
        "text": text,
        "finish_reason": finish_reason,
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "cached_tokens": 0,
        "latency": 0.1,
        "likelihoods": "[[-1.5, 2]]",
        "error": "broken" if finish_reason == "error" else None,
        "engine": "test",
        "created_at": NOW,
    }


def score(key: str, value: float, protocol: str = "p") -> dict[str, Any]:
    return {
        "key": key,
        "protocol_hash": protocol,
        "metric": "strict",
        "value": value,
        "failure": None if value == 1.0 else "knowledge",
    }


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with database.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    database.prepare(path)
    return path


def test_columns_equal_the_schema(store: Path) -> None:
    for table, columns in COLUMNS.items():
        names = [row[0] for row in rows(store, f"SELECT column_name FROM (DESCRIBE {table})")]
        # Taking a batch in adds whose answer it is.
        added = ["fingerprint"] if table in ("scores", "readings") else []
        assert names == [*columns, *added]


def test_prepare_twice_changes_nothing(store: Path) -> None:
    before = store.read_bytes()
    database.prepare(store)
    assert store.read_bytes() == before


def test_the_first_answer_stays_and_brings_its_scores(store: Path) -> None:
    write.spool(store, {"generations": [generation("k", "一")], "scores": [score("k", 1.0)]})
    write.spool(store, {"generations": [generation("k", "二")], "scores": [score("k", 0.0)]})
    write.ingest(store)
    assert rows(store, "SELECT text FROM generations") == [("一",)]
    assert rows(store, "SELECT value FROM scores") == [(1.0,)]


def test_an_answer_replaces_an_error_and_no_error_replaces_an_answer(store: Path) -> None:
    write.spool(store, {"generations": [generation("k", "", "error")]})
    write.ingest(store)
    assert queries.answered(store, "f", ["k"], "p") == {}
    write.spool(store, {"generations": [generation("k", "一")], "scores": [score("k", 1.0)]})
    write.ingest(store)
    write.spool(store, {"generations": [generation("k", "", "error")]})
    write.ingest(store)
    found = queries.answered(store, "f", ["k"], "p")["k"]
    assert (found.text, found.scored, found.likelihoods) == ("一", True, ((-1.5, 2),))
    assert not queries.answered(store, "f", ["k"], "other protocol")["k"].scored


def test_rescoring_replaces_only_the_scores(store: Path) -> None:
    write.spool(store, {"generations": [generation("k")], "scores": [score("k", 0.0)]})
    write.spool(store, {"scores": [score("k", 1.0), score("k", 0.5, "q")]})
    write.ingest(store)
    found = rows(store, "SELECT protocol_hash, value FROM scores ORDER BY 1")
    assert found == [("p", 1.0), ("q", 0.5)]


def test_a_batch_that_was_committed_but_not_removed_is_not_doubled(store: Path) -> None:
    write.spool(store, {"scores": [score("k", 1.0)]})
    batch = write.pending(store)[0]
    kept = {file.name: file.read_bytes() for file in batch.iterdir()}
    write.ingest(store)
    batch.mkdir()
    for name, content in kept.items():
        (batch / name).write_bytes(content)
    write.ingest(store)
    assert rows(store, "SELECT count(*) FROM scores") == [(1,)]
    assert write.pending(store) == []


def test_a_draft_of_a_killed_writer_is_never_read(store: Path) -> None:
    draft = write.spool_directory(store) / ".draft-1"
    draft.mkdir(parents=True)
    (draft / "scores.parquet").write_bytes(b"half")
    write.spool(store, {"scores": [score("k", 1.0)]})
    write.ingest(store)
    assert rows(store, "SELECT count(*) FROM scores") == [(1,)]


def test_many_writers_lose_and_double_nothing(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.test_store import generation, score
        from harness.store import database, write
        store, name = Path(sys.argv[1]), sys.argv[2]
        database.prepare(store)
        for batch in range(6):
            keys = [f"{name}-{batch}-{n}" for n in range(20)] + [f"shared-{batch}"]
            write.spool(store, {"generations": [generation(key) for key in keys],
                                "scores": [score(key, 1.0) for key in keys]})
            write.ingest(store)
        """
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(store), name]) for name in "abc"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    write.ingest(store)
    expected = 3 * 6 * 20 + 6
    for table in ("generations", "scores"):
        found = rows(store, f"SELECT count(*), count(DISTINCT key) FROM {table}")
        assert found == [(expected, expected)]


def test_kill_during_writing_leaves_whole_batches(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    database.prepare(store)
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.test_store import generation, score
        from harness.store import write
        store, start = Path(sys.argv[1]), sys.argv[2]
        for batch in range(10_000):
            keys = [f"{start}-{batch}-{n}" for n in range(10)]
            write.spool(store, {"generations": [generation(key) for key in keys],
                                "scores": [score(key, 1.0) for key in keys]})
            print(batch, flush=True)
            write.ingest(store)
        """
    )
    written = 0
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(store), str(attempt)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(3 + 2 * attempt):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.wait()
        written += 3 + 2 * attempt + len(rest)
    write.ingest(store)
    for table in ("generations", "scores"):
        total, different = rows(store, f"SELECT count(*), count(DISTINCT key) FROM {table}")[0]
        assert total == different
        assert total % 10 == 0
        # What was said to be written is there; a last batch may be there without having said so.
        assert written * 10 <= total <= (written + 4) * 10


def test_a_corrupt_file_is_named_and_left_untouched(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    store.write_bytes(b"not a database" * 1000)
    before = store.read_bytes()
    with pytest.raises(HarnessError, match=r"results\.duckdb: not a DuckDB database"):
        database.prepare(store)
    assert store.read_bytes() == before


def test_a_newer_schema_is_refused_and_left_untouched(store: Path) -> None:
    with duckdb.connect(str(store)) as connection:
        connection.execute("INSERT INTO harness_schema VALUES (99, now())")
    before = store.read_bytes()
    with pytest.raises(HarnessError, match="schema version 99 was written by a newer harness"):
        database.prepare(store)
    with pytest.raises(HarnessError, match="newer harness"):
        queries.refresh(store)
    assert store.read_bytes() == before


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "mine.duckdb"
    with duckdb.connect(str(store)) as connection:
        connection.execute("CREATE TABLE sales (n INTEGER)")
    with pytest.raises(HarnessError, match="not a harness store"):
        database.prepare(store)


def test_a_locked_file_is_told_with_its_holder(store: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]);"
            "print('held', flush=True); time.sleep(60)",
            str(store),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        write.spool(store, {"scores": [score("k", 1.0)]})
        with (
            pytest.raises(HarnessError, match=f"locked by process {holder.pid}"),
            database.connect(store, wait=0.2),
        ):
            pass
        with pytest.raises(HarnessError, match="locked"):
            write.ingest(store, wait=0.2)
    finally:
        holder.kill()
        holder.wait()
    assert write.ingest(store) == 1
    assert rows(store, "SELECT count(*) FROM scores") == [(1,)]


def test_a_missing_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="harness eval"):
        queries.refresh(tmp_path / "none.duckdb")
    with pytest.raises(HarnessError, match="does not exist"):
        database.prepare(tmp_path / "no" / "such" / "store.duckdb")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_leaves_no_draft(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return real_open(Path("/dev/full") if "w" in mode else self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(HarnessError, match="No space left on device"):
        write.spool(store, {"scores": [score("k", 1.0)]})
    monkeypatch.undo()
    assert write.pending(store) == []
    assert list(write.spool_directory(store).glob(".draft-*")) == []


def test_an_older_store_learns_whose_scores_and_readings_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE harness_schema (version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ)"
        )
        for number, script in database.migrations():
            if number < 13:
                connection.execute(script)
                connection.execute("INSERT INTO harness_schema VALUES (?, now())", [number])
        for key, of in (("a", "first"), ("b", "second")):
            connection.execute(
                "INSERT INTO generations VALUES (?, ?, 'i', 'answer', 0, 0, '', '{}', '', 'stop', "
                "1, 1, 0, 0.1, '[]', NULL, 'none', now())",
                [key, of],
            )
        connection.execute(
            "INSERT INTO scores SELECT key, protocol, metric, 1.0, 'knowledge' "
            "FROM (VALUES ('b'), ('a'), ('of nothing')) k(key), (VALUES ('p'), ('q')) p(protocol), "
            "(VALUES ('strict'), ('format')) m(metric)"
        )
        connection.execute("INSERT INTO readings VALUES ('a', 'p', '1', '1', NULL)")
        before = connection.execute("FROM scores").fetchall()
    database.prepare(path)
    assert rows(path, "SELECT * EXCLUDE fingerprint FROM scores") == before
    assert rows(path, "SELECT DISTINCT key, fingerprint FROM scores ORDER BY ALL") == [
        ("a", "first"),
        ("b", "second"),
        ("of nothing", None),
    ]
    assert rows(path, "SELECT key, extracted, fingerprint FROM readings") == [("a", "1", "first")]


def test_scores_name_the_checkpoint_of_their_answer(store: Path) -> None:
    """They come with their answer, or after it, or were computed again."""
    read = {"key": "k", "protocol_hash": "q", "extracted": "", "normalised": "", "lenient": None}
    write.spool(store, {"generations": [generation("k")], "scores": [score("k", 0.0)]})
    write.ingest(store)
    write.spool(store, {"generations": [generation("other")]})
    write.spool(store, {"scores": [score("k", 1.0), score("k", 0.5, "q")], "readings": [read]})
    write.spool(store, {"scores": [score("other", 1.0)]})
    write.ingest(store)
    assert rows(
        store, "SELECT key, protocol_hash, value, fingerprint FROM scores ORDER BY 1, 2"
    ) == [
        ("k", "p", 1.0, "f"),
        ("k", "q", 0.5, "f"),
        ("other", "p", 1.0, "f"),
    ]
    assert rows(store, "SELECT DISTINCT fingerprint FROM readings") == [("f",)]
    assert rows(store, "SELECT * FROM revisions") == [("f", "p", 2), ("f", "q", 1)]
