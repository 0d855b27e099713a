"""Copies of a store that are whole: compaction, backup, and restoring one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from harness.errors import HarnessError
from harness.store.database import (
    PATIENCE,
    connect,
    housekeeping,
    patiently,
    prepare,
    schema_version,
)
from harness.store.write import take_in


def compact(path: Path) -> tuple[int, int]:
    """Gives back the space of what was deleted; bytes before and after.

    DuckDB keeps the space of deleted rows, so the live ones are copied into a new file, which takes
    the old one's name. Meanwhile others read; who writes spools and waits. A kill leaves the store
    as it was. Raises HarnessError where the disk has no room for the copy.
    """
    draft = _compacting(path)
    with _held(path) as store, _made(draft):
        before = path.stat().st_size
        store.execute(f"ATTACH {quoted(draft)} AS draft")
        store.execute("COPY FROM DATABASE store TO draft")
        _same_counts(store, path)
        store.execute("DETACH draft")
        _sync(draft)
        after = draft.stat().st_size
        draft.replace(path)
        _sync(path.parent)
    return before, after


def was_cut_off(path: Path) -> bool:
    """Whether a compaction of the store was killed, or is under way."""
    return _compacting(path).exists()


def _compacting(path: Path) -> Path:
    return path.with_name(path.name + ".compacting")


def backup(path: Path, target: Path) -> int:
    """Copies the store, spooled rows included, as it is at one instant; returns the rows copied.

    Raises HarnessError where `target` exists, the disk is full, or the copy cannot be read.
    """
    if target.exists():
        raise HarnessError(f"{target}: there already; a backup overwrites nothing: name a new file")
    with replaced_by(target) as draft:
        with _held(path):
            _copy(path, draft)
        return _read_through(draft)


def restore(source: Path, path: Path, *, replace: bool = False) -> Path | None:
    """Puts a backup in the place of the store; with `replace` the present one is kept under another
    name, which is returned. What is spooled beside it is taken into the restored store.

    Raises HarnessError where `source` is no whole store, or a store is there and `replace` is not
    asked for; nothing is changed then.
    """
    if not source.exists():
        raise HarnessError(f"{source}: no such file; name a backup")
    is_there = path.exists() and path.stat().st_size > 0
    if is_there and not replace:
        raise HarnessError(
            f"{path}: there is a store already; --replace puts it aside under another name first, "
            "or name another with --store"
        )
    draft = path.with_name(path.name + ".restoring")
    aside = None
    with _made(draft):
        _copy(source, draft)
        _read_through(draft)
        with housekeeping(path):
            if is_there:
                aside = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
                # A link first: at no instant is there no store.
                os.link(path, aside)
                log = _log_of(path)
                if log.exists():
                    log.rename(_log_of(aside))
            draft.replace(path)
            _sync(path.parent)
    prepare(path)
    return aside


@contextmanager
def replaced_by(target: Path) -> Iterator[Path]:
    """A draft that takes the name of `target` at the end, whole; in an error nothing stays.

    Raises HarnessError where it cannot be written.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with _made(draft):
        yield draft
        _sync(draft)
        draft.replace(target)
        _sync(target.parent)


@contextmanager
def _held(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The store attached read-only as `store`, all that was spooled within it, its log empty: from
    here on nobody writes, others may read."""
    prepare(path)
    with housekeeping(path):
        while True:
            with connect(path) as connection:
                take_in(connection, path)
                connection.execute("CHECKPOINT")
            held = patiently(lambda: _attached(path), path, PATIENCE)
            # A writer that came between and was killed leaves a log: it is replayed above.
            if not _log_of(path).exists():
                break
            held.close()
        try:
            yield held
        finally:
            held.close()


def _attached(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    try:
        connection.execute(f"SET temp_directory = {quoted(path.with_name(path.name + '.tmp'))}")
        connection.execute(f"ATTACH {quoted(path)} AS store (READ_ONLY)")
    except duckdb.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _made(draft: Path) -> Iterator[None]:
    """Removes a draft that did not become what it should, and turns a full disk into a sentence."""
    for file in (draft, _log_of(draft)):
        file.unlink(missing_ok=True)
    try:
        yield
    except (OSError, duckdb.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise HarnessError(
            f"{draft}: cannot copy the store ({reason}); the store is as it was"
        ) from error
    finally:
        for file in (draft, _log_of(draft)):
            file.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    _sync(target)


def _same_counts(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'store'"
    ).fetchall()
    for (table,) in tables:
        counts = connection.execute(
            f'SELECT (SELECT count(*) FROM store."{table}"), (SELECT count(*) FROM draft."{table}")'
        ).fetchone()
        if counts is None or counts[0] != counts[1]:
            raise HarnessError(f"{path}: a copy lacks rows of {table}; the store is as it was")


def _read_through(path: Path) -> int:
    """Reads every value of a store that nobody else has open; how many rows there are."""
    try:
        with connect(path, read_only=True) as connection:
            if schema_version(connection, path) == 0:
                raise HarnessError(f"{path}: an empty database, no store")
            return sum(rows for _, rows in read_tables(connection))
    except duckdb.Error as error:
        raise HarnessError(
            f"{path}: not a whole copy ({str(error).splitlines()[0]}); `harness store check` says "
            "what of the store cannot be read"
        ) from error


def read_tables(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, int]]:
    """Every table with its rows, each value of them read. Raises duckdb.Error where one cannot."""
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name"
    ).fetchall()
    for (table,) in tables:
        found = connection.execute(f'SELECT count(*), bit_xor(hash(t)) FROM "{table}" t').fetchone()
        yield table, int(found[0]) if found else 0


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def quoted(path: Path) -> str:
    """A path as a literal of SQL, for statements that take no parameter there."""
    return "'" + str(path).replace("'", "''") + "'"


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
