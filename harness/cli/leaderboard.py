"""`harness leaderboard`: ranks what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal

if TYPE_CHECKING:
    from harness.report.gathered import Asked


@click.command("leaderboard")
@click.option("--suite", "suites", metavar="A,B", default="", help="Only these suites; `arena`.")
@click.option("--datasets", is_flag=True, help="Scores by dataset instead of by genre.")
@click.option("--overview", is_flag=True, help="One table: a column a suite, and suite-mean.")
@click.option(
    "--group",
    type=click.Choice(["run", "checkpoint"]),
    default="run",
    show_default=True,
    help="A row for each run, its last checkpoint, or for every checkpoint.",
)
@click.option(
    "--checkpoints", "group", flag_value="checkpoint", help="The same as --group checkpoint."
)
@click.option("--since", metavar="DATE|7d|24h", help="Only rows that were evaluated then or later.")
@click.option(
    "--filter",
    "patterns",
    metavar="PATTERN",
    multiple=True,
    help="Only rows whose checkpoint, run or suite fits, as in 'tiny/*'; repeatable.",
)
@click.option(
    "--sort",
    metavar="ORDER",
    default="score",
    show_default=True,
    help="score, name, step, date, or a genre; ranks stay those of the score.",
)
@click.option("--all", "everything", is_flag=True, help="Older item sets and protocols too.")
@click.option(
    "--published",
    metavar="[NAME]",
    is_flag=False,
    flag_value="",
    help="Imported score tables, and our boards that they may stand beside.",
)
@click.option(
    "--live",
    metavar="[SECONDS]",
    type=click.FloatRange(min=0.1),
    is_flag=False,
    flag_value=5.0,
    help="Draw again every SECONDS [5] until no evaluation runs.",
)
@store_option
@table_options
def command(
    suites: str,
    datasets: bool,
    overview: bool,
    group: str,
    since: str | None,
    patterns: tuple[str, ...],
    sort: str,
    everything: bool,
    published: str | None,
    live: float | None,
    store: str | None,
    output: str | None,
) -> None:
    """Rank what was measured: score with interval, genres, growth over steps, and an arrow where
    a score changed significantly since the checkpoint before.

    One board a suite; only scores of one protocol, item set and number of samples stand together.
    """
    from datetime import UTC, datetime

    from harness.report.choice import Choice, parse_since
    from harness.report.gathered import Asked, gather
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    asked = Asked(
        suites=tuple(name.strip() for name in suites.split(",") if name.strip()),
        every_checkpoint=group == "checkpoint",
        all_item_sets=everything,
        by_dataset=datasets,
        published=published,
        overview=overview,
        choice=Choice(parse_since(since, datetime.now(UTC)) if since else None, patterns, sort),
    )
    if live and output:
        raise click.UsageError("--live draws in a terminal; leave it out with --json and its like")
    if overview and (published is not None or everything or datasets):
        raise click.UsageError("--overview goes without --published, --all and --datasets")
    refresh(path)
    if output:
        found = gather(path, asked)
        for fault in found.faults:
            click.secho(f"left out: {fault}", fg="yellow", err=True)
        print_rows(found.rows(), output)
        return
    from rich.console import RenderableType
    from rich.text import Text

    from harness.report.gathered import drawn
    from harness.report.live import watch

    console = terminal()

    def draw() -> RenderableType:
        found = gather(path, asked)
        if found.is_empty:
            return Text(f"{path}: {_nothing(asked)}")
        return drawn(found, console.width, by_dataset=datasets)

    if live:
        watch(console, path, draw, suites=asked.suites, every=live)
    else:
        console.print(draw())


def _nothing(asked: Asked) -> str:
    which = f" of {', '.join(asked.suites)}" if asked.suites else ""
    if asked.published is not None:
        return "no published score that --filter leaves; `harness import table` brings some in."
    if asked.choice.since or asked.choice.patterns:
        return f"no evaluation{which} that --since and --filter leave."
    return f"no evaluation{which} yet; `harness eval CHECKPOINT` makes one."
