"""Reads logs of battles that others kept: FastChat, LMSYS, llmfao, Rakuda, CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.arena.types import Battle, Order, Outcome, Style, battle_fault, outcome_of
from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object, raise_faults, read_bytes
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
class Log:
    """The battles of a file or folder, and how many rows held none (a judge's verdict that could
    not be read, a chat without a vote)."""

    battles: tuple[Battle, ...]
    left_out: int


@dataclass(frozen=True)
class _Row:
    """What one row of a log says; several where it holds both orders of a comparison."""

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


def read_log(path: Path, name: str | None = None, questions: Path | None = None) -> Log:
    """Battles of kind import:NAME from a file, or from every .csv, .json and .jsonl file below a
    folder.

    name       by default the file's or folder's name
    questions  JSONL of {question_id or id, category, genre or type}: the genres of prompts

    The layout is known by its fields:
      FastChat, LMSYS   model_a, model_b, winner (battles); models, type (the server's events);
                        model_1, model_2, g1_winner, g2_winner (judgments in both orders)
      llmfao            left, right, winner, prompt, worker
      Rakuda            {"matches": [{model1_id, model2_id, question_id, score}]}
      CSV               model_a, model_b, winner or outcome; prompt, genre, session, latency,
                        time, order, weight where there are such columns

    Raises HarnessError with `file:line: cause, fix` for every faulty row; unknown outcomes and
    unknown layouts among them.
    """
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.suffix in (".csv", ".json", ".jsonl"))
        if not files:
            raise HarnessError(f"{path}: no .csv, .json or .jsonl file in it, expected battle logs")
    else:
        files = [path]
    kind = f"import:{_name(name or path.stem)}"
    genres = _genres(questions)
    faults: list[str] = []
    battles: list[Battle] = []
    seen: Counter[str] = Counter()
    left_out = 0
    for file in files:
        content = read_bytes(file)
        source = hashlib.sha256(content).hexdigest()
        for place, rows in _rows(file, content, faults):
            if not rows:
                left_out += 1
            for row in rows:
                made = _battle(row, kind, source, len(battles), seen, genres)
                if fault := battle_fault(made):
                    faults.append(f"{place}: {fault}")
                else:
                    battles.append(made)
    raise_faults(faults)
    if not battles:
        raise HarnessError(f"{path}: no battles in it ({left_out} rows without a vote or verdict)")
    return Log(tuple(battles), left_out)


def _name(name: str) -> str:
    cleaned = re.sub(r"[\s:]+", "-", name.strip())
    if not cleaned:
        raise HarnessError("the name of an import is empty; give one with --name")
    return cleaned


def _battle(
    row: _Row,
    kind: str,
    source: str,
    sequence: int,
    seen: Counter[str],
    genres: Mapping[str, str],
) -> Battle:
    # Equal rows of one log are as many battles, told apart by how often they came before: a log
    # that grew gives its old rows their old ids.
    time = None if row.time is None else row.time.isoformat()
    met = (row.model_a, row.model_b, row.outcome, row.prompt, row.order, row.match)
    content = content_hash([kind, *met, row.session, row.latency, time])
    seen[content] += 1
    return Battle(
        id=content_hash([content, seen[content]]),
        kind=kind,
        model_a=row.model_a,
        model_b=row.model_b,
        outcome=row.outcome,
        prompt=row.prompt,
        source=source,
        sequence=sequence,
        genre=row.genre or genres.get(row.prompt, ""),
        match=None if row.match is None else content_hash([kind, row.match]),
        order=row.order,
        session=row.session,
        latency=row.latency,
        time=row.time,
        weight=row.weight,
        style_a=row.style_a,
        style_b=row.style_b,
    )


def _rows(file: Path, content: bytes, faults: list[str]) -> Iterator[tuple[str, tuple[_Row, ...]]]:
    """(place, what it says) of every row; faults are noted and left out."""
    for place, record in _records(file, content, faults):
        try:
            yield place, _read(record)
        except (LineError, ValueError) as error:
            faults.append(f"{place}: {error}")


def _records(file: Path, content: bytes, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    if file.suffix == ".csv":
        yield from _csv(file, content, faults)
        return
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    document = _document(lines, content)
    if document is not None:
        what, entries = document
        for number, entry in enumerate(entries, start=1):
            if isinstance(entry, dict):
                yield f"{file}: {what} {number}", entry
            else:
                faults.append(f"{file}: {what} {number}: expected an object")
        return
    for number, line in lines:
        place = f"{file}:{number}"
        try:
            yield place, json_object(decode(line, number))
        except LineError as error:
            faults.append(f"{place}: {error}")


def _document(lines: list[tuple[int, bytes]], content: bytes) -> tuple[str, list[Any]] | None:
    """The rows of a file that is one JSON document (a list of battles, or Rakuda's matches);
    None for a file of lines."""
    if not lines or lines[0][1].lstrip()[:1] not in (b"[", b"{"):
        return None
    if lines[0][1].strip() not in (b"[", b"{") and len(lines) > 1:
        return None
    try:
        document = json.loads(content)
    except ValueError:
        return None
    if isinstance(document, list):
        return "battle", document
    if isinstance(document, dict) and isinstance(document.get("matches"), list):
        return "match", document["matches"]
    return None


def _csv(file: Path, content: bytes, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        faults.append(f"{file}:{line}: not UTF-8, expected UTF-8 text; convert the file")
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                faults.append(
                    f"{file}:{reader.line_num}: {len(reader.fieldnames or ())} columns in the "
                    "heading and another number here, expected as many"
                )
            else:
                yield f"{file}:{reader.line_num}", dict(row)
    except csv.Error as error:
        faults.append(f"{file}:{reader.line_num}: broken CSV: {error}")


def _read(record: dict[str, Any]) -> tuple[_Row, ...]:
    """What a row says, by the layout that its fields tell; nothing where it has no verdict."""
    if "g1_winner" in record:
        return _judged(record)
    if "model1_id" in record:
        return _rakuda(record)
    if "type" in record and "models" in record:
        return _event(record)
    if "left" in record and "winner" in record:
        return (
            _Row(
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


def _plain(record: dict[str, Any]) -> _Row:
    winner = _optional(record, "winner") or _optional(record, "outcome")
    if winner is None:
        raise LineError("no `winner`, expected model_a, model_b, tie or tie (bothbad)")
    order = _optional(record, "order") or "a"
    if order not in ("a", "b", "none"):
        raise LineError(f"`order` is {order!r}, expected a, b or none")
    metadata = record.get("conv_metadata")
    time = record.get("tstamp") or record.get("time")
    return _Row(
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


def _judged(record: dict[str, Any]) -> tuple[_Row, ...]:
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
                _Row(
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


def _rakuda(record: dict[str, Any]) -> tuple[_Row, ...]:
    score = record.get("score")
    if score == _UNREADABLE:
        return ()
    if score not in _RAKUDA:
        raise LineError(f"`score` is {score!r}, expected 1, 2, 3 (tie) or -1 (unreadable)")
    models = _text(record, "model1_id"), _text(record, "model2_id")
    return (_Row(*models, _RAKUDA[score], _text(record, "question_id"), "a"),)


def _event(record: dict[str, Any]) -> tuple[_Row, ...]:
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
        _Row(
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
    """The key of what was asked: an id, else the text; without either the battle stands alone."""
    for field in ("question_id", "prompt", "prompt_id", "question"):
        if (value := record.get(field)) not in (None, ""):
            return str(value)
    for field in ("conversation_a", "conv_a"):
        if isinstance(turns := record.get(field), list):
            return content_hash(
                [turn.get("content") for turn in turns if turn.get("role") == "user"]
            )
    return content_hash(record)


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
        return float(value)
    except (TypeError, ValueError):
        raise LineError(f"`{field}` is {value!r}, expected a number") from None


def _genres(questions: Path | None) -> dict[str, str]:
    """Genre by the key of a prompt."""
    if questions is None:
        return {}
    faults: list[str] = []
    found: dict[str, str] = {}
    for place, record in _records(questions, read_bytes(questions), faults):
        key = next((record[name] for name in ("question_id", "id") if name in record), None)
        genre = next(
            (record[name] for name in ("category", "genre", "type") if name in record), None
        )
        if key is None or genre is None:
            faults.append(f"{place}: expected question_id or id, and category, genre or type")
        else:
            found[str(key)] = str(genre)
    raise_faults(faults)
    return found
