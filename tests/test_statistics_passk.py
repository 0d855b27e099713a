"""pass@k against counting every set of samples, and against exact binomials."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.means import cluster_mean
from harness.statistics.passk import mean_pass_at_k, pass_at_k


def exact(n: int, c: int, k: int) -> Fraction:
    return 1 - Fraction(comb(n - c, k), comb(n, k))


@pytest.mark.parametrize("n", range(1, 8))
def test_it_is_the_share_of_sets_with_a_right_sample(n: int) -> None:
    for c in range(n + 1):
        for k in range(1, n + 1):
            sets = list(itertools.combinations([1] * c + [0] * (n - c), k))
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, sets)) / len(sets), abs=1e-12)


@given(st.integers(1, 400), st.data())
def test_exact_binomials(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    value = pass_at_k(n, c, k)
    assert value == pytest.approx(float(exact(n, c, k)), rel=1e-9, abs=1e-12)
    assert 0 <= value <= 1
    if c < n:
        assert pass_at_k(n, c + 1, k) >= value - 1e-12
    if k < n:
        assert pass_at_k(n, c, k + 1) >= value - 1e-12


def test_ends() -> None:
    assert pass_at_k(10, 0, 5) == 0.0
    assert pass_at_k(10, 10, 1) == 1.0
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_at_k(10, 6, 5) == 1.0
    assert pass_at_k(200, 1, 100) == pytest.approx(0.5)
    assert pass_at_k(1_000_000, 1, 1) == pytest.approx(1e-6)


def test_it_is_unbiased() -> None:
    """Over all draws of n samples its mean is the true pass@k, which 1 − (1 − c/n)^k misses."""
    p, n, k = 0.2, 8, 4
    weights = [comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    mean = sum(w * pass_at_k(n, c, k) for c, w in enumerate(weights))
    naive = sum(w * (1 - (1 - c / n) ** k) for c, w in enumerate(weights))
    assert mean == pytest.approx(1 - (1 - p) ** k)
    assert naive < mean - 0.02


def test_the_mean_and_its_interval_are_by_problem() -> None:
    counts = [(4, 0), (4, 1), (4, 4), (8, 2)]
    found = mean_pass_at_k(counts, 2)
    values = [0.0, 0.5, 1.0, 1 - 15 / 28]
    assert found.mean == pytest.approx(float(np.mean(values)))
    assert found == cluster_mean([pass_at_k(n, c, 2) for n, c in counts])
    assert (found.n, found.clusters) == (4, 4)
    assert mean_pass_at_k(counts, 2, ["a", "a", "b", "b"]).clusters == 2
    assert 0 <= found.low < found.mean < found.high <= 1


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4), (0, 0, 1)])
def test_what_has_no_estimate_is_an_error(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        pass_at_k(n, c, k)


def test_no_problem_is_an_error() -> None:
    with pytest.raises(ValueError, match="no scores"):
        mean_pass_at_k([], 1)
