"""Turns stored scores into standings: one board a protocol and item set, one row a run or model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.items.schema import (
    GENRES,
    INSTRUCTION_GENRE,
    JASTER_ASIDE,
    JASTER_CATEGORIES,
    PROBE_GENRES,
)
from harness.statistics.means import Estimate, cluster_mean, mean_of_means
from harness.statistics.passk import mean_pass_at_k
from harness.store.queries import EvaluationRow, ItemScore, evaluations, item_scores

# The name of a board's total: the unweighted mean over genres of the ranking metric, a genre of
# several datasets being the unweighted mean of theirs (`docs/leaderboard.md`).
GENRE_MEAN = "genre-mean"
# The metric that ranks; the others are shown beside it.
STRICT = "strict"
_GENRE_ORDER = (*GENRES, "format", INSTRUCTION_GENRE, *JASTER_CATEGORIES, *JASTER_ASIDE)
# Shown beside it; the other metrics of a protocol have their own reports.
_SHOWN = (STRICT, "format", "lenient", "choice", "choice_raw")


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


@dataclass(frozen=True)
class Standing:
    """A row of a board: a run's last checkpoint, or a model by itself.

    rank        1 + number of rows whose interval lies wholly above this one's
    trajectory  (step, score) over the run's checkpoints, by step
    before      the checkpoint before it in its run, if there is one on the board
    """

    rank: int
    name: str
    measured: Measured
    trajectory: tuple[tuple[int, float], ...]
    before: EvaluationRow | None = None

    @property
    def evaluation(self) -> EvaluationRow:
        return self.measured.evaluation

    def genre(self, name: str) -> float | None:
        found = self.measured.genres.get(name)
        return None if found is None else found.mean

    def to_dict(self) -> dict[str, Any]:
        evaluation = self.measured.evaluation
        return {
            "suite": evaluation.suite,
            "protocol": evaluation.protocol,
            "rank": self.rank,
            "name": self.name,
            "checkpoint": evaluation.checkpoint,
            "step": evaluation.step,
            "aggregate": GENRE_MEAN,
            "score": self.measured.score.mean,
            "low": self.measured.score.low,
            "high": self.measured.score.high,
            "genres": {name: one.mean for name, one in self.measured.genres.items()},
            "datasets": {
                f"{genre}/{name}": one.mean for (genre, name), one in self.measured.datasets.items()
            },
            "metrics": {name: one.mean for name, one in self.measured.metrics.items()},
            "templates": {name: one.mean for name, one in self.measured.templates.items()},
            "levels": {str(level): one.mean for level, one in self.measured.levels.items()},
            "pass_at": {str(k): asdict(one) for k, one in self.measured.pass_at.items()},
            "items": evaluation.items,
            "samples": evaluation.samples,
            "done": evaluation.done,
            "failed": evaluation.failed,
            "state": evaluation.state,
            "trajectory": [list(point) for point in self.trajectory],
            "missing": list(self.measured.missing),
            **({"llmjp_average": self.measured.llmjp_average} if self.measured.missing else {}),
            "evaluation": evaluation.id,
            "fingerprint": evaluation.fingerprint,
            "protocol_hash": evaluation.protocol_hash,
            "items_hash": evaluation.items_hash,
        }


@dataclass(frozen=True)
class Board:
    """Standings that may be compared: equal protocol hash, item set and samples.

    hidden  rows that are not shown; ranks count them
    """

    suite: str
    protocol: str
    protocol_hash: str
    items: int
    samples: int
    standings: tuple[Standing, ...]
    genres: tuple[str, ...]
    hidden: int = 0


def boards(
    path: Path,
    *,
    suites: Sequence[str] = (),
    every_checkpoint: bool = False,
    all_item_sets: bool = False,
) -> tuple[list[Board], int]:
    """The boards of a store, and how many groups of evaluations were left out because another
    item set or protocol version of their suite is more recent.

    suites            only these; all when empty
    every_checkpoint  a row for each checkpoint instead of each run's last
    all_item_sets     boards for older protocol hashes and item sets too
    """
    groups: dict[tuple[str, str, str, int], list[EvaluationRow]] = defaultdict(list)
    # Ratings have boards of their own, one a judge.
    strict = "coalesce(p.definition->>'protocol', '') <> 'mt-bench'"
    for row in evaluations(path, strict):
        if not suites or row.suite in suites:
            groups[(row.suite, row.protocol_hash, row.items_hash, row.samples)].append(row)
    latest = {key[0]: key for key in sorted(groups, key=lambda key: groups[key][-1].started_at)}
    chosen = list(groups) if all_item_sets else list(latest.values())
    made = []
    for key in sorted(chosen):
        measured = measure(path, groups[key])
        if measured:
            made.append(_board(measured, every_checkpoint))
    return made, len(groups) - len(chosen)


def measure(path: Path, rows: Sequence[EvaluationRow]) -> list[Measured]:
    """Scores of evaluations; those without a single scored answer are left out."""
    scores: dict[str, list[ItemScore]] = defaultdict(list)
    for score in item_scores(path, [row.id for row in rows]):
        scores[score.evaluation].append(score)
    return [
        _measured(row, scores[row.id])
        for row in rows
        if any(score.metric == STRICT for score in scores[row.id])
    ]


def _measured(row: EvaluationRow, scores: Sequence[ItemScore]) -> Measured:
    metrics = {
        name: _total(_by_genre([one for one in scores if one.metric == name]))
        for name in sorted({score.metric for score in scores}.intersection(_SHOWN))
    }
    strict = [score for score in scores if score.metric == STRICT]
    genres = _by_genre(strict)
    by_template = defaultdict(list)
    by_level = defaultdict(list)
    for score in strict:
        if score.seen is not None:
            by_template["seen" if score.seen else "unseen"].append(score)
        if score.level is not None:
            by_level[score.level].append(score)
    return Measured(
        row,
        _total(genres),
        genres,
        metrics,
        {name: _total(_by_genre(part)) for name, part in by_template.items()},
        {level: _estimate(by_level[level]) for level in sorted(by_level)},
        _missing(genres),
        _pass_at(strict, row.samples),
        _by_dataset(strict),
    )


def _pass_at(strict: Sequence[ItemScore], samples: int) -> dict[int, Estimate]:
    """pass@k for 1, the powers of ten and the number of samples; nothing for a single sample or
    for graded scores. Items of which fewer than k samples could be scored are left out of k."""
    counts = [(one.samples, round(one.value * one.samples), one) for one in strict]
    graded = any(abs(one.value * n - c) > 1e-6 for n, c, one in counts)
    if samples == 1 or graded or any(n > samples for n, _, _ in counts):  # Of several turns.
        return {}
    found = {}
    for k in sorted({1, 10, 100, samples} & set(range(1, samples + 1))):
        enough = [(n, c, one.cluster) for n, c, one in counts if n >= k]
        if enough:
            numbers = [(n, c) for n, c, _ in enough]
            found[k] = mean_pass_at_k(numbers, k, [cluster for _, _, cluster in enough])
    return found


def _total(genres: dict[str, Estimate]) -> Estimate:
    """The unweighted mean over genres; categories that stand aside count only among themselves."""
    counted = [one for genre, one in genres.items() if genre not in JASTER_ASIDE]
    return mean_of_means(counted or list(genres.values()))


def _missing(genres: dict[str, Estimate]) -> tuple[str, ...]:
    if not any(category in genres for category in JASTER_CATEGORIES):
        return ()
    return tuple(category for category in JASTER_CATEGORIES if category not in genres)


def _by_genre(scores: Sequence[ItemScore]) -> dict[str, Estimate]:
    """Means by genre; where a genre has several datasets, the unweighted mean of theirs."""
    parts: dict[str, dict[str, list[ItemScore]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        parts[score.genre][score.dataset].append(score)
    return {
        genre: mean_of_means([_estimate(part) for part in parts[genre].values()])
        for genre in _GENRE_ORDER
        if genre in parts
    }


def _by_dataset(scores: Sequence[ItemScore]) -> dict[tuple[str, str], Estimate]:
    parts: dict[tuple[str, str], list[ItemScore]] = defaultdict(list)
    for score in scores:
        if score.dataset:
            parts[score.genre, score.dataset].append(score)
    order = {genre: place for place, genre in enumerate(_GENRE_ORDER)}
    return {
        key: _estimate(parts[key])
        for key in sorted(parts, key=lambda key: (order.get(key[0], len(order)), key[1]))
    }


def _estimate(scores: Sequence[ItemScore]) -> Estimate:
    return cluster_mean([one.value for one in scores], [one.cluster for one in scores])


def _board(measured: Sequence[Measured], every_checkpoint: bool) -> Board:
    # An evaluation of unequal seeds may stand twice for one checkpoint: the later one counts.
    current = {one.evaluation.fingerprint: one for one in measured}
    runs: dict[str, list[Measured]] = defaultdict(list)
    for one in current.values():
        row = one.evaluation
        is_part_of_run = row.run is not None and row.step is not None
        runs[f"run {row.run}" if is_part_of_run else row.fingerprint].append(one)
    rows: list[tuple[Measured, tuple[tuple[int, float], ...], EvaluationRow | None]] = []
    for members in runs.values():
        members.sort(key=lambda one: one.evaluation.step or 0)
        path = tuple(
            (one.evaluation.step, one.score.mean)
            for one in members
            if one.evaluation.step is not None
        )
        before = [None, *(one.evaluation for one in members[:-1])]
        pairs = list(zip(members, before, strict=True))
        rows += [(one, path, last) for one, last in (pairs if every_checkpoint else pairs[-1:])]
    rows.sort(key=lambda row: (-row[0].score.mean, row[0].evaluation.checkpoint))
    standings = tuple(
        Standing(
            1 + sum(other.score.low > one.score.high for other, _, _ in rows),
            one.evaluation.checkpoint,
            one,
            path,
            last,
        )
        for one, path, last in rows
    )
    first = measured[0].evaluation
    present = {genre for one in measured for genre in one.genres}
    order = PROBE_GENRES if "format" in present else GENRES
    genres = tuple(genre for genre in dict.fromkeys((*order, *_GENRE_ORDER)) if genre in present)
    return Board(
        first.suite,
        first.protocol,
        first.protocol_hash,
        first.items,
        first.samples,
        standings,
        genres,
    )
