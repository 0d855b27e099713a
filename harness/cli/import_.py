"""`harness import`: other harnesses' logs into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import column_names, store_option
from harness.visible import visible


@click.group("import")
def command() -> None:
    """Bring what other harnesses logged into the store."""


@command.command("outputs")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "layout",
    type=click.Choice(["llm-jp-eval-table", "lm-eval-samples", "jsonl"]),
    required=True,
    help="jsonl: {dataset, input, prediction, gold} a line.",
)
@click.option("--checkpoint", metavar="NAME", help="Whose answers these are, if the log is silent.")
@click.option("--dataset", metavar="NAME", help="Of which dataset, if the log is silent.")
@store_option
def outputs(
    file: Path, layout: Any, checkpoint: str | None, dataset: str | None, store: str | None
) -> None:
    """Import the answers in FILE, scored by our own metrics."""
    from harness.import_outputs import import_outputs
    from harness.store.database import store_path

    result = import_outputs(
        file, layout, store=store_path(store), checkpoint=checkpoint, dataset=dataset
    )
    click.echo(
        f"{file}: {result.rows:,} answers in {len(result.evaluations)} evaluation(s): "
        + ", ".join(one[:12] for one in result.evaluations)
    )
    if result.left_out:
        click.echo(f"{result.left_out:,} rows hold log-likelihoods and no answer; left out.")


@command.command("scores")
@click.argument("source", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--run", metavar="NAME", help="Whose scores these are, if the file is silent.")
@click.option("--step", type=click.IntRange(min=0), help="Of which step, if the file is silent.")
@click.option(
    "--column",
    "columns",
    metavar="OURS=THEIRS",
    multiple=True,
    help="A CSV's own name for one of our columns, as in run=model; repeatable.",
)
@store_option
def scores(
    source: Path, run: str | None, step: int | None, columns: tuple[str, ...], store: str | None
) -> None:
    """Import summed-up scores: a CSV (run, step, task, metric, value; stderr, n, protocol and
    higher_is_better if there), lm-eval's results_*.json, or a folder of them.

    `harness regressions RUN` reads them.
    """
    from harness.import_scores import import_scores
    from harness.store.database import store_path

    result = import_scores(
        source, store=store_path(store), run=run, step=step, columns=column_names(columns)
    )
    runs = ", ".join(f"{name} ({steps} steps)" for name, steps in result.runs.items())
    click.echo(visible(f"{source}: {result.rows:,} scores, {result.new:,} of them new, of {runs}"))
    if result.passed_over:
        click.echo(f"{result.passed_over:,} JSON files hold no results; passed over.")


@command.command("table")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="What to call the table [the file's name].")
@click.option("--licence", metavar="L", help="Its licence and owner, as captions tell it.")
@store_option
def table(file: Path, name: str | None, licence: str | None, store: str | None) -> None:
    """Import a score table that others published: a CSV (model, benchmark, value, or a column a
    benchmark), or YAML as the Swallow leaderboard has it.

    `harness leaderboard --published` shows it, marked as imported.
    """
    from harness.import_table import import_table
    from harness.store.database import store_path

    result = import_table(file, store=store_path(store), name=name, licence=licence)
    groups = ", ".join(filter(None, result.groups))
    click.echo(
        f"{file}: {result.scores:,} scores of {result.models:,} models"
        + (f" in {groups}" if groups else "")
        + f", as {result.source}"
        + ("" if result.changed else "; the store had them already")
    )
    if result.passed_over:
        click.echo(f"columns without numbers, passed over: {', '.join(result.passed_over)}")


@command.command("fastchat")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--protocol",
    type=click.Choice(
        [
            "lm-sys",
            "stability-2023",
            "stability-2023-full",
            "nejumi-v3",
            "nejumi-v4",
            "swallow-2025",
        ]
    ),
    required=True,
    help="How the answers were made and judged.",
)
@click.option(
    "--references",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The reference answers [reference_answer/gpt-4.jsonl].",
)
@click.option(
    "--judgments",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Files of judgments [model_judgment/*_single*.jsonl, *_single.jsonl].",
)
@store_option
def fastchat(
    directory: Path,
    protocol: Any,
    references: Path | None,
    judgments: tuple[Path, ...],
    store: str | None,
) -> None:
    """Import the MT-Bench answers and judgments in DIRECTORY, which has FastChat's layout.

    Ratings are read again from the judgments' texts.
    """
    from harness.errors import HarnessError
    from harness.import_fastchat import import_fastchat
    from harness.protocols.mt_bench import MtBench
    from harness.store.database import store_path

    result = import_fastchat(
        directory,
        MtBench(protocol),
        store=store_path(store),
        references=references,
        judgments=judgments,
    )
    click.echo(
        f"{directory}: {result.answers:,} answers of {len(result.evaluations)} models and "
        f"{result.judgments:,} judgments ({result.repeated} of them of an answer judged before), "
        f"{result.unreadable} without a readable rating."
    )
    if result.left_out:
        click.echo(f"{result.left_out:,} answers to turns that {protocol} does not ask; left out.")
    if result.differing:
        raise HarnessError(
            f"{len(result.differing)} stored scores are not what their texts say, the first at "
            f"{result.differing[0]}; the texts count"
        )


@command.command("training")
@click.argument("directory", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option("--run", metavar="NAME", help="Whose log it is [the directory's name].")
@store_option
def training(directory: Path, run: str | None, store: str | None) -> None:
    """Import the training_log.jsonl in RUN_DIR: losses, gradients, throughput.

    Again and again as the run goes on; `harness watch` and a trainer's callback do it too.
    `harness train health RUN` shows it.
    """
    from harness.import_training import import_training
    from harness.store.database import store_path

    result = import_training(directory, store=store_path(store), run=run)
    torn = f"; {result.torn:,} torn lines passed over" if result.torn else ""
    click.echo(
        f"{directory}: {result.lines:,} lines of run {result.run}, {result.new:,} new or changed"
        + torn
    )
