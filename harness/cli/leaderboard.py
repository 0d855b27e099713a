"""`harness leaderboard`: ranks what was measured."""

from __future__ import annotations

import click

from harness.cli.options import print_rows, store_option, table_options

# The suite whose board are ratings from battles.
ARENA = "arena"


@click.command("leaderboard")
@click.option("--suite", "suites", metavar="A,B", default="", help="Only these suites.")
@click.option(
    "--checkpoints", is_flag=True, help="A row for every checkpoint, not each run's last."
)
@click.option("--all", "everything", is_flag=True, help="Older item sets and protocols too.")
@store_option
@table_options
def command(
    suites: str, checkpoints: bool, everything: bool, store: str | None, output: str | None
) -> None:
    """Rank what was measured: score with interval, genres, growth over steps.

    One board a suite; only scores of one protocol, item set and number of samples stand together.
    """
    from harness.report.arena import Wanted, arena_boards
    from harness.report.judged import judged_boards, to_dict
    from harness.report.standings import boards
    from harness.store.battles import Selection
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    wanted = [name.strip() for name in suites.split(",") if name.strip()]
    battles, faults = arena_boards(path, Selection(), Wanted()) if ARENA in wanted else ([], [])
    for fault in faults:
        click.secho(f"left out: {fault}", fg="yellow", err=True)
    others = [name for name in wanted if name != ARENA]
    made, left_out = boards(
        path, suites=others or wanted, every_checkpoint=checkpoints, all_item_sets=everything
    )
    judged, judged_left_out = judged_boards(
        path, suites=others or wanted, every_checkpoint=checkpoints, all_item_sets=everything
    )
    if output:
        rows = [one.to_dict() for board in made for one in board.standings]
        rows += [to_dict(board, one) for board in judged for one in board.standings]
        print_rows(rows + [row for board in battles for row in board.rows()], output)
        return
    from rich.console import Console

    from harness.report.arena_table import print_arena
    from harness.report.judged_table import print_judged
    from harness.report.leaderboard import print_boards

    console = Console()
    print_arena(console, battles)
    if not made and not judged:
        if battles:
            return
        which = f" of {', '.join(wanted)}" if wanted else ""
        console.print(f"{path}: no evaluation{which} yet; `harness eval CHECKPOINT` makes one.")
        return
    print_boards(console, made, left_out)
    print_judged(console, judged, judged_left_out)
