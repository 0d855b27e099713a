"""Checkpoint noise, α-spending, change points: against simulated truth and ruptures."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.changes import change_points, course, locate_break
from harness.statistics.noise import (
    DetrendedNoise,
    detrended_noise,
    noise_growth,
    pooled_noise,
)
from harness.statistics.spending import spent_at


def test_noise_forgets_any_straight_trend() -> None:
    random = np.random.default_rng(0)
    flat = random.normal(0, 1, 40)
    one, two = detrended_noise(flat), detrended_noise(flat + 3 * np.arange(40) - 7)
    assert one is not None
    assert two is not None
    assert one.variance == pytest.approx(two.variance)
    assert detrended_noise([1.0, 2.0]) is None


def test_noise_is_unbiased_with_the_degrees_of_freedom_claimed() -> None:
    random = np.random.default_rng(1)
    found = [detrended_noise(random.normal(0, 2, 30)) for _ in range(3000)]
    variances = np.array([noise.variance for noise in found if noise])
    assert variances.mean() == pytest.approx(4, rel=0.08)
    claimed = found[0].df if found[0] else 0
    assert 2 * variances.mean() ** 2 / variances.var() == pytest.approx(claimed, rel=0.12)


@pytest.mark.parametrize("checkpoints", [3, 4, 5])
def test_noise_of_a_young_run_is_unbiased_too(checkpoints: int) -> None:
    random = np.random.default_rng(11)
    found = [detrended_noise(random.normal(0, 2, checkpoints)) for _ in range(6000)]
    variances = np.array([one.variance for one in found if one])
    df = found[0].df if found[0] else 0
    assert variances.mean() == pytest.approx(4, rel=0.06)
    # A variance on df degrees of freedom varies by 2/df of its square.
    assert 2 * variances.mean() ** 2 / variances.var() == pytest.approx(df, rel=0.12)


def test_events_are_not_noise_but_flapping_is() -> None:
    random = np.random.default_rng(2)
    calm = random.normal(0, 1, 50)
    fallen, spiked, flapping = calm.copy(), calm.copy(), calm.copy()
    fallen[25:] -= 30
    spiked[17] -= 30
    flapping[::3] -= 30
    noises = [detrended_noise(rows) for rows in (calm, fallen, spiked, flapping)]
    base, fall, spike, flaps = (noise.variance for noise in noises if noise)
    assert fall < 1.6 * base
    assert spike < 1.8 * base
    assert flaps > 50 * base


@pytest.mark.parametrize("tau", [0.0, 0.017])
def test_tau_is_found_and_sampling_taken_off(tau: float) -> None:
    random = np.random.default_rng(3)
    sampling = random.uniform(0.1, 0.25, 30) / random.integers(100, 2000, 30)
    found = []
    for _ in range(20):
        series = [
            np.linspace(0, 0.2, 50) + random.normal(0, math.sqrt(v + tau**2), 50) for v in sampling
        ]
        found += pooled_noise([detrended_noise(one) for one in series], sampling)
    assert math.sqrt(np.mean([noise.tau2 for noise in found])) == pytest.approx(tau, abs=0.0035)
    assert min(noise.df for noise in found) >= 19
    assert all(noise.total >= noise.sampling for noise in found)


def test_a_flapping_metric_keeps_its_own_noise() -> None:
    random = np.random.default_rng(4)
    series = [random.normal(0, 1 if number else 9, 50) for number in range(20)]
    found = pooled_noise([detrended_noise(one) for one in series], [1.0] * 20)
    assert found[0].total > 50
    assert all(0.9 < noise.total < 4 for noise in found[1:])


def test_shared_items_are_believed_only_where_the_error_is_not_exact() -> None:
    random = np.random.default_rng(5)
    series = [detrended_noise(random.normal(0, 0.5, 40)) for _ in range(10)]
    exact = pooled_noise(series, [1.0] * 10)
    shared = pooled_noise(series, [1.0] * 10, paired=False)
    assert all(noise.total == 1.0 and noise.tau2 == 0 for noise in exact)
    assert np.mean([noise.total for noise in shared]) == pytest.approx(0.25, rel=0.25)
    still = pooled_noise([DetrendedNoise(0.0, 10.0)] * 4, [1.0] * 4, paired=False)
    assert all(noise.total == pytest.approx(0.1) for noise in still)


def test_short_series_take_the_pool() -> None:
    random = np.random.default_rng(6)
    series = [detrended_noise(random.normal(0, 3, 40)) for _ in range(12)]
    found = pooled_noise([*series, None], [1.0] * 13)
    assert found[-1].total == pytest.approx(9, rel=0.4)
    unknown = pooled_noise([None, None], [1.0, 2.0])
    assert [noise.total for noise in unknown] == [1, 2]
    with pytest.raises(ValueError):
        pooled_noise([None], [-1.0])


def test_growth_is_one_for_white_noise_and_more_for_shared_luck() -> None:
    random = np.random.default_rng(7)
    white = [random.normal(0, 1, 64) + np.linspace(0, 9, 64) ** 1.5 for _ in range(30)]
    walk = [np.cumsum(random.normal(0, 1, 64)) for _ in range(30)]
    growth = noise_growth(white, (1, 2, 4, 8))
    assert all(factor < 1.35 for factor in growth.values())
    wander = noise_growth(walk, (1, 2, 4, 8, 16))
    ratios = [b / a for a, b in itertools.pairwise(wander.values())]
    # Third differences of a walk's means have variance ∝ w: the factor rises as w².
    assert all(2.5 < ratio < 6 for ratio in ratios[-2:])


@pytest.mark.parametrize("schedule", ["equal", "dyadic", "inverse-square"])
def test_a_run_spends_at_most_alpha(schedule: str) -> None:
    spent = [spent_at(t, 0.05, schedule, 1000) for t in range(1, 5001)]  # type: ignore[arg-type]
    assert sum(spent) <= 0.05 * (1 + 1e-9)
    assert sum(spent) > 0.04
    assert schedule != "dyadic" or sum(spent[:16]) == pytest.approx(0.025)
    assert all(a >= b for a, b in itertools.pairwise(spent))
    with pytest.raises(ValueError):
        spent_at(0)
    with pytest.raises(ValueError):
        spent_at(1, schedule="equal")


SHIFTS = [0.1, -0.2, 0.3, 0.0, 3.1, 2.8, 3.3, 2.9, 3.0, 1.0, 1.2, 0.7, 1.1]


def test_change_points_agree_with_ruptures() -> None:
    # ruptures 1.1.10: Pelt(model="l2", min_size=1, jump=1).fit(SHIFTS).predict(pen=1.0)
    assert change_points(SHIFTS, [1.0] * len(SHIFTS), penalty=1.0) == [4, 9]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(-5, 5), st.sampled_from([0.5, 1.0, 2.0])), min_size=1, max_size=9
    )
)
def test_pelt_is_the_best_segmentation_of_all(rows: list[tuple[int, float]]) -> None:
    values, variances = (np.array(column, dtype=float) for column in zip(*rows, strict=True))

    def cost(cuts: tuple[int, ...]) -> float:
        edges = [0, *cuts, values.size]
        total = 2.0 * len(cuts)
        for a, b in itertools.pairwise(edges):
            middle = np.average(values[a:b], weights=1 / variances[a:b])
            total += float((np.square(values[a:b] - middle) / variances[a:b]).sum())
        return total

    inner = range(1, values.size)
    every = [c for k in range(values.size) for c in itertools.combinations(inner, k)]
    found = change_points(values, variances, penalty=2.0)
    assert cost(tuple(found)) == pytest.approx(min(cost(cuts) for cuts in every))


def test_noise_alone_has_no_change_points_mostly() -> None:
    random = np.random.default_rng(8)
    found = [change_points(random.normal(0, 1, 50), np.ones(50)) for _ in range(300)]
    assert np.mean([len(cuts) > 0 for cuts in found]) < 0.15


def test_a_break_is_covered_by_its_range() -> None:
    random = np.random.default_rng(9)
    hits, widths = 0, []
    for _ in range(500):
        at = int(random.integers(3, 17))
        rows = random.normal(0, 1, 20) - 2.5 * (np.arange(20) >= at)
        found = locate_break(rows, np.ones(20))
        hits += found.low <= at <= found.high
        widths.append(found.high - found.low)
        assert found.low <= found.at <= found.high
    assert hits / 500 >= 0.93
    assert np.mean(widths) < 4


def test_courses() -> None:
    # Fell and stayed.
    assert course([5, 5, 5, 1, 1, 1], 3, 5.0).persistence == "lasting"
    # One bad checkpoint.
    dip = course([5, 5, 1, 5, 5], 2, 5.0)
    assert (dip.persistence, dip.recovered, dip.lowest) == ("transient", 3, 2)
    # Down for long, then back.
    back = course([5, 5, 1, 0, 1, 1, 5, 5], 2, 5.0)
    assert (back.persistence, back.recovered, back.lowest) == ("transient", 6, 3)
    # The last checkpoint fell: who knows.
    assert course([5, 5, 5, 1], 3, 5.0).persistence == "recent"
    # A small fall seen over four checkpoints is not over because one of them is high.
    noisy = [5, 5, 5, 5, 3, 4.2, 3.1, 3, 3.2, 3.1, 4.1, 3, 3.1, 2.9]
    assert course(noisy, 4, 5.0, window=4).persistence == "lasting"
    with pytest.raises(ValueError):
        course([1.0], 1, 1.0)


def test_faulty_variances_are_refused() -> None:
    for wrong in ([1.0], [1.0, 0.0], [1.0, math.nan]):
        with pytest.raises(ValueError):
            change_points([1.0, 2.0], wrong)
    with pytest.raises(ValueError):
        locate_break([1.0], [1.0])
