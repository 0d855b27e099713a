"""The same run on other numbers of processes: data, tensor and pipeline parallel, over gloo."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("megatron.core")

from safetensors.torch import load_file

from tests.pretrain_runs import TINY, finish, losses, run, start

pytestmark = pytest.mark.slow

FILE = "model.safetensors"
STEPS = ("--steps=50", "--save-every=25")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("alone") / "demo"
    run(output, *TINY, *STEPS)
    return output


def assert_same_curve(actual: Path, expected: Path, tolerance: float) -> None:
    found, wanted = losses(actual), losses(expected)
    assert found.keys() == wanted.keys() == set(range(1, 51))
    assert found == pytest.approx(wanted, abs=tolerance)
    assert wanted[50] < wanted[1] - 0.5


def test_two_processes_learn_as_one_does(alone: Path, tmp_path: Path) -> None:
    output = tmp_path / "demo"
    run(output, *TINY, *STEPS, processes=2)
    assert_same_curve(output, alone, 1e-5)
    lineages = [
        json.loads((each / "step_000050" / "lineage.json").read_text()) for each in (output, alone)
    ]
    assert lineages[0]["component_tokens"] == lineages[1]["component_tokens"]


@pytest.mark.parametrize(
    "spread",
    [
        ("--tensor=2",),
        ("--micro-batch=2",),
    ],
    ids=["tensor", "accumulated"],
)
def test_a_model_cut_in_two_learns_as_a_whole_one(
    alone: Path, tmp_path: Path, spread: tuple[str, ...]
) -> None:
    output = tmp_path / "demo"
    run(output, *TINY, *STEPS, *spread, processes=2)
    assert_same_curve(output, alone, 1e-4)
    # The checkpoint is whole, whoever held which part of it.
    found, wanted = (load_file(each / "step_000050" / FILE) for each in (output, alone))
    assert found.keys() == wanted.keys()
    assert all((found[name] - wanted[name]).abs().max() < 1e-4 for name in wanted)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((2, ()), (1, ())),
        ((1, ()), (2, ())),
        ((2, ("--tensor=2",)), (1, ())),
        # Stages draw their first weights otherwise, so that only what follows can be compared.
        ((1, ()), (2, ("--pipeline=2", "--micro-batch=2"))),
    ],
    ids=["two, one", "one, two", "tensor, one", "one, pipeline"],
)
def test_a_run_resumes_on_another_number_of_processes(
    alone: Path,
    tmp_path: Path,
    first: tuple[int, tuple[str, ...]],
    then: tuple[int, tuple[str, ...]],
) -> None:
    output = tmp_path / "demo"
    run(output, *TINY, *STEPS, "--keep-states=2", *first[1], processes=first[0])
    before = losses(output)
    keep_only(output, 25)
    run(output, *TINY, *STEPS, "--keep-states=2", *then[1], processes=then[0])
    assert_same_curve(output, alone, 1e-4)
    assert before == pytest.approx(losses(alone), abs=1e-4)


def test_packed_sequences_are_shared_as_rows_are(tmp_path: Path) -> None:
    packed = (*TINY, "--steps=50", "--save-every=50", "--length=32")
    run(tmp_path / "one" / "demo", *packed)
    run(tmp_path / "two" / "demo", *packed, "--micro-batch=2", processes=2)
    assert_same_curve(tmp_path / "two" / "demo", tmp_path / "one" / "demo", 1e-4)


def test_a_run_killed_at_any_step_continues_its_curve(alone: Path, tmp_path: Path) -> None:
    output = tmp_path / "demo"
    draw = random.Random(7)
    for step in sorted(draw.sample(range(3, 48), 3)):
        process = start(output, *TINY, *STEPS)
        deadline = time.monotonic() + 300
        while not (output / "training_log.jsonl").is_file() or not reached(output, step):
            assert process.poll() is None, finish(process)[2]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    run(output, *TINY, *STEPS)
    assert losses(output) == losses(alone)
    for step in (25, 50):
        name = f"step_{step:06d}/{FILE}"
        assert (output / name).read_bytes() == (alone / name).read_bytes()


def reached(output: Path, step: int) -> bool:
    lines = (output / "training_log.jsonl").read_text(encoding="utf-8").splitlines()
    # The last line may be torn.
    return any(f'"step": {step},' in line for line in lines[:-1])


def keep_only(output: Path, step: int) -> None:
    """As if the run had ended after the save of a step."""
    for path in [*output.glob("step_*"), *output.glob("megatron/iter_*")]:
        if int(path.name.rpartition("_")[2]) != step:
            shutil.rmtree(path)
