"""Read-only SQL over the store, and any table or query as Parquet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import HarnessError
from harness.store.database import connect

# Rows held in memory at once.
_BATCH = 50_000


@contextmanager
def _asked(path: Path, sql: str) -> Iterator[pa.RecordBatchReader]:
    """The result of one query that can change nothing and sees nothing but the store."""
    with connect(path, read_only=True) as connection:
        # A query is pasted from anywhere: it gets no file, no network and no way to ask for them.
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            statements = duckdb.extract_statements(sql)
            if len(statements) != 1:
                raise HarnessError(f"{len(statements)} SQL statements; expected one query")
            if statements[0].type != duckdb.StatementType.SELECT:
                raise HarnessError(
                    f"only queries (SELECT, FROM, WITH, DESCRIBE) are run, not "
                    f"{statements[0].type.name}: the store is changed by harness alone"
                )
            yield connection.sql(statements[0].query).to_arrow_reader(_BATCH)
        except duckdb.Error as error:
            first, *rest = str(error).split("\n\n", 1)
            hint = f" ({' '.join(rest[0].split())})" if rest else ""
            raise HarnessError(f"{path}: {first}{hint}") from error


def query(path: Path, sql: str, most: int | None = None) -> tuple[list[dict[str, Any]], bool]:
    """Rows of a query as plain values, at most `most`, and whether there were more.

    Raises HarnessError for SQL that DuckDB refuses and for whatever is no query.
    """
    rows: list[dict[str, Any]] = []
    with _asked(path, sql) as reader:
        for batch in reader:
            rows += batch.to_pylist()
            if most is not None and len(rows) > most:
                return rows[:most], True
    return rows, False


def write_parquet(path: Path, sql: str, output: Path) -> int:
    """Writes a query's rows as Parquet (zstd), whole or not at all; returns their number.

    Raises HarnessError as `query` does, and where the file cannot be written.
    """
    partial = output.with_name(f".{output.name}.partial")
    count = 0
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with (
            _asked(path, sql) as reader,
            pq.ParquetWriter(partial, reader.schema, compression="zstd") as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)
                count += batch.num_rows
        partial.replace(output)
    except OSError as error:
        raise HarnessError(
            f"{output}: cannot be written ({error.strerror}); name another file"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return count


def tables(path: Path) -> list[str]:
    """The store's tables by name."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' "
            "ORDER BY 1"
        ).fetchall()
    return [name for (name,) in rows]


def table_query(path: Path, table: str) -> str:
    """The query for a whole table. Raises HarnessError for a table that is not there."""
    known = tables(path)
    if table not in known:
        raise HarnessError(f"{path}: no table {table!r}; there are {', '.join(known)}")
    return f'SELECT * FROM "{table}"'
