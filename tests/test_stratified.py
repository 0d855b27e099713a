"""Changes averaged over strata, against scipy's Welch test and against the plain paired change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.paired import PairedData, paired_data, paired_difference
from harness.statistics.stratified import stratified_difference

VALUES = st.lists(st.floats(-1, 1, allow_nan=False).map(lambda v: round(v, 6)), min_size=4)


def changes(*strata: list[float]) -> tuple[PairedData, np.ndarray]:
    every = np.concatenate([np.asarray(part, dtype=float) for part in strata])
    labels = np.repeat(np.arange(len(strata)), [len(part) for part in strata])
    return paired_data(np.zeros(every.size), every), labels


def test_two_strata_are_welchs_test() -> None:
    random = np.random.default_rng(5)
    first, second = random.normal(-0.2, 0.3, 30), random.normal(0.05, 0.1, 55)
    data, stratum = changes(first.tolist(), second.tolist())
    found = stratified_difference(data, stratum, np.array([0.5, 0.5]), level=0.9)
    # The mean of two means is half the difference of one and the other's negative.
    welch = stats.ttest_ind(first, -second, equal_var=False)
    interval = welch.confidence_interval(0.9)
    assert found.change == pytest.approx((first.mean() + second.mean()) / 2)
    assert found.df == pytest.approx(welch.df)
    assert found.p_two_sided == pytest.approx(welch.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low / 2, interval.high / 2))
    assert found.variance == pytest.approx(85 * found.se**2)


def test_unequal_weights_by_hand() -> None:
    first, second = [0.5, -0.5, 0.25, 0.75], [-1.0, -0.5, 0.5]
    data, stratum = changes(first, second)
    found = stratified_difference(data, stratum, np.array([0.75, 0.25]))
    assert found.change == pytest.approx(0.75 * np.mean(first) + 0.25 * np.mean(second))
    variance = 0.75**2 * np.var(first, ddof=1) / 4 + 0.25**2 * np.var(second, ddof=1) / 3
    # With two pseudo-items a root mean square step up and down, the least that it may be.
    weighted = np.concatenate([0.75 * 7 / 4 * np.array(first), 0.25 * 7 / 3 * np.array(second)])
    least = (49 * variance + 2 * np.mean(weighted**2)) / 81
    assert found.se == pytest.approx(np.sqrt(max(variance, least)))


@settings(max_examples=60, deadline=None)
@given(VALUES, st.integers(1, 4))
def test_one_stratum_is_the_plain_paired_change(values: list[float], width: int) -> None:
    clusters = [number // width for number in range(len(values))]
    if clusters[-1] == 0:
        clusters[-1] = 1
    data = paired_data(np.zeros(len(values)), values, clusters)
    stratum = np.zeros(len(values), dtype=np.intp)
    assert stratified_difference(data, stratum, np.ones(1)) == paired_difference(data)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES, st.randoms(use_true_random=False))
def test_neither_order_nor_names_of_strata_matter(
    first: list[float], second: list[float], random: object
) -> None:
    data, stratum = changes(first, second)
    weights = np.array([0.3, 0.7])
    found = stratified_difference(data, stratum, weights)
    order = np.arange(stratum.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    moved = paired_data(data.base[order], data.cand[order])
    other = stratified_difference(moved, 1 - stratum[order], weights[::-1])
    assert other.change == pytest.approx(found.change, abs=1e-12)
    assert other.se == pytest.approx(found.se, abs=1e-9)
    assert other.df == pytest.approx(found.df, rel=1e-6)


def test_differences_between_strata_are_no_spread() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(0, 0.1, 100)
    data, stratum = changes((noise - 0.5).tolist(), (noise + 0.5).tolist())
    found = stratified_difference(data, stratum, np.array([0.5, 0.5]))
    assert found.se == pytest.approx(np.std(noise, ddof=1) / np.sqrt(200), rel=0.2)
    assert paired_difference(data).se > 3 * found.se


def test_a_lonely_cluster_and_no_change_at_all() -> None:
    data, stratum = changes([0.0, 0.5, 0.25, 0.5], [-0.5])
    found = stratified_difference(data, stratum, np.array([0.5, 0.5]))
    assert np.isfinite([found.se, found.df]).all()
    assert found.se > 0
    data, stratum = changes([0.0] * 10, [0.0] * 10)
    still = stratified_difference(data, stratum, np.array([0.5, 0.5]))
    assert still.change == 0
    # Bonett and Price: two pseudo-items of the largest step among 22.
    assert still.se == pytest.approx(np.sqrt(2) / 22)
    assert still.df == 18


def test_what_does_not_fit_is_refused() -> None:
    data, stratum = changes([0.1, 0.2], [0.3, 0.4])
    for labels, weights, level in (
        (stratum, np.array([0.5, 0.6]), 0.9),
        (stratum[:3], np.array([0.5, 0.5]), 0.9),
        (stratum, np.array([0.5, 0.25, 0.25]), 0.9),
        (stratum, np.array([0.5, 0.5]), 1.0),
    ):
        with pytest.raises(ValueError):
            stratified_difference(data, labels, weights, level)
    joined = paired_data([0, 0], [0.1, 0.2], ["a", "a"])
    with pytest.raises(ValueError):
        paired_difference(joined)
