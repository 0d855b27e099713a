"""The harness after every save: real verdicts, what a critical regression does, and that training
takes no notice of being watched."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from harness.checkpoint import Lineage, discover, write_lineage
from harness.errors import HarnessError
from harness.store.database import connect
from harness.store.watched import Watched, add_watched
from tests.conftest import make_checkpoint
from tests.finetune_runs import chat, losses, write_jsonl
from training.callbacks import HarnessCallback
from training.chat_data import Source
from training.hook import HarnessHook, evaluate_config, harness_hook
from training.run_directory import put_checkpoints_aside
from training.sft import SftConfig, sft

QUESTIONS = [f"問{a}{b}" for a in "あいうえお" for b in "かきくけこ"]


@pytest.fixture(scope="module")
def evalset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions to which the answer is always 東."""
    folder = tmp_path_factory.mktemp("sets") / "own"
    folder.mkdir()
    rule = {"kind": "choice", "labels": ["東", "京"]}
    write_jsonl(
        folder / "items.jsonl",
        [
            {
                "id": f"own/{number}",
                "genre": "reasoning",
                "turns": [question],
                "answer": "東",
                "format": rule,
                "metric": "exact",
            }
            for number, question in enumerate(QUESTIONS)
        ],
    )
    header = ("name: own", "version: 1", "licence: CC0-1.0", "made-by: a test", "reviewed: no")
    (folder / "card.md").write_text("---\n" + "\n".join(header) + "\n---\nAlways 東.\n")
    return folder


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that always says 東."""
    root = tmp_path_factory.mktemp("learned")
    base = make_checkpoint(root / "base")
    data = write_jsonl(root / "east.jsonl", [chat(question, "東") for question in QUESTIONS])
    settings: dict[str, Any] = {"batch_size": 25, "learning_rate": 3e-3, "max_length": 64}
    result = sft(
        SftConfig(
            output=root / "run",
            model=base,
            data=(Source(str(data)),),
            steps=30,
            save_every=30,
            **settings,
        )
    )
    return result.checkpoints[-1]


def place(run: Path, step: int, source: Path, scale: float = 1.0) -> Path:
    """A checkpoint of a run, its weights scaled a little so that it is one of its own."""
    import torch
    from safetensors.torch import load_file, save_file

    target = run / f"step_{step:06d}"
    shutil.copytree(source, target)
    weights = load_file(target / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * (1 + step / 1e5)
    if scale != 1.0:
        weights["lm_head.weight"] = torch.randn_like(weights["lm_head.weight"]) * scale
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    write_lineage(target, Lineage(run=run.name, step=step))
    return target


def hook_for(evalset: Path, store: Path, lines: list[str], **settings: Any) -> HarnessHook:
    chosen = {"engine": "transformers", "samples": 2, **settings}
    return harness_hook(log=lines.append, suite=str(evalset), store=str(store), **chosen)


@pytest.mark.parametrize("how", ["here", "process"])
def test_a_real_regression_rolls_back_to_the_last_good_checkpoint(
    how: str, evalset: Path, learned: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lines: list[str] = []
    hook = hook_for(evalset, tmp_path / "s.duckdb", lines, how=how, on_critical="rollback")
    decisions = [
        hook(place(run, step, learned, scale), step, step)
        for step, scale in ((10, 1.0), (20, 1.0), (30, 0.3))
    ]
    # A verdict of the process beside the training comes while training goes on, or at its end.
    decisions.append(hook.close())
    assert decisions.count(("rollback", 20)) == 1
    assert decisions[:2] == ["continue", "continue"]
    assert how == "process" or decisions[2] == ("rollback", 20)
    told = "\n".join(lines)
    assert "run/step_000010: first" in told
    assert "run/step_000020: good" in told
    assert "run/step_000030: critical in own reasoning: rollback to step 20" in told
    assert (run / "harness_watch.log").is_file() == (how == "process")
    put_checkpoints_aside(run, 20, "1")
    hook(place(run, 30, learned), 30, 30)
    hook.close()
    assert lines[-1].startswith("run/step_000030: good")
    with connect(tmp_path / "s.duckdb", read_only=True) as connection:
        names = connection.execute("SELECT name FROM checkpoints ORDER BY name").fetchall()
        assert [name for (name,) in names] == [
            "run/rolled_back/1/step_000030",
            *(f"run/step_0000{step}" for step in (10, 20, 30)),
        ]
        broken = connection.execute("SELECT DISTINCT status, fixed_at_step FROM regressions")
        assert broken.fetchall() == [("fixed", 20)]


def judged(store: Path, hook: HarnessHook, run: Path, verdicts: dict[int, str]) -> None:
    """Verdicts as a `harness watch` beside the training would have recorded them."""
    watch = hook._watch()
    for step, verdict in verdicts.items():
        one = {"suite": "own", "genre": "reasoning", "verdict": verdict, "p": 0.001}
        one["confirmed"] = one["screened"] = {"change": -0.5, "low": -0.6, "high": -0.4}
        genres = [one] if verdict == "regressed" else []
        add_watched(
            store,
            Watched(
                run=run.name,
                step=step,
                fingerprint=f"f{step}",
                policy_hash=watch.policy_hash,
                checkpoint=f"{run.name}/step_{step:06d}",
                number=step,
                verdict=verdict,  # type: ignore[arg-type]
                is_anchor=False,
                evidence={"genres": genres},
                judged_at=datetime.now(UTC),
            ),
        )


@pytest.mark.parametrize(
    ("on_critical", "decision"),
    [("log", "continue"), ("stop", "stop"), ("rollback", ("rollback", 20))],
)
def test_what_a_critical_regression_does(
    on_critical: str, decision: Any, evalset: Path, tmp_path: Path
) -> None:
    run, store, lines = tmp_path / "run", tmp_path / "s.duckdb", list[str]()
    run.mkdir()
    hook = hook_for(evalset, store, lines, how="watch", on_critical=on_critical)
    assert hook(run / "step_000010", 10, 10) == "continue"
    command = lines[0]
    assert f"harness watch {run}" in command
    assert "--samples 2" in command
    judged(store, hook, run, {10: "first", 20: "good", 30: "inconclusive", 40: "regressed"})
    assert hook(run / "step_000050", 50, 50) == decision
    assert any("step_000040: critical in own reasoning" in line for line in lines)
    # A verdict acts once.
    assert hook(run / "step_000060", 60, 60) == "continue"


def test_the_policy_says_what_is_critical(evalset: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text('version: 1\nrules:\n  - match: "math/all/strict"\n    critical: true\n')
    run, store = tmp_path / "run", tmp_path / "s.duckdb"
    run.mkdir()
    hook = hook_for(evalset, store, [], how="watch", on_critical="stop", policy=str(policy))
    hook(run / "step_000010", 10, 10)
    judged(store, hook, run, {10: "first", 20: "regressed"})
    assert hook(run / "step_000020", 20, 20) == "continue"


def test_a_rollback_without_a_good_checkpoint_stops(evalset: Path, tmp_path: Path) -> None:
    run, store = tmp_path / "run", tmp_path / "s.duckdb"
    run.mkdir()
    hook = hook_for(evalset, store, [], how="watch", on_critical="rollback")
    hook(run / "step_000010", 10, 10)
    judged(store, hook, run, {20: "regressed"})
    assert hook(run / "step_000020", 20, 20) == "stop"


def test_an_evaluation_that_fails_stops_nothing(evalset: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    run = tmp_path / "run"
    (run / "step_000010").mkdir(parents=True)
    hook = hook_for(evalset, tmp_path / "s.duckdb", lines, how="here", on_critical="stop")
    assert hook(run / "step_000010", 10, 10) == "continue"
    assert any("step_000010: not evaluated: " in line for line in lines)
    gone = hook_for(tmp_path / "none", tmp_path / "s.duckdb", lines, how="here")
    assert gone(run / "step_000010", 10, 10) == "continue"
    assert "not evaluated" in lines[-1]


def test_settings_that_there_are_not() -> None:
    with pytest.raises(HarnessError, match="unknown field `sweet`; its settings are suite"):
        HarnessCallback(sweet="probes")
    with pytest.raises(HarnessError, match="the harness callback: Invalid enum value 'pray'"):
        HarnessCallback(on_critical="pray")


def test_two_lines_in_somebodys_own_trainer(evalset: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    base = make_checkpoint(tmp_path / "base")
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base),
        args=SFTConfig(
            output_dir=str(tmp_path / "own-run"),
            max_steps=2,
            save_steps=1,
            per_device_train_batch_size=4,
            use_cpu=True,
            bf16=False,
            report_to="none",
        ),
        train_dataset=Dataset.from_list([chat(question, "東") for question in QUESTIONS]),
        processing_class=AutoTokenizer.from_pretrained(base),
    )
    store = tmp_path / "s.duckdb"
    callback = HarnessCallback(
        suite=str(evalset), store=str(store), how="here", engine="transformers", samples=1
    )
    trainer.add_callback(callback)
    trainer.train()
    from harness.store.database import connect

    with connect(store, read_only=True) as connection:
        rows = connection.execute("SELECT run, step FROM watched ORDER BY step").fetchall()
    assert rows == [("own-run", 1), ("own-run", 2)]
    assert callback.decision == "continue"


def test_being_watched_changes_nothing(evalset: Path, tmp_path: Path) -> None:
    """Dropout draws random numbers, and so does an evaluation's sampling."""
    base = make_checkpoint(tmp_path / "base")
    data = write_jsonl(tmp_path / "d.jsonl", [chat(question, "東") for question in QUESTIONS])
    prints = []
    for name in ("alone", "watched"):
        config = SftConfig(
            output=tmp_path / name / "run",
            model=base,
            data=(Source(str(data)),),
            steps=4,
            save_every=2,
            batch_size=4,
            lora_rank=2,
            lora_dropout=0.2,
            learning_rate=1e-3,
        )
        hook = hook_for(evalset, tmp_path / "s.duckdb", [], how="here")
        sft(config, [hook] if name == "watched" else [])
        prints.append([one.fingerprint for one in discover(str(config.output))])
    assert prints[0] == prints[1]
    assert losses(tmp_path / "alone" / "run") == losses(tmp_path / "watched" / "run")


def test_a_stopped_run_says_so_in_its_log(evalset: Path, tmp_path: Path) -> None:
    base = make_checkpoint(tmp_path / "base")
    data = write_jsonl(tmp_path / "d.jsonl", [chat(question, "東") for question in QUESTIONS])
    config = SftConfig(
        output=tmp_path / "run",
        model=base,
        data=(Source(str(data)),),
        steps=4,
        save_every=1,
        batch_size=4,
    )
    result = sft(config, [lambda path, step, tokens: "stop" if step == 2 else "continue"])
    assert result.stopped == "stop at step 2"
    lines = [json.loads(line) for line in (tmp_path / "run/training_log.jsonl").open()]
    assert lines[-1] == {"step": 2, "event": "stop"}


def test_the_start_is_judged_as_step_zero(evalset: Path, learned: Path, tmp_path: Path) -> None:
    """A run that breaks its model at once is told from its start, and goes back to it."""
    lines: list[str] = []
    data = write_jsonl(tmp_path / "west.jsonl", [chat(question, "京") for question in QUESTIONS])
    settings = {"suite": str(evalset), "store": str(tmp_path / "s.duckdb"), "how": "here"}
    evaluate = evaluate_config(**settings, engine="transformers", on_critical="stop", samples=2)
    config = SftConfig(
        output=tmp_path / "run",
        model=learned,
        data=(Source(str(data)),),
        steps=40,
        save_every=20,
        batch_size=25,
        learning_rate=3e-3,
        evaluate=evaluate,
    )
    result = sft(config, [HarnessHook(evaluate, lines.append)])
    assert [path.name for path in result.checkpoints] == ["step_000000", "step_000020"]
    assert result.stopped == "stop at step 20"
    start, broken = discover(str(config.output))
    assert start.fingerprint == discover(str(learned))[0].fingerprint == broken.parent
    assert "run/step_000000: first" in "\n".join(lines)
    # The start's files are linked or copied, and stay where they were.
    assert (learned / "model.safetensors").is_file()


def test_engines_serve_what_was_learned(learned: Path) -> None:
    from collections import deque

    from harness.engines.prompt import load_renderer
    from harness.engines.select import open_engine
    from harness.engines.types import Message, Request, Sampling

    render = load_renderer(learned)
    engine = open_engine("transformers", path=learned).engine
    requests = deque(
        Request(question, render([Message("user", question)]).prompt, Sampling(max_tokens=8))
        for question in QUESTIONS
    )
    answers = [(one.text, one.finish_reason) for one in engine.generate(requests)]
    engine.close()
    assert answers == [("東", "stop")] * len(QUESTIONS)
