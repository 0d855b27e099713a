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
from pathlib import Path
from typing import Any

from harness.arena.exchange import from_record, is_record
from harness.arena.layouts import Row, read_row
from harness.arena.types import Battle, battle_fault
from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object, raise_faults, read_bytes
from harness.items.schema import content_hash


@dataclass(frozen=True)
class Log:
    """The battles of a file or folder, and how many rows held none (a judge's verdict that could
    not be read, a chat without a vote)."""

    battles: tuple[Battle, ...]
    left_out: int


def read_log(path: Path, name: str | None = None, questions: Path | None = None) -> Log:
    """Battles of kind import:NAME from a file, or from every .csv, .json and .jsonl file below a
    folder. Our own, as `harness arena export` wrote them, keep kind and id unless a name is given.

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
        for place, rows in _rows(file, content, faults, kind if name else None):
            if not rows:
                left_out += 1
            for row in rows:
                made = (
                    row
                    if isinstance(row, Battle)
                    else _battle(row, kind, source, len(battles), seen, genres)
                )
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
    row: Row,
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
    identity = content_hash([content, seen[content]])
    return Battle(
        id=identity,
        kind=kind,
        model_a=row.model_a,
        model_b=row.model_b,
        outcome=row.outcome,
        prompt=row.prompt or identity,
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


def _rows(
    file: Path, content: bytes, faults: list[str], kind: str | None
) -> Iterator[tuple[str, tuple[Row | Battle, ...]]]:
    """(place, what it says) of every row; faults are noted and left out. kind: of our own
    battles, where they are to have another."""
    for place, record in _records(file, content, faults):
        try:
            if is_record(record):
                yield place, (from_record(record, kind),)
            else:
                yield place, read_row(record)
        except (LineError, ValueError) as error:
            faults.append(f"{place}: {error}")
        except (TypeError, AttributeError, LookupError, OverflowError) as error:
            faults.append(f"{place}: a field is not what this layout has there ({error})")


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
        content_hash(document)  # cannot encode half of a surrogate pair, written as an escape
    except (ValueError, RecursionError):
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
