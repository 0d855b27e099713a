"""Opens the DuckDB file: creation, migrations, lock waits, and one clear sentence per fault.

DuckDB lets one process write or many read. So nobody holds the file: every connection here lives
for one transaction or one query, and whoever finds it taken waits with jitter (`connect`).
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from harness.errors import HarnessError

if TYPE_CHECKING:
    from tenacity import RetryCallState

DEFAULT_STORE = "results.duckdb"
# What DuckDB says where a lock is refused though nobody holds it, or the holder is far away.
_NO_HOLDER = re.compile(r"held in PID 0\b|locks are not supported")
# Seconds that anybody waits for the lock while one and the same program keeps it and does nothing.
PATIENCE = 120.0
_HOLDER = re.compile(r"PID (\d+)")
# Another process holds the file; or another thread of this one, in the other mode or closing it.
_LOCKED = ("Could not set lock", "different configuration", "already attached")


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
    path: Path, *, read_only: bool = False, wait: float = PATIENCE
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for one transaction or query.

    wait: as in `patiently`.
    Raises HarnessError where the file is locked for longer, is not a DuckDB file, or cannot be
    read or written; the file is not touched then.
    """
    connection = _open(path, read_only, wait)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    except duckdb.Error as error:
        if sentence := _fault_in_use(path, str(error)):
            raise HarnessError(sentence) from error
        raise
    finally:
        connection.close()


def roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Ends a transaction without its changes; where the fault has ended it, nothing is left to
    undo, and that fault is the one to tell."""
    with suppress(duckdb.Error):
        connection.execute("ROLLBACK")


def _open(path: Path, read_only: bool, wait: float) -> duckdb.DuckDBPyConnection:
    def attempt() -> duckdb.DuckDBPyConnection:
        before = _identity(path)
        try:
            connection = duckdb.connect(str(path), read_only=read_only)
        except duckdb.Error as error:
            if _NO_HOLDER.search(str(error)) and not _has_locks(path.parent):
                raise HarnessError(_without_locks(path)) from error
            raise
        # Swapped between the opening and the locking: this is the file that was there before.
        if before is not None and before != _identity(path):
            connection.close()
            raise duckdb.IOException(f"{_LOCKED[0]}: the file was replaced meanwhile")
        return connection

    try:
        return patiently(attempt, path, wait)
    except duckdb.Error as error:
        raise HarnessError(_sentence(path, str(error), wait)) from error


def _has_locks(directory: Path) -> bool:
    """Whether the file system grants record locks."""
    try:
        with tempfile.TemporaryFile(dir=directory) as probe:
            fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _without_locks(path: Path) -> str:
    return (
        f"{path}: its file system refuses locks, without which two processes could spoil the "
        "store; it was left untouched: keep the store on a local disk or a mount with locks "
        "(--store, or HARNESS_STORE)"
    )


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has the name now; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def patiently(
    attempt: Callable[[], duckdb.DuckDBPyConnection], path: Path, wait: float
) -> duckdb.DuckDBPyConnection:
    """Tries until the lock on the store is had. Gives up where one and the same holder keeps it for
    `wait` seconds and writes nothing meanwhile; never while it passes from hand to hand, which may
    take long on a busy machine, nor while a harness command is at it or somebody has said that it
    takes long (`housekeeping`)."""
    from tenacity import Retrying, retry_if_exception, wait_random_exponential

    deadline = time.monotonic() + wait
    before: object = None

    def is_over(state: RetryCallState) -> bool:
        nonlocal deadline, before
        found = _HOLDER.search(str(state.outcome.exception())) if state.outcome else None
        holder = int(found[1]) if found else None
        now = (holder, *_written_at(path))
        if now != before or _is_ours(holder) or is_kept_busy(path):
            before, deadline = now, time.monotonic() + wait
        return time.monotonic() >= deadline

    attempts = Retrying(
        retry=retry_if_exception(lambda error: any(text in str(error) for text in _LOCKED)),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        stop=is_over,
        reraise=True,
    )
    return attempts(attempt)


def _written_at(path: Path) -> tuple[int, ...]:
    """When the store and its log were last written, in ns; 0 for what is not there."""
    times = []
    for file in (path, path.with_name(path.name + ".wal")):
        try:
            times.append(file.stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)


def _is_ours(pid: int | None) -> bool:
    """Whether a process of this machine is a harness command that is not stopped."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    # `python -m harness ...`, or an interpreter and the script of that name.
    return state not in "TtZX" and any(word.rpartition(b"/")[2] == b"harness" for word in words[:3])


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".busy")


@contextmanager
def housekeeping(path: Path) -> Iterator[None]:
    """Tells others that the store is locked for long, so that they wait and do not give up. The
    note is a locked file: it says nothing any more once its process is gone.

    Raises HarnessError where somebody else is at it.
    """
    note = _note(path)
    try:
        with note.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
            note.unlink(missing_ok=True)
    except BlockingIOError:
        raise HarnessError(
            f"{path}: another process compacts or copies it; repeat the command when that is done"
        ) from None
    except OSError as error:
        if error.filename is None and not _has_locks(path.parent):
            raise HarnessError(_without_locks(path)) from error
        raise


def is_kept_busy(path: Path) -> bool:
    """Whether somebody has announced that the store is locked for long."""
    try:
        with _note(path).open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _sentence(path: Path, fault: str, wait: float) -> str:
    if any(text in fault for text in _LOCKED):
        holder = _HOLDER.search(fault)
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


def _fault_in_use(path: Path, fault: str) -> str | None:
    """A sentence for what can happen to a file that was opened; None for what is a bug."""
    if "Corrupt database file" in fault:
        return (
            f"{path}: a part of it is damaged; `harness store check` says which, `harness store "
            "salvage` saves the rest, `harness store restore` puts a backup in its place"
        )
    if "No space left" in fault or "Could not write" in fault:
        return (
            f"{path}: cannot be written ({fault.splitlines()[0]}); everything committed before "
            "is safe: make room and repeat the command"
        )
    return None


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


def prepare(path: Path, *, wait: float = PATIENCE) -> None:
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
