"""`harness arena`: battles between models, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.arena_export import export
from harness.cli.arena_serve import serve
from harness.cli.options import F, print_rows, store_option, table_options
from harness.cli.terminal import terminal


def selection_options(function: F) -> F:
    """--kind, --genre, --models: which battles count."""
    for option in (
        click.option("--models", metavar="A,B", default="", help="Only battles among these."),
        click.option("--genre", "genres", metavar="A,B", default="", help="Only these genres."),
        click.option(
            "--kind",
            "kinds",
            metavar="A,B",
            default="",
            help="Only these kinds, combined: judge, verifier, people, import:NAME, or all. "
            "Otherwise each kind stands alone.",
        ),
    ):
        function = option(function)
    return function


def _selection(path: Path, kinds: str, genres: str, models: str) -> Any:
    from harness.errors import HarnessError
    from harness.store import battles

    wanted = _names(kinds)
    known = [one.kind for one in battles.kinds(path)]
    if wanted == ("all",):
        wanted = tuple(known)
    if lacking := [kind for kind in wanted if kind not in known]:
        there = ", ".join(known) or "none"
        raise HarnessError(f"{path}: no battles of kind {', '.join(lacking)}; there are {there}")
    return battles.Selection(wanted, _names(genres), _names(models))


def _one_board(selection: Any, path: Path) -> Any:
    """The selection, of all kinds where it names none and there is one alone."""
    from harness.errors import HarnessError
    from harness.store import battles

    known = [one.kind for one in battles.kinds(path)]
    if not selection.kinds and len(known) > 1:
        raise HarnessError(
            f"{path} holds battles of several kinds ({', '.join(known)}): name one or more with "
            "--kind, or --kind all"
        )
    return selection


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@click.group("arena")
def command() -> None:
    """Battles between models: import or play them, rate the models, choose the next battle."""


@command.command("import")
@click.argument("log", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--name", help="Kind import:NAME [the file's name]. A log that grew keeps its name.")
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    help="JSONL of {question_id, category}: the genres of prompts.",
)
@store_option
def import_(log: Path, name: str | None, questions: Path | None, store: str | None) -> None:
    """Import a log of battles; importing it again adds nothing.

    \b
    Layouts, known by their fields:
      FastChat, LMSYS  model_a, model_b, winner: JSONL or one JSON list
                       the server's vote events: models, type, states
                       judgments in both orders: model_1, model_2, g1_winner, g2_winner
      llmfao           CSV with left, right, winner, prompt, worker
      Rakuda           one JSON document with matches
      CSV              model_a, model_b, winner; prompt, genre, session, latency, time,
                       order (a, b, none: seen first) and weight where there are such columns
      ours             what `harness arena export` wrote: the same battles, of the same kind
                       unless --name gives them another
    """
    from harness.arena.logs import read_log
    from harness.store import battles
    from harness.store.database import store_path

    found = read_log(log, name, questions)
    new = battles.add(store_path(store), found.battles)
    click.echo(
        f"{log}: {len(found.battles):,} battles of kind "
        f"{', '.join(sorted({one.kind for one in found.battles}))}, {new:,} of them new"
    )
    if found.left_out:
        click.echo(f"{found.left_out:,} rows hold no vote or readable verdict; left out.")


@command.command("play")
@click.argument("names", metavar="CHECKPOINT CHECKPOINT...", nargs=-1, required=True)
@click.option("--suite", help="Evaluations of which suite; each one's latest otherwise.")
@click.option(
    "--metric",
    type=click.Choice(["strict", "lenient"]),
    default="strict",
    show_default=True,
    help="What counts as right.",
)
@store_option
def play(names: tuple[str, ...], suite: str | None, metric: str, store: str | None) -> None:
    """Let stored answers meet: on each item that a rule can prove, the right answer beats the
    wrong one; both right are a tie, both wrong are both bad. Needs no model and no network.
    """
    from harness.arena.play import play as play_battles
    from harness.store.database import store_path

    done = play_battles(store_path(store), names, suite, metric)
    click.echo(
        f"{done.battles:,} battles of kind verifier between {len(done.models)} models, "
        f"{done.new:,} of them new"
    )
    if done.left_out:
        click.echo(f"{done.left_out:,} answers met nobody everywhere: not all models have them.")


@command.command("ratings")
@click.option("--method", type=click.Choice(["bt", "elo"]), default="bt", show_default=True)
@click.option(
    "--interval",
    type=click.Choice(["sandwich", "multinomial", "poisson"]),
    default="sandwich",
    show_default=True,
    help="The last two are bootstraps over prompts.",
)
@click.option("--style", metavar="VARIANT", help="Control style: plain, fastchat or arena-rank.")
@click.option("--position", is_flag=True, help="Fit the advantage of being seen first.")
@click.option("--prior", type=float, default=0.0, help="Virtual ties of each model [none].")
@click.option("--anchor", metavar="MODEL", help="Pin this model [the mean of all is pinned].")
@click.option("--anchor-points", type=float, default=1000.0, show_default=True)
@click.option("--draws", type=click.IntRange(min=100), help="Bootstrap samples [2000; Elo 500].")
@click.option("--by-genre/--no-genres", default=True, help="Ratings by genre too.")
@selection_options
@store_option
@table_options
def ratings(
    kinds: str, genres: str, models: str, store: str | None, output: str | None, **options: Any
) -> None:
    """Rate the models: Bradley-Terry or Elo, with intervals and ranks, in all and by genre.

    Each kind of battle has a board of its own; --kind A,B combines kinds.
    """
    from harness.arena.ratings import Anchor
    from harness.report.arena import Wanted, arena_boards
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    wanted = Wanted(
        method=options["method"],
        interval=options["interval"],
        style=options["style"],
        position=options["position"],
        prior=options["prior"],
        anchor=Anchor(options["anchor_points"], options["anchor"]),
        draws=options["draws"],
    )
    boards, faults = arena_boards(
        path, _selection(path, kinds, genres, models), wanted, by_genre=options["by_genre"]
    )
    for fault in faults:
        click.secho(f"left out: {fault}", fg="yellow", err=True)
    if output:
        print_rows([row for board in boards for row in board.rows()], output)
        return

    from harness.report.arena_table import print_arena

    print_arena(terminal(), boards)


@command.command("matrix")
@click.option("--against", metavar="A,B", default="", help="Only as opponents of these.")
@selection_options
@store_option
@table_options
def matrix(
    against: str, kinds: str, genres: str, models: str, store: str | None, output: str | None
) -> None:
    """Show who won how often against whom, ties half; with --against one model, a table of
    adjusted win rates."""
    from harness.report.arena import pairings
    from harness.store.battles import load_table
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    selection = _one_board(_selection(path, kinds, genres, models), path)
    found = pairings(load_table(path, selection), _names(against))
    if output:
        print_rows([one.to_dict() for one in found], output)
        return

    from harness.report.arena_table import print_matrix

    print_matrix(terminal(), found)


@command.command("next")
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--model", metavar="NAME", help="Place this model, which may be new.")
@click.option("--anchors", metavar="A,B", default="", help="Whom it meets [three that fit].")
@click.option("--power", type=click.FloatRange(0.5, 0.999), default=0.8, show_default=True)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    help="Points by which an order may be wrong without mattering.",
)
@selection_options
@store_option
@table_options
def next_(
    count: int,
    model: str | None,
    anchors: str,
    power: float,
    margin: float,
    kinds: str,
    genres: str,
    models: str,
    store: str | None,
    output: str | None,
) -> None:
    """Propose the battles that shrink the intervals that matter, and how many it takes to tell
    two models apart at 95 %."""
    from dataclasses import asdict

    from harness.arena.placing import proposals
    from harness.store.battles import load_table
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    selection = _one_board(_selection(path, kinds, genres, models), path)
    found = proposals(
        load_table(path, selection),
        count,
        model=model,
        anchors=_names(anchors),
        power=power,
        margin=margin,
    )
    if output:
        print_rows([asdict(one) for one in found], output)
        return

    from harness.report.arena_table import print_proposals

    print_proposals(terminal(), found, power)


@command.command("correlate")
@click.option("--suite", required=True, help="The benchmark: its scores by genre.")
@selection_options
@store_option
@table_options
def correlate(
    suite: str, kinds: str, genres: str, models: str, store: str | None, output: str | None
) -> None:
    """Correlate ratings with a suite's genre scores: what the benchmark is worth."""
    from harness.report.arena_correlation import agreements
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    selection = _one_board(_selection(path, kinds, genres, models), path)
    found = agreements(path, selection, suite)
    if output:
        print_rows([one.to_dict() for one in found], output)
        return

    from harness.report.arena_table import print_agreements

    which = " + ".join(selection.kinds) or "arena"
    print_agreements(terminal(), f"{which} ratings and {suite}", found)


@command.command("judged")
@click.option("--judge", metavar="NAME", help="Only this judge's verdicts.")
@store_option
def judged(judge: str | None, store: str | None) -> None:
    """Take in what judges said when they compared two checkpoints' answers in both orders."""
    from harness.arena.judged import take_judged
    from harness.store.database import store_path

    found = take_judged(store_path(store), judge)
    click.echo(f"{found.verdicts:,} verdicts of kind judge, {found.new:,} of them new")
    if found.unreadable:
        click.echo(f"{found.unreadable:,} verdicts could not be read; left out.")


command.add_command(serve)
command.add_command(export)
