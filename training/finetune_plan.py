"""What a fine-tuning run is going to do, before it does: data, steps, memory. Reads and tokenizes
the data, loads no weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.checkpoint_files import CheckpointFiles, inspect
from training.chat_tokens import open_tokenizer
from training.dpo import DpoConfig, dpo_data
from training.finetune_config import FineTuneConfig, world_size
from training.planning import Shape, finetune_memory_gib, training_flops_per_token, written
from training.sft import SftConfig, sft_data


@dataclass(frozen=True)
class _Counts:
    samples: int
    too_long: int
    held_out: dict[str, int]
    tokens: int
    mixture: dict[str, float]


def plan_finetune(config: SftConfig | DpoConfig) -> list[tuple[str, str]]:
    """(what, how much) lines. Raises HarnessError for a checkpoint or data that cannot be used."""
    files = inspect(config.model)
    counts = _counts(config)
    shape = checkpoint_shape(files)
    rows = counts.samples
    if isinstance(config, SftConfig) and config.packing:
        # At the least: rows that are packed full.
        rows = max(1, math.ceil(counts.tokens / config.max_length))
    per_epoch = max(1, math.ceil(rows / config.batch_size))
    steps = config.steps or math.ceil(per_epoch * config.epochs)
    tokens = counts.tokens * steps / per_epoch
    is_pair = isinstance(config, DpoConfig)
    memory = finetune_memory_gib(
        shape,
        context=config.max_length,
        at_once=config.at_once * (2 if is_pair else 1),
        lora_rank=config.lora_rank,
        recompute=config.checkpointing,
        frozen_bytes=_frozen_bytes(),
    )
    flops = training_flops_per_token(shape, config.max_length) * tokens
    shares = ", ".join(f"{name} {share:.1%}" for name, share in counts.mixture.items())
    aside = ", ".join(f"{genre} {n:,}" for genre, n in counts.held_out.items()) or "nothing"
    weights = f"LoRA of rank {config.lora_rank}" if config.lora_rank else "all weights"
    lines = [
        ("checkpoint", f"{config.model} ({written(shape.parameters)} parameters)"),
        ("trained", weights),
        ("samples", f"{counts.samples:,} an epoch ({shares})"),
        ("left out", f"{counts.too_long:,} longer than {config.max_length:,} tokens"),
        ("held out", aside),
        ("tokens", f"{counts.tokens:,} an epoch, about {written(max(1.0, tokens))} in all"),
        ("steps", f"{steps:,} of {config.batch_size} sequences ({steps / per_epoch:.2g} epochs)"),
        ("processes", f"{world_size()}, {config.at_once} sequences at once in each"),
        ("checkpoints", f"{math.ceil(steps / config.save_every)}, every {config.save_every} steps"),
        ("memory", f"about {memory:.3g} GiB a process, unsharded"),
        ("compute", f"about {flops:.2g} FLOP"),
    ]
    if isinstance(config, SftConfig):
        packed = "several samples a row, apart from each other" if config.packing else "one a row"
        lines.insert(4, ("loss on", f"{config.loss}; {packed}"))
    else:
        reference = str(config.reference or "the checkpoint itself")
        lines.insert(4, ("reference", f"{reference}, beta {config.beta:g}"))
    if config.evaluate is not None:
        one = config.evaluate
        lines.append(("evaluated", f"{one.suite} ({one.how}), on critical: {one.on_critical}"))
    return lines


def checkpoint_shape(files: CheckpointFiles) -> Shape:
    """The shape that a checkpoint's config.json states."""
    stated = files.config
    width = int(stated.get("hidden_size") or 0)
    parameters = float(files.parameters or 0)
    return Shape(
        parameters,
        parameters,
        int(stated.get("num_hidden_layers") or 0),
        width,
        int(stated.get("intermediate_size") or 4 * width),
        int(stated.get("vocab_size") or 0),
    )


def _counts(config: FineTuneConfig) -> _Counts:
    tokenizer = open_tokenizer(config.model, config.chat_template)
    if isinstance(config, SftConfig):
        data = sft_data(config, tokenizer)
        held_out = {genre: len(rows) for genre, rows in data.held_out.items()}
        mixture, tokens, samples = dict(data.source.mixture), data.tokens, len(data.train)
        return _Counts(samples, data.too_long, held_out, tokens, mixture)
    assert isinstance(config, DpoConfig)
    pairs = dpo_data(config, tokenizer)
    held_out = {genre: len(rows) for genre, rows in pairs.held_out.items()}
    mixture = dict(pairs.source.mixture)
    return _Counts(len(pairs.train), pairs.too_long, held_out, pairs.tokens, mixture)


def _frozen_bytes() -> int:
    """Of each weight below an adapter: bfloat16 on a GPU, else float32."""
    import torch

    return 2 if torch.cuda.is_available() else 4
