"""`harness synthesize`: from a plan to shards, their card, and the files that training reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.on_options import on_ray_option, ray_cluster, ray_options
from harness.cli.options import print_rows, sandbox_option, store_option, table_options
from harness.cli.terminal import terminal
from training.cli.teacher_options import asking_teacher, teacher_options

if TYPE_CHECKING:
    from rich.console import Console

    from harness.engines.select import EngineName
    from harness.gaps.plan import Plan
    from training.synthesis.export import Form
    from training.synthesis.lineage import Round
    from training.synthesis.screening import Screen

_OUTPUT = Path("synthesized")


class _PlanFirst(click.Group):
    """`harness synthesize PLAN.yaml` is `harness synthesize plan PLAN.yaml`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["plan", *args]
        return super().parse_args(ctx, args)


@click.group("synthesize", cls=_PlanFirst)
def command() -> None:
    """Make the samples that a plan asks for: `harness synthesize PLAN.yaml`.

    Every answer is proven where it can be; every sample is filtered, and compared with all
    evaluation items and with the samples of all rounds. Stop it, kill it, repeat it: it goes on.
    """


@command.command("plan")
@click.argument("plan_file", metavar="PLAN.yaml", type=click.Path(path_type=Path))
@click.option(
    "--student", metavar="NAME", help="Stop unless the plan was made for this checkpoint."
)
@teacher_options
@click.option(
    "-o",
    "--output",
    "output_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=_OUTPUT,
    show_default=True,
    help="Where rounds lie, this one and the earlier ones.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes that run programs [one for each core].",
)
@click.option(
    "--chunk",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Candidates that are ordered, and committed, at once.",
)
@click.option(
    "--attempts",
    type=click.FloatRange(min=1),
    default=10.0,
    show_default=True,
    help="Candidates tried for each sample wanted, before a line is given up.",
)
@click.option(
    "--against",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A benchmark on disk that no sample may hold, besides every evalset and all that the "
    "store has asked or imported.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be made and by what; make nothing.")
@sandbox_option
@store_option
@table_options
def plan_command(
    plan_file: Path,
    student: str | None,
    output_dir: Path,
    workers: int | None,
    chunk: int,
    attempts: float,
    paths: tuple[Path, ...],
    dry_run: bool,
    store: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """Make a plan's samples. `harness gaps CHECKPOINT --plan PLAN.yaml` writes the plan."""
    # Threads make small products of vectors slower; numpy reads this when it is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from harness.errors import HarnessError
    from harness.gaps.plan_file import load_plan

    plan = load_plan(plan_file)
    if student is not None and student not in (plan.student, plan.fingerprint):
        raise HarnessError(
            f"{plan_file}: made for {plan.student}, not for {student}; `harness gaps {student} "
            "--plan FILE` writes that plan"
        )
    if dry_run:
        _print_dry(plan, output_dir, options["teacher"] is not None, output)
        return
    from harness.store.database import store_path
    from training.synthesis.progress_bar import progress_bar
    from training.synthesis.run import Settings, synthesize
    from training.synthesis.screening import open_screen

    console = terminal(stderr=output is not None)
    results = store_path(store)
    held = results if results.exists() else None

    def screen() -> Screen:
        return open_screen(held, paths)

    settings = Settings(
        workers or len(os.sched_getaffinity(0)),
        chunk=chunk,
        attempts=attempts,
        hours=options["max_hours"],
    )
    with (
        asking_teacher(plan, output_dir, options, console) as asking,
        progress_bar(console, lambda: None if asking is None else asking.tokens) as report,
    ):
        made = synthesize(plan, output_dir, screen, settings, asking, report)
    _write_card(made)
    if output is not None:
        print_rows(made.lineage["lines"], output)
    else:
        _print_round(console, made)


@command.command("card")
@click.argument("place", metavar="ROUND", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def card_command(place: Path, as_json: bool) -> None:
    """Print the quality card of a round's directory."""
    import json

    from training.synthesis.card import make_card
    from training.synthesis.card_page import card_page
    from training.synthesis.lineage import read_round

    card = make_card(read_round(place))
    if as_json:
        click.echo(json.dumps(card.to_dict(), ensure_ascii=False, indent=2))
    else:
        click.echo(card_page(card), nl=False)


@command.command("pairs")
@click.argument("plan_file", metavar="PLAN.yaml", type=click.Path(path_type=Path))
@click.option(
    "--student",
    required=True,
    metavar="DIR|openai:URL#MODEL",
    help="Whose own answers are chosen and rejected.",
)
@click.option(
    "--judge", metavar="DIR|openai:URL#MODEL", help="Who rates answers that no rule decides."
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "vllm", "transformers"]),
    default="auto",
    show_default=True,
    help="What runs a checkpoint.",
)
@on_ray_option("student and judge")
@ray_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=_OUTPUT,
    show_default=True,
    help="Where rounds lie.",
)
@click.option("--chunk", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--attempts", type=click.FloatRange(min=1), default=10.0, show_default=True)
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Of the student, prompts and replies together."
)
@sandbox_option
@store_option
def pairs_command(
    plan_file: Path,
    student: str,
    judge: str | None,
    engine: EngineName,
    on: str | None,
    replicas: int | None,
    replica_gpus: int | None,
    output: Path,
    chunk: int,
    attempts: float,
    max_tokens: int | None,
    store: str | None,
) -> None:
    """Make preference pairs for a plan's lines from the student's own answers."""
    from contextlib import ExitStack, closing
    from dataclasses import replace

    from harness.gaps.plan_file import load_plan
    from harness.store.database import store_path
    from training.synthesis.asking import Asking, Limits
    from training.synthesis.journal import Journal
    from training.synthesis.pair_round import make_pairs, pairs_home
    from training.synthesis.screening import open_screen
    from training.synthesis.teachers import open_teacher

    plan = load_plan(plan_file)
    cluster = ray_cluster(on, replicas, replica_gpus)
    judged_here = judge is not None and not judge.startswith("openai:")
    if cluster is not None and judged_here:
        cluster = replace(cluster, engines=2)
    results = store_path(store)
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(output / "replies.sqlite")))
        name = pairs_home(output, plan).name
        asked = stack.enter_context(closing(open_teacher(student, engine=engine, cluster=cluster)))
        asking = Asking(asked, journal, name, Limits(max_tokens))
        rating = None
        if judge is not None:
            place = cluster if judged_here else None
            rater = stack.enter_context(closing(open_teacher(judge, engine=engine, cluster=place)))
            rating = Asking(rater, journal, f"{name} judge")
        made = make_pairs(
            plan,
            output,
            lambda: open_screen(results if results.exists() else None),
            asking,
            rating,
            chunk,
            attempts,
        )
    counts, bias = made.lineage["counts"], made.lineage["length_bias"]
    click.echo(f"{counts['kept']:,} of {counts['wanted']:,} pairs, {counts['tried']:,} tried")
    if made.lineage["stopped"]:
        click.echo(f"stopped: {made.lineage['stopped']}; repeat the command with more to go on")
    click.echo(
        f"chosen answers are the longer ones in {bias['longer']:.0%}, by {bias['difference']:.1f} "
        "characters on average"
    )
    click.echo(f"{made.home}: {made.shards[0].name}, lineage.json")


@command.command("export")
@click.argument("shards", metavar="SHARDS", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["sft", "text", "dpo", "megatron"]),
    required=True,
    help="Chats, plain dialogue text, preference pairs, or Megatron's indexed dataset.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    help="megatron: the checkpoint directory whose tokenizer is used.",
)
@click.option("--chat", is_flag=True, help="megatron: by the tokenizer's chat template.")
def export_command(
    shards: Path,
    form: Form,
    output: Path,
    tokenizer: Path | None,
    chat: bool,
) -> None:
    """Write SHARDS (a file, a round's directory, or a directory of rounds) for training."""
    from training.synthesis.export import export

    done = export(shards, form, output, tokenizer, chat)
    tokens = "" if done.tokens is None else f", {done.tokens:,} tokens"
    click.echo(f"{done.rows:,} rows{tokens}: {', '.join(map(str, done.paths))}")


def _write_card(made: Round) -> None:
    import json

    from training.synthesis.card import make_card
    from training.synthesis.card_page import card_page
    from training.synthesis.shards import replace_text

    card = make_card(made)
    replace_text(made.home / "card.md", card_page(card))
    text = json.dumps(card.to_dict(), ensure_ascii=False, indent=2)
    replace_text(made.home / "card.json", text + "\n")


def _print_dry(plan: Plan, output: Path, teacher: bool, form: str | None) -> None:
    """What would be made of each line, and by what; raises HarnessError where nothing can."""
    from rich.table import Table

    from training.synthesis.catalogue import choose
    from training.synthesis.run import round_home

    rows = [
        {
            "genre": line.genre,
            "skill": line.skill,
            "level": line.level,
            "samples": line.samples,
            "purpose": line.purpose,
            "generator": choose(line, teacher).id,
            "why": line.why,
        }
        for line in plan.lines
    ]
    if form is not None:
        print_rows(rows, form)
        return
    console = terminal()
    table = Table(box=None, header_style="dim")
    for name in rows[0] if rows else ():
        table.add_column(name, justify="right" if name == "samples" else "left")
    for row in rows:
        table.add_row(*("" if cell is None else _cell(cell) for cell in row.values()))
    console.print(table)
    home = round_home(output, plan)
    text = f"{plan.samples:,} samples would go to {home}; nothing was made"
    console.print(text, markup=False, highlight=False)


def _print_round(console: Console, made: Round) -> None:
    """What became of the candidates, in counts that add up, and where the samples are."""
    lineage = made.lineage
    counts = lineage["counts"]
    parts = [f"kept {counts['kept']:,}"]
    parts += [f"{stage} {number:,}" for stage, number in counts["dropped"].items()]
    short = sum(line["ended"] == "exhausted" for line in lineage["lines"])
    rate = counts["kept"] / lineage["seconds"] if lineage["seconds"] else 0.0
    told = [
        f"{counts['kept']:,} of {counts['wanted']:,} samples in {lineage['seconds']:,.1f} s, "
        f"{rate:,.1f}/s",
        f"candidates {counts['tried']:,} = {' + '.join(parts)}",
    ]
    if lineage["stopped"]:
        told.append(f"stopped: {lineage['stopped']}; repeat the command with more to go on")
    if short:
        told.append(f"{short} lines used up their attempts; {made.home / 'card.md'} says which")
    told.append(f"{made.home}: {len(lineage['shards'])} shards, lineage.json, card.md")
    for line in told:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _cell(value: Any) -> Any:
    from rich.text import Text

    return Text(f"{value:,}" if isinstance(value, int) else str(value))
