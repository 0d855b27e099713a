"""Supervised fine-tuning with TRL, from chats in JSONL and synthesis shards.

Rows hold one sample each, or several packed. Packed samples must not see each other and each must
start at position 0: packed data learns only so. TRL's `bfd` packing lays samples end to end with
positions that start again, from which transformers makes the block-diagonal mask (or the sequence
lengths of FlashAttention); whether that is so for the model at hand is tried before training.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from training.chat_data import Data, Dialogue, dialogues
from training.chat_tokens import (
    Encoded,
    Loss,
    check_known,
    encode_all,
    encode_dialogue,
    longest_sample,
    open_tokenizer,
)
from training.config_file import fault_at, load_config
from training.finetune import Recipe, Result, adapter, finetune
from training.finetune_config import FineTuneConfig, check_finetune, faults
from training.hook import Hook


@dataclass(frozen=True, kw_only=True)
class SftConfig(FineTuneConfig):
    """Settings of supervised fine-tuning, besides those of `FineTuneConfig`.

    loss     answers: what the assistant says, with its end token; all: every token
    packing  whether short samples share a row of max_length, blind to each other
    """

    loss: Loss = "answers"
    packing: bool = False


@dataclass(frozen=True)
class SftData:
    """Samples as tokens, with how many were too long; `held_out` by genre."""

    train: list[Encoded]
    held_out: dict[str, list[Encoded]]
    too_long: int
    source: Data[Dialogue]

    @property
    def tokens(self) -> int:
        """Of one epoch."""
        return sum(len(one.input_ids) for one in self.train)


def load_sft_config(path: Path) -> SftConfig:
    """The configuration in a YAML file. Raises HarnessError `FILE:LINE: ...` for a fault."""
    config = load_config(path, SftConfig)
    for place, text in faults(config):
        fault_at(path, place, text)
    return config


def sft_data(config: SftConfig, tokenizer: Any) -> SftData:
    """Reads and tokenizes. Raises HarnessError for data that cannot be learned from."""
    source = dialogues(config.data, held_out=config.held_out, seed=config.seed)
    encode = functools.partial(encode_dialogue, tokenizer=tokenizer, loss=config.loss)

    most = longest_sample(config.model, config.max_length)

    def kept(rows: Sequence[Dialogue]) -> tuple[list[Encoded], int]:
        return encode_all(rows, encode, lambda one: len(one.input_ids), max_length=most)

    train, too_long = kept(source.train)
    check_known([one.input_ids for one in train], tokenizer, config.model)
    held_out = {genre: kept(rows)[0] for genre, rows in source.held_out.items()}
    return SftData(train, held_out, too_long, source)


def sft(config: SftConfig, hooks: Sequence[Hook] = ()) -> Result:
    """Trains, or continues, a run. Raises HarnessError as `finetune` does, for data that cannot be
    learned from, and for packing that the model does not keep apart."""
    check_finetune(config)
    tokenizer = open_tokenizer(config.model, config.chat_template)
    data = sft_data(config, tokenizer)

    def build(model: Any, arguments: dict[str, Any]) -> Any:
        from trl import SFTConfig, SFTTrainer

        if config.packing:
            check_packing(model, config.model)
            # Packed rows hold no padding, and no mask that says so.
            arguments["include_num_input_tokens_seen"] = "all"
        return SFTTrainer(
            model=model,
            args=SFTConfig(
                **arguments,
                packing=config.packing,
                packing_strategy="bfd",
                eval_packing=False if config.packing else None,
            ),
            train_dataset=_dataset(data.train),
            eval_dataset={genre: _dataset(rows) for genre, rows in data.held_out.items()} or None,
            processing_class=tokenizer,
            peft_config=adapter(config),
        )

    return finetune(config, Recipe("sft", data.source.mixture, data.source.shards, build), hooks)


def _dataset(rows: Sequence[Encoded]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(
        {"input_ids": [one.input_ids for one in rows], "labels": [one.labels for one in rows]}
    )


def check_packing(model: Any, name: Path) -> None:
    """Raises HarnessError where a packed sample's logits are not what they are when it is alone."""
    import torch

    draw = torch.Generator().manual_seed(0)
    first, second = (
        torch.randint(model.config.vocab_size, (1, length), generator=draw) for length in (5, 7)
    )
    packed = torch.cat([first, second], dim=1).to(model.device)
    positions = torch.cat([torch.arange(5), torch.arange(7)])[None].to(model.device)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        together = model(input_ids=packed, position_ids=positions, use_cache=False).logits[:, 5:]
        alone = model(input_ids=second.to(model.device), use_cache=False).logits
    model.train(was_training)
    tolerance = 1e-3 if alone.dtype == torch.float32 else 5e-2
    if not torch.allclose(together, alone, rtol=tolerance, atol=tolerance * alone.abs().max()):
        raise HarnessError(
            f"{name}: {type(model).__name__} lets packed samples see each other; set packing: false"
        )
