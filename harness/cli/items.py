"""`harness items`: validates evalsets and prints generated probes."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import click

from harness.cli.options import print_rows, table_options


@click.group("items")
def command() -> None:
    """Validate evalsets; print generated probes."""


@command.command("check")
@click.argument("evalset")
def check(evalset: str) -> None:
    """Validate EVALSET, a name or a path: schema, format rules, gold answers, duplicates."""
    from harness.errors import HarnessError
    from harness.items.load import find_evalset, load_evalset
    from harness.scoring import gold_fault

    loaded = load_evalset(find_evalset(evalset))
    faults = [(item.id, fault) for item in loaded.items if (fault := gold_fault(item))]
    if faults:
        lines = "\n".join(f"{name}: {fault}" for name, fault in faults[:20])
        raise HarnessError(
            f"{evalset}: {len(faults)} gold answer(s) break their own format rule:\n{lines}"
        )
    genres = Counter(item.genre for item in loaded.items)
    click.echo(f"{loaded.name} {loaded.version}: {len(loaded.items)} items, {loaded.hash[:12]}")
    click.echo(", ".join(f"{genre} {number}" for genre, number in sorted(genres.items())))


@command.command("probes")
@click.option("--levels", default="1-5", show_default=True, help="e.g. 1 or 1-3.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@table_options
def probes(levels: str, seed: int, limit: int, output: str | None) -> None:
    """Print generated probes as `harness eval --suite probes` asks them."""
    from harness.protocols.catalogue import open_suite

    suite = open_suite(f"probes:{levels}", limit=limit, seed=seed)
    if output:
        print_rows([asdict(item) for item in suite.items], output)
        return
    for item in suite.items:
        click.secho(item.id, dim=True)
        click.echo(item.turns[0])
        click.secho(f"→ {item.answer}\n", fg="green")
