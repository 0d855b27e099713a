"""Variance components and corrected judge rates: statsmodels and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.components import predicted_se, variance_split
from harness.statistics.rogan_gladen import rogan_gladen


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
    found = variance_split(y, i.tolist(), g.tolist())
    assert found.questions == pytest.approx(2.0894083170672677, rel=1e-4)
    assert found.generation == pytest.approx(0.5892596525053534, rel=1e-4)
    assert found.judge == pytest.approx(0.04344040533499953, rel=1e-4)
    assert found.n == 48


def test_unbalanced_components_are_unbiased() -> None:
    random = np.random.default_rng(1)
    found = [variance_split(*nested(random, 40, 1.5, 1.0, 0.5)) for _ in range(150)]
    assert np.mean([x.questions for x in found]) == pytest.approx(2.25, rel=0.08)
    assert np.mean([x.generation for x in found]) == pytest.approx(1.0, rel=0.08)  # type: ignore[misc]
    assert np.mean([x.judge for x in found]) == pytest.approx(0.25, rel=0.08)  # type: ignore[misc]


def test_what_was_not_repeated_is_not_told_apart() -> None:
    once = variance_split([1.0, 2.0, 4.0], ["a", "b", "c"], [0, 0, 0])
    assert (once.generation, once.judge) == (None, None)
    assert once.questions == pytest.approx(np.var([1, 2, 4], ddof=1))
    samples = variance_split([1.0, 2.0, 4.0, 6.0], ["a", "a", "b", "b"], [0, 1, 0, 1])
    assert samples.judge is None
    assert samples.generation == pytest.approx(1.25)
    judged = variance_split([1.0, 2.0, 4.0, 6.0], ["a", "a", "b", "b"], [0, 0, 0, 0])
    assert judged.generation is None
    assert judged.judge == pytest.approx(1.25)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_components_scale_and_do_not_shift(seed: int, factor: float, shift: float) -> None:
    scores, items, generations = nested(np.random.default_rng(seed), 6, 1, 1, 1)
    one = variance_split(scores, items, generations)
    two = variance_split([factor * y + shift for y in scores], items, generations)
    for name in ("questions", "generation", "judge"):
        a, b = getattr(one, name), getattr(two, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert b == pytest.approx(factor**2 * a, rel=1e-6, abs=1e-9)


def test_predicted_errors_of_a_design() -> None:
    random = np.random.default_rng(2)
    found = variance_split(*nested(random, 400, 1.5, 1.0, 0.5))
    # Two checkpoints of equal merit, 30 items, two generations, three judgments each.
    changes = []
    for _ in range(600):
        noise = random.normal(0, 1.0, (2, 30, 2, 1)) + random.normal(0, 0.5, (2, 30, 2, 3))
        changes.append(noise[1].mean() - noise[0].mean())
    assert predicted_se(found, 30, 2, 3) == pytest.approx(np.std(changes), rel=0.1)
    assert predicted_se(found, 30, 2, 3, paired=False) > 2 * predicted_se(found, 30, 2, 3)
    with pytest.raises(ValueError):
        predicted_se(found, 0)


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
        variance_split([1.0, 2.0], ["a", "a"], [0, 1])
    with pytest.raises(ValueError):
        variance_split([1.0, 2.0], ["a", "b"], [0])
