"""Options that several commands share, each with one meaning."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def store_option(function: F) -> F:
    return click.option(
        "--store",
        metavar="FILE",
        help="The results store [HARNESS_STORE, else results.duckdb].",
    )(function)


def column_names(pairs: Sequence[str]) -> dict[str, str]:
    """{ours: theirs} of `--column OURS=THEIRS` options."""
    names = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise click.BadParameter(f"{pair!r}: expected OURS=THEIRS, as in run=model")
        names[ours] = theirs
    return names


def table_options(function: F) -> F:
    """--json, --csv and --markdown: the same rows for machines and for documents."""
    for name, text in (
        ("markdown", "Print Markdown."),
        ("csv", "Print CSV."),
        ("json", "Print JSON."),
    ):
        function = click.option(
            f"--{name}", "output", flag_value=name, help=text, default=None, type=str
        )(function)
    return function


def print_rows(rows: Sequence[dict[str, Any]], output: str) -> None:
    """Prints rows of equal keys as json, csv or markdown."""
    if output == "json":
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2, default=str))
        return
    columns = list(rows[0]) if rows else []
    cells = [[_cell(row[name]) for name in columns] for row in rows]
    if output == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([columns, *cells])
        click.echo(text.getvalue(), nl=False)
        return
    click.echo("| " + " | ".join(columns) + " |")
    click.echo("|" + "---|" * len(columns))
    for line in cells:
        escaped = [cell.replace("|", "\\|").replace("\n", " ⏎ ") for cell in line]
        click.echo("| " + " | ".join(escaped) + " |")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        # A p-value is not nothing because it is small.
        return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2e}"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
