"""`harness prune`: removes old evaluations that nothing rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import print_rows, store_option, table_options

if TYPE_CHECKING:
    from harness.store.retention import Plan

# Where a report or a baseline lies that nobody named.
_FOUND = ("reports/*.html", "*.json")


@click.command("prune")
@click.option("--older-than", metavar="90d|DATE", help="Finished before then.")
@click.option(
    "--run", "runs", metavar="PATTERN", multiple=True, help="Of this run or checkpoint; repeatable."
)
@click.option(
    "--keep-last",
    metavar="N",
    type=click.IntRange(min=1),
    help="Of a run, but not of its last N checkpoints.",
)
@click.option(
    "--keep",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Keep what this file names: a baseline, a report, notes; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--compact/--no-compact", default=True, help="Give the space back [compact].")
@store_option
@table_options
def command(
    older_than: str | None,
    runs: tuple[str, ...],
    keep_last: int | None,
    files: tuple[Path, ...],
    dry_run: bool,
    compact: bool,
    store: str | None,
    output: str | None,
) -> None:
    """Remove evaluations, with their answers, scores and judgments, that meet every condition
    given and that nothing rests on.

    What a verdict, a watched checkpoint, a round, a battle, a baseline file or a report rests on
    stays, and so does what is not complete: the output says of each why. Baselines and reports
    are looked for beside the store and here (`reports/*.html`, `*.json`); name others
    with --keep.
    """
    from datetime import UTC, datetime

    from harness.report.choice import parse_since
    from harness.store import retention
    from harness.store.database import require, store_path

    if older_than is None and not runs and keep_last is None:
        raise click.UsageError("say what may go: --older-than, --run or --keep-last")
    path = store_path(store)
    require(path)
    before = (
        parse_since(older_than, datetime.now(UTC), "--older-than")
        if older_than is not None
        else None
    )
    policy = retention.Policy(before, runs, keep_last)
    act = retention.plan if dry_run else retention.prune
    found = act(path, policy, sorted({*files, *_lying_about(path)}))
    _print(found, output, dry_run)
    if dry_run or not compact:
        return
    from harness.store.copying import compact as give_back
    from harness.store.copying import was_cut_off

    if found.removed or was_cut_off(path):
        before_bytes, after_bytes = give_back(path)
        click.echo(f"{path}: {_size(before_bytes)} → {_size(after_bytes)}", err=bool(output))


def _lying_about(path: Path) -> set[Path]:
    return {
        file.resolve()
        for folder in (path.parent, Path.cwd())
        for pattern in _FOUND
        for file in folder.glob(pattern)
    }


def _print(found: Plan, output: str | None, dry_run: bool) -> None:
    if output:
        lines = [
            {
                "evaluation": one.id,
                "checkpoint": one.checkpoint,
                "suite": one.suite,
                "finished": one.at,
                "goes": not reasons,
                "because": ", ".join(reasons),
            }
            for one, reasons in (*((one, ()) for one in found.removed), *found.kept)
        ]
        print_rows(lines, output)
        return
    for one, reasons in found.kept:
        click.echo(f"kept {one.id[:12]} {one.checkpoint} {one.suite}: {', '.join(reasons)}")
    for one in found.removed:
        click.echo(
            f"{'would go' if dry_run else 'removed'} {one.id[:12]} {one.checkpoint} {one.suite}"
        )
    rows = ", ".join(f"{number:,} {table}" for table, number in found.rows.items() if number)
    verb = "would go" if dry_run else "removed"
    click.echo(
        f"{len(found.removed):,} evaluations {verb}, {len(found.kept):,} kept"
        + (f"; {rows}; {_size(found.text)} of text" if rows else "")
    )


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
