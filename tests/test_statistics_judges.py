"""Variance components and corrected judge means: statsmodels, ppi-python and simulated truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.components import predicted_se, variance_components
from harness.statistics.judge_correction import prediction_powered_mean, rogan_gladen


def nested(
    random: np.random.Generator, items: int, item: float, generation: float, judge: float
) -> tuple[list[float], list[int], list[int]]:
    """An unbalanced design: 1 to 4 generations an item, 1 to 3 judgments each."""
    rows: list[tuple[float, int, int]] = []
    for i in range(items):
        level = random.normal(5, item)
        for g in range(int(random.integers(1, 5))):
            answer = level + random.normal(0, generation)
            rows += [
                (answer + random.normal(0, judge), i, g) for _ in range(int(random.integers(1, 4)))
            ]
    scores, items_of, generations = zip(*rows, strict=True)
    return list(scores), list(items_of), list(generations)


def test_balanced_components_agree_with_reml() -> None:
    # statsmodels 0.15.0: mixedlm("y ~ 1", groups="i", re_formula="1",
    # vc_formula={"g": "0 + C(g)"}).fit(reml=True): cov_re, vcomp, scale.
    i = np.repeat(np.arange(8), 6)
    g = np.tile(np.repeat(np.arange(3), 2), 8)
    j = np.tile(np.arange(2), 24)
    y = 6 + 2 * np.sin(1.3 * i) + 1.2 * np.cos(7.3 * (i * 3 + g))
    y = np.round(y + 0.5 * np.sin(11.7 * (i * 6 + g * 2 + j) + 1), 3)
    found = variance_components(y, i.tolist(), g.tolist())
    assert found.item == pytest.approx(2.0894083170672677, rel=1e-4)
    assert found.generation == pytest.approx(0.5892596525053534, rel=1e-4)
    assert found.judge == pytest.approx(0.04344040533499953, rel=1e-4)
    assert (found.items, found.generations, found.judgments) == (8, 24, 48)
    json.dumps(found.to_dict(), allow_nan=False)


def test_unbalanced_components_are_unbiased() -> None:
    random = np.random.default_rng(1)
    found = [variance_components(*nested(random, 40, 1.5, 1.0, 0.5)) for _ in range(150)]
    assert np.mean([x.item for x in found]) == pytest.approx(2.25, rel=0.08)
    assert np.mean([x.generation for x in found]) == pytest.approx(1.0, rel=0.08)  # type: ignore[misc]
    assert np.mean([x.judge for x in found]) == pytest.approx(0.25, rel=0.08)  # type: ignore[misc]


def test_what_was_not_repeated_is_not_told_apart() -> None:
    once = variance_components([1.0, 2.0, 4.0], ["a", "b", "c"], [0, 0, 0])
    assert (once.generation, once.judge) == (None, None)
    assert once.item == pytest.approx(np.var([1, 2, 4], ddof=1))
    samples = variance_components([1.0, 2.0, 4.0, 6.0], ["a", "a", "b", "b"], [0, 1, 0, 1])
    assert samples.judge is None
    assert samples.generation == pytest.approx(1.25)
    judged = variance_components([1.0, 2.0, 4.0, 6.0], ["a", "a", "b", "b"], [0, 0, 0, 0])
    assert judged.generation is None
    assert judged.judge == pytest.approx(1.25)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_components_scale_and_do_not_shift(seed: int, factor: float, shift: float) -> None:
    scores, items, generations = nested(np.random.default_rng(seed), 6, 1, 1, 1)
    one = variance_components(scores, items, generations)
    two = variance_components([factor * y + shift for y in scores], items, generations)
    for name in ("item", "generation", "judge"):
        a, b = getattr(one, name), getattr(two, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert b == pytest.approx(factor**2 * a, rel=1e-6, abs=1e-9)


def test_predicted_errors_of_a_design() -> None:
    random = np.random.default_rng(2)
    found = variance_components(*nested(random, 400, 1.5, 1.0, 0.5))
    # Two checkpoints of equal merit, 30 items, two generations, three judgments each.
    changes = []
    for _ in range(600):
        noise = random.normal(0, 1.0, (2, 30, 2, 1)) + random.normal(0, 0.5, (2, 30, 2, 3))
        changes.append(noise[1].mean() - noise[0].mean())
    assert predicted_se(found, 30, 2, 3) == pytest.approx(np.std(changes), rel=0.1)
    assert predicted_se(found, 30, 2, 3, paired=False) > 2 * predicted_se(found, 30, 2, 3)
    with pytest.raises(ValueError):
        predicted_se(found, 0)


HUMAN = np.round(5 + 2 * np.sin(1.7 * np.arange(40)), 3)
JUDGED = np.round(HUMAN + 0.6 + 0.9 * np.cos(5.1 * np.arange(40)), 3)
REST = np.round(5.5 + 2.1 * np.sin(2.3 * np.arange(300)), 3)


@pytest.mark.parametrize(
    ("weight", "mean", "low", "high"),
    [
        # ppi-python 0.2.3: ppi_mean_pointestimate(HUMAN, JUDGED, REST, lam=weight) and
        # ppi_mean_ci(..., alpha=0.05, lam=weight)
        (1.0, 4.885223333333333, 4.626206839442631, 5.144239827224036),
        (0.5, 4.959949166666666, 4.710861904771908, 5.209036428561425),
        (None, 4.917091179163283, 4.695874989203895, 5.138307369122672),
    ],
)
def test_prediction_powered_mean_agrees_with_ppi_python(
    weight: float | None, mean: float, low: float, high: float
) -> None:
    found = prediction_powered_mean(HUMAN, JUDGED, REST, weight=weight)
    assert found.mean == pytest.approx(mean, rel=1e-5)
    # Theirs is the normal interval with variances over n; ours has n − 1 and Student's t.
    assert found.high - found.low == pytest.approx(high - low, rel=0.04)
    assert found.high - found.low >= high - low


def test_weight_zero_is_the_human_mean() -> None:
    found = prediction_powered_mean(HUMAN, JUDGED, REST, weight=0.0)
    assert found.mean == pytest.approx(HUMAN.mean())
    assert found.se == pytest.approx(HUMAN.std(ddof=1) / math.sqrt(40))


def test_a_biased_judge_is_corrected_and_the_interval_is_shorter_than_human_alone() -> None:
    random = np.random.default_rng(3)
    held = shorter = 0
    naive = []
    for _ in range(500):
        truth = (random.random(560) < 0.6).astype(float)
        judge = np.where(random.random(560) < 0.85, truth, 1.0)
        found = prediction_powered_mean(truth[:160], judge[:160], judge[160:])
        alone = prediction_powered_mean(truth[:160], judge[:160], judge[160:], weight=0.0)
        held += found.low <= 0.6 <= found.high
        shorter += found.high - found.low < alone.high - alone.low
        naive.append(found.naive)
    assert 0.92 <= held / 500 <= 0.98
    assert shorter / 500 > 0.95
    assert np.mean(naive) > 0.64


def test_clusters_widen_the_corrected_interval() -> None:
    keys = np.arange(300) // 10
    random = np.random.default_rng(4)
    rest = random.normal(0, 1, 30)[keys] + 5
    alone = prediction_powered_mean(HUMAN, JUDGED, rest, weight=1.0)
    clustered = prediction_powered_mean(HUMAN, JUDGED, rest, unlabelled_clusters=keys, weight=1.0)
    assert clustered.mean == alone.mean
    assert clustered.se > 1.3 * alone.se


def test_a_perfect_judge_needs_no_correction() -> None:
    found = rogan_gladen(60, 100, 50, 50, 50, 50)
    assert found.mean == pytest.approx(0.6)
    assert found.se == pytest.approx(math.sqrt(0.24 / 100))


def test_rogan_gladen_by_hand() -> None:
    # q .41, sensitivity .9, specificity .8: (.41 + .8 − 1)/.7 = .3.
    found = rogan_gladen(41, 100, 45, 50, 40, 50)
    assert found.mean == pytest.approx(0.3)
    variance = 0.41 * 0.59 / 100 + 0.09 * 0.09 / 50 + 0.49 * 0.16 / 50
    assert found.se == pytest.approx(math.sqrt(variance) / 0.7)
    assert found.naive == 0.41


@pytest.mark.parametrize(
    ("rate", "sensitivity", "specificity"), [(0.3, 0.9, 0.8), (0.8, 0.85, 0.9), (0.05, 0.95, 0.9)]
)
def test_rogan_gladen_covers(rate: float, sensitivity: float, specificity: float) -> None:
    random = np.random.default_rng(5)
    seen = rate * sensitivity + (1 - rate) * (1 - specificity)
    held = 0
    for _ in range(800):
        found = rogan_gladen(
            int(random.binomial(200, seen)),
            200,
            int(random.binomial(60, sensitivity)),
            60,
            int(random.binomial(60, specificity)),
            60,
        )
        held += found.low <= rate <= found.high
    assert 0.92 <= held / 800 <= 0.98


def test_faulty_judgments_are_refused() -> None:
    with pytest.raises(ValueError, match="chance"):
        rogan_gladen(5, 10, 5, 10, 5, 10)
    with pytest.raises(ValueError):
        rogan_gladen(11, 10, 5, 10, 9, 10)
    with pytest.raises(ValueError):
        prediction_powered_mean([1.0, 2.0], [1.0], REST)
    with pytest.raises(ValueError):
        variance_components([1.0, 2.0], ["a", "a"], [0, 1])
    with pytest.raises(ValueError):
        variance_components([1.0, 2.0], ["a", "b"], [0])
