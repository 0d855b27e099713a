"""`harness import`: other harnesses' logs into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import store_option


@click.group("import")
def command() -> None:
    """Bring what other harnesses logged into the store."""


@command.command("outputs")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "layout",
    type=click.Choice(["llm-jp-eval-table", "lm-eval-samples", "jsonl"]),
    required=True,
    help="jsonl: {dataset, input, prediction, gold} a line.",
)
@click.option("--checkpoint", metavar="NAME", help="Whose answers these are, if the log is silent.")
@click.option("--dataset", metavar="NAME", help="Of which dataset, if the log is silent.")
@store_option
def outputs(
    file: Path, layout: Any, checkpoint: str | None, dataset: str | None, store: str | None
) -> None:
    """Import the answers in FILE, scored by our own metrics."""
    from harness.import_outputs import import_outputs
    from harness.store.database import store_path

    result = import_outputs(
        file, layout, store=store_path(store), checkpoint=checkpoint, dataset=dataset
    )
    click.echo(
        f"{file}: {result.rows:,} answers in {len(result.evaluations)} evaluation(s): "
        + ", ".join(one[:12] for one in result.evaluations)
    )
    if result.left_out:
        click.echo(f"{result.left_out:,} rows hold log-likelihoods and no answer; left out.")
