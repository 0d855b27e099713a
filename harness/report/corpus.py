"""Metrics that only all answers of a dataset together have: correlations, BLEU, COMET."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.items.schema import Item
from harness.scoring import nfkc, parse_float_llmjp, parse_number, pearson, spearman
from harness.scoring.bleu import bleu_en, bleu_en_llmjp13, bleu_ja, bleu_ja_llmjp13
from harness.store.queries import FormatAnswer


@dataclass(frozen=True)
class CorpusMetric:
    """value is None where there is none; `note` says why, and what mends it."""

    dataset: str
    metric: str
    value: float | None
    note: str = ""


def corpus_metrics(
    answers: Sequence[FormatAnswer], items: Mapping[str, Item]
) -> Iterator[CorpusMetric]:
    """Pearson and Spearman of similarity datasets; BLEU of translations, and that COMET is
    missing where it is."""
    parts: dict[tuple[str, str], list[FormatAnswer]] = defaultdict(list)
    for one in answers:
        item = items[one.item_hash]
        if one.kind == "answer" and item.metric in ("pearson", "comet"):
            parts[(item.dataset, item.metric)].append(one)
    for (dataset, metric), part in parts.items():
        if metric == "pearson":
            yield from _correlations(dataset, part, items)
        else:
            yield from _translation(dataset, part, items)


def _correlations(
    dataset: str, answers: Sequence[FormatAnswer], items: Mapping[str, Item]
) -> Iterator[CorpusMetric]:
    golds = [float(nfkc(items[one.item_hash].answer)) for one in answers]
    literal = [parse_float_llmjp(one.normalised or "") for one in answers]
    careful = [
        (value, gold)
        for one, gold in zip(answers, golds, strict=True)
        if (value := parse_number(one.lenient or "", lenient=True)) is not None
    ]
    for name, function in (("pearson", pearson), ("spearman", spearman)):
        strict = function(literal, golds)
        note = "" if strict is not None else "all answers alike: llm-jp-eval counts 0"
        yield CorpusMetric(dataset, name, strict, note)
        lenient = function([float(v) for v, _ in careful], [gold for _, gold in careful])
        note = f"over the {len(careful)} of {len(answers)} answers that name a number"
        yield CorpusMetric(dataset, f"{name} lenient", lenient, note)


def _translation(
    dataset: str, answers: Sequence[FormatAnswer], items: Mapping[str, Item]
) -> Iterator[CorpusMetric]:
    predictions = [one.normalised or "" for one in answers]
    golds = [nfkc(items[one.item_hash].answer) for one in answers]
    japanese = dataset.endswith("e-to-j")
    for name, bleu in (
        ("bleu_ja", bleu_ja) if japanese else ("bleu_en", bleu_en),
        # What llm-jp-eval 1.3 prints, for comparison with its tables only.
        ("bleu_ja_llmjp13", bleu_ja_llmjp13) if japanese else ("bleu_en_llmjp13", bleu_en_llmjp13),
    ):
        try:
            yield CorpusMetric(dataset, name, bleu(predictions, golds))
        except HarnessError as error:
            yield CorpusMetric(dataset, name, None, str(error))
    scored = [one.scores["comet"] for one in answers if "comet" in one.scores]
    if scored:
        yield CorpusMetric(dataset, "comet", sum(scored) / len(scored))
    else:
        yield CorpusMetric(
            dataset, "comet", None, "missing, not 0: `harness score --comet` computes it"
        )
