"""Rank correlations with intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.arena.correlation import Agreement, kendall, spearman


def test_by_hand() -> None:
    ratings, scores = [1, 2, 3, 4, 5], [1, 3, 2, 5, 4]
    # Σd² = 4: ρ = 1 − 6·4/(5·24); two of ten pairs are the wrong way round.
    assert spearman(ratings, scores).value == pytest.approx(0.8)
    assert kendall(ratings, scores).value == pytest.approx(0.6)
    # z = atanh 0.6, error √(0.437/1).
    low, high = np.tanh(np.arctanh(0.6) + np.array([-1, 1]) * 1.959964 * 0.437**0.5)
    found = kendall(ratings, scores)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_too_few_or_all_alike_have_no_value() -> None:
    assert spearman([1], [1]).value is None
    assert kendall([1, 2, 3], [5, 5, 5]).value is None
    four = spearman([1, 2, 3, 4], [1, 2, 4, 3])
    assert four.value == pytest.approx(0.8)
    assert four.low is None
    with pytest.raises(ValueError, match="2 ratings for 3 scores"):
        spearman([1, 2], [1, 2, 3])
    row = Agreement("math", four, kendall([1, 2, 3, 4], [1, 2, 4, 3])).to_dict()
    assert row["models"] == 4
    assert row["spearman_low"] is None


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=2, max_size=30))
@settings(deadline=None)
def test_bounds_enclose_the_value(pairs: list[tuple[int, int]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    for method in (spearman, kendall):
        found = method(one, other)
        if found.value is not None and found.low is not None and found.high is not None:
            assert -1 <= found.low <= found.value <= found.high <= 1


def test_intervals_cover() -> None:
    """Normal pairs of ρ = 0.6 over 20 models: population Spearman is (6/π) asin(ρ/2)."""
    rng = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.3)
    tau = 2 / np.pi * np.arcsin(0.6)
    inside = np.zeros(2)
    for _ in range(600):
        x, noise = rng.standard_normal((2, 20))
        y = 0.6 * x + 0.8 * noise
        for i, (method, true) in enumerate(((spearman, truth), (kendall, tau))):
            found = method(x.tolist(), y.tolist())
            assert found.low is not None
            assert found.high is not None
            inside[i] += found.low <= true <= found.high
    assert (np.abs(inside / 600 - 0.95) < 0.035).all()
    assert stats.spearmanr([1, 2, 3], [1, 3, 2]).statistic == spearman([1, 2, 3], [1, 3, 2]).value
