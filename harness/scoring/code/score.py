"""Scores one answer to a coding item: finds the program, has it run, and says why it fails."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import HarnessError
from harness.items.code_task import CodeTask
from harness.scoring.code.extract import extract_code, own_text, well_formed
from harness.scoring.code.types import CodeOutcome
from harness.scoring.failure import Failure
from harness.scoring.score import Score

# Raised whenever a function of this package can score an answer differently: it is part of the
# hash of every protocol that uses it.
CODE_VERSION = 1

Run = Callable[[str], CodeOutcome]


class HarnessFaultError(HarnessError):
    """A program could not be tried, through no fault of its own; nothing was learnt about it."""


def score_code(
    task: CodeTask, raw: str, finish_reason: str, run: Run, name: str = ""
) -> tuple[Score, ...]:
    """Four scores of one raw answer:

    strict   1.0 when the answer has exactly the form asked for (`well_formed`) and its program
             passes every hidden test; carries the failure class
    format   1.0 when the answer has that form, whatever the program does
    lenient  1.0 when the program that a careful reader finds passes; never below strict
    tests    the share of hidden tests that the better of the two programs passes

    run   puts a program to the task's hidden tests
    name  the item, for the message of a fault

    Raises HarnessFaultError where a program could not be run: such an answer has no score.
    """
    exact = well_formed(raw, task)
    found = extract_code(raw, task)
    outcomes = {code: _tried(code, run, name) for code in {exact, found} - {None} if code}
    strict = _passed(outcomes.get(exact or ""))
    lenient = max(strict, _passed(outcomes.get(found or "")))
    best = max((one.passed for one in outcomes.values()), default=0)
    failure = classify(raw, finish_reason, strict, lenient, found)
    return (
        Score("strict", strict, failure),
        Score("format", float(exact is not None)),
        Score("lenient", lenient),
        Score("tests", best / len(task.tests)),
    )


def classify(
    raw: str, finish_reason: str, strict: float, lenient: float, found: str | None
) -> Failure | None:
    """Why an answer is not fully right, None when it is. The first that holds:

    empty      nothing but white space, thoughts aside
    format     the right program is there, in the wrong form
    truncated  the token limit cut the answer (finish_reason "length")
    format     there is no program
    knowledge  all else: a program that fails a hidden test
    """
    if strict == 1.0:
        return None
    if not raw.strip(" \t\r\n\v\f\u3000\u200b\ufeff"):
        return "empty"
    if lenient == 1.0:
        return "format"
    if finish_reason == "length":
        return "truncated"
    if not own_text(raw).strip():
        return "empty"
    return "format" if found is None else "knowledge"


def _tried(code: str, run: Run, name: str) -> CodeOutcome:
    outcome = run(code)
    if outcome.verdict == "harness fault":
        raise HarnessFaultError(
            f"{name or 'a program'} could not be run ({outcome.detail or 'no reason given'}); "
            "`harness doctor` says whether the sandbox works here, then repeat the command"
        )
    return outcome


def _passed(outcome: CodeOutcome | None) -> float:
    return float(outcome is not None and outcome.verdict == "passed")
