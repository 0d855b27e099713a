"""Changes of every metric from rows of item means, against a plain reckoning."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.regression.measure import Measured, measure_pairs
from harness.store.paired import Column, PairedScores

Row = tuple[str, str, str, float | None, float | None]  # genre, dataset, metric, base, cand
SCORE = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["math", "QA", "STS"]),
        st.sampled_from(["", "one", "two"]),
        st.sampled_from(["strict", "format"]),
        SCORE,
        SCORE,
    ),
    max_size=60,
)


def scores(rows: list[Row], width: int = 1) -> PairedScores:
    """Row i is item i; `width` neighbours of one dataset and metric are a cluster."""

    def column(values: list[str]) -> Column:
        labels = tuple(dict.fromkeys(values))
        return Column(labels, np.array([labels.index(one) for one in values], dtype=np.intp))

    def floats(values: list[float | None]) -> np.ndarray:
        return np.array([math.nan if one is None else one for one in values], dtype=float)

    place: dict[tuple[str, str, str], int] = defaultdict(int)
    clusters = []
    for genre, dataset, metric, _, _ in rows:
        clusters.append(f"{genre} {dataset} {metric} {place[genre, dataset, metric] // width}")
        place[genre, dataset, metric] += 1
    return PairedScores(
        item=column([f"item {number}" for number in range(len(rows))]),
        genre=column([row[0] for row in rows]),
        dataset=column([row[1] for row in rows]),
        cluster=column(clusters),
        metric=column([row[2] for row in rows]),
        base=floats([row[3] for row in rows]),
        cand=floats([row[4] for row in rows]),
    )


def by_place(found: list[Measured]) -> dict[str, Measured]:
    return {one.place: one for one in found}


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_means_and_counts_are_a_plain_reckoning(rows: list[Row]) -> None:
    found = by_place(measure_pairs("suite", scores(rows)))
    paired: dict[str, dict[str, dict[str, list[tuple[float, float]]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for genre, dataset, metric, base, cand in rows:
        if base is not None and cand is not None:
            paired[metric][genre][dataset].append((base, cand))
    wanted: dict[str, tuple[int, float, float]] = {}
    for metric, genres in paired.items():
        means = {}
        for genre, datasets in genres.items():
            sides = {
                name: [fmean(side) for side in zip(*pairs, strict=True)]
                for name, pairs in datasets.items()
            }
            for name, mean in sides.items():
                if name:
                    wanted[f"{genre}/{name}/{metric}"] = (len(datasets[name]), mean[0], mean[1])
            means[genre] = [fmean(side) for side in zip(*sides.values(), strict=True)]
            size = sum(map(len, datasets.values()))
            wanted[f"{genre}/all/{metric}"] = (size, means[genre][0], means[genre][1])
        # STS stands aside from the mean, as on the leaderboard, unless there is nothing else.
        present = {row[0] for row in rows if row[2] == metric}
        counted = [genre for genre in genres if genre != "STS" or present == {"STS"}]
        if counted:
            size = sum(len(pairs) for genre in counted for pairs in genres[genre].values())
            both = [fmean(side) for side in zip(*(means[g] for g in counted), strict=True)]
            wanted[f"all/all/{metric}"] = (size, both[0], both[1])
    assert set(found) == set(wanted)
    for place, (size, base, cand) in wanted.items():
        one = found[place]
        assert one.change.n == size
        assert (one.base, one.cand) == pytest.approx((base, cand))
        assert one.change.change == pytest.approx(cand - base, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 3))
def test_swapping_the_sides_turns_everything_round(rows: list[Row], width: int) -> None:
    turned = [(genre, dataset, metric, cand, base) for genre, dataset, metric, base, cand in rows]
    there = by_place(measure_pairs("suite", scores(rows, width)))
    back = by_place(measure_pairs("suite", scores(turned, width)))
    assert set(there) == set(back)
    for place, one in there.items():
        other = back[place]
        assert other.change.change == pytest.approx(-one.change.change, abs=1e-12)
        assert other.change.se == pytest.approx(one.change.se, abs=1e-12)
        assert (other.test, other.only_base, other.only_cand) == (
            one.test,
            one.only_cand,
            one.only_base,
        )
        if one.test != "sign-flip" or one.change.clusters <= 18:
            assert (other.p_drop, other.p_rise) == pytest.approx((one.p_rise, one.p_drop))
        assert 0 <= one.p_drop <= 1


def test_a_single_cluster_proves_nothing() -> None:
    rows: list[Row] = [("math", "", "strict", 1.0, 0.0)] * 30
    one = by_place(measure_pairs("suite", scores(rows, width=30)))["math/all/strict"]
    assert (one.test, one.p_drop, one.change.clusters) == ("none", 1.0, 1)
    assert one.change.se == 1.0


def test_ratings_have_their_own_scale() -> None:
    rows: list[Row] = [("writing", "", "rating", 7.0, 7.0)] * 20
    one = by_place(measure_pairs("suite", scores(rows)))["writing/all/rating"]
    # No change at all: two pseudo-items of the largest step, nine points, among 22.
    assert one.change.se == pytest.approx(9 * math.sqrt(2) / 22)
