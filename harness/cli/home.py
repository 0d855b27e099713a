"""`harness` alone: what it can do, and the state of the store."""

from __future__ import annotations

import click

from harness import __version__
from harness.cli.main import COMMANDS
from harness.visible import visible


def show_home() -> None:
    """Prints the commands and what the store holds; a store at fault is told in one sentence."""
    from harness.errors import HarnessError
    from harness.store.database import store_path

    click.secho(f"harness {__version__}", bold=True)
    for name, (_, text) in COMMANDS.items():
        click.echo(f"  harness {name:<12} {text}")
    path = store_path()
    click.echo()
    if not path.exists():
        click.echo(f"No store yet. `harness eval CHECKPOINT` makes {path.name} here.")
        return
    from harness.store.queries import counts, evaluations, refresh, summary

    try:
        refresh(path)
        numbers = summary(path)
        click.echo(f"{path}: " + ", ".join(f"{n:,} {name}" for name, n in numbers.items()))
        for row in evaluations(path)[-3:]:
            # A running evaluation writes its counts at its end.
            done = row.done if row.state == "complete" else counts(path, row.id)[0]
            click.echo(
                visible(
                    f"  {row.started_at:%Y-%m-%d %H:%M} UTC  {row.checkpoint}  {row.protocol}  "
                    f"{done}/{row.planned} done  {row.state}  ({row.id[:8]})"
                )
            )
    except HarnessError as error:
        click.secho(visible(str(error)), fg="yellow")
