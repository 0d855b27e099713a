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
    if not revision_of:
        return {}
    # Lists, for an Arrow array would make the interpreter load pandas.
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT key, value FROM derived SEMI JOIN "
            "(SELECT unnest($keys) AS key, unnest($revisions) AS revision) USING (key, revision)",
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
    """Whether to keep what was computed from so many answers of one or more evaluations."""
    return answers >= _WORTH_KEEPING
