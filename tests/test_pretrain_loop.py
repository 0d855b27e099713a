"""What a run does with its data, its callbacks and SIGTERM."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("megatron.core")

from harness.checkpoint import discover
from harness.errors import HarnessError
from tests.conftest import make_checkpoint
from tests.pretrain_runs import (
    Answers,
    config,
    lineage,
    log,
    losses,
    packed,
    weights,
    write_corpora,
)
from training.pretrain import pretrain


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache of indexed corpora for this file, none of the user's."""
    home = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("corpora"))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("unbroken") / "demo"
    pretrain(config(output))
    return output


@pytest.mark.parametrize("asynchronous", [False, True])
def test_phases_over_indexed_corpora_and_shards(
    corpora: Path, tmp_path: Path, asynchronous: bool
) -> None:
    output = tmp_path / "run"
    # 256 tokens a step: six, four and two steps.
    paths = pretrain(packed(corpora, output, async_save=asynchronous))
    assert [path.name for path in paths] == ["step_000004", "step_000008", "step_000012"]
    assert [each.phase for each in discover(str(output))] == ["web", "anneal", "synthetic"]
    last = lineage(paths[-1])
    assert last["mixture"] == {"talk": 1.0}
    assert last["tokens_seen"] == 12 * 256 == sum(last["component_tokens"].values())
    assert last["phase_tokens"] == {
        "web": {"web": 1152, "lines": 384},
        "anneal": {"web": 512, "talk": 512},
        "synthetic": {"talk": 512},
    }
    assert last["component_tokens"] == {"web": 1664, "lines": 384, "talk": 1024}
    genres = last["genre_tokens"]
    assert sum(genres.values()) == 12 * 256
    # A component without a genre is its own; "format" is that of lines and of a part of talk.
    assert genres["web"] == 1664
    assert genres["format"] + genres["math"] == 384 + 1024
    assert genres["math"] > genres["format"] - 384 > 0
    assert set(last["shards"]) == {"web", "talk"}
    measured = [line["genre_losses"] for line in log(output) if "genre_losses" in line]
    assert len(measured) == 3
    assert all({"format", "math", "web"} >= set(each) >= {"format"} for each in measured)


def test_a_packed_run_killed_after_any_save_goes_on_as_unbroken(
    corpora: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole" / "run", tmp_path / "broken" / "run"
    pretrain(packed(corpora, whole))
    pretrain(packed(corpora, broken))
    before = losses(broken)
    for path in (broken / "step_000012", broken / "megatron" / "iter_0000012"):
        shutil.rmtree(path)
    pretrain(packed(corpora, broken))
    assert losses(broken) == before == losses(whole)
    assert weights(broken, 12) == weights(whole, 12)
    assert lineage(broken / "step_000012") == lineage(whole / "step_000012")


def test_documents_packed_together_do_not_see_each_other(corpora: Path, tmp_path: Path) -> None:
    pretrain(packed(corpora, tmp_path / "apart" / "run"))
    pretrain(packed(corpora, tmp_path / "mixed" / "run", reset=False))
    apart, mixed = losses(tmp_path / "apart" / "run"), losses(tmp_path / "mixed" / "run")
    assert apart[1] == pytest.approx(mixed[1], abs=0.05)
    assert apart != mixed


def test_megatrons_own_corpora_are_read(corpora: Path, tmp_path: Path) -> None:
    import numpy as np

    from training.batch import Encoded
    from training.indexed import IndexWriter

    writer = IndexWriter(tmp_path / "corpus")
    drawn = np.random.default_rng(0)
    for _ in range(60):
        writer.add(Encoded(drawn.integers(4, 590, 20), np.ones(20, dtype=bool)))
    writer.close()
    settings = {"mixture_file": None, "mixture": {str(tmp_path / "corpus"): 1.0}, "steps": 4}
    paths = pretrain(packed(corpora, tmp_path / "run", **settings, tokenizer="characters"))
    assert lineage(paths[-1])["component_tokens"] == {str(tmp_path / "corpus"): 4 * 256}


@pytest.mark.parametrize("experts", [0, 4])
def test_a_checkpoint_is_continued_from(corpora: Path, tmp_path: Path, experts: int) -> None:
    from transformers import AutoModelForCausalLM

    from training.convert import main

    start = make_checkpoint(tmp_path / "dense")
    if experts:
        dense, start = start, tmp_path / "sparse"
        main(["upcycle", str(dense), str(start), f"--experts={experts}"], standalone_mode=False)
    settings = {"start": start, "tokenizer": "", "learning_rate": 1e-12, "steps": 3}
    paths = pretrain(packed(corpora, tmp_path / "run", **settings))
    before = AutoModelForCausalLM.from_pretrained(start).state_dict()
    after = AutoModelForCausalLM.from_pretrained(paths[-1]).state_dict()
    assert before.keys() == after.keys()
    assert all((after[name] - before[name]).abs().max() < 1e-6 for name in before)
    assert lineage(paths[0])["parent"] == discover(str(start))[0].fingerprint
    assert not (tmp_path / "run" / "start").exists()


def test_experts_are_trained(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    paths = pretrain(config(tmp_path / "run", experts=4, steps=4, mixture={"text": 1.0}))
    model = AutoModelForCausalLM.from_pretrained(paths[-1])
    assert type(model).__name__ == "MixtralForCausalLM"
    curve = losses(tmp_path / "run")
    assert curve[4] < curve[1]


def test_callbacks_see_every_checkpoint_and_may_stop(unbroken: Path, tmp_path: Path) -> None:
    asked = Answers({4: "stop"})
    paths = pretrain(config(tmp_path / "demo"), [asked])
    assert [path.name for path in paths] == ["step_000002", "step_000004"]
    assert [(name, step) for name, step, _ in asked.shown] == [
        ("step_000002", 2),
        ("step_000004", 4),
    ]
    assert [tokens for _, _, tokens in asked.shown] == [
        lineage(path)["tokens_seen"] for path in paths
    ]
    assert losses(tmp_path / "demo") == {step: losses(unbroken)[step] for step in (1, 2, 3, 4)}
    # It is not complete: the same command goes on.
    pretrain(config(tmp_path / "demo"))
    assert weights(tmp_path / "demo", 6) == weights(unbroken, 6)


def test_a_run_of_an_earlier_version_is_known_again(unbroken: Path, tmp_path: Path) -> None:
    output = tmp_path / "demo"
    shutil.copytree(unbroken, output)
    settings = json.loads((output / "pretrain.json").read_text(encoding="utf-8"))
    del settings["held_out_share"]
    (output / "pretrain.json").write_text(json.dumps(settings), encoding="utf-8")
    assert [path.name for path in pretrain(config(output))][-1] == "step_000006"
    with pytest.raises(HarnessError, match="belongs to a run with seed 0, not 1"):
        pretrain(config(output, seed=1))


def test_a_rollback_takes_up_the_weights_and_goes_on_with_the_data(
    unbroken: Path, tmp_path: Path
) -> None:
    output = tmp_path / "demo"
    asked = Answers({4: ("rollback", 2)})
    paths = pretrain(config(output), [asked])
    assert [step for _, step, _ in asked.shown] == [2, 4, 4, 6]
    assert [path.name for path in paths] == ["step_000002", "step_000004", "step_000006"]
    assert weights(output, 2) == weights(unbroken, 2)
    assert weights(output, 4) != weights(unbroken, 4)
    aside = output / "rolled_back" / "1" / "step_000004"
    assert (aside / "model.safetensors").read_bytes() == weights(unbroken, 4)
    steps = [line["step"] for line in log(output) if "loss" in line]
    assert steps == [1, 2, 3, 4, 3, 4, 5, 6]
    assert [line["event"] for line in log(output) if "event" in line] == ["rollback to step 2"]
    # Killed and resumed, a rolled-back run goes on as it would have.
    before = losses(output)
    for path in (output / "step_000006", output / "megatron" / "iter_0000006"):
        shutil.rmtree(path)
    pretrain(config(output))
    assert losses(output) == before


def test_a_rollback_may_leave_a_component_out(tmp_path: Path) -> None:
    asked = Answers({4: ("rollback", 2, ("copy",))})
    paths = pretrain(config(tmp_path / "demo"), [asked])
    before, after = lineage(paths[0]), lineage(paths[-1])
    assert after["mixture"] == pytest.approx({"math/arithmetic": 5 / 7, "text": 2 / 7})
    assert after["component_tokens"]["copy"] == before["component_tokens"]["copy"]
    with pytest.raises(HarnessError, match=r"cannot roll back to step 2.*raise keep_states"):
        pretrain(config(tmp_path / "two", keep_states=1), [Answers({4: ("rollback", 2)})])


def test_sigterm_saves_and_the_run_goes_on_from_there(
    unbroken: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "demo"

    def terminate() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "continue"

    with pytest.raises(SystemExit) as ended:
        pretrain(config(output), [Answers({2: terminate})])
    assert ended.value.code == 143
    assert "stopped by SIGTERM at step 3, whose state is saved" in capfd.readouterr().err
    assert [path.name for path in sorted((output / "megatron").iterdir())][-1] == "iter_0000003"
    assert [path.name for path in output.glob("step_*")] == ["step_000002"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    pretrain(config(output))
    assert losses(output) == losses(unbroken)
    assert weights(output, 6) == weights(unbroken, 6)
