"""What a run does with its data, its callbacks and with what goes wrong."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("megatron.core")

from harness.checkpoint import discover
from harness.errors import HarnessError
from tests.conftest import make_checkpoint
from tests.pretrain_runs import log, losses
from training.data import component_samples, text_samples
from training.pretrain import PretrainConfig, load_pretrain_config, plan_lines, pretrain

SIZES: dict[str, Any] = {
    "samples": 60,
    "batch_size": 8,
    "warmup": 2,
    "merges": 50,
    "width": 16,
    "layers": 2,
    "heads": 2,
    "groups": 2,
    "head_size": 8,
    "feed_forward": 16,
    "positions": 128,
    "held_out": 8,
    "log_every": 1,
    "steps": 6,
    "save_every": 2,
    "keep_states": 3,
    "mixture": {"math/arithmetic": 0.5, "copy": 0.3, "text": 0.2},
}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache of indexed corpora for this file, none of the user's."""
    home = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """web.jsonl of texts; shard.parquet of dialogues in two genres."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = tmp_path_factory.mktemp("corpora")
    lines = [json.dumps({"text": each.answer}) for each in text_samples(400, 1)]
    (place / "web.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [
        {
            "messages": [
                {"role": "user", "content": sample.prompt},
                {"role": "assistant", "content": sample.answer},
            ],
            "genre": genre,
        }
        for probe, genre, count in (("math/arithmetic", "math", 150), ("format/copy", "format", 50))
        for sample in component_samples(probe, count=count, level=1, seed=2)
    ]
    pq.write_table(pa.Table.from_pylist(rows), place / "shard.parquet")
    (place / "mixture.yaml").write_text(
        f"""\
components:
  web: {{path: {place}/web.jsonl}}
  talk: {{path: {place}/shard.parquet}}
  lines: {{probe: format/lines}}
phases:
  - {{name: web, tokens: 1536, weights: {{web: 3, lines: 1}}}}
  - {{name: anneal, tokens: 1024, weights: {{web: 1, talk: 1}}}}
  - {{name: synthetic, steps: 2, weights: {{talk: 1}}}}
""",
        encoding="utf-8",
    )
    return place


def config(output: Path, **changes: Any) -> PretrainConfig:
    return PretrainConfig(output=output, **{**SIZES, **changes})


def lineage(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((checkpoint / "lineage.json").read_text(encoding="utf-8"))
    return found


def weights(output: Path, step: int) -> bytes:
    return (output / f"step_{step:06d}" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("unbroken") / "demo"
    pretrain(config(output))
    return output


def packed(corpora: Path, output: Path, **changes: Any) -> PretrainConfig:
    settings: dict[str, Any] = {
        "mixture_file": corpora / "mixture.yaml",
        "length": 32,
        "save_every": 4,
        "tokenizer": "bpe",
        "vocabulary": 600,
    }
    return config(output, **{**settings, **changes})


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


def test_a_checkpoint_is_continued_from(corpora: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    start = make_checkpoint(tmp_path / "start")
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


class Answers:
    """A callback that answers as told, by step, and remembers what it was shown; each answer is
    given once."""

    def __init__(self, answers: dict[int, Any]) -> None:
        self.answers = dict(answers)
        self.shown: list[tuple[str, int, int]] = []

    def __call__(self, path: Path, step: int, tokens: int) -> Any:
        assert (path / "lineage.json").is_file()
        self.shown.append((path.name, step, tokens))
        answer = self.answers.pop(step, "continue")
        return answer() if callable(answer) else answer


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


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_good_state(
    tmp_path: Path,
) -> None:
    output = tmp_path / "demo"
    with pytest.raises(HarnessError, match=r"not a number at step \d+ .*; the last good state"):
        pretrain(config(output, learning_rate=1e30, steps=200, save_every=1, warmup=100))
    states = sorted((output / "megatron").iterdir())
    assert states
    assert all(state.name.startswith("iter_") for state in states)
    events = [line["event"] for line in log(output) if "event" in line]
    assert events[-1].startswith("not a number: loss ")


@pytest.fixture
def file_limit() -> Iterator[Any]:
    """Sets the largest file that may be written, as a full disk does, until the test ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_disk_that_fills_leaves_no_half_state(
    tmp_path: Path, file_limit: Any, asynchronous: bool
) -> None:
    output = tmp_path / "demo"
    large = config(output, width=64, async_save=asynchronous)

    def fill() -> str:
        file_limit(100_000)
        return "continue"

    with pytest.raises(HarnessError, match=r"could not be saved in .*last complete state") as fault:
        pretrain(large, [Answers({2: fill})])
    assert "\n" not in str(fault.value)
    complete = {path.name for path in (output / "megatron").glob("iter_*")}
    # A state may be written while the one before it is still being published.
    assert complete <= {"iter_0000002", *(["iter_0000004"] if asynchronous else [])}
    assert [path.name for path in output.glob("step_*")] == ["step_000002"]
    file_limit(resource.RLIM_INFINITY)
    pretrain(large)
    assert [each.step for each in discover(str(output))] == [2, 4, 6]
    assert not list((output / "megatron").glob("partial_*"))


def test_data_that_cannot_be_read_is_told_in_one_line(corpora: Path, tmp_path: Path) -> None:
    def fault(path: Path, **changes: Any) -> str:
        output = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        mixture = {str(path): 1.0}
        settings = {"mixture_file": None, "mixture": mixture, "tokenizer": "", **changes}
        with pytest.raises(HarnessError) as found:
            pretrain(packed(corpora, output, **settings))
        assert "\n" not in str(found.value)
        return str(found.value)

    import pyarrow as pa
    import pyarrow.parquet as pq

    gone = tmp_path / "gone.jsonl"
    assert f"{gone} does not exist: put the corpus back" in fault(gone)
    empty = tmp_path / "empty.parquet"
    pq.write_table(pa.table({"messages": pa.array([], pa.string())}), empty)
    assert f"{empty} is empty; write it again" in fault(empty)
    torn = tmp_path / "torn.parquet"
    torn.write_bytes((corpora / "shard.parquet").read_bytes()[:500])
    assert f"{torn} is not a readable Parquet file" in fault(torn)
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"text": "あ"}\n{"words": "い"}\n', encoding="utf-8")
    assert f"{wrong}:2: no `messages`" in fault(wrong)
    small = tmp_path / "small.jsonl"
    small.write_text('{"text": "あいう"}\n', encoding="utf-8")
    assert "fewer than one sequence of 32" in fault(small)


def test_an_index_of_another_tokenizer_is_refused(corpora: Path, tmp_path: Path) -> None:
    import numpy as np

    from training.batch import Encoded
    from training.indexed import IndexWriter

    writer = IndexWriter(tmp_path / "corpus")
    writer.add(Encoded(np.full(200, 70_000), np.ones(200, dtype=bool)))
    writer.close()
    settings = {"mixture_file": None, "mixture": {str(tmp_path / "corpus"): 1.0}}
    with pytest.raises(HarnessError, match=r"holds token 70000 .* made with another tokenizer"):
        pretrain(packed(corpora, tmp_path / "run", **settings, tokenizer="characters"))
    (tmp_path / "corpus.bin").unlink()
    with pytest.raises(HarnessError, match=r"corpus\.bin does not exist: put it back"):
        pretrain(packed(corpora, tmp_path / "other", **settings, tokenizer="characters"))


def test_a_tokenizer_larger_than_the_checkpoint_is_refused(corpora: Path, tmp_path: Path) -> None:
    start = make_checkpoint(tmp_path / "start")
    other = tmp_path / "tokenizer"
    pretrain(packed(corpora, tmp_path / "first", steps=3))
    shutil.copytree(tmp_path / "first" / "tokenizer", other)
    with pytest.raises(HarnessError, match=r"the tokenizer has 600 tokens and .* rows for them"):
        pretrain(packed(corpora, tmp_path / "run", start=start, tokenizer=str(other)))


def test_settings_that_cannot_be_are_refused_by_name(tmp_path: Path) -> None:
    for changes, message in (
        ({"warmup": 6}, "warmup is 6, expected fewer than the 6 steps"),
        ({"batch_size": 0}, r"Expected `int` >= 1 - at `\$.batch_size`"),
        ({"mixture": {"text": -1.0}}, r"Expected `float` > 0.0 - at `\$.mixture"),
        ({"heads": 3}, "heads 3 is not a multiple of groups 2"),
        ({"tensor": 2}, "start a multiple with torchrun --nproc-per-node 2"),
        ({"micro_batch": 3}, "8 rows a process are not a multiple of micro_batch 3"),
        ({"length": 256}, "length 256 is more than positions 128"),
        ({"context": 2}, "context > 1 needs engine transformer_engine"),
        ({"sequence": True}, "sequence needs tensor > 1"),
        ({"experts": 4, "top_k": 1}, "a token cannot visit 1 of 4 experts"),
    ):
        with pytest.raises(HarnessError, match=message):
            pretrain(config(tmp_path / "run", **changes))


def test_a_configuration_file_and_its_plan(corpora: Path, tmp_path: Path) -> None:
    file = tmp_path / "pretrain.yaml"
    file.write_text(
        f"output: {tmp_path}/run\nmixture_file: {corpora}/mixture.yaml\nlength: 32\n"
        "batch_size: 8\nwarmup: 2\nlearning_rate: 3e-4\ntokenizer: bpe\n",
        encoding="utf-8",
    )
    found = load_pretrain_config(file)
    assert found.learning_rate == 3e-4
    assert found == replace(
        PretrainConfig(output=tmp_path / "run"),
        mixture_file=corpora / "mixture.yaml",
        length=32,
        batch_size=8,
        warmup=2,
        learning_rate=3e-4,
        tokenizer="bpe",
    )
    plan = "\n".join(plan_lines(found))
    assert "web: 6 steps of web 75.0%, lines 25.0%" in plan
    assert "12 of 8 x 32 tokens" in plan
    assert "3.07K" in plan
    file.write_text(file.read_text("utf-8").replace("bpe", "bpe\nbatchsize: 3"), encoding="utf-8")
    with pytest.raises(HarnessError, match=r"pretrain\.yaml:8: 'batchsize' is no setting here"):
        load_pretrain_config(file)
