"""Confidence sequences, e-values and online FDR: validity by simulation, definitions by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.sequential import (
    confidence_sequence,
    drop_e_values,
    lond,
    saffron,
)

METHODS = ["betting", "empirical-bernstein"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mean", [0.1, 0.5])
def test_the_mean_is_held_at_all_times_together(method: str, mean: float) -> None:
    random = np.random.default_rng(1)
    missed = 0
    for _ in range(200):
        scores = (random.random(300) < mean).astype(float)
        found = confidence_sequence(scores, method=method, grid=400)  # type: ignore[arg-type]
        missed += bool(((found.low > mean) | (found.high < mean)).any())
    assert missed / 200 <= 0.07


def test_peeking_at_ordinary_intervals_misses_far_more() -> None:
    random = np.random.default_rng(1)
    missed = 0
    for _ in range(200):
        scores = (random.random(300) < 0.5).astype(float)
        n = np.arange(10, 301)
        running = np.cumsum(scores)[9:] / n
        missed += bool((np.abs(running - 0.5) > 1.96 * 0.5 / np.sqrt(n)).any())
    assert missed / 200 > 0.2


def test_betting_is_narrower_and_both_narrow_with_the_variance() -> None:
    random = np.random.default_rng(2)
    steady, coin = random.normal(0.5, 0.02, 500), (random.random(500) < 0.5).astype(float)
    for scores in (steady, coin):
        bet, bernstein = (confidence_sequence(scores, method=m) for m in METHODS)  # type: ignore[arg-type]
        assert bet.high[-1] - bet.low[-1] <= bernstein.high[-1] - bernstein.low[-1] + 0.002
    narrow, wide = confidence_sequence(steady), confidence_sequence(coin)
    assert narrow.high[-1] - narrow.low[-1] < 0.5 * (wide.high[-1] - wide.low[-1])


def test_the_closed_form_is_theorem_2() -> None:
    """Waudby-Smith and Ramdas (2023), theorem 2, written out step by step."""
    scores, alpha = [0.2, 0.9, 0.4, 0.4, 0.7, 0.1], 0.1
    weighted = cost = total = 0.0
    low, high = 0.0, 1.0
    for t, x in enumerate(scores, 1):
        past = scores[: t - 1]
        means = [(0.5 + sum(past[:i])) / (i + 1) for i in range(t)]
        spread = (0.25 + sum((past[i - 1] - means[i]) ** 2 for i in range(1, t))) / t
        bet = min(math.sqrt(2 * math.log(2 / alpha) / (spread * t * math.log(1 + t))), 0.5)
        weighted, total = weighted + bet * x, total + bet
        cost += 4 * (x - means[-1]) ** 2 * (-math.log(1 - bet) - bet) / 4
        reach = (math.log(2 / alpha) + cost) / total
        low, high = max(low, weighted / total - reach), min(high, weighted / total + reach)
    found = confidence_sequence(scores, alpha, method="empirical-bernstein")
    assert (found.low[-1], found.high[-1]) == pytest.approx((low, high))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.sampled_from(METHODS))
def test_limits_narrow_and_mirror(scores: list[float], method: str) -> None:
    one = confidence_sequence(scores, bounds=(-1, 1), method=method, grid=200)  # type: ignore[arg-type]
    two = confidence_sequence([-x for x in scores], bounds=(-1, 1), method=method, grid=200)  # type: ignore[arg-type]
    assert (np.diff(one.low) >= 0).all()
    assert (np.diff(one.high) <= 0).all()
    assert one.low.min() >= -1
    assert one.high.max() <= 1
    assert one.low == pytest.approx(-two.high, abs=1e-9 if method != "betting" else 0.011)


def test_e_values_of_no_drop_rarely_grow_and_of_a_drop_do() -> None:
    random = np.random.default_rng(3)
    alarms = found = 0
    for _ in range(400):
        none = random.choice([-1, 0, 1], 400, p=[0.1, 0.8, 0.1])
        drop = random.choice([-1, 0, 1], 400, p=[0.2, 0.75, 0.05])
        alarms += drop_e_values(none).max() >= 20
        found += drop_e_values(drop).max() >= 20
    assert alarms / 400 <= 0.06
    assert found / 400 > 0.9


def test_e_values_are_a_fair_game_under_the_null() -> None:
    """The mean e-value over all outcomes of three fair flips is 1 exactly."""
    outcomes = [(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    assert np.mean([drop_e_values(o)[-1] for o in outcomes]) == pytest.approx(1)


def test_multiplying_over_checkpoints_that_share_items_is_invalid() -> None:
    """The reason for the module's warning: the luck of one baseline enters every factor, so that
    the product of e-values, each of them valid, is none."""
    random = np.random.default_rng(4)
    alarms = alone = 0
    for _ in range(400):
        base = (random.random(200) < 0.6).astype(float)
        cands = (random.random((20, 200)) < 0.6).astype(float)
        evidence = np.log1p(-0.1 * (cands - base)).sum(axis=1)
        alarms += np.cumsum(evidence).max() >= math.log(20)
        alone += evidence[0] >= math.log(20)
    assert alone / 400 <= 0.05
    assert alarms / 400 > 0.15


def test_lond_by_its_definition() -> None:
    p = [0.001, 0.2, 0.004, 0.9, 0.0001]
    found = lond(p, 0.05)
    share = [1 / (t * math.log(max(t, 2)) ** 2) / 4.1912 for t in range(1, 6)]
    before, levels = 0, []
    for i, value in enumerate(p):
        levels.append(0.05 * share[i] * (1 + before))
        before += value <= levels[-1]
    assert found.levels == pytest.approx(levels)
    assert found.rejected.tolist() == [a <= b for a, b in zip(p, levels, strict=True)]
    assert found.rejected[0]


def test_saffron_earns_by_discoveries_and_pays_for_non_candidates() -> None:
    quiet = saffron([0.9] * 20)
    busy = saffron([1e-9] * 3 + [0.9] * 17)
    cheap = saffron([0.4] * 20)
    assert (np.diff(quiet.levels) < 0).all()
    # Candidates cost nothing: the level of the first stays.
    assert cheap.levels == pytest.approx(np.full(20, cheap.levels[0]))
    assert busy.levels[3] > cheap.levels[0]
    assert busy.rejected.tolist() == [True] * 3 + [False] * 17


@pytest.mark.parametrize("rule", [lond, saffron])
def test_online_rules_keep_the_false_discovery_rate(rule: object) -> None:
    random = np.random.default_rng(5)
    shares = []
    for _ in range(300):
        true = random.random(60) < 0.2
        p = np.where(true, random.beta(0.05, 3, 60), random.random(60))
        rejected = rule(p).rejected  # type: ignore[operator]
        shares.append((rejected & ~true).sum() / max(1, rejected.sum()))
        assert (rejected & true).sum() > 0
    assert np.mean(shares) <= 0.06


def test_faulty_streams_are_refused() -> None:
    for values, options in (
        ([1.5], {}),
        ([-0.1], {}),
        ([], {}),
        ([math.nan], {}),
        ([0.5], {"alpha": 0.0}),
        ([0.5], {"bounds": (1.0, 0.0)}),
    ):
        with pytest.raises(ValueError):
            confidence_sequence(values, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        drop_e_values([0.5], null=1.0)
    with pytest.raises(ValueError):
        lond([1.2])
    with pytest.raises(ValueError):
        saffron([0.2], candidate=1.0)
