"""The screen and the verdict of `harness watch`: hand-made tables, and false alarms simulated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.noise import CheckpointNoise
from harness.store.watched import SampleScores
from harness.watching.screening import (
    Genre,
    Items,
    Policy,
    checkpoint_noise,
    confirm,
    difference,
    screen,
    still_low,
)

MATH: Genre = ("t", "math")
CODE: Genre = ("t", "code")


def scored(first: list[float], fresh: list[float] | None = None, others: int = 8) -> Items:
    return {
        str(number): SampleScores(
            str(number), one, None if fresh is None else fresh[number], others if fresh else 0
        )
        for number, one in enumerate(first)
    }


def test_an_item_is_the_mean_of_its_samples_and_a_baseline_of_its_checkpoints() -> None:
    assert SampleScores("c", 1.0, 0.25, 3).mean == pytest.approx((1 + 3 * 0.25) / 4)
    assert SampleScores("c", None, 0.25, 3).mean == 0.25
    assert SampleScores("c", 1.0, None, 0).mean == 1.0
    base = [scored([1, 0, 1, 0]), scored([1, 1, 1, 0], [0.0, 1.0, 1.0, 0.0], 1)]
    moved = difference(base, scored([0, 0, 1, 0]), "first")
    assert moved is not None
    # Means of the second: 0.5, 1, 1, 0; of both: 0.75, 0.5, 1, 0.
    assert moved.change == pytest.approx((-0.75 - 0.5 + 0 + 0) / 4)
    assert moved.n == 4
    assert difference(base, scored([0, 0, 1, 0]), "fresh") is None


def test_only_common_items_are_paired() -> None:
    candidate = dict(scored([1, 1, 1])) | {"9": SampleScores("9", 0.0, None, 0)}
    moved = difference([scored([1, 1, 1, 1])], candidate, "first")
    assert moved is not None
    assert (moved.n, moved.change) == (3, 0.0)


def test_a_clear_drop_is_flagged_kept_and_convicted() -> None:
    ones, zeros = [1.0] * 30, [0.0] * 30
    baselines = {MATH: [scored(ones)], CODE: [scored(ones)]}
    candidate = {MATH: scored(zeros, [0.1] * 30), CODE: scored(ones, [1.0] * 30)}
    screened = screen(baselines, candidate, {}, Policy())
    assert screened[MATH][1].p_regressed < 1e-6
    assert screened[CODE][1].p_regressed == pytest.approx(0.5)
    assert still_low(baselines, candidate, [MATH, CODE], {}, Policy()) == [MATH]
    verdicts = {
        one.genre: one
        for one in confirm(baselines, candidate, screened, [MATH], {}, Policy(), 0.001)
    }
    assert verdicts["math"].verdict == "regressed"
    assert (verdicts["code"].verdict, verdicts["code"].p) == ("good", 1.0)


def test_the_screen_alone_convicts_nobody() -> None:
    ones = [1.0] * 30
    baselines = {MATH: [scored(ones)]}
    candidate = {MATH: scored([0.0] * 30, ones)}
    screened = screen(baselines, candidate, {}, Policy())
    assert screened[MATH][1].p_regressed < 1e-6
    (one,) = confirm(baselines, candidate, screened, [MATH], {}, Policy(), 0.05)
    assert one.verdict == "good"
    assert still_low(baselines, candidate, [MATH], {}, Policy()) == []


def test_noise_between_checkpoints_weakens_the_case() -> None:
    rows = [1.0] * 20 + [0.0] * 20
    baselines = {MATH: [scored(rows)]}
    candidate = {MATH: scored([0.0] * 8 + rows[8:], [0.0] * 8 + rows[8:])}
    quiet = confirm(
        baselines, candidate, screen(baselines, candidate, {}, Policy()), [MATH], {}, Policy(), 0.05
    )
    loud = {MATH: CheckpointNoise(0.01, 0.01, math.inf, 0.01, 0.0)}
    noisy = confirm(
        baselines,
        candidate,
        screen(baselines, candidate, loud, Policy()),
        [MATH],
        loud,
        Policy(),
        0.05,
    )
    assert (quiet[0].verdict, noisy[0].verdict) == ("regressed", "good")
    assert noisy[0].p > quiet[0].p
    assert noisy[0].tau2 == 0.01


@given(st.lists(st.sampled_from(["g1", "g2", "g3", "g4"]), unique=True), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_unflagged_genres_still_count(flagged: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    names = [("t", f"g{number}") for number in range(1, 5)]
    baselines = {name: [scored(random.binomial(1, 0.6, 25).tolist())] for name in names}
    candidate = {
        name: scored(
            random.binomial(1, 0.4, 25).tolist(), (random.binomial(8, 0.4, 25) / 8).tolist()
        )
        for name in names
    }
    chosen = [name for name in names if name[1] in flagged]
    screened = screen(baselines, candidate, {}, Policy())
    some = confirm(baselines, candidate, screened, chosen, {}, Policy(), 0.05)
    every = confirm(baselines, candidate, screened, names, {}, Policy(), 0.05)
    for one, other in zip(some, every, strict=True):
        # Asking fewer genres never makes a p smaller.
        assert one.p >= other.p - 1e-12
        if (one.suite, one.genre) not in chosen:
            assert (one.p, one.verdict, one.confirmed) == (1.0, "good", None)


def test_false_alarms_stay_within_the_level() -> None:
    """No change, five genres: at a level of 5 % at most 5 % of checkpoints are called regressed,
    within what 400 draws can tell (a binomial with p = 0.05 exceeds 33 once in a thousand)."""
    random = np.random.default_rng(1)
    policy = replace(Policy(), pooled=2)
    names = [("t", f"g{number}") for number in range(5)]
    alarms = 0
    for _ in range(400):
        ease = {name: random.beta(1.2, 1.0, 30) for name in names}

        def draw(name: Genre, samples: int, ease: dict[Genre, np.ndarray] = ease) -> list[float]:
            found: list[float] = (random.binomial(samples, ease[name]) / samples).tolist()
            return found

        baselines = {name: [scored(draw(name, 1)), scored(draw(name, 1))] for name in names}
        candidate = {name: scored(draw(name, 1), draw(name, 8)) for name in names}
        screened = screen(baselines, candidate, {}, policy)
        flagged = [n for n in names if screened[n][1].p_regressed < policy.screen]
        verdicts = confirm(baselines, candidate, screened, flagged, {}, policy, 0.05)
        alarms += any(one.verdict == "regressed" for one in verdicts)
    assert alarms <= 33


def test_noise_is_found_where_checkpoints_move_more_than_items_say() -> None:
    random = np.random.default_rng(3)
    ease = random.beta(1.2, 1.0, 400)
    shifts = random.normal(0, 0.08, 12)

    def table(shift: float) -> dict[Genre, Items]:
        chance = np.clip(ease + shift, 0, 1)
        return {MATH: scored(random.binomial(1, chance).tolist())}

    moving = [table(shift) for shift in shifts]
    still = [table(0.0) for _ in shifts]
    assert checkpoint_noise({MATH: moving})[MATH].tau2 > 0.08**2 / 4
    assert checkpoint_noise({MATH: still})[MATH].tau2 < 0.02**2
    assert checkpoint_noise({MATH: moving[:2]}) == {}


def test_policies_that_make_no_sense_are_refused() -> None:
    for wrong in ({"samples": 0}, {"screen": 0.5}, {"margin": 0.0}, {"alpha": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            Policy(**wrong)  # type: ignore[arg-type]
