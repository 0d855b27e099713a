"""Compares a prediction with an item's golds under the item's metric."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError
from harness.items.schema import DATASET_METRICS, Item, Metric
from harness.scoring.jaster import char_f1_llmjp, float_match
from harness.scoring.math import INSTALL, math_equal
from harness.scoring.metrics import char_f1, exact_match, json_match, number_match, set_f1
from harness.scoring.normalise import normalise, normalise_lines


def compare(
    metric: Metric,
    prediction: str,
    item: Item,
    lenient: bool = False,
    golds: Sequence[str] | None = None,
) -> float:
    """The best value of a metric over the item's `answer` and `accept`, 0.0 to 1.0.

    lenient  both sides are normalised first (line by line for set_f1 and for answers of lines,
             strings only for json), and numbers asked for as such are compared by value
    golds    texts to compare with instead of the item's own

    Raises HarnessError where only sympy could compare under `math` and math-verify is missing: a
    score must not depend on what is installed. Raises ValueError for metrics that no single answer
    has by itself: constraints (see `scoring.constraints.verdicts`), code (it is run), pearson and
    comet.
    """
    if metric in ("constraints", "code") or metric in DATASET_METRICS:
        raise ValueError(f"item {item.id}: {metric} has no gold to compare one answer with")
    if golds is None:
        golds = (item.answer, *item.accept)
    return max(_compare(metric, prediction, gold, item, lenient) for gold in golds)


def _compare(metric: Metric, prediction: str, gold: str, item: Item, lenient: bool) -> float:
    if metric == "number":
        return number_match(prediction, gold, lenient)
    if metric == "json":
        return json_match(prediction, gold, lenient)
    if metric == "math":
        return _math_match(prediction, gold, item)
    if metric == "float":
        return float_match(prediction, gold, lenient)
    if lenient:
        if (
            metric == "exact"
            and item.format.kind in ("integer", "number")
            and number_match(prediction, gold, lenient=True)
        ):
            return 1.0
        by_line = metric == "set_f1" or item.format.kind == "lines"
        form = normalise_lines if by_line else normalise
        prediction, gold = form(prediction), form(gold)
        if gold and not prediction:
            return 0.0
    if metric == "exact":
        return exact_match(prediction, gold)
    if metric == "char_f1":
        return char_f1(prediction, gold)
    if metric == "char_f1_llmjp":
        return char_f1_llmjp(prediction, gold)
    return set_f1(prediction, gold)


def _math_match(prediction: str, gold: str, item: Item) -> float:
    verdict = math_equal(prediction, gold)
    if verdict.reason == "math-verify is not installed":
        raise HarnessError(
            f"item {item.id}: metric math cannot compare {prediction[:80]!r} with {gold[:80]!r} "
            f"without math-verify; run `{INSTALL}`"
        )
    return float(verdict.equal)
