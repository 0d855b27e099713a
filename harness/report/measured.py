"""What one evaluation scored: estimates over all, by genre, dataset, level and template."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.items.schema import (
    GENRES,
    INSTRUCTION_GENRE,
    JASTER_ASIDE,
    JASTER_CATEGORIES,
)
from harness.statistics.clusters import Labels
from harness.statistics.means import Estimate, cluster_mean, mean_of_means
from harness.statistics.passk import mean_pass_at_k
from harness.store.derived import is_worth_keeping, recall, remember, revisions
from harness.store.item_tables import ItemTable, item_tables
from harness.store.queries import EvaluationRow

# The metric that ranks; the others are shown beside it.
STRICT = "strict"
GENRE_ORDER = (*GENRES, "format", INSTRUCTION_GENRE, *JASTER_CATEGORIES, *JASTER_ASIDE)
# Shown beside it; the other metrics of a protocol have their own reports.
_SHOWN = (STRICT, "format", "lenient", "choice", "choice_raw")
# Of how the estimates are computed: one more makes the store forget those it has kept.
_VERSION = 1
# Evaluations whose scores are read at once.
_TOGETHER = 32


@dataclass(frozen=True)
class Measured:
    """One evaluation's scores, all in [0, 1].

    score   unweighted mean of the genre means of the strict metric, with its interval
    genres  the strict metric by genre
    metrics every metric's mean over genres (format, lenient, choice, ...)
    templates  strict score on templates that training may have seen and on those it cannot have
               ("seen", "unseen"); empty for written items
    levels  strict mean by difficulty level
    missing Jaster categories of the average that were not run; the score is over the others
    pass_at strict pass@k over items, unbiased, by k, where there are several samples
    datasets  the strict metric by (genre, dataset), where items belong to datasets
    """

    evaluation: EvaluationRow
    score: Estimate
    genres: dict[str, Estimate]
    metrics: dict[str, Estimate]
    templates: dict[str, Estimate]
    levels: dict[int, Estimate]
    missing: tuple[str, ...] = ()
    pass_at: dict[int, Estimate] = field(default_factory=dict)
    datasets: dict[tuple[str, str], Estimate] = field(default_factory=dict)

    @property
    def llmjp_average(self) -> float:
        """llm-jp-eval's own AVG: a category that was not run counts as 0."""
        ran = [one.mean for name, one in self.genres.items() if name in JASTER_CATEGORIES]
        return sum(ran) / len(JASTER_CATEGORIES)


def measure(path: Path, rows: Sequence[EvaluationRow]) -> list[Measured]:
    """Scores of evaluations; those without a single scored answer are left out.

    Of complete evaluations they are kept in the store until a score changes; the others' scores
    are read, some evaluations at a time.
    """
    changes = revisions(path, [row.id for row in rows])
    keys = {row.id: f"measured/{_VERSION}/{row.id}" for row in rows if row.state == "complete"}
    kept = recall(path, {key: str(changes[name]) for name, key in keys.items()})
    found = {row.id: _unpack(kept[keys[row.id]], row) for row in rows if keys.get(row.id) in kept}
    owed = [row for row in rows if row.id not in found]
    is_large = is_worth_keeping(sum(row.done for row in owed))
    for start in range(0, len(owed), _TOGETHER):
        part = owed[start : start + _TOGETHER]
        tables = item_tables(path, [row.id for row in part])
        fresh = [
            _measured(row, tables[row.id])
            for row in part
            if row.id in tables and STRICT in tables[row.id].metrics
        ]
        found |= {one.evaluation.id: one for one in fresh}
        remember(
            path,
            [
                (keys[row.id], row.id, str(changes[row.id]), _pack(one))
                for one in fresh
                if (row := one.evaluation).id in keys and is_large
            ],
        )
    return [found[row.id] for row in rows if row.id in found]


def _pack(one: Measured) -> str:
    """Everything but the evaluation's row; floats come back as they were, infinite ones too."""

    def pairs(found: Mapping[Any, Estimate]) -> list[Any]:
        return [[key, astuple(estimate)] for key, estimate in found.items()]

    return json.dumps(
        [
            astuple(one.score),
            pairs(one.genres),
            pairs(one.metrics),
            pairs(one.templates),
            pairs(one.levels),
            one.missing,
            pairs(one.pass_at),
            pairs(one.datasets),
        ],
        ensure_ascii=False,
    )


def _unpack(text: str, row: EvaluationRow) -> Measured:
    def by_key(found: list[Any]) -> dict[Any, Estimate]:
        return {
            tuple(key) if isinstance(key, list) else key: Estimate(*values) for key, values in found
        }

    score, genres, metrics, templates, levels, missing, pass_at, datasets = json.loads(text)
    return Measured(
        row,
        Estimate(*score),
        by_key(genres),
        by_key(metrics),
        by_key(templates),
        by_key(levels),
        tuple(missing),
        by_key(pass_at),
        by_key(datasets),
    )


def _measured(row: EvaluationRow, table: ItemTable) -> Measured:
    strict = table.of(STRICT)
    genres = _by_genre(strict)
    return Measured(
        row,
        _total(genres),
        genres,
        {name: _total(_by_genre(table.of(name))) for name in table.metrics if name in _SHOWN},
        {
            name: _total(_by_genre(strict.where(rows)))
            for name, seen in (("seen", 1), ("unseen", 0))
            if (rows := np.flatnonzero(strict.seen == seen)).size
        },
        {
            int(level): _estimate(strict, np.flatnonzero(strict.level == level))
            for level in np.unique(strict.level[np.isfinite(strict.level)])
        },
        _missing(genres),
        _pass_at(strict, row.samples),
        _by_dataset(strict),
    )


def _pass_at(strict: ItemTable, samples: int) -> dict[int, Estimate]:
    """pass@k for 1, the powers of ten and the number of samples; nothing for a single sample or
    for graded scores. Items of which fewer than k samples could be scored are left out of k."""
    right = strict.value * strict.samples
    counts = np.rint(right).astype(np.intp)
    graded = bool((np.abs(right - counts) > 1e-6).any())
    if samples == 1 or graded or (strict.samples > samples).any():  # Of several turns.
        return {}
    found = {}
    for k in sorted({1, 10, 100, samples} & set(range(1, samples + 1))):
        enough = np.flatnonzero(strict.samples >= k)
        if enough.size:
            numbers = zip(strict.samples[enough].tolist(), counts[enough].tolist(), strict=True)
            found[k] = mean_pass_at_k(list(numbers), k, strict.cluster.codes[enough].tolist())
    return found


def _total(genres: dict[str, Estimate]) -> Estimate:
    """The unweighted mean over genres; categories that stand aside count only among themselves."""
    counted = [one for genre, one in genres.items() if genre not in JASTER_ASIDE]
    return mean_of_means(counted or list(genres.values()))


def _missing(genres: dict[str, Estimate]) -> tuple[str, ...]:
    if not any(category in genres for category in JASTER_CATEGORIES):
        return ()
    return tuple(category for category in JASTER_CATEGORIES if category not in genres)


def _by_genre(table: ItemTable) -> dict[str, Estimate]:
    """Means by genre; where a genre has several datasets, the unweighted mean of theirs."""
    parts: dict[str, list[Labels]] = defaultdict(list)
    for genre, _, rows in _datasets(table):
        parts[genre].append(rows)
    return {
        genre: mean_of_means([_estimate(table, rows) for rows in parts[genre]])
        for genre in GENRE_ORDER
        if genre in parts
    }


def _by_dataset(table: ItemTable) -> dict[tuple[str, str], Estimate]:
    parts = {(genre, dataset): rows for genre, dataset, rows in _datasets(table) if dataset}
    order = {genre: place for place, genre in enumerate(GENRE_ORDER)}
    return {
        key: _estimate(table, parts[key])
        for key in sorted(parts, key=lambda key: (order.get(key[0], len(order)), key[1]))
    }


def _datasets(table: ItemTable) -> Iterator[tuple[str, str, Labels]]:
    """(genre, dataset, its rows) of every dataset, in the order of the items."""
    place = table.genre.codes * len(table.dataset.labels) + table.dataset.codes
    for code in dict.fromkeys(place.tolist()):
        genre, dataset = divmod(code, len(table.dataset.labels))
        rows = np.flatnonzero(place == code)
        yield table.genre.labels[genre], table.dataset.labels[dataset], rows


def _estimate(table: ItemTable, rows: Labels) -> Estimate:
    return cluster_mean(table.value[rows], table.cluster.codes[rows])
