"""Pretrains a Llama-style model with Megatron-Core, from nothing or from a checkpoint.

    python -m training.pretrain --output runs/demo
    torchrun --nproc-per-node 8 -m training.pretrain --config pretrain.yaml

Every `save_every` steps the output gains `step_000350/`, a Hugging Face checkpoint with its
`lineage.json`; Megatron's states lie in `megatron/iter_0000350`. Both appear by rename, so whatever
is there is complete. Repeating the command continues from the newest state, with any number of
processes. SIGTERM saves a state first. A mixture file may change after the step that was reached.

Megatron's checkpoint writer starts helper processes, so `pretrain` must be called under
`if __name__ == "__main__":`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from harness.errors import HarnessError
from training.extend import claim_run
from training.hook import Decision
from training.pretrain_config import (
    DEFAULT_MIXTURE,
    PretrainConfig,
    check_config,
    load_pretrain_config,
    steps_of,
)
from training.pretrain_plan import plan_lines
from training.run_directory import checkpoint_path, checkpoints

__all__ = [
    "PretrainConfig",
    "check_config",
    "load_pretrain_config",
    "main",
    "plan_lines",
    "pretrain",
]

# Called on the first process after each published checkpoint with its path, step and tokens seen.
Callback = Callable[[Path, int, int], Decision]

TERMINATED = 128 + signal.SIGTERM


def pretrain(config: PretrainConfig, callbacks: Sequence[Callback] = ()) -> list[Path]:
    """Trains, or continues, the run at `config.output` and returns its checkpoints in order.

    Runs in one process, or in each process of a `torchrun`. After each published checkpoint every
    callback is asked whether to go on: "continue", "stop", or ("rollback", step), which takes up
    the weights of that step again and goes on with the data after; a third element names components
    or phases to leave out from there.

    Raises HarnessError when the output belongs to a run with other settings, for data that cannot
    be read, a loss that is not a number and a state that cannot be saved; SystemExit(143) after
    SIGTERM, when the state is saved.
    """
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    check_config(config, world)
    if rank == 0:
        claim_run(config.output, config.settings())
    last = sum(steps_of(config, config.mixtures()))
    if checkpoint_path(config.output, last).is_dir():
        if rank == 0:
            print(f"{config.output} is already complete at step {last}")
        return checkpoints(config.output)

    from training.megatron_cpu import cpu_guard
    from training.megatron_model import process_group
    from training.run_data import open_run_data

    data = open_run_data(config, first=rank == 0)
    with (
        _sigterm() as stopping,
        cpu_guard(),
        process_group(rank, world, config.seed, config.parallelism),
    ):
        from training.pretrain_loop import train

        terminated = train(config, data, callbacks, stopping)
    if terminated is not None:
        if rank == 0:
            print(
                f"stopped by SIGTERM at step {terminated}, whose state is saved; repeat the "
                "command to continue",
                file=sys.stderr,
            )
        raise SystemExit(TERMINATED)
    return checkpoints(config.output)


@contextlib.contextmanager
def _sigterm() -> Iterator[threading.Event]:
    """An event that SIGTERM sets while it is open, instead of ending the process."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)


def _mixture_option(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, float] | None:
    mixture = {}
    for value in values:
        name, _, weight = value.rpartition("=")
        try:
            mixture[name] = float(weight)
        except ValueError:
            raise click.BadParameter(f"{value!r}, expected NAME=WEIGHT such as math=0.3") from None
    return mixture or None


_PATHS = ("start", "mixture_file")
_TYPES: dict[str, Any] = {name: click.Path(path_type=Path) for name in _PATHS}


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds a command-line option for each plain field of PretrainConfig; its help is the field's
    line of the docstring."""
    described = dict(
        re.findall(r"^    (\w+)  *(.+(?:\n {16,}.+)*)", PretrainConfig.__doc__ or "", re.MULTILINE)
    )
    for each in reversed(fields(PretrainConfig)):
        if each.name in ("output", "mixture"):
            continue
        flag = f"--{each.name.replace('_', '-')}"
        command = click.option(
            f"{flag}/--no-{flag[2:]}" if isinstance(each.default, bool) else flag,
            type=_TYPES.get(each.name, type(each.default)),
            default=each.default,
            show_default=True,
            help=described[each.name],
        )(command)
    return command


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="The run's directory.")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="A YAML file of these settings, with underscores; no other option is read then.",
)
@click.option(
    "--mixture",
    multiple=True,
    callback=_mixture_option,
    metavar="NAME=WEIGHT",
    help="Repeatable: text, copy, a probe genre or family, a corpus or shard. [default: "
    + " ".join(f"{name}={weight}" for name, weight in DEFAULT_MIXTURE.items())
    + "]",
)
@_options
def main(
    output: Path | None, file: Path | None, mixture: dict[str, float] | None, **settings: Any
) -> None:
    """Pretrain a model with Megatron-Core; repeat the command to continue."""
    # Megatron-Core says at every start that Transformer Engine and Apex are missing; neither is
    # needed here.
    warnings.filterwarnings("ignore", module=r"megatron\.")
    # Its checkpoints use a type that torch will drop; the pinned version has it.
    warnings.filterwarnings("ignore", message="Please use DTensor", category=FutureWarning)
    if mixture is not None:
        settings["mixture"] = mixture
    try:
        if file is not None:
            config = load_pretrain_config(file)
        elif output is not None:
            config = PretrainConfig(output=output, **settings)
        else:
            raise HarnessError("name the run's directory with --output, or a file with --config")
        for path in pretrain(config):
            if os.environ.get("RANK", "0") == "0":
                click.echo(path)
    except HarnessError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)


if __name__ == "__main__":
    main()
