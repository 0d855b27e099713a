"""`harness loop`: rounds of training, verdicts and synthesis, until a goal or budget is reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.errors import HarnessError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.store.loops import StageRow
    from training.loop.config import Loop
    from training.loop.state import Next

_FILE = click.Path(dir_okay=False, path_type=Path)


class _RunFirst(click.Group):
    """`harness loop LOOP.yaml` is `harness loop run LOOP.yaml`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("loop", cls=_RunFirst)
def command() -> None:
    """Close the circle: `harness loop LOOP.yaml` trains, measures, judges, finds what lags,
    synthesizes for it and trains again. docs/loop.md shows a LOOP.yaml.

    What broke something critical is rolled back and its data marked. Stop it, kill it, repeat it:
    it goes on where its record ends.
    """


@command.command("run")
@click.argument("file", metavar="LOOP.yaml", type=_FILE)
@click.option("--approve", is_flag=True, help="Wait for a person before each training stage.")
@store_option
def run(file: Path, approve: bool, store: str | None) -> None:
    """Run, or go on with, the loop of a file."""
    from rich.console import Console

    from harness.store.loops import StageRow
    from training.loop.run import run_loop
    from training.loop.telling import heading, sentence

    loop = _load(file, store, approve=approve)
    console = Console()

    def told(what: Next | StageRow) -> None:
        if isinstance(what, StageRow):
            text = f"  {sentence(what)} [{_duration(what.seconds)}]"
            style = "red" if what.stage == "roll back" or "CRITICAL" in text else ""
            _print(console, text, style)
            return
        _print(console, heading(what), "bold")
        if what.stage == "approve":
            home = loop.round_home(what.round.number)
            _print(console, f"  read {home / 'mixture.yaml'}, then: harness loop approve {file}")

    stop = run_loop(loop, told, lambda line: _print(console, line))
    _print(console, f"stopped: {stop.why}", "bold")
    _print_proof(console, loop)


@command.command("status")
@click.argument("file", metavar="LOOP.yaml", type=_FILE)
@store_option
@table_options
def status(file: Path, store: str | None, output: str | None) -> None:
    """Say where the loop is, what each round came to, what a thousand samples bought in each genre,
    and what comes next. Reads the store alone."""
    from rich.console import Console

    from harness.store.database import require
    from training.loop.run import owed_by
    from training.loop.state import Stop
    from training.loop.telling import heading

    loop = _load(file, store)
    require(loop.store)
    owed, state = owed_by(loop)
    if output:
        print_rows(_rows(loop), output)
        return
    console = Console()
    _print_rounds(console, loop)
    spent = state.spent
    _print(
        console,
        f"spent: {spent.get('tokens', 0):,.0f} tokens, {spent.get('samples', 0):,.0f} samples, "
        f"{_duration(3600 * spent.get('hours', 0))}, ${spent.get('dollars', 0):.2f} of judging",
    )
    for name, why in state.marked.items():
        _print(console, f"marked: {name} ({why})", "red")
    _print_learned(console, loop)
    _print_proof(console, loop)
    if isinstance(owed, Stop):
        _print(console, f"next: nothing; {owed.why}", "bold")
    else:
        _print(console, f"next: {heading(owed)}", "bold")


@command.command("approve")
@click.argument("file", metavar="LOOP.yaml", type=_FILE)
@click.option("--refuse", is_flag=True, help="Say no: the loop stops.")
@store_option
def approve_command(file: Path, refuse: bool, store: str | None) -> None:
    """Approve the training stage that waits, or refuse it."""
    from harness.store.database import require
    from training.loop.approval import write_answer
    from training.loop.run import owed_by
    from training.loop.stages import person
    from training.loop.state import Next

    loop = _load(file, store, approve=True)
    require(loop.store)
    owed, _ = owed_by(loop)
    if not isinstance(owed, Next) or owed.stage != "approve":
        raise HarnessError(
            f"{file}: no training stage waits for approval; `harness loop status {file}` says "
            "what comes next"
        )
    mixture = str(owed.round.done["mixture"]["mixture"])
    write_answer(loop, owed.round, mixture, approved=not refuse, by=person())
    click.echo(f"round {owed.round.number}: {'refused' if refuse else 'approved'}")


def _load(file: Path, store: str | None, *, approve: bool = False) -> Loop:
    from harness.store.database import store_path
    from training.loop.config import load_loop

    return load_loop(file, store_path(store), approve=approve)


def _record(loop: Loop) -> list[StageRow]:
    from harness.store.loops import loop_stages

    return loop_stages(loop.store, loop.run)


def _rows(loop: Loop) -> list[dict[str, Any]]:
    """One flat row a stage."""
    from training.loop.telling import sentence

    return [
        {
            "round": row.round,
            "phase": row.phase,
            "stage": row.stage,
            "outcome": sentence(row),
            "seconds": round(row.seconds, 1),
            "inputs": row.inputs,
            "ended_at": row.ended_at.isoformat(),
        }
        for row in _record(loop)
    ]


def _print_rounds(console: Console, loop: Loop) -> None:
    from rich.table import Table
    from rich.text import Text

    from harness.report.loop import rows_by_round
    from training.loop.telling import sentence

    table = Table(box=None, header_style="dim")
    for name in ("round", "phase", "stage", "outcome"):
        table.add_column(name, no_wrap=name != "outcome")
    table.add_column("time", justify="right")
    for rows in rows_by_round(_record(loop)):
        for at, row in enumerate(rows):
            first = ("", "") if at else (str(row.round), row.phase)
            style = "red" if row.stage == "roll back" else ""
            table.add_row(
                *(Text(cell) for cell in first),
                row.stage,
                Text(sentence(row), style),
                _duration(row.seconds),
            )
    if table.row_count:
        console.print(table)


def _print_learned(console: Console, loop: Loop) -> None:
    from harness.gaps.beliefs import beliefs
    from harness.store.rounds import round_gains

    for one in beliefs(round_gains(loop.store, loop.run)):
        _print(
            console,
            f"learned: a thousand samples buy {100 * one.mean:+.1f} points in {one.genre} "
            f"(± {196 * one.sd:.1f}), from {one.samples:,} samples in {one.rounds} round(s)",
        )


def _print_proof(console: Console, loop: Loop) -> None:
    """What came of it on the items that no decision rests on."""
    from harness.report.loop import first_and_last, stored_gains

    record = _record(loop)
    ends = first_and_last(record)
    if ends is None:
        return
    before, after = ends
    _print(console, f"proof items, step {before.step:,} → step {after.step:,}:")
    for one in stored_gains(loop.store, record):
        at, to, gain, low, high = (
            one.factor * value for value in (one.before, one.after, one.gain, one.low, one.high)
        )
        _print(
            console,
            f"  {one.genre:<12} {at:5.1f} → {to:5.1f}   {gain:+5.1f} ({low:+.1f} to {high:+.1f}), "
            f"{one.items} items",
            {"ahead": "green", "lags": "red"}.get(one.state, ""),
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)
