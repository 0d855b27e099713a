"""`harness sql`: one read-only query over the store."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal

# Characters of one cell.
_LONGEST = 2_000


@click.command("sql")
@click.argument("query", required=False)
@click.option(
    "--parquet",
    "parquet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows there instead, all of them.",
)
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Rows printed as a table; --json, --csv and --markdown print all.",
)
@store_option
@table_options
def command(
    query: str | None, parquet: Path | None, most: int, store: str | None, output: str | None
) -> None:
    """Run one QUERY (or standard input) on the store: DuckDB's SQL, read-only, with no access to
    files or the network. Without a query, list the tables. docs/store.md has the schema.
    """
    from harness.export.tables import query as run
    from harness.export.tables import tables, write_parquet
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    if query is None and sys.stdin.isatty():
        for table in tables(path):
            click.echo(table)
        return
    sql = query if query is not None else sys.stdin.read()
    if not sql.strip():
        raise click.UsageError("the query is empty")
    if parquet is not None:
        click.echo(f"{parquet}: {write_parquet(path, sql, parquet):,} rows")
        return
    rows, more = run(path, sql, None if output else most)
    if output:
        print_rows(rows, output)
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from harness.cli.options import cell_text
    from harness.visible import clipped

    console = terminal()
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name in rows[0] if rows else ():
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(clipped(cell_text(value), _LONGEST)) for value in row.values()))
    console.print(grid if rows else "no rows")
    if more:
        console.print(Text(f"more than {most:,} rows: --most, --csv or --parquet", style="dim"))
