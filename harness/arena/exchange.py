"""Battles as lines of JSON, in our own layout: written by one store, read by another, the same."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from harness.arena.conversation import Conversation
from harness.arena.types import Battle, Outcome
from harness.items.jsonl import LineError
from harness.items.schema import content_hash

# Marks a line, and says which version of the layout it is.
MARK = "harness_battle"
VERSION = 1
# As FastChat's logs write them, so that its readers can read ours.
_WINNERS: dict[Outcome, str] = {
    "a": "model_a",
    "b": "model_b",
    "tie": "tie",
    "both_bad": "tie (bothbad)",
}
_OUTCOMES = {label: outcome for outcome, label in _WINNERS.items()}


def to_record(battle: Battle) -> dict[str, Any]:
    """A battle as a JSON object."""
    record = asdict(battle)
    record["winner"] = _WINNERS[record.pop("outcome")]
    record["time"] = None if battle.time is None else battle.time.isoformat()
    return {MARK: VERSION, **{key: value for key, value in record.items() if value is not None}}


def is_record(record: dict[str, Any]) -> bool:
    return MARK in record


def from_record(record: dict[str, Any], kind: str | None = None) -> Battle:
    """The battle that `to_record` wrote. kind: another one to bring it in as; it is another battle
    then, with an id of its own.

    Raises LineError for another version, or fields that are missing or of another type.
    """
    import msgspec

    if record[MARK] != VERSION:
        raise LineError(
            f"`{MARK}` is {record[MARK]!r}, expected {VERSION}; upgrade harness to read a newer one"
        )
    winner = record.get("winner")
    if winner not in _OUTCOMES:
        raise LineError(f"`winner` is {winner!r}, expected one of {', '.join(_OUTCOMES)}")
    rest = {key: value for key, value in record.items() if key not in (MARK, "winner")}
    try:
        battle = msgspec.convert(rest | {"outcome": _OUTCOMES[winner]}, Battle)
    except msgspec.ValidationError as error:
        raise LineError(f"{error} (`$` is the battle)") from None
    if battle.time is not None and battle.time.tzinfo is None:
        raise LineError(f"`time` is {record['time']!r}, expected one with its zone")
    if kind is None:
        return battle
    return replace(battle, kind=kind, id=content_hash([kind, battle.id]))


def conversation_record(held: Conversation) -> dict[str, Any]:
    """A conversation as a JSON object: prompts, answers, vote."""
    record = asdict(held) | {"state": held.state, "latency": held.latency}
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in record.items()
    }
