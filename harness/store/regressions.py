"""The regressions table: what broke, on what evidence, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from harness.errors import HarnessError
from harness.items.schema import content_hash
from harness.store.columns import COLUMNS
from harness.store.database import connect
from harness.store.queries import refresh
from harness.store.write import ingest, spool

Status = Literal["open", "acknowledged", "fixed"]

_COLUMNS = ", ".join(COLUMNS["regressions"])


@dataclass(frozen=True)
class Regression:
    """One metric that regressed between two evaluations.

    baseline, candidate  evaluation ids; of several pooled baselines the last
    run, step, baseline_step  of the checkpoints, as far as lineage states them
    genre, dataset   "all" where the metric is a mean over them
    evidence         plain values: change, low, high, p, n, test, ... of the comparison
    policy           as it was applied, with its hash
    cause            what lineage says changed in between, most suspect first
    status           open; acknowledged by a person; fixed at a later step
    """

    baseline: str
    candidate: str
    protocol_hash: str
    suite: str
    genre: str
    dataset: str
    metric: str
    evidence: dict[str, Any]
    policy: dict[str, Any]
    policy_hash: str
    cause: list[dict[str, Any]] = field(default_factory=list)
    run: str | None = None
    baseline_step: int | None = None
    step: int | None = None
    status: Status = "open"
    fixed_at_step: int | None = None
    note: str | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def id(self) -> str:
        """The same finding under the same policy is the same row, however often it is made."""
        return content_hash(
            [
                self.baseline,
                self.candidate,
                self.suite,
                self.genre,
                self.dataset,
                self.metric,
                self.policy_hash,
            ]
        )

    @property
    def place(self) -> str:
        """What regressed, as tables and policies name it."""
        return f"{self.genre}/{self.dataset}/{self.metric}"


def record(path: Path, found: Sequence[Regression]) -> None:
    """Stores regressions; one that is stored already keeps its status and its note.

    Raises HarnessError as `spool` and `ingest` do; once spooled, they are safe.
    """
    spool(path, {"regressions": [_row(one) for one in found]})
    ingest(path)


def regressions(
    path: Path,
    *,
    status: Sequence[Status] = get_args(Status),
    run: str | None = None,
    where: str = "true",
    values: Iterable[Any] = (),
) -> list[Regression]:
    """Stored regressions, latest first.

    status  only of these
    run     only of this run's checkpoints
    """
    refresh(path)
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM regressions WHERE list_contains(?, status) "
            f"AND (? IS NULL OR run = ?) AND ({where}) "
            "ORDER BY created_at DESC, suite, genre, dataset, metric",
            [list(status), run, run, *values],
        ).fetchall()
    return [_regression(row) for row in rows]


def rolled_back_regressions(path: Path, run: str) -> list[Regression]:
    """What broke at checkpoints that a run was taken back from, and which are no longer its own
    (`watched.mark_rolled_back`), by step; the first of each suite, genre, dataset and metric and of
    each rollback. `fixed_at_step` is the step that it was taken back to."""
    refresh(path)
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (c.run, r.suite, r.genre, r.dataset, r.metric) "
            f"{', '.join(f'r.{name}' for name in COLUMNS['regressions'])} FROM regressions r "
            "JOIN evaluations e ON e.id = r.candidate JOIN checkpoints c USING (fingerprint) "
            "WHERE r.run = ? AND starts_with(c.run, r.run || '/') "
            "ORDER BY c.run, r.suite, r.genre, r.dataset, r.metric, r.step",
            [run],
        ).fetchall()
    found = [_regression(row) for row in rows]
    return sorted(found, key=lambda one: (one.step or 0, one.suite, one.genre, one.metric))


def find_regression(path: Path, beginning: str) -> Regression:
    """The regression whose id begins so. Raises HarnessError where none or several do."""
    found = regressions(path, where="starts_with(id, ?)", values=[beginning])
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.id[:12] for one in found)
        raise HarnessError(f"{beginning!r} begins several regressions ({ids}); give more of it")
    raise HarnessError(
        f"{path}: no regression whose id begins {beginning!r}; `harness regressions --open` lists "
        "them"
    )


def set_status(
    path: Path,
    ids: Sequence[str],
    status: Status,
    *,
    fixed_at_step: int | None = None,
    note: str | None = None,
) -> None:
    """Moves regressions, by whole id, to another status; a note given replaces the old one.

    Raises HarnessError where another process keeps the store locked.
    """
    if not ids:
        return
    refresh(path)
    with connect(path) as connection:
        connection.execute(
            "UPDATE regressions SET status = ?, fixed_at_step = ?, note = coalesce(?, note), "
            "updated_at = ? WHERE list_contains(?, id)",
            [status, fixed_at_step, note, datetime.now(UTC), list(ids)],
        )


def _row(one: Regression) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in COLUMNS["regressions"]}
    packed = {name: _json(plain[name]) for name in ("evidence", "policy", "cause")}
    return plain | packed


def _regression(row: Sequence[Any]) -> Regression:
    plain = dict(zip(COLUMNS["regressions"], row, strict=True))
    del plain["id"]
    for name in ("evidence", "policy", "cause"):
        plain[name] = json.loads(plain[name])
    return Regression(**plain)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
