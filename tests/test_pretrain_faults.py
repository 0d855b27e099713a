"""What goes wrong in a run is told in one line, and leaves nothing half done."""

from __future__ import annotations

import resource
import shutil
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
from tests.pretrain_runs import (
    Answers,
    config,
    log,
    packed,
    write_corpora,
)
from training.pretrain import PretrainConfig, load_pretrain_config, plan_lines, pretrain


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


def test_the_examples_are_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    tiny, large = (
        load_pretrain_config(Path(f"docs/examples/pretrain-{size}.yaml")) for size in ("tiny", "8b")
    )
    assert sum(phase.tokens for phase in tiny.mixtures().phases) == 2_400_000
    assert [phase.name for phase in large.mixtures().phases] == ["web", "anneal", "synthetic"]
    assert "586 of 32 x 128 tokens" in "\n".join(plan_lines(tiny))


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
