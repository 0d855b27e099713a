"""McNemar, rate intervals, sign flips and bootstrap, against scipy, statsmodels and arch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import paired_data
from harness.statistics.binary import mcnemar, rate_interval
from harness.statistics.bootstrap import cluster_bootstrap
from harness.statistics.permutation import sign_flip

SKEWED = [0.12, 0.55, 0.31, 0.98, 0.44, 0.05, 0.77, 0.63, 0.29, 0.91, 0.02, 0.36, 0.08, 0.15, 0.21]


@pytest.mark.parametrize(
    ("broken", "mended", "p"),
    [(11, 5, 0.210113525390625), (3, 0, 0.25), (40, 25, 0.08168153394154003)],
)
def test_mcnemar_agrees_with_statsmodels(broken: int, mended: int, p: float) -> None:
    # statsmodels 0.15.0: contingency_tables.mcnemar([[50, broken], [mended, 30]]).pvalue
    assert mcnemar(broken, mended).p_exact == pytest.approx(p)


def test_mid_p_by_hand() -> None:
    # Three flips, all broken: P(X = 3) = 1/8, of which half counts in each tail.
    found = mcnemar(3, 0)
    assert (found.p_drop, found.p_rise) == pytest.approx((1 / 16, 15 / 16))
    assert found.p_mid == pytest.approx(1 / 8)
    assert mcnemar(0, 0).p_exact == mcnemar(0, 0).p_mid == 1


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_symmetric_and_mid_p_smaller(broken: int, mended: int) -> None:
    one, two = mcnemar(broken, mended), mcnemar(mended, broken)
    assert one.p_exact == pytest.approx(two.p_exact)
    assert one.p_drop == pytest.approx(two.p_rise)
    assert one.p_drop + one.p_rise == pytest.approx(1)
    assert one.p_mid <= one.p_exact + 1e-12
    oracle = stats.binomtest(broken, broken + mended).pvalue if broken + mended else 1.0
    assert one.p_exact == pytest.approx(oracle)


@pytest.mark.parametrize(
    ("right", "n", "method", "interval"),
    [
        # statsmodels 0.15.0: proportion_confint(right, n, method=…), "beta" for Clopper-Pearson
        (8, 10, "wilson", (0.49016247153664183, 0.9433178485456247)),
        (8, 10, "jeffreys", (0.4972255035600069, 0.9559405864473692)),
        (8, 10, "clopper-pearson", (0.4439045376923585, 0.9747892736731666)),
        (0, 20, "wilson", (0.0, 0.1611251580528194)),
        (0, 20, "clopper-pearson", (0.0, 0.16843347098308534)),
        (197, 200, "wilson", (0.9568342712073097, 0.9948857622067417)),
        (197, 200, "jeffreys", (0.9605156413545163, 0.9957577208531664)),
        (197, 200, "clopper-pearson", (0.9567917180822874, 0.9968958923784464)),
    ],
)
def test_rate_intervals_agree_with_statsmodels(
    right: int, n: int, method: str, interval: tuple[float, float]
) -> None:
    assert rate_interval(right, n, method=method) == pytest.approx(interval)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "least", "mean"),
    [("wilson", 0.83, 0.95), ("jeffreys", 0.83, 0.95), ("clopper-pearson", 0.95, 0.97)],
)
def test_rate_intervals_cover(method: str, least: float, mean: float) -> None:
    n = 40
    limits = [rate_interval(k, n, method=method) for k in range(n + 1)]  # type: ignore[arg-type]
    coverage = [
        sum(stats.binom.pmf(k, n, p) for k in range(n + 1) if limits[k][0] <= p <= limits[k][1])
        for p in np.linspace(0.02, 0.98, 97)
    ]
    assert min(coverage) >= least
    assert np.mean(coverage) == pytest.approx(mean, abs=0.012)


def test_faulty_counts_are_refused() -> None:
    for right, n in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError):
            rate_interval(right, n)
    with pytest.raises(ValueError):
        rate_interval(1, 2, level=95)
    with pytest.raises(ValueError):
        mcnemar(-1, 2)


def test_sign_flip_on_binary_items_is_mcnemar() -> None:
    base = [1] * 30 + [0] * 30
    cand = [1] * 20 + [0] * 10 + [1] * 4 + [0] * 26
    found, oracle = sign_flip(paired_data(base, cand)), mcnemar(10, 4)
    assert found.method == "lattice"
    assert found.p_two_sided == pytest.approx(oracle.p_exact)
    assert found.p_drop == pytest.approx(stats.binom.sf(9, 14, 0.5))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 7)), min_size=1, max_size=14
    ),
    st.sampled_from([1.0, 4.0, 8.0, 7.5, 3.14159]),
)
def test_exact_sign_flips_equal_the_definition(
    rows: list[tuple[int, int, int]], unit: float
) -> None:
    base, cand, keys = (np.array(column) for column in zip(*rows, strict=True))
    found = sign_flip(paired_data(base / unit, cand / unit, keys))
    sums = np.array([((cand - base) / unit)[keys == k].sum() for k in np.unique(keys)])
    totals = np.array([s @ sums for s in itertools.product((-1, 1), repeat=sums.size)])
    assert found.draws == 0
    assert found.p_two_sided == pytest.approx(
        np.mean(np.abs(totals) >= abs(sums.sum()) - 1e-9), abs=1e-12
    )
    assert found.p_drop == pytest.approx(np.mean(totals <= sums.sum() + 1e-9), abs=1e-12)
    assert found.p_rise == pytest.approx(np.mean(totals >= sums.sum() - 1e-9), abs=1e-12)


def test_lattice_and_enumeration_and_draws_agree_with_scipy() -> None:
    random = np.random.default_rng(5)
    change = random.normal(0.35, 1, 14)
    oracle = stats.permutation_test(
        (change,), np.sum, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    exact = sign_flip(paired_data(np.zeros(14), change))
    assert (exact.method, exact.p_two_sided) == ("enumeration", pytest.approx(oracle))
    graded = random.normal(0.1, 1, 300)
    drawn = sign_flip(paired_data(np.zeros(300), graded), draws=20_000)
    assert drawn.method == "monte-carlo"
    t = stats.ttest_1samp(graded, 0).pvalue
    assert abs(drawn.p_two_sided - t) < 4 * drawn.error + 0.002
    assert drawn.error == pytest.approx(np.sqrt(t * (1 - t) / 20_000), rel=0.1)


def test_sign_flips_keep_their_level_with_few_skewed_clusters() -> None:
    random = np.random.default_rng(8)
    keys = np.repeat(np.arange(9), 3)
    p = []
    for _ in range(800):
        swap = random.choice([-1, 1], 9)
        change = (swap * random.exponential(1, 9))[keys]
        p.append(sign_flip(paired_data(np.zeros(27), change, keys)).p_drop)
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.065


def test_sign_flip_of_no_change_at_all() -> None:
    found = sign_flip(paired_data([1, 0, 1], [1, 0, 1]))
    assert (found.p_two_sided, found.p_drop, found.p_rise) == (1, 1, 1)
    with pytest.raises(ValueError):
        sign_flip(paired_data([1], [1]), draws=0)


def test_bca_agrees_with_arch_and_scipy() -> None:
    # arch 8.0.0: IIDBootstrap(SKEWED, seed=7).conf_int(np.mean, 200000, method="bca")
    found = cluster_bootstrap(SKEWED, draws=100_000)
    assert (found.low, found.high) == pytest.approx((0.254, 0.56333333), abs=0.004)
    scipy = stats.bootstrap((np.array(SKEWED),), np.mean, n_resamples=50_000, rng=1)
    assert (found.low, found.high) == pytest.approx(scipy.confidence_interval, abs=0.004)
    assert found.se == pytest.approx(scipy.standard_error, rel=0.02)


def test_studentised_agrees_with_arch() -> None:
    # arch 8.0.0: IIDBootstrap(SKEWED, seed=7).conf_int(np.mean, 100000, method="studentized",
    # std_err_func=lambda p, x: np.atleast_1d(np.sqrt(x.var() / len(x))))
    found = cluster_bootstrap(SKEWED, method="studentised", draws=100_000)
    assert (found.low, found.high) == pytest.approx((0.23667159, 0.60188648), abs=0.005)


def test_counting_alike_clusters_changes_nothing() -> None:
    random = np.random.default_rng(4)
    binary = (random.random(600) < 0.3).astype(float)
    nearly = binary + random.normal(0, 1e-9, 600)
    for method in ("bca", "studentised"):
        counted = cluster_bootstrap(binary, method=method, draws=20_000)  # type: ignore[arg-type]
        listed = cluster_bootstrap(nearly, method=method, draws=20_000)  # type: ignore[arg-type]
        assert (counted.low, counted.high) == pytest.approx((listed.low, listed.high), abs=0.002)


@pytest.mark.parametrize("method", ["bca", "studentised"])
def test_coverage_over_unequal_clusters(method: str) -> None:
    random = np.random.default_rng(6)
    held = 0
    for _ in range(400):
        sizes = random.integers(1, 6, 50)
        keys = np.repeat(np.arange(50), sizes)
        rows = random.exponential(1, 50)[keys] + random.normal(0, 0.5, keys.size)
        found = cluster_bootstrap(rows, keys, method=method, draws=499)  # type: ignore[arg-type]
        held += found.low <= 1 <= found.high
    assert 0.9 <= held / 400 <= 0.98


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.sampled_from(["bca", "studentised"]))
def test_bootstrap_limits_are_ordered_and_finite_unless_draws_are(
    values: list[float], method: str
) -> None:
    found = cluster_bootstrap(values, method=method, draws=200)  # type: ignore[arg-type]
    assert found.low <= found.high
    assert found.mean == pytest.approx(np.mean(values))


def test_faulty_bootstraps_are_refused() -> None:
    for options in ({"draws": 10}, {"level": 2.0}, {"clusters": [0] * 15}):
        with pytest.raises(ValueError):
            cluster_bootstrap(SKEWED, **options)  # type: ignore[arg-type]
