"""Plays battles between stored evaluations of one suite, offline: answers, verified, against each
other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from harness.arena.types import Battle
from harness.arena.variants import style_of
from harness.arena.verifier import Place, Proof, battles
from harness.errors import HarnessError
from harness.items.schema import content_hash
from harness.store import battles as battle_store
from harness.store.database import connect
from harness.store.pruned import rows_of
from harness.store.queries import EvaluationRow, find_evaluation, refresh

# A metric's score is a proof where it is 1; a part of it is not.
_RIGHT = 1.0 - 1e-9


@dataclass(frozen=True)
class Played:
    """pairs of models, battles between them, how many of those the store did not have yet, and
    items that not all of them answered."""

    models: tuple[str, ...]
    battles: int
    new: int
    left_out: int


def play(path: Path, names: Sequence[str], suite: str | None, metric: str = "strict") -> Played:
    """Battles of every pair of the named evaluations (checkpoints or ids), on every item that
    both answered and a rule scored.

    metric  strict: the raw answer must be right; lenient: the right answer must be in it

    Raises HarnessError: fewer than two names, one named twice, evaluations of different protocol
    hashes, or no item in common.
    """
    refresh(path)
    rows = [find_evaluation(path, name, suite) for name in names]
    _check(rows)
    proofs = {row.id: _proofs(path, row, metric) for row in rows}
    made: list[Battle] = []
    for a, b in combinations(rows, 2):
        found = list(
            battles(
                a.checkpoint,
                b.checkpoint,
                proofs[a.id],
                proofs[b.id],
                source=content_hash(sorted([a.id, b.id])),
                protocol_hash=a.protocol_hash,
            )
        )
        if not found:
            raise HarnessError(
                f"{a.checkpoint} and {b.checkpoint} have no item with a {metric} score in common; "
                "evaluate both on the same items"
            )
        made += found
    everywhere = set.intersection(*(set(one) for one in proofs.values()))
    anywhere = set().union(*proofs.values())
    new = battle_store.add(path, made)
    return Played(
        tuple(row.checkpoint for row in rows), len(made), new, len(anywhere) - len(everywhere)
    )


def _check(rows: Sequence[EvaluationRow]) -> None:
    if len(rows) < 2:
        raise HarnessError("a battle takes two: name two or more checkpoints or evaluations")
    names = [row.checkpoint for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise HarnessError(f"{', '.join(twice)} is named twice; a model cannot meet itself")
    first = rows[0]
    for row in rows[1:]:
        if row.protocol_hash != first.protocol_hash:
            raise HarnessError(
                f"{first.checkpoint} was measured by {first.protocol} ({first.protocol_hash[:8]}) "
                f"and {row.checkpoint} by {row.protocol} ({row.protocol_hash[:8]}): answers of "
                "different protocols do not meet; name a --suite that both have, or evaluate again"
            )


def _proofs(path: Path, row: EvaluationRow, metric: str) -> dict[Place, Proof]:
    with connect(path, read_only=True) as connection:
        found = connection.execute(
            "SELECT r.item_hash, r.sample, r.turn, s.value, coalesce(i.cluster, i.hash), i.genre, "
            "g.text FROM requests r JOIN items i ON i.hash = r.item_hash "
            f"JOIN {rows_of('generations')} g ON g.key = r.key "
            f"JOIN {rows_of('scores')} s ON s.key = r.key AND s.protocol_hash = $protocol "
            "WHERE r.evaluation IN (SELECT unnest($ids)) AND r.kind = 'answer' "
            "AND s.metric = $metric",
            {"ids": [row.id], "protocol": row.protocol_hash, "metric": metric},
        ).fetchall()
    return {
        (item, sample, turn): Proof(value >= _RIGHT, prompt, genre, style_of(text))
        for item, sample, turn, value, prompt, genre, text in found
    }
