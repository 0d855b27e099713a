"""`harness pairwise`: which of two evaluations' answers a judge prefers, asked in both orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.cli.judge_options import (
    judge_options,
    judge_settings,
    open_budget,
    open_judge,
    open_judging,
    print_judged,
    watched,
)
from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.store.judgments import Compared


@click.command("pairwise")
@click.argument("first")
@click.argument("second")
@click.option("--suite", help="The checkpoints' latest evaluations of this suite.")
@judge_options
@store_option
@table_options
def command(
    first: str,
    second: str,
    suite: str | None,
    store: str | None,
    output: str | None,
    **judge_choice: Any,
) -> None:
    """Have --judge compare the answers of FIRST and SECOND (evaluation ids or checkpoints) to the
    same questions of MT-Bench, each pair twice with the order swapped; disagreement is a tie.
    """

    from harness.judge.rate import judge_pairs
    from harness.protocols.catalogue import protocol_from
    from harness.protocols.mt_bench import MtBench
    from harness.store.database import store_path
    from harness.store.judgments import comparisons
    from harness.store.queries import find_evaluation, protocol_definition, refresh

    settings = judge_settings(judge_choice)
    if settings.judge is None:
        raise HarnessError("harness pairwise needs a judge: name it with --judge")
    path = store_path(store)
    refresh(path)
    rows = [find_evaluation(path, name, suite) for name in (first, second)]
    if rows[0].protocol_hash != rows[1].protocol_hash:
        raise HarnessError(
            f"{rows[0].checkpoint} and {rows[1].checkpoint} were asked by different protocols "
            f"({rows[0].protocol}, {rows[1].protocol}); compare evaluations of one"
        )
    protocol = protocol_from(protocol_definition(path, rows[0].protocol_hash))
    if not isinstance(protocol, MtBench):
        raise HarnessError(
            f"{rows[0].protocol} is no protocol of MT-Bench; its scores need no judge"
        )
    console = terminal(stderr=True)
    judge = open_judge(settings)
    try:
        judging = open_judging(settings, judge, open_budget(settings), protocol, path)
        with watched(console, judging):
            judge_pairs(path, rows[0], rows[1], protocol, judging)
            progress = judging.close()
        print_judged(console, progress, judge.name)
    finally:
        judge.close()
    found = comparisons(path, rows[0].id, rows[1].id, judge.name, judging.prompts.hash)
    made = _rows(found, [row.checkpoint for row in rows], protocol)
    if output:
        print_rows(made, output)
    else:
        _print(made)
    if progress.fault is not None:
        raise HarnessError(progress.fault)


def _rows(found: Sequence[Compared], names: Sequence[str], protocol: Any) -> list[dict[str, Any]]:
    """One row a genre, and one over all."""
    from harness.items.schema import GENRES
    from harness.statistics.pairwise import tally

    verdicts: dict[tuple[str, str, int, int, int], dict[bool, float | None]] = {}
    for one in found:
        place = (one.genre, one.item, one.turn, one.sample, one.repeat)
        verdicts.setdefault(place, {})[one.swapped] = one.value
    made = []
    for genre in (*GENRES, ""):
        places = [place for place in verdicts if genre in ("", place[0])]
        whole = [
            (place, straight, swapped)
            for place in places
            if (straight := verdicts[place].get(False)) is not None
            and (swapped := verdicts[place].get(True)) is not None
        ]
        if not places:
            continue
        row: dict[str, Any] = {
            "first": names[0],
            "second": names[1],
            "protocol": protocol.id,
            "genre": genre or "all",
            "pairs": len(places),
            "unjudged": len(places) - len(whole),
        }
        if whole:
            count = tally([(a, b) for _, a, b in whole], [place[1] for place, _, _ in whole])
            row |= {
                "wins": count.wins,
                "ties": count.ties,
                "losses": count.losses,
                "disagreed": count.disagreed,
                "win_rate": count.win_rate.mean,
                "low": count.win_rate.low,
                "high": count.win_rate.high,
            }
        made.append(row)
    return made


def _print(rows: Sequence[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = terminal()
    if not rows:
        console.print("No pair was judged.")
        return
    title = f"{rows[0]['first']} against {rows[0]['second']}   {rows[0]['protocol']}"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    headings = ("genre", "pairs", "wins", "ties", "losses", "disagreed", "unjudged")
    for heading in (*headings, "win rate", "95 %"):
        table.add_column(heading, justify="left" if heading == "genre" else "right")
    for row in rows:
        rate = f"{row['win_rate']:.1%}" if "win_rate" in row else "–"
        interval = f"{row['low']:.1%}–{row['high']:.1%}" if "low" in row else ""
        table.add_row(*(str(row.get(name, "–")) for name in headings), rate, interval)
    console.print(table)
    console.print(
        "Each pair is judged in both orders; where they disagree it is a tie. Win rate: (wins + "
        "ties/2)/n of the first, interval clustered by question.",
        style="dim",
    )
