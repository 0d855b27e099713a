"""Rounds of synthesis in the store: their plans, and what each bought in points."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.items.schema import content_hash
from harness.store.database import connect, prepare
from harness.store.queries import refresh


@dataclass(frozen=True)
class Round:
    """One round of synthesis.

    run    of the student, "" without one;  round: counts from 1 within a run
    plan   as plain values
    """

    run: str
    round: int
    student: str
    fingerprint: str
    target: str
    policy: str
    seed: int
    plan: dict[str, Any]
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def id(self) -> str:
        """The same plan of a run is the same round, however often it is recorded."""
        return content_hash([self.run, self.round, self.plan])


@dataclass(frozen=True)
class RoundGain:
    """What a genre or skill gained over a round.

    skill    "" is the whole genre
    samples  verified samples of it that were trained on
    gain se  the paired change and its clustered error, as shares of the metric's scale
    before, after  evaluations
    """

    round_id: str
    suite: str
    genre: str
    skill: str
    metric: str
    samples: int
    gain: float
    se: float
    items: int
    before: str
    after: str
    recorded_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def add_round(path: Path, one: Round, gains: Sequence[RoundGain] = ()) -> None:
    """Records a round with its gains, in one transaction. A round that is there stays; gains that
    are there are replaced, since a better evaluation may have been made."""
    prepare(path)
    with connect(path) as connection:
        connection.execute("BEGIN")
        row = [one.id, *_values(one)]
        marks = ", ".join("?" * len(row))
        connection.execute(
            f"INSERT INTO synthesis_rounds VALUES ({marks}) ON CONFLICT DO NOTHING", row
        )
        for gain in gains:
            row = _values(gain)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT OR REPLACE INTO round_gains VALUES ({marks})", row)
        connection.execute("COMMIT")


def rounds(path: Path, run: str | None = None) -> list[Round]:
    """Recorded rounds, oldest first; of one run if given."""
    refresh(path)
    names = [one.name for one in fields(Round)]
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(names)} FROM synthesis_rounds "
            "WHERE $run IS NULL OR run = $run ORDER BY made_at, round, id",
            {"run": run},
        ).fetchall()
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [Round(**row | {"plan": json.loads(row["plan"])}) for row in found]


def round_gains(path: Path, run: str | None = None) -> list[RoundGain]:
    """What recorded rounds bought, oldest first; of one run if given."""
    refresh(path)
    names = ", ".join(f"g.{one.name}" for one in fields(RoundGain))
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {names} FROM round_gains g JOIN synthesis_rounds s ON s.id = g.round_id "
            "WHERE $run IS NULL OR s.run = $run ORDER BY s.made_at, s.round, g.suite, g.genre, "
            "g.skill",
            {"run": run},
        ).fetchall()
    return [RoundGain(*row) for row in rows]


def _values(one: Round | RoundGain) -> list[Any]:
    plain = [getattr(one, entry.name) for entry in fields(one)]
    return [
        json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        for value in plain
    ]
