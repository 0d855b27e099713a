"""Takes answers back that do not belong to the checkpoint they were stored under."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from harness.store.database import connect


def void_answers(path: Path, evaluation: str, keys: Sequence[str]) -> None:
    """Removes the generations of these keys, their scores and readings, and what ties judgments
    to them in an evaluation, in one transaction. The judgments stay: they are of texts. What was
    computed from the scores is void with them.

    Raises HarnessError as `connect` does.
    """
    given = pa.table({"key": pa.array(list(keys), type=pa.string())})
    with connect(path) as connection:
        connection.register("given", given)
        connection.execute("BEGIN")
        own = "fingerprint = (SELECT fingerprint FROM evaluations WHERE id = ?)"
        connection.execute(
            "INSERT INTO revisions SELECT DISTINCT fingerprint, protocol_hash, 1 FROM scores "
            f"WHERE {own} AND key IN (SELECT key FROM given) "
            "ON CONFLICT DO UPDATE SET revision = revision + 1",
            [evaluation],
        )
        for table in ("scores", "readings", "generations"):
            connection.execute(
                f"DELETE FROM {table} WHERE {own} AND key IN (SELECT key FROM given)", [evaluation]
            )
        connection.execute(
            "DELETE FROM judged WHERE evaluation = ? AND answer IN (SELECT key FROM given)",
            [evaluation],
        )
        connection.execute("COMMIT")
