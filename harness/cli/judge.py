"""`harness judge`: whether a judge can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
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
from harness.cli.options import store_option
from harness.cli.terminal import terminal
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.protocols.mt_bench import MtBench
    from harness.statistics.prediction_powered import CorrectedMean
    from harness.store.queries import EvaluationRow


@click.group("judge")
def command() -> None:
    """Find out whether a judge can be trusted."""


@command.command("canary")
@judge_options
@store_option
def canary(store: str | None, **judge_choice: Any) -> None:
    """Have --judge rate frozen answers once more, and say whether it has changed since the first
    time. `harness eval --judge` does this by itself."""
    from harness.judge.canary import run_canary, told
    from harness.judge.prompts import load_prompts
    from harness.judge.types import SAMPLING
    from harness.store.database import prepare, store_path
    from harness.store.write import ingest

    settings = judge_settings(judge_choice)
    if settings.judge is None:
        raise HarnessError("harness judge canary needs the judge: name it with --judge")
    path = store_path(store)
    prepare(path)
    ingest(path)
    judge = open_judge(settings)
    try:
        run = run_canary(
            path,
            judge,
            load_prompts(),
            sampling=replace(SAMPLING, max_tokens=settings.tokens),
            budget=open_budget(settings),
        )
    finally:
        judge.close()
    click.echo(told(run))
    if run.progress.fault is not None:
        raise HarnessError(run.progress.fault)


@command.command("calibrate")
@click.argument("evaluations", nargs=-1, required=True)
@click.option("--suite", help="The checkpoints' latest evaluations of this suite.")
@click.option(
    "--against",
    "against",
    multiple=True,
    metavar="JUDGE",
    help="A judge whose stored ratings of the same answers are the reference.",
)
@click.option(
    "--humans",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Human ratings: {checkpoint, item, turn, rating} a line, turn 1 or 2.",
)
@click.option(
    "--pairs/--no-pairs",
    default=True,
    help="Compare the first two evaluations in both orders, for position bias.",
)
@click.option(
    "--card", type=click.Path(path_type=Path, dir_okay=False), help="Write the card here too."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@judge_options
@store_option
def calibrate(
    evaluations: tuple[str, ...],
    suite: str | None,
    against: tuple[str, ...],
    humans: Path | None,
    pairs: bool,
    card: Path | None,
    as_json: bool,
    store: str | None,
    **judge_choice: Any,
) -> None:
    """Measure --judge on the stored answers of EVALUATIONS (ids or checkpoints, of one protocol of
    MT-Bench): consistency over --judge-repeats, position and length bias, agreement with humans or
    another judge, noise by source. Judgments that the store has are not asked again.
    """
    import json
    from dataclasses import asdict

    from harness.judge.calibrate_stored import (
        card_of,
        corrected_means,
        human_ratings,
        ratings_by,
    )
    from harness.store.database import store_path
    from harness.store.queries import find_evaluation, refresh

    settings = judge_settings(judge_choice)
    if settings.judge is None:
        raise HarnessError("harness judge calibrate needs the judge: name it with --judge")
    path = store_path(store)
    refresh(path)
    rows = [find_evaluation(path, name, suite) for name in evaluations]
    protocol = _protocol(path, rows)
    name, prompt_set = _judge_all(path, rows, protocol, settings, pairs)
    references: dict[str, Mapping[tuple[str, str], float]] = {}
    if humans is not None:
        references["humans"] = human_ratings(path, rows, humans)
    for judge in against:
        references[judge] = ratings_by(path, rows, judge)
    made = card_of(path, rows, name, prompt_set, references, pairs=pairs)
    means = corrected_means(path, rows, name, prompt_set, references.get("humans", {}))
    text = made.markdown() + _corrected(means)
    if as_json:
        plain = made.to_dict() | {"corrected": {key: asdict(one) for key, one in means.items()}}
        click.echo(json.dumps(plain, ensure_ascii=False, indent=2))
    else:
        click.echo(text)
    if card is not None:
        card.write_text(text, encoding="utf-8")


def _corrected(means: Mapping[str, CorrectedMean]) -> str:
    """The means of checkpoints as humans would give them, as a table; empty without any."""
    if not means:
        return ""
    lines = [
        "",
        "| checkpoint | judge's mean | humans' own items | corrected | 95 % |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {name} | {one.judge_mean:.2f} | {one.human_mean:.2f} | {one.mean:.2f} | "
            f"{one.low:.2f}–{one.high:.2f} |"
            for name, one in means.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _protocol(store: Path, rows: Sequence[EvaluationRow]) -> MtBench:
    """The one protocol of the evaluations. Raises HarnessError for several, or another kind."""
    from harness.protocols.catalogue import protocol_from
    from harness.protocols.mt_bench import MtBench
    from harness.store.queries import protocol_definition

    if len({row.protocol_hash for row in rows}) != 1:
        told = ", ".join(f"{row.checkpoint}: {row.protocol}" for row in rows)
        raise HarnessError(f"the evaluations are of different protocols ({told}); name one suite's")
    protocol = protocol_from(protocol_definition(store, rows[0].protocol_hash))
    if not isinstance(protocol, MtBench):
        raise HarnessError(f"{rows[0].protocol} is no protocol of MT-Bench; no judge rates it")
    return protocol


def _judge_all(
    store: Path,
    rows: Sequence[EvaluationRow],
    protocol: MtBench,
    settings: JudgeSettings,
    pairs: bool,
) -> tuple[str, str]:
    """Has every answer judged; returns the judge's name and the hash of its prompts."""

    from harness.judge.rate import judge_pairs, judge_stored

    console = terminal(stderr=True)
    judge = open_judge(settings)
    try:
        judging = open_judging(settings, judge, open_budget(settings), protocol, store)
        with watched(console, judging):
            for row in rows:
                judge_stored(store, row, protocol, judging, every=True)
            if pairs and len(rows) > 1:
                judge_pairs(store, rows[0], rows[1], protocol, judging)
            progress = judging.close()
        print_judged(console, progress, judge.name)
    finally:
        judge.close()
    if progress.fault is not None:
        raise HarnessError(progress.fault)
    return judge.name, judging.prompts.hash
