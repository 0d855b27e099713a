"""Pretrains a small Llama-style model with Megatron-Core and saves a lineage of checkpoints.

    python -m training.pretrain --output runs/demo

Every `save_every` steps the output gains `step_000300/`, a Hugging Face checkpoint with its
`lineage.json`; the newest Megatron state lies in `megatron/iter_0000300`. Both appear by rename, so
whatever is there is complete. Repeating the command continues from the Megatron state.

Megatron's checkpoint writer starts helper processes, so `pretrain` must be called under
`if __name__ == "__main__":`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import HarnessError
from training.data import (
    COPY,
    TEXT,
    Batch,
    Encoded,
    Sample,
    batches,
    component_samples,
    encode,
    inventory_texts,
    training_phrases,
)
from training.tokenizer import build_tokenizer, save_tokenizer

if TYPE_CHECKING:
    from training.convert import Architecture

DEFAULT_MIXTURE: Mapping[str, float] = {
    "math": 0.35,
    "extraction": 0.2,
    "reasoning": 0.2,
    "format": 0.15,
    COPY: 0.05,
    TEXT: 0.05,
}


@dataclass(frozen=True)
class PretrainConfig:
    """Everything that decides what a run computes; a run resumes only under equal settings.

    output         the run's directory; its name is the run's name in the lineage
    steps          optimizer steps in all
    save_every     steps between checkpoints; the last step is always saved
    mixture        weight of each component: `text`, `copy`, a probe genre or family
    level          highest difficulty of the probe samples, 1 to 5
    samples        distinct samples generated for each component
    merges         most merged phrases in the tokenizer; 0 makes it purely character-level
    width          hidden size
    layers         transformer layers
    heads          attention heads
    groups         key-value heads; fewer than `heads` is grouped-query attention
    feed_forward   inner size of the gated feed-forward layer
    positions      longest sequence that the checkpoints take
    tied           whether the output layer reuses the embedding
    batch_size     samples a step, over all processes
    learning_rate  peak, reached after `warmup` steps
    final_rate     learning rate at the last step, as a share of the peak; the decay is linear
    warmup         steps of linear warm-up
    weight_decay   decoupled, on matrices only
    clip           largest norm of the gradient
    seed           of initialisation, samples and their order
    """

    output: Path
    steps: int = 1800
    save_every: int = 300
    mixture: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_MIXTURE))
    level: int = 1
    samples: int = 20_000
    merges: int = 300
    width: int = 64
    layers: int = 3
    heads: int = 8
    groups: int = 8
    feed_forward: int = 192
    positions: int = 1024
    tied: bool = False
    batch_size: int = 64
    learning_rate: float = 5e-3
    final_rate: float = 0.1
    warmup: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0

    def settings(self) -> dict[str, Any]:
        """All fields but the output, as JSON holds them."""
        values = asdict(self)
        del values["output"]
        return {**values, "mixture": dict(self.mixture)}


def check_config(config: PretrainConfig) -> None:
    """Raises HarnessError for settings that cannot be trained with."""
    if config.steps < 1 or config.save_every < 1:
        raise HarnessError("--steps and --save-every must be 1 or more")
    if config.warmup >= config.steps:
        raise HarnessError(
            f"--warmup is {config.warmup}, expected fewer than --steps {config.steps}"
        )
    if config.width % config.heads or config.heads % config.groups:
        raise HarnessError(
            f"width {config.width}, heads {config.heads} and groups {config.groups} do not divide; "
            "expected width a multiple of heads and heads a multiple of groups"
        )
    if not config.mixture or any(weight <= 0 for weight in config.mixture.values()):
        raise HarnessError("--mixture needs one or more components with positive weights")


def pretrain(config: PretrainConfig) -> list[Path]:
    """Trains, or continues, the run at `config.output` and returns its checkpoints in order.

    Runs in one process, or in each process of a `torchrun` for data parallelism. Raises
    HarnessError when the output belongs to a run with other settings.
    """
    check_config(config)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if config.batch_size % world:
        raise HarnessError(
            f"--batch-size {config.batch_size} does not divide over {world} processes"
        )
    if rank == 0:
        _claim_output(config)
    if checkpoint_path(config, config.steps).is_dir():
        if rank == 0:
            print(f"{config.output} is already complete at step {config.steps}")
        return checkpoints(config.output)

    from training.megatron_cpu import cpu_guard

    # Made before the distributed group exists: Megatron's helpers must not inherit a CUDA context.
    samples = _samples(config)
    tokenizer = _tokenizer(config, samples)
    encoded = {name: encode(entries, tokenizer) for name, entries in samples.items()}
    with cpu_guard(), _process_group(rank, world, config.seed):
        _train(config, tokenizer, encoded, rank, world)
    return checkpoints(config.output)


def checkpoints(output: Path) -> list[Path]:
    """The complete checkpoints of a run, by step."""
    return sorted(path for path in output.glob("step_*") if path.is_dir())


def checkpoint_path(config: PretrainConfig, step: int) -> Path:
    return config.output / f"step_{step:06d}"


def architecture(config: PretrainConfig, vocabulary: int) -> Architecture:
    """The model's shape in the words of `training.convert`."""
    from training.convert import Architecture

    return Architecture(
        vocabulary=vocabulary,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        groups=config.groups,
        feed_forward=config.feed_forward,
        positions=config.positions,
        tied=config.tied,
    )


def build_model(shape: Architecture) -> Any:
    """A Megatron-Core GPTModel: RMSNorm, RoPE, gated SiLU, no biases, local layer spec.

    Needs an initialised process group with Megatron's parallel state, and on CPU an open
    `cpu_guard`. On a GPU weights are bfloat16, on the CPU float32.
    """
    import torch
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.transformer import TransformerConfig

    cuda = torch.cuda.is_available()
    dtype = torch.bfloat16 if cuda else torch.float32
    model = GPTModel(
        config=TransformerConfig(
            num_layers=shape.layers,
            hidden_size=shape.width,
            num_attention_heads=shape.heads,
            num_query_groups=shape.groups,
            ffn_hidden_size=shape.feed_forward,
            layernorm_epsilon=shape.norm_epsilon,
            hidden_dropout=0.0,
            attention_dropout=0.0,
            normalization="RMSNorm",
            gated_linear_unit=True,
            activation_func=torch.nn.functional.silu,
            add_bias_linear=False,
            bias_activation_fusion=False,
            bias_dropout_fusion=False,
            masked_softmax_fusion=False,
            persist_layer_norm=False,
            gradient_accumulation_fusion=False,
            attention_softmax_in_fp32=True,
            use_cpu_initialization=not cuda,
            bf16=cuda,
            params_dtype=dtype,
            pipeline_dtype=dtype,
        ),
        transformer_layer_spec=get_gpt_layer_local_spec(normalization="RMSNorm"),
        vocab_size=shape.vocabulary,
        max_sequence_length=shape.positions,
        position_embedding_type="rope",
        rotary_base=int(shape.rope_theta),
        share_embeddings_and_output_weights=shape.tied,
    )
    # The output layer and the softmax over the vocabulary are most of a small model's work, and
    # the loss wants few positions: choose those rows between decoder and output layer.
    model.loss_positions = None

    def choose_rows(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if model.loss_positions is None:
            return None
        hidden = inputs[0]  # (length, rows, width)
        return (hidden.flatten(0, 1)[model.loss_positions].unsqueeze(1), *inputs[1:])

    model.output_layer.register_forward_pre_hook(choose_rows)
    return model.cuda() if cuda else model


def _claim_output(config: PretrainConfig) -> None:
    """Writes the run's settings, or checks that they are those of the run already there."""
    path = config.output / "pretrain.json"
    settings = config.settings()
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        for name, value in settings.items():
            if earlier.get(name) != value:
                raise HarnessError(
                    f"{path} belongs to a run with {name} {earlier.get(name)}, not {value}; "
                    "repeat its settings to continue it or choose another --output"
                )
        return
    if checkpoints(config.output):
        raise HarnessError(
            f"{config.output} holds checkpoints but no pretrain.json, so whose they are is "
            "unknown; choose another --output"
        )
    config.output.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")
    partial.replace(path)


def _samples(config: PretrainConfig) -> dict[str, list[Sample]]:
    return {
        name: component_samples(name, count=config.samples, level=config.level, seed=config.seed)
        for name in sorted(config.mixture)
    }


def _tokenizer(config: PretrainConfig, samples: Mapping[str, list[Sample]]) -> Any:
    """The run's tokenizer: a function of its settings, so a resumed run builds it again."""
    texts = [
        text for part in samples.values() for each in part for text in (each.prompt, each.answer)
    ]
    return build_tokenizer([*texts, *inventory_texts()], training_phrases(), config.merges)


@contextlib.contextmanager
def _process_group(rank: int, world: int, seed: int) -> Iterator[None]:
    """torch.distributed and Megatron's parallel state (data parallel only), torn down after."""
    import torch
    from megatron.core import parallel_state
    from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if "MASTER_ADDR" not in os.environ:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("nccl" if cuda else "gloo", rank=rank, world_size=world)
    parallel_state.initialize_model_parallel()
    if cuda:
        model_parallel_cuda_manual_seed(seed)
    try:
        yield
    finally:
        parallel_state.destroy_model_parallel()
        torch.distributed.destroy_process_group()


def _train(
    config: PretrainConfig,
    tokenizer: Any,
    components: Mapping[str, list[Encoded]],
    rank: int,
    world: int,
) -> None:
    import torch
    from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
    from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
    from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

    cuda = torch.cuda.is_available()
    torch.manual_seed(config.seed)
    shape = architecture(config, len(tokenizer))
    model = build_model(shape)
    # Megatron's DDP sums gradients over processes divided by their number.
    parallel = DistributedDataParallel(
        model.config,
        DistributedDataParallelConfig(use_distributed_optimizer=cuda, grad_reduce_in_fp32=True),
        model,
    )
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=config.learning_rate,
            min_lr=config.learning_rate * config.final_rate,
            weight_decay=config.weight_decay,
            adam_beta1=0.9,
            adam_beta2=0.95,
            clip_grad=config.clip,
            bf16=cuda,
            params_dtype=model.config.params_dtype,
            use_distributed_optimizer=cuda,
        ),
        [parallel],
    )
    scheduler = OptimizerParamScheduler(
        optimizer,
        init_lr=0.0,
        max_lr=config.learning_rate,
        min_lr=config.learning_rate * config.final_rate,
        lr_warmup_steps=config.warmup,
        lr_decay_steps=config.steps,
        lr_decay_style="linear",
        start_wd=config.weight_decay,
        end_wd=config.weight_decay,
        wd_incr_steps=config.steps,
        wd_incr_style="constant",
    )
    step, tokens_seen = _load_state(config, model, optimizer)
    scheduler.step(increment=step)

    def save() -> None:
        # State first: a kill between the two costs nothing, because a resumed run publishes the
        # checkpoint of its own step when that is missing.
        _save_state(config, model, optimizer, step, tokens_seen, rank)
        if rank == 0:
            _publish(config, model, shape, tokenizer, step, tokens_seen)
        torch.distributed.barrier()

    if step and rank == 0 and not checkpoint_path(config, step).is_dir():
        _publish(config, model, shape, tokenizer, step, tokens_seen)
    stream = batches(
        components,
        config.mixture,
        batch_size=config.batch_size,
        pad=tokenizer.pad_token_id,
        seed=config.seed,
        start=step,
    )
    parallel.train()
    with _progress(config, step, enabled=rank == 0) as report:
        while step < config.steps:
            batch = next(stream)
            loss = _step(model, parallel, optimizer, batch, rank, world)
            scheduler.step(increment=1)
            step += 1
            tokens_seen += batch.count
            report(step, loss)
            if step % config.save_every == 0 or step == config.steps:
                save()


def _step(
    model: Any, parallel: Any, optimizer: Any, batch: Batch, rank: int, world: int
) -> float:
    """One optimizer step on this process's rows; returns their share of the batch's mean loss of a
    target token, in nats, times `world`."""
    import torch

    device = next(model.parameters()).device
    share = batch.part(rank, world)
    tokens = torch.from_numpy(share.tokens).to(device)
    model.loss_positions = torch.from_numpy(share.positions).to(device)
    parallel.zero_grad_buffer()
    optimizer.zero_grad()
    losses = parallel(
        input_ids=tokens,
        position_ids=torch.arange(tokens.shape[1], device=device).expand_as(tokens),
        attention_mask=None,  # causal: rows are single samples, padded on the right
        labels=torch.from_numpy(share.labels).to(device).unsqueeze(0),
    )
    # The mean over the whole batch's targets: DDP averages over processes, hence `world`.
    loss = losses.float().sum() * (world / len(batch.labels))
    loss.backward()
    parallel.finish_grad_sync()
    optimizer.step()
    model.loss_positions = None
    return float(loss.detach())


def _state(model: Any, optimizer: Any, loading: bool) -> dict[str, Any]:
    state = model.sharded_state_dict()
    return {
        "model": state,
        "optimizer": optimizer.sharded_state_dict(state, is_loading=loading),
    }


def _state_path(config: PretrainConfig, step: int) -> Path:
    return config.output / "megatron" / f"iter_{step:07d}"


def _save_state(
    config: PretrainConfig, model: Any, optimizer: Any, step: int, tokens_seen: int, rank: int
) -> None:
    """Saves model, optimizer, generator and position, then drops the earlier states."""
    import torch
    from megatron.core import dist_checkpointing

    final = _state_path(config, step)
    partial = final.with_name(f"partial_{step:07d}")
    if rank == 0:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(final, ignore_errors=True)
        partial.mkdir(parents=True)
    torch.distributed.barrier()
    progress = {"step": step, "tokens_seen": tokens_seen, "rng": torch.get_rng_state()}
    dist_checkpointing.save({**_state(model, optimizer, False), **progress}, str(partial))
    torch.distributed.barrier()
    if rank == 0:
        partial.rename(final)
        for other in final.parent.iterdir():
            if other != final:
                shutil.rmtree(other)


def _load_state(config: PretrainConfig, model: Any, optimizer: Any) -> tuple[int, int]:
    """Restores the newest complete state; returns its step and tokens seen, or zeros."""
    import torch
    from megatron.core import dist_checkpointing

    found = sorted((config.output / "megatron").glob("iter_*"))
    if not found:
        return 0, 0
    state = dist_checkpointing.load(_state(model, optimizer, True), str(found[-1]))
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    return int(state["step"]), int(state["tokens_seen"])


def _publish(
    config: PretrainConfig,
    model: Any,
    shape: Architecture,
    tokenizer: Any,
    step: int,
    tokens_seen: int,
) -> None:
    """Writes the Hugging Face checkpoint of `step` with its lineage, complete or not at all.

    One that is already there stays: a resumed run repeats the same steps, and a watcher may have
    evaluated it.
    """
    from training.convert import to_hugging_face

    final = checkpoint_path(config, step)
    if final.is_dir():
        return
    partial = config.output / f".partial_{final.name}"
    shutil.rmtree(partial, ignore_errors=True)
    save_tokenizer(tokenizer, partial / "tokenizer", config.positions)
    to_hugging_face(model, shape, partial / "tokenizer", partial)
    shutil.rmtree(partial / "tokenizer")
    lineage = {
        "run": config.output.name,
        "step": step,
        "tokens_seen": tokens_seen,
        "parent": _parent(config, step),
        "mixture": dict(config.mixture),
    }
    (partial / "lineage.json").write_text(
        json.dumps(lineage, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    partial.rename(final)


def _parent(config: PretrainConfig, step: int) -> str | None:
    """Fingerprint of the checkpoint before `step`, None for the first."""
    earlier = [path for path in checkpoints(config.output) if path < checkpoint_path(config, step)]
    if not earlier:
        return None
    from harness.checkpoint import discover

    return discover(earlier[-1])[0].fingerprint


@contextlib.contextmanager
def _progress(
    config: PretrainConfig, start: int, enabled: bool
) -> Iterator[Callable[[int, float], None]]:
    """A progress bar with rate, time left and a smoothed loss; silent when not `enabled`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import MofNCompleteColumn as Count
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        Count(),
        TextColumn("{task.fields[rate]} loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        Remaining(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not enabled) as bar:
        task = bar.add_task(
            f"pretrain {config.output.name}",
            total=config.steps,
            completed=start,
            rate="-- step/s",
            loss="--",
        )
        mean = None

        def report(step: int, loss: float) -> None:
            nonlocal mean
            mean = loss if mean is None else 0.98 * mean + 0.02 * loss
            speed = bar.tasks[task].speed
            bar.update(
                task,
                completed=step,
                loss=f"{mean:.3f}",
                rate=f"{speed:.1f} step/s" if speed else "-- step/s",
            )
            if step % config.save_every == 0:
                bar.console.print(f"step {step}: loss {mean:.3f}")

        yield report


def _mixture_option(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, float] | None:
    mixture = {}
    for value in values:
        name, _, weight = value.partition("=")
        try:
            mixture[name] = float(weight)
        except ValueError:
            raise click.BadParameter(f"{value!r}, expected NAME=WEIGHT such as math=0.3") from None
    return mixture or None


def _setting(name: str, description: str) -> Callable[[Any], Any]:
    """A command-line option for a field of PretrainConfig, with the field's type and default."""
    default = PretrainConfig.__dataclass_fields__[name].default
    flag = f"--{name.replace('_', '-')}"
    if isinstance(default, bool):
        return click.option(f"{flag}/--no-{flag[2:]}", default=default, help=description)
    return click.option(
        flag, type=type(default), default=default, show_default=True, help=description
    )


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="The run's directory."
)
@click.option(
    "--mixture",
    multiple=True,
    callback=_mixture_option,
    metavar="NAME=WEIGHT",
    help="Repeatable. text, copy, a probe genre or family.  [default: "
    + " ".join(f"{name}={weight}" for name, weight in DEFAULT_MIXTURE.items())
    + "]",
)
@_setting("steps", "Optimizer steps in all.")
@_setting("save_every", "Steps between checkpoints.")
@_setting("level", "Highest difficulty of probe samples, 1 to 5.")
@_setting("samples", "Distinct samples generated for each component.")
@_setting("merges", "Most merged phrases in the tokenizer; 0 for none.")
@_setting("width", "Hidden size.")
@_setting("layers", "Transformer layers.")
@_setting("heads", "Attention heads.")
@_setting("groups", "Key-value heads.")
@_setting("feed_forward", "Inner size of the feed-forward layer.")
@_setting("positions", "Longest sequence of the checkpoints.")
@_setting("tied", "Whether the output layer reuses the embedding.")
@_setting("batch_size", "Samples a step, over all processes.")
@_setting("learning_rate", "Peak learning rate.")
@_setting("final_rate", "Learning rate at the end, as a share of the peak.")
@_setting("warmup", "Steps of linear warm-up.")
@_setting("weight_decay", "Decoupled weight decay.")
@_setting("clip", "Largest norm of the gradient.")
@_setting("seed", "Of initialisation, samples and their order.")
def main(mixture: dict[str, float] | None, **settings: Any) -> None:
    """Pretrain a small model with Megatron-Core; repeat the command to continue."""
    if mixture is not None:
        settings["mixture"] = mixture
    try:
        for path in pretrain(PretrainConfig(**settings)):
            click.echo(path)
    except HarnessError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)


if __name__ == "__main__":
    main()
