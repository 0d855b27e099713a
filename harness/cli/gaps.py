"""`harness gaps`: what lags, how surely, what closing it is worth, and what data would do it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import print_rows, store_option, table_options
from harness.cli.terminal import terminal
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.gaps.measure import Gaps
    from harness.report.gaps import GapReport

_FILE = click.Path(dir_okay=False, path_type=Path)
_POLICIES = ("learnable", "gap", "frontier", "uniform")


class _MeasureFirst(click.Group):
    """A group whose first word may be a checkpoint: what is no command's name is measured."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["measure", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Options of `measure` may stand before the checkpoint.
        helps = self.get_help_option_names(ctx)
        if args and args[0].startswith("-") and args[0] not in helps:
            args = ["measure", *args]
        return super().parse_args(ctx, args)


@click.group("gaps", cls=_MeasureFirst)
def command() -> None:
    """Say where CHECKPOINT lies below its target, and plan the data that would close the gap.

    `harness gaps CHECKPOINT [OPTIONS]` is `harness gaps measure CHECKPOINT`; its --help lists the
    options.
    """


@command.command("measure")
@click.argument("student", metavar="CHECKPOINT")
@click.option(
    "--target",
    metavar="CKPT|GOALS.YAML|best",
    default="best",
    show_default=True,
    help="A checkpoint or served model in the store, a file of goals, or the best in the store.",
)
@click.option("--suite", "suites", metavar="A,B", default="", help="Only these suites.")
@click.option("--judge", help="Whose ratings count, where several have judged.")
@click.option(
    "--teacher",
    metavar="CKPT",
    help="Say where the student has come near to this teacher [the target, if of another run].",
)
@click.option(
    "--teacher-margin",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="What is near, as a share of the scale.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="A gap surely smaller than this share of the scale does not matter.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Chance of any false gap among the genres.",
)
@click.option("--all", "everything", is_flag=True, help="Every dataset, skill and level.")
@click.option("--samples", type=click.IntRange(min=1), help="Plan a round of so many samples.")
@click.option("--plan", "plan_file", type=_FILE, help="Write the plan here, to be reviewed.")
@click.option("--force", is_flag=True, help="Replace a plan that is there.")
@click.option(
    "--policy",
    type=click.Choice(_POLICIES),
    default="learnable",
    show_default=True,
    help="How samples are divided.",
)
@click.option(
    "--keep",
    type=click.FloatRange(0, 1),
    default=0.25,
    show_default=True,
    help="Share of the samples for uniform coverage and replay.",
)
@click.option(
    "--least",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Fewest samples that a line is worth.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--round", "number", type=click.IntRange(min=1), help="[one after the last recorded]")
@store_option
@table_options
def measure(
    student: str,
    target: str,
    suites: str,
    judge: str | None,
    teacher: str | None,
    teacher_margin: float,
    margin: float,
    alpha: float,
    everything: bool,
    samples: int | None,
    plan_file: Path | None,
    force: bool,
    policy: str,
    keep: float,
    least: int,
    seed: int,
    number: int | None,
    store: str | None,
    output: str | None,
) -> None:
    """Show each genre's gap to the target: interval, corrected p, trend, what goes wrong, and what
    a point there is worth to the total; skills and levels that lag under it.

    With --samples the demand of the next round, with --plan as a file that
    `harness synthesize` takes. Nothing is asked of any model.
    """
    from harness.gaps.measure import Rule, measure_gaps
    from harness.gaps.next_round import next_round
    from harness.gaps.policies import Share
    from harness.gaps.target import find_sides
    from harness.report.gaps import GapReport
    from harness.store.database import store_path
    from harness.store.queries import refresh

    if plan_file is not None and samples is None:
        raise HarnessError("--plan FILE needs --samples N, the size of the round")
    path = store_path(store)
    refresh(path)
    wanted = [name.strip() for name in suites.split(",") if name.strip()]
    gaps = measure_gaps(path, find_sides(path, student, target, wanted, judge), Rule(margin, alpha))
    advice = _teacher(path, gaps, student, teacher, wanted, judge, teacher_margin)
    plan = None
    if samples is not None:
        share = Share(keep=keep, least=least)
        plan = next_round(
            path, gaps, samples, policy=policy, share=share, seed=seed, number=number, advice=advice
        )
    report = GapReport(gaps, tuple(advice), plan)
    _print(report, output, everything)
    if plan is not None and plan_file is not None:
        from harness.gaps.plan_file import write_plan

        write_plan(plan_file, plan, replace=force)
        click.echo(f"{plan_file}: {plan.samples:,} samples; read it before `synthesize`", err=True)


@command.command("record")
@click.argument("plan_file", metavar="PLAN", type=_FILE)
@click.option("--before", required=True, metavar="CKPT", help="Where the round began.")
@click.option("--after", required=True, metavar="CKPT", help="What was trained on its samples.")
@click.option(
    "--samples",
    "counts",
    multiple=True,
    metavar="GENRE[:SKILL]=N",
    help="Verified samples that were trained on [the plan's].",
)
@click.option("--suite", "suites", metavar="A,B", default="", help="Only these suites.")
@click.option("--judge", help="Whose ratings count, where several have judged.")
@store_option
@table_options
def record(
    plan_file: Path,
    before: str,
    after: str,
    counts: tuple[str, ...],
    suites: str,
    judge: str | None,
    store: str | None,
    output: str | None,
) -> None:
    """Keep what a round bought: the paired gain of each genre between two evaluated checkpoints.

    Later plans learn from it.
    """

    from harness.gaps.beliefs import beliefs
    from harness.gaps.plan_file import load_plan
    from harness.gaps.record import record_round
    from harness.report.gaps import gain_rows
    from harness.report.gaps_table import print_learned
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    plan = load_plan(plan_file)
    _, gains = record_round(
        path,
        plan,
        before,
        after,
        samples=_counts(counts) if counts else None,
        suites=[name.strip() for name in suites.split(",") if name.strip()],
        judge=judge,
    )
    if output:
        print_rows(gain_rows(gains), output)
    else:
        print_learned(terminal(), gains, beliefs(gains), skills=True)


@command.command("learned")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--skills", is_flag=True, help="Skills too, not only genres.")
@store_option
@table_options
def learned(run: str | None, skills: bool, store: str | None, output: str | None) -> None:
    """Show what recorded rounds bought per thousand verified samples, of RUN or of all runs."""

    from harness.gaps.beliefs import beliefs
    from harness.report.gaps import gain_rows
    from harness.report.gaps_table import print_learned
    from harness.store.database import store_path
    from harness.store.rounds import round_gains

    gains = round_gains(store_path(store), run)
    if output == "json":
        known = [one.to_dict() for one in beliefs(gains)]
        found = {"gains": gain_rows(gains), "beliefs": known}
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif output:
        print_rows(gain_rows([one for one in gains if skills or not one.skill]), output)
    else:
        print_learned(terminal(), gains, beliefs(gains), skills)


def _teacher(
    path: Path,
    gaps: Gaps,
    student: str,
    teacher: str | None,
    suites: list[str],
    judge: str | None,
    margin: float,
) -> list[str]:
    from harness.gaps.measure import measure_gaps
    from harness.gaps.target import find_sides
    from harness.gaps.teacher import teacher_advice

    if teacher is not None:
        sides = find_sides(path, student, teacher, suites, judge)
        return teacher_advice(measure_gaps(path, sides, gaps.rule), margin)
    side = gaps.suites[0].side
    # The best checkpoint and another one of the same run are no teachers.
    own = side.target is None or side.chosen_from > 1 or side.name.endswith("(best)")
    if own or (side.target is not None and side.target.run == side.student.run is not None):
        return []
    return teacher_advice(gaps, margin)


def _counts(pairs: tuple[str, ...]) -> dict[tuple[str, str], int]:
    found = {}
    for pair in pairs:
        place, _, count = pair.rpartition("=")
        genre, _, skill = place.partition(":")
        if not genre or not count.isdigit():
            raise HarnessError(
                f"--samples {pair}: expected GENRE=N or GENRE:SKILL=N, as in math:math/ratio=1200"
            )
        found[genre, skill] = int(count)
    return found


def _print(report: GapReport, output: str | None, everything: bool) -> None:
    from harness.report.gaps import document, row

    if output == "json":
        click.echo(json.dumps(document(report), ensure_ascii=False, indent=2, allow_nan=False))
        return
    if output:
        from harness.report.gaps_table import shown

        found = [row(one) for suite in report.gaps.suites for one in shown(suite, everything)]
        print_rows(found, output)
        return

    from harness.report.gaps_table import print_gaps

    print_gaps(terminal(), report, everything)
