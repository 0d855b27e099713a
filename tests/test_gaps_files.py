"""The plan's file and the file of goals: what is written is read again, faults name their line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.gaps.goals import Goal, read_goals
from harness.gaps.plan import Line, Plan
from harness.gaps.plan_file import load_plan, plan_text, read_plan, write_plan

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
NAMES = TEXT.filter(lambda text: bool(text.strip()))
LINES = st.builds(
    Line,
    genre=NAMES,
    skill=TEXT,
    level=st.none() | st.integers(1, 5),
    samples=st.integers(0, 10**7),
    purpose=st.sampled_from(("gap", "uniform", "replay")),
    generator=TEXT,
    settings=st.dictionaries(TEXT, TEXT, max_size=3),
    why=TEXT,
)


def _same(line: Line) -> object:
    settings = tuple(sorted(line.settings.items()))
    return line.genre, line.skill, line.level, line.purpose, line.generator, settings


PLANS = st.builds(
    Plan,
    student=NAMES,
    fingerprint=NAMES,
    target=TEXT,
    policy=NAMES,
    round=st.integers(1, 1000),
    seed=st.integers(0, 2**32),
    lines=st.lists(LINES, max_size=4, unique_by=_same).map(tuple),
    advice=st.lists(TEXT, max_size=3).map(tuple),
)
PLAN = Plan(
    "demo/step_001800",
    "ab12",
    "best",
    "learnable",
    1,
    0,
    (
        Line("math", "math/ratio", 3, 1200, why="gap 31.0 [25.1, 36.9]"),
        Line("extraction", "", None, 300, "gap", "drill", {"shapes": "code fence"}),
    ),
    ("The teacher is too weak.",),
)


@given(PLANS)
def test_what_is_written_is_read_again(plan: Plan) -> None:
    assert read_plan(plan_text(plan), "plan.yaml") == plan


def test_the_file_says_what_may_be_edited_and_why(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    write_plan(file, PLAN)
    text = file.read_text("utf-8")
    assert text.startswith("# Demand of round 1: 1,500 verified samples for demo/step_001800")
    assert "Change `samples`" in text
    assert "gap 31.0 [25.1, 36.9]" in text
    assert load_plan(file) == PLAN
    assert [one.name for one in tmp_path.iterdir()] == ["plan.yaml"]


def test_an_edited_plan_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("mine")
    with pytest.raises(HarnessError, match=r"is there already .* --force"):
        write_plan(file, PLAN)
    assert file.read_text() == "mine"
    write_plan(file, PLAN, replace=True)
    assert load_plan(file) == PLAN
    with pytest.raises(HarnessError, match="cannot write the plan"):
        write_plan(tmp_path / "none" / "plan.yaml", PLAN)
    with pytest.raises(HarnessError, match="cannot read the plan"):
        load_plan(tmp_path / "none.yaml")


def _changed(before: str, after: str) -> tuple[str, int]:
    """The plan's text with a line changed, and the number of that line."""
    text = plan_text(PLAN)
    assert before in text
    return text.replace(before, after, 1), text[: text.index(before)].count("\n") + 1


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("samples: 1200", "samples: -1", "samples is -1, expected a whole number, 0 or more"),
        ("samples: 1200", "samples: 12.5", "samples is 12.5"),
        ("samples: 1200", "sample: 12", "'sample' is no setting here"),
        ("level: 3", "level: 6", "level is 6, expected a whole number from 1 to 5"),
        ("level: 3", "level: true", "level is True"),
        ("purpose: gap", "purpose: more", "purpose is 'more', expected one of gap, uniform"),
        ("round: 1", "round: 0", "round is 0"),
        ("seed: 0", "seed: 'x'", "seed is 'x'"),
        ("version: 1", "version: 2", "version is 2, expected 1"),
        ("version: 1", "version: ]", "not valid YAML"),
        ('settings: {"shapes": "code fence"}', "settings: {shapes: 3}", "settings is"),
        ("    level: 3", "    level: 3\n    level: 4", "'level' stands twice"),
    ],
)
def test_faults_name_their_line(before: str, after: str, message: str) -> None:
    text, line = _changed(before, after)
    with pytest.raises(HarnessError) as error:
        read_plan(text, "plan.yaml")
    assert message in str(error.value)
    place = str(error.value).split(":")[1]
    assert abs(int(place) - line) <= 1


def test_what_a_plan_owes() -> None:
    with pytest.raises(HarnessError, match=r"plan.yaml:1: an empty plan"):
        read_plan("# nothing\n", "plan.yaml")
    with pytest.raises(HarnessError, match="add `version: 1`"):
        read_plan("student: a\n", "plan.yaml")
    with pytest.raises(HarnessError, match="the plan lacks fingerprint, lines"):
        read_plan("version: 1\nstudent: a\npolicy: p\nround: 1\nseed: 0\n", "plan.yaml")
    with pytest.raises(HarnessError, match=r"plan.yaml:\d+: a line says its samples"):
        read_plan(plan_text(PLAN) + "  - genre: math\n", "plan.yaml")
    twice = "  - genre: math\n    skill: math/ratio\n    level: 3\n    samples: 5\n"
    with pytest.raises(HarnessError, match=r"math/ratio level 3 \(gap\) stands twice"):
        read_plan(plan_text(PLAN) + twice, "plan.yaml")


GOALS = """\
version: 1
goals:
  - goal: 0.5
  - genre: math
    goal: 0.8
  - skill: math/ra*
    goal: 0.9
"""


def test_of_several_goals_the_last_that_matches_counts() -> None:
    goals = read_goals(GOALS, "goals.yaml")
    assert goals.goals[0] == Goal(0.5)
    assert goals.goal("probes", "reasoning", "", "") == 0.5
    assert goals.goal("probes", "math", "", "math/plus") == 0.8
    assert goals.goal("probes", "math", "", "math/ratio") == 0.9
    assert read_goals(GOALS.replace("  - goal: 0.5\n", ""), "g").goal("p", "stem", "", "") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "goals.yaml:1: no goals in it"),
        ("version: 1\n", "states `goals`"),
        ("goals: [{goal: 1}]\n", "states `version`"),
        ("version: 1\ngoals:\n  - genre: math\n", r"goals.yaml:3: a goal says"),
        ("version: 1\ngoals:\n  - goal: 80\n", r"goals.yaml:3: goal is 80, expected the score"),
        ("version: 1\ngoals:\n  - goal: .8\n    margin: 1\n", r"goals.yaml:4: 'margin' is no"),
    ],
)
def test_faults_of_goals_name_their_line(text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        read_goals(text, "goals.yaml")
