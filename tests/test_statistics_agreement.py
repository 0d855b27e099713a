"""Agreement of raters and variance components, against scikit-learn, SciPy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.agreement import (
    cohen_kappa,
    label_agreement,
    rating_agreement,
    spearman,
    weighted_kappa,
)
from harness.statistics.components import variance_split, within_slope

RATINGS = st.lists(st.tuples(st.integers(1, 10), st.integers(1, 10)), min_size=2, max_size=40).map(
    lambda pairs: np.array(pairs, dtype=float).T
)


def test_cohens_own_arithmetic() -> None:
    """20 and 15 of 50 alike; expected by chance 0.5: (0.7 − 0.5)/(1 − 0.5)."""
    first = np.array([1.0] * 25 + [0.0] * 25)
    second = np.array([1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15)
    assert cohen_kappa(first, second) == pytest.approx(0.4)


@settings(max_examples=200, deadline=None)
@given(RATINGS)
def test_kappas_equal_scikit_learns(pairs: np.ndarray) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = pairs
    if len({*first, *second}) == 1:
        assert math.isnan(cohen_kappa(first, second))
        assert math.isnan(weighted_kappa(first, second))
        return
    assert cohen_kappa(first, second) == pytest.approx(metrics.cohen_kappa_score(first, second))
    assert weighted_kappa(first, second) == pytest.approx(
        metrics.cohen_kappa_score(
            first.astype(int), second.astype(int), weights="quadratic", labels=list(range(1, 11))
        )
    )


@settings(max_examples=200, deadline=None)
@given(RATINGS)
def test_spearman_equals_scipys(pairs: np.ndarray) -> None:
    first, second = pairs
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert math.isnan(spearman(first, second))
    else:
        expected = stats.spearmanr(first, second).statistic
        assert spearman(first, second) == pytest.approx(expected, abs=1e-12)


def test_agreement_of_a_rater_with_itself_and_with_its_opposite() -> None:
    ratings = [1.0, 4, 7, 10, 3, 8]
    same = rating_agreement(ratings, ratings)
    for one in (same.exact, same.kappa, same.weighted_kappa, same.spearman):
        assert one is not None
        assert (one.value, one.high) == (pytest.approx(1), pytest.approx(1))
    opposite = rating_agreement(ratings, [11 - one for one in ratings])
    assert opposite.spearman is not None
    assert opposite.spearman.value == pytest.approx(-1)
    assert opposite.difference.value == pytest.approx(0)


def test_a_constant_rater_has_no_correlation() -> None:
    told = rating_agreement([5, 5, 5], [4, 5, 6])
    assert told.spearman is None
    assert told.kappa is not None
    assert rating_agreement([5, 5], [5, 5]).kappa is None


def test_intervals_resample_clusters() -> None:
    """Six copies of each question carry no more than one: the interval of the copies is that of
    the questions, not narrower by √6."""
    random = np.random.default_rng(1)
    first = random.integers(1, 11, 40).astype(float)
    second = np.clip(first + random.integers(-2, 3, 40), 1, 10)
    plain = rating_agreement(first.tolist(), second.tolist(), draws=2000)
    copies = rating_agreement(
        np.repeat(first, 6).tolist(),
        np.repeat(second, 6).tolist(),
        np.repeat(np.arange(40), 6).tolist(),
        draws=2000,
    )
    naive = rating_agreement(np.repeat(first, 6).tolist(), np.repeat(second, 6).tolist())

    def width(one: object) -> float:
        return one.high - one.low  # type: ignore[attr-defined,no-any-return]

    assert copies.clusters == 40
    assert copies.difference.value == pytest.approx(plain.difference.value)
    assert width(copies.difference) == pytest.approx(width(plain.difference), rel=0.08)
    assert width(naive.difference) < 0.55 * width(plain.difference)


def test_bootstrap_of_a_mean_difference_is_close_to_the_normal_interval() -> None:
    random = np.random.default_rng(5)
    gap = random.normal(0.3, 1, 200)
    told = rating_agreement((5 + gap).tolist(), [5.0] * 200, draws=4000)
    reach = 1.96 * gap.std() / math.sqrt(200)
    assert told.difference.low == pytest.approx(gap.mean() - reach, abs=0.02)
    assert told.difference.high == pytest.approx(gap.mean() + reach, abs=0.02)


def test_labels_without_an_order() -> None:
    exact, kappa = label_agreement(["A", "B", "tie", "A"], ["A", "B", "A", "A"])
    assert exact.value == 0.75
    assert kappa is not None
    # By chance: A 2/4 · 3/4, B 1/4 · 1/4, tie 1/4 · 0.
    assert kappa.value == pytest.approx((0.75 - 7 / 16) / (1 - 7 / 16))


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="2 and 1 ratings"):
        rating_agreement([1, 2], [1])
    with pytest.raises(ValueError, match="0 and 0 ratings"):
        rating_agreement([], [])
    with pytest.raises(ValueError, match="NaN"):
        rating_agreement([math.nan], [1])
    with pytest.raises(ValueError, match="1 cluster keys for 2"):
        rating_agreement([1, 2], [1, 2], ["a"])


# fmt: off
NESTED = [
    3.6, 4.3, 3.8, 4.2, 4.1, 4.5, 4.8, 5.5, 6.6, 4.9, 5.3, 6.3, 3.9, 5.0, 5.3, 6.2, 6.3, 5.6, 5.5,
    5.6, 7.1, 5.7, 5.8, 6.3, 6.2, 6.2, 5.5, 6.3, 4.7, 5.8, 5.5, 5.0, 6.8, 6.1, 7.0, 6.3, 4.7, 3.4,
    4.5, 3.1, 0.0, 1.2, 0.8, 1.5, 5.4, 3.2, 3.4, 3.9, 5.5, 5.0, 5.0, 5.7, 4.8, 3.7, 4.3, 4.4, 6.3,
    7.2, 6.4, 7.7, 4.9, 4.9, 4.4, 4.7, 1.4, 2.1, 3.1, 1.4, 4.7, 2.9, 4.6, 3.5, 5.5, 5.1, 3.9, 5.8,
    5.2, 4.1, 4.0, 4.1, 4.4, 5.8, 4.7, 5.0, 7.5, 7.6, 7.2, 8.9, 8.7, 9.5, 8.8, 8.3, 9.3, 9.2, 9.6,
    9.3,
]
X = [8.75, 10.38, 9.65, 6.35, 6.8, 10.24, 5.03, 9.93, 9.78, 7.81, 6.82, 6.67, 6.53, 7.67, 8.03,
     8.32, 10.97, 9.76]
Y = [10.6, 10.1, 6.9, 11.9, 7.0, 6.1, 10.5, 5.0, 11.9, 9.3, 4.0, 3.0, 7.0, 3.3, 4.4, 8.5, 13.3,
     7.9]
GROUPS = [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 5]
# fmt: on


def test_variance_split_equals_statsmodels() -> None:
    """MixedLM (REML, by iteration) of statsmodels 0.15 on 8 questions × 3 answers × 4 judgings;
    REML equals the analysis of variance where numbers are equal and no estimate is negative."""
    questions = [row // 12 for row in range(96)]
    answers = [row // 4 for row in range(96)]
    split = variance_split(NESTED, questions, answers)
    assert split.questions == pytest.approx(2.623586, abs=1e-4)
    assert split.generation == pytest.approx(1.046845, abs=1e-5)
    assert split.judge == pytest.approx(0.400972, abs=1e-5)
    assert split.mean_variance_of_questions == pytest.approx(split.questions / 8)
    assert split.mean_variance_of_generation == pytest.approx(split.generation / 24)
    assert split.mean_variance_of_judge == pytest.approx(split.judge / 96)
    total = (
        split.mean_variance_of_questions
        + split.mean_variance_of_generation
        + split.mean_variance_of_judge
    )
    by_question = np.array(NESTED).reshape(8, 12).mean(axis=1)
    assert total == pytest.approx(by_question.var(ddof=1) / 8)


LAYOUTS = st.lists(
    st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=2, max_size=5
)  # judgings of each answer, by question


@settings(max_examples=150, deadline=None)
@given(LAYOUTS)
def test_the_estimates_are_unbiased_in_any_layout(layout: list[list[int]]) -> None:
    """Mean squares are quadratic forms y'Ay; the expectation under a component with covariance V
    is tr(AV). With the estimator's own coefficients each component must come back alone."""
    questions = [
        i for i, answers in enumerate(layout) for judgings in answers for _ in range(judgings)
    ]
    answers = [
        (i, j) for i, row in enumerate(layout) for j, judgings in enumerate(row)
        for _ in range(judgings)
    ]  # fmt: skip
    n, a, b = len(questions), len(layout), len({*answers})

    def blocks(keys: list) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([[float(one == two) for two in keys] for one in keys])

    same_q, same_a = blocks(questions), blocks(answers)
    mean_q = same_q / same_q.sum(axis=1)
    mean_a = same_a / same_a.sum(axis=1)
    forms = {
        "judge": (np.eye(n) - mean_a, n - b),
        "generation": (mean_a - mean_q, b - a),
        "questions": (mean_q - np.full((n, n), 1 / n), a - 1),
    }
    covariances = {"judge": np.eye(n), "generation": same_a, "questions": same_q}
    if n == b or a == b:
        return
    expected = np.array(
        [[np.trace(form @ covariances[name]) / df for name in forms] for form, df in forms.values()]
    )
    random = np.random.default_rng(n)
    y = random.normal(5, 2, n) + 3 * random.normal(size=a)[questions]
    squares = np.array([y @ form @ y / df for form, df in forms.values()])
    judge, generation, between = np.linalg.solve(expected, squares)
    split = variance_split(y.tolist(), questions, answers)
    assert split.judge == pytest.approx(judge)
    if generation > 0:
        assert split.generation == pytest.approx(generation)
        assert split.questions == pytest.approx(max(0.0, between), abs=1e-9)
    else:
        assert split.generation == 0.0


def test_what_is_not_repeated_is_not_told_apart() -> None:
    once = variance_split([1, 2, 5, 8], [1, 1, 2, 2], [1, 2, 3, 4])
    assert once.judge is None
    assert once.generation == pytest.approx(2.5)  # (0.5 + 4.5)/2
    assert once.questions == pytest.approx(((6.5 - 1.5) / 2) ** 2 * 2 - 2.5 / 2)
    single = variance_split([1, 2, 5, 8], [1, 1, 2, 2], [1, 1, 2, 2])
    assert single.generation is None
    assert single.judge == pytest.approx(2.5)
    with pytest.raises(ValueError, match="one question"):
        variance_split([1, 2], [1, 1], [1, 2])


def test_slope_equals_statsmodels() -> None:
    """OLS with a dummy per group of statsmodels 0.15, cov_type cluster without its correction
    (0.854386), times √(5/4) for five groups; the group of one row tells nothing."""
    told = within_slope(X, Y, GROUPS)
    assert told is not None
    assert told.slope == pytest.approx(0.0236021222911, abs=1e-10)
    assert told.se == pytest.approx(0.9552326408940, abs=1e-10)
    assert (told.n, told.groups) == (17, 5)
    reach = stats.t.ppf(0.975, 4) * told.se
    assert told.high - told.slope == pytest.approx(reach)


def test_slope_is_within_groups() -> None:
    """Across groups y falls with x, within each it rises by 2."""
    told = within_slope([1, 2, 11, 12, 21, 23], [50, 52, 30, 32, 10, 14], [1, 1, 2, 2, 3, 3])
    assert told is not None
    assert told.slope == pytest.approx(2)
    assert told.correlation == pytest.approx(1)
    assert told.se == pytest.approx(0, abs=1e-9)


def test_no_slope_without_two_groups_in_which_x_varies() -> None:
    assert within_slope([], [], []) is None
    assert within_slope([1, 2, 3], [1, 2, 3], [1, 1, 2]) is None
    assert within_slope([1, 1, 2, 2], [1, 2, 3, 4], [1, 1, 2, 2]) is None
