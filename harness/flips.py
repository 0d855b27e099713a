"""Items whose score changed most between two evaluations, with both answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.regression import SuiteComparison
from harness.statistics.clusters import Labels
from harness.store.database import connect
from harness.store.paired import PairedScores


@dataclass(frozen=True)
class Flip:
    """One item whose ranking metric changed: broken where it fell, mended where it rose.

    base, cand  item means;  base_answer, cand_answer: the first sample's answers, turn after turn
    base_failure, cand_failure  why that answer is not fully right, if it is not
    """

    suite: str
    item: str
    genre: str
    dataset: str
    metric: str
    question: str
    gold: str
    base: float
    cand: float
    base_answer: str
    cand_answer: str
    base_failure: str | None
    cand_failure: str | None

    @property
    def change(self) -> float:
        return self.cand - self.base

    @property
    def is_broken(self) -> bool:
        return self.change < 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"change": self.change}


@dataclass(frozen=True)
class Unpaired:
    """Ids of items that the ranking metric has on one side only; the pairing leaves them out."""

    only_base: tuple[str, ...]
    only_cand: tuple[str, ...]


@dataclass(frozen=True)
class _Said:
    text: str
    failure: str | None


def count_flips(compared: SuiteComparison) -> tuple[int, int]:
    """(items whose ranking metric fell, items whose ranking metric rose)."""
    change = _changes(compared.scores, compared.ranking)[1]
    return int((change < 0).sum()), int((change > 0).sum())


def find_flips(path: Path, compared: SuiteComparison, most: int) -> list[Flip]:
    """At most `most` broken and `most` mended items of a suite, the broken first, each by the size
    of its change; items of genres that regressed stand before others of the same size."""
    scores, metric = compared.scores, compared.ranking
    rows, change = _changes(scores, metric)
    regressed = {one.measured.genre for one in compared.verdicts if one.verdict == "regressed"} - {
        "all"
    }
    suspect = np.isin(
        scores.genre.codes[rows],
        [code for code, name in enumerate(scores.genre.labels) if name in regressed],
    )
    order = np.lexsort((scores.item.codes[rows], ~suspect, -np.abs(change)))
    chosen = np.concatenate([order[change[order] < 0][:most], order[change[order] > 0][:most]])
    hashes = [scores.item.labels[code] for code in scores.item.codes[rows[chosen]]]
    if not hashes:
        return []
    base, cand = compared.pair.base, compared.pair.cand
    items = _items(path, hashes)
    said = {row.id: _answers(path, row.id, hashes) for row in (base, cand)}
    found = []
    for row, item in zip(rows[chosen], hashes, strict=True):
        name, definition = items[item]
        before = said[base.id].get(item, _Said("", None))
        after = said[cand.id].get(item, _Said("", None))
        found.append(
            Flip(
                suite=compared.pair.suite,
                item=name,
                genre=scores.genre.labels[scores.genre.codes[row]],
                dataset=scores.dataset.labels[scores.dataset.codes[row]],
                metric=metric,
                question="\n".join(definition["turns"]),
                gold=definition["answer"],
                base=float(scores.base[row]),
                cand=float(scores.cand[row]),
                base_answer=before.text,
                cand_answer=after.text,
                base_failure=before.failure,
                cand_failure=after.failure,
            )
        )
    return found


def find_unpaired(path: Path, compared: SuiteComparison) -> Unpaired:
    """The items that only one side has a score for, by the ranking metric."""
    scores = compared.scores
    rows = _of_metric(scores, compared.ranking)
    has_base, has_cand = np.isfinite(scores.base[rows]), np.isfinite(scores.cand[rows])
    sides = [
        [scores.item.labels[code] for code in scores.item.codes[rows[where]]]
        for where in (has_base & ~has_cand, has_cand & ~has_base)
    ]
    names = _items(path, [*sides[0], *sides[1]]) if any(sides) else {}
    return Unpaired(*(tuple(sorted(names[item][0] for item in side)) for side in sides))


def _of_metric(scores: PairedScores, metric: str) -> Labels:
    if metric not in scores.metric.labels:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(scores.metric.codes == scores.metric.labels.index(metric))


def _changes(scores: PairedScores, metric: str) -> tuple[Labels, np.ndarray]:
    """(rows of the paired items that changed, their changes)."""
    rows = _of_metric(scores, metric)
    change = scores.cand[rows] - scores.base[rows]
    moved = np.abs(np.nan_to_num(change)) > 1e-12
    return rows[moved], change[moved]


def _items(path: Path, hashes: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """(id, definition) by hash."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT hash, id, definition FROM items WHERE hash IN (SELECT unnest(?))",
            [list(hashes)],
        ).fetchall()
    return {key: (name, json.loads(definition)) for key, name, definition in rows}


def _answers(path: Path, evaluation: str, hashes: Sequence[str]) -> dict[str, _Said]:
    """The first sample's answers of some items, turns joined by an empty line."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "WITH asked AS (SELECT r.key, r.item_hash, r.sample, r.turn, e.protocol_hash "
            "FROM requests r JOIN evaluations e ON e.id = r.evaluation WHERE r.evaluation = ? "
            "AND r.kind = 'answer' AND r.item_hash IN (SELECT unnest(?))), "
            # Where an item was asked in several forms (shots), the shortest one on both sides.
            "said AS (SELECT a.*, g.text FROM generations g JOIN asked a USING (key) "
            "QUALIFY row_number() OVER (PARTITION BY a.item_hash, a.turn "
            "ORDER BY a.sample, length(g.prompt), a.key) = 1) "
            "SELECT item_hash, any_value(text), max(s.failure) FROM said LEFT JOIN scores s "
            "ON s.key = said.key AND s.protocol_hash = said.protocol_hash "
            "GROUP BY item_hash, turn, said.key ORDER BY item_hash, turn",
            [evaluation, list(hashes)],
        ).fetchall()
    found: dict[str, _Said] = {}
    for item, text, failure in rows:
        before = found.get(item)
        joined = text if before is None else f"{before.text}\n\n{text}"
        found[item] = _Said(joined, failure or (before.failure if before else None))
    return found
