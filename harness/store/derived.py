"""What is computed from scores, kept until they change: a leaderboard need not read them all again.

Revisions are read before the scores. Whoever changes scores counts a revision in the same
transaction (`store.intake`), so that a value computed from older ones is never taken for current.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.store.database import connect
from harness.store.write import spool

# Values of one evaluation are kept from so many answers on: fewer are counted in no time.
_WORTH_KEEPING = 1000


def revisions(path: Path, evaluations: Sequence[str]) -> dict[str, int]:
    """How often the scores of each evaluation have changed; unknown evaluations are left out."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT e.id, coalesce(r.revision, 0) FROM evaluations e "
            "LEFT JOIN revisions r USING (fingerprint, protocol_hash) "
            "WHERE list_contains(?, e.id)",
            [list(evaluations)],
        ).fetchall()
    return {one: int(revision) for one, revision in rows}


def recall(path: Path, revision_of: Mapping[str, str]) -> dict[str, str]:
    """The values by key, of those keys whose value is of the revision given."""
    # Lists as parameters: an Arrow table would import pandas for as many keys as there are metrics.
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT key, value FROM derived SEMI JOIN (SELECT unnest(CAST($keys AS VARCHAR[])) AS "
            "key, unnest(CAST($revisions AS VARCHAR[])) AS revision) USING (key, revision)",
            {"keys": list(revision_of.keys()), "revisions": list(revision_of.values())},
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
    return answers >= _WORTH_KEEPING
