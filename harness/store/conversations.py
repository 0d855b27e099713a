"""Conversations of the voting page in the store: saved at every step, found again, and listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.arena.conversation import Ballot, Conversation, Turn, battle_of
from harness.store import battles, write
from harness.store.database import connect

_COLUMNS = (
    "id, session, model_a, model_b, fingerprint_a, fingerprint_b, prompt, suite, item_hash, "
    "genre, turns, sampling, language, began_at, answered_at, voted_at, outcome, tags_a, tags_b, "
    "comment"
)


def save(path: Path, held: Conversation) -> None:
    """Makes a conversation as it stands durable, and its vote with it, in one batch.

    Raises HarnessError where the disk is full or not writable.
    """
    batch = {"conversations": [_row(held)]}
    if held.ballot is not None:
        batch["battles"] = [battles.row(battle_of(held))]
    write.spool(path, batch)


def find(path: Path, key: str) -> Conversation | None:
    """The conversation of an id, as it was saved last and taken in."""
    with connect(path, read_only=True) as connection:
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM conversations WHERE id = ?", [key]
        ).fetchone()
    return None if row is None else _conversation(row)


def conversations(path: Path) -> Iterator[Conversation]:
    """All conversations, in the order they began; voted or not."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM conversations ORDER BY began_at, id"
        ).fetchall()
    return map(_conversation, rows)


def _row(held: Conversation) -> dict[str, Any]:
    ballot = held.ballot
    return {
        "id": held.id,
        "session": held.session,
        "state": held.state,
        "model_a": held.model_a,
        "model_b": held.model_b,
        "fingerprint_a": held.fingerprint_a,
        "fingerprint_b": held.fingerprint_b,
        "prompt": held.prompt,
        "suite": held.suite,
        "item_hash": held.item_hash,
        "genre": held.genre,
        "turns": msgspec.json.encode(held.turns).decode(),
        "sampling": json.dumps(dict(held.sampling)),
        "language": held.language,
        "began_at": held.began_at,
        "answered_at": held.answered_at,
        "voted_at": held.voted_at,
        "outcome": ballot.outcome if ballot else None,
        "tags_a": list(ballot.tags_a) if ballot else [],
        "tags_b": list(ballot.tags_b) if ballot else [],
        "comment": ballot.comment if ballot else "",
    }


def _conversation(row: tuple[Any, ...]) -> Conversation:
    found = dict(zip(_COLUMNS.split(", "), row, strict=True))
    outcome, comment = found.pop("outcome"), found.pop("comment")
    tags_a, tags_b = tuple(found.pop("tags_a")), tuple(found.pop("tags_b"))
    return Conversation(
        **found
        | {
            "turns": msgspec.json.decode(found["turns"], type=tuple[Turn, ...]),
            "sampling": json.loads(found["sampling"]),
            "ballot": None if outcome is None else Ballot(outcome, tags_a, tags_b, comment),
        }
    )
