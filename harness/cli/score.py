"""`harness score`: computes every metric again from stored text, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.judge_options import (
    JudgeSettings,
    judge_options,
    judge_settings,
    open_budget,
    open_judge,
    open_judging,
    print_judged,
    watched,
)
from harness.cli.options import print_rows, sandbox_option, store_option, table_options
from harness.cli.terminal import terminal

if TYPE_CHECKING:
    from pathlib import Path

    from harness.rescore import Rescored
    from harness.store.queries import EvaluationRow


@click.command("score")
@click.argument("names", metavar="[EVALUATION]...", nargs=-1)
@click.option(
    "--comet",
    is_flag=True,
    help="Score translations by COMET too (HARNESS_COMET_MODEL names its checkpoint).",
)
@judge_options
@sandbox_option
@store_option
@table_options
def command(
    names: tuple[str, ...],
    comet: bool,
    store: str | None,
    output: str | None,
    **judge_choice: Any,
) -> None:
    """Score the stored answers of each EVALUATION (an id's beginning, or a checkpoint) again; of
    all evaluations when none is named. Nothing is asked of any model, unless --judge names one
    that rates the open answers of MT-Bench.

    Where scoring has changed since, the scores go to a further evaluation: scores of two protocol
    hashes never mix.
    """
    from harness.rescore import rescore_all
    from harness.scoring.comet import comet_scores
    from harness.store.database import store_path

    settings = judge_settings(judge_choice)
    path = store_path(store)
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

    done = rescore_all(path, names, comet_scores if comet else None, report)
    if output:
        print_rows(rows, output)
    if settings.judge is not None:
        _judge(path, [one.evaluation for one in done], settings)


def _judge(path: Path, ids: list[str], settings: JudgeSettings) -> None:

    from harness.errors import HarnessError
    from harness.judge.rate import judge_stored
    from harness.protocols.catalogue import protocol_from
    from harness.protocols.mt_bench import MtBench
    from harness.store.queries import evaluations, protocol_definition

    console = terminal(stderr=True)
    judge, budget = open_judge(settings), open_budget(settings)
    faults = []
    try:
        for row in evaluations(path, "list_contains(?, e.id)", [ids]):
            protocol = protocol_from(protocol_definition(path, row.protocol_hash))
            if not isinstance(protocol, MtBench):
                continue
            judging = open_judging(settings, judge, budget, protocol, path)
            with watched(console, judging):
                judge_stored(path, row, protocol, judging)
                progress = judging.close()
            console.print(f"{row.id[:12]}  {row.checkpoint}  {row.protocol}", highlight=False)
            print_judged(console, progress, judge.name)
            if progress.fault is not None:
                faults.append(progress.fault)
    finally:
        judge.close()
    if faults:
        raise HarnessError(faults[0])
