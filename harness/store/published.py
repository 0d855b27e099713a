"""Score tables that others published, in the store: replaced as a whole, known by their file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from harness.store.database import connect, prepare


@dataclass(frozen=True)
class Published:
    """One published score, as it was published.

    model_id, group, metric  empty where the table does not tell
    line                     of the file it came from
    """

    model: str
    model_id: str
    group: str
    benchmark: str
    metric: str
    value: float
    line: int

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        return (self.model, self.model_id, self.group, self.benchmark, self.metric)


@dataclass(frozen=True)
class Source:
    """A table that was imported."""

    name: str
    file_hash: str
    licence: str
    imported_at: datetime


_TYPES = {
    "model": pa.string(),
    "model_id": pa.string(),
    "group": pa.string(),
    "benchmark": pa.string(),
    "metric": pa.string(),
    "value": pa.float64(),
    "line": pa.int64(),
}
_COLUMNS = ", ".join(f'"{name}"' for name in _TYPES)


def add_published(
    path: Path, source: str, file_hash: str, licence: str | None, rows: Sequence[Published]
) -> bool:
    """Makes `rows`, each key once, all that the store holds under a source's name.

    licence  None keeps what an earlier import told. Returns whether anything changed.
    """
    prepare(path)
    known = {one.name: one for one in sources(path)}.get(source)
    if licence is None:
        licence = known.licence if known else ""
    if known and (known.file_hash, known.licence) == (file_hash, licence):
        return False
    columns = list(zip(*map(astuple, rows), strict=True))
    # `given` is found by DuckDB through the name of this variable.
    given = pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, _TYPES.values(), strict=True)],
        names=list(_TYPES),
    )
    with connect(path) as connection:
        connection.register("given", given)
        connection.execute("BEGIN")
        connection.execute("DELETE FROM published WHERE source = ?", [source])
        connection.execute(
            f"INSERT INTO published SELECT ?, ?, ?, {_COLUMNS}, now() FROM given",
            [source, file_hash, licence],
        )
        connection.execute("COMMIT")
    return True


def sources(path: Path) -> list[Source]:
    """The imported tables, by name."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT source, file_hash, any_value(licence), max(imported_at) FROM published "
            "GROUP BY ALL ORDER BY source"
        ).fetchall()
    return [Source(*row) for row in rows]


def published(path: Path, source: str) -> list[Published]:
    """The scores of a source in the order of its file."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM published WHERE source = ? ORDER BY line, rowid", [source]
        ).fetchall()
    return [Published(*row) for row in rows]
