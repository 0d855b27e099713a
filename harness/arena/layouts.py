"""What one row of a battle log says, by the layout that its fields tell."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.arena.types import Order, Outcome, Style, outcome_of
from harness.items.jsonl import LineError
from harness.items.schema import content_hash

# FastChat's web server logs a vote as the event that a button sends.
_VOTES: dict[str, Outcome] = {
    "leftvote": "a",
    "rightvote": "b",
    "tievote": "tie",
    "bothbad_vote": "both_bad",
}
_RAKUDA: dict[Any, Outcome] = {1: "a", 2: "b", 3: "tie"}
_UNREADABLE = -1


@dataclass(frozen=True)
class Row:
    """What a row of a log says of one battle; no prompt: it stands alone."""

    model_a: str
    model_b: str
    outcome: Outcome
    prompt: str
    order: Order = "none"
    genre: str = ""
    match: str | None = None
    session: str | None = None
    latency: float | None = None
    time: datetime | None = None
    weight: float = 1.0
    style_a: Style | None = None
    style_b: Style | None = None


def read_row(record: dict[str, Any]) -> tuple[Row, ...]:
    """What a row says, by the layout that its fields tell; nothing where it has no verdict."""
    if "g1_winner" in record:
        return _judged(record)
    if "model1_id" in record:
        return _rakuda(record)
    if "type" in record and "models" in record:
        return _event(record)
    if "left" in record and "winner" in record:
        return (
            Row(
                _text(record, "left"),
                _text(record, "right"),
                outcome_of(_text(record, "winner")),
                _text(record, "prompt"),
                "a",
                session=_optional(record, "worker"),
            ),
        )
    if "model_a" in record:
        return (_plain(record),)
    raise LineError(
        f"fields {', '.join(list(record)[:8])} are no battle, expected model_a, model_b and "
        "winner, or another layout of `harness arena import --help`"
    )


def _plain(record: dict[str, Any]) -> Row:
    winner = _optional(record, "winner") or _optional(record, "outcome")
    if winner is None:
        raise LineError("no `winner`, expected model_a, model_b, tie or tie (bothbad)")
    order = _optional(record, "order") or "a"
    if order not in ("a", "b", "none"):
        raise LineError(f"`order` is {order!r}, expected a, b or none")
    metadata = record.get("conv_metadata")
    time = record.get("tstamp") or record.get("time")
    return Row(
        _text(record, "model_a"),
        _text(record, "model_b"),
        outcome_of(winner),
        _prompt(record),
        order,  # type: ignore[arg-type]
        genre=_optional(record, "genre") or _optional(record, "category") or "",
        session=_optional(record, "session") or _optional(record, "judge"),
        latency=_number(record, "latency"),
        time=None if time in (None, "") else _time(time),
        weight=_number(record, "weight") or 1.0,
        style_a=_style(metadata, "a") if isinstance(metadata, dict) else None,
        style_b=_style(metadata, "b") if isinstance(metadata, dict) else None,
    )


def _judged(record: dict[str, Any]) -> tuple[Row, ...]:
    """Both orders of one comparison; g1 has model_1 first. An order that the judge left without a
    verdict ("error") is left out."""
    first, second = _text(record, "model_1"), _text(record, "model_2")
    prompt = _prompt(record)
    judge = record.get("judge_model") or record.get("judge")
    session = judge if isinstance(judge, str) else json.dumps(judge) if judge else None
    turn = record.get("turn", 1)
    match = content_hash([first, second, prompt, turn, session, record.get("tstamp")])
    time = record.get("tstamp")
    found = []
    orders: tuple[tuple[str, Order], ...] = (("g1_winner", "a"), ("g2_winner", "b"))
    for field, order in orders:
        label = _text(record, field)
        if label != "error":
            found.append(
                Row(
                    first,
                    second,
                    outcome_of(label),
                    prompt,
                    order,
                    match=match,
                    session=session,
                    time=None if time is None else _time(time),
                )
            )
    return tuple(found)


def _rakuda(record: dict[str, Any]) -> tuple[Row, ...]:
    score = record.get("score")
    if score == _UNREADABLE:
        return ()
    if score not in _RAKUDA:
        raise LineError(f"`score` is {score!r}, expected 1, 2, 3 (tie) or -1 (unreadable)")
    models = _text(record, "model1_id"), _text(record, "model2_id")
    return (Row(*models, _RAKUDA[score], _text(record, "question_id"), "a"),)


def _event(record: dict[str, Any]) -> tuple[Row, ...]:
    """A vote of FastChat's server log; chats, flags and the like hold none."""
    outcome = _VOTES.get(str(record["type"]))
    states = record.get("states")
    if outcome is None or not isinstance(states, list) or len(states) != 2:
        return ()
    names = [
        state.get("model_name") or name
        for state, name in zip(states, record["models"], strict=True)
    ]
    texts = [str(message[1]) for message in states[0].get("messages", ())[::2]]
    time = record.get("tstamp")
    return (
        Row(
            str(names[0]),
            str(names[1]),
            outcome,
            content_hash(texts),
            "a",
            session=_optional(record, "ip"),
            time=None if time is None else _time(time),
        ),
    )


def _prompt(record: dict[str, Any]) -> str:
    """The key of what was asked: an id, else the text; empty where the log says neither."""
    for field in ("question_id", "prompt", "prompt_id", "question"):
        if (value := record.get(field)) not in (None, ""):
            return str(value)
    for field in ("conversation_a", "conv_a"):
        if isinstance(turns := record.get(field), list):
            return content_hash(
                [turn.get("content") for turn in turns if turn.get("role") == "user"]
            )
    return ""


def _style(metadata: dict[str, Any], side: str) -> Style | None:
    names = (
        f"sum_assistant_{side}_tokens",
        *(f"{one}_count_{side}" for one in ("header", "list", "bold")),
    )
    values: list[Any] = [metadata.get(name) for name in names]
    if any(value is None for value in values):
        return None
    return Style(*(float(sum(v.values()) if isinstance(v, dict) else v) for v in values))


def _time(value: Any) -> datetime:
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        pass
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise LineError(f"time {value!r}, expected seconds since 1970 or ISO 8601") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, (str, int)) or not str(value).strip():
        raise LineError(f"`{field}` is {value!r}, expected text")
    return str(value)


def _optional(record: dict[str, Any], field: str) -> str | None:
    value = record.get(field)
    return None if value in (None, "") else str(value)


def _number(record: dict[str, Any], field: str) -> float | None:
    value = record.get(field)
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise LineError(f"`{field}` is {str(value)[:40]!r}, expected a number")
    return number
