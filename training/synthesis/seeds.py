"""What evolution starts from: samples of a file, or generated problems of the training split."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family
from harness.items.probes.generate import training_samples
from harness.items.schema import Item, content_hash


@dataclass(frozen=True)
class Seed:
    """A question to start from; `id` is that of its sample, or the hash of its item."""

    id: str
    question: str


def probe_families(line: Line) -> tuple[Family, ...]:
    """The probe families of a line's skill, or of all its genre where it names none. Raises
    HarnessError where there is none."""
    skill, genre = line.skill, line.genre
    found = tuple(
        one for one in FAMILIES if one.name == skill or (not skill and one.genre == genre)
    )
    if not found:
        raise HarnessError(
            f"plan line {line.genre}/{line.skill}: no probe family has that name; name samples to "
            "start from in its settings"
        )
    return found


def training_item(line: Line, key: int) -> Item:
    """A generated item of a line's skill and level from the training split, by a number."""
    levels = (1, 2, 3, 4, 5) if line.level is None else (line.level,)
    return next(training_samples(probe_families(line), levels, count=1, seed=key))


def seeds_of(path: Path) -> tuple[Seed, ...]:
    """The seeds of a shard (Parquet) or a JSONL file, in file order: the first question of each
    `messages`, or of each `question` or `prompt`.

    Raises HarnessError that names the line of a fault, and for a file without any.
    """
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _load(path, stamp)


@lru_cache(maxsize=4)
def _load(path: Path, stamp: int) -> tuple[Seed, ...]:
    found: list[Seed] = []
    faults: list[str] = []
    for place, row in _rows(path):
        question = None if isinstance(row, str) else _question(row)
        if isinstance(row, str):
            faults.append(f"{place}: {row}")
        elif question is None:
            faults.append(f"{place}: no `messages`, `question` or `prompt`, expected one of them")
        else:
            found.append(Seed(str(row.get("id") or content_hash(question)), question))
    raise_faults(faults)
    if not found:
        raise HarnessError(f"{path}: holds no sample to start from")
    return tuple(found)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows = pq.read_table(path).to_pylist()
        except (OSError, pa.ArrowInvalid) as error:
            raise HarnessError(f"{path}: no Parquet file ({error}); check the path") from None
        for number, row in enumerate(rows):
            yield f"{path}: row {number}", row
        return
    for number, line in numbered_lines(path):
        try:
            yield f"{path}:{number}", json_object(decode(line, number))
        except LineError as fault:
            yield f"{path}:{number}", str(fault)


def _question(row: dict[str, Any]) -> str | None:
    messages = row.get("messages")
    if isinstance(messages, str):
        try:
            messages = json.loads(messages)
        except ValueError:
            return None
    if isinstance(messages, list):
        asked = (one for one in messages if isinstance(one, dict) and one.get("role") == "user")
        texts = [one.get("content") for one in asked]
    else:
        texts = [row.get("question") or row.get("prompt")]
    first = texts[0] if texts else None
    return first if isinstance(first, str) and first.strip() else None
