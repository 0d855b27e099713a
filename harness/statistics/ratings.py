"""Means of ratings as the MT-Bench protocols define them, with intervals clustered by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Literal

from harness.statistics.means import Estimate, cluster_mean, mean_of_means

Aggregation = Literal["rows", "genres", "repeats"]
Scale = tuple[float, float]


@dataclass(frozen=True)
class Rating:
    """One readable rating.

    item, turn      what was answered; ratings of one item are dependent
    sample, repeat  which answer to it, and which judging of that answer; both from 0
    value           within the scale
    """

    item: str
    genre: str
    turn: int
    sample: int
    repeat: int
    value: float


@dataclass(frozen=True)
class Aggregate:
    """Ratings of one evaluation, averaged; on the scale they were given on.

    score   over everything; genres, turns: over a genre's, a turn's ratings
    sd      of the repeats' means (ddof 1), where the protocol has it and there are several
    """

    score: Estimate
    genres: Mapping[str, Estimate]
    turns: Mapping[int, Estimate]
    sd: float | None = None


def aggregate(
    ratings: Sequence[Rating], how: Aggregation, scale: Scale, level: float = 0.95
) -> Aggregate:
    """The mean over ratings in one of three ways (definitions: each protocol's own programs):

    rows     the mean over all rows, whatever their turn, sample and repeat. FastChat's
             show_result.py; not the mean of the turns' means where some rows are missing
    genres   the mean over repeats and samples for each question and turn; of these by genre; the
             unweighted mean of the genres. Nejumi v4
    repeats  for each sample the mean over its rows; the mean of these, and their standard
             deviation with ddof 1. Swallow, whose repeats are answers

    The error is that between questions (`cluster_mean` with the question as the cluster), which
    holds the noise of generation and of the judge within it; for `genres` the genres' errors are
    put together as `mean_of_means` says. A rating lies within `scale`, and so do the intervals.

    Raises ValueError: no ratings, or one off the scale.
    """
    if not ratings:
        raise ValueError("no ratings to average")
    by_genre: dict[str, list[Rating]] = defaultdict(list)
    by_turn: dict[int, list[Rating]] = defaultdict(list)
    for one in ratings:
        by_genre[one.genre].append(one)
        by_turn[one.turn].append(one)
    genres = {genre: _mean(part, how, scale, level) for genre, part in by_genre.items()}
    turns = {turn: _mean(by_turn[turn], how, scale, level) for turn in sorted(by_turn)}
    if how == "genres":
        score = _scaled(mean_of_means([_unit(one, scale) for one in genres.values()], level), scale)
        return Aggregate(score, genres, turns)
    score = _mean(ratings, how, scale, level)
    sample_means = _sample_means(ratings)
    spread = stdev(sample_means) if how == "repeats" and len(sample_means) > 1 else None
    return Aggregate(score, genres, turns, spread)


def _mean(ratings: Sequence[Rating], how: Aggregation, scale: Scale, level: float) -> Estimate:
    if how == "genres":
        cells: dict[tuple[str, int], list[float]] = defaultdict(list)
        for one in ratings:
            cells[(one.item, one.turn)].append(one.value)
        return _clustered(
            [fmean(values) for values in cells.values()], [item for item, _ in cells], scale, level
        )
    rows = _clustered([one.value for one in ratings], [one.item for one in ratings], scale, level)
    if how == "rows":
        return rows
    # Equal to the mean over rows unless some are missing; then each repeat still counts alike.
    mean = fmean(_sample_means(ratings))
    return replace(
        rows,
        mean=mean,
        low=max(scale[0], rows.low + mean - rows.mean),
        high=min(scale[1], rows.high + mean - rows.mean),
    )


def _sample_means(ratings: Iterable[Rating]) -> list[float]:
    samples: dict[int, list[float]] = defaultdict(list)
    for one in ratings:
        samples[one.sample].append(one.value)
    return [fmean(samples[sample]) for sample in sorted(samples)]


def _clustered(
    values: Sequence[float], clusters: Sequence[Hashable], scale: Scale, level: float
) -> Estimate:
    low, high = scale
    if not all(low <= value <= high for value in values):
        raise ValueError(f"a rating lies off the scale from {low:g} to {high:g}")
    shares = [(value - low) / (high - low) for value in values]
    return _scaled(cluster_mean(shares, clusters, level), scale)


def _scaled(share: Estimate, scale: Scale) -> Estimate:
    """An estimate of a share of the scale as one on the scale."""
    low, width = scale[0], scale[1] - scale[0]
    return replace(
        share,
        mean=low + width * share.mean,
        se=width * share.se,
        low=low + width * share.low,
        high=low + width * share.high,
    )


def _unit(estimate: Estimate, scale: Scale) -> Estimate:
    """The reverse of `_scaled`."""
    low, width = scale[0], scale[1] - scale[0]
    return replace(
        estimate,
        mean=min(1.0, max(0.0, (estimate.mean - low) / width)),
        se=estimate.se / width,
        low=(estimate.low - low) / width,
        high=(estimate.high - low) / width,
    )
