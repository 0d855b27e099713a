"""Reads from the store: what is already answered, and what tables and pages show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import msgspec

from harness.errors import HarnessError
from harness.items.schema import Item
from harness.store.database import connect, is_kept_busy, require
from harness.store.pruned import rows_of
from harness.store.write import ingest, pending

# A parameter's list of keys as a table. An Arrow table would do as well, but DuckDB imports pandas
# to see what it is.
_GIVEN = "(SELECT unnest($keys::VARCHAR[]) AS key)"


@dataclass(frozen=True)
class StoredAnswer:
    """A generation that is already in the store, by its content key."""

    key: str
    text: str
    finish_reason: str
    likelihoods: tuple[tuple[float, int], ...]
    engine: str
    scored: bool  # under the protocol that was asked about


@dataclass(frozen=True)
class EvaluationRow:
    """One evaluation with the checkpoint it measured."""

    id: str
    checkpoint: str
    fingerprint: str
    run: str | None
    step: int | None
    tokens_seen: int | None
    parameters: int | None
    suite: str
    protocol: str
    protocol_hash: str
    items_hash: str
    items: int
    samples: int
    seed: int
    engine: str | None
    state: str
    planned: int
    done: int
    failed: int
    failures: dict[str, int]
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class ItemScore:
    """The mean of one metric over an item's scored samples within one evaluation."""

    evaluation: str
    item_hash: str
    genre: str
    skill: str
    level: int | None
    seen: bool | None
    cluster: str
    dataset: str
    metric: str
    value: float
    samples: int = 1


@dataclass(frozen=True)
class ScorableAnswer:
    """A stored generation as a protocol needs it to score it again."""

    key: str
    item_hash: str
    sample: int
    turn: int
    kind: Literal["answer", "choice"]
    text: str
    finish_reason: str
    likelihoods: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class FormatAnswer:
    """An answer with its scores; extracted, normalised and lenient where its protocol reads more
    than the raw text (lenient is None without an answer)."""

    item_hash: str
    kind: Literal["answer", "choice"]
    text: str
    extracted: str | None
    normalised: str | None
    lenient: str | None
    finish_reason: str
    scores: dict[str, float]
    failure: str | None


@dataclass(frozen=True)
class AnswerRow:
    """One stored answer with its item and scores, as `harness show` prints it.

    question   the user's messages up to this turn
    judgments  what judges said of it: judge, repeat, rating, failure, text
    """

    item: str
    genre: str
    skill: str
    level: int | None
    question: str
    gold: str
    text: str
    finish_reason: str
    error: str | None
    sample: int
    scores: dict[str, float]
    failure: str | None
    completion_tokens: int
    turn: int = 0
    key: str = ""
    judgments: tuple[dict[str, Any], ...] = ()


_EVALUATIONS = """
SELECT e.id, c.name, e.fingerprint, c.run, c.step, c.tokens_seen, c.parameters, e.suite, p.id,
       e.protocol_hash, e.items_hash, e.items, e.samples, e.seed, e.engine, e.state, e.planned,
       e.done, e.failed, e.failures, e.started_at, e.finished_at
FROM evaluations e
JOIN checkpoints c USING (fingerprint)
JOIN protocols p ON p.hash = e.protocol_hash
"""


def refresh(path: Path) -> None:
    """Brings in what other processes have spooled, before a read; not while the store is locked for
    long, for then it can be read but not written."""
    require(path)
    if pending(path) and not is_kept_busy(path):
        ingest(path)


def answered(
    path: Path, fingerprint: str, keys: Sequence[str], protocol_hash: str
) -> dict[str, StoredAnswer]:
    """A checkpoint's stored answers among `keys`; errors do not count, they are owed again."""
    if not keys:
        return {}
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT g.key, g.text, g.finish_reason, g.likelihoods, g.engine, "
            "EXISTS (FROM scores s WHERE s.key = g.key AND s.protocol_hash = $protocol "
            "AND s.fingerprint = $of) "
            f"FROM generations g SEMI JOIN {_GIVEN} USING (key) "
            "WHERE g.fingerprint = $of AND g.finish_reason <> 'error'",
            {"of": fingerprint, "protocol": protocol_hash, "keys": list(keys)},
        ).fetchall()
    return {
        key: StoredAnswer(
            key, text, reason, tuple((p, n) for p, n in json.loads(likelihoods)), engine, scored
        )
        for key, text, reason, likelihoods, engine, scored in rows
    }


def counts(
    path: Path, evaluation: str, protocol_hash: str | None = None
) -> tuple[int, int, dict[str, int]]:
    """(done, failed, failures by class) of an evaluation, counted from its rows; failures under a
    protocol hash that is not yet the evaluation's own, if given."""
    # Under another hash the evaluation may not be there yet, and so its checkpoint not known.
    scores = rows_of("scores") if protocol_hash is None else "scores"
    with connect(path, read_only=True) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (g.finish_reason <> 'error'), "
            "count(*) FILTER (g.finish_reason = 'error') "
            f"FROM requests r JOIN {rows_of('generations')} g USING (key) "
            "WHERE r.evaluation IN (SELECT unnest($ids))",
            {"ids": [evaluation]},
        ).fetchone()
        classes = connection.execute(
            "SELECT s.failure, count(*) FROM requests r "
            "LEFT JOIN evaluations e ON e.id = r.evaluation "
            f"JOIN {scores} s ON s.key = r.key "
            "AND s.protocol_hash = coalesce($protocol, e.protocol_hash) "
            "WHERE r.evaluation IN (SELECT unnest($ids)) AND s.failure IS NOT NULL "
            "GROUP BY 1 ORDER BY 2 DESC, 1",
            {"ids": [evaluation], "protocol": protocol_hash},
        ).fetchall()
    done, failed = row if row is not None else (0, 0)
    return int(done), int(failed), {name: int(number) for name, number in classes}


def evaluations(path: Path, where: str = "true", values: Iterable[Any] = ()) -> list[EvaluationRow]:
    """Evaluations, oldest first."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"{_EVALUATIONS} WHERE {where} ORDER BY e.started_at, e.id", list(values)
        ).fetchall()
    return [EvaluationRow(*[*row[:19], json.loads(row[19]), *row[20:]]) for row in rows]


def find_evaluation(path: Path, name: str, suite: str | None = None) -> EvaluationRow:
    """The evaluation whose id begins with `name`, or the latest of a checkpoint of that name, of
    one suite if given.

    Raises HarnessError where nothing or more than one id matches, listing what there is.
    """
    by_id = evaluations(path, "starts_with(e.id, ?)", [name])
    if len(by_id) == 1:
        return by_id[0]
    if len(by_id) > 1:
        ids = ", ".join(row.id[:12] for row in by_id)
        raise HarnessError(f"{name!r} begins several evaluation ids ({ids}); give more of it")
    by_checkpoint = [
        row
        for row in evaluations(path, "c.name = ? OR e.fingerprint = ?", [name, name])
        if suite is None or row.suite == suite
    ]
    if by_checkpoint:
        return by_checkpoint[-1]
    known = evaluations(path)
    if not known:
        raise HarnessError(f"{path}: no evaluations yet; `harness eval CHECKPOINT` makes one")
    shown = ", ".join(f"{row.id[:8]} ({row.checkpoint}, {row.suite})" for row in known[-8:])
    raise HarnessError(f"no evaluation or checkpoint named {name!r}; the latest are {shown}")


def item_scores(path: Path, ids: Sequence[str]) -> list[ItemScore]:
    """Mean over samples of every metric, by evaluation and item."""
    if not ids:
        return []
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT r.evaluation, r.item_hash, i.genre, i.skill, i.level, i.seen, "
            "coalesce(i.cluster, i.hash), coalesce(i.dataset, ''), "
            "s.metric, avg(s.value), count(*) "
            "FROM requests r JOIN evaluations e ON e.id = r.evaluation "
            "JOIN items i ON i.hash = r.item_hash "
            f"JOIN {rows_of('scores')} s ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids)) GROUP BY ALL ORDER BY ALL",
            {"ids": list(ids)},
        ).fetchall()
    return [ItemScore(*row) for row in rows]


def answers(path: Path, evaluation: str) -> list[AnswerRow]:
    """Every answer of an evaluation with its item, in item order."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.id, i.genre, i.skill, i.level, i.definition, g.text, g.finish_reason, "
            "g.error, r.sample, list(s.metric) FILTER (s.metric IS NOT NULL), "
            "list(s.value) FILTER (s.metric IS NOT NULL), max(s.failure), "
            "g.completion_tokens, r.turn, g.key "
            "FROM requests r JOIN evaluations e ON e.id = r.evaluation "
            "JOIN items i ON i.hash = r.item_hash "
            f"JOIN {rows_of('generations')} g ON g.key = r.key "
            f"LEFT JOIN {rows_of('scores')} s "
            "ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids)) AND r.kind = 'answer' "
            "GROUP BY ALL ORDER BY i.genre, i.id, r.turn, r.sample",
            {"ids": [evaluation]},
        ).fetchall()
    found = []
    for row in rows:
        definition = json.loads(row[4])
        found.append(
            AnswerRow(
                item=row[0],
                genre=row[1],
                skill=row[2],
                level=row[3],
                question="\n".join(definition["turns"][: row[13] + 1]),
                gold=definition["answer"],
                text=row[5],
                finish_reason=row[6],
                error=row[7],
                sample=row[8],
                scores=dict(zip(row[9] or (), row[10] or (), strict=True)),
                failure=row[11],
                completion_tokens=row[12],
                turn=row[13],
                key=row[14],
            )
        )
    return found


def format_answers(path: Path, evaluation: str) -> list[FormatAnswer]:
    """Every answer and label choice of an evaluation with its scores and what it was taken for."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            # Scores are brought together first: the larger join of all of them takes far longer.
            "WITH asked AS (SELECT r.*, i.id, e.protocol_hash FROM requests r "
            "JOIN evaluations e ON e.id = r.evaluation JOIN items i ON i.hash = r.item_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids))), "
            "scored AS (SELECT s.key, map_from_entries(list((s.metric, s.value))) AS scores, "
            f"max(s.failure) AS failure FROM asked a JOIN {rows_of('scores')} s "
            "ON s.key = a.key AND s.protocol_hash = a.protocol_hash GROUP BY s.key) "
            "SELECT a.item_hash, a.kind, g.text, x.extracted, x.normalised, x.lenient, "
            "g.finish_reason, s.scores, s.failure FROM asked a JOIN scored s USING (key) "
            f"JOIN {rows_of('generations')} g USING (key) LEFT JOIN {rows_of('readings')} x "
            "ON x.key = a.key AND x.protocol_hash = a.protocol_hash "
            "ORDER BY a.id, a.kind, a.sample, a.key",
            {"ids": [evaluation]},
        ).fetchall()
    return [FormatAnswer(*row) for row in rows]


def protocol_definition(path: Path, protocol_hash: str) -> dict[str, Any]:
    """What a protocol's hash was made of."""
    with connect(path, read_only=True) as connection:
        row = connection.execute(
            "SELECT definition FROM protocols WHERE hash = ?", [protocol_hash]
        ).fetchone()
    if row is None:
        raise HarnessError(f"{path}: no protocol {protocol_hash[:12]} in this store")
    definition: dict[str, Any] = json.loads(row[0])
    return definition


def items_of(path: Path, evaluation: str) -> dict[str, Item]:
    """The items of an evaluation by hash, as they were asked."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT hash, definition FROM items WHERE hash IN "
            "(SELECT item_hash FROM requests WHERE evaluation = ?) ORDER BY id",
            [evaluation],
        ).fetchall()
    return {key: msgspec.json.decode(text, type=Item) for key, text in rows}


def stored_answers(path: Path, evaluation: str) -> list[ScorableAnswer]:
    """Every generation of an evaluation, errors among them."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT r.key, r.item_hash, r.sample, r.turn, r.kind, g.text, g.finish_reason, "
            f"g.likelihoods FROM requests r JOIN {rows_of('generations')} g USING (key) "
            "WHERE r.evaluation IN (SELECT unnest($ids)) ORDER BY ALL",
            {"ids": [evaluation]},
        ).fetchall()
    return [
        ScorableAnswer(
            key, item, sample, turn, kind, text, reason, tuple((p, n) for p, n in json.loads(pairs))
        )
        for key, item, sample, turn, kind, text, reason, pairs in rows
    ]


def scores_of(path: Path, evaluation: str) -> dict[tuple[str, str], tuple[float, str | None]]:
    """(value, failure) by (key, metric) under the evaluation's own protocol."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT s.key, s.metric, s.value, s.failure FROM requests r "
            "JOIN evaluations e ON e.id = r.evaluation "
            f"JOIN {rows_of('scores')} s ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "WHERE r.evaluation IN (SELECT unnest($ids))",
            {"ids": [evaluation]},
        ).fetchall()
    return {(key, metric): (value, failure) for key, metric, value, failure in rows}


def imported(path: Path, name: str) -> tuple[Path, str] | None:
    """Directory and content hash of what was imported under a name, or None."""
    refresh(path)
    with connect(path, read_only=True) as connection:
        row = connection.execute("SELECT path, hash FROM imports WHERE name = ?", [name]).fetchone()
    return None if row is None else (Path(row[0]), row[1])


def summary(path: Path) -> dict[str, int]:
    """Row counts by table, for `harness` alone and `harness doctor`."""
    tables = ("checkpoints", "protocols", "items", "evaluations", "generations", "scores")
    with connect(path, read_only=True) as connection:
        return {table: _count(connection, table) for table in tables}


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def scores_by_key(
    path: Path, fingerprint: str, keys: Sequence[str], protocol_hash: str
) -> dict[str, dict[str, float]]:
    """Scores of a checkpoint's answers under a protocol, by key and metric."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT key, metric, value FROM scores SEMI JOIN {_GIVEN} USING (key) "
            "WHERE fingerprint = $of AND protocol_hash = $protocol",
            {"of": fingerprint, "protocol": protocol_hash, "keys": list(keys)},
        ).fetchall()
    found: dict[str, dict[str, float]] = {}
    for key, metric, value in rows:
        found.setdefault(key, {})[metric] = value
    return found
