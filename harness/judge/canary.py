"""A drift canary: frozen answers, judged anew in each run, tell a changed judge from a changed
model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from harness.engines.types import Sampling
from harness.items.schema import FormatRule, Item
from harness.judge.budget import Budget
from harness.judge.calibration import Drift, Rated, drift
from harness.judge.judging import Judging
from harness.judge.prompts import PromptSet
from harness.judge.types import SAMPLING, Judge, JudgeProgress
from harness.scoring.normalise import trim
from harness.store.judgments import CanaryRating, canary_ratings

# What stands for an evaluation where judgments are of frozen answers.
CANARY = "canary"


class _Frozen(msgspec.Struct, frozen=True):
    id: str
    genre: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class CanaryRun:
    """number, from 0, of this judge's runs; what became of its calls; the drift since the first
    run, None where that was this one or too little could be read."""

    number: int
    progress: JudgeProgress
    drift: Drift | None


def frozen_answers() -> list[tuple[Item, tuple[str, ...]]]:
    """Questions of our own, each with a good answer and a poor one."""
    text = resources.files("harness.judge").joinpath("canary.jsonl").read_text(encoding="utf-8")
    found = [msgspec.json.decode(line, type=_Frozen) for line in text.splitlines()]
    rule = FormatRule("free")
    return [
        (Item(one.id, one.genre, (one.question,), "", rule, "judge"), one.answers) for one in found
    ]


def run_canary(
    store: Path,
    judge: Judge,
    prompts: PromptSet,
    *,
    structured: bool = True,
    sampling: Sampling = SAMPLING,
    budget: Budget | None = None,
) -> CanaryRun:
    """Has the frozen answers judged once more, whatever was said of them before, and compares with
    what the same judge said under the same prompts in the first run that the store knows."""
    before = canary_ratings(store, CANARY, judge.name, prompts.hash)
    number = 1 + max((one.repeat for one in before), default=-1)
    judging = Judging(
        store,
        judge,
        prompts,
        structured=structured,
        sampling=sampling,
        budget=budget,
        first_repeat=number,
    )
    for item, answers in frozen_answers():
        for place, text in enumerate(answers):
            judging.offer(CANARY, f"{item.id}/{place}", item, (text,), False)
    progress = judging.close()
    ratings = canary_ratings(store, CANARY, judge.name, prompts.hash)
    first = min((one.repeat for one in ratings), default=number)
    since = None
    if first != number:
        since = drift(_rated(ratings, first), _rated(ratings, number))
    return CanaryRun(number, progress, since)


def told(run: CanaryRun) -> str:
    """One sentence on a run."""
    if run.drift is None:
        rest = "nothing to compare with yet" if run.number == 0 else "too little could be read"
        return f"canary {run.number + 1}: {rest}"
    found = run.drift.difference
    return (
        f"canary {run.number + 1}: the judge has {_WORDS[run.drift.verdict]}, {found.mean:+.2f} "
        f"points [{found.low:+.2f}, {found.high:+.2f}] since its first run, "
        f"{run.drift.changed:.0%} of frozen answers rated otherwise"
    )


_WORDS = {"drifted": "drifted", "held": "held", "inconclusive": "perhaps drifted"}


def _rated(ratings: list[CanaryRating], number: int) -> list[Rated]:
    length = {
        f"{item.id}/{place}": len(trim(text))
        for item, answers in frozen_answers()
        for place, text in enumerate(answers)
    }
    return [
        Rated(
            one.answer.rpartition("/")[0],
            one.answer,
            one.value,
            length.get(one.answer, 0),
            one.failure,
        )
        for one in ratings
        if one.repeat == number
    ]
