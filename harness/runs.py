"""A run over its checkpoints: the series of its scores, and what lineage says of each step."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError
from harness.import_scores import read_scores
from harness.items.schema import content_hash
from harness.store.database import connect
from harness.store.queries import EvaluationRow, evaluations, refresh
from harness.store.summaries import Summary, imported_runs, summaries

if TYPE_CHECKING:
    from harness.statistics.clusters import Floats, Labels
    from harness.statistics.series import MetricSeries
    from harness.store.item_tables import ItemTable

# Metrics of which less is better, by their names in lm-eval; where the source tells, it counts.
LOWER = {
    "ppl", "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "loss", "nll",
    "brier_score", "ter", "wer", "cer", "mse", "mae",
}  # fmt: skip
# Measured in factors: a perplexity of 10 that becomes 20 is as bad as one of 100 that becomes 200.
_FACTORS = {"ppl", "perplexity", "word_perplexity", "byte_perplexity"}
# Leanings of a model, of which neither direction is better or worse as such.
_NEITHER = {"pct_stereotype", "likelihood_diff", "likelihood_difference"}


@dataclass(frozen=True)
class Place:
    """What a series measures, in the columns of the regressions table."""

    suite: str
    genre: str
    dataset: str
    metric: str
    protocol_hash: str


@dataclass(frozen=True)
class Stage:
    """What lineage says of the checkpoint at a step; None and () where it says nothing.

    evaluations  (suite, evaluation id) of the checkpoint
    """

    step: int
    mixture: dict[str, float] | None = None
    phase: str | None = None
    learning_rate: float | None = None
    tokens_seen: int | None = None
    evaluations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Run:
    """Everything that `harness regressions` reads of one run.

    source  items: scores of each item, from the store; summaries: means that were imported; file:
            means that are not in the store
    series  turned so that more is better in each
    places  by name of the series
    stages  by step, ascending
    notes   what was left out, one sentence each
    factors  series of logarithms; `shown` undoes it
    """

    name: str
    source: Literal["items", "summaries", "file"]
    series: tuple[MetricSeries, ...]
    places: dict[str, Place]
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()
    factors: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_stored(self) -> bool:
        return self.source != "file"

    def shown(self, metric: str, value: float) -> float:
        """A level of a finding as it was measured."""
        return math.exp(value) if metric in self.factors else value


def open_run(
    name: str,
    store: Path,
    *,
    suites: Sequence[str] = (),
    lower: Iterable[str] = (),
    columns: dict[str, str] | None = None,
) -> Run:
    """The run of a name: a file of scores, else a run of the store with scores of items, else an
    imported one, else a folder of results files.

    suites   only these suites, or tasks of an imported run; all when empty
    lower    further metrics of which less is better
    columns  as in `read_scores`

    Raises HarnessError where there is no such run, naming those there are, or nothing to compare.
    """
    source = Path(name)
    if source.is_file():
        return _read_run(source, suites, lower, columns)
    known: set[str] = set()
    if store.exists():
        refresh(store)
        if evaluated := evaluations(store, "c.run = ? AND c.step IS NOT NULL", [name]):
            run = _item_run(name, store, evaluated, suites)
            if name in imported_runs(store):
                note = "Imported scores of the same name were not read."
                run = replace(run, notes=(*run.notes, note))
            return run
        if rows := summaries(store, name):
            return summary_run(name, rows, suites=suites, lower=lower)
        known = {row.run for row in evaluations(store) if row.run} | set(imported_runs(store))
    if source.is_dir():
        return _read_run(source, suites, lower, columns)
    raise HarnessError(
        f"no run and no file named {name!r}; {store} holds "
        + (", ".join(sorted(known)) if known else "no run yet")
    )


def _read_run(
    source: Path, suites: Sequence[str], lower: Iterable[str], columns: dict[str, str] | None
) -> Run:
    rows, _ = read_scores(source, columns=columns)
    names = sorted({row.run for row in rows})
    if len(names) > 1:
        raise HarnessError(
            f"{source} holds {len(names)} runs ({', '.join(names[:8])}); import it with `harness "
            "import scores` and name one of them"
        )
    return replace(summary_run(names[0], rows, suites=suites, lower=lower), source="file")


def summary_run(
    name: str,
    rows: Sequence[Summary],
    *,
    suites: Sequence[str] = (),
    lower: Iterable[str] = (),
) -> Run:
    """A run of imported means: one series for each task, protocol and metric."""
    from harness.statistics.series import summary_series

    groups: dict[tuple[str, str, str], list[Summary]] = defaultdict(list)
    for row in rows:
        if not suites or row.task in suites:
            groups[row.task, row.protocol, row.metric].append(row)
    protocols: dict[str, set[str]] = defaultdict(set)
    for task, protocol, _ in groups:
        protocols[task].add(protocol)
    less = LOWER | set(lower)
    series: list[MetricSeries] = []
    places: dict[str, Place] = {}
    factors, aside, short = set(), set(), 0
    for (task, protocol, metric), members in sorted(groups.items()):
        if len(members) < 2:
            short += 1
            continue
        plain = metric.partition(" ")[0]
        told = members[-1].higher_is_better
        if told is None and plain in _NEITHER and plain not in less:
            aside.add(plain)
            continue
        title = f"{task} {metric}" + (f" [{protocol}]" if len(protocols[task]) > 1 else "")
        values = [row.value for row in members]
        errors = [row.stderr for row in members]
        is_lower = plain in less if told is None else not told
        unit = "share" if all(0 <= value <= 1 for value in values) else plain
        if plain in _FACTORS and min(values) > 0:
            factors.add(title)
            unit = "logarithm"
            errors = [e if e is None else e / v for v, e in zip(values, errors, strict=True)]
            values = [math.log(value) for value in values]
        series.append(
            summary_series(
                title,
                [row.step for row in members],
                values,
                errors,
                higher_is_better=not is_lower,
                unit=unit,
            )
        )
        how = content_hash(["imported", task, protocol])
        places[title] = Place("imported", "all", task, metric, how)
    notes = []
    if aside:
        notes.append(
            f"{', '.join(sorted(aside))}: a leaning, neither direction is worse; left out "
            "(--lower takes it in)."
        )
    if short:
        notes.append(f"{short} metrics have one checkpoint only; left out.")
    _require(name, series)
    stages = tuple(Stage(step) for step in sorted({int(s) for one in series for s in one.steps}))
    return Run(
        name, "summaries", tuple(series), places, stages, tuple(notes),
        frozenset(factors),
    )  # fmt: skip


def _item_run(name: str, store: Path, rows: list[EvaluationRow], suites: Sequence[str]) -> Run:
    groups: dict[tuple[str, str, str, int], dict[int, EvaluationRow]] = defaultdict(dict)
    notes: list[str] = []
    for row in rows:
        if suites and row.suite not in suites:
            continue
        if row.state != "complete":
            notes.append(f"{row.checkpoint}, {row.suite}: not finished; left out.")
        elif row.step is not None:
            groups[row.suite, row.protocol_hash, row.items_hash, row.samples][row.step] = row
    chosen: dict[str, dict[int, EvaluationRow]] = {}
    for key, members in groups.items():
        # Only scores of one protocol hash, item set and number of samples stand in one series.
        if len(members) > len(chosen.get(key[0], {})):
            chosen[key[0]] = members
    other = sum(map(len, groups.values())) - sum(map(len, chosen.values()))
    if other:
        notes.append(f"{other} evaluations over other items, protocols or samples; left out.")
    series: list[MetricSeries] = []
    places: dict[str, Place] = {}
    for suite, members in sorted(chosen.items()):
        if len(members) > 1:
            _suite_series(store, suite, members, series, places, notes)
    _require(name, series)
    return Run(name, "items", tuple(series), places, stages_of(store, name, chosen), tuple(notes))


def _suite_series(
    store: Path,
    suite: str,
    members: dict[int, EvaluationRow],
    series: list[MetricSeries],
    places: dict[str, Place],
    notes: list[str],
) -> None:
    import numpy as np

    from harness.statistics.series import item_series
    from harness.store.item_tables import item_tables

    steps = sorted(members)
    ids = [members[step].id for step in steps]
    tables = item_tables(store, ids)
    lacking = 0
    for (genre, dataset, metric), (scores, cluster) in sorted(_matrices(tables, ids).items()):
        whole = np.isfinite(scores).all(axis=1)
        lacking += int((~whole).sum())
        if np.unique(cluster[whole]).size < 2:
            continue
        scores = scores[whole]
        is_share = bool((scores >= 0).all() and (scores <= 1).all())
        title = " ".join(part for part in (suite, genre, dataset, metric) if part)
        series.append(
            item_series(
                title,
                steps,
                scores,
                cluster[whole],
                unit="share" if is_share else metric,
                scale=1.0 if is_share else float(np.ptp(scores)) or 1.0,
            )
        )
        how = members[steps[0]].protocol_hash
        places[title] = Place(suite, genre, dataset or "all", metric, how)
    if lacking:
        notes.append(f"{suite}: {lacking} items are not scored at every checkpoint; left out.")


def _matrices(
    tables: Mapping[str, ItemTable], ids: Sequence[str]
) -> dict[tuple[str, str, str], tuple[Floats, Labels]]:
    """By genre, dataset and metric: the items' scores at every checkpoint, (n, T) in the order of
    `ids`, NaN where an item has none; and the items' clusters (n,)."""
    import numpy as np

    found: dict[tuple[str, str, str], tuple[Floats, Labels]] = {}
    if not tables:
        return found
    count = 1 + max(int(table.item.max()) for table in tables.values())
    any_table = next(iter(tables.values()))
    genres, datasets = any_table.genre.labels, any_table.dataset.labels
    for metric in sorted({name for table in tables.values() for name in table.metrics}):
        scores = np.full((count, len(ids)), np.nan)
        genre, dataset, cluster = (np.full(count, -1, dtype=np.intp) for _ in range(3))
        for column, one in enumerate(ids):
            if one not in tables:
                continue
            table = tables[one].of(metric)
            scores[table.item, column] = table.value
            genre[table.item] = table.genre.codes
            dataset[table.item] = table.dataset.codes
            cluster[table.item] = table.cluster.codes
        place = np.where(genre < 0, -1, genre * len(datasets) + dataset)
        for code in np.unique(place[place >= 0]).tolist():
            rows = np.flatnonzero(place == code)
            name = (genres[code // len(datasets)], datasets[code % len(datasets)], metric)
            found[name] = (scores[rows], cluster[rows])
    return found


def stages_of(
    store: Path, run: str, chosen: dict[str, dict[int, EvaluationRow]]
) -> tuple[Stage, ...]:
    """What the store's lineage says of each evaluated step of a run."""
    told = lineage_of(store, run)
    stages = []
    for step in sorted({step for members in chosen.values() for step in members}):
        here = [members[step] for members in chosen.values() if step in members]
        ids = tuple((row.suite, row.id) for row in here)
        stages.append(replace(told[here[0].fingerprint], step=step, evaluations=ids))
    return tuple(stages)


def lineage_of(store: Path, run: str) -> dict[str, Stage]:
    """What the store's lineage says of a run's checkpoints, by fingerprint."""
    with connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT fingerprint, step, mixture, phase, learning_rate, tokens_seen "
            "FROM checkpoints WHERE run = ? AND step IS NOT NULL",
            [run],
        ).fetchall()
    return {
        row[0]: Stage(row[1], json.loads(row[2]) if row[2] else None, row[3], row[4], row[5])
        for row in rows
    }


def _require(name: str, series: Sequence[MetricSeries]) -> None:
    if not series:
        raise HarnessError(
            f"{name}: no metric has scores at two checkpoints or more, so there is no trajectory; "
            "evaluate or import more of its checkpoints"
        )
