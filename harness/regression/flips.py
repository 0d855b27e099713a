"""Items whose score changed most between two evaluations, with both answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.regression.compare import SuiteComparison
from harness.regression.pairing import Pair
from harness.statistics.clusters import Labels
from harness.store.database import connect
from harness.store.paired import PairedScores
from harness.store.pruned import rows_of


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
    """An answer up to a turn."""

    text: str
    failure: str | None
    turn: int


def count_flips(compared: SuiteComparison) -> tuple[int, int]:
    """(items whose ranking metric fell, items whose ranking metric rose)."""
    change = _changes(compared.scores, compared.ranking)[1]
    return int((change < 0).sum()), int((change > 0).sum())


def find_flips(
    path: Path, suites: Sequence[SuiteComparison], most: int
) -> tuple[tuple[Flip, ...], ...]:
    """Of each suite at most `most` broken and `most` mended items, the broken first, each by the
    size of its change; items of genres that regressed stand before others of the same size."""
    chosen = [_chosen(one, most) for one in suites]
    hashes = [item for rows in chosen for _, item in rows]
    if not hashes:
        return ((),) * len(suites)
    # Every suite's at once: what takes time at size is to look through the tables.
    items = _items(path, hashes)
    said = _answers(path, [one.pair for one in suites], hashes)
    return tuple(_flips(one, rows, items, said) for one, rows in zip(suites, chosen, strict=True))


def _chosen(compared: SuiteComparison, most: int) -> list[tuple[int, str]]:
    """(row of the scores, item's hash) of the items to show."""
    scores, metric = compared.scores, compared.ranking
    rows, change = _changes(scores, metric)
    regressed = _regressed(compared)
    suspect = np.isin(
        scores.genre.codes[rows],
        [code for code, name in enumerate(scores.genre.labels) if name in regressed],
    )
    # Ties are broken by the items' hashes: rows have no order of their own.
    item = np.array([scores.item.labels[code] for code in scores.item.codes[rows]], dtype=str)
    order = np.lexsort((item, ~suspect, -np.abs(change)))
    shown = np.concatenate([order[change[order] < 0][:most], order[change[order] > 0][:most]])
    return list(zip(rows[shown].tolist(), item[shown].tolist(), strict=True))


def _regressed(compared: SuiteComparison) -> set[str]:
    return {one.measured.genre for one in compared.verdicts if one.verdict == "regressed"}


def _flips(
    compared: SuiteComparison,
    chosen: Sequence[tuple[int, str]],
    items: Mapping[str, tuple[str, dict[str, Any]]],
    said: Mapping[tuple[str, str], _Said],
) -> tuple[Flip, ...]:
    scores, regressed = compared.scores, _regressed(compared)
    base, cand = compared.pair.base, compared.pair.cand
    found = []
    for row, item in chosen:
        name, definition = items[item]
        before = said.get((base.id, item), _Said("", None, 0))
        after = said.get((cand.id, item), _Said("", None, 0))
        found.append(
            Flip(
                suite=compared.pair.suite,
                item=name,
                genre=scores.genre.labels[scores.genre.codes[row]],
                dataset=scores.dataset.labels[scores.dataset.codes[row]],
                metric=compared.ranking,
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
    return tuple(
        sorted(
            found,
            key=lambda flip: (
                not flip.is_broken,
                -abs(flip.change),
                flip.genre not in regressed,
                flip.item,
            ),
        )
    )


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


def _answers(
    path: Path, pairs: Sequence[Pair], hashes: Sequence[str]
) -> dict[tuple[str, str], _Said]:
    """The first sample's answers of some items by (evaluation, item), turns joined by an empty
    line. One scan of each table: none of them has an index."""
    protocols = {
        row.id: pair.cand.protocol_hash for pair in pairs for row in (pair.base, pair.cand)
    }
    with connect(path, read_only=True) as connection:
        asked = connection.execute(
            "SELECT evaluation, item_hash, turn, sample, key FROM requests WHERE kind = 'answer' "
            "AND evaluation IN (SELECT unnest(?)) AND item_hash IN (SELECT unnest(?))",
            [list(protocols), list(hashes)],
        ).fetchall()
        of = {"ids": list(protocols), "keys": [row[-1] for row in asked]}
        texts = connection.execute(
            f"SELECT key, text, length(prompt) FROM {rows_of('generations')} "
            "WHERE key IN (SELECT unnest($keys))",
            of,
        ).fetchall()
        failures = connection.execute(
            f"SELECT key, protocol_hash, max(failure) FROM {rows_of('scores')} "
            "WHERE failure IS NOT NULL AND key IN (SELECT unnest($keys)) GROUP BY ALL",
            of,
        ).fetchall()
    said = {key: (length, text) for key, text, length in texts}
    why = {(key, protocol): failure for key, protocol, failure in failures}
    found: dict[tuple[str, str], _Said] = {}
    # Where an item was asked in several forms (shots), the shortest one on both sides.
    order = sorted(asked, key=lambda row: (*row[:4], said.get(row[4], (0, ""))[0], row[4]))
    for evaluation, item, turn, _, key in order:
        before = found.get((evaluation, item), _Said("", None, -1))
        if turn == before.turn or key not in said:
            continue
        text = f"{before.text}\n\n{said[key][1]}" if before.turn >= 0 else said[key][1]
        found[evaluation, item] = _Said(
            text, why.get((key, protocols[evaluation]), before.failure), turn
        )
    return found
