"""Whether a student was already on its way: the slope of its scores over its run's steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.gaps.places import Place, measured_places
from harness.gaps.target import Side, at_rows
from harness.regression.measure import ALL, Measured
from harness.statistics.clusters import Floats
from harness.statistics.decide import decide
from harness.statistics.noise import CheckpointNoise, detrended_noise, pooled_noise
from harness.statistics.paired import change_variances
from harness.store.gap_rows import item_matrix
from harness.store.paired import PairedScores
from harness.store.queries import EvaluationRow, evaluations

# Through two checkpoints any line fits; what lies further back was another phase of training.
LEAST, MOST = 3, 16
# Second differences of fewer checkpoints say next to nothing of their noise.
_LEAST_NOISE = 5


@dataclass(frozen=True)
class Trend:
    """The least-squares slope of a score, in its own unit per thousand steps, with its interval.

    checkpoints  that it is drawn through, from step `first` to step `last`
    noise        whether checkpoint noise is in the interval (five checkpoints or more)
    """

    slope: float
    low: float
    high: float
    checkpoints: int
    first: int
    last: int
    noise: bool

    @property
    def is_rising(self) -> bool:
        return self.low > 0

    @property
    def is_falling(self) -> bool:
        return self.high < 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def find_trends(
    path: Path, side: Side, skills: Mapping[str, tuple[str, int | None]], alpha: float
) -> dict[Place, Trend]:
    """The trends of a suite: overall, by genre and by skill, through the last 16 checkpoints of the
    student's run up to it that were evaluated as it was; {} for fewer than three.

    skills  (skill, level) by item hash;  alpha: one-sided level of the interval's ends

    The slope of a mean is the mean of the items' slopes, so its error is that of a paired change,
    clusters and datasets included (`measure_pairs`). From five checkpoints on, the noise that all
    items of a checkpoint share is estimated from the genres' own series (`detrended_noise`) and
    added: τ² · Σ w², w the weights of the slope.
    """
    rows = _series(path, side.student)
    if len(rows) < LEAST:
        return {}
    hashes, matrix = item_matrix(
        path, [row.id for row in rows], side.student.protocol_hash, side.metric
    )
    if not hashes:
        return {}
    steps = np.array([row.step for row in rows], dtype=np.float64)
    centred = steps - steps.mean()
    # The slope over the whole span is in the unit of a score; divided by the span at the end.
    span = float(steps[-1] - steps[0])
    weights = span * centred / np.square(centred).sum()
    scores, matrix = _aligned(side.scores, hashes, matrix)
    rising = PairedScores(
        scores.item,
        scores.genre,
        scores.dataset,
        scores.cluster,
        scores.metric,
        np.zeros(matrix.shape[0]),
        matrix @ weights,
    )
    measured = measured_places(side.suite, rising, skills, 1 - 2 * alpha)
    noise = _noise(scores, matrix) if len(rows) >= _LEAST_NOISE else {}

    def trend(place: Place, one: Measured) -> Trend:
        own = noise.get(place.genre)
        shared = own.tau2 * float(np.square(weights).sum()) if own else 0.0
        # `decide` doubles τ² for a change between two checkpoints; here it is given as it is.
        found = decide(
            one.change.change,
            one.change.se,
            one.change.df,
            0.0,
            shared / 2,
            alpha=alpha,
            tau_df=own.df if own else np.inf,
        )
        unit = 1000 / span
        return Trend(
            found.change * unit,
            found.low * unit,
            found.high * unit,
            len(rows),
            int(steps[0]),
            int(steps[-1]),
            own is not None,
        )

    return {place: trend(place, one) for place, one in measured.items() if place.kind != "level"}


def _series(path: Path, student: EvaluationRow) -> list[EvaluationRow]:
    """One complete evaluation a checkpoint, by step, the student's the last."""
    if student.run is None or student.step is None:
        return []
    rows = evaluations(
        path,
        "c.run = ? AND c.step <= ? AND e.protocol_hash = ? AND e.items_hash = ? "
        "AND e.samples = ? AND e.state = 'complete'",
        [
            student.run,
            student.step,
            student.protocol_hash,
            student.items_hash,
            student.samples,
        ],
    )
    by_step = {row.step: row for row in rows if row.step is not None}
    return [by_step[step] for step in sorted(by_step)][-MOST:]


def _aligned(
    scores: PairedScores, hashes: list[str], matrix: Floats
) -> tuple[PairedScores, Floats]:
    """The rows of a suite's scores whose items are in the matrix, and the matrix in their order."""
    position = {key: at for at, key in enumerate(hashes)}
    names = [scores.item.labels[code] for code in scores.item.codes]
    rows = np.array([at for at, name in enumerate(names) if name in position], dtype=np.intp)
    order = np.array([position[names[at]] for at in rows], dtype=np.intp)
    return at_rows(scores, rows), matrix[order]


def _noise(scores: PairedScores, matrix: Floats) -> dict[str, CheckpointNoise]:
    """τ² by genre, and that of the mean over genres under "all"."""
    series: dict[str, Floats] = {}
    sampling: dict[str, float] = {}
    for code in sorted(set(scores.genre.codes.tolist())):
        rows = np.flatnonzero(scores.genre.codes == code)
        genre = scores.genre.labels[code]
        _, cluster = np.unique(scores.cluster.codes[rows], return_inverse=True)
        if cluster.max() == 0:
            continue
        series[genre] = matrix[rows].mean(axis=0)
        steps = np.diff(matrix[rows], axis=1)
        sampling[genre] = float(change_variances(steps, cluster, 1.0).mean()) / 2
    if not series:
        return {}
    found = pooled_noise([detrended_noise(one) for one in series.values()], list(sampling.values()))
    whole = pooled_noise(
        [detrended_noise(np.mean(list(series.values()), axis=0))],
        [sum(sampling.values()) / len(sampling) ** 2],
    )
    return dict(zip(series, found, strict=True)) | {ALL: whole[0]}
