"""A pretraining run, as a user starts it: checkpoints, lineage, resuming."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("megatron.core")

from harness.checkpoint import discover
from tests.pretrain_runs import finish, start

SETTINGS = [
    *("--steps=6", "--save-every=2", "--samples=60", "--batch-size=8", "--warmup=2"),
    *(
        "--merges=50",
        "--width=16",
        "--layers=1",
        "--heads=2",
        "--groups=1",
        "--head-size=8",
        "--feed-forward=16",
    ),
    *("--positions=128", "--mixture=math/arithmetic=0.5", "--mixture=copy=0.3"),
    "--mixture=text=0.2",
]
STEPS = ["step_000002", "step_000004", "step_000006"]


def run(output: Path, *changes: str) -> tuple[int, str, str]:
    return finish(start(output, *SETTINGS, *changes))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "demo"
    code, out, err = run(output)
    assert code == 0, err
    assert out.split() == [str(output / step) for step in STEPS]
    return output


def weights(output: Path) -> list[bytes]:
    return [(output / step / "model.safetensors").read_bytes() for step in STEPS]


def test_checkpoints_carry_their_lineage(unbroken: Path) -> None:
    found = discover(str(unbroken))
    assert [each.step for each in found] == [2, 4, 6]
    assert [each.run for each in found] == ["demo"] * 3
    assert [each.parent for each in found] == [None, found[0].fingerprint, found[1].fingerprint]
    assert len({each.fingerprint for each in found}) == 3
    assert found[0].mixture == {"math/arithmetic": 0.5, "copy": 0.3, "text": 0.2}
    assert all((each.learning_rate or 0) > 0 for each in found[:2])
    tokens = [each.tokens_seen or 0 for each in found]
    assert 0 < tokens[0] < tokens[1] < tokens[2]


def test_checkpoints_load_and_answer(unbroken: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(unbroken / STEPS[-1])
    model = AutoModelForCausalLM.from_pretrained(unbroken / STEPS[-1])
    assert model.config.max_position_embeddings == 128
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "1+1"}], tokenize=False, add_generation_prompt=True
    )
    tokens = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        answer = model.generate(tokens, max_new_tokens=4)
    assert answer.shape[1] > tokens.shape[1]


def test_a_complete_run_says_so_and_changes_nothing(unbroken: Path) -> None:
    before = weights(unbroken)
    code, out, _ = run(unbroken)
    assert code == 0
    assert "already complete at step 6" in out
    assert weights(unbroken) == before


def test_other_settings_are_refused(unbroken: Path) -> None:
    code, _, err = run(unbroken, "--seed=1")
    assert code == 3
    assert "seed 0, not 1" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_weights(unbroken: Path, tmp_path: Path) -> None:
    output = tmp_path / "demo"
    process = start(output, *SETTINGS)
    deadline = time.monotonic() + 200
    while not (output / STEPS[0]).is_dir():
        assert process.poll() is None or (output / STEPS[0]).is_dir(), "ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (output / STEPS[-1]).is_dir(), "the run was over before it was killed"

    code, out, err = run(output)
    assert code == 0, err
    assert out.split() == [str(output / step) for step in STEPS]
    assert weights(output) == weights(unbroken)
    parents = [json.loads((output / step / "lineage.json").read_text())["parent"] for step in STEPS]
    assert parents == [each.parent for each in discover(str(unbroken))]
    assert [path.name for path in (output / "megatron").iterdir()] == ["iter_0000006"]
