"""The prediction-powered mean, against ppi_py and in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.prediction_powered import corrected_mean

HUMAN = [4.4, 6.5, 2.7, 7.3, 8.3, 5.1, 6.9, 6.5, 5.2, 4.3, 1.9, 8.8]
JUDGED = [5.6, 10.5, 6.1, 7.6, 6.7, 8.1, 6.2, 9.1, 5.5, 5.9, 2.2, 11.4]
# fmt: off
ALONE = [6.3, 5.7, 8.3, 4.5, 8.2, 3.9, 7.7, 4.2, 2.5, 5.2, 3.3, 7.7, 6.5, 7.6, 6.7, 5.7, 6.6, 8.8,
         6.1, 4.8, 4.4, 6.0, 4.9, 10.6, 3.9, 4.1, 5.8, 7.9, 5.9, 4.4]
# fmt: on


@pytest.mark.parametrize(
    ("weight", "mean", "low", "high"),
    [
        (1.0, 4.523333333333334, 3.3795522692768785, 5.66711439738979),
        (None, 5.004093198685091, 4.127003482483845, 5.881182914886336),
        (0.0, 5.658333333333334, 4.51118722956236, 6.805479437104308),
    ],
)
def test_equals_ppi_py(weight: float | None, mean: float, low: float, high: float) -> None:
    """ppi_py 0.2.3 (ppi_mean_ci) takes variances with ddof 0 and the normal quantile; its error
    is recovered from ours part by part."""
    told = corrected_mean(HUMAN, JUDGED, ALONE, weight)
    assert told.mean == pytest.approx(mean)
    rest = np.array(HUMAN) - told.weight * np.array(JUDGED)
    theirs = (high - low) / 2 / 1.959963984540054
    parts = told.weight**2 * np.var(ALONE) / 30, rest.var() / 12
    assert math.sqrt(sum(parts)) == pytest.approx(theirs)
    assert told.se == pytest.approx(math.sqrt(parts[0] * 30 / 29 + parts[1] * 12 / 11))
    assert 11 <= told.df <= 40
    assert told.low < low
    assert told.high > high


def test_no_weight_is_the_human_mean() -> None:
    told = corrected_mean(HUMAN, JUDGED, ALONE, 0)
    assert told.mean == told.human_mean == pytest.approx(np.mean(HUMAN))
    assert told.se == pytest.approx(np.std(HUMAN, ddof=1) / math.sqrt(12))
    assert told.df == pytest.approx(11)


def test_a_perfect_judge_counts_fully_and_a_blind_one_hardly() -> None:
    random = np.random.default_rng(2)
    human, alone = random.normal(6, 2, 40), random.normal(6, 2, 4000)
    perfect = corrected_mean(human.tolist(), human.tolist(), alone.tolist())
    assert perfect.weight > 0.8
    assert perfect.se < 0.25 * np.std(human) / math.sqrt(40)
    blind = corrected_mean(human.tolist(), random.normal(6, 2, 40).tolist(), alone.tolist())
    assert blind.weight < 0.3
    constant = corrected_mean(human.tolist(), [5.0] * 40, [5.0] * 10)
    assert constant.weight == 0


def test_covers_what_humans_would_say_though_the_judge_is_biased() -> None:
    random = np.random.default_rng(17)
    covered = shorter = 0
    for _ in range(1000):
        truth = random.normal(5, 1.5, 330)
        judge = truth + 0.8 + random.normal(0, 0.7, 330)
        told = corrected_mean(truth[:30].tolist(), judge[:30].tolist(), judge[30:].tolist())
        covered += told.low <= 5 <= told.high
        plain = 2.045 * truth[:30].std(ddof=1) / math.sqrt(30)
        shorter += told.high - told.low < 2 * plain
        assert told.judge_mean > 5.3
    assert 0.925 <= covered / 1000 <= 0.97
    assert shorter > 950


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 10), st.floats(1, 10)), min_size=2, max_size=20),
    st.lists(st.floats(1, 10), min_size=2, max_size=20),
)
def test_any_ratings(pairs: list[tuple[float, float]], alone: list[float]) -> None:
    told = corrected_mean([a for a, _ in pairs], [b for _, b in pairs], alone)
    assert 0 <= told.weight <= 1
    assert told.low <= told.mean <= told.high


def test_what_cannot_be_corrected() -> None:
    with pytest.raises(ValueError, match="2 human and 1"):
        corrected_mean([1, 2], [1], [1, 2])
    with pytest.raises(ValueError, match="1 items scored by both"):
        corrected_mean([1], [1], [1, 2])
    with pytest.raises(ValueError, match="NaN"):
        corrected_mean([1, math.nan], [1, 2], [1, 2])
    with pytest.raises(ValueError, match="weight is 2"):
        corrected_mean([1, 2], [1, 2], [1, 2], 2)
