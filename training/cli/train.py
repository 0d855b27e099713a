"""`harness train`: pretraining, fine-tuning and preference training from a configuration, and the
health of a run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import F, print_rows, store_option, table_options
from harness.cli.terminal import terminal

if TYPE_CHECKING:
    from training.evaluate_config import EvaluateConfig
    from training.finetune import Result
    from training.hook import HarnessHook

# As a shell has it after SIGTERM.
TERMINATED = 143
REGRESSION = 1


def _config_argument(function: F) -> F:
    for option in (
        click.option("--dry-run", is_flag=True, help="Print the plan and the memory; train not."),
        click.argument("config_file", metavar="CONFIG.yaml", type=click.Path(path_type=Path)),
    ):
        function = option(function)
    return function


@click.group("train")
def command() -> None:
    """Train a checkpoint from a configuration file, with every checkpoint evaluated if wanted.

    Repeat the command to go on where a run stopped or was killed; SIGTERM saves first. Exit status:
    0 complete, 1 stopped by a critical regression, 3 an error, 143 stopped by SIGTERM.
    """


@command.command("pretrain")
@_config_argument
@click.option("--suite", default="", metavar="A,B", help="Evaluate each checkpoint on these.")
@click.option(
    "--how",
    type=click.Choice(["process", "here", "watch"]),
    default="process",
    show_default=True,
    help="Who evaluates.",
)
@click.option(
    "--on-critical",
    type=click.Choice(["log", "stop", "rollback"]),
    default="log",
    show_default=True,
    help="What a critical regression does.",
)
@store_option
def pretrain(
    config_file: Path, dry_run: bool, suite: str, how: Any, on_critical: Any, store: str | None
) -> int:
    """Pretrain with Megatron-Core, from nothing or from a checkpoint."""
    from training import pretrain as megatron
    from training.hook import CONTINUE, harness_hook

    config = megatron.load_pretrain_config(config_file)
    if dry_run:
        for line in megatron.plan_lines(config):
            click.echo(line)
        return 0
    # Megatron-Core says at every start that Transformer Engine and Apex are missing.
    warnings.filterwarnings("ignore", module=r"megatron\.")
    hook = None
    if suite:
        hook = harness_hook(suite=suite, how=how, on_critical=on_critical, store=store or "")
    for path in megatron.pretrain(config, [hook] if hook else []):
        click.echo(path)
    late = hook.close() if hook else CONTINUE
    return REGRESSION if late != CONTINUE or (hook and hook.decision == "stop") else 0


@command.command("sft")
@_config_argument
def sft(config_file: Path, dry_run: bool) -> int:
    """Fine-tune on chats with TRL: all weights or LoRA, loss on answers or on all."""
    from training.sft import load_sft_config
    from training.sft import sft as run

    config = load_sft_config(config_file)
    if dry_run:
        return _print_plan(config)
    hooks = _hooks(config.evaluate)
    return _finish(run(config, hooks), hooks)


@command.command("dpo")
@_config_argument
def dpo(config_file: Path, dry_run: bool) -> int:
    """Train on preference pairs with TRL's DPO, best the model's own answers."""
    from training.dpo import dpo as run
    from training.dpo import load_dpo_config

    config = load_dpo_config(config_file)
    if dry_run:
        return _print_plan(config)
    hooks = _hooks(config.evaluate)
    return _finish(run(config, hooks), hooks)


@command.command("health")
@click.argument("run", metavar="RUN|RUN_DIR")
@store_option
@table_options
def health(run: str, store: str | None, output: str | None) -> int:
    """Show the health of RUN: losses, held-out losses by genre, gradients, throughput, spikes, and
    how repetitive the answers of each evaluated checkpoint are. A directory's log is taken in
    first.
    """
    from harness.import_training import import_training
    from harness.report.training import training_health
    from harness.store.database import require, store_path

    path = store_path(store)
    if Path(run).is_dir():
        run = import_training(Path(run), store=path).run
    require(path)
    found = training_health(path, run)
    if output:
        print_rows([row.to_dict() for row in found.stretches], output)
        return 0

    from harness.report.training_table import print_health

    print_health(terminal(), found)
    return 0


def _print_plan(config: Any) -> int:
    from training.finetune_plan import plan_finetune

    lines = plan_finetune(config)
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        click.echo(f"{name:<{width}}  {text}")
    return 0


def _hooks(config: EvaluateConfig | None) -> list[HarnessHook]:
    from training.hook import HarnessHook

    return [] if config is None else [HarnessHook(config)]


def _finish(result: Result, hooks: Sequence[HarnessHook]) -> int:
    """Prints the checkpoints, waits for what is still judged, and answers the exit status."""
    from training.hook import CONTINUE

    for path in result.checkpoints:
        click.echo(path)
    if result.stopped.startswith("SIGTERM"):
        click.echo(f"stopped by {result.stopped}; repeat the command to go on", err=True)
        return TERMINATED
    late = [decision for hook in hooks if (decision := hook.close()) != CONTINUE]
    if result.stopped:
        click.echo(f"stopped: {result.stopped}", err=True)
    return REGRESSION if result.stopped or late else 0
