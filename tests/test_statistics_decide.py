"""Verdicts against a margin, items needed and what no number of items can show."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import (
    correct,
    decide,
    decide_paired,
    detectable_change,
    items_needed,
    items_needed_binary,
    paired_data,
    paired_difference,
    unreachable,
)


@pytest.mark.parametrize(
    ("change", "se", "margin", "verdict"),
    [
        (-5.0, 1.0, 2.0, "regressed"),
        (-3.0, 1.0, 2.0, "regressed"),
        (5.0, 1.0, 2.0, "improved"),
        (0.2, 0.5, 2.0, "held"),
        # Real but surely smaller than what matters.
        (-0.5, 0.1, 2.0, "held"),
        (0.5, 0.1, 2.0, "held"),
        (-0.5, 0.1, 0.0, "regressed"),
        (-1.0, 1.0, 2.0, "inconclusive"),
        (1.0, 3.0, 2.0, "inconclusive"),
    ],
)
def test_verdicts(change: float, se: float, margin: float, verdict: str) -> None:
    assert decide(change, se, math.inf, margin).verdict == verdict


@settings(deadline=None)
@given(
    st.floats(-10, 10),
    st.floats(0, 5),
    st.floats(1, 200),
    st.floats(0, 5),
    st.floats(0, 4),
    st.integers(1, 8),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_no_contradictory_case(
    change: float, se: float, df: float, margin: float, tau2: float, k: int, p: float, q: float
) -> None:
    for given_p in ({}, {"p_regressed": p, "p_improved": q}):
        found = decide(change, se, df, margin, tau2, k, **given_p)  # type: ignore[arg-type]
        mirrored = decide(
            -change,
            se,
            df,
            margin,
            tau2,
            k,
            p_regressed=given_p.get("p_improved"),
            p_improved=given_p.get("p_regressed"),
        )
        swap = {"regressed": "improved", "improved": "regressed"}
        assert mirrored.verdict == swap.get(found.verdict, found.verdict)
        assert found.low <= found.change <= found.high
        if found.verdict == "regressed":
            assert found.high < 0
            assert found.low <= -margin
            assert not found.noninferior
            assert -change >= margin / 2
            assert found.p_regressed <= 0.05
        if found.verdict == "held":
            assert found.noninferior
            assert abs(change) < margin
        if found.verdict == "improved":
            assert found.noninferior
            assert change >= margin / 2
        json.dumps(found.to_dict(), allow_nan=False)


@given(st.floats(-10, 10), st.floats(0.01, 5), st.floats(0, 5), st.floats(0, 1))
def test_correction_only_takes_alarms_away(
    change: float, se: float, margin: float, up: float
) -> None:
    plain = decide(change, se, 50, margin)
    corrected = decide(
        change, se, 50, margin, p_regressed=max(plain.p_regressed, up), p_improved=up
    )
    if corrected.verdict == "regressed":
        assert plain.verdict == "regressed"
    if plain.verdict == "held":
        assert corrected.verdict == "held"
    assert (corrected.low, corrected.high) == (plain.low, plain.high)


@given(st.floats(-10, 10), st.floats(0.01, 5), st.floats(0, 5), st.floats(0.0, 4))
def test_checkpoint_noise_never_makes_an_alarm(
    change: float, se: float, margin: float, tau2: float
) -> None:
    quiet, noisy = decide(change, se, 50, margin), decide(change, se, 50, margin, tau2)
    assert noisy.se == pytest.approx(math.sqrt(se**2 + 2 * tau2))
    assert noisy.mde >= quiet.mde
    # More degrees of freedom come with the noise, so compare where the noise is not tiny.
    assume(tau2 > se**2 / 4 or tau2 == 0)
    if quiet.verdict != "regressed":
        assert noisy.verdict != "regressed"


def test_many_metrics_are_corrected_together() -> None:
    # One-sided p of .04 each: alone a regression, among five by neither method.
    weak = decide(-1.0, 1.0 / 1.7507, math.inf, 0.5)
    sure, fine = decide(-9.0, 1.0, math.inf, 0.5), decide(0.0, 0.1, math.inf, 0.5)
    assert weak.verdict == "regressed"
    found = correct([weak, sure, fine, fine, fine])
    assert [one.verdict for one in found] == ["inconclusive", "regressed", "held", "held", "held"]
    assert found[0].p_regressed == pytest.approx(4 * weak.p_regressed)
    assert correct([weak] * 5, "benjamini-hochberg") == [weak] * 5
    assert correct([weak]) == [weak]
    assert correct([]) == []


def test_a_gate_of_twenty_metrics_fails_by_chance_at_the_level() -> None:
    random = np.random.default_rng(3)
    wrong = 0
    for _ in range(400):
        drawn = [decide(x, 1.0, math.inf, 0.5) for x in random.normal(0, 1, 20)]
        wrong += any(one.verdict == "regressed" for one in correct(drawn))
    assert 0.02 <= wrong / 400 <= 0.085


def test_false_alarms_and_power_are_those_stated() -> None:
    random = np.random.default_rng(2)
    n = items_needed(4.0, 0.5)
    assert n is not None
    se = math.sqrt(4.0 / n)
    draws = random.normal(0, se, 4000)
    alarms = np.mean([decide(x, se, math.inf, 0.5).verdict == "regressed" for x in draws])
    found = np.mean([decide(x - 0.5, se, math.inf, 0.5).verdict == "regressed" for x in draws])
    assert alarms == pytest.approx(0.05, abs=0.012)
    assert found == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("margin", "items"), [(0.02, 3086), (0.05, 489), (0.10, 118)])
def test_items_needed_for_binary_scores(margin: float, items: int) -> None:
    assert items_needed_binary(0.2, margin) == items
    # A pair of 50 items of which ten flipped says the same.
    base, cand = [1] * 25 + [0] * 25, [1] * 20 + [0] * 25 + [1] * 5
    found = paired_difference(paired_data(base, cand))
    assert found.discordant == pytest.approx(0.2)
    assert decide_paired(found, margin).items_needed == items


def test_items_needed_by_an_independent_formula() -> None:
    z = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    assert items_needed(2.0, 0.5) == math.ceil(z**2 * 2.0 / 0.25)
    graded = paired_difference(paired_data([1.0, 2.5, 4.0, 3.0], [2.0, 2.0, 4.5, 1.0], scale=9))
    needed = decide_paired(graded, 0.5).items_needed
    assert needed == math.ceil(z**2 * graded.variance / 0.25)


def test_mt_bench_can_show_what_the_definitions_say() -> None:
    # Ten questions a genre, paired sd 2.0; two-sided 5 %: 1.8 of 10 points, 0.63 over 80.
    assert detectable_change(2 / math.sqrt(10), alpha=0.025) == pytest.approx(1.8, abs=0.04)
    assert detectable_change(2 / math.sqrt(80), alpha=0.025) == pytest.approx(0.63, abs=0.005)


def test_unreachable_margins_are_named() -> None:
    tau2 = 0.017**2
    assert unreachable(0.02, tau2)
    assert not unreachable(0.07, tau2)
    # The limit is (1.645 + 0.842) · 1.7 · √2 points = 5.98 points.
    assert unreachable(0.0597, tau2)
    assert not unreachable(0.0599, tau2)
    hidden = decide(-0.01, 0.001, math.inf, 0.02, tau2, variance=0.2)
    assert hidden.unreachable
    assert hidden.items_needed is None
    shown = decide(-0.01, 0.001, math.inf, 0.07, tau2, variance=0.2)
    assert not shown.unreachable
    assert shown.items_needed is not None
    assert shown.items_needed > (items_needed(0.2, 0.07) or 0)


@given(st.floats(0, 1), st.floats(0.001, 1), st.floats(0, 0.01), st.integers(1, 5))
def test_items_are_missing_just_where_the_margin_is_unreachable(
    variance: float, margin: float, tau2: float, pooled: int
) -> None:
    found = items_needed(variance, margin, tau2=tau2, pooled=pooled)
    if unreachable(margin, tau2, pooled):
        assert found is None
    elif found is not None and found > 1:
        # That many items show the margin, one fewer does not.
        enough = detectable_change(math.sqrt(variance / found), tau2=tau2, pooled=pooled)
        fewer = detectable_change(math.sqrt(variance / (found - 1)), tau2=tau2, pooled=pooled)
        assert enough <= margin * (1 + 1e-9)
        assert fewer >= margin * (1 - 1e-9)


def test_no_margin_means_no_number_of_items() -> None:
    assert decide(-1, 0.1, 10, 0, variance=1).items_needed is None


def test_without_any_error_the_sign_decides() -> None:
    assert decide(-0.1, 0, 5, 0).verdict == "regressed"
    assert decide(0, 0, 5, 0.1).verdict == "held"
    assert decide(0, 0, 5, 0).verdict == "inconclusive"


@pytest.mark.parametrize(
    "arguments",
    [
        {"se": -1},
        {"se": math.nan},
        {"change": math.inf},
        {"margin": -1},
        {"margin": math.nan},
        {"tau2": -1},
        {"pooled": 0},
        {"alpha": 0.6},
        {"power": 1},
    ],
)
def test_faulty_input_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        decide(**({"change": 0, "se": 1, "df": 9, "margin": 1} | arguments))  # type: ignore[arg-type]
