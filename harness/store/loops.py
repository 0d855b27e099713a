"""The stages of closed loops: what each took in, what came out, and how long it took."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.store.database import connect, prepare
from harness.store.queries import refresh


@dataclass(frozen=True)
class StageRow:
    """One finished stage of a loop.

    run      that the loop trains
    number   counts from 1 within the run
    round    counts from 1; a round trains one phase
    made     whether the phase was synthesized for gaps; else it was given
    inputs   hashes by name;  outputs: hashes and plain values by name
    seconds  that it took, all attempts but those that were killed
    """

    run: str
    number: int
    round: int
    phase: str
    made: bool
    stage: str
    inputs: dict[str, str]
    outputs: dict[str, Any]
    seconds: float
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))


_NAMES = [one.name for one in fields(StageRow)]


def add_stage(path: Path, row: StageRow) -> None:
    """Records a stage; one that has its number already stays."""
    prepare(path)
    values = [getattr(row, name) for name in _NAMES]
    plain = [
        json.dumps(value, ensure_ascii=False, allow_nan=False) if isinstance(value, dict) else value
        for value in values
    ]
    with connect(path) as connection:
        connection.execute(
            f"INSERT INTO loop_stages VALUES ({', '.join('?' * len(plain))}) "
            "ON CONFLICT DO NOTHING",
            plain,
        )


def loop_stages(path: Path, run: str) -> list[StageRow]:
    """The finished stages of a run's loop, in order; none where it has no loop."""
    refresh(path)
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(_NAMES)} FROM loop_stages WHERE run = ? ORDER BY number", [run]
        ).fetchall()
    found = [dict(zip(_NAMES, row, strict=True)) for row in rows]
    return [
        StageRow(**row | {name: json.loads(row[name]) for name in ("inputs", "outputs")})
        for row in found
    ]
