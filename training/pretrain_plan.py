"""What a pretraining configuration comes to: parameters, tokens, steps, memory. Reads no corpus."""

from __future__ import annotations

from training.architecture import Architecture, from_hugging_face_config
from training.planning import Layout, memory_gib, training_flops_per_token, written
from training.pretrain_config import PretrainConfig, check_config, steps_of
from training.run_data import architecture

# Of the character tokenizer, whose size is known only when its texts have been read.
_CHARACTERS = 3000


def plan_lines(config: PretrainConfig, world: int | None = None) -> list[str]:
    """The plan of a run by `world` processes (the fewest that hold the model), a line each.
    Raises HarnessError as `check_config` does."""
    world = world or config.parallelism.model
    check_config(config, world)
    mixture = config.mixtures()
    steps = steps_of(config, mixture)
    shape = planned_architecture(config)
    lines = [
        f"model       {written(shape.parameters)} parameters"
        + (f", {written(shape.active_parameters)} of them active" if shape.experts else "")
        + f"; {shape.layers} layers of width {shape.width}, {shape.heads} heads in {shape.groups}",
        f"start       {config.start or 'from nothing'}",
        f"spread      {world} processes: tensor {config.tensor}, pipeline {config.pipeline}, "
        f"context {config.context}, data {world // config.parallelism.model}",
    ]
    for phase, count in zip(mixture.phases, steps, strict=True):
        shares = ", ".join(f"{name} {share:.1%}" for name, share in phase.shares.items())
        lines.append(f"phase       {phase.name or 'all'}: {count:,} steps of {shares}")
    total = sum(steps)
    if config.length:
        tokens = total * config.batch_size * config.length
        flops = tokens * training_flops_per_token(shape.shape, config.length)
        lines += [
            f"steps       {total:,} of {config.batch_size} x {config.length} tokens",
            f"tokens      {written(tokens)}, {tokens / shape.active_parameters:.1f} a parameter",
            f"compute     {flops:.3g} FLOP",
        ]
    else:
        lines.append(f"steps       {total:,} of {config.batch_size} documents")
    rows = config.micro_batch or config.batch_size * config.parallelism.model // world
    layout = Layout(
        context=(config.length or shape.positions) // config.context,
        micro_batch=rows,
        tensor=config.tensor,
        pipeline=config.pipeline,
        recompute=config.recompute,
    )
    memory = memory_gib(shape.shape, layout, world)
    saves = -(-total // config.save_every)
    return [
        *lines,
        f"memory      {memory:.2f} GiB on each GPU, {rows} rows at once; leave a tenth free",
        f"checkpoints {saves}, every {config.save_every} steps, in {config.output}",
    ]


def planned_architecture(config: PretrainConfig) -> Architecture:
    """The model that a run will have, as far as it is known before its tokenizer."""
    if config.start is not None:
        return from_hugging_face_config(config.start)
    trained = config.tokenizer in ("unigram", "bpe")
    return architecture(config, config.vocabulary if trained else _CHARACTERS)
