"""`harness plan`: how far machines and hours go, for each size of model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from harness.cli.options import print_rows, table_options
from harness.cli.terminal import terminal

if TYPE_CHECKING:
    from training.planning import PlanRow, Shape


_WIDE = 100


def _amount(name: str) -> Callable[[PlanRow], str]:
    def cell(row: PlanRow) -> str:
        from training.planning import written

        return written(getattr(row, name))

    return cell


# (heading, whether a narrow terminal has it, its cell)
_COLUMNS: list[tuple[str, bool, Callable[[PlanRow], str]]] = [
    ("model", True, lambda row: row.model),
    ("active", False, _amount("active")),
    ("tok/day", True, _amount("tokens_per_day")),
    ("tokens", True, _amount("tokens")),
    ("tok/param", True, lambda row: f"{row.tokens_per_parameter:,.1f}"),
    ("x Chinchilla", False, lambda row: f"{row.chinchilla:.2f}"),
    ("days to 20", False, lambda row: f"{row.days_for_chinchilla:,.1f}"),
    ("epochs", True, lambda row: f"{row.epochs:.2f}"),
    (
        "synthetic",
        True,
        lambda row: "–" if row.synthetic_epochs is None else f"{row.synthetic_epochs:.2f}",
    ),
    ("worth", True, _amount("effective_tokens")),
    ("GiB/GPU", True, lambda row: f"{row.memory:.1f}"),
]


@click.command("plan")
@click.option("--tokens", required=True, metavar="N", help="Of the corpus: 500B, 1.2T.")
@click.option("--gpus", type=click.IntRange(min=1), required=True)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), required=True)
@click.option("--size", "sizes", metavar="A,B", default="1B,3B,8B", show_default=True)
@click.option("--gpu", metavar="KIND", default="H100", show_default=True, help="Sets --tflops.")
@click.option(
    "--tflops",
    type=click.FloatRange(min=0, min_open=True),
    help="Peak of one accelerator, dense bfloat16 [of --gpu].",
)
@click.option(
    "--mfu",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.4,
    show_default=True,
    help="Share of the peak that training reaches.",
)
@click.option("--seen", metavar="N", help="Tokens that the starting checkpoint has seen before.")
@click.option("--synthetic", metavar="N", help="Tokens of synthetic data.")
@click.option(
    "--synthetic-share",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Of all tokens, how many are synthetic, where there is synthetic data.",
)
@click.option(
    "--experts", type=click.IntRange(min=2), help="Also each size upcycled to so many experts."
)
@click.option("--chosen", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--context", type=click.IntRange(min=1), default=4096, show_default=True)
@click.option("--micro-batch", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--tensor", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--pipeline", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--recompute", is_flag=True, help="Activations are computed again, not kept.")
@table_options
def command(
    tokens: str,
    gpus: int,
    hours: float,
    sizes: str,
    gpu: str,
    tflops: float | None,
    mfu: float,
    seen: str | None,
    synthetic: str | None,
    synthetic_share: float,
    experts: int | None,
    chosen: int,
    context: int,
    micro_batch: int,
    tensor: int,
    pipeline: int,
    recompute: bool,
    output: str | None,
) -> None:
    """Plan a training run: tokens a day, tokens a parameter, epochs, memory, and which size.

    Sizes are parameters (8B), as Llama models of that size are built. Estimates from published
    formulae; docs/finetuning.md names them.
    """
    from harness.errors import HarnessError
    from training.planning import (
        PEAK_TFLOPS,
        Budget,
        Corpus,
        Layout,
        advice,
        amount,
        plan,
        shape_of,
    )

    if tflops is None:
        if gpu.upper() not in PEAK_TFLOPS:
            raise HarnessError(
                f"--gpu {gpu} is not in the table ({', '.join(PEAK_TFLOPS)}); give --tflops"
            )
        tflops = PEAK_TFLOPS[gpu.upper()]
    if gpus % (tensor * pipeline):
        raise HarnessError(
            f"--tensor {tensor} times --pipeline {pipeline} does not divide --gpus {gpus}"
        )
    if experts is not None and chosen > experts:
        raise HarnessError(f"--chosen {chosen} is more than --experts {experts}")
    models: list[tuple[str, Shape]] = []
    for size in filter(None, (one.strip() for one in sizes.split(","))):
        shape = shape_of(amount(size))
        models.append((size, shape))
        if experts is not None:
            models.append((f"{experts}x{size}", shape.upcycled(experts, chosen)))
    has_synthetic = amount(synthetic) if synthetic else 0.0
    rows = plan(
        models,
        Corpus(
            amount(tokens),
            has_synthetic,
            synthetic_share if has_synthetic else 0.0,
            amount(seen) if seen else 0.0,
        ),
        Budget(gpus, tflops, mfu, hours),
        Layout(context, micro_batch, tensor, pipeline, recompute),
    )
    if output:
        print_rows([row.to_dict() for row in rows], output)
        return
    _print(rows)
    for sentence in advice(rows):
        click.echo(sentence)


def _print(rows: list[PlanRow]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = terminal()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    columns = _COLUMNS if console.width >= _WIDE else [one for one in _COLUMNS if one[1]]
    for heading, _, _ in columns:
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(cell(row) for _, _, cell in columns))
    console.print(table)
    for row in rows:
        for note in row.notes:
            click.echo(f"{row.model}: {note}")
