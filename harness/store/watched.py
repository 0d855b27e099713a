"""The state of `harness watch`: which checkpoints were judged, on what, and who has been told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from harness.store.database import connect
from harness.store.pruned import rows_of
from harness.store.queries import refresh

WatchVerdict = Literal["first", "good", "inconclusive", "regressed"]
# In the evidence of a verdict whose checkpoint the run no longer goes through: where it went back
# to. It is compared with nothing any more, and still counts among the run's comparisons.
ROLLED_BACK = "rolled_back_to"


@dataclass(frozen=True)
class Watched:
    """One judged checkpoint.

    number     comparisons that the run had made before it
    is_anchor  whether every item has all samples
    evidence   plain values: `evaluations` by suite, `regressions` in effect (ids), and what the
               verdict rests on
    """

    run: str
    step: int
    fingerprint: str
    policy_hash: str
    checkpoint: str
    number: int
    verdict: WatchVerdict
    is_anchor: bool
    evidence: dict[str, Any]
    judged_at: datetime
    notified_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether the run still goes through this checkpoint."""
        return ROLLED_BACK not in self.evidence


@dataclass(frozen=True)
class SampleScores:
    """The score of one item within an evaluation: its first sample, and the mean of the others.

    Either is None where there is none; `others` counts what `fresh` is a mean of.
    """

    cluster: str
    first: float | None
    fresh: float | None
    others: int

    @property
    def mean(self) -> float | None:
        """Over all samples."""
        if self.first is None or self.fresh is None:
            return self.fresh if self.first is None else self.first
        return (self.first + self.fresh * self.others) / (1 + self.others)


def watched(path: Path, run: str, policy_hash: str) -> list[Watched]:
    """The judged checkpoints of a run under a policy, in the order of judging."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT run, step, fingerprint, policy_hash, checkpoint, number, verdict, is_anchor, "
            "evidence, judged_at, notified_at FROM watched WHERE run = ? AND policy_hash = ? "
            "ORDER BY judged_at, step",
            [run, policy_hash],
        ).fetchall()
    names = [one.name for one in fields(Watched)]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [Watched(**row | {"evidence": json.loads(row["evidence"])}) for row in found]


def add_watched(path: Path, one: Watched) -> None:
    """Records a verdict; one that another process recorded first stays."""
    with connect(path) as connection:
        connection.execute(
            "INSERT INTO watched VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                one.run,
                one.step,
                one.fingerprint,
                one.policy_hash,
                one.checkpoint,
                one.number,
                one.verdict,
                one.is_anchor,
                json.dumps(one.evidence, ensure_ascii=False, allow_nan=False),
                one.judged_at,
                one.notified_at,
            ],
        )


def mark_told(path: Path, one: Watched) -> None:
    """Records that nobody need be told of a verdict any more."""
    _update(path, one, "notified_at = ?", datetime.now(UTC))


def mark_rolled_back(
    path: Path, run: str, fingerprints: Sequence[str], step: int, branch: str
) -> None:
    """Records that a run was taken back to `step`: verdicts on these checkpoints after it, under
    any policy, no longer stand, what they broke is mended, and the checkpoints are of a run of
    their own, RUN/BRANCH."""
    away = [run, step, list(fingerprints)]
    where = "WHERE run = ? AND step > ? AND list_contains(?, fingerprint)"
    refresh(path)
    with connect(path) as connection:
        connection.execute("BEGIN")
        connection.execute(
            f"UPDATE watched SET evidence = json_merge_patch(evidence, ?) {where}",
            [json.dumps({ROLLED_BACK: step}), *away],
        )
        connection.execute(
            "UPDATE regressions SET status = 'fixed', fixed_at_step = ?, updated_at = ? "
            "WHERE run = ? AND step > ? AND status = 'open' AND candidate IN "
            "(SELECT id FROM evaluations WHERE list_contains(?, fingerprint))",
            [step, datetime.now(UTC), *away],
        )
        connection.execute(
            "UPDATE checkpoints SET run = run || '/' || $branch, "
            "name = run || '/' || $branch || '/' || regexp_extract(name, '[^/]*$') "
            "WHERE run = $run AND step > $step AND list_contains($fingerprints, fingerprint)",
            {"branch": branch, "run": run, "step": step, "fingerprints": list(fingerprints)},
        )
        connection.execute("COMMIT")


def mark_anchor(path: Path, one: Watched) -> None:
    """Records that every item of a checkpoint has all samples."""
    _update(path, one, "is_anchor = ?", True)


def _update(path: Path, one: Watched, change: str, value: object) -> None:
    with connect(path) as connection:
        connection.execute(
            f"UPDATE watched SET {change} WHERE run = ? AND step = ? AND fingerprint = ? "
            "AND policy_hash = ?",
            [value, one.run, one.step, one.fingerprint, one.policy_hash],
        )


def sample_scores(
    path: Path, evaluations: Sequence[str], metric: str = "strict"
) -> dict[str, dict[tuple[str, str], dict[str, SampleScores]]]:
    """By evaluation and (suite, genre): every item's score under one metric."""
    refresh(path)
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT r.evaluation, e.suite, i.genre, r.item_hash, coalesce(i.cluster, i.hash), "
            "avg(s.value) FILTER (r.sample = 0), avg(s.value) FILTER (r.sample > 0), "
            "count(DISTINCT r.sample) FILTER (r.sample > 0) "
            "FROM requests r JOIN evaluations e ON e.id = r.evaluation "
            "JOIN items i ON i.hash = r.item_hash "
            f"JOIN {rows_of('scores')} s ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids)) AND s.metric = $metric "
            "GROUP BY ALL ORDER BY ALL",
            {"ids": list(evaluations), "metric": metric},
        ).fetchall()
    tables: dict[str, dict[tuple[str, str], dict[str, SampleScores]]] = {}
    for evaluation, suite, genre, item, cluster, first, fresh, others in rows:
        genres = tables.setdefault(evaluation, {})
        genres.setdefault((suite, genre), {})[item] = SampleScores(cluster, first, fresh, others)
    return tables
