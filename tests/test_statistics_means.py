"""Means with clustered standard errors: against textbook cases, brute force and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import Estimate, cluster_mean, mean_of_means

unit_scores = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=40)


def brute_force_cr2(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """CR2 standard error and Bell-McCaffrey degrees of freedom from their matrix definitions."""
    n = len(values)
    design = np.ones((n, 1))
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    residuals = (np.eye(n) - hat) @ values
    variance, rows = 0.0, []
    for key in np.unique(clusters):
        own = np.flatnonzero(clusters == key)
        eigenvalues, vectors = np.linalg.eigh(np.eye(len(own)) - hat[np.ix_(own, own)])
        adjust = vectors @ np.diag(eigenvalues**-0.5) @ vectors.T
        score = design[own].T @ adjust @ residuals[own] / n
        variance += float(score[0]) ** 2
        rows.append((design[own].T @ adjust @ (np.eye(n) - hat)[own] / n)[0])
    products = np.array(rows) @ np.array(rows).T
    return math.sqrt(variance), np.trace(products) ** 2 / np.trace(products @ products)


def test_without_clusters_it_is_the_ordinary_standard_error() -> None:
    scores = [0.0, 1.0, 1.0, 0.25, 0.5, 1.0]
    found = cluster_mean(scores)
    assert found.se == pytest.approx(stats.sem(scores), rel=1e-12)
    assert (found.n, found.clusters, found.df) == (6, 6, pytest.approx(5))


@settings(deadline=None)
@given(unit_scores)
def test_rows_as_clusters_change_nothing(scores: list[float]) -> None:
    assert cluster_mean(scores, list(range(len(scores)))) == cluster_mean(scores)
    assert cluster_mean(scores, [None] * len(scores)) == cluster_mean(scores)
    assert cluster_mean(scores).se == pytest.approx(float(stats.sem(scores)), abs=1e-10)


def test_equal_clusters_worked_by_hand() -> None:
    # Mean 1/2; residual sums of the clusters 1, 0, -1; (1 + 0 + 1)/36 · 3/2 = 1/12.
    found = cluster_mean([1, 1, 1, 0, 0, 0], ["a", "a", "b", "b", "c", "c"])
    assert found.se == pytest.approx(math.sqrt(1 / 12))
    assert found.df == pytest.approx(2)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1, allow_subnormal=False), st.integers(0, 5)),
        min_size=2,
        max_size=30,
    )
)
def test_equals_the_matrix_definition_of_cr2(rows: list[tuple[float, int]]) -> None:
    values, clusters = np.array([v for v, _ in rows]), np.array([c for _, c in rows])
    if len(set(clusters)) == 1:
        return
    found = cluster_mean(values, [int(c) for c in clusters])
    se, df = brute_force_cr2(values, clusters)
    assert found.se == pytest.approx(se, abs=1e-9)
    assert found.df == pytest.approx(df, rel=1e-6)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from("abc") | st.none()), min_size=1, max_size=30
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(
    rows: list[tuple[float, str | None]], random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = cluster_mean([v for v, _ in rows], [c for _, c in rows]).to_dict()
    two = cluster_mean([v for v, _ in shuffled], [c for _, c in shuffled]).to_dict()
    assert one == pytest.approx(two, abs=1e-9)


@settings(deadline=None)
@given(unit_scores, st.floats(0.5, 0.999))
def test_bounded_intervals_hold_the_mean_within_bounds(scores: list[float], level: float) -> None:
    found = cluster_mean(scores, level=level)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.low < found.high


def test_wilson_with_an_ordinary_sample() -> None:
    # 8 of 10 right: se² = .16/9, so the effective size is 9; Wilson with t(9) by hand.
    found = cluster_mean([1] * 8 + [0] * 2)
    t = stats.t.ppf(0.975, 9)
    centre = (0.8 + t**2 / 18) / (1 + t**2 / 9)
    reach = t / (1 + t**2 / 9) * math.sqrt(0.16 / 9 + t**2 / (4 * 81))
    assert (found.low, found.high) == pytest.approx((centre - reach, centre + reach))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_right_or_all_wrong_is_not_certain(value: float) -> None:
    few, many = cluster_mean([value] * 10), cluster_mean([value] * 200)
    assert few.se == many.se == 0
    assert 0.2 < few.high - few.low < 0.45
    assert 0 < many.high - many.low < 0.025
    # Ten clusters of twenty are ten observations, not two hundred.
    clustered = cluster_mean([value] * 200, [row // 20 for row in range(200)])
    assert clustered.high - clustered.low == pytest.approx(few.high - few.low)


def test_equal_graded_scores_have_no_rounding_spread() -> None:
    found = cluster_mean([0.1] * 7)
    assert found.se == 0
    assert found.low < 0.1 < found.high


def test_a_single_cluster_is_nearly_ignorance() -> None:
    found = cluster_mean([1, 0, 1, 1], ["a"] * 4)
    assert found.clusters == 1
    assert found.se == pytest.approx(math.sqrt(0.75 * 0.25))
    assert found.high - found.low > 0.9
    with pytest.raises(ValueError, match="one cluster"):
        cluster_mean([5.0, 6.0], ["a", "a"], bounded=False)


def test_unbounded_scores_get_a_t_interval() -> None:
    scores = [7.0, 8.5, 6.0, 9.0, 5.5]
    low, high = stats.t.interval(0.9, 4, np.mean(scores), stats.sem(scores))
    found = cluster_mean(scores, level=0.9, bounded=False)
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([], {}),
        ([0.5, math.nan], {}),
        ([0.5, math.inf], {"bounded": False}),
        ([0.5, 1.5], {}),
        ([-0.1, 0.5], {}),
        ([0.5, 0.5], {"clusters": ["a"]}),
        ([0.5, 0.5], {"level": 95}),
        ([[0.5, 0.5]], {}),
    ],
)
def test_faulty_input_is_refused(values: list[float], options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        cluster_mean(values, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("groups", "size", "share"), [(8, 10, 0.7), (20, 5, 0.5), (60, 4, 0.85)])
def test_coverage_on_clustered_bernoulli(groups: int, size: int, share: float) -> None:
    """Nominal 95 % intervals hold the truth about as often; ignoring the clusters does not."""
    random = np.random.default_rng(20240501)
    runs, held, held_naive = 800, 0, 0
    clusters = [row // size for row in range(groups * size)]
    for _ in range(runs):
        # Beta-Bernoulli: correlation .4 within a cluster.
        rates = random.beta(share * 1.5, (1 - share) * 1.5, groups)
        scores = (random.random((groups, size)) < rates[:, None]).astype(float).ravel()
        found, naive = cluster_mean(scores, clusters), cluster_mean(scores)
        held += found.low <= share <= found.high
        held_naive += naive.low <= share <= naive.high
    assert 0.92 <= held / runs <= 0.98
    assert held_naive / runs < 0.9


def test_mean_of_means_is_unweighted() -> None:
    small, large = cluster_mean([1, 0]), cluster_mean([1] * 90 + [0] * 10)
    found = mean_of_means([small, large])
    assert found.mean == pytest.approx((0.5 + 0.9) / 2)
    assert found.se == pytest.approx(math.sqrt(small.se**2 + large.se**2) / 2)
    assert (found.n, found.clusters) == (102, 102)
    assert found.low < found.mean < found.high


def test_mean_of_one_is_that_one() -> None:
    for scores in ([1, 0, 1, 1], [1, 1, 1]):
        one = cluster_mean(scores)
        assert mean_of_means([one]).to_dict() == pytest.approx(one.to_dict())


def test_mean_of_equal_halves_is_the_satterthwaite_t_interval() -> None:
    one = cluster_mean([5.0, 7.0, 9.0], bounded=False)
    found = mean_of_means([one, one], bounded=False)
    assert found.df == pytest.approx(4)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 4) * one.se / math.sqrt(2))


def test_mean_of_perfect_genres_is_not_certain() -> None:
    ten, two = cluster_mean([1.0] * 10), cluster_mean([1.0] * 2)
    sure, unsure = mean_of_means([ten] * 8), mean_of_means([ten] * 7 + [two])
    assert sure.se == 0
    assert 0.9 < sure.low < 1 == sure.high
    assert unsure.low < sure.low


@pytest.mark.parametrize("shares", [[0.95] * 8, [0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.9, 0.3]])
def test_coverage_of_the_mean_of_genres(shares: list[float]) -> None:
    random = np.random.default_rng(7)
    runs, held = 600, 0
    for _ in range(runs):
        genres = [cluster_mean((random.random(10) < share).astype(float)) for share in shares]
        found = mean_of_means(genres)
        held += found.low <= np.mean(shares) <= found.high
    assert 0.92 <= held / runs <= 0.98


def test_mean_of_means_refuses_nothing_and_nan() -> None:
    with pytest.raises(ValueError):
        mean_of_means([])
    with pytest.raises(ValueError):
        mean_of_means([Estimate(math.nan, 0.1, 0, 1, 3, 3)])
    with pytest.raises(ValueError):
        mean_of_means([Estimate(7.0, 0.1, 6, 8, 3, 3, 2)])


def test_to_dict_is_plain_json() -> None:
    import json

    plain = Estimate(0.5, 0.1, 0.3, 0.7, 10, 10).to_dict()
    assert plain["df"] is None
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    json.dumps(cluster_mean([0.0, 1.0]).to_dict(), allow_nan=False)
