"""`harness train sft|dpo` as a user starts it: plan, kills, signals, a full disk, bad input."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from click.testing import CliRunner

from harness.checkpoint import discover
from harness.cli.main import harness
from harness.errors import HarnessError
from tests.conftest import make_checkpoint
from tests.finetune_runs import (
    losses,
    preferences,
    run_harness,
    start_harness,
    sums,
    write_config,
)

STEPS = [f"step_{step:06d}" for step in (10, 20, 30)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("base") / "chat")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sums(tmp_path_factory.mktemp("data") / "sums.jsonl")


def settings(base: Path, source: Path, **changes: Any) -> dict[str, Any]:
    return {
        "output": "run",
        "model": str(base),
        "data": [{"path": str(source)}],
        "steps": 30,
        "save_every": 10,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "lora_rank": 2,
        "lora_dropout": 0.1,
        "held_out": 0.2,
        **changes,
    }


def fingerprints(run: Path) -> list[str]:
    return [one.fingerprint for one in discover(str(run))]


@pytest.fixture(scope="module")
def unbroken(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    file = write_config(folder / "sft.yaml", **settings(base, data))
    code, out, err = run_harness("train", "sft", file, cwd=folder)
    assert code == 0, err
    assert out.split() == [f"run/{name}" for name in STEPS]
    assert "sft run" in err
    return folder / "run"


def wait_for(path: Path, process: Any) -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_a_stopped_run_continues_the_uninterrupted_curve(
    number: signal.Signals, unbroken: Path, base: Path, data: Path, tmp_path: Path
) -> None:
    file = write_config(tmp_path / "sft.yaml", **settings(base, data))
    process = start_harness("train", "sft", file, cwd=tmp_path)
    wait_for(tmp_path / "run" / STEPS[0], process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=300)
    assert not (tmp_path / "run" / STEPS[-1]).is_dir(), "over before it was stopped"
    if number is signal.SIGTERM:
        assert process.returncode == 143
        assert "stopped by SIGTERM at step" in err
    code, out, err = run_harness("train", "sft", file, cwd=tmp_path)
    assert code == 0, err
    assert out.split() == [f"run/{name}" for name in STEPS]
    assert losses(tmp_path / "run") == losses(unbroken)
    assert fingerprints(tmp_path / "run") == fingerprints(unbroken)


def test_a_save_that_fails_leaves_no_half_checkpoint(
    base: Path, data: Path, tmp_path: Path
) -> None:
    """Files may grow to 100 kB, less than the weights: as on a disk that is full."""
    limited = settings(base, data, lora_rank=0, steps=2, save_every=1)
    file = write_config(tmp_path / "sft.yaml", **limited)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))

    code, _, err = run_harness("train", "sft", file, cwd=tmp_path, preexec_fn=limit)
    assert code == 3, err
    assert "a checkpoint cannot be written (" in err
    assert "Traceback" not in err
    assert list((tmp_path / "run").glob("step_*")) == []
    code, out, err = run_harness("train", "sft", file, cwd=tmp_path)
    assert code == 0, err
    assert len(out.split()) == 2
    assert len(fingerprints(tmp_path / "run")) == 2


@pytest.mark.slow
def test_two_processes_train_as_one(base: Path, data: Path, tmp_path: Path) -> None:
    """torchrun on gloo: the same batch over two processes, the same curve."""
    import subprocess
    import sys

    plain = settings(base, data, lora_rank=0, lora_dropout=0.0, steps=6, save_every=6, held_out=0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name / "sft.yaml", **plain)
    code, _, err = run_harness("train", "sft", "sft.yaml", cwd=tmp_path / "one")
    assert code == 0, err
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node=2", "-m", "harness.cli.main", "train", "sft", "sft.yaml"),
        ],
        cwd=tmp_path / "two",
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": str(root),
        },
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    one, two = losses(tmp_path / "one" / "run"), losses(tmp_path / "two" / "run")
    assert two == pytest.approx(one, abs=1e-5)
    (found,) = discover(str(tmp_path / "two" / "run"))
    assert found.tokens_seen == discover(str(tmp_path / "one" / "run"))[0].tokens_seen


def test_a_dry_run_prints_the_plan_and_trains_nothing(
    base: Path, data: Path, tmp_path: Path
) -> None:
    evaluate = {"suite": "probes:1", "how": "process", "on_critical": "stop"}
    more = {"output": str(tmp_path / "run"), "evaluate": evaluate, "steps": 0, "epochs": 3}
    file = write_config(tmp_path / "sft.yaml", **settings(base, data, **more))
    shown = CliRunner().invoke(harness, ["train", "sft", str(file), "--dry-run"])
    assert shown.exit_code == 0, shown.output
    lines = dict(line.split("  ", 1) for line in shown.output.splitlines())
    plan = {name.strip(): text.strip() for name, text in lines.items()}
    assert plan["trained"] == "LoRA of rank 2"
    assert plan["loss on"] == "answers; one a row"
    assert plan["evaluated"] == "probes:1 (process), on critical: stop"
    assert "GiB a process" in plan["memory"]
    samples = int(plan["samples"].split()[0])
    held_out = sum(int(part.split()[-1]) for part in plan["held out"].split(", "))
    assert samples + held_out == 48
    steps = -(-samples // 8) * 3
    assert plan["steps"] == f"{steps} of 8 sequences (3 epochs)"
    assert not (tmp_path / "run").exists()


def test_dpo_as_a_command(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = preferences(tmp_path / "pairs.jsonl")
    plain = settings(base, pairs, steps=2, save_every=1, beta=0.2, held_out=0)
    file = write_config(tmp_path / "dpo.yaml", **plain)
    shown = CliRunner().invoke(harness, ["train", "dpo", str(file), "--dry-run"])
    assert "the checkpoint itself, beta 0.2" in shown.output
    done = CliRunner().invoke(harness, ["train", "dpo", str(file)])
    assert done.exit_code == 0, done.output
    assert [one.step for one in discover("run")] == [1, 2]


BAD_CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"lerning_rate": 1}, r"sft\.yaml:\d+: 'lerning_rate' is no setting here"),
    "type": ({"steps": "many"}, r"sft\.yaml:\d+: steps: Expected `int`, got `str`"),
    "bounds": ({"learning_rate": -1}, r"sft\.yaml:\d+: learning_rate: Expected `float` > 0"),
    "choice": ({"loss": "none"}, r"sft\.yaml:\d+: loss: Invalid enum value 'none'"),
    "nested": ({"evaluate": {"how": "x"}}, r"sft\.yaml:\d+: evaluate\.how: Invalid enum value"),
    "checkpoint": ({"model": "gone"}, r"sft\.yaml:\d+: model: gone: no such checkpoint"),
    "batch": ({"micro_batch": 3}, r"sft\.yaml:\d+: micro_batch: 3 does not divide the 8"),
    "source": ({"data": [{"path": "x", "wait": 1}]}, r"sft\.yaml:\d+: data\[0\]: .*`wait`"),
    "no data": ({"data": []}, r"sft\.yaml:\d+: data: names no source"),
    "file": ({"data": [{"path": "gone.jsonl"}]}, r"gone\.jsonl: no such file"),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_a_bad_configuration_is_one_sentence(
    name: str, base: Path, data: Path, tmp_path: Path
) -> None:
    changes, fault = BAD_CONFIGS[name]
    file = write_config(tmp_path / "sft.yaml", **settings(base, data, **changes))
    shown = CliRunner().invoke(harness, ["train", "sft", str(file), "--dry-run"])
    assert isinstance(shown.exception, HarnessError)
    assert re.search(fault, str(shown.exception)), shown.exception
    assert "\n" not in str(shown.exception)


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    for text, fault in {
        "output: [\n": r":2: not valid YAML",
        "- output\n": r":1: expected lines of `setting: value`",
        "output: run\nmodel: m\n": r":1: `data` is missing",
        "output: run\noutput: run\n": r":2: 'output' stands twice",
    }.items():
        file = tmp_path / "c.yaml"
        file.write_text(text)
        shown = CliRunner().invoke(harness, ["train", "sft", str(file)])
        assert re.search(fault, str(shown.exception)), shown.exception
    shown = CliRunner().invoke(harness, ["train", "dpo", str(tmp_path / "none.yaml")])
    assert "none.yaml: cannot read the configuration" in str(shown.exception)


def test_the_examples_are_configurations() -> None:
    from training.config_file import load_config
    from training.dpo import DpoConfig
    from training.sft import SftConfig

    examples = sorted((Path(__file__).parent.parent / "docs" / "examples").glob("*.yaml"))
    kinds = {"sft": SftConfig, "dpo": DpoConfig}
    read = [load_config(path, kinds[path.name[:3]]) for path in examples if path.name[:3] in kinds]
    assert len(read) == 4


def test_pretraining_as_a_command(tmp_path: Path) -> None:
    """From nothing through Megatron-Core, each checkpoint evaluated in the same process."""
    pytest.importorskip("megatron.core")
    shape = {"width": 16, "layers": 1, "heads": 2, "groups": 1, "head_size": 8}
    size = {"feed_forward": 16, "positions": 256, "samples": 60, "batch_size": 8, "merges": 50}
    steps = {"steps": 4, "save_every": 2, "warmup": 1}
    file = write_config(
        tmp_path / "pretrain.yaml",
        output="runs/base",
        mixture={"math/arithmetic": 0.7, "copy": 0.3},
        **shape,
        **size,
        **steps,
    )
    shown = CliRunner().invoke(harness, ["train", "pretrain", str(file), "--dry-run"])
    assert "4 of 8 documents" in shown.output
    assert not (tmp_path / "runs").exists()
    options = ("--suite", "probes:1", "--how", "here", "--on-critical", "stop")
    code, out, err = run_harness("train", "pretrain", file, *options, cwd=tmp_path)
    assert code == 0, err
    assert out.split() == ["runs/base/step_000002", "runs/base/step_000004"]
    assert "base/step_000002: first" in err
    store = str(tmp_path / "results.duckdb")
    shown = CliRunner().invoke(harness, ["train", "health", "base", "--json", "--store", store])
    assert [row["step"] for row in json.loads(shown.output)] == [2, 4]
