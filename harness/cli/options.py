"""Options that several commands share, each with one meaning."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from harness.visible import visible

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


def sandbox_option(function: F) -> F:
    """--sandbox LEVEL: in force as soon as it is read, for everything that the command runs."""

    def check(context: click.Context, parameter: click.Parameter, level: str | None) -> None:
        if level:
            from harness.sandbox.shared import require

            require(level)  # type: ignore[arg-type]

    return click.option(
        "--sandbox",
        type=click.Choice(["strict", "container", "namespaces", "limited"]),
        callback=check,
        expose_value=False,
        help="Run programs that a model wrote at this level or a stronger one, or not at all "
        "[HARNESS_SANDBOX, else the strongest that works here].",
    )(function)


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
    """Prints rows as json, csv or markdown; a key that a row lacks is an empty cell."""
    if output == "json":
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2, default=str))
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[cell_text(row.get(name)) for name in columns] for row in rows]
    if output == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([columns, *cells])
        click.echo(text.getvalue(), nl=False)
        return
    click.echo("| " + " | ".join(columns) + " |")
    click.echo("|" + "---|" * len(columns))
    for line in cells:
        escaped = [_markdown(cell) for cell in line]
        click.echo("| " + " | ".join(escaped) + " |")


def _markdown(cell: str) -> str:
    """A cell in which an answer is text alone: no markup, no link or picture, no break, nothing
    unseen."""
    text = html.escape(visible(cell), quote=False).replace("\n", " ⏎ ")
    return text.replace("|", "\\|").replace("](", "]\\(")


def cell_text(value: Any) -> str:
    """A value as a cell of a table."""
    if value is None:
        return ""
    if isinstance(value, float):
        # A p-value is not nothing because it is small.
        return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2e}"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
