"""Opens the DuckDB file: creation, migrations, lock waits, and one clear sentence per fault.

DuckDB lets one process write or many read. So nobody holds the file: every connection here lives
for one transaction or one query, and whoever finds it taken waits with jitter (`connect`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import duckdb

from harness.errors import HarnessError

DEFAULT_STORE = "results.duckdb"
_LOCKED = "Could not set lock"


def store_path(option: str | None = None) -> Path:
    """`--store`, else HARNESS_STORE, else `results.duckdb` in the working directory."""
    return Path(option or os.environ.get("HARNESS_STORE") or DEFAULT_STORE).resolve()


def migrations() -> list[tuple[int, str]]:
    """(version, SQL) of every migration, in order of version."""
    folder = files("harness.store").joinpath("migrations")
    scripts = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return [(int(entry.name[:4]), entry.read_text(encoding="utf-8")) for entry in scripts]


@contextmanager
def connect(
    path: Path, *, read_only: bool = False, wait: float = 30.0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for one transaction or query.

    wait: seconds to go on trying while another process holds the file.
    Raises HarnessError where the file is locked for longer, is not a DuckDB file, or cannot be
    read or written; the file is not touched then.
    """
    connection = _open(path, read_only, wait)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _open(path: Path, read_only: bool, wait: float) -> duckdb.DuckDBPyConnection:
    from tenacity import (
        Retrying,
        retry_if_exception,
        stop_after_delay,
        wait_random_exponential,
    )

    attempts = Retrying(
        retry=retry_if_exception(lambda error: _LOCKED in str(error)),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        stop=stop_after_delay(wait),
        reraise=True,
    )
    try:
        return attempts(lambda: duckdb.connect(str(path), read_only=read_only))
    except duckdb.Error as error:
        raise HarnessError(_sentence(path, str(error), wait)) from error


def _sentence(path: Path, fault: str, wait: float) -> str:
    if _LOCKED in fault:
        holder = re.search(r"PID (\d+)", fault)
        who = f"process {holder[1]}" if holder else "another process"
        return (
            f"{path}: locked by {who} for more than {wait:g} s; close the program that keeps it "
            "open (a DuckDB shell or notebook, say) and repeat the command"
        )
    if "not a valid DuckDB database file" in fault:
        return (
            f"{path}: not a DuckDB database file; it was left untouched: name another file with "
            "--store, or move this one away"
        )
    if "newer" in fault and "version" in fault:
        return (
            f"{path}: written by a newer DuckDB than {duckdb.__version__}, the one installed "
            "here; upgrade the duckdb package"
        )
    first_line = fault.splitlines()[0]
    return f"{path}: DuckDB cannot open it ({first_line}); it was left untouched"


def schema_version(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The store's schema version, 0 for an empty file.

    Raises HarnessError for a database that is not a store, or is a newer one.
    """
    tables = {
        row[0]
        for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
    }
    if "harness_schema" not in tables:
        if tables:
            raise HarnessError(
                f"{path}: a DuckDB database, but not a harness store (it holds "
                f"{', '.join(sorted(tables)[:3])}); name another file with --store"
            )
        return 0
    row = connection.execute("SELECT max(version) FROM harness_schema").fetchone()
    version = int(row[0]) if row and row[0] is not None else 0
    known = migrations()[-1][0]
    if version > known:
        raise HarnessError(
            f"{path}: schema version {version} was written by a newer harness; this one knows "
            f"versions up to {known}. Upgrade harness, or name another file with --store"
        )
    return version


def _owed(connection: duckdb.DuckDBPyConnection, path: Path) -> list[tuple[int, str]]:
    """The migrations that a store lacks. Not only those above its version: two lines of
    development may each have added one, and a store of either gets the other's."""
    if schema_version(connection, path) == 0:
        return migrations()
    applied = {
        row[0] for row in connection.execute("SELECT version FROM harness_schema").fetchall()
    }
    return [(number, script) for number, script in migrations() if number not in applied]


def prepare(path: Path, *, wait: float = 30.0) -> None:
    """Creates the store or brings it to this harness's schema version; a store that is already
    there is opened read-only and left alone.

    Raises HarnessError as `connect` and `schema_version` do.
    """
    # A process killed while it created the file leaves it empty.
    if path.exists() and path.stat().st_size > 0:
        with connect(path, read_only=True, wait=wait) as connection:
            if not _owed(connection, path):
                return
    elif not path.parent.is_dir():
        raise HarnessError(
            f"{path}: the directory {path.parent} does not exist; create it or name another "
            "file with --store"
        )
    with connect(path, wait=wait) as connection:
        # Somebody else may have migrated between the two connections.
        owed = _owed(connection, path)
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS harness_schema "
            "(version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL)"
        )
        for number, script in owed:
            connection.execute(script)
            connection.execute("INSERT INTO harness_schema VALUES (?, now())", [number])
        connection.execute("COMMIT")


def require(path: Path) -> None:
    """Raises HarnessError where there is no store to read yet, or it cannot be read."""
    if not path.exists():
        raise HarnessError(
            f"{path}: no store here yet; `harness eval CHECKPOINT` makes one, or name another "
            "with --store"
        )
    prepare(path)
