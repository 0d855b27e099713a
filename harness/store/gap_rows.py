"""Reads what lies behind a gap: skills, samples, failures, and items over a run's checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.statistics.clusters import Floats
from harness.store.database import connect
from harness.store.pruned import rows_of

# Texts are read only of these genres: what a number went wrong by is told from the text.
_NUMERIC = ("math", "MR")


@dataclass(frozen=True)
class AskedItem:
    """An item of an evaluation with the scores of its samples; those of failed requests are none.

    samples           scored under the ranking metric;  mean, lowest, highest of their scores
    strict, lenient   means, None where the protocol has no such metric
    """

    hash: str
    genre: str
    dataset: str
    skill: str
    level: int | None
    samples: int
    mean: float | None
    lowest: float | None
    highest: float | None
    strict: float | None
    lenient: float | None


@dataclass(frozen=True)
class FailedAnswer:
    """An answer that is not fully right, and its stored failure class.

    question, gold, text, extracted  of wrong answers (class knowledge) in math, else None;
                                     extracted is what the protocol read in it, where that is stored
    """

    item: str
    failure: str
    question: str | None
    gold: str | None
    text: str | None
    extracted: str | None


def asked_items(path: Path, evaluation: str, metric: str) -> list[AskedItem]:
    """Every item of an evaluation; samples, mean, lowest and highest under `metric`."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.hash, i.genre, coalesce(i.dataset, ''), i.skill, i.level, "
            "count(s.value) FILTER (s.metric = $metric), avg(s.value) FILTER (s.metric = $metric), "
            "min(s.value) FILTER (s.metric = $metric), max(s.value) FILTER (s.metric = $metric), "
            "avg(s.value) FILTER (s.metric = 'strict'), "
            "avg(s.value) FILTER (s.metric = 'lenient') "
            "FROM requests r JOIN evaluations e ON e.id = r.evaluation "
            "JOIN items i ON i.hash = r.item_hash "
            f"LEFT JOIN {rows_of('scores')} s "
            "ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids)) GROUP BY ALL ORDER BY i.hash",
            {"ids": [evaluation], "metric": metric},
        ).fetchall()
    return [AskedItem(*row) for row in rows]


def failed_answers(path: Path, evaluation: str) -> list[FailedAnswer]:
    """The answers of an evaluation that carry a failure class, in no particular order."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "WITH failed AS ("
            "  SELECT r.item_hash, r.key, e.protocol_hash, max(s.failure) AS failure "
            "  FROM requests r JOIN evaluations e ON e.id = r.evaluation "
            f" JOIN {rows_of('scores')} s ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "  WHERE r.evaluation IN (SELECT unnest($ids)) AND r.kind = 'answer' "
            "  AND s.failure IS NOT NULL "
            "  GROUP BY ALL), "
            "wrong AS ("
            "  SELECT f.key, any_value(i.definition->>'$.turns[#-1]') AS question, "
            "  any_value(i.definition->>'$.answer') AS gold, any_value(g.text) AS text, "
            "  any_value(x.extracted) AS extracted "
            "  FROM failed f JOIN items i ON i.hash = f.item_hash "
            f" JOIN {rows_of('generations')} g ON g.key = f.key "
            f" LEFT JOIN {rows_of('readings')} x "
            "  ON x.key = f.key AND x.protocol_hash = f.protocol_hash "
            "  WHERE f.failure = 'knowledge' AND list_contains($genres, i.genre) GROUP BY f.key) "
            "SELECT f.item_hash, f.failure, w.question, w.gold, w.text, w.extracted "
            "FROM failed f LEFT JOIN wrong w USING (key)",
            {"ids": [evaluation], "genres": list(_NUMERIC)},
        ).fetchall()
    return [FailedAnswer(*row) for row in rows]


def item_matrix(
    path: Path, ids: Sequence[str], protocol_hash: str, metric: str
) -> tuple[list[str], Floats]:
    """The items that all of some evaluations have scored, and their means: (hashes, (n, T)) in the
    order of `ids`."""
    with connect(path, read_only=True) as connection:
        table = connection.sql(
            "WITH sides AS (SELECT unnest($ids) AS evaluation, unnest(range(len($ids))) AS side), "
            "means AS (SELECT r.item_hash, d.side, avg(s.value) AS value "
            "  FROM requests r JOIN sides d USING (evaluation) "
            f" JOIN {rows_of('scores')} s ON s.key = r.key AND s.protocol_hash = $protocol "
            "  AND s.metric = $metric GROUP BY ALL) "
            "SELECT item_hash, list(value ORDER BY side) AS series FROM means "
            "GROUP BY item_hash HAVING count(*) = len($ids) ORDER BY item_hash",
            params={"ids": list(ids), "protocol": protocol_hash, "metric": metric},
        ).fetchall()
    matrix = np.array([row[1] for row in table], dtype=np.float64).reshape(len(table), len(ids))
    return [row[0] for row in table], matrix
