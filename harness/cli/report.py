"""`harness report`: one HTML file about a run or a checkpoint, the verdict first."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import store_option


@click.command("report")
@click.argument("names", metavar="RUN|EVALUATION [RIVAL]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML file [reports/NAME.html].",
)
@click.option("--suite", "suites", metavar="A,B", default="", help="Only these suites.")
@click.option(
    "--base",
    metavar="CHECKPOINT",
    help="Compare the last checkpoint with this one [the last good one, else the one before].",
)
@click.option(
    "--target",
    metavar="CKPT|GOALS.YAML|best",
    help="What gaps are measured to, as in `harness gaps` [the first rival, else the best].",
)
@click.option(
    "--over",
    type=click.Choice(["steps", "tokens"]),
    default="steps",
    show_default=True,
    help="What trajectories are drawn over.",
)
@click.option("--title", help="Of the page.")
@click.option(
    "--figures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Save every figure into this folder as well.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["svg", "png"]),
    default="svg",
    show_default=True,
    help="Of saved figures.",
)
@click.option("--index", is_flag=True, help="Write the index of the folder alone.")
@store_option
def command(
    names: tuple[str, ...],
    output: Path | None,
    suites: str,
    base: str | None,
    target: str | None,
    over: str,
    title: str | None,
    figures: Path | None,
    kind: str,
    index: bool,
    store: str | None,
) -> None:
    """Write one HTML file about a run (or a checkpoint, an evaluation, an imported run): verdict in
    words, genres over checkpoints with intervals, what broke and where, rivals, format and
    knowledge, arena, and every flipped item with both answers.

    Further names are rivals; without any, the best that were measured on the same items. The file
    needs no network and no other file. Reports in `reports/` get an index beside them.
    """
    import os

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from harness.report.page.index import report_name, write_index
    from harness.report.page.render import save_figures, write
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    if index:
        click.echo(write_index(path, output.parent if output else Path("reports")))
        return
    if not names:
        raise click.UsageError("name a run, a checkpoint or an evaluation, or give --index")
    from harness.report.page.gather import gather

    wanted = [name.strip() for name in suites.split(",") if name.strip()]
    page = gather(
        path, names, suites=wanted, base=base, target=target, tokens=over == "tokens", title=title
    )
    written = output or Path("reports") / report_name(names[0])
    write(page, written)
    if page.loop is not None:
        click.echo(page.loop.verdict.sentence)
    click.echo(page.headline.verdict)
    click.echo(f"{written} ({written.stat().st_size / 1e6:.1f} MB)")
    if output is None:
        write_index(path, written.parent)
    if figures is not None:
        saved = save_figures(page, figures, kind)
        click.echo(f"{len(saved)} figures in {figures}")
