"""`harness loop`: configurations that cannot be one, approval, status, and a whole loop killed."""

from __future__ import annotations

import random
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from harness.cli.main import harness
from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.store.loops import StageRow, add_stage, loop_stages
from tests.loop_project import outcome, record, start, write_project
from training.loop.commands import alone, launched, run_command
from training.loop.config import load_loop
from training.loop.run import owed_by, run_loop
from training.loop.stages import settled
from training.loop.state import Next
from training.loop.suites import check_apart
from training.mixture import Phase


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a loop."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed(path: Path, **changes: Any) -> Path:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(values | changes, sort_keys=False), encoding="utf-8")
    return path


def told(*arguments: object) -> str:
    """What a command prints."""
    done = CliRunner().invoke(harness, [str(one) for one in arguments], catch_exceptions=False)
    return done.output


def test_a_configuration_that_cannot_be_a_loop_is_told_with_file_and_line(folder: Path) -> None:
    loop = write_project(folder)
    store = folder / "results.duckdb"
    assert load_loop(loop, store).run == "tiny"

    both = write_project(folder, train={"config": "pretrain.yaml"})
    with pytest.raises(HarnessError, match=r"loop\.yaml:2: train: expected either `steps`"):
        load_loop(both, store)
    unknown = write_project(folder, evaluate={"steer": "a", "proof": "b", "prove": "c"})
    with pytest.raises(HarnessError, match=r"loop\.yaml:\d+: 'prove' is no setting here"):
        load_loop(unknown, store)
    same = write_project(folder, evaluate={"steer": "probes", "proof": "basics, probes"})
    with pytest.raises(HarnessError, match="probes steers already"):
        load_loop(same, store)
    odd = write_project(folder, evaluate={"steer": "a", "proof": "b", "watch": {"sample": 3}})
    with pytest.raises(HarnessError, match=r"evaluate\.watch\.sample: expected one of"):
        load_loop(odd, store)

    loop = write_project(folder)
    changed(folder / "pretrain.yaml", final_rate=0.1)
    with pytest.raises(HarnessError, match="set `final_rate: 1`"):
        load_loop(loop, store)


def test_the_example_for_a_cluster_is_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAD", "node-1")
    loop = load_loop(Path("docs/examples/loop-8b.yaml"), Path("results.duckdb"))

    assert loop.run == "ja-8b-loop"
    assert loop.config.budget.tokens == 12e9
    command = launched(loop.config.train.launch, ["-m", "training.pretrain"])
    assert command[0] == "srun"
    assert command[-3:] == ["node-1:29500", "-m", "training.pretrain"]


def test_items_that_steer_may_not_prove(folder: Path) -> None:
    loop = load_loop(write_project(folder), folder / "results.duckdb")
    check_apart(loop)

    items = (folder / "steer" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    with (folder / "proof" / "items.jsonl").open("a", encoding="utf-8") as file:
        file.write(items[3] + "\n")
    # A suite by another spelling, so that it is read again.
    again = changed(folder / "loop.yaml", evaluate={"steer": "./steer", "proof": "./proof"})
    other = load_loop(again, folder / "results.duckdb")
    with pytest.raises(HarnessError, match="1 questions that prove steer too"):
        check_apart(other)


def test_a_loops_settings_are_those_of_lines_that_name_no_generator() -> None:
    wanted = {"trace": "0"}
    plain = Line("math", "math/ratio", 1, 50)
    assert settled(plain, wanted).settings == {"trace": "0"}
    own = Line("math", "math/ratio", 1, 50, settings={"trace": "1", "seeds": "a"})
    assert settled(own, wanted).settings == {"trace": "1", "seeds": "a"}
    drill = Line("math", "", None, 50, generator="drill", settings={"shapes": "a"})
    assert settled(drill, wanted) == drill


def test_a_round_that_waits_is_approved_or_refused_from_another_terminal(
    folder: Path,
) -> None:
    path = write_project(folder, approve=True)
    store = folder / "results.duckdb"
    loop = load_loop(path, store)
    add_stage(store, StageRow("other", 1, 1, "web", False, "mixture", {}, {}, 0.1))
    with pytest.raises(HarnessError, match="no training stage waits"):
        told("loop", "approve", path, "--store", store)
    mixture = {"mixture": "m1", "phase": asdict(Phase("web", {"bracket": 1.0}, steps=30))}
    loop.round_home(1).mkdir(parents=True)
    add_stage(
        store,
        StageRow("tiny", 1, 1, "web", False, "mixture", {}, {**mixture, "components": {}}, 0.1),
    )

    assert told("loop", "approve", path, "--refuse", "--store", store) == "round 1: refused\n"
    stop = run_loop(loop, lambda what: None, lambda line: None)
    assert "a person refused" in stop.why
    (_, row) = loop_stages(store, "tiny")
    assert row.stage == "approve"
    assert row.outputs["approved"] is False
    status = told("loop", "status", path, "--store", store)
    assert "refused by" in status
    assert "next: nothing; a person refused the round" in status


def test_a_command_that_fails_names_itself_and_its_lock_keeps_others_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HarnessError, match=r"train of round 2 ended with status 7.*exit 7"):
        run_command("train of round 2", ["bash", "-c", "exit 7"])
    with pytest.raises(HarnessError, match="cannot start no-such-program"):
        run_command("train", ["no-such-program"])

    monkeypatch.setattr("training.loop.commands._WAIT", 0.2)
    said: list[str] = []
    with (
        alone(tmp_path, said.append),
        pytest.raises(HarnessError, match="another `harness loop`"),
        alone(tmp_path, said.append),
    ):
        raise AssertionError("two loops at once")
    assert len(said) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_loop_that_is_killed_again_and_again_ends_as_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = (write_project(tmp_path / name) for name in ("whole", "broken"))
    process = start(whole)
    assert process.wait() == 0
    rows = record(whole)
    assert [row.stage for row in rows if row.round == 3][-1] in ("keep", "roll back")

    draw = random.Random(0)
    longest = sum(row.seconds for row in rows) / 2
    for _ in range(3):
        process = start(broken)
        try:
            assert process.wait(timeout=draw.uniform(5, longest)) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert start(broken).wait() == 0

    assert outcome(broken) == outcome(whole)
    monkeypatch.chdir(broken.parent)
    owed, _ = owed_by(load_loop(broken, broken.parent / "results.duckdb"))
    assert not isinstance(owed, Next)
