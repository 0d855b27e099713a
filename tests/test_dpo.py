"""Preference training: the loss by its formula, the reference, lineage, resuming, bad input."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from harness.checkpoint import discover
from harness.engines.types import Message
from harness.errors import HarnessError
from tests.conftest import make_checkpoint
from tests.finetune_runs import losses, preferences, write_jsonl
from training.chat_data import Preference, Source
from training.chat_data import preferences as read_preferences
from training.chat_tokens import encode_pair, open_tokenizer
from training.dpo import DpoConfig, dpo


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("base") / "chat")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preferences(tmp_path_factory.mktemp("data") / "pairs.jsonl")


def config(output: Path, base: Path, data: Path, **changes: Any) -> DpoConfig:
    settings: dict[str, Any] = {
        "steps": 4,
        "save_every": 2,
        "batch_size": 8,
        "learning_rate": 1e-3,
        **changes,
    }
    return DpoConfig(output=output, model=base, data=(Source(str(data)),), **settings)


def log_probability(checkpoint: Path, prompt: list[int], answer: list[int]) -> float:
    """log p(answer | prompt), token by token."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    start = len(prompt) - 1
    return sum(float(logits[start + place, token]) for place, token in enumerate(answer))


def test_a_pair_is_a_prompt_and_two_answers_with_their_ends(base: Path) -> None:
    tokenizer = open_tokenizer(base, None)
    pair = encode_pair(Preference((Message("user", "1+1"),), "2", "3", "", "x:1"), tokenizer)
    written = [
        tokenizer.convert_ids_to_tokens(ids)
        for ids in (pair.prompt_ids, pair.chosen_ids, pair.rejected_ids)
    ]
    prompt = ["<s>", "[user]", "1", "+", "1", "</s>", "[assistant]"]
    assert written == [prompt, ["2", "</s>"], ["3", "</s>"]]


@pytest.mark.parametrize("precompute", [True, False])
def test_the_loss_against_another_reference_is_the_published_one(
    base: Path, tmp_path: Path, precompute: bool
) -> None:
    """−log σ(β (Δ chosen − Δ rejected)), Δ = log π − log π_ref (Rafailov et al. 2023, equation 7);
    the first step's loss, before any weight has moved."""
    reference = make_checkpoint(tmp_path / "reference", seed=5)
    one = write_jsonl(tmp_path / "one.jsonl", [{"prompt": "1+1", "chosen": "2", "rejected": "33"}])
    beta = 0.3
    settings = {"reference": reference, "precompute": precompute, "beta": beta}
    run = config(tmp_path / "run", base, one, steps=1, batch_size=1, **settings)
    dpo(run)
    tokenizer = open_tokenizer(base, None)
    pair = encode_pair(read_preferences(run.data, held_out=0, seed=0).train[0], tokenizer)
    moved = [
        log_probability(base, pair.prompt_ids, answer)
        - log_probability(reference, pair.prompt_ids, answer)
        for answer in (pair.chosen_ids, pair.rejected_ids)
    ]
    expected = math.log1p(math.exp(-beta * (moved[0] - moved[1])))
    assert losses(run.output)[1] == pytest.approx(expected, rel=1e-4)
    assert expected != pytest.approx(math.log(2), rel=0.05)


@pytest.mark.parametrize("rank", [0, 4])
def test_against_itself_the_first_loss_is_log_two_and_then_falls(
    base: Path, data: Path, tmp_path: Path, rank: int
) -> None:
    run = config(tmp_path / "run", base, data, steps=12, save_every=12, lora_rank=rank)
    dpo(dataclasses.replace(run, learning_rate=3e-3))
    curve = losses(run.output)
    assert curve[1] == pytest.approx(math.log(2), abs=1e-5)
    assert curve[12] < 0.9 * curve[1]


def test_lineage_goes_back_to_what_was_fine_tuned(base: Path, data: Path, tmp_path: Path) -> None:
    run = config(tmp_path / "run", base, data, held_out=0.2)
    result = dpo(run)
    assert [path.name for path in result.checkpoints] == ["step_000002", "step_000004"]
    first, second = discover(str(run.output))
    assert first.parent == discover(str(base))[0].fingerprint
    assert (second.parent, second.phase) == (first.fingerprint, "dpo")
    assert first.mixture == {"pairs.jsonl": 1.0}
    log = [json.loads(line) for line in (run.output / "training_log.jsonl").open()]
    assert any("genre_losses" in line for line in log)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_run_goes_on_where_it_stopped(base: Path, data: Path, tmp_path: Path, rank: int) -> None:
    """The reference stays the start, not what the run was resumed from."""
    whole = config(tmp_path / "whole" / "run", base, data, lora_rank=rank)
    dpo(whole)
    parted = dataclasses.replace(whole, output=tmp_path / "parted" / "run")
    dpo(parted, [lambda path, step, tokens: "stop" if step == 2 else "continue"])
    dpo(parted)
    assert losses(parted.output) == losses(whole.output)
    prints = [[one.fingerprint for one in discover(str(c.output))] for c in (whole, parted)]
    assert prints[0] == prints[1]


def test_shards_of_pairs_are_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    messages = [{"role": "user", "content": "1+1"}]
    row = {"genre": "math", "messages": messages, "chosen": "2", "rejected": "3", "margin": 1.0}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "pairs.parquet")
    (pair,) = read_preferences((Source(str(tmp_path)),), held_out=0, seed=0).train
    assert (pair.chosen, pair.rejected, pair.genre) == ("2", "3", "math")
    assert pair.messages == (Message("user", "1+1"),)


BAD_ROWS: dict[str, dict[str, Any]] = {
    "expected `prompt`, `chosen` and `rejected`": {"prompt": "1", "chosen": "2"},
    "are the same": {"prompt": "1", "chosen": "2", "rejected": "2"},
    "`prompt` ends with the assistant": {
        "prompt": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}],
        "chosen": "3",
        "rejected": "4",
    },
    "`chosen` is not one message of the assistant": {
        "prompt": "1",
        "chosen": [{"role": "user", "content": "2"}],
        "rejected": "3",
    },
    "`rejected` is empty": {"prompt": "1", "chosen": "2", "rejected": ""},
}


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_a_bad_pair_is_told_with_its_line(fault: str, tmp_path: Path) -> None:
    good = {"prompt": "1", "chosen": "2", "rejected": "3"}
    path = write_jsonl(tmp_path / "bad.jsonl", [good, BAD_ROWS[fault]])
    with pytest.raises(HarnessError, match=rf"bad\.jsonl:2: .*{fault}"):
        read_preferences((Source(str(path)),), held_out=0, seed=0)


def test_a_reference_of_another_vocabulary(base: Path, data: Path, tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    LlamaForCausalLM(LlamaConfig(vocab_size=50, num_attention_heads=2, **small)).save_pretrained(
        tmp_path / "other"
    )
    with pytest.raises(HarnessError, match="a reference of 50 tokens for a model of"):
        dpo(config(tmp_path / "run", base, data, reference=tmp_path / "other"))
