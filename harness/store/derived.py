"""What is computed from scores, kept until they change: a leaderboard need not read them all again.

Revisions are read before the scores. Whoever changes scores counts a revision in the same
transaction (`store.intake`), so that a value computed from older ones is never taken for current.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from harness.errors import HarnessError
from harness.store.database import connect
from harness.store.write import spool

# Values are kept where so many answers had to be counted: fewer are counted again in no time.
_WORTH_KEEPING = 1000


def revisions(path: Path, evaluations: Sequence[str]) -> dict[str, int]:
    """How often the scores of each evaluation have changed; unknown evaluations are left out."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT e.id, coalesce(r.revision, 0) FROM evaluations e "
            "LEFT JOIN revisions r USING (fingerprint, protocol_hash) "
            "WHERE e.id IN (SELECT unnest(?))",
            [list(evaluations)],
        ).fetchall()
    return {one: int(revision) for one, revision in rows}


def recall(path: Path, revision_of: Mapping[str, str]) -> dict[str, str]:
    """The values by key, of those keys whose value is of the revision given."""
    # `wanted` is found by DuckDB through the name of this variable.
    wanted = pa.table(
        {
            "key": pa.array(revision_of.keys(), type=pa.string()),
            "revision": pa.array(revision_of.values(), type=pa.string()),
        }
    )
    with connect(path, read_only=True) as connection:
        connection.register("wanted", wanted)
        rows = connection.execute(
            "SELECT key, value FROM derived SEMI JOIN wanted USING (key, revision)"
        ).fetchall()
    return dict(rows)


def remember(path: Path, values: Sequence[tuple[str, str, str, str]]) -> None:
    """Keeps values: (key, evaluation, revision, text). A store that cannot be written keeps none,
    and they are computed again."""
    rows = [
        {"key": key, "evaluation": one, "revision": revision, "value": value}
        for key, one, revision, value in values
    ]
    try:
        spool(path, {"derived": rows})
    except HarnessError:
        return


def is_worth_keeping(answers: int) -> bool:
    """Whether to keep what was computed from so many answers of one or more evaluations."""
    return answers >= _WORTH_KEEPING
