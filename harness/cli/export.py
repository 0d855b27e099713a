"""`harness export`: what the store holds, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import store_option

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("export")
def command() -> None:
    """Parquet of any table, a model card's results, and experiment trackers."""


@command.command("parquet")
@click.argument("table")
@click.option("-o", "--output", type=_FILE, help="[TABLE.parquet]")
@store_option
def parquet(table: str, output: Path | None, store: str | None) -> None:
    """Write a TABLE of the store as Parquet (a query: `harness sql QUERY --parquet FILE`)."""
    from harness.export.tables import table_query, write_parquet

    path = _store(store)
    target = output or Path(f"{table}.parquet")
    count = write_parquet(path, table_query(path, table), target)
    click.echo(f"{target}: {count:,} rows")


@command.command("model-card")
@click.argument("name", metavar="CHECKPOINT|RUN")
@click.option("-o", "--output", type=_FILE, default=Path("README.md"), show_default=True)
@click.option("--model", help="The model's name in the card [CHECKPOINT].")
@store_option
def model_card(name: str, output: Path, model: str | None, store: str | None) -> None:
    """Put the latest results into a card's `model-index`; the rest of the card stays."""
    from harness.export.metrics import measures
    from harness.export.model_card import write_card

    count = write_card(measures(_store(store), [name]), model or name, output)
    click.echo(f"{output}: {count} results")


@command.command("tensorboard")
@click.argument("names", metavar="RUN|CHECKPOINT...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tensorboard"),
    show_default=True,
)
@store_option
def tensorboard(names: tuple[str, ...], output: Path, store: str | None) -> None:
    """Log evaluations for TensorBoard; what was logged before is not logged again."""
    from harness.export.metrics import measures
    from harness.export.trackers import to_tensorboard

    count = to_tensorboard(measures(_store(store), names), output)
    click.echo(f"{output}: {count} evaluations; tensorboard --logdir {output}")


@command.command("wandb")
@click.argument("names", metavar="RUN|CHECKPOINT...", nargs=-1, required=True)
@click.option("--project", default="harness", show_default=True)
@click.option("--entity")
@click.option("--mode", type=click.Choice(["online", "offline"]), help="[WANDB_MODE]")
@store_option
def wandb(
    names: tuple[str, ...], project: str, entity: str | None, mode: str | None, store: str | None
) -> None:
    """Log evaluations to Weights & Biases; what was logged before is not logged again."""
    from harness.export.metrics import measures
    from harness.export.trackers import to_wandb

    count = to_wandb(measures(_store(store), names), project, entity, mode)
    click.echo(f"{project}: {count} evaluations")


@command.command("mlflow")
@click.argument("names", metavar="RUN|CHECKPOINT...", nargs=-1, required=True)
@click.option("--experiment", default="harness", show_default=True)
@click.option("--uri", help="Of the tracking server or folder [MLFLOW_TRACKING_URI].")
@store_option
def mlflow(names: tuple[str, ...], experiment: str, uri: str | None, store: str | None) -> None:
    """Log evaluations to MLflow; what was logged before is not logged again."""
    from harness.export.metrics import measures
    from harness.export.trackers import to_mlflow

    count = to_mlflow(measures(_store(store), names), experiment, uri)
    click.echo(f"{experiment}: {count} evaluations")


def _store(store: str | None) -> Path:
    from harness.store.database import store_path
    from harness.store.queries import refresh

    path = store_path(store)
    refresh(path)
    return path
