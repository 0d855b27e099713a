"""Reads judgments: what a judge was asked already, and what it said of an evaluation's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.store.columns import COLUMNS
from harness.store.database import connect
from harness.store.pruned import rows_of


@dataclass(frozen=True)
class KnownJudgment:
    """The latest attempt of a judge call, and why it gave no rating (None: it gave one)."""

    attempt: int
    failure: str | None


def known_judgments(path: Path, judge: str) -> dict[str, KnownJudgment]:
    """What a judge has been asked already, by key of the call."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT key, max(attempt), arg_max(coalesce(failure, ''), attempt) FROM judgments "
            "WHERE judge = ? GROUP BY key",
            [judge],
        ).fetchall()
    return {key: KnownJudgment(attempt, failure or None) for key, attempt, failure in rows}


@dataclass(frozen=True)
class Judged:
    """One judgment of one answer of an evaluation: the latest attempt.

    judge, prompt_set  under what it may be compared
    item, turn, sample, repeat  what was judged, and which judging of it
    value, failure     the rating, or why there is none
    """

    evaluation: str
    answer: str
    judge: str
    prompt_set: str
    item: str
    genre: str
    turn: int
    sample: int
    repeat: int
    value: float | None
    failure: str | None


@dataclass(frozen=True)
class Spent:
    """What the judgments of an evaluation took, failed attempts too; cost None without a price."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


@dataclass(frozen=True)
class AnswerScores:
    """One answer of an evaluation with all its scores."""

    evaluation: str
    answer: str
    item: str
    genre: str
    turn: int
    sample: int
    scores: dict[str, float]


def judgments(path: Path, ids: Sequence[str]) -> list[Judged]:
    """Every judgment of some evaluations."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT j.evaluation, j.answer, j.judge, j.prompt_set, r.item_hash, i.genre, r.turn, "
            "r.sample, j.repeat, arg_max(g.value, g.attempt), "
            "nullif(arg_max(coalesce(g.failure, ''), g.attempt), '') "
            "FROM judged j JOIN requests r ON r.evaluation = j.evaluation AND r.key = j.answer "
            "JOIN items i ON i.hash = r.item_hash JOIN judgments g ON g.key = j.key "
            "WHERE list_contains(?, j.evaluation) GROUP BY ALL ORDER BY ALL",
            [list(ids)],
        ).fetchall()
    return [Judged(*row) for row in rows]


def spent(path: Path, evaluation: str, judge: str, prompt_set: str) -> Spent:
    """Counted once for each judgment, however many answers share it."""
    with connect(path, read_only=True) as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(sum(prompt_tokens), 0), "
            "coalesce(sum(completion_tokens), 0), sum(cost) FROM judgments WHERE key IN "
            "(SELECT key FROM judged WHERE evaluation = ? AND judge = ? AND prompt_set = ?)",
            [evaluation, judge, prompt_set],
        ).fetchone()
    assert row is not None
    return Spent(int(row[0]), int(row[1]), int(row[2]), row[3])


def answer_scores(path: Path, ids: Sequence[str]) -> list[AnswerScores]:
    """Every answer of some evaluations, errors left out, scored or not."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT r.evaluation, r.key, r.item_hash, i.genre, r.turn, r.sample, "
            "list(s.metric) FILTER (s.metric IS NOT NULL), "
            "list(s.value) FILTER (s.metric IS NOT NULL) "
            "FROM requests r JOIN evaluations e ON e.id = r.evaluation "
            "JOIN items i ON i.hash = r.item_hash "
            f"JOIN {rows_of('generations')} g ON g.key = r.key AND g.finish_reason <> 'error' "
            f"LEFT JOIN {rows_of('scores')} s "
            "ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids)) "
            "GROUP BY r.evaluation, r.key, r.item_hash, i.genre, r.turn, r.sample ORDER BY ALL",
            {"ids": list(ids)},
        ).fetchall()
    return [
        AnswerScores(
            evaluation,
            key,
            item,
            genre,
            turn,
            sample,
            dict(zip(names or (), values or (), strict=True)),
        )
        for evaluation, key, item, genre, turn, sample, names, values in rows
    ]


def links_of(path: Path, evaluation: str) -> list[dict[str, Any]]:
    """Rows of `judged`: which judgments belong to an evaluation's answers."""
    names = tuple(COLUMNS["judged"])
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT {', '.join(names)} FROM judged WHERE evaluation = ?", [evaluation]
        ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def said_of(path: Path, evaluation: str) -> dict[str, list[dict[str, Any]]]:
    """What judges said of an evaluation's answers, the latest attempt of each call, by answer."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT d.answer, g.judge, g.repeat, g.value, coalesce(g.failure, g.error), g.text "
            "FROM judged d JOIN judgments g USING (key) WHERE d.evaluation = ? "
            "QUALIFY row_number() OVER (PARTITION BY d.answer, g.key ORDER BY g.attempt DESC) = 1 "
            "ORDER BY d.answer, g.judge, g.repeat",
            [evaluation],
        ).fetchall()
    found: dict[str, list[dict[str, Any]]] = {}
    for answer, judge, repeat, value, failure, text in rows:
        one = {"judge": judge, "repeat": repeat, "rating": value, "failure": failure, "text": text}
        found.setdefault(answer, []).append(one)
    return found


@dataclass(frozen=True)
class Compared:
    """One judgment of two answers, the latest attempt.

    swapped  whether the second evaluation's answer was shown first
    value    1.0: what was shown first is better, 0.5: a tie, 0.0; None with the reason in `failure`
    """

    item: str
    genre: str
    turn: int
    sample: int
    repeat: int
    swapped: bool
    value: float | None
    failure: str | None


def comparisons(path: Path, first: str, second: str, judge: str, prompt_set: str) -> list[Compared]:
    """What a judge said of the answers of two evaluations."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.hash, i.genre, r.turn, r.sample, d.repeat, d.swapped, "
            "arg_max(g.value, g.attempt), "
            "nullif(arg_max(coalesce(g.failure, ''), g.attempt), '') "
            "FROM paired d JOIN requests r ON r.evaluation = d.evaluation_a AND r.key = d.answer_a "
            "JOIN items i ON i.hash = r.item_hash JOIN judgments g ON g.key = d.key "
            "WHERE d.evaluation_a = ? AND d.evaluation_b = ? AND d.judge = ? AND d.prompt_set = ? "
            "GROUP BY i.hash, i.genre, r.turn, r.sample, d.repeat, d.swapped, d.key ORDER BY ALL",
            [first, second, judge, prompt_set],
        ).fetchall()
    return [Compared(*row) for row in rows]


@dataclass(frozen=True)
class CanaryRating:
    """One judging of a frozen answer; repeat: in which run."""

    answer: str
    repeat: int
    value: float | None
    failure: str | None


def canary_ratings(path: Path, evaluation: str, judge: str, prompt_set: str) -> list[CanaryRating]:
    """What a judge said of frozen answers, run after run; `evaluation` is what stands for one."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT d.answer, d.repeat, arg_max(g.value, g.attempt), "
            "nullif(arg_max(coalesce(g.failure, ''), g.attempt), '') "
            "FROM judged d JOIN judgments g USING (key) "
            "WHERE d.evaluation = ? AND d.judge = ? AND d.prompt_set = ? "
            "GROUP BY d.answer, d.repeat ORDER BY ALL",
            [evaluation, judge, prompt_set],
        ).fetchall()
    return [CanaryRating(*row) for row in rows]
