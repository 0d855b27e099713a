"""Gaps from stored scores: worked examples on real stores, and what chance makes of no gap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gaps_calibration import ITEMS, lagging, pair
from harness.errors import HarnessError
from harness.gaps.measure import Gap, Gaps, Rule, measure_gaps
from harness.gaps.places import Place, item_worth
from harness.gaps.target import find_sides
from harness.gaps.teacher import teacher_advice
from harness.store.database import connect
from harness.store.paired import Column
from tests.comparison_store import MadeItem, MadeScores, keep, rate
from tests.gap_store import BUY, SAME, STUDENT, TARGET, graded, pair_of_genres, strict


def measured(path: Path, student: str = "student", target: str = "target", **more: object) -> Gaps:
    return measure_gaps(path, find_sides(path, student, target), Rule(**more))  # type: ignore[arg-type]


def at(gaps: Gaps, kind: str, name: str) -> Gap:
    found = [one for suite in gaps.suites for one in suite.gaps if one.place.kind == kind]
    return next(one for one in found if one.place.name == name)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "r.duckdb"
    keep(path, *pair_of_genres())
    return path


def test_a_gap_by_hand(store: Path) -> None:
    gaps = measured(store)
    math = at(gaps, "genre", "math")
    assert math.gap == pytest.approx(8 / 40)
    assert (math.student, math.target) == pytest.approx((21 / 40, 29 / 40))
    # 9 fell and 1 rose: McNemar's one-sided mid-p is (C(10,0) + C(10,1)/2) / 2^10, by Holm twice.
    assert math.p == pytest.approx(2 * 6 / 1024)
    # Residual squares are 10 − 40·.04 = 8.4, over 39/40; two more changes of 1 in 42 items are the
    # larger error: sqrt(8.4·40/39 + 2)/42 = .07757, and t of 39 degrees at 5 % is 1.6849.
    assert (math.low, math.high) == pytest.approx((0.2 - 0.1307, 0.2 + 0.1307), abs=1e-4)
    assert math.state == "lags"
    # Two genres: a point of one is half a point of the total.
    assert math.worth == pytest.approx(0.5)
    assert math.points == pytest.approx(0.1)
    assert math.sure_points == pytest.approx(math.low / 2)
    assert gaps.genres[0] is math


def test_what_is_alike_is_within_noise_and_says_what_would_settle_it(store: Path) -> None:
    same = at(measured(store), "genre", "reasoning")
    assert same.gap == 0
    assert same.state == "within noise"
    assert same.sure_points == 0
    assert same.settled_by is not None
    assert same.settled_by > 40
    # 40 items without a flip bound the gap by 5.3 points: within a margin of 10 they are level.
    assert at(measured(store, margin=0.1), "genre", "reasoning").state == "level"


def test_skills_and_levels(store: Path) -> None:
    gaps = measured(store)
    # Items 0, 2, 4, 6, 8 of math/buy fell; 1, 3, 5, 7 of math/share did, and 9 rose.
    buy, share = at(gaps, "skill", "math/buy"), at(gaps, "skill", "math/share")
    assert (buy.gap, share.gap) == pytest.approx((5 / 20, 3 / 20))
    assert (buy.worth, share.worth) == pytest.approx((0.25, 0.25))
    level = at(gaps, "level", "math/buy level 1")
    # Items 0, 4, 8, ..., 36.
    assert level.gap == pytest.approx(3 / 10)
    assert level.worth == pytest.approx(0.125)
    assert level.place == Place("level", "math", skill="math/buy", level=1)
    assert at(gaps, "skill", "reasoning/order").worth == pytest.approx(0.5)
    assert not [one for one in gaps.suites[0].of("level") if one.place.genre == "reasoning"]


def test_above_the_target_is_ahead(store: Path) -> None:
    math = at(measured(store, "target", "student"), "genre", "math")
    assert math.gap == pytest.approx(-0.2)
    assert math.state == "ahead"
    assert math.p == pytest.approx(6 / 1024 * 2)


def test_datasets_of_a_genre_weigh_alike(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    for name, values in (("student", [0.0] * 10), ("target", [1.0] * 10)):
        large = {MadeItem(f"a/{n}", "math", "a"): [values[n % 10]] for n in range(30)}
        small = {MadeItem(f"b/{n}", "math", "b"): [1.0] for n in range(10)}
        aside = {MadeItem(f"c/{n}", "STS", "c"): [values[n]] for n in range(10)}
        keep(path, strict(name, large, small, aside))
    gaps = measured(path)
    assert at(gaps, "genre", "math").gap == pytest.approx(0.5)
    assert at(gaps, "dataset", "a").worth == pytest.approx(0.5)
    assert at(gaps, "dataset", "b").worth == pytest.approx(0.5)
    # What stands aside on the leaderboard is worth nothing to its total.
    assert at(gaps, "genre", "STS").worth == 0
    assert at(gaps, "suite", "all").gap == pytest.approx(0.5)


def test_causes_of_failure(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    said = ["860", "代金は128円です。", "777", "わかりません", "", "答えは960", "977"]
    classes = ["knowledge"] * 4 + ["empty", "format", "knowledge"]
    items = [
        MadeItem(f"math/{n}", "math", question=BUY, answer="960", skill="math/buy")
        for n in range(len(said))
    ]
    student = MadeScores(
        "student",
        {
            "strict": {item: [0] for item in items},
            "lenient": {i: [i.id == "math/5"] for i in items},
        },
        answers=dict(zip(items, said, strict=True)),
        failures=dict(zip(items, classes, strict=True)),
    )
    keep(path, student, MadeScores("target", {"strict": {item: [1] for item in items}}))
    math = at(measured(path), "genre", "math")
    # 860 lost a carry; 128 is the sum; no rule explains 977.
    assert math.failures == {"knowledge": 3, "arithmetic": 1, "plan": 1, "empty": 1, "format": 1}
    assert math.to_format == pytest.approx(1 / 7)
    assert math.verdict.note is not None


def test_samples_tell_what_can_be_learnt(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    values = [(0, 0, 0, 0)] * 10 + [(1, 0, 0, 0)] * 5 + [(1, 1, 1, 1)] * 5
    right = [(1, 1, 1, 1)] * 20
    for name, scores in (("student", values), ("target", right)):
        keep(path, strict(name, graded(scores), samples=4, temperature=0.7))
    found = at(measured(path), "genre", "math").learnable
    assert found is not None
    assert found.known
    assert found.share == pytest.approx((5 + 0.5) / 21)
    assert found.samples == 4


def test_one_sample_leaves_the_learnable_fraction_a_guess(store: Path) -> None:
    found = at(measured(store), "genre", "math").learnable
    assert found is not None
    assert not found.known


def test_the_best_checkpoint_is_one_for_the_suite_and_costs_a_correction(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    student, target = pair_of_genres()
    # Better in reasoning by a little, far worse in math: not the best.
    other = strict(
        "other",
        graded([0] * 40),
        graded([*SAME[:-1], 1], "reasoning", ("reasoning/order",), 0),
    )
    elsewhere = strict("elsewhere", graded([1] * 40))
    keep(path, student, target, other, elsewhere)
    gaps = measured(path, target="best")
    math = at(gaps, "genre", "math")
    assert gaps.target == "target (best)"
    assert math.chosen_from == 2
    assert math.p == pytest.approx(2 * 2 * 6 / 1024)
    assert math.verdict.decision.level == pytest.approx(1 - 2 * 0.05 / 2)
    named = at(measured(path), "genre", "math")
    assert math.low < named.low
    with pytest.raises(HarnessError, match="no other checkpoint was asked the same items"):
        find_sides(path, "elsewhere", "best")


def test_a_goal_is_a_test_of_one_sample(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    goals = tmp_path / "goals.yaml"
    goals.write_text("version: 1\ngoals:\n  - {genre: math, goal: 0.5}\n")
    values = [1] * 5 + [0] * 15
    keep(path, strict("student", graded(values), graded(SAME, "stem", (), 0)))
    gaps = measured(path, target=str(goals))
    math = at(gaps, "genre", "math")
    assert math.gap == pytest.approx(0.25)
    assert math.verdict.measured.test == "binomial"
    # P(X <= 5) of 20 at one half: (1 + 20 + 190 + 1140 + 4845 + 15504) / 2^20.
    assert math.p == pytest.approx(21700 / 2**20)
    assert math.state == "lags"
    # The total is that of the whole suite, of which stem, without a goal, is half.
    assert math.worth == pytest.approx(0.5)
    assert [one.place.genre for one in gaps.genres] == ["math"]


def test_none_right_is_not_known_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    goals = tmp_path / "goals.yaml"
    goals.write_text("version: 1\ngoals:\n  - goal: 0.5\n")
    keep(path, strict("student", graded([0] * 20)))
    math = at(measured(path, target=str(goals)), "genre", "math")
    # Agresti and Coull: 2 of 24 have an error of .0564; t of 19 degrees at 5 % is 1.7291.
    assert math.gap == pytest.approx(0.5)
    assert math.low == pytest.approx(0.5 - 1.7291 * 0.0564, abs=1e-3)
    goals.write_text("version: 1\ngoals:\n  - goal: 8\n")
    with pytest.raises(HarnessError, match="a goal above 1 matches made-up"):
        measured(path, target=str(goals))
    goals.write_text("version: 1\ngoals:\n  - {genre: stem, goal: .5}\n")
    with pytest.raises(HarnessError, match="has no goal for it"):
        measured(path, target=str(goals))


def test_the_trend_is_the_slope_of_the_runs_own_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    run = [
        strict(f"run/{step}", graded([1] * right + [0] * (20 - right)), run="run", step=step)
        for step, right in ((100, 2), (200, 4), (300, 6), (400, 8), (500, 20))
    ]
    keep(path, *run, strict("target", graded([1] * 20)))
    trend = at(measured(path, "run/400"), "genre", "math").trend
    assert trend is not None
    # Two items of twenty each hundred steps: a point (of 1) a thousand; what came later is not in.
    assert trend.slope == pytest.approx(1.0)
    assert (trend.checkpoints, trend.first, trend.last, trend.noise) == (4, 100, 400, False)
    assert trend.is_rising
    assert at(measured(path, "run/400"), "skill", "math/buy").trend is not None
    assert at(measured(path, "run/200"), "genre", "math").trend is None
    noisy = at(measured(path, "run/500"), "genre", "math").trend
    assert noisy is not None
    assert noisy.noise


def test_ratings_are_measured_by_genre_in_their_own_unit(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    made = []
    for name in ("student", "target"):
        items = {MadeItem(f"w/{n}", "writing"): [100.0] for n in range(20)}
        made.append(MadeScores(name, {"length": items}))
    keep(path, *made)
    rate(path, made[0], "judge", "prompts", lambda item, repeat: 4.0)
    rate(path, made[1], "judge", "prompts", lambda item, repeat: 7.0 + int(item[-1]) % 2)
    writing = at(measured(path), "genre", "writing")
    assert writing.metric == "rating"
    assert writing.gap == pytest.approx(3.5)
    assert writing.state == "lags"
    assert writing.scale == 9
    assert writing.learnable is None


def test_advice_on_teachers(store: Path) -> None:
    gaps = measured(store)
    said = teacher_advice(gaps, 0.05)
    assert len(said) == 1
    # Alike, but 40 items leave 5.3 points open.
    assert said[0].startswith("The student seems to have come within 5 % of the scale")
    assert "reasoning (gap 0.0 [" in said[0]
    assert "math" not in said[0]
    sure, seeming = teacher_advice(gaps, 0.25)
    assert sure.startswith("The student has come within 25 % of the scale of the teacher target")
    assert "reasoning (gap" in sure
    assert "math (gap 20.0 [6.9, 33.1])" in seeming
    assert "Take a stronger teacher there" in sure
    # Past it, surely.
    assert (
        "math (gap -20.0 [-33.1, -6.9])" in teacher_advice(measured(store, "target", "student"))[0]
    )


def test_a_served_model_is_found_by_its_address(store: Path) -> None:
    with connect(store) as connection:
        connection.execute(
            "UPDATE checkpoints SET url = 'http://host:8000/v1', name = 'big@host:8000' "
            "WHERE name = 'target'"
        )
    gaps = measured(store, target="openai:http://host:8000/v1#big")
    assert gaps.target == "big@host:8000"
    with pytest.raises(HarnessError, match="no evaluation or checkpoint named"):
        find_sides(store, "student", "openai:http://host:8000/v1#small")


def test_what_is_missing_is_said_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r.duckdb"
    keep(
        path,
        strict("student", graded([*[0.0] * 19, None])),
        strict("target", graded([1.0] * 22)),
    )
    gaps = measured(path)
    assert gaps.notes == ("made-up: 1 of 20 requests of student failed",)
    math = at(gaps, "genre", "math")
    assert math.verdict.measured.change.n == 19
    assert math.verdict.measured.only_base == 3
    assert math.worth == pytest.approx(1)


def test_what_cannot_be_compared_is_said(store: Path) -> None:
    keep(store, strict("alone", graded([1] * 5), suite="other"))
    with pytest.raises(HarnessError, match="no suite in common"):
        find_sides(store, "student", "alone")
    with pytest.raises(HarnessError, match="was not evaluated on other"):
        find_sides(store, "student", "target", ["other"])
    with pytest.raises(HarnessError, match="no evaluation or checkpoint named 'nobody'"):
        find_sides(store, "student", "nobody")


def test_no_gap_seldom_makes_demand_and_a_real_one_does() -> None:
    random = np.random.default_rng(0)
    runs = 200
    false = sum(bool(lagging(pair(random))) for _ in range(runs)) / runs
    # Five genres at a family-wise 5 %; three binomial errors above it are 9.6 %.
    assert false < 0.096
    found = sum("a" in lagging(pair(random, 0.4)) for _ in range(60)) / 60
    assert found > 0.7


def test_the_best_of_several_equals_is_no_target_to_lag() -> None:
    random = np.random.default_rng(1)
    runs, rivals = 150, 8
    drawn = [pair(random, rivals=rivals) for _ in range(runs)]
    corrected = sum(bool(lagging(one, rivals)) for one in drawn) / runs
    naive = sum(bool(lagging(one)) for one in drawn) / runs
    assert corrected < 0.05
    assert naive > corrected


def test_worth_adds_up_to_one() -> None:
    scores = pair(np.random.default_rng(2))
    assert item_worth(scores).sum() == pytest.approx(1)
    aside = replace(scores, genre=Column(("STS", *"bcde"), scores.genre.codes))
    assert item_worth(aside)[:ITEMS] == pytest.approx(np.zeros(ITEMS))
    assert item_worth(aside).sum() == pytest.approx(1)


def test_constants_of_the_store() -> None:
    assert sum(TARGET) - sum(STUDENT) == 8
    assert len(TARGET) == len(STUDENT) == len(SAME) == 40
