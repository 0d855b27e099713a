"""Checks a store, and saves what can be read of a damaged one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from harness.errors import HarnessError
from harness.store.copying import quoted, replaced_by
from harness.store.database import connect, prepare, schema_version
from harness.store.intake import merge
from harness.store.write import damaged, is_readable, pending

# DuckDB reads a column in vectors of so many rows; fewer are not tried alone.
_VECTOR = 2048
# What makes two rows of a table the same. A store has no such rows.
_KEYS = {
    "generations": "key",
    "scores": "key, protocol_hash, metric",
    "readings": "key, protocol_hash",
    "requests": "evaluation, key",
    "judgments": "key, attempt",
    "battles": "id",
}


@dataclass(frozen=True)
class Table:
    """How much of a table can be read: rows that were, and rows that were not."""

    name: str
    rows: int
    lost: int


@dataclass(frozen=True)
class Health:
    """What `check` found: every table, faults in words, and batches that wait to be taken in."""

    tables: tuple[Table, ...]
    faults: tuple[str, ...]
    waiting: int


def check(path: Path) -> Health:
    """Reads every value of a store, and says where its rows contradict each other.

    Raises HarnessError where it cannot be opened at all.
    """
    with connect(path, read_only=True) as connection:
        schema_version(connection, path)
        tables = tuple(
            _read(
                connection,
                name,
                f'"{name}"',
                f'SELECT bit_xor(hash(t)) FROM "{name}" t WHERE rowid >= ? AND rowid < ?',
            )
            for name in _tables(connection, "current_database()")
        )
        torn = [one for one in tables if one.lost]
        faults = [f"{one.name}: {one.lost:,} rows cannot be read" for one in torn]
        if not torn:
            faults += _contradictions(connection)
    waiting = pending(path)
    faults += [f"{one}: set aside, it could not be read" for one in damaged(path)]
    faults += [f"{one}: cannot be read" for one in waiting if not is_readable(one)]
    return Health(tables, tuple(faults), len(waiting))


def salvage(path: Path, target: Path) -> tuple[Table, ...]:
    """Writes what can be read of a damaged store, with what is spooled beside it, into a new one;
    says for each table how much was read and lost. The damaged store is left as it is.

    Scores of lost answers go with them. An evaluation that lost something is no longer complete:
    its command asks again what is owed. Raises HarnessError where `target` exists or nothing of
    the store can be read.
    """
    if target.exists():
        raise HarnessError(f"{target}: there already; salvage overwrites nothing: name a new file")
    with replaced_by(target) as draft:
        with duckdb.connect(str(draft)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            try:
                connection.execute(f"ATTACH {quoted(path)} AS damaged (READ_ONLY)")
                found = tuple(
                    _save(connection, name, definition)
                    for name, definition in _definitions(connection)
                )
            except duckdb.Error as error:
                raise HarnessError(
                    f"{path}: nothing of it can be read ({str(error).splitlines()[0]}); "
                    f"`harness store restore` puts a backup in its place, and the "
                    f"{len(pending(path))} batches spooled beside it are then taken in"
                ) from error
            connection.execute("DETACH damaged")
        prepare(draft)
        with connect(draft) as connection:
            _take_in(connection, path)
            _settle(connection)
    return found


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    rows = connection.execute(
        f"SELECT table_name FROM duckdb_tables() WHERE database_name = {database} ORDER BY ALL"
    ).fetchall()
    return [row[0] for row in rows]


def _definitions(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT table_name, sql FROM duckdb_tables() WHERE database_name = 'damaged' ORDER BY ALL"
    ).fetchall()
    return [(name, sql) for name, sql in rows]


def _save(connection: duckdb.DuckDBPyConnection, name: str, definition: str) -> Table:
    connection.execute(definition.replace("damaged.", "", 1))
    return _read(
        connection,
        name,
        f'damaged."{name}"',
        f'INSERT INTO "{name}" SELECT * FROM damaged."{name}" WHERE rowid >= ? AND rowid < ?',
    )


def _read(connection: duckdb.DuckDBPyConnection, name: str, place: str, statement: str) -> Table:
    """Runs a statement over every range of rows that can be read."""
    counted = connection.execute(f"SELECT count(*), max(rowid) FROM {place}").fetchone()
    rows, last = counted or (0, None)
    if not rows or last is None:
        return Table(name, 0, 0)

    def attempt(low: int, high: int) -> bool:
        try:
            connection.execute(statement, [low, high]).fetchall()
        except duckdb.Error:
            return False
        return True

    lost = 0
    for low, high in _unreadable(attempt, 0, int(last) + 1):
        missed = connection.execute(
            f"SELECT count(*) FROM {place} WHERE rowid >= ? AND rowid < ?", [low, high]
        ).fetchone()
        lost += int(missed[0]) if missed else 0
    return Table(name, int(rows) - lost, lost)


def _unreadable(attempt: Callable[[int, int], bool], low: int, high: int) -> list[tuple[int, int]]:
    """The smallest ranges of rows for which `attempt` fails; it is left done for all others."""
    if attempt(low, high):
        return []
    if high - low <= _VECTOR:
        # Row groups may begin anywhere: only what lies between the ends that can be read is lost.
        low = _first_unreadable(attempt, low, high)
        return [(low, _last_unreadable(attempt, low, high))]
    vectors = (high - low + _VECTOR - 1) // _VECTOR
    middle = low + vectors // 2 * _VECTOR
    return _unreadable(attempt, low, middle) + _unreadable(attempt, middle, high)


def _first_unreadable(attempt: Callable[[int, int], bool], low: int, high: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        if attempt(low, middle):
            low = middle
        else:
            high = middle
    return low


def _last_unreadable(attempt: Callable[[int, int], bool], low: int, high: int) -> int:
    """One beyond it."""
    while high - low > 1:
        middle = (low + high) // 2
        if attempt(middle, high):
            high = middle
        else:
            low = middle
    return high


def _take_in(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """What is spooled beside the damaged store, one batch at a time; it stays where it is."""
    known = {row[0] for row in connection.execute("SELECT batch FROM ingested").fetchall()}
    for batch in pending(path):
        if batch.name not in known and is_readable(batch):
            merge(connection, [batch])


def _settle(connection: duckdb.DuckDBPyConnection) -> None:
    """Removes what lost its answer, and opens evaluations again that lost something."""
    for table in ("scores", "readings"):
        connection.execute(f"DELETE FROM {table} WHERE key NOT IN (SELECT key FROM generations)")
    connection.execute("DELETE FROM derived")
    connection.execute(
        "UPDATE evaluations SET state = 'running', finished_at = NULL "
        f"WHERE id IN (SELECT id FROM ({_MISCOUNTED}))"
    )


# Evaluations whose rows do not add up to what they say.
_MISCOUNTED = """
SELECT e.id FROM evaluations e
LEFT JOIN (SELECT r.evaluation AS id, count(DISTINCT r.key) AS asked,
           count(DISTINCT g.key) AS answered
           FROM requests r LEFT JOIN generations g USING (key) GROUP BY 1) c USING (id)
WHERE e.state = 'complete' AND (e.planned <> e.done + e.failed
      OR e.planned <> coalesce(c.asked, 0) OR e.planned <> coalesce(c.answered, 0))"""


def _contradictions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    def count(query: str) -> int:
        row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    faults = []
    for table, key in _KEYS.items():
        if doubled := count(
            f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {key} HAVING count(*) > 1)"
        ):
            faults.append(f"{table}: {doubled:,} keys stand more than once")
    for table in ("scores", "readings"):
        orphans = count(
            f"SELECT count(*) FROM {table} WHERE key NOT IN (SELECT key FROM generations)"
        )
        faults += [f"{table}: {orphans:,} rows are of no stored answer"] if orphans else []
        strayed = count(
            f"SELECT count(*) FROM {table} s JOIN generations g USING (key) "
            "WHERE s.fingerprint IS DISTINCT FROM g.fingerprint"
        )
        faults += [f"{table}: {strayed:,} rows name another checkpoint"] if strayed else []
    if wrong := count(f"SELECT count(*) FROM ({_MISCOUNTED})"):
        faults.append(f"evaluations: {wrong:,} that are complete do not have the rows they say")
    return faults


def describe(tables: Sequence[Table]) -> str:
    """What was read and lost, in one sentence."""
    lost = ", ".join(f"{one.lost:,} of {one.name}" for one in tables if one.lost)
    rows = sum(one.rows for one in tables)
    return f"{rows:,} rows read" + (f"; lost: {lost}" if lost else ", none lost")
