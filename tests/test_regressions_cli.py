"""`harness regressions` by its command: runs with a fall built in, and runs without one."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.attribution import suspicions, symptoms
from harness.checkpoint import Checkpoint
from harness.cli.main import harness
from harness.evaluate import evaluate
from harness.items import FormatRule, Item
from harness.protocols.short_answer import ShortAnswer
from harness.runs import Stage, open_run
from harness.store.regressions import regressions
from tests.shared_data import shared
from tests.test_evaluate import ScriptedEngine, render

STEPS = [100 * number for number in range(1, 25)]


def rising(metrics: int, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Learning curves with independent noise of one point, as if over items without end."""
    draw = np.random.default_rng(seed)
    time = np.arange(len(STEPS)) / len(STEPS)
    return {
        f"task{number}": 0.3 + 0.1 * (number % 3) * time + draw.normal(0, 0.01, len(STEPS))
        for number in range(metrics)
    }


def write(path: Path, curves: dict[str, np.ndarray[Any, Any]], metric: str = "acc") -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["run", "step", "task", "metric", "value", "stderr"])
        for task, values in curves.items():
            for step, value in zip(STEPS, values, strict=True):
                rows.writerow(["tiger", step, task, metric, float(value), 0.005])
    return path


def command(*arguments: object) -> Result:
    return CliRunner().invoke(harness, ["regressions", *map(str, arguments)], standalone_mode=False)


def test_a_rising_run_has_none(tmp_path: Path) -> None:
    result = command(write(tmp_path / "tiger.csv", rising(12)), "--store", tmp_path / "s.duckdb")
    assert result.return_value == 0
    assert "tiger: no regression" in result.output
    assert "heckpoint noise τ" in result.output
    assert not (tmp_path / "s.duckdb").exists()


def test_a_lasting_fall_is_found_told_and_kept(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    curves = rising(12)
    for task in ("task3", "task4"):
        curves[task][15:] -= 0.12
    file = write(tmp_path / "tiger.csv", curves)
    assert CliRunner().invoke(
        harness, ["import", "scores", str(file), "--store", str(store)]
    ).exit_code == 0  # fmt: skip
    found = command("tiger", "--store", store, "--json")
    assert found.return_value == 1
    rows = json.loads(found.output)
    assert {row["metric"] for row in rows} == {"task3 acc", "task4 acc"}
    assert {(row["incident"], row["before"], row["after"]) for row in rows} == {(1, 1500, 1600)}
    assert {row["persistence"] for row in rows} == {"lasting"}
    assert all(row["p_run"] < 0.05 and 0 < row["tau2"] < 4e-4 for row in rows)
    assert all(0.06 < row["good"] - row["bad"] < 0.16 for row in rows)

    shown = command("tiger", "--store", store)
    assert "1500 → 1600" in shown.output
    assert "▁" in shown.output
    stored = regressions(store, status=["open"])
    assert {(row.dataset, row.baseline_step, row.step) for row in stored} == {
        ("task3", 1500, 1600),
        ("task4", 1500, 1600),
    }
    # Looking again adds nothing.
    command("tiger", "--store", store)
    assert len(regressions(store)) == 2
    for row in stored:
        command("--acknowledge", row.id[:8], "--note", "asked for", "--store", store)
    assert command("tiger", "--store", store).return_value == 0
    assert command("--open", "--store", store).output.strip().startswith("No regression")
    command("--fixed", stored[0].id[:8], "--step", 2400, "--store", store)
    listed = json.loads(command("--stored", "--store", store, "--json").output)
    assert sorted(row["status"] for row in listed) == ["acknowledged", "fixed"]
    assert {row["note"] for row in listed} == {"asked for"}


def test_a_dip_that_came_back_is_told_and_fails_nothing(tmp_path: Path) -> None:
    curves = rising(12)
    curves["task5"][10:12] -= 0.15
    file = write(tmp_path / "tiger.csv", curves)
    result = command(file, "--markdown")
    assert result.return_value == 0
    assert "task5 acc" in result.output
    assert "transient" in result.output
    (row,) = json.loads(command(file, "--json").output)
    assert (row["before"], row["after"], row["recovered"]) == (1000, 1100, 1300)


def test_a_drop_at_the_last_checkpoint_is_too_early_to_call(tmp_path: Path) -> None:
    curves = rising(12)
    curves["task5"][-1] -= 0.3
    result = command(write(tmp_path / "tiger.csv", curves), "--json")
    assert result.return_value == 2
    (row,) = json.loads(result.output)
    assert row["persistence"] == "recent"


def test_two_checkpoints_say_nothing_about_noise(tmp_path: Path) -> None:
    file = tmp_path / "tiger.csv"
    file.write_text("run,step,task,metric,value\ntiger,1,t,acc,0.5\ntiger,2,t,acc,0.4\n")
    result = command(file)
    assert result.return_value == 2
    assert "Fewer than three checkpoints" in result.output


def test_less_is_better_of_perplexity_and_of_what_the_user_says(tmp_path: Path) -> None:
    curves = {task: 10 * np.exp(-values) for task, values in rising(8).items()}
    curves["task1"][15:] *= 3
    worse = write(tmp_path / "tiger.csv", curves, "perplexity")
    rows = json.loads(command(worse, "--json").output)
    assert (
        "task1 perplexity"
        in {row["metric"] for row in rows}
        <= {
            "task1 perplexity",
            "(all metrics)",
        }
    )
    row = next(row for row in rows if row["metric"] == "task1 perplexity")
    assert row["bad"] == pytest.approx(3 * row["good"], rel=0.1)
    late = np.arange(len(STEPS)) >= 15
    grown = {task: 10 * values * (1 + 2 * late) for task, values in rising(8).items()}
    unknown = write(tmp_path / "tiger.csv", grown, "badness")
    assert command(unknown, "--json").output.strip() == "[]"
    rows = json.loads(command(unknown, "--lower", "badness", "--json").output)
    assert "task1 badness" in {row["metric"] for row in rows}


def test_leanings_have_no_direction(tmp_path: Path) -> None:
    curves = rising(2)
    file = write(tmp_path / "tiger.csv", curves, "pct_stereotype")
    with pytest.raises(Exception, match="no metric has scores at two checkpoints"):
        open_run(str(file), tmp_path / "s.duckdb")


def test_unknown_runs_and_wrong_options(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    write(tmp_path / "tiger.csv", rising(2))
    CliRunner().invoke(
        harness, ["import", "scores", str(tmp_path / "tiger.csv"), "--store", str(store)]
    )
    assert "holds tiger" in str(command("lion", "--store", store).exception)
    assert "--step N" in str(command("--fixed", "ab", "--store", store).exception)
    assert "no regression whose id" in str(
        command("--acknowledge", "ab", "--store", store).exception
    )


# --- scores of items, with lineage ---------------------------------------------------------------


def letters(count: int) -> list[Item]:
    rule = FormatRule("choice", labels=("A", "B", "C", "D"))
    return [
        Item(f"{genre}/{number:03d}", genre, (f"{genre}の問{number}。",), "A", rule, "exact")
        for number in range(count)
        for genre in ("reasoning", "math")
    ]


class Forgetful(ScriptedEngine):
    """Answers in a loop, in English, to the questions of one genre it has forgotten."""

    def __init__(self, forgotten: set[str]) -> None:
        super().__init__()
        self.forgotten = forgotten

    def generate(self, queue: Any) -> Any:
        from dataclasses import replace

        for one in super().generate(queue):
            asked = next(str(r.prompt) for r in reversed(self.asked) if r.key == one.key)
            bad = any(part in asked for part in self.forgotten)
            yield replace(one, text="the answer is " * 20) if bad else one


def item_run(store: Path) -> list[Item]:
    """Eight checkpoints; from the sixth a corpus is new and half of the math items are lost."""
    items = letters(40)
    math = [item for item in items if item.genre == "math"]
    for number in range(8):
        late = number >= 5
        mixture = {"web": 0.7, "chat": 0.3} if late else {"web": 1.0}
        checkpoint = Checkpoint(
            name=f"tiger/step_{number}",
            fingerprint=f"{number:064x}",
            path=None,
            run="tiger",
            step=100 * number,
            mixture=mixture,
            phase="anneal" if late else "web",
            learning_rate=1e-3 if number < 6 else 1e-4,
        )
        # One item or two wobble, others each time.
        lost = {math[number].turns[0], math[2 * number].turns[0]}
        if late:
            lost |= {item.turns[0] for item in math[:20]}
        evaluate(
            checkpoint,
            ShortAnswer("t"),
            items,
            store=store,
            render=render,
            open_engine=lambda lost=lost: Forgetful(lost),
        )
    return items


def test_a_finding_names_what_changed_and_what_else_moved(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    item_run(store)
    result = command("tiger", "--store", store, "--json")
    assert result.return_value == 1
    rows = json.loads(result.output)
    assert {(row["before"], row["after"]) for row in rows} == {(400, 500)}
    assert "t math strict" in {row["metric"] for row in rows}
    assert {row["metric"].split()[1] for row in rows} <= {"math", "metrics)"}
    told = [one["sentence"] for one in rows[0]["suspicions"]]
    assert set(told) == {
        "web went from 100.0% to 70.0% between steps 400 and 500",
        "chat entered the mixture at 30.0% between steps 400 and 500",
        "phase 'anneal' began between steps 400 and 500",
    }
    signs = {one["name"] for one in rows[0]["symptoms"]}
    assert signs == {"repetitive answers", "characters"}
    shown = command("tiger", "--store", store).output
    assert "suspect: chat entered the mixture" in shown
    assert "symptom: answers longer" in shown
    (row, *_) = regressions(store, run="tiger")
    assert any("chat entered" in cause["sentence"] for cause in row.cause)


def test_symptoms_need_a_difference(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    item_run(store)
    run = open_run("tiger", store)
    ids = [dict(stage.evaluations)["t"] for stage in run.stages]
    assert symptoms(store, ids[0], ids[0], "math") == []
    assert symptoms(store, ids[0], ids[1], "no such genre") == []


def test_suspicions_name_each_kind_of_change() -> None:
    stages = [
        Stage(1, {"web": 1.0}, "web", 1e-3),
        Stage(2, {"web": 0.9, "math": 0.1}, "web", 0.9e-3),
        Stage(3, {"math": 1.0}, "anneal", 2e-3),
        Stage(4, {"math": 1.0}, "anneal", 1e-4),
    ]
    told = [(one.kind, one.what, one.step) for one in suspicions(stages, 1, 4)]
    assert set(told[:2]) == {("left", "web", 3), ("share", "math", 3)}
    assert set(told[2:]) == {
        ("entered", "math", 2),
        ("share", "web", 2),
        ("phase", "anneal", 3),
        ("learning rate", "", 3),
        ("learning rate", "", 4),
    }
    assert [one.step for one in suspicions(stages, 1, 2)] == [2, 2]
    assert suspicions([Stage(1), Stage(2)], 1, 2) == []


# --- published runs ------------------------------------------------------------------------------


def test_published_runs_are_reported_where_their_curves_fall() -> None:
    tr3m = shared("trajectories", "tr3m-1B3-pile-checkpoints_agg.json")
    rows = json.loads(command(tr3m, "--json").output)
    lasting = {row["metric"] for row in rows if row["persistence"] == "lasting"}
    # 17 % and less from step 42000 on; and ten times fewer reports than neighbours' z < -3 makes.
    assert "mc_taco em" in lasting
    assert len(rows) <= 6
