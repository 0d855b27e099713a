"""The analysis of the loop's experiments, on raw lines written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.loop.analysis import (
    LAGGING,
    OTHERS,
    TOTAL,
    UNTOUCHED,
    against,
    beyond_twice,
    gains,
    regressions,
    study,
)
from benchmarks.loop.experiment import Results, draw_sets, marks, read_lines
from benchmarks.loop.tables import print_targeting
from benchmarks.loop.verification import ARMS, POOL, sorted_out
from harness.gaps.plan import Line, Plan
from training.data import encode
from training.synthesis.program import program
from training.synthesis.shards import Row
from training.synthesis.types import Order, Sample

SKILLS = ("math/a", "math/b", "coding/c", "format/d", "extraction/e")
STEERED = SKILLS[:-1]


def line(seed: int, arm: str, right: tuple[int, ...], **more: Any) -> dict[str, Any]:
    """A run that has `right` of ten items of each skill."""
    strict = {
        skill: "1" * count + "0" * (10 - count) for skill, count in zip(SKILLS, right, strict=True)
    }
    rest = {"settings_key": "k", "settings": {"steps": 5}, "strict": strict, **more}
    return {"seed": seed, "arm": arm, **rest}


def base(seed: int) -> dict[str, Any]:
    steering = {skill: {"accuracy": 0.0} for skill in STEERED}
    return line(seed, "base", (0, 0, 0, 9, 8), lagging=["coding", "math"], steering=steering)


# none, uniform and gap: right of ten in math/a, math/b, coding/c, format/d and the untouched.
RUNS = {
    1: ((1, 1, 0, 9, 8), (3, 1, 2, 9, 8), (9, 8, 9, 8, 8)),
    2: ((0, 2, 1, 9, 9), (2, 2, 2, 9, 8), (1, 2, 2, 9, 8)),
    3: ((0, 0, 1, 8, 8), (3, 3, 1, 9, 9), (6, 6, 5, 8, 7)),
}


def lines() -> list[dict[str, Any]]:
    arms = [
        line(seed, arm, right)
        for seed, rights in RUNS.items()
        for arm, right in zip(("none", "uniform", "gap"), rights, strict=True)
    ]
    return [*map(base, RUNS), *arms]


def lagging(right: tuple[int, ...]) -> float:
    """Math is the mean of its two skills; lagging is the mean of math and coding."""
    return (right[0] + right[1]) / 40 + right[2] / 20


def test_places_are_means_of_genres() -> None:
    found = study(lines())
    assert found.seeds == [1, 2, 3]
    assert found.genres == ["coding", "format", "math"]
    assert found.steady == ["format"]
    reached = {place: found.value("gap", 1, place) for place in found.places[1]}
    assert reached["math"] == pytest.approx(0.85)
    assert reached[LAGGING] == pytest.approx((0.85 + 0.9) / 2)
    assert reached[OTHERS] == pytest.approx(0.8)
    assert reached[TOTAL] == pytest.approx((0.85 + 0.9 + 0.8) / 3)
    # Not steered by, so in no other mean.
    assert reached[UNTOUCHED] == pytest.approx(0.8)
    assert found.mean("base", OTHERS) == pytest.approx(0.9)


def test_a_contrast_is_the_t_interval_over_seeds() -> None:
    found = study(lines())
    # The spread over seeds is the larger error here.
    differences = [lagging(gap) - lagging(none) for none, _, gap in RUNS.values()]
    wanted = stats.ttest_1samp(differences, 0)
    one = against(found, "gap", "none", LAGGING)
    assert one is not None
    assert one.change == pytest.approx(np.mean(differences))
    assert one.p_two_sided == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert (one.low, one.high) == pytest.approx((interval.low, interval.high))
    twice = beyond_twice(found, "gap")
    sums = [
        lagging(gap) - lagging(none) - 2 * (lagging(uniform) - lagging(none))
        for none, uniform, gap in RUNS.values()
    ]
    assert twice is not None
    assert twice.change == pytest.approx(np.mean(sums))
    assert twice.p_rise == pytest.approx(stats.ttest_1samp(sums, 0, alternative="greater").pvalue)


def test_families_are_corrected_by_holm() -> None:
    found = study(lines())
    (one,) = gains(found, ["gap"], "uniform")
    assert one.p == pytest.approx(one.change.p_rise)
    lost = regressions(found, ["uniform", "gap"])
    assert [(each.arm, each.place) for each in lost] == [
        (arm, place) for arm in ("uniform", "gap") for place in (OTHERS, UNTOUCHED, "format")
    ]
    smallest = min(lost, key=lambda each: each.change.p_drop)
    assert smallest.p == pytest.approx(min(1.0, 6 * smallest.change.p_drop))
    assert all(each.p >= each.change.p_drop for each in lost)


def test_one_seed_has_no_interval_and_a_run_without_its_base_does_not_count() -> None:
    assert (
        against(study([one for one in lines() if one["seed"] == 1]), "gap", "none", TOTAL) is None
    )
    alone = study([one for one in lines() if (one["seed"], one["arm"]) != (3, "base")])
    assert alone.seeds == [1, 2]
    assert sorted(alone.marks["gap"]) == [1, 2]


def test_seeds_that_agree_by_chance_leave_the_noise_of_items() -> None:
    """Every seed gains two of ten items of format/d: no spread between seeds, but between items."""
    arms = {"none": (0, 0, 0, 5, 0), "gap": (0, 0, 0, 7, 0)}
    made = [line(seed, arm, right) for seed in RUNS for arm, right in arms.items()]
    one = against(study([*map(base, RUNS), *made]), "gap", "none", OTHERS)
    assert one is not None
    flips = np.array([0.0] * 5 + [1.0] * 2 + [0.0] * 3)
    assert one.se == pytest.approx(np.sqrt(flips.var(ddof=1) / 10 / 3))
    assert one.p_rise == pytest.approx(stats.t.sf(0.2 / one.se, 2))


def test_the_table_says_what_the_lines_say(capsys: pytest.CaptureFixture[str]) -> None:
    print_targeting(lines())
    shown = capsys.readouterr().out
    mean = 100 * np.mean([lagging(gap) for _, _, gap in RUNS.values()])
    assert f"| gap | {mean:.1f} |" in shown
    assert "Lagging by the steering items: 1: coding, math; 2: coding, math; 3" in shown


def test_results_are_found_again_under_their_settings_alone(tmp_path: Path) -> None:
    first = Results(tmp_path / "r.jsonl", {"steps": 5})
    assert read_lines(first.path) == []
    first.add(1, "gap", strict=marks({"math/a": [1.0, 0.0, 1.0]}))
    found = first.find(1, "gap")
    assert found is not None
    assert found["strict"] == {"math/a": "101"}
    assert first.find(2, "gap") is None
    assert Results(first.path, {"steps": 6}).find(1, "gap") is None
    with pytest.raises(ValueError, match="between"):
        marks({"math/a": [0.5]})


def test_steering_and_proof_share_no_problem() -> None:
    sets, again = draw_sets(7, 4, 4), draw_sets(8, 4, 4)
    steering = {item.turns for item in sets.steering}
    assert len(steering) == len(sets.steering)
    assert not steering & {item.turns for item in sets.proof}
    assert sets.proof != again.proof
    assert {item.skill for item in sets.steering} < {item.skill for item in sets.proof}


def test_arms_of_verification_have_equally_many_of_every_line() -> None:
    plan_line = Line("math", "math/arithmetic", 1, 10, settings={"trace": "0"})
    plan = Plan("s", "f", "t", "gap", 1, 3, (plan_line,))
    made = program(Order(plan_line, 3, 0, 12), lambda prompts: [])
    rows = [Row(one, "", 1, 0, "gap", ()) for one in made if isinstance(one, Sample)]
    # Every third answer is right, one is missing, all others are wrong.
    replies = [row.sample.answer if at % 3 == 0 else "-1" for at, row in enumerate(rows)]
    replies[1] = ""
    arms, about = sorted_out(plan, rows, replies, [3])
    assert {arm: len(arms[arm]) for arm in ARMS} == dict.fromkeys(ARMS, 3)
    assert about["teacher"] == {"math/arithmetic": {"answers": 11, "proven": 4}}
    said = {arm: [row.sample.messages[-1].content for row in arms[arm]] for arm in ARMS}
    assert said["proven"] == [rows[at].sample.answer for at in (0, 3, 6)]
    # The first three questions that were answered at all: 0, 2 and 3.
    assert said["unverified"] == [rows[0].sample.answer, "-1", rows[3].sample.answer]
    assert said["exact"] == [rows[at].sample.answer for at in (0, 2, 3)]
    assert about["wrong_in_unverified"] == 1
    assert POOL > 1


def test_nothing_is_encoded_as_nothing() -> None:
    """`held_out: 0` of a pretraining run asks for this."""
    from training.tokenizer import build_tokenizer

    assert encode([], build_tokenizer(["あ"])) == []
