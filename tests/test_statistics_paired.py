"""Clustered errors, paired differences and multiplicity, against independent computations."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import (
    benjamini_hochberg,
    clustered_mean,
    holm,
    paired_data,
    paired_difference,
    partition,
)

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_partition_numbers_by_first_appearance_and_none_is_alone() -> None:
    assert partition(["b", "a", None, "b", None], 5).tolist() == [0, 1, 2, 0, 3]
    assert partition(np.array([7, 7, 3]), 3).tolist() == [0, 0, 1]
    assert partition(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="2 cluster keys for 3"):
        partition(["a", "b"], 3)


def test_corrections_worked_by_hand() -> None:
    # Residual sums 1, 0, -1 of three clusters of two rows: CR0 is 2/36.
    rows, keys = [1, 1, 1, 0, 0, 0], ["a", "a", "b", "b", "c", "c"]
    assert clustered_mean(rows, keys, "CR0").se == pytest.approx(math.sqrt(2 / 36))
    assert clustered_mean(rows, keys, "CR1").se == pytest.approx(math.sqrt(3 / 36))
    assert clustered_mean(rows, keys, "CR2").se == pytest.approx(math.sqrt(3 / 36))
    assert clustered_mean(rows, keys, "CR2").df == pytest.approx(2)


def test_unequal_clusters_agree_with_statsmodels() -> None:
    # statsmodels 0.15.0: OLS(y, np.ones(9)).fit(cov_type="cluster",
    # cov_kwds={"groups": g, "use_correction": False}).bse[0], then with True.
    y = [0.1, 0.9, 0.4, 0.8, 0.3, 0.7, 1.0, 0.0, 0.55]
    g = [0, 0, 0, 0, 1, 1, 2, 3, 3]
    assert clustered_mean(y, g, "CR0").se == pytest.approx(0.07774347666132334)
    assert clustered_mean(y, g, "CR1").se == pytest.approx(0.08977043435630482)
    assert clustered_mean(y, g, "CR2").df < 3


def test_graded_items_give_the_paired_t_test() -> None:
    random = np.random.default_rng(3)
    base, cand = random.normal(6, 2, 30), random.normal(5.5, 2, 30)
    found = paired_difference(paired_data(base, cand, scale=9))
    oracle = stats.ttest_rel(cand, base)
    interval = oracle.confidence_interval(0.95)
    assert found.p_two_sided == pytest.approx(oracle.pvalue)
    assert found.p_drop == pytest.approx(stats.ttest_rel(cand, base, alternative="less").pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.n, found.clusters, found.df) == (30, 30, pytest.approx(29))
    assert found.discordant is None


def test_binary_items_have_the_error_of_bonett_and_price() -> None:
    base = [1] * 70 + [0] * 30
    cand = [1] * 60 + [0] * 10 + [1] * 4 + [0] * 26
    found = paired_difference(paired_data(base, cand))
    up, down = 5 / 102, 11 / 102
    assert found.change == pytest.approx(-0.06)
    assert found.discordant == pytest.approx(0.14)
    assert found.se == pytest.approx(math.sqrt((up + down - (up - down) ** 2) / 102), rel=5e-3)


def test_no_flip_at_all_is_not_certainty() -> None:
    few, many = (paired_difference(paired_data([1, 0] * n, [1, 0] * n)) for n in (10, 200))
    assert few.change == many.change == 0
    assert few.p_two_sided == pytest.approx(1)
    # The rule of three: 0 of n is compatible with about 3/n.
    assert 0.05 < few.high < 0.2
    assert 0.004 < many.high < 0.012
    clustered = paired_difference(paired_data([1, 0] * 200, [1, 0] * 200, np.arange(400) // 20))
    assert clustered.high == pytest.approx(few.high)


def test_clusters_widen_the_interval_threefold() -> None:
    random = np.random.default_rng(1)
    passage = np.repeat(random.normal(0, 1, 40), 10)
    base = random.normal(0, 0.1, 400)
    cand = base + passage
    alone = paired_difference(paired_data(base, cand))
    clustered = paired_difference(paired_data(base, cand, np.repeat(np.arange(40), 10)))
    assert clustered.change == alone.change
    assert clustered.se / alone.se == pytest.approx(math.sqrt(10), rel=0.05)
    assert clustered.variance == pytest.approx(400 * clustered.se**2)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 6)), min_size=2, max_size=30
    )
)
def test_swapping_the_checkpoints_mirrors_everything(rows: list[tuple[float, float, int]]) -> None:
    base, cand, keys = zip(*rows, strict=True)
    if len(set(keys)) == 1:
        return
    one = paired_difference(paired_data(base, cand, keys))
    two = paired_difference(paired_data(cand, base, keys))
    assert two.change == pytest.approx(-one.change)
    assert (two.low, two.high) == pytest.approx((-one.high, -one.low))
    assert two.p_drop == pytest.approx(one.p_rise)
    assert one.p_two_sided == pytest.approx(min(1, 2 * min(one.p_drop, one.p_rise)))
    assert one.low < one.change < one.high
    json.dumps(one.to_dict(), allow_nan=False)


@pytest.mark.parametrize(("groups", "size"), [(10, 4), (60, 3)])
def test_no_change_is_flagged_at_the_nominal_rate(groups: int, size: int) -> None:
    random = np.random.default_rng(11)
    keys = np.repeat(np.arange(groups), size)
    flags = 0
    for _ in range(1000):
        common = random.normal(0, 1, groups)[keys]
        base, cand = (common * random.normal(1, 0.2) + random.normal(0, 1, keys.size) for _ in "ab")
        flags += paired_difference(paired_data(base, cand, keys, scale=9)).p_two_sided < 0.05
    assert 0.03 <= flags / 1000 <= 0.07


@pytest.mark.parametrize(
    ("base", "cand", "options"),
    [
        ([1], [1, 0], {}),
        ([], [], {}),
        ([1, math.nan], [1, 0], {}),
        ([1, 1], [1, 0], {"scale": 0}),
        ([1, 1], [1, 0], {"clusters": ["a"]}),
    ],
)
def test_faulty_pairs_are_refused(
    base: list[float], cand: list[float], options: dict[str, object]
) -> None:
    with pytest.raises(ValueError):
        paired_data(base, cand, **options)  # type: ignore[arg-type]


def test_one_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="one cluster"):
        paired_difference(paired_data([1, 0], [0, 0], ["a", "a"]))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1, 1]


@given(p_values)
def test_bh_agrees_with_scipy(p: list[float]) -> None:
    found = benjamini_hochberg(p)
    assert found == pytest.approx(stats.false_discovery_control(p, method="bh"))
    assert (found >= np.array(p)).all()
    assert (holm(p) >= found - 1e-12).all()


@given(p_values, st.randoms(use_true_random=False))
def test_adjusted_p_go_with_their_tests(p: list[float], random: object) -> None:
    order = list(range(len(p)))
    random.shuffle(order)  # type: ignore[attr-defined]
    for adjust in (holm, benjamini_hochberg):
        assert adjust([p[i] for i in order]) == pytest.approx(adjust(p)[order])


def test_multiplicity_refuses_what_is_no_p() -> None:
    for wrong in ([0.1, 1.2], [math.nan], [[0.1]]):
        with pytest.raises(ValueError):
            holm(wrong)  # type: ignore[arg-type]
