"""`harness eval --on slurm`: the same command once for each checkpoint, as an array job."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import HarnessError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.slurm import Cluster

# Options that say where and how the command as a whole runs, not what a task does.
_OURS = ("on", "slurm_options", "wait", "store", "board", "quiet", "targets")
_PLACES: dict[str, Cluster] = {"slurm": "slurm", "slurm:local": "local"}


def slurm_place(on: str | None, options: Sequence[str], wait: bool) -> Cluster | None:
    """Where `--on slurm` or `--on slurm:local` submits to, None without it. Raises HarnessError
    for options that belong to it without it."""
    place = _PLACES.get(on or "")
    if place is None and (options or not wait):
        raise HarnessError("--slurm and --no-wait are of an array job: add --on slurm")
    return place


def run_on_slurm(
    console: Console,
    targets: Sequence[str],
    store: Path,
    place: Cluster,
    options: Sequence[str],
    wait: bool,
) -> str | None:
    """Submits the running command once for each checkpoint; waits for all unless told otherwise.

    Returns one sentence that names the first one's log where tasks failed, else None.
    """
    from harness.checkpoint import targets_in
    from harness.slurm import Ended, Task, cancel, results, submit

    found = list(dict.fromkeys(one for target in targets for one in targets_in(target)))
    same = [
        *_words(click.get_current_context(), without=_OURS),
        "--store",
        str(store.resolve()),
        "--no-board",
    ]
    tasks = [Task((one, *same)) for one in found]
    folder = store.resolve().with_name(store.name + ".slurm")
    submitted = submit(tasks, folder, _pairs(options), place)
    job = submitted[0].id.split("_")[0]
    told = f"job {job}: {len(tasks)} tasks, logs in {folder}"
    console.print(told, style="dim", markup=False, highlight=False, soft_wrap=True)
    if not wait:
        click.echo(job)
        return None
    ended: list[Ended] = []
    try:
        with console.status("Submitted") as status:

            def report(states: Mapping[str, int]) -> None:
                counts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
                status.update(f"{len(ended)} of {len(tasks)} checkpoints done ({counts})")

            for one in results(submitted, report):
                ended.append(one)
                name = one.submitted.task.arguments[0]
                text = f"  {name}: done" if one.fault is None else f"  {one.fault}"
                console.print(text, markup=False, highlight=False, soft_wrap=True)
    except KeyboardInterrupt:
        if place == "local":
            cancel(submitted)
        else:
            click.echo(f"the job goes on; `scancel {job}` ends it", err=True)
        raise
    faults = [one.fault for one in ended if one.fault is not None]
    if not faults:
        return None
    return (
        f"{len(faults)} of {len(tasks)} checkpoints failed, the first: {faults[0]}; repeating the "
        "command goes on from what is stored"
    )


def _pairs(options: Sequence[str]) -> dict[str, str]:
    """{name: value} of `--slurm NAME=VALUE` and `--slurm NAME`, with or without sbatch's dashes."""
    parts = (option.removeprefix("--").partition("=") for option in options)
    pairs = {name: value for name, _, value in parts}
    if "" in pairs:
        raise HarnessError(f"--slurm ={pairs['']}: expected NAME=VALUE, e.g. partition=gpu")
    return pairs


def _words(context: click.Context, without: Collection[str]) -> list[str]:
    """The options that were given on the command line, as words that give them again."""
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if name in without or not given or name not in context.params:
            continue
        assert isinstance(option, click.Option)
        value = context.params[name]
        if option.is_flag:
            words.append((option.opts if value else option.secondary_opts)[0])
        else:
            words.append(f"{option.opts[0]}={value}")
    return words
