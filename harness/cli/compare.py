"""`harness compare`: a candidate beside its baseline, with a verdict and an exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal

if TYPE_CHECKING:
    from harness.regression.compare import Comparison
    from harness.regression.policy import Policy
    from harness.report.comparison import Report

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("compare")
@click.argument("names", metavar="[BASE] CAND", nargs=-1)
@click.option(
    "--baseline",
    "baseline_file",
    type=_FILE,
    help="A file that names the last good evaluations: BASE where none is given; moves to CAND on "
    "pass.",
)
@click.option("--policy", "policy_file", type=_FILE, help="What CAND is held to (YAML).")
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="[PATTERN=]DROP",
    help="A drop that does not matter, in the unit of the score: 0.02, or '*/*/rating=0.5'.",
)
@click.option(
    "--noise",
    is_flag=True,
    help="Count checkpoint noise, estimated from the other checkpoints of BASE's run.",
)
@click.option("--print-policy", is_flag=True, help="Print the default policy and stop.")
@click.option("--suite", "suites", metavar="A,B", default="", help="Only these suites.")
@click.option("--judge", help="Whose ratings count, where several have judged.")
@click.option("--all", "everything", is_flag=True, help="Every metric of every genre.")
@click.option(
    "--flips",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Items that broke, and as many that were mended, with both answers.",
)
@click.option("--junit", "junit_file", type=_FILE, help="Write JUnit XML.")
@click.option(
    "--summary",
    "summary_file",
    type=_FILE,
    envvar="GITHUB_STEP_SUMMARY",
    help="Append Markdown [GITHUB_STEP_SUMMARY].",
)
@click.option("--annotations", is_flag=True, help="Print GitHub annotations to stderr.")
@click.option(
    "--record/--no-record",
    default=True,
    help="Keep critical regressions in the store [record].",
)
@store_option
@table_options
def command(
    names: tuple[str, ...],
    baseline_file: Path | None,
    policy_file: Path | None,
    margins: tuple[str, ...],
    noise: bool,
    print_policy: bool,
    suites: str,
    judge: str | None,
    everything: bool,
    flips: int,
    junit_file: Path | None,
    summary_file: Path | None,
    annotations: bool,
    record: bool,
    store: str | None,
    output: str | None,
) -> int:
    """Say what CAND broke beside BASE: per metric of each genre and dataset the paired change, its
    interval, corrected p, verdict, and the items that would settle it.

    BASE and CAND are checkpoints (names or paths: every suite that both have) or the beginnings of
    evaluation ids. BASE may be several, joined by commas: their scores are pooled.

    Exit status: 0 pass, 1 regression, 2 inconclusive, 3 usage or data error.
    """
    # Threads make small products of vectors slower; numpy reads this when it is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from harness.regression.policy_file import default_policy_text, load_policy
    from harness.store.database import store_path
    from harness.store.queries import refresh

    if print_policy:
        click.echo(default_policy_text(), nl=False)
        return 0
    policy = load_policy(policy_file, margins)
    path = store_path(store)
    refresh(path)
    wanted = [name.strip() for name in suites.split(",") if name.strip()]
    comparison = _compare(path, names, baseline_file, policy, wanted, judge, noise)
    if comparison is None:
        click.echo(f"{names[-1]} is the baseline itself: nothing to compare")
        return 0
    report = _report(path, comparison, flips)
    _print(report, output, everything)
    _write(report, junit_file, summary_file)
    if record:
        _record(path, report)
    if annotations:
        from harness.report.github import workflow_commands

        for line in workflow_commands(report):
            click.echo(line, err=True)
    if baseline_file is not None and comparison.gate.outcome == "pass":
        from harness.regression.baseline import move_baseline, read_baseline

        before = read_baseline(baseline_file) if baseline_file.exists() else None
        moved = move_baseline(baseline_file, comparison, before)
        click.echo(f"{baseline_file} moves to {moved.checkpoint}", err=True)
    return comparison.gate.status


def _compare(
    path: Path,
    names: tuple[str, ...],
    baseline_file: Path | None,
    policy: Policy,
    suites: list[str],
    judge: str | None,
    noise: bool,
) -> Comparison | None:
    """The comparison asked for; None where the candidate is the baseline file's own."""
    from harness.errors import HarnessError
    from harness.regression.baseline import baseline_evaluations, read_baseline
    from harness.regression.compare import compare
    from harness.regression.pairing import named_evaluations

    if len(names) == 2:
        bases = [named_evaluations(path, name.strip()) for name in names[0].split(",")]
        required: set[str] = set()
    elif len(names) == 1 and baseline_file is not None:
        bases = [baseline_evaluations(path, baseline_file, read_baseline(baseline_file))]
        required = {row.suite for row in bases[0]}
    else:
        raise HarnessError(
            "expected BASE and CAND, or CAND alone with --baseline FILE; "
            "`harness leaderboard --checkpoints` shows what was measured"
        )
    cand = named_evaluations(path, names[-1])
    if required and {row.id for row in bases[0]} == {row.id for row in cand}:
        return None
    return compare(
        path, bases, cand, policy, suites=suites, judge=judge, required=required, noise=noise
    )


def _report(path: Path, comparison: Comparison, flips: int) -> Report:
    from harness.regression.causes import find_causes, find_symptoms
    from harness.regression.flips import find_flips, find_unpaired
    from harness.report.comparison import Report

    suites = comparison.suites
    return Report(
        comparison,
        flips=find_flips(path, suites, flips),
        unpaired=tuple(find_unpaired(path, one) for one in suites),
        causes=tuple(find_causes(path, one) for one in suites),
        symptoms=tuple(find_symptoms(path, one) for one in suites),
    )


def _record(path: Path, report: Report) -> None:
    """Keeps regressions in the store; where that fails the verdict, which is out, still stands."""
    from harness.errors import HarnessError
    from harness.regression.record import record_comparison

    try:
        record_comparison(path, report.comparison, report.causes, report.symptoms)
    except HarnessError as error:
        click.echo(f"not recorded: {error}", err=True)


def _write(report: Report, junit_file: Path | None, summary_file: Path | None) -> None:
    from harness.errors import HarnessError

    file = junit_file or Path()
    try:
        if junit_file is not None:
            from harness.report.junit import junit

            junit_file.write_bytes(junit(report))
        if summary_file is not None:
            from harness.report.github import summary

            file = summary_file
            with summary_file.open("a", encoding="utf-8") as handle:
                handle.write(summary(report))
    except OSError as error:
        raise HarnessError(
            f"{file}: cannot write the report ({error.strerror}); name a file that can be written"
        ) from None


def _print(report: Report, output: str | None, everything: bool) -> None:
    from harness.report.comparison import document, row

    if output == "json":
        click.echo(json.dumps(document(report), ensure_ascii=False, indent=2, allow_nan=False))
    elif output == "csv":
        # Four decimals, as other tables have them, would print most p-values as 0.
        rows = [
            {key: f"{cell:.6g}" if isinstance(cell, float) else cell for key, cell in line.items()}
            for line in map(row, report.comparison.verdicts)
        ]
        print_rows(rows, "csv")
    elif output == "markdown":
        from harness.report.github import summary

        click.echo(summary(report))
    else:
        from harness.report.comparison_table import print_comparison

        print_comparison(terminal(), report, everything)
