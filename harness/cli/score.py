"""`harness score`: computes every metric again from stored text, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.options import print_rows, sandbox_option, store_option, table_options

if TYPE_CHECKING:
    from harness.rescore import Rescored
    from harness.store.queries import EvaluationRow


@click.command("score")
@click.argument("names", metavar="[EVALUATION]...", nargs=-1)
@click.option(
    "--comet",
    is_flag=True,
    help="Score translations by COMET too (HARNESS_COMET_MODEL names its checkpoint).",
)
@sandbox_option
@store_option
@table_options
def command(names: tuple[str, ...], comet: bool, store: str | None, output: str | None) -> None:
    """Score the stored answers of each EVALUATION (an id's beginning, or a checkpoint) again; of
    all evaluations when none is named. Nothing is asked of any model.

    Where scoring has changed since, the scores go to a further evaluation: scores of two protocol
    hashes never mix.
    """
    from harness.rescore import rescore_all
    from harness.scoring.comet import comet_scores
    from harness.store.database import store_path

    rows = []

    def report(row: EvaluationRow, result: Rescored) -> None:
        rows.append(
            {
                "evaluation": result.evaluation[:12],
                "checkpoint": row.checkpoint,
                "protocol": row.protocol,
                "answers": result.answers,
                "changed": result.changed,
                "new": result.is_new,
            }
        )
        if not output:
            note = " (a further evaluation: scoring has changed)" if result.is_new else ""
            click.echo(
                f"{result.evaluation[:12]}  {row.checkpoint}  {row.protocol}: "
                f"{result.answers:,} answers, {result.changed:,} scores changed{note}"
            )

    rescore_all(store_path(store), names, comet_scores if comet else None, report)
    if output:
        print_rows(rows, output)
