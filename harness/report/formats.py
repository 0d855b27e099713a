"""What a checkpoint loses to output format, apart from what it does not know, by dataset."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.items.schema import JASTER_ASIDE, JASTER_CATEGORIES, FormatRule, Item
from harness.report.corpus import CorpusMetric, corpus_metrics
from harness.scoring.shape import wrong_shape
from harness.statistics.means import Estimate, cluster_mean, mean_of_means
from harness.store.queries import EvaluationRow, FormatAnswer, format_answers, items_of

# Planning figures of `examples_needed`: a thousand examples where every answer is malformed, in
# steps of fifty, none where one answer in fifty or fewer is.
EXAMPLES_AT_WORST = 1000
EXAMPLES_STEP = 50
TOLERATED = 0.02
SPLIT = ("strict", "format", "lenient", "choice", "choice_raw")


@dataclass(frozen=True)
class WrongShape:
    """A way in which answers break the format: how many do, and a few of them as they stand."""

    shape: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class FormatGap:
    """One dataset.

    scores    estimates by metric: strict, format, lenient and, of closed label sets, choice
    lost      mean of lenient − strict, with its interval: points lost to format
    failures  wrong answers by failure class
    shapes    of the answers that break the format, most frequent first
    target    what an answer should look like, in words
    examples  format examples that would be worth training on (`examples_needed`)
    """

    dataset: str
    category: str
    answers: int
    scores: dict[str, Estimate]
    lost: Estimate | None
    failures: dict[str, int]
    shapes: tuple[WrongShape, ...]
    target: str
    examples: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "category": self.category,
            "answers": self.answers,
            **{name: _mean(self.scores.get(name)) for name in SPLIT},
            "lost": _mean(self.lost),
            "lost_low": self.lost.low if self.lost else None,
            "lost_high": self.lost.high if self.lost else None,
            "failures": self.failures,
            "shapes": [asdict(one) for one in self.shapes],
            "target": self.target,
            "examples": self.examples,
        }


@dataclass(frozen=True)
class FormatReport:
    """A report over one evaluation: its datasets, by category in the order of the protocol, the
    categories' means, and the metrics that only a whole dataset has."""

    evaluation: EvaluationRow
    gaps: tuple[FormatGap, ...]
    categories: dict[str, dict[str, float]]
    corpus: tuple[CorpusMetric, ...]


def format_report(path: Path, evaluation: EvaluationRow) -> FormatReport:
    """Reads an evaluation's stored answers and says per dataset what format costs."""
    items = items_of(path, evaluation.id)
    answers = format_answers(path, evaluation.id)
    by_dataset: dict[tuple[str, str], list[FormatAnswer]] = defaultdict(list)
    for answer in answers:
        item = items[answer.item_hash]
        by_dataset[(item.genre, item.dataset or item.genre)].append(answer)
    order = (*JASTER_CATEGORIES, *JASTER_ASIDE)
    gaps = tuple(
        _gap(dataset, category, by_dataset[category, dataset], items)
        for category, dataset in sorted(
            by_dataset,
            key=lambda key: (order.index(key[0]) if key[0] in order else -1, *key),
        )
    )
    return FormatReport(
        evaluation,
        gaps,
        _categories(gaps),
        tuple(corpus_metrics(answers, items)),
    )


def examples_needed(malformed: float) -> int:
    """How many training examples of an output format to plan for.

    malformed: share of answers that break the format, 0.0 to 1.0.
    A planning figure, not a measurement: in proportion to the share, 1,000 where every answer is
    malformed, in steps of 50, none up to 2 %.
    """
    if malformed <= TOLERATED:
        return 0
    return EXAMPLES_STEP * math.ceil(malformed * EXAMPLES_AT_WORST / EXAMPLES_STEP)


def describe(rule: FormatRule) -> str:
    """What a right answer looks like, in words."""
    match rule.kind:
        case "choice":
            return f"one of {', '.join(rule.labels)}, and nothing else"
        case "integer":
            return "an integer in ASCII digits, and nothing else"
        case "number":
            return "a number in ASCII digits, and nothing else"
        case "span":
            return "one line without quotes"
        case "line":
            return "one line"
        case "json":
            return f"one JSON object with the keys {', '.join(rule.keys)}"
        case "lines":
            return "one entry a line, no bullets"
        case "free":
            return "free"
        case "pattern":
            return f"a text that matches {rule.pattern}"


def _gap(
    dataset: str, category: str, answers: Sequence[FormatAnswer], items: Mapping[str, Item]
) -> FormatGap:
    scores: dict[str, Estimate] = {}
    for name in SPLIT:
        scored = [one for one in answers if name in one.scores]
        if scored:
            scores[name] = _estimate([one.scores[name] for one in scored], scored, items)
    paired = [one for one in answers if "strict" in one.scores and "lenient" in one.scores]
    lost = None
    if paired:
        gaps = [one.scores["lenient"] - one.scores["strict"] for one in paired]
        lost = _estimate(gaps, paired, items)
    spoken = [one for one in answers if one.kind == "answer"]
    broken = [one for one in spoken if one.scores.get("format") == 0.0]
    rule = items[answers[0].item_hash].format
    share = len(broken) / len(spoken) if spoken else 0.0
    return FormatGap(
        dataset,
        category,
        len(spoken),
        scores,
        lost,
        dict(Counter(one.failure for one in spoken if one.failure).most_common()),
        _shapes(broken, items),
        describe(rule),
        examples_needed(share),
    )


def _estimate(
    values: Sequence[float], answers: Sequence[FormatAnswer], items: Mapping[str, Item]
) -> Estimate:
    clusters = [items[one.item_hash].cluster or one.item_hash for one in answers]
    return cluster_mean(list(values), clusters)


def _shapes(broken: Sequence[FormatAnswer], items: Mapping[str, Item]) -> tuple[WrongShape, ...]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in broken:
        item = items[one.item_hash]
        text = one.text if one.extracted is None else one.extracted
        shape = wrong_shape(text, item.format, item.turns[-1], one.finish_reason)
        found[shape].append(text if text.strip() else one.text)
    return tuple(
        WrongShape(shape, len(texts), tuple(dict.fromkeys(texts))[:3])
        for shape, texts in sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    )


def _categories(gaps: Sequence[FormatGap]) -> dict[str, dict[str, float]]:
    """Unweighted means over each category's datasets, and AVG over the categories that count.

    A metric that some of the scored datasets lack has no mean: `choice` over half of them would
    stand beside `strict` over all.
    """
    parts: dict[str, list[FormatGap]] = defaultdict(list)
    for gap in gaps:
        parts[gap.category].append(gap)
    means = {}
    for category, members in parts.items():
        scored = [one.scores for one in members if "strict" in one.scores] or [
            one.scores for one in members
        ]
        means[category] = {
            name: mean_of_means([scores[name] for scores in scored]).mean
            for name in SPLIT
            if all(name in scores for scores in scored)
        }
    counted = [
        row for category, row in means.items() if category not in JASTER_ASIDE and "strict" in row
    ]
    average = {
        name: sum(row[name] for row in counted) / len(counted)
        for name in SPLIT
        if counted and all(name in row for row in counted)
    }
    return {**means, "AVG": average} if average else means


def _mean(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.mean
