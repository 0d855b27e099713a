"""Writes batches of rows so that no writer waits, no row is lost and none is doubled.

A batch is spooled first: one Parquet file a table in a directory that appears by an atomic
rename, fsynced. From then on it is durable. Whoever next gets the database's lock ingests every
spooled batch, each in one transaction together with its name in `ingested`, and removes it.
A process that dies between commit and removal leaves a batch whose name is known: it is dropped,
not ingested again.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import HarnessError
from harness.store.columns import COLUMNS
from harness.store.database import connect

# Tables of which a later batch's row replaces an earlier one with the same key.
_REPLACED = {
    "checkpoints": "fingerprint",
    "protocols": "hash",
    "items": "hash",
    "evaluations": "id",
    "imports": "name",
    "conversations": "id",
}
# What is computed from an answer, by (key, protocol_hash); computing it again replaces it.
_COMPUTED = ("scores", "readings")
# What belongs to an evaluation, by what makes two rows the same; the first one stays.
_LINKS = {
    "requests": ("evaluation", "key"),
    "judged": ("evaluation", "answer", "key"),
    "paired": ("answer_a", "answer_b", "swapped", "key"),
}

Row = Mapping[str, Any]
Batch = Mapping[str, Sequence[Row]]


def spool_directory(path: Path) -> Path:
    return path.with_name(path.name + ".spool")


def spool(path: Path, batch: Batch) -> None:
    """Makes a batch durable without the database's lock.

    batch: rows by table name, each row with every column of COLUMNS.
    Raises HarnessError where the disk is full or not writable; nothing half-written stays.
    """
    if not any(batch.values()):
        return
    directory = spool_directory(path)
    # Names sort by time, so that replacing rows are ingested in the order they were written.
    name = f"{_next_time():020d}-{uuid.uuid4().hex[:12]}"
    draft = directory / f".draft-{name}"
    try:
        draft.mkdir(parents=True)
        for table, rows in batch.items():
            if rows:
                _write_parquet(draft / f"{table}.parquet", table, rows)
        _sync(draft)
        draft.rename(directory / name)
        _sync(directory)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise HarnessError(
            f"{directory}: cannot write results ({error.strerror or error}); everything "
            "committed before is safe: make room and repeat the command"
        ) from error


_written_at = 0
_clock = threading.Lock()


def _next_time() -> int:
    """Nanoseconds since 1970, later than at the last call also where the clock was set back."""
    global _written_at
    with _clock:
        _written_at = max(time.time_ns(), _written_at + 1)
        return _written_at


def _write_parquet(file: Path, table: str, rows: Sequence[Row]) -> None:
    columns = COLUMNS[table]
    arrays = [pa.array([row[name] for row in rows], type=kind) for name, kind in columns.items()]
    with file.open("wb") as handle:
        pq.write_table(pa.table(arrays, names=list(columns)), handle)
        handle.flush()
        os.fsync(handle.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pending(path: Path) -> list[Path]:
    """Spooled batches that wait to be ingested, oldest first."""
    directory = spool_directory(path)
    if not directory.is_dir():
        return []
    return sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))


def ingest(path: Path, *, wait: float = 30.0) -> int:
    """Moves every spooled batch into the database; returns how many.

    Raises HarnessError when the lock is not had within `wait` seconds: the batches stay spooled
    and the next call, of any process, takes them in.
    """
    if not pending(path):
        return 0
    with connect(path, wait=wait) as connection:
        # Listed again under the lock: nobody else can be ingesting now.
        batches = pending(path)
        known = {row[0] for row in connection.execute("SELECT batch FROM ingested").fetchall()}
        for directory in batches:
            if directory.name not in known:
                _ingest_one(connection, directory)
    for directory in batches:
        shutil.rmtree(directory, ignore_errors=True)
    _drop_old_drafts(path)
    return len(batches)


def _ingest_one(connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
    present = {file.stem: file for file in directory.glob("*.parquet")}
    connection.execute("BEGIN")
    try:
        for table, key in _REPLACED.items():
            if table in present:
                # Upsert in place: DuckDB refuses delete and insert of one key in a transaction.
                rest = [name for name in COLUMNS[table] if name != key]
                connection.execute(
                    f"INSERT INTO {table} SELECT {_columns(table)} FROM read_parquet(?) "
                    f"QUALIFY row_number() OVER (PARTITION BY {key}) = 1 "
                    f"ON CONFLICT ({key}) DO UPDATE SET "
                    + ", ".join(f"{name} = excluded.{name}" for name in rest),
                    [str(present[table])],
                )
        for table, same in _LINKS.items():
            if table in present:
                where = " AND ".join(f"old.{name} = new.{name}" for name in same)
                connection.execute(
                    f"INSERT INTO {table} SELECT DISTINCT {_columns(table)} FROM read_parquet(?) "
                    f"new WHERE NOT EXISTS (FROM {table} old WHERE {where})",
                    [str(present[table])],
                )
        if "judgments" in present:
            _ingest_judgments(connection, present["judgments"])
        if "regressions" in present:
            # The first row stays: its status may have moved on since.
            connection.execute(
                f"INSERT INTO regressions SELECT {_columns('regressions')} FROM read_parquet(?) "
                "QUALIFY row_number() OVER (PARTITION BY id) = 1 ON CONFLICT (id) DO NOTHING",
                [str(present["regressions"])],
            )
        if "battles" in present:
            _ingest_battles(connection, present["battles"])
        if "generations" in present:
            _ingest_generations(connection, present)
        else:
            for table in _COMPUTED:
                if table in present:
                    _replace_computed(connection, table, present[table], "true")
        connection.execute("INSERT INTO ingested VALUES (?, now())", [directory.name])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _ingest_generations(connection: duckdb.DuckDBPyConnection, present: Mapping[str, Path]) -> None:
    """The first answer to a key stays (two processes may have asked at once), except that an
    answer replaces an error. Scores and readings come with their own answer or not at all."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM read_parquet(?) new "
        "WHERE NOT EXISTS (FROM generations old "
        "WHERE old.key = new.key AND old.finish_reason <> 'error') "
        "QUALIFY row_number() OVER (PARTITION BY key) = 1",
        [str(present["generations"])],
    )
    connection.execute("DELETE FROM generations WHERE key IN (SELECT key FROM fresh)")
    connection.execute(f"INSERT INTO generations SELECT {_columns('generations')} FROM fresh")
    for table in _COMPUTED:
        if table in present:
            condition = "new.key IN (SELECT key FROM fresh)"
            _replace_computed(connection, table, present[table], condition)
    connection.execute("DROP TABLE fresh")


def _ingest_judgments(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """The first reply to an attempt stays, except that a reply replaces a failed request."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM read_parquet(?) new "
        "WHERE NOT EXISTS (FROM judgments old WHERE old.key = new.key "
        "AND old.attempt = new.attempt AND coalesce(old.failure, '') <> 'request') "
        "QUALIFY row_number() OVER (PARTITION BY key, attempt "
        "ORDER BY coalesce(failure, '') = 'request', created_at) = 1",
        [str(file)],
    )
    connection.execute(
        "DELETE FROM judgments WHERE (key, attempt) IN (SELECT (key, attempt) FROM fresh)"
    )
    connection.execute(f"INSERT INTO judgments SELECT {_columns('judgments')} FROM fresh")
    connection.execute("DROP TABLE fresh")


def _ingest_battles(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """The first row of an id stays: a vote is cast once. A verifier's battle follows from scores
    and is replaced, for they may have been computed again."""
    connection.execute(
        "DELETE FROM battles WHERE kind = 'verifier' AND id IN (SELECT id FROM read_parquet(?))",
        [str(file)],
    )
    connection.execute(
        f"INSERT INTO battles SELECT {_columns('battles')} FROM read_parquet(?) new "
        "WHERE NOT EXISTS (FROM battles old WHERE old.id = new.id) "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY sequence) = 1 ORDER BY sequence",
        [str(file)],
    )


def _replace_computed(
    connection: duckdb.DuckDBPyConnection, table: str, file: Path, condition: str
) -> None:
    connection.execute(
        f"DELETE FROM {table} WHERE (key, protocol_hash) IN "
        f"(SELECT (key, protocol_hash) FROM read_parquet(?) new WHERE {condition})",
        [str(file)],
    )
    connection.execute(
        f"INSERT INTO {table} SELECT {_columns(table)} FROM read_parquet(?) new WHERE {condition}",
        [str(file)],
    )


def _columns(table: str) -> str:
    return ", ".join(COLUMNS[table])


def _drop_old_drafts(path: Path, age: float = 3600.0) -> None:
    """Removes what killed writers left behind; an hour is far beyond any living draft."""
    for draft in spool_directory(path).glob(".draft-*"):
        try:
            if time.time() - draft.stat().st_mtime > age:
                shutil.rmtree(draft, ignore_errors=True)
        except FileNotFoundError:
            continue
