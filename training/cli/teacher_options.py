"""The options by which a teacher is named, and what they open: the teacher under a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.on_options import on_ray_option, ray_cluster, replicas_option

if TYPE_CHECKING:
    from rich.console import Console

    from harness.gaps.plan import Plan
    from training.synthesis.asking import Asking, Limits

F = TypeVar("F", bound=Callable[..., Any])


def teacher_options(function: F) -> F:
    """--teacher and all that concerns it."""
    for option in reversed(
        [
            click.option(
                "--teacher",
                metavar="DIR|openai:URL#MODEL",
                help="Who writes what no program can: a checkpoint, or a served model.",
            ),
            click.option(
                "--teacher-licence", metavar="NAME", help="Its licence; otherwise its files say."
            ),
            click.option(
                "--teacher-engine",
                type=click.Choice(["auto", "vllm", "transformers"]),
                default="auto",
                show_default=True,
                help="What runs a checkpoint.",
            ),
            click.option(
                "--teacher-length", type=click.IntRange(min=1), help="Its context, in tokens."
            ),
            click.option(
                "--teacher-gpus",
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="GPUs that vLLM spreads it over.",
            ),
            on_ray_option("it"),
            replicas_option,
            click.option(
                "--teacher-concurrency",
                type=click.IntRange(min=1),
                default=32,
                show_default=True,
                help="Calls to a server at once.",
            ),
            click.option(
                "--teacher-rate",
                type=click.FloatRange(min=0, min_open=True),
                help="Calls to a server started in a minute at most.",
            ),
            click.option(
                "--max-tokens",
                type=click.IntRange(min=1),
                help="Tokens of the teacher that the round may take, prompts and replies together.",
            ),
            click.option(
                "--max-cost",
                type=click.FloatRange(min=0),
                help="What the round may cost, in the currency of --price.",
            ),
            click.option("--price", metavar="IN,OUT", help="Of a million tokens in, and out."),
            click.option(
                "--max-hours",
                type=click.FloatRange(min=0, min_open=True),
                help="Hours that this run may take.",
            ),
        ]
    ):
        function = option(function)
    return function


@contextmanager
def asking_teacher(
    plan: Plan, output: Path, options: dict[str, Any], console: Console
) -> Iterator[Asking | None]:
    """The teacher with its journal and its budget; None without one."""
    limits = _limits(options)
    cluster = ray_cluster(options["on"], options["replicas"], None)
    if cluster is not None and options["teacher_gpus"] > 1:
        cluster = replace(cluster, gpus=options["teacher_gpus"])
    if options["teacher"] is None:
        yield None
        return
    from training.synthesis.asking import Asking
    from training.synthesis.journal import Journal
    from training.synthesis.run import round_home
    from training.synthesis.teachers import open_teacher

    teacher = open_teacher(
        options["teacher"],
        licence=options["teacher_licence"],
        engine=options["teacher_engine"],
        max_length=options["teacher_length"],
        tensor_parallel_size=options["teacher_gpus"],
        concurrency=options["teacher_concurrency"],
        per_minute=options["teacher_rate"],
        cluster=cluster,
    )
    licence = teacher.about.licence
    told = f"teacher {teacher.about.name}, licence {licence.name}"
    console.print(told, style="dim", markup=False, highlight=False)
    if licence.warning:
        click.secho(f"warning: {licence.warning}", fg="yellow", err=True)
    journal = Journal(output / "replies.sqlite")
    try:
        yield Asking(teacher, journal, round_home(output, plan).name, limits)
    finally:
        teacher.close()
        journal.close()


def _limits(options: dict[str, Any]) -> Limits:
    """Raises HarnessError for options that do not go together."""
    from harness.errors import HarnessError
    from harness.judge.budget import Price
    from training.synthesis.asking import Limits

    price = None
    if options["price"] is not None:
        try:
            given, taken = map(float, options["price"].split(","))
        except ValueError:
            raise HarnessError(
                f"--price {options['price']}: expected two numbers, e.g. 2.5,10"
            ) from None
        price = Price(given, taken)
    if options["max_cost"] is not None and price is None:
        raise HarnessError("--max-cost needs --price IN,OUT, the price of a million tokens")
    if options["teacher"] is None and (
        asked := [
            name
            for name in ("teacher_licence", "on", "max_tokens", "max_cost", "price")
            if options[name] is not None
        ]
    ):
        raise HarnessError(
            f"--{asked[0].replace('_', '-')} is of a teacher: name it with --teacher"
        )
    return Limits(options["max_tokens"], options["max_cost"], price, options["max_hours"])
