"""`harness format`: what a checkpoint loses to output format, and what to knowledge."""

from __future__ import annotations

import json

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal


@click.command("format")
@click.argument("names", metavar="CHECKPOINT...", nargs=-1, required=True)
@click.option("--suite", help="Of which suite; the latest evaluation otherwise.")
@click.option("--dataset", "only", metavar="A,B", default="", help="Only these datasets.")
@store_option
@table_options
def command(
    names: tuple[str, ...], suite: str | None, only: str, store: str | None, output: str | None
) -> None:
    """Show, for each dataset, strict, lenient and choice scores of each CHECKPOINT (its latest
    evaluation, or an evaluation's id), the points lost to format, and the wrong shapes.
    """
    from dataclasses import asdict, replace

    from harness.errors import HarnessError
    from harness.report.format_table import print_format_report
    from harness.report.formats import format_report
    from harness.store.database import store_path
    from harness.store.queries import find_evaluation, refresh

    path = store_path(store)
    refresh(path)
    reports = [format_report(path, find_evaluation(path, name, suite)) for name in names]
    wanted = [one.strip() for one in only.split(",") if one.strip()]
    if wanted:
        known = {gap.dataset for report in reports for gap in report.gaps}
        if lacking := [one for one in wanted if one not in known]:
            raise HarnessError(
                f"no dataset {', '.join(lacking)} in it; there are {', '.join(sorted(known))}"
            )
        reports = [
            replace(report, gaps=tuple(gap for gap in report.gaps if gap.dataset in wanted))
            for report in reports
        ]
    if output == "json":
        found = [
            {
                "checkpoint": report.evaluation.checkpoint,
                "evaluation": report.evaluation.id,
                "protocol": report.evaluation.protocol,
                "protocol_hash": report.evaluation.protocol_hash,
                "datasets": [gap.to_dict() for gap in report.gaps],
                "categories": report.categories,
                "corpus": [asdict(one) for one in report.corpus],
            }
            for report in reports
        ]
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    if output:
        rows = [
            {
                "checkpoint": report.evaluation.checkpoint,
                **{name: value for name, value in gap.to_dict().items() if name != "shapes"},
                "most_frequent": gap.shapes[0].shape if gap.shapes else None,
            }
            for report in reports
            for gap in report.gaps
        ]
        print_rows(rows, output)
        return

    console = terminal()
    for report in reports:
        print_format_report(console, report)
