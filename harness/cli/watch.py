"""`harness watch`: judges each new checkpoint of a training run against the last good ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import sandbox_option, store_option
from harness.errors import HarnessError
from harness.visible import visible

if TYPE_CHECKING:
    from harness.engines.select import EngineName


@click.command("watch")
@click.argument("directory", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option(
    "--suite", "suites", default="probes,basics", show_default=True, metavar="A,B", help="As eval."
)
@click.option("--limit", type=click.IntRange(min=-1), help="Items per suite, as eval.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "vllm", "transformers"]),
    default="auto",
    show_default=True,
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of probes and of samples.")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Fresh answers an item where a genre looks low, and at each anchor.",
)
@click.option(
    "--pooled",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Last good checkpoints that the baseline is the mean of.",
)
@click.option(
    "--anchors",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Each so many good checkpoints, one gets all samples: 1 for the sharpest baseline.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.05,
    show_default=True,
    help="A drop smaller than this does not matter.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Chance of any false alarm over the whole run.",
)
@click.option(
    "--screen",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    default=0.10,
    show_default=True,
    help="Level at which one answer an item calls for fresh ones.",
)
@click.option(
    "--planned",
    type=click.IntRange(min=1),
    help="Checkpoints the run will have: α is spread evenly over them, and none is left after.",
)
@click.option("--once", is_flag=True, help="One pass, then exit: for cron and CI.")
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=30.0, show_default=True, help="Seconds."
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Seconds for which a checkpoint's files must not have changed.",
)
@click.option("--oldest-first", is_flag=True, help="Judge checkpoints by step, not newest first.")
@click.option("--webhook", metavar="URL", help="POST each message there as JSON.")
@click.option("--command", "program", metavar="CMD", help="Run it with the message on its input.")
@click.option(
    "--report",
    "reports",
    type=click.Path(file_okay=False, path_type=Path),
    help="After each verdict write the run's HTML report and the index into this folder.",
)
@click.option("--allow-pickle", is_flag=True, help="Load weights from pickle files.")
@sandbox_option
@store_option
def command(
    directory: Path,
    suites: str,
    limit: int | None,
    engine: EngineName,
    seed: int,
    samples: int,
    pooled: int,
    anchors: int,
    margin: float,
    alpha: float,
    screen: float,
    planned: int | None,
    once: bool,
    every: float,
    settle: float,
    oldest_first: bool,
    webhook: str | None,
    program: str | None,
    reports: Path | None,
    allow_pickle: bool,
    store: str | None,
) -> int:
    """Judge each complete checkpoint of RUN_DIR (children named step_N, checkpoint-N, iter_N).

    One answer an item first; fresh answers only where a genre looks low. A regression is kept in
    the store and told once. Stop and start it at will. With --once the exit status is 1 for an
    open regression, 2 for doubt about the newest checkpoint, 0 for neither, 3 for an error.
    """
    from harness.store.database import store_path
    from harness.watch import one_pass
    from harness.watching.asking import open_watch
    from harness.watching.screening import Policy

    watch, asker = open_watch(
        directory,
        suites,
        store_path(store),
        engine=engine,
        limit=limit,
        seed=seed,
        policy=Policy(
            samples=samples,
            pooled=pooled,
            anchors=anchors,
            screen=screen,
            alpha=alpha,
            margin=margin,
            planned=planned,
        ),
        log=_print_line,
        settle=settle,
        oldest_first=oldest_first,
        allow_pickle=allow_pickle,
        notify=_notifier(webhook, program),
    )
    told: dict[Path, str] = {}
    while True:
        try:
            done = one_pass(watch)
            for waiting, reason in done.waiting.items():
                if told.get(waiting) != reason:
                    _print_line(f"{waiting.name}: not complete yet ({reason})")
            told = dict(done.waiting)
            _take_log(directory, watch.store)
            if reports is not None and done.made:
                _write_report(watch.store, done.run, reports)
        except HarnessError as error:
            # A locked store or a run that has not begun: the next pass may find it well.
            if once:
                raise
            _print_line(str(error))
        finally:
            # Other programs may want the accelerator while nothing is asked.
            asker.close()
        if once:
            if done.faults:
                raise HarnessError("; ".join(done.faults))
            return done.exit_status
        time.sleep(every)


def _write_report(store: Path, run: str, folder: Path) -> None:
    """A report that cannot be written is said so and stops nothing: verdicts are in the store."""
    from harness.report.page.gather import gather
    from harness.report.page.index import report_name, write_index
    from harness.report.page.render import write

    try:
        write(gather(store, [run]), folder / report_name(run))
        write_index(store, folder)
    except HarnessError as error:
        _print_line(f"no report: {error}")


def _take_log(directory: Path, store: Path) -> None:
    """The run's own log into the store, where it writes one."""
    from harness.import_training import NAME, import_training

    if (directory / NAME).is_file():
        import_training(directory, store=store)


def _print_line(line: str) -> None:
    click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {visible(line)}")


def _notifier(
    webhook: str | None, program: str | None
) -> Callable[[Mapping[str, Any]], None] | None:
    if not webhook and not program:
        return None
    from harness.watching.notify import post, run_command

    def notify(message: Mapping[str, Any]) -> None:
        if webhook:
            post(webhook, message)
        if program:
            run_command(program, message)

    return notify
