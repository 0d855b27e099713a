"""Pretrains a small Llama-style model with Megatron-Core and saves a lineage of checkpoints.

    python -m training.pretrain --output runs/demo

Every `save_every` steps the output gains `step_000350/`, a Hugging Face checkpoint with its
`lineage.json`; the newest Megatron state lies in `megatron/iter_0000350`. Both appear by rename, so
whatever is there is complete. Repeating the command continues from the Megatron state.

Megatron's checkpoint writer starts helper processes, so `pretrain` must be called under
`if __name__ == "__main__":`.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import HarnessError
from training.data import (
    COPY,
    TEXT,
    Encoded,
    Sample,
    batches,
    boilerplate,
    component_samples,
    encode,
    inventory_texts,
)
from training.megatron_model import Schedule
from training.run_directory import checkpoint_path, checkpoints, claim, publish
from training.tokenizer import CHAT_PREFIX, CHAT_SUFFIX, build_tokenizer, save_tokenizer

if TYPE_CHECKING:
    from training.convert import Architecture

# Families that a few hundred thousand parameters can learn at level 1; addition wants the most.
DEFAULT_MIXTURE: Mapping[str, float] = {
    "math/arithmetic": 0.4,
    "extraction/field": 0.08,
    "extraction/changes": 0.06,
    "extraction/amount": 0.05,
    "format/copy": 0.05,
    "format/bare_number": 0.05,
    "format/bracket": 0.04,
    "format/times": 0.04,
    "format/lines": 0.04,
    "reasoning/tracking": 0.05,
    "reasoning/truth-tellers": 0.04,
    "reasoning/direction": 0.04,
    "reasoning/seating": 0.04,
    COPY: 0.06,
    TEXT: 0.01,
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
    head_size      width of one head; vLLM on CPU takes 32, 64, 80, 96 or 112, never less
    feed_forward   inner size of the gated feed-forward layer
    positions      longest sequence that the checkpoints take
    rope_theta     base of the rotary position embedding
    init_std       standard deviation of the initial weights; far more than the 0.02 of large models
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
    steps: int = 2100
    save_every: int = 350
    mixture: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_MIXTURE))
    level: int = 1
    samples: int = 8_000
    merges: int = 300
    width: int = 64
    layers: int = 3
    heads: int = 4
    groups: int = 4
    head_size: int = 32
    feed_forward: int = 192
    positions: int = 1024
    rope_theta: float = 10000.0
    init_std: float = 0.08
    tied: bool = True
    batch_size: int = 64
    learning_rate: float = 2e-3
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
    if config.heads % config.groups:
        raise HarnessError(f"--heads {config.heads} is not a multiple of --groups {config.groups}")
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
        claim(config.output, config.settings())
    if checkpoint_path(config.output, config.steps).is_dir():
        if rank == 0:
            print(f"{config.output} is already complete at step {config.steps}")
        return checkpoints(config.output)

    from training.megatron_cpu import cpu_guard
    from training.megatron_model import process_group

    samples = _samples(config)
    tokenizer = _tokenizer(config, samples)
    encoded = {name: encode(entries, tokenizer) for name, entries in samples.items()}
    with cpu_guard(), process_group(rank, world, config.seed):
        _train(config, tokenizer, encoded, rank, world)
    return checkpoints(config.output)


def architecture(config: PretrainConfig, vocabulary: int) -> Architecture:
    """The model's shape in the words of `training.convert`."""
    from training.convert import Architecture

    return Architecture(
        vocabulary=vocabulary,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        groups=config.groups,
        head_size=config.head_size,
        feed_forward=config.feed_forward,
        positions=config.positions,
        rope_theta=config.rope_theta,
        tied=config.tied,
    )


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
    # A few samples of each component show its instructions, whatever the component's weight.
    questions = [sample for part in samples.values() for sample in part[:1000]]
    frame = [CHAT_PREFIX, CHAT_SUFFIX] * len(questions)
    return build_tokenizer(
        [*texts, *inventory_texts()], [*frame, *boilerplate(questions)], config.merges
    )


def _train(
    config: PretrainConfig,
    tokenizer: Any,
    components: Mapping[str, list[Encoded]],
    rank: int,
    world: int,
) -> None:
    import torch

    from training.convert import to_hugging_face
    from training.megatron_model import build_model, load_state, prepare, save_state, train_step

    torch.manual_seed(config.seed)
    shape = architecture(config, len(tokenizer))
    schedule = Schedule(**{each.name: getattr(config, each.name) for each in fields(Schedule)})
    training = prepare(build_model(shape, config.init_std), schedule)
    states = config.output / "megatron"
    step, tokens_seen = load_state(states, training)

    def write(directory: Path) -> None:
        save_tokenizer(tokenizer, directory, config.positions)
        to_hugging_face(training.model, shape, directory, directory)

    def add_checkpoint() -> None:
        if rank == 0:
            publish(
                config.output,
                step,
                tokens_seen=tokens_seen,
                mixture=config.mixture,
                learning_rate=float(training.optimizer.param_groups[0]["lr"]),
                write=write,
            )

    # Killed between the state and its checkpoint: the state is enough to write the checkpoint.
    if step:
        add_checkpoint()
    stream = batches(
        components,
        config.mixture,
        batch_size=config.batch_size,
        pad=tokenizer.pad_token_id,
        seed=config.seed,
        start=step,
    )
    with _progress(config, step, enabled=rank == 0) as report:
        while step < config.steps:
            batch = next(stream)
            loss = train_step(training, batch, rank, world)
            step += 1
            tokens_seen += batch.count
            report(step, loss)
            if step % config.save_every == 0 or step == config.steps:
                save_state(states, training, step, tokens_seen)
                add_checkpoint()


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


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds a command-line option for each plain field of PretrainConfig; its help is the field's
    line of the docstring."""
    described = dict(
        re.findall(r"^    (\w+)  +(.+(?:\n {16,}.+)*)", PretrainConfig.__doc__ or "", re.MULTILINE)
    )
    for each in reversed(fields(PretrainConfig)):
        if each.name in ("output", "mixture"):
            continue
        flag = f"--{each.name.replace('_', '-')}"
        command = click.option(
            f"{flag}/--no-{flag[2:]}" if isinstance(each.default, bool) else flag,
            type=type(each.default),
            default=each.default,
            show_default=True,
            help=described[each.name],
        )(command)
    return command


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="The run's directory."
)
@click.option(
    "--mixture",
    multiple=True,
    callback=_mixture_option,
    metavar="NAME=WEIGHT",
    help="Repeatable: text, copy, a probe genre or family. [default: "
    + " ".join(f"{name}={weight}" for name, weight in DEFAULT_MIXTURE.items())
    + "]",
)
@_options
def main(mixture: dict[str, float] | None, **settings: Any) -> None:
    """Pretrain a small model with Megatron-Core; repeat the command to continue."""
    # Megatron-Core says at every start that Transformer Engine and Apex are missing; neither is
    # used here.
    warnings.filterwarnings("ignore", module=r"megatron\.")
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
