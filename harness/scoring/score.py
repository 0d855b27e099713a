"""Scores one answer, or one set of label likelihoods, under an item's metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.items.schema import Item
from harness.scoring.compare import compare
from harness.scoring.extract import extract
from harness.scoring.failure import Failure, classify
from harness.scoring.format import format_fault
from harness.scoring.normalise import trim

# Raised whenever any function of this package can score an answer differently: it is part of
# every protocol's hash.
SCORING_VERSION = 3


@dataclass(frozen=True)
class Score:
    """One number for one item under one metric.

    value    0.0 to 1.0, but for measures such as an answer's length
    failure  why the strict score is below 1.0; None there when it is not, and on other metrics
    """

    metric: str
    value: float
    failure: Failure | None = None


def score_answer(item: Item, raw: str, finish_reason: str) -> tuple[Score, ...]:
    """Three scores of one raw answer:

    strict   the item's metric on the answer as it stands, ASCII white space at its ends aside;
             carries the failure class
    format   1.0 when the answer obeys the item's format rule, else 0.0
    lenient  the item's metric after `extract`, both sides normalised; never below strict, since a
             careful reader does not lose what a literal one finds

    strict and format are independent: a strict 1.0 under `exact` always obeys the rule that the
    gold obeys, but 12.0 for 12 is right under `number` and no integer, doubled lines are right
    under `set_f1`, reordered characters under `char_f1`, {"n": 1.0} for {"n": 1} under `json`.
    """
    answer = trim(raw)
    strict = compare(item.metric, answer, item)
    lenient = max(strict, compare(item.metric, extract(answer, item), item, lenient=True))
    obeys = format_fault(answer, item.format, item.turns[-1]) is None
    return (
        Score("strict", strict, classify(item, answer, finish_reason, strict, lenient)),
        Score("format", float(obeys)),
        Score("lenient", lenient),
    )


def score_choice(item: Item, likelihoods: Sequence[tuple[float, int]]) -> tuple[Score, ...]:
    """Whether the likeliest label is right, with no answer generated.

    likelihoods  for each of `item.format.labels`, in that order, the sum of its tokens' natural
                 log-probabilities given the prompt and their number

    choice compares the mean per token, so that a long label is not at a disadvantage; choice_raw
    the sum. A tie of the gold label with another for the first place is wrong: a model that
    cannot tell two labels apart does not know, and the order of labels must not decide.

    Raises ValueError when the item is not a choice with its gold among the labels, when the
    number of likelihoods differs from that of labels, or one is NaN, positive infinity or of no
    token.
    """
    labels = item.format.labels
    golds = {item.answer, *item.accept}
    if item.format.kind != "choice" or not golds <= set(labels):
        raise ValueError(f"item {item.id}: not a choice with its gold among the labels")
    if len(likelihoods) != len(labels):
        raise ValueError(f"item {item.id}: {len(likelihoods)} likelihoods for {len(labels)} labels")
    for label, (logprob, tokens) in zip(labels, likelihoods, strict=True):
        if math.isnan(logprob) or logprob == math.inf or tokens < 1:
            raise ValueError(f"item {item.id}: label {label!r} has {logprob} over {tokens} tokens")

    def right(values: list[float]) -> float:
        best = {label for label, value in zip(labels, values, strict=True) if value == max(values)}
        return float(best <= golds)

    return (
        Score("choice", right([logprob / tokens for logprob, tokens in likelihoods])),
        Score("choice_raw", right([logprob for logprob, _ in likelihoods])),
    )
