"""Policies: worked examples, what holds of every plan, and what Thompson sampling learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gaps.beliefs import FLOOR, beliefs, draw
from harness.gaps.plan import Line
from harness.gaps.policies import POLICIES, Cell, Share, plan_lines
from harness.store.rounds import RoundGain

RATIO = Cell("math", "math/ratio", 2, True, 0.4, 0.3, 0.1, 0.5, 0.2)
ORDER = Cell("reasoning", "reasoning/order", 1, True, 0.2, 0.1, 0.1, 0.25, 0.5)
HELD = Cell("coding", "coding/trace", 1, False, 0.0, 0.0, 0.1, 0.5, 0.9)
CELLS = [RATIO, ORDER, HELD]


def test_weights_by_hand() -> None:
    assert POLICIES["learnable"](CELLS, {}) == pytest.approx([0.015, 0.0025, 0])
    assert POLICIES["learnable"](CELLS, {"math": 0.5}) == pytest.approx([0.0075, 0.0025, 0])
    assert POLICIES["gap"](CELLS, {"math": 0.5}) == pytest.approx([0.04, 0.02, 0])
    assert POLICIES["frontier"](CELLS, {}) == pytest.approx([0.64, 1.0, 0])
    assert POLICIES["uniform"](CELLS, {}) == [1, 1, 1]


def test_the_frontier_is_the_level_nearest_to_one_half() -> None:
    levels = [replace(RATIO, level=level, accuracy=p) for level, p in ((1, 0.9), (2, 0.6), (3, 0))]
    assert POLICIES["frontier"](levels, {}) == pytest.approx([0, 0.96, 0])
    never = [replace(RATIO, level=level, accuracy=0.0) for level in (1, 2)]
    assert POLICIES["frontier"](never, {}) == pytest.approx([0.01, 0])


def test_a_round_by_hand() -> None:
    lines = plan_lines(CELLS, 1400, share=Share(keep=0.25, least=10))
    found = {(line.purpose, line.genre): line.samples for line in lines}
    # 350 kept over three cells; 1050 by 6 : 1.
    assert found["gap", "math"] == 900
    assert found["gap", "reasoning"] == 150
    assert sorted(count for (why, _), count in found.items() if why == "uniform") == [116, 117, 117]
    assert sum(found.values()) == 1400


def test_replay_takes_half_of_what_is_kept() -> None:
    past = [Line("math", "math/units", 1, 300), Line("stem", "", None, 100)]
    lines = plan_lines(CELLS, 1600, replayed=past, share=Share(least=10))
    replay = {line.skill or line.genre: line.samples for line in lines if line.purpose == "replay"}
    assert replay == {"math/units": 150, "stem": 50}
    assert sum(line.samples for line in lines if line.purpose == "uniform") == 200
    assert sum(line.samples for line in lines) == 1600


def test_nothing_lags_so_only_the_kept_share_is_planned() -> None:
    lines = plan_lines([HELD], 1000)
    assert [(line.purpose, line.samples) for line in lines] == [("uniform", 250)]


def test_two_suites_that_lack_the_same_make_one_line() -> None:
    lines = plan_lines([RATIO, replace(RATIO, why="elsewhere")], 1000, share=Share(keep=0))
    assert [(line.samples, line.why) for line in lines] == [(1000, "elsewhere")]


def test_a_drill_is_capped_and_never_uniform() -> None:
    shapes = {"shapes": "code fence"}
    drill = replace(RATIO, skill="", level=None, generator="drill", cap=100, settings=shapes)
    lines = plan_lines([drill, RATIO], 10_000)
    found = {(line.purpose, line.generator): line.samples for line in lines}
    assert found == {("gap", "drill"): 100, ("gap", ""): 7400, ("uniform", ""): 2500}


def test_which_cells_are_covered_is_drawn_by_the_seed() -> None:
    many = [replace(HELD, skill=f"coding/{number}") for number in range(100)]
    covered = [
        {line.skill for line in plan_lines(many, 2000, seed=seed)} for seed in (0, 0, 1, 2, 3)
    ]
    assert covered[0] == covered[1]
    assert [len(one) for one in covered] == [10] * 5
    assert len(set.union(*covered)) > 25


CELL = st.builds(
    Cell,
    genre=st.sampled_from(("math", "coding", "stem")),
    skill=st.sampled_from(("", "a", "b")),
    level=st.none() | st.integers(1, 5),
    demands=st.booleans(),
    gap=st.floats(0, 1),
    low=st.floats(0, 1),
    worth=st.floats(0, 1),
    learnable=st.floats(0.001, 1),
    accuracy=st.floats(0, 1),
    why=st.just(""),
)


@given(
    st.lists(CELL, min_size=1, max_size=15),
    st.integers(0, 50_000),
    st.sampled_from(sorted(POLICIES)),
    st.floats(0.2, 0.3),
    st.integers(0, 100),
)
def test_every_plan_adds_up(
    cells: list[Cell], samples: int, policy: str, keep: float, seed: int
) -> None:
    lines = plan_lines(cells, samples, policy, share=Share(keep, least=20), seed=seed)
    total = sum(line.samples for line in lines)
    weights = POLICIES[policy](cells, {})
    kept = round(samples * keep)
    assert total == (samples if any(weights) else kept)
    assert all(line.samples > 0 for line in lines)
    assert lines == plan_lines(cells, samples, policy, share=Share(keep, least=20), seed=seed)
    wanted = {one.genre for one in cells if one.demands}
    assert {line.genre for line in lines if line.purpose == "gap"} <= wanted
    if policy != "uniform":
        covered = sum(line.samples for line in lines if line.purpose == "uniform")
        assert covered == kept


def _gain(genre: str, samples: int, gain: float, se: float = 0.01, **more: object) -> RoundGain:
    row = RoundGain("r", "probes", genre, "", "strict", samples, gain, se, 100, "b", "a")
    return replace(row, **more)  # type: ignore[arg-type]


def test_rates_of_a_genre_are_averaged_by_precision() -> None:
    # 2 points of 2,000 samples are 1 a thousand (se .5); 9 of 3,000 are 3 (se 1): 4 : 1 is 1.4.
    found = beliefs([_gain("math", 2000, 0.02), _gain("math", 3000, 0.09, 0.03, round_id="s")])
    assert len(found) == 1
    assert found[0].seen == pytest.approx(0.014)
    assert found[0].seen_se == pytest.approx((1 / (1 / 0.005**2 + 1 / 0.01**2)) ** 0.5)
    assert (found[0].rounds, found[0].samples) == (2, 5000)


def test_a_genre_without_a_round_is_believed_to_be_like_the_others() -> None:
    gains = [_gain("math", 1000, 0.03, 0.001), _gain("coding", 1000, 0.01, 0.001)]
    found = {one.genre: one for one in beliefs(gains, ["stem", "math"])}
    assert sorted(found) == ["coding", "math", "stem"]
    assert found["stem"].mean == pytest.approx(0.02)
    assert found["stem"].sd > found["math"].sd
    assert beliefs([], ["math"]) == []
    assert beliefs([_gain("math", 0, 0.1), _gain("math", 10, 0.1, skill="math/ratio")]) == []


def test_draws_are_factors_of_the_largest() -> None:
    known = beliefs([_gain("math", 1000, 0.05, 1e-6), _gain("coding", 1000, 0.0, 1e-6)])
    drawn = draw(known, 0, 1)
    assert drawn == {"math": 1.0, "coding": FLOOR}
    assert draw(known, 0, 1) == drawn
    worse = beliefs([_gain("math", 1000, -0.05, 1e-6)])
    assert draw(worse, 0, 1) == {"math": 1.0}
    assert draw([], 0, 1) == {}


def test_thompson_sampling_finds_the_genre_that_learns() -> None:
    # Two genres alike in all but what a thousand samples buy: 1.0 points in math, 0.2 in coding.
    rates = {"math": 0.010, "coding": 0.002}
    cells = [
        Cell(genre, f"{genre}/x", 1, True, 0.3, 0.2, 0.5, 0.5, 0.5) for genre in ("coding", "math")
    ]
    late, early = [], []
    for run in range(20):
        random = np.random.default_rng(run)
        gains: list[RoundGain] = []
        for number in range(1, 9):
            drawn = draw(beliefs(gains, rates), run, number)
            lines = plan_lines(cells, 8000, drawn=drawn, seed=run)
            given_ = {line.genre: line.samples for line in lines if line.purpose == "gap"}
            (early if number == 1 else late if number > 5 else []).append(given_["math"] / 6000)
            for genre, rate in rates.items():
                gain = random.normal(rate * given_[genre] / 1000, 0.012)
                gains.append(_gain(genre, given_[genre], gain, 0.012, round_id=str(number)))
    assert np.mean(early) == pytest.approx(0.5)
    assert np.mean(late) > 0.68
