"""Evaluation results in a model card's metadata, as the Hugging Face hub shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.export.metrics import Measures


def results(found: Sequence[Measures], model: str) -> list[Any]:
    """`EvalResult` entries: one a suite's total and genre, with the protocol, the item set's hash
    and the interval; of several evaluations of a suite the last."""
    from huggingface_hub import EvalResult

    latest = {(one.evaluation.suite, one.judge): one for one in found}
    entries = []
    for one in latest.values():
        row = one.evaluation
        for name, value in one.values.items():
            if name.endswith(("/low", "/high")) or "/metric/" in name:
                continue
            genre = name.removeprefix(f"{row.suite}/")
            entries.append(
                EvalResult(
                    task_type="text-generation",
                    task_name=f"{row.suite}: {genre}",
                    dataset_type=row.suite,
                    dataset_name=row.suite,
                    dataset_config=genre,
                    dataset_revision=row.items_hash[:12],
                    metric_type="rating" if one.judge or value > 1 else "strict",
                    metric_name=f"{row.protocol}{f', judged by {one.judge}' if one.judge else ''}",
                    metric_value=round(value, 6),
                    metric_args={
                        "low": round(one.values[f"{name}/low"], 6),
                        "high": round(one.values[f"{name}/high"], 6),
                        "items": row.items,
                        "samples": row.samples,
                        "protocol_hash": row.protocol_hash[:12],
                        "checkpoint": row.checkpoint,
                    },
                )
            )
    if not entries:
        raise HarnessError(f"{model}: nothing is scored yet; `harness eval` first")
    return entries


def write_card(found: Sequence[Measures], model: str, output: Path) -> int:
    """Writes the results into a card's `model-index`, and keeps whatever else the card holds;
    makes a card where there is none. Returns the number of results.

    Raises HarnessError for a card whose metadata cannot be read.
    """
    from huggingface_hub import ModelCard, ModelCardData

    entries = results(found, model)
    try:
        if output.is_file():
            card = ModelCard(output.read_text(encoding="utf-8"), ignore_metadata_errors=False)
            card.data.model_name = model
            card.data.eval_results = entries
        else:
            data = ModelCardData(model_name=model, eval_results=entries)
            card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n# {model}\n")
    except ValueError as error:
        raise HarnessError(f"{output}: its metadata cannot be read ({error}); mend it") from None
    partial = output.with_name(f".{output.name}.partial")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(str(card), encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        raise HarnessError(f"{output}: cannot be written ({error.strerror})") from None
    return len(entries)
