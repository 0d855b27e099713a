"""`harness gaps` at the command line: tables, plans that are files, rounds that teach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from harness.gaps.plan_file import load_plan
from harness.report.formats import format_report
from harness.store.queries import find_evaluation
from harness.store.rounds import round_gains, rounds
from tests.comparison_store import MadeItem, MadeScores, keep
from tests.gap_store import SAME, STUDENT, TARGET, command, graded, pair_of_genres, strict


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "r.duckdb"
    keep(path, *pair_of_genres())
    return path


@pytest.fixture
def run(store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return command(store, monkeypatch, capsys)


def test_the_table_says_first_what_lags_most(run: Any) -> None:
    status, out, _ = run("student", "--target", "target")
    assert status == 0
    assert out.startswith(
        "math (made-up) is 20.0 points [6.9, 33.1] below target; a point there is worth 0.50"
    )
    assert "▼ lags" in out
    assert "settled by " in out
    assert "worth: points of the suite's total" in out


def test_the_words_fit_a_narrow_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run("student", "--target", "target", "--all")
    assert max(map(len, out.splitlines())) <= 80
    assert "level 2" in out


def test_best_is_the_default_and_options_may_stand_first(run: Any) -> None:
    assert run("student") == run("--target", "best", "student")
    assert "below target (best)" in run("student")[1]
    assert "No genre of target lags student (best) beyond chance." in run("target")[1]


def test_json_csv_and_markdown(run: Any) -> None:
    found = json.loads(run("student", "--target", "target", "--samples", "1000", "--json")[1])
    assert found["version"] == 1
    assert found["headline"].startswith("math (made-up) is 20.0 points")
    suite = found["suites"][0]
    assert (suite["student"], suite["target"], suite["chosen_from"]) == ("student", "target", 1)
    math = next(one for one in suite["gaps"] if (one["kind"], one["genre"]) == ("genre", "math"))
    assert math["gap"] == pytest.approx(0.2)
    assert (math["state"], math["test"], math["n"]) == ("lags", "mcnemar", 40)
    assert found["plan"]["samples"] == 1000
    header, *rows = run("student", "--target", "target", "--csv")[1].splitlines()
    assert header.startswith("suite,kind,genre,dataset,skill,level,metric,state,n")
    assert rows[1].startswith("made-up,genre,math,all,,,strict,lags,40,40")
    assert run("student", "--target", "target", "--markdown")[1].startswith("| suite | kind |")


def test_a_plan_asks_only_for_what_lags(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    status, out, err = run(
        "student", "--target", "target", "--samples", "2000", "--plan", str(file), "--seed", "3"
    )
    assert status == 0
    plan = load_plan(file)
    assert plan.samples == 2000
    assert (plan.student, plan.target, plan.policy) == ("student", "target", "learnable")
    assert (plan.round, plan.seed) == (1, 3)
    demand = [line for line in plan.lines if line.purpose == "gap"]
    assert {line.genre for line in demand} == {"math"}
    assert sum(line.samples for line in demand) == 1500
    assert {line.level for line in demand} == {1, 2}
    assert "math 20.0 [6.9, 33.1] below" in demand[0].why
    assert {line.genre for line in plan.lines if line.purpose == "uniform"} == {"math", "reasoning"}
    assert any(one.startswith("Within noise, so no demand: reasoning (") for one in plan.advice)
    assert any("guesses from accuracy" in one for one in plan.advice)
    assert any("Take a stronger teacher" in one for one in plan.advice)
    assert "Round 1: 2,000 samples" in out
    assert "read it before" in err
    again = run("student", "--target", "target", "--samples", "9", "--plan", str(file))
    assert again[0] == 3
    assert "--force" in again[2]
    assert load_plan(file) == plan
    run("student", "--target", "target", "--samples", "9", "--plan", str(file), "--force")
    assert load_plan(file).samples == 9


def test_the_same_command_plans_the_same(run: Any, tmp_path: Path) -> None:
    texts = []
    for name in ("a.yaml", "b.yaml"):
        file = tmp_path / name
        run("student", "--target", "target", "--samples", "777", "--plan", str(file))
        texts.append(file.read_text("utf-8"))
    assert texts[0] == texts[1]


def test_nothing_lags_and_the_plan_says_so(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    run("target", "--target", "student", "--samples", "1000", "--plan", str(file))
    plan = load_plan(file)
    assert {line.purpose for line in plan.lines} == {"uniform"}
    assert plan.samples == 250
    assert any("Nothing lags student beyond chance" in one for one in plan.advice)


@pytest.mark.parametrize("policy", ["gap", "frontier", "uniform"])
def test_other_policies_add_up_too(run: Any, policy: str) -> None:
    line = ("student", "--target", "target", "--samples", "3000", "--policy", policy, "--json")
    plan = json.loads(run(*line)[1])["plan"]
    assert plan["policy"] == policy
    assert sum(one["samples"] for one in plan["lines"]) == 3000


def test_usage(run: Any) -> None:
    assert "--plan FILE needs --samples" in run("student", "--plan", "p.yaml")[2]
    assert run("nobody")[0] == 3
    assert "--teacher" in run("--target", "best", "--help")[1]
    assert "learned" in CliRunner().invoke(harness, ["gaps", "--help"]).output


def test_shapes_that_are_lost_to_format_become_drills(
    run: Any, store: Path, tmp_path: Path
) -> None:
    items = [MadeItem(f"stem/{n}", "stem", "facts", answer="東京") for n in range(30)]
    fenced = MadeScores(
        "fenced",
        {
            "strict": {item: [0] for item in items},
            "format": {item: [0] for item in items},
            "lenient": {item: [1] for item in items},
        },
        suite="facts",
        answers=dict.fromkeys(items, "答え：\n東京"),
        failures=dict.fromkeys(items, "format"),
    )
    right = MadeScores("right", {"strict": {item: [1] for item in items}}, suite="facts")
    keep(store, fenced, right)
    file = tmp_path / "plan.yaml"
    run("fenced", "--target", "right", "--samples", "4000", "--plan", str(file))
    drills = [line for line in load_plan(file).lines if line.generator == "drill"]
    assert len(drills) == 1
    report = format_report(store, find_evaluation(store, "fenced")).gaps[0]
    assert drills[0].settings == {
        "dataset": "facts",
        "wants": report.target,
        "shapes": "; ".join(one.shape for one in report.shapes),
    }
    # `harness format` plans no more than a thousand examples of one format.
    assert drills[0].samples == report.examples == 1000
    assert "100.0 points lost to format in facts" in drills[0].why


def test_rounds_are_recorded_and_learned_from(run: Any, store: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    run("student", "--target", "target", "--samples", "2000", "--plan", str(file))
    after = strict(
        "after",
        graded(TARGET),
        graded(SAME, "reasoning", ("reasoning/order",), 0),
        run="run",
        step=600,
    )
    keep(store, after)
    assert "No round is recorded yet" in run("learned")[1]
    status, out, _ = run("record", str(file), "--before", "student", "--after", "after")
    assert status == 0
    assert "+20.0" in out
    plan = load_plan(file)
    in_math = sum(line.samples for line in plan.lines if line.genre == "math")
    found = {(one.genre, one.skill): one for one in round_gains(store)}
    math = found["math", ""]
    assert math.samples == in_math
    assert math.gain == pytest.approx(0.2)
    # As in test_gaps: sqrt(8.4·40/39 + 2)/42.
    assert math.se == pytest.approx(0.07757, abs=1e-5)
    assert found["math", "math/buy"].gain == pytest.approx(0.25)
    assert found["reasoning", ""].gain == 0
    # The same again is the same round.
    run("record", str(file), "--before", "student", "--after", "after")
    assert len(rounds(store, "run")) == 1
    assert len(round_gains(store)) == len(found)
    learned = json.loads(run("learned", "run", "--json")[1])
    rate = learned["beliefs"][0]
    assert rate["genre"] == "math"
    assert rate["seen"] == pytest.approx(0.2 / (in_math / 1000))
    assert "a thousand" in run("learned", "--skills")[1]
    # The next round of the run counts on, and takes up again what the last asked for.
    second = tmp_path / "second.yaml"
    run("student", "--target", "target", "--samples", "2000", "--plan", str(second))
    plan = load_plan(second)
    assert plan.round == 2
    replay = [line for line in plan.lines if line.purpose == "replay"]
    assert {line.genre for line in replay} == {"math"}
    assert sum(line.samples for line in replay) == 250


def test_samples_that_were_really_trained_on_may_be_told(
    run: Any, store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "plan.yaml"
    run("student", "--target", "target", "--samples", "2000", "--plan", str(file))
    keep(store, strict("after", graded(STUDENT), run="run", step=600))
    line = ("record", str(file), "--before", "student", "--after", "after")
    run(*line, "--samples", "math:math/buy=300", "--samples", "math=100")
    found = {(one.genre, one.skill): one.samples for one in round_gains(store)}
    assert found["math", ""] == 400
    assert found["math", "math/buy"] == 300
    assert ("math", "math/share") not in found
    status, _, err = run(*line, "--samples", "math")
    assert status == 3
    assert "expected GENRE=N" in err
