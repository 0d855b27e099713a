"""Takes spooled batches into the tables: what stays, what is replaced, what is new.

Batches are merged as if each had been taken in alone, in the order of their names. Every table that
grows without bound is looked through once for all of them, by joins in which the spooled rows are
the small side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from harness.store.columns import COLUMNS
from harness.store.database import roll_back

# Tables of which a later batch's row replaces an earlier one with the same key.
_REPLACED = {
    "checkpoints": "fingerprint",
    "protocols": "hash",
    "items": "hash",
    "evaluations": "id",
    "imports": "name",
    "conversations": "id",
    "derived": "key",
}
# What is computed from an answer, by (key, protocol_hash); computing it again replaces it. These
# tables have one column more, the answer's fingerprint, which is filled in here.
_COMPUTED = ("scores", "readings")
# What belongs to an evaluation, by what makes two rows the same; the first one stays.
_LINKS = {
    "requests": ("evaluation", "key"),
    "judged": ("evaluation", "answer", "key"),
    "paired": ("answer_a", "answer_b", "swapped", "key"),
}


def merge(connection: duckdb.DuckDBPyConnection, directories: Sequence[Path]) -> None:
    """Takes batches in, oldest first, in one transaction with their names in `ingested`."""
    connection.execute("BEGIN")
    try:
        came = _read(connection, directories)
        if "items" in came:
            _find_relabelled(connection)
        for table, key in _REPLACED.items():
            if table in came:
                _replace(connection, table, key)
        for table, same in _LINKS.items():
            if table in came:
                _link(connection, table, same)
        if "judgments" in came:
            _judgments(connection)
        if "regressions" in came:
            # The first row stays: its status may have moved on since.
            connection.execute(
                f"INSERT INTO regressions SELECT {_columns('regressions')} FROM came_regressions "
                "QUALIFY row_number() OVER (PARTITION BY id ORDER BY batch) = 1 "
                "ON CONFLICT (id) DO NOTHING"
            )
        if "battles" in came:
            _battles(connection)
        _answers(connection, came)
        _count_revisions(connection, came)
        connection.executemany(
            "INSERT INTO ingested VALUES (?, now())", [[one.name] for one in directories]
        )
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def _read(
    connection: duckdb.DuckDBPyConnection, directories: Sequence[Path]
) -> Mapping[str, list[str]]:
    """Puts the batches into temporary tables `came_TABLE`, with the name of each row's batch;
    answers the batches by table."""
    came: dict[str, list[str]] = {}
    files: dict[str, list[str]] = {}
    for directory in directories:
        for file in directory.glob("*.parquet"):
            came.setdefault(file.stem, []).append(directory.name)
            files.setdefault(file.stem, []).append(str(file))
    for table, paths in files.items():
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE came_{table} AS SELECT {_columns(table)}, "
            "split_part(filename, '/', -2) AS batch FROM read_parquet(?, filename = true)",
            [paths],
        )
    return came


def _find_relabelled(connection: duckdb.DuckDBPyConnection) -> None:
    """Items whose labels change: they are no part of an item's hash, but scores stand by them."""
    labels = ("genre", "skill", "level", "seen", '"cluster"', "dataset")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE relabelled AS SELECT DISTINCT hash FROM items old "
        "JOIN came_items new USING (hash) WHERE "
        + " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in labels)
    )


def _replace(connection: duckdb.DuckDBPyConnection, table: str, key: str) -> None:
    # Upsert in place: DuckDB refuses delete and insert of one key in a transaction.
    rest = [name for name in COLUMNS[table] if name != key]
    connection.execute(
        f"INSERT INTO {table} SELECT {_columns(table)} FROM came_{table} "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY batch DESC) = 1 "
        f"ON CONFLICT ({key}) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in rest)
    )


def _link(connection: duckdb.DuckDBPyConnection, table: str, same: Sequence[str]) -> None:
    names = ", ".join(same)
    connection.execute(
        f"INSERT INTO {table} SELECT {_columns(table)} FROM came_{table} "
        f"ANTI JOIN (SELECT {names} FROM {table} SEMI JOIN came_{table} USING ({names})) "
        f"USING ({names}) QUALIFY row_number() OVER (PARTITION BY {names} ORDER BY batch) = 1"
    )


def _answers(connection: duckdb.DuckDBPyConnection, came: Mapping[str, list[str]]) -> None:
    """The first answer to a key stays (two processes may have asked at once), except that an
    answer replaces an error. Scores and readings come with their own answer or not at all; those of
    batches without answers are of stored ones, and the last of them counts."""
    answering = came.get("generations", [])
    if answering:
        # A key is made of the fingerprint, so naming both is the same and skips what is not of it.
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM came_generations "
            "ANTI JOIN (SELECT key FROM generations SEMI JOIN came_generations "
            "USING (key, fingerprint) WHERE finish_reason <> 'error') USING (key) "
            "QUALIFY row_number() OVER "
            "(PARTITION BY key ORDER BY finish_reason = 'error', batch) = 1"
        )
        connection.execute(
            "DELETE FROM generations USING fresh WHERE generations.finish_reason = 'error' "
            "AND generations.key = fresh.key"
        )
        connection.execute(f"INSERT INTO generations SELECT {_columns('generations')} FROM fresh")
    else:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE fresh (key VARCHAR, fingerprint VARCHAR, batch VARCHAR)"
        )
    for table in _COMPUTED:
        if table not in came:
            continue
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE fresh_{table} AS SELECT * FROM came_{table} new "
            "WHERE NOT list_contains(?, new.batch) "
            "OR EXISTS (FROM fresh WHERE fresh.key = new.key AND fresh.batch = new.batch) "
            "QUALIFY batch = max(batch) OVER (PARTITION BY key, protocol_hash)",
            [answering],
        )
        of = _whose(connection, table)
        # An answer that is new has no scores yet.
        connection.execute(
            f"DELETE FROM {table} USING (SELECT DISTINCT key, protocol_hash FROM fresh_{table} "
            f"WHERE NOT list_contains(?, batch)) new "
            f"WHERE {table}.key = new.key AND {table}.protocol_hash = new.protocol_hash",
            [answering],
        )
        connection.execute(
            f"INSERT INTO {table} ({_columns(table)}, fingerprint) "
            f"SELECT {_columns(table)}, fingerprint FROM fresh_{table} LEFT JOIN {of} USING (key)"
        )


def _whose(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """A temporary table of (key, fingerprint) for what comes to a table of computed rows. Only for
    those whose answer does not come with them all answers are looked through."""
    of = f"{table}_of"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {of} AS SELECT key, fingerprint FROM fresh "
        f"SEMI JOIN fresh_{table} USING (key)"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE again AS "
        f"SELECT DISTINCT key FROM fresh_{table} ANTI JOIN {of} USING (key)"
    )
    if connection.execute("FROM again LIMIT 1").fetchone():
        connection.execute(
            f"INSERT INTO {of} SELECT key, any_value(fingerprint) FROM generations "
            "SEMI JOIN again USING (key) GROUP BY key"
        )
    return of


def _count_revisions(connection: duckdb.DuckDBPyConnection, came: Mapping[str, list[str]]) -> None:
    """Notes of which checkpoints and protocols the scores have changed."""
    changed = []
    if "scores" in came:
        changed.append(
            "SELECT fingerprint, protocol_hash FROM fresh_scores JOIN scores_of USING (key)"
        )
    if "requests" in came:
        changed.append(
            "SELECT fingerprint, protocol_hash FROM evaluations "
            "WHERE id IN (SELECT evaluation FROM came_requests)"
        )
    if "items" in came and connection.execute("FROM relabelled LIMIT 1").fetchone():
        changed.append(
            "SELECT fingerprint, protocol_hash FROM evaluations WHERE id IN "
            "(SELECT evaluation FROM requests WHERE item_hash IN (SELECT hash FROM relabelled))"
        )
    if changed:
        connection.execute(
            f"INSERT INTO revisions SELECT DISTINCT *, 1 FROM ({' UNION ALL '.join(changed)}) "
            "ON CONFLICT DO UPDATE SET revision = revision + 1"
        )


def _judgments(connection: duckdb.DuckDBPyConnection) -> None:
    """The first reply to an attempt stays, except that a reply replaces a failed request."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM came_judgments new "
        "ANTI JOIN (SELECT key, attempt FROM judgments SEMI JOIN came_judgments "
        "USING (key, attempt) WHERE coalesce(failure, '') <> 'request') USING (key, attempt) "
        "QUALIFY row_number() OVER (PARTITION BY key, attempt "
        "ORDER BY coalesce(failure, '') = 'request', batch, created_at) = 1"
    )
    connection.execute(
        "DELETE FROM judgments USING fresh "
        "WHERE judgments.key = fresh.key AND judgments.attempt = fresh.attempt"
    )
    connection.execute(f"INSERT INTO judgments SELECT {_columns('judgments')} FROM fresh")


def _battles(connection: duckdb.DuckDBPyConnection) -> None:
    """The first row of an id stays: a vote is cast once. A verifier's battle follows from scores
    and is replaced, for they may have been computed again."""
    connection.execute(
        "DELETE FROM battles USING (SELECT DISTINCT id FROM came_battles) new "
        "WHERE battles.kind = 'verifier' AND battles.id = new.id"
    )
    connection.execute(
        f"INSERT INTO battles SELECT {_columns('battles')} FROM came_battles "
        "ANTI JOIN (SELECT id FROM battles SEMI JOIN came_battles USING (id)) USING (id) "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY kind <> 'verifier', "
        "CASE WHEN kind = 'verifier' THEN batch END DESC, batch, sequence) = 1 "
        "ORDER BY batch, sequence"
    )


def _columns(table: str) -> str:
    return ", ".join(COLUMNS[table])
