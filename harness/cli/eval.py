"""`harness eval`: measures checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.judge_options import judge_options, judge_settings
from harness.cli.judges import Judges
from harness.cli.on_options import ray_cluster, ray_options
from harness.cli.on_slurm import run_on_slurm, slurm_place
from harness.cli.options import sandbox_option, store_option
from harness.cli.terminal import terminal
from harness.errors import HarnessError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from harness.checkpoint import Checkpoint
    from harness.engines.ray import RayCluster
    from harness.engines.select import EngineName
    from harness.engines.types import Engine
    from harness.evaluate import Result
    from harness.judge.judging import Judging
    from harness.protocols.catalogue import Suite


@click.command("eval")
@click.argument("targets", metavar="CHECKPOINT...", nargs=-1, required=True)
@click.option(
    "--suite",
    "suites",
    default="probes,basics",
    show_default=True,
    metavar="A,B",
    help="probes, probes:LEVELS, basics, jaster, jaster-ja, if-ja, code-ja, mt-bench-ja, or a path "
    "to an evalset; jaster@nejumi-v4, jaster:DIR, mt-bench:PROTOCOL, if-ja:FILE and code:FILE "
    "choose another protocol and the user's files.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=-1),
    help="Items per suite, spread over genres; of Jaster the first ones of each dataset "
    "(default 100); -1 is all.",
)
@click.option("--shots", type=click.IntRange(min=0), help="Few-shots of Jaster, not its own.")
@click.option("--datasets", default="", metavar="A,B", help="Only these datasets of Jaster.")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    help="Answers per item (default 1, or what the protocol prescribes); one is greedy, more are "
    "drawn at the protocol's temperature.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "vllm", "transformers", "openai"]),
    default="auto",
    show_default=True,
)
@click.option(
    "--on",
    metavar="ray[:ADDRESS]|slurm",
    help="Spread the questions over the engines of a Ray cluster, or the checkpoints over an array "
    "job of Slurm (slurm:local tries that out on this machine).",
)
@ray_options
@click.option(
    "--slurm",
    "slurm_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --on slurm: an option of sbatch, as in partition=gpu, gpus-per-node=1 or "
    "time=2:00:00; at-once=N runs so many tasks at a time.",
)
@click.option(
    "--wait/--no-wait", default=True, help="With --on slurm: wait for the job, or print its id."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of probes and of samples.")
@sandbox_option
@click.option("--allow-pickle", is_flag=True, help="Load weights from pickle files.")
@click.option("--quiet", is_flag=True, help="No progress and no leaderboard, only errors.")
@click.option("--board/--no-board", default=True, help="Show the leaderboard at the end.")
@judge_options
@click.option(
    "--canary/--no-canary",
    default=True,
    help="When the judge was asked anything, have it rate frozen answers too, to see whether it "
    "has changed since its first run.",
)
@store_option
def command(
    targets: tuple[str, ...],
    suites: str,
    limit: int | None,
    shots: int | None,
    datasets: str,
    samples: int | None,
    engine: EngineName,
    on: str | None,
    replicas: int | None,
    replica_gpus: int | None,
    slurm_options: tuple[str, ...],
    wait: bool,
    seed: int,
    allow_pickle: bool,
    quiet: bool,
    board: bool,
    canary: bool,
    store: str | None,
    **judge_choice: Any,
) -> None:
    """Measure each CHECKPOINT: a Hugging Face directory, a run directory with step_*,
    checkpoint-* or iter_* children, or a served model (openai:http://host:port/v1#model).

    Repeating the command resumes: what is answered already is never asked again.
    """

    from rich.text import Text

    from harness.checkpoint import discover
    from harness.protocols.catalogue import open_suite
    from harness.protocols.mt_bench_suite import imported_parts
    from harness.store.database import prepare, store_path
    from harness.store.queries import imported

    console = terminal(quiet=quiet)
    place = slurm_place(on, slurm_options, wait)
    cluster = ray_cluster(on if place is None else None, replicas, replica_gpus)
    settings = replace(judge_settings(judge_choice), cluster=cluster)
    path = store_path(store)
    prepare(path)
    names = [name.strip() for name in suites.split(",") if name.strip()]
    if not names:
        raise HarnessError("--suite is empty; name at least one, e.g. --suite probes,basics")
    opened = [
        open_suite(
            name,
            limit=limit,
            seed=seed,
            shots=shots,
            datasets=[one.strip() for one in datasets.split(",") if one.strip()],
            imported=imported(path, "jaster"),
            official=imported_parts(path, name),
        )
        for name in names
    ]
    for suite in opened:
        if suite.note:
            console.print(suite.note, style="yellow")
    boards = [suite.protocol.suite for suite in opened] if board and not quiet else []
    if place is not None:
        fault = run_on_slurm(console, targets, path, place, slurm_options, wait)
        if wait and boards:
            _print_boards(console, path, boards)
        if fault:
            raise HarnessError(fault)
        return
    with console.status("Reading checkpoints"):
        found = [one for target in targets for one in discover(target, allow_pickle=allow_pickle)]
    if cluster is not None and (served := [one.name for one in found if one.path is None]):
        raise HarnessError(f"--on ray spreads checkpoints, and {served[0]} is served already")
    failed = 0
    judges = Judges(console, settings, path)
    judges.check([suite.protocol for suite in opened])
    try:
        for number, checkpoint in enumerate(found, 1):
            head = Text.assemble((checkpoint.name, "bold"), f"  ({number} of {len(found)})")
            console.print(head)
            for note in checkpoint.notes:
                console.print(f"  {note}", style="dim")
            failed += _measure(
                console, checkpoint, opened, path, samples, engine, cluster, seed, judges
            )
        if canary:
            judges.run_canaries()
    finally:
        judges.close()
    if boards:
        _print_boards(console, path, boards)
    if failed:
        raise HarnessError(
            f"{failed} request(s) failed; `harness show` lists them under their evaluation, and "
            "repeating the command asks them again"
        )
    judges.raise_fault()


def _measure(
    console: Console,
    checkpoint: Checkpoint,
    suites: list[Suite],
    store: Path,
    samples: int | None,
    engine_name: EngineName,
    cluster: RayCluster | None,
    seed: int,
    judges: Judges,
) -> int:
    """Runs every suite on one checkpoint through one engine; returns how many requests failed."""
    from harness.engines.prompt import load_renderer, render_served
    from harness.engines.select import open_engine, open_spread
    from harness.evaluate import evaluate
    from harness.judge.rate import teller
    from harness.protocols.mt_bench import MtBench
    from harness.report.progress import progress_bar

    engines: list[Engine] = []

    def opened() -> Engine:
        if not engines:
            with console.status("Loading the engine"):
                if cluster is not None and checkpoint.path is not None:
                    choice = open_spread(
                        engine_name,
                        cluster,
                        path=checkpoint.path,
                        fingerprint=checkpoint.fingerprint,
                    )
                else:
                    choice = open_engine(
                        engine_name,
                        path=checkpoint.path,
                        url=checkpoint.url,
                        model=checkpoint.model,
                    )
            engines.append(choice.engine)
            console.print(f"  {choice.engine.description}: {choice.reason}", style="dim")
        return engines[0]

    failed = 0
    whole = False
    begun: list[Judging] = []
    try:
        render = load_renderer(checkpoint.path) if checkpoint.path else render_served
        for suite in suites:
            judging = judges.open(suite.protocol)
            told = None
            if judging is not None and isinstance(suite.protocol, MtBench):
                begun.append(judging)
                told = teller(judging, suite.protocol)
            with progress_bar(console, suite.protocol.suite) as report:
                result = evaluate(
                    checkpoint,
                    suite.protocol,
                    suite.items,
                    store=store,
                    render=render,
                    open_engine=opened,
                    samples=samples or suite.samples,
                    seed=seed,
                    report=report,
                    told=told,
                )
            console.print(_sentence(suite, result))
            failed += result.progress.failed
        whole = True
    finally:
        for engine in engines:
            engine.close()
        for judging in begun:
            judges.finish(judging, cancel=not whole)
    return failed


def _sentence(suite: Suite, result: Result) -> Text:
    from rich.text import Text

    count = result.progress
    text = (
        f"  {suite.protocol.id}: planned {count.planned} = done {count.done} + failed "
        f"{count.failed} in {result.seconds:.1f} s"
    )
    if count.reused:
        text += f", {count.reused} from the store"
    if count.prompt_tokens:
        text += f", {count.cached_tokens / count.prompt_tokens:.0%} of prompt tokens cached"
    return Text.assemble(text, (f"  {result.evaluation[:12]}", "dim"))


def _print_boards(console: Console, store: Path, suites: list[str]) -> None:
    from harness.report import judged_table
    from harness.report.judged import judged_boards
    from harness.report.leaderboard import print_boards
    from harness.report.standings import boards

    console.print()
    print_boards(console, *boards(store, suites=suites))
    judged_table.print_judged(console, *judged_boards(store, suites=suites))
