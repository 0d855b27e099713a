"""`harness store`: care of the results store: check, compact, back up, restore, salvage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from harness.cli.options import print_rows, store_option, table_options

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("store")
def command() -> None:
    """Check, compact, back up, restore and salvage the results store."""


@command.command("check")
@store_option
@table_options
def check(store: str | None, output: str | None) -> int:
    """Read every value, and look for rows that contradict each other. Exit status: 0 whole,
    1 faults."""
    from harness.store import salvage as care
    from harness.store.database import store_path

    path = store_path(store)
    if not path.exists():
        raise click.UsageError(f"{path}: no store here")
    found = care.check(path)
    if output:
        print_rows([asdict(one) for one in found.tables], output)
    else:
        click.echo(f"{path}: {care.describe(found.tables)}; {found.waiting:,} batches spooled")
    for fault in found.faults:
        click.secho(fault, fg="red", err=True)
    return 1 if found.faults else 0


@command.command("salvage")
@click.argument("file", type=_FILE)
@store_option
def salvage(file: Path, store: str | None) -> None:
    """Write what can be read of a damaged store into the new store FILE, row group by row group,
    and say what is lost. `harness store restore FILE --replace` then puts it in place."""
    from harness.store import salvage as care
    from harness.store.database import store_path

    found = care.salvage(store_path(store), file)
    click.echo(f"{file}: {care.describe(found)}")


@command.command("compact")
@store_option
def compact(store: str | None) -> None:
    """Give back the space of deleted rows. Others read meanwhile, and write when it is done."""
    from harness.store import copying

    path = _there(store)
    before, after = copying.compact(path)
    click.echo(f"{path}: {before / 1e6:,.1f} MB → {after / 1e6:,.1f} MB")


@command.command("backup")
@click.argument("file", type=_FILE)
@store_option
def backup(file: Path, store: str | None) -> None:
    """Copy the store into FILE as it is at one instant, while others work with it, and read the
    copy through. FILE must not exist."""
    from harness.store import copying

    path = _there(store)
    rows = copying.backup(path, file)
    click.echo(f"{file}: {rows:,} rows, {file.stat().st_size / 1e6:,.1f} MB")


@command.command("restore")
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="Put the store that is there aside.")
@store_option
def restore(file: Path, replace: bool, store: str | None) -> None:
    """Put the backup FILE in the store's place. A store that is there stays, or with --replace
    is kept under another name."""
    from harness.store import copying
    from harness.store.database import store_path

    path = store_path(store)
    aside = copying.restore(file, path, replace=replace)
    click.echo(f"{path}: restored from {file}")
    if aside is not None:
        click.echo(f"the store that was there is {aside}")


def _there(store: str | None) -> Path:
    from harness.store.database import require, store_path

    path = store_path(store)
    require(path)
    return path
