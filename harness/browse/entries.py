"""What the viewer lists: evaluations with their totals, items with their answers, two side by
side."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.report.judged import judged_boards
from harness.report.standings import boards
from harness.store.judgments import said_of
from harness.store.queries import AnswerRow, EvaluationRow, answers, evaluations


@dataclass(frozen=True)
class Evaluated:
    """An evaluation and its total: "41.2" percent, "6.31" of a judge, "" without a score."""

    row: EvaluationRow
    total: str

    @property
    def searched(self) -> str:
        return f"{self.row.checkpoint} {self.row.suite} {self.row.protocol} {self.row.id}"


@dataclass(frozen=True)
class Entry:
    """An item with its answers, and those of another evaluation where two are compared.

    score, other  mean of the ranking metric over answers, None where nothing is scored
    """

    item: str
    genre: str
    skill: str
    answers: tuple[AnswerRow, ...]
    others: tuple[AnswerRow, ...] = ()

    @property
    def score(self) -> float | None:
        return _mean(self.answers)

    @property
    def other(self) -> float | None:
        return _mean(self.others)

    @property
    def failure(self) -> str:
        found = (one.failure or ("error" if one.error else "") for one in self.answers)
        return next(filter(None, found), "")

    @property
    def is_wrong(self) -> bool:
        return self.score is None or self.score < 1.0

    @property
    def has_changed(self) -> bool:
        return bool(self.others) and self.score != self.other

    @property
    def searched(self) -> str:
        every = (*self.answers, *self.others)
        texts = [one.text for one in every] + [one.question for one in every[:1]]
        return "\n".join([self.item, self.genre, self.skill, self.failure, *texts])


def listed(path: Path) -> list[Evaluated]:
    """Every evaluation, the latest first."""
    totals: dict[str, str] = {}
    for board in boards(path, every_checkpoint=True, all_item_sets=True)[0]:
        for one in board.standings:
            totals[one.measured.evaluation.id] = f"{one.measured.score.mean * 100:.1f}"
    for judged in judged_boards(path, every_checkpoint=True, all_item_sets=True)[0]:
        for standing in judged.standings:
            ratings = standing.scores.ratings
            if ratings is not None:
                shown = ratings.score.mean / judged.protocol.variant.shown
                totals[standing.scores.evaluation.id] = f"{shown:.2f}"
    return [Evaluated(row, totals.get(row.id, "")) for row in reversed(evaluations(path))]


def entries(path: Path, evaluation: str, other: str | None = None) -> list[Entry]:
    """The items of an evaluation, and beside them those of another over the same items."""
    found = _by_item(path, evaluation)
    beside = _by_item(path, other) if other is not None else {}
    return [replace(one, others=beside[name].answers) if name in beside else one
            for name, one in found.items()]  # fmt: skip


def _by_item(path: Path, evaluation: str) -> dict[str, Entry]:
    said = said_of(path, evaluation)
    found: dict[str, Entry] = {}
    for row in answers(path, evaluation):
        one = replace(row, judgments=tuple(said.get(row.key, ())))
        known = found.get(one.item)
        if known is None:
            found[one.item] = Entry(one.item, one.genre, one.skill, (one,))
        else:
            found[one.item] = replace(known, answers=(*known.answers, one))
    return found


def matches(searched: str, wanted: str) -> bool:
    """Whether every word of a search stands in a text, in whatever width and case."""
    text = _folded(searched)
    return all(word in text for word in _folded(wanted).split())


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _mean(found: Sequence[AnswerRow]) -> float | None:
    values = [value for one in found if (value := _score(one)) is not None]
    return sum(values) / len(values) if values else None


def _score(one: AnswerRow) -> float | None:
    for metric in ("strict", "verified", "followed"):
        if metric in one.scores:
            return one.scores[metric]
    rated = [said["rating"] for said in one.judgments if said["rating"] is not None]
    # A rating has no right and wrong; full marks are the nearest there is.
    return sum(rated) / len(rated) / 10 if rated else None
