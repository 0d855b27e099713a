"""Retention: which evaluations nothing rests on any more, and the removal of all that is theirs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb

from harness.items.schema import content_hash
from harness.store.database import connect, roll_back
from harness.store.write import take_in

# Rows that belong to evaluations and go with them, and what names no evaluation.
_THEIRS = ("requests", "generations", "scores", "readings", "judged", "judgments", "derived")
_FACTS = ("evaluations", "checkpoints", "protocols", "items", "imports", "ingested", "revisions")
# What a row of a table is called that names an evaluation. A table that is not here counts as
# well: whatever names an evaluation rests on it.
_RESTS = {
    "regressions": "a verdict",
    "watched": "a watched checkpoint",
    "round_gains": "a round's gain",
    "synthesis_rounds": "a round of synthesis",
    "paired": "battles that a judge decided",
    "battles": "battles",
    "conversations": "votes",
}
# Rows that name a checkpoint without resting on what was measured of it.
_OF_MODELS = ("watched", "conversations", "battles", "regressions", "paired", "round_gains")
# The state of an evaluation whose checkpoint was replaced meanwhile: it will not be complete.
_VOID = "void"
# Beginnings of ids as reports print them.
_SHORTEST = 12
_NAMES = re.compile(rf"\b[0-9a-f]{{{_SHORTEST},64}}\b")


@dataclass(frozen=True)
class Policy:
    """Which evaluations may go: those that every given condition holds for.

    before     finished before this instant
    runs       of runs or checkpoints whose name fits one of these patterns
    keep_last  of a run, but not of its last so many checkpoints
    """

    before: datetime | None = None
    runs: tuple[str, ...] = ()
    keep_last: int | None = None


@dataclass(frozen=True)
class Subject:
    """An evaluation as retention sees it; `at` is when it finished, else began."""

    id: str
    checkpoint: str
    fingerprint: str
    run: str | None
    step: int | None
    suite: str
    state: str
    at: datetime


@dataclass(frozen=True)
class Plan:
    """What goes and what stays of the evaluations that a policy names.

    kept  with what rests on each, in words
    rows  that go, by table;  text: bytes of their prompts, answers and replies, as written
    """

    removed: tuple[Subject, ...]
    kept: tuple[tuple[Subject, tuple[str, ...]], ...]
    rows: Mapping[str, int]
    text: int


def plan(path: Path, policy: Policy, files: Sequence[Path] = ()) -> Plan:
    """What `prune` would do now; nothing is changed.

    files  texts (baselines, reports, anything): what evaluations they name is kept
    """
    with connect(path) as connection:
        take_in(connection, path)
        connection.execute("BEGIN")
        try:
            return _remove(connection, policy, files)
        finally:
            roll_back(connection)


def prune(path: Path, policy: Policy, files: Sequence[Path] = ()) -> Plan:
    """Removes in one transaction what a policy names and nothing rests on; says what it did.

    A kill leaves all of it or none. Answers, scores and judgments that an evaluation which stays
    shares are kept; checkpoints, protocols and items always are.
    """
    with connect(path) as connection:
        # Under one lock: what a spooled verdict rests on is seen before anything goes.
        take_in(connection, path)
        connection.execute("BEGIN")
        found = _remove(connection, policy, files)
        connection.execute("COMMIT")
    return found


def named_in(text: str, ids: Iterable[str]) -> set[str]:
    """The ids that stand in a text, whole or by their first 12 characters."""
    found = {match[:_SHORTEST] for match in _NAMES.findall(text)}
    return {one for one in ids if one[:_SHORTEST] in found}


def _remove(connection: duckdb.DuckDBPyConnection, policy: Policy, files: Sequence[Path]) -> Plan:
    subjects = _subjects(connection)
    named = _named(subjects, policy)
    reasons = _reasons(connection, subjects, files)
    gone = [one for one in named if not reasons[one.id]]
    kept = tuple((one, tuple(sorted(reasons[one.id]))) for one in named if reasons[one.id])
    rows, text = _delete(connection, [one.id for one in gone])
    return Plan(tuple(gone), kept, rows, text)


def _subjects(connection: duckdb.DuckDBPyConnection) -> list[Subject]:
    rows = connection.execute(
        "SELECT e.id, c.name, e.fingerprint, c.run, c.step, e.suite, e.state, "
        "coalesce(e.finished_at, e.started_at) FROM evaluations e "
        "JOIN checkpoints c USING (fingerprint) ORDER BY e.started_at, e.id"
    ).fetchall()
    return [Subject(*row) for row in rows]


def _named(subjects: Sequence[Subject], policy: Policy) -> list[Subject]:
    last: dict[str, set[int]] = {}
    if policy.keep_last is not None:
        # What was replaced before it was measured is no checkpoint of its run any more.
        steps: dict[str, set[int]] = defaultdict(set)
        for one in subjects:
            if one.run is not None and one.step is not None and one.state != _VOID:
                steps[one.run].add(one.step)
        last = {run: set(sorted(found)[-policy.keep_last :]) for run, found in steps.items()}

    def fits(one: Subject) -> bool:
        if policy.before is not None and one.at >= policy.before:
            return False
        names = [name for name in (one.run, one.checkpoint) if name is not None]
        if policy.runs and not any(
            fnmatchcase(name, pattern) for name in names for pattern in policy.runs
        ):
            return False
        if policy.keep_last is None:
            return True
        if one.run not in last or one.step is None:
            return False
        return one.state == _VOID or one.step not in last[one.run]

    return [one for one in subjects if fits(one)]


def _reasons(
    connection: duckdb.DuckDBPyConnection, subjects: Sequence[Subject], files: Sequence[Path]
) -> dict[str, set[str]]:
    """What rests on each evaluation, in words, by its id."""
    reasons: dict[str, set[str]] = {one.id: set() for one in subjects}
    for table, column in _columns_that_may_name(connection):
        what = _RESTS.get(table, f"a row of {table}")
        # A checkpoint's fingerprint in a round says that its evaluations were what was planned on.
        also = "" if table in _OF_MODELS else "OR e.fingerprint = m.id"
        rows = connection.execute(
            "SELECT DISTINCT e.id FROM evaluations e JOIN (SELECT DISTINCT "
            f"unnest(regexp_extract_all(CAST(\"{column}\" AS VARCHAR), '[0-9a-f]{{64}}')) AS id "
            f'FROM "{table}") m ON e.id = m.id {also}'
        ).fetchall()
        for (one,) in rows:
            reasons[one].add(what)
    for one in _in_verified_battles(connection, subjects):
        reasons[one].add("battles")
    for subject in subjects:
        if subject.state not in ("complete", _VOID):
            reasons[subject.id].add("not complete: repeat its command")
    for file in files:
        for one in named_in(file.read_text(encoding="utf-8", errors="replace"), reasons):
            reasons[one].add(str(file))
    return reasons


def _columns_that_may_name(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE NOT internal AND schema_name = 'main' AND NOT list_contains(?, table_name) "
        "AND (data_type = 'JSON' OR contains(data_type, 'VARCHAR')) ORDER BY ALL",
        [[*_THEIRS, *_FACTS]],
    ).fetchall()
    return [(table, column) for table, column in rows]


def _in_verified_battles(
    connection: duckdb.DuckDBPyConnection, subjects: Sequence[Subject]
) -> set[str]:
    """Evaluations that battles were played between: the source of such battles is the hash of the
    two evaluations' ids."""
    played = connection.execute(
        "SELECT DISTINCT source, model_a, model_b FROM battles WHERE kind = 'verifier'"
    ).fetchall()
    by_name: dict[str, list[str]] = defaultdict(list)
    for one in subjects:
        by_name[one.checkpoint].append(one.id)
    found: set[str] = set()
    for source, first, second in played:
        for a in by_name[first]:
            for b in by_name[second]:
                if content_hash(sorted([a, b])) == source:
                    found |= {a, b}
    return found


def _delete(
    connection: duckdb.DuckDBPyConnection, ids: Sequence[str]
) -> tuple[dict[str, int], int]:
    """Deletes evaluations with what only they have; (rows by table, bytes of text)."""
    if not ids:
        return {}, 0
    run = connection.execute
    run("CREATE OR REPLACE TEMP TABLE gone AS SELECT unnest(?) AS id", [list(ids)])
    # What an evaluation that stays asks for, under its own protocol, stays with it.
    run(
        "CREATE OR REPLACE TEMP TABLE asked AS "
        "SELECT r.key, e.protocol_hash, bool_and(r.evaluation IN (FROM gone)) AS goes "
        "FROM requests r JOIN evaluations e ON e.id = r.evaluation "
        "WHERE r.key IN (SELECT key FROM requests WHERE evaluation IN (FROM gone)) GROUP BY ALL"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE alone AS "
        "SELECT key FROM asked GROUP BY key HAVING bool_and(goes)"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE replies AS "
        "SELECT key FROM judged GROUP BY key HAVING bool_and(evaluation IN (FROM gone)) "
        "EXCEPT SELECT key FROM paired"
    )
    text = connection.execute(
        "SELECT (SELECT coalesce(sum(strlen(prompt) + strlen(text) + strlen(sampling) + "
        "strlen(likelihoods)), 0) FROM generations SEMI JOIN alone USING (key)) + "
        "(SELECT coalesce(sum(strlen(messages) + strlen(text)), 0) FROM judgments "
        "SEMI JOIN replies USING (key))"
    ).fetchone()
    conditions = {
        "generations": "key IN (FROM alone)",
        "scores": "key IN (FROM alone) OR (key, protocol_hash) IN "
        "(SELECT (key, protocol_hash) FROM asked WHERE goes)",
        "readings": "key IN (FROM alone) OR (key, protocol_hash) IN "
        "(SELECT (key, protocol_hash) FROM asked WHERE goes)",
        "judgments": "key IN (FROM replies)",
        "judged": "evaluation IN (FROM gone)",
        "derived": "evaluation IN (FROM gone)",
        "requests": "evaluation IN (FROM gone)",
        "evaluations": "id IN (FROM gone)",
    }
    rows: Counter[str] = Counter()
    for table, condition in conditions.items():
        counted = run(f"DELETE FROM {table} WHERE {condition}").fetchone()
        rows[table] = int(counted[0]) if counted else 0
    return dict(rows), int(text[0]) if text else 0
