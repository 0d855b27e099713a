"""Prints samples of the programmatic generators, to be read."""

from __future__ import annotations

import click

from harness.gaps.plan import Line
from training.synthesis.types import Dropped, Generator, Order


def print_samples(generator: Generator, line: Line, count: int, seed: int) -> None:
    """Prints `count` candidates of a line, one dialogue after another."""
    for one in generator(Order(line, seed, 0, count), lambda prompts: []):
        if isinstance(one, Dropped):
            click.echo(f"--- dropped at {one.stage}: {one.reason}\n{one.text}\n")
            continue
        click.echo(f"--- {one.skill} level {one.level} · {one.proof.method}: {one.proof.detail}")
        for message in one.messages:
            click.echo(f"[{message.role}]\n{message.content}")
        click.echo()


@click.command()
@click.option("--skill", default="math/ratio", help="Probe family, or a genre for all of it.")
@click.option("--level", type=click.IntRange(1, 5), help="Difficulty; all when absent.")
@click.option("--count", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--generator", "name", default="program", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting.")
def show(
    skill: str, level: int | None, count: int, seed: int, name: str, settings: tuple[str, ...]
) -> None:
    """Print samples of a programmatic generator."""
    from training.synthesis.code_problems import code_program
    from training.synthesis.drills import drill
    from training.synthesis.premises import premise_change
    from training.synthesis.program import program

    generators: dict[str, Generator] = {
        "program": program,
        "code_program": code_program,
        "drill": drill,
        "premise_change": premise_change,
    }
    if name not in generators:
        raise click.UsageError(f"no generator {name!r}, expected one of {', '.join(generators)}")
    genre = skill.split("/")[0]
    line = Line(
        genre,
        skill if "/" in skill else "",
        level,
        count,
        generator=name,
        settings=dict(one.split("=", 1) for one in settings),
    )
    print_samples(generators[name], line, count, seed)


if __name__ == "__main__":
    show()
