"""`harness regressions`: what broke in a run, and what became of it."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import column_names, print_rows, store_option, table_options
from harness.cli.terminal import terminal
from harness.errors import HarnessError
from harness.visible import visible


@click.command("regressions")
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--suite", "suites", metavar="A,B", default="", help="Only these suites or tasks.")
@click.option("--lower", metavar="A,B", default="", help="Metrics of which less is better.")
@click.option("--column", "columns", metavar="OURS=THEIRS", multiple=True, help="Of a CSV file.")
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Chance of any false regression over the whole run.",
)
@click.option(
    "--planned",
    type=click.IntRange(min=1),
    help="Checkpoints that the run will have, if known: the same chance, spread evenly.",
)
@click.option("--record/--no-record", default=True, help="Keep the findings in the store.")
@click.option("--open", "only_open", is_flag=True, help="List the stored regressions still open.")
@click.option("--stored", is_flag=True, help="List all stored regressions.")
@click.option("--acknowledge", metavar="ID", help="Mark a stored regression as known.")
@click.option("--fixed", metavar="ID", help="Mark a stored regression as fixed, at --step.")
@click.option("--step", type=click.IntRange(min=0), help="Where it was fixed.")
@click.option("--note", help="Why, for whoever reads it next.")
@store_option
@table_options
@click.pass_context
def command(
    context: click.Context,
    name: str | None,
    suites: str,
    lower: str,
    columns: tuple[str, ...],
    alpha: float,
    planned: int | None,
    record: bool,
    only_open: bool,
    stored: bool,
    acknowledge: str | None,
    fixed: str | None,
    step: int | None,
    note: str | None,
    store: str | None,
    output: str | None,
) -> int:
    """Show where the whole trajectory of RUN broke, which metrics together, and whether it lasted.

    RUN is a run whose checkpoints were evaluated, an imported one (`harness import scores`), or a
    file of scores. Exit status: 1 for an open regression that lasts, 2 where it is too early to
    say, 0 for none, 3 for an error. Without RUN, the stored regressions that are open.
    """

    from harness.store.database import store_path

    path = store_path(store)
    if acknowledge or fixed:
        return _mark(path, acknowledge, fixed, step, note)
    if name is None or only_open or stored:
        return _list(path, name, stored, output)

    from harness.report.trajectory_table import print_analysis
    from harness.run_regressions import analyse
    from harness.runs import open_run

    run = open_run(
        name,
        path,
        suites=_names(suites),
        lower=_names(lower),
        columns=column_names(columns),
    )
    analysis = analyse(
        run,
        path if run.is_stored else None,
        alpha=alpha,
        planned=planned,
        keep=record,
    )
    if output:
        print_rows(analysis.to_dicts(), output)
    else:
        print_analysis(terminal(), analysis)
    return analysis.exit_status


def _list(path: Path, run: str | None, everything: bool, output: str | None) -> int:
    from dataclasses import asdict

    from harness.report.trajectory_table import print_stored
    from harness.store.regressions import regressions

    rows = regressions(path, run=run) if everything else regressions(path, status=["open"], run=run)
    if output:
        print_rows([{"id": row.id, **asdict(row)} for row in rows], output)
    else:
        print_stored(terminal(), rows)
    return 0


def _mark(
    path: Path, acknowledge: str | None, fixed: str | None, step: int | None, note: str | None
) -> int:
    from harness.store.regressions import find_regression, set_status

    if acknowledge and fixed:
        raise HarnessError("--acknowledge and --fixed exclude each other; give one of them")
    if fixed and step is None:
        raise HarnessError("--fixed needs --step N, the checkpoint at which it was fixed")
    row = find_regression(path, acknowledge or fixed or "")
    if acknowledge:
        set_status(path, [row.id], "acknowledged", note=note)
    else:
        set_status(path, [row.id], "fixed", fixed_at_step=step, note=note)
    what = "acknowledged" if acknowledge else f"fixed at step {step}"
    click.echo(visible(f"{row.id[:8]}  {row.run} {row.suite} {row.place}: {what}"))
    return 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
