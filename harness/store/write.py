"""Writes batches of rows so that no writer waits, no row is lost and none is doubled.

A batch is spooled first: one Parquet file a table in a directory that appears by an atomic
rename, fsynced. From then on it is durable. Whoever next gets the database's lock ingests every
spooled batch, many in one transaction together with their names in `ingested`, and removes them.
A process that dies between commit and removal leaves batches whose names are known: they are
dropped, not ingested again.
"""

from __future__ import annotations

import logging
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
from harness.store.database import PATIENCE, connect
from harness.store.intake import merge

# Batches of one transaction: what taking one in costs is mostly the look through the store.
_TOGETHER = 128
_DAMAGED = ".damaged-"

log = logging.getLogger(__name__)

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


def ingest(path: Path, *, wait: float = PATIENCE) -> int:
    """Moves every spooled batch into the database; returns how many.

    Raises HarnessError when the lock is not had within `wait` seconds: the batches stay spooled
    and the next call, of any process, takes them in.
    """
    if not pending(path):
        return 0
    with connect(path, wait=wait) as connection:
        return take_in(connection, path)


def take_in(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """`ingest` for whoever holds the lock already."""
    # Nobody else can be ingesting now.
    batches = pending(path)
    known = {row[0] for row in connection.execute("SELECT batch FROM ingested").fetchall()}
    fresh = [directory for directory in batches if directory.name not in known]
    for start in range(0, len(fresh), _TOGETHER):
        together = fresh[start : start + _TOGETHER]
        try:
            merge(connection, together)
        except duckdb.Error:
            whole = _without_damaged(together)
            if len(whole) == len(together):
                raise
            if whole:
                merge(connection, whole)
    for directory in batches:
        shutil.rmtree(directory, ignore_errors=True)
    _drop_old_drafts(path)
    return len(batches)


def is_readable(batch: Path) -> bool:
    """Whether every file of a spooled batch can be read."""
    try:
        for file in batch.glob("*.parquet"):
            pq.read_table(file)
    except (OSError, pa.ArrowException):
        return False
    return True


def damaged(path: Path) -> list[Path]:
    """Spooled batches that could not be read and were set aside."""
    return sorted(spool_directory(path).glob(f"{_DAMAGED}*"))


def _without_damaged(batches: Sequence[Path]) -> list[Path]:
    """The batches that can be read; the others are set aside, so that they hold nobody up."""
    whole = []
    for batch in batches:
        if is_readable(batch):
            whole.append(batch)
            continue
        aside = batch.with_name(_DAMAGED + batch.name)
        batch.rename(aside)
        log.warning(
            "%s: damaged, set aside; what it held is owed again: repeat the commands that were "
            "running then",
            aside,
        )
    return whole


def _drop_old_drafts(path: Path, age: float = 3600.0) -> None:
    """Removes what killed writers left behind; an hour is far beyond any living draft."""
    for draft in spool_directory(path).glob(".draft-*"):
        try:
            if time.time() - draft.stat().st_mtime > age:
                shutil.rmtree(draft, ignore_errors=True)
        except FileNotFoundError:
            continue
