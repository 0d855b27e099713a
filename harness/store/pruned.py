"""SQL for rows of some evaluations' checkpoints alone: DuckDB skips what is of others unread."""

from __future__ import annotations

from typing import Literal


def rows_of(table: Literal["scores", "readings", "generations"], ids: str = "$ids") -> str:
    """A subquery: the rows of a table that are of the checkpoints of some evaluations.

    ids  a parameter that holds a list of their ids

    It is there for speed and changes no answer, for a content key is of one checkpoint. A filter
    of the form `IN (SELECT unnest(...))` reaches the scan of the table, on whichever side of a
    join it stands; `list_contains` and a list of several literals do not.
    """
    return (
        f"(SELECT * FROM {table} WHERE fingerprint IN "
        f"(SELECT fingerprint FROM evaluations WHERE id IN (SELECT unnest({ids}))))"
    )
