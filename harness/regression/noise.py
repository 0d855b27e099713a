"""Checkpoint noise of a run, estimated from the evaluations of its other checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.items.schema import JASTER_ASIDE
from harness.regression.measure import ALL, Measured
from harness.regression.pairing import Pair
from harness.statistics.clusters import Floats
from harness.statistics.noise import CheckpointNoise, detrended_noise, pooled_noise
from harness.store.dataset_means import Place, dataset_means
from harness.store.queries import EvaluationRow, evaluations

# Second differences of fewer checkpoints say next to nothing; of more than the last few, the
# learning rate and the mixture were others.
LEAST, MOST = 5, 16


def run_noise(path: Path, pair: Pair, measured: Sequence[Measured]) -> dict[str, CheckpointNoise]:
    """τ² by GENRE/DATASET/METRIC, from the last 16 checkpoints of the baseline's run before the
    candidate, evaluated as the candidate was; the candidate is not among them, so that a drop is
    not taken for noise.

    The genres and datasets of a metric are pooled; the mean over genres has its own. `measured`
    gives what each score varies by for its items alone. Raises HarnessError for a baseline without
    a run, and for a run of fewer than 5 such checkpoints.
    """
    rows = _series(path, pair)
    means = dataset_means(path, [row.id for row in rows], pair.cand.protocol_hash)
    by_place = _aggregated(means)
    groups: dict[tuple[str, bool], list[Measured]] = defaultdict(list)
    for one in measured:
        if one.place in by_place and np.isfinite(by_place[one.place]).all():
            groups[one.metric, one.genre == ALL].append(one)
    found: dict[str, CheckpointNoise] = {}
    for members in groups.values():
        noise = pooled_noise(
            [detrended_noise(by_place[one.place]) for one in members],
            [one.change.se**2 / 2 for one in members],
        )
        found |= {one.place: own for one, own in zip(members, noise, strict=True)}
    return found


def _series(path: Path, pair: Pair) -> list[EvaluationRow]:
    """One complete evaluation a checkpoint, by step."""
    base, cand = pair.base, pair.cand
    if base.run is None:
        raise HarnessError(
            f"{base.checkpoint} states no run, so --noise has nothing to estimate from; state "
            "`tau` in a policy"
        )
    rows = evaluations(
        path,
        "c.run = ? AND c.step IS NOT NULL AND e.protocol_hash = ? AND e.items_hash = ? "
        "AND e.samples = ? AND e.state = 'complete' AND e.fingerprint <> ?",
        [base.run, cand.protocol_hash, base.items_hash, base.samples, cand.fingerprint],
    )
    is_later = base.run == cand.run and cand.step is not None
    before = {
        row.step: row
        for row in rows
        if row.step is not None and not (is_later and row.step > (cand.step or 0))
    }
    chosen = [before[step] for step in sorted(before)][-MOST:]
    if len(chosen) < LEAST:
        raise HarnessError(
            f"{base.suite}: run {base.run} has {len(chosen)} other checkpoints evaluated as "
            f"{cand.checkpoint} was, and --noise takes {LEAST} or more; evaluate more, or state "
            "`tau` in a policy"
        )
    return chosen


def _aggregated(means: Mapping[Place, Floats]) -> dict[str, Floats]:
    """Series by place: of datasets, of genres and of everything, weighed as leaderboards do."""
    by_genre: dict[tuple[str, str], list[Floats]] = defaultdict(list)
    found: dict[str, Floats] = {}
    for (genre, dataset, metric), series in means.items():
        by_genre[metric, genre].append(series)
        if dataset:
            found[f"{genre}/{dataset}/{metric}"] = series
    whole: dict[str, dict[str, Floats]] = defaultdict(dict)
    for (metric, genre), parts in by_genre.items():
        series = np.mean(parts, axis=0)
        found[f"{genre}/{ALL}/{metric}"] = series
        whole[metric][genre] = series
    for metric, genres in whole.items():
        counted = [series for genre, series in genres.items() if genre not in JASTER_ASIDE]
        found[f"{ALL}/{ALL}/{metric}"] = np.mean(counted or list(genres.values()), axis=0)
    return found
