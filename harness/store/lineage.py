"""Reads how evaluations were asked and judged, and what lineage says of their checkpoints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.store.database import connect
from harness.store.pruned import rows_of

# Requests looked at to tell at which temperatures an evaluation was asked: a few of every genre.
_LOOKED_AT = 8


@dataclass(frozen=True)
class Origin:
    """Lineage of a checkpoint as the store knows it; weights of the mixture by source."""

    fingerprint: str
    name: str
    run: str | None
    step: int | None
    parent: str | None
    mixture: dict[str, float] | None


def origin(path: Path, fingerprint: str) -> Origin | None:
    """A checkpoint's lineage, None where the store does not know the checkpoint."""
    with connect(path, read_only=True) as connection:
        row = connection.execute(
            "SELECT fingerprint, name, run, step, parent, mixture FROM checkpoints "
            "WHERE fingerprint = ?",
            [fingerprint],
        ).fetchone()
    if row is None:
        return None
    key, name, run, step, parent, mixture = row
    return Origin(key, name, run, step, parent, json.loads(mixture) if mixture else None)


def temperatures(path: Path, evaluation: str) -> frozenset[float]:
    """The temperatures at which an evaluation's answers were drawn; 0 is greedy."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "WITH looked AS (SELECT r.key FROM requests r JOIN items i ON i.hash = r.item_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids)) AND r.kind = 'answer' "
            "QUALIFY row_number() OVER (PARTITION BY i.genre ORDER BY r.key) <= $most) "
            "SELECT DISTINCT CAST(g.sampling->>'temperature' AS DOUBLE) "
            f"FROM {rows_of('generations')} g SEMI JOIN looked USING (key)",
            {"ids": [evaluation], "most": _LOOKED_AT},
        ).fetchall()
    return frozenset(float(row[0] or 0.0) for row in rows)


def judges_of(path: Path, evaluation: str) -> list[tuple[str, str]]:
    """(judge, hash of its set of prompts) of all who judged an evaluation."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT judge, prompt_set FROM judged WHERE evaluation = ? ORDER BY ALL",
            [evaluation],
        ).fetchall()
    return [(judge, prompts) for judge, prompts in rows]
