"""Decides one turn of a judged item by rule where its author gave one; what no rule decides stays
undecided."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from harness.errors import HarnessError
from harness.items.check import Check, ChoiceCheck, FieldsCheck
from harness.items.code_task import CodeTask, code_fault
from harness.items.schema import FormatRule, Item
from harness.scoring.code.extract import own_text
from harness.scoring.code.score import score_code
from harness.scoring.code.types import CodeOutcome, CodeRun, code_run
from harness.scoring.constraints import constraint_fault, verdicts
from harness.scoring.extract import find_answer, objects_in
from harness.scoring.fields import FIELD_TYPES, FieldType, verify_fields
from harness.scoring.math import INSTALL, extract_math_answer, math_equal
from harness.scoring.normalise import normalise

# Raised whenever `verify` can decide differently: it is part of the protocol's hash.
VERIFY_VERSION = 1

RunOne = Callable[[CodeRun], CodeOutcome]


def verify(check: Check, raw: str, prompt: str, run: RunOne | None, name: str = "") -> float | None:
    """1.0 when the answer to a turn is right by its check, 0.0 when it is not, and None where no
    rule can tell: a program and nothing to run it, or a mathematical comparison that ran out of
    time. Thoughts (<think>) are no part of the answer.

    prompt  the turn's own text
    run     runs one program, or None
    name    the item, for the message of a fault

    An answer from which nothing can be read where a value was asked for is not right. Raises
    HarnessError where only sympy could compare and math-verify is missing, and HarnessFaultError
    where a program could not be run.
    """
    if check.code is not None:
        return _code(check.code, raw, run, name)
    text = own_text(raw)
    if check.math is not None:
        return _math(check.math, text, prompt, name)
    if check.choice is not None:
        found = find_answer(text, _asked(prompt, FormatRule("choice", check.choice.labels)))
        return float(found == check.choice.answer)
    if check.json is not None:
        return _fields(check.json, text)
    if check.constraints:
        return float(all(one.loose for one in verdicts(check.constraints, text)))
    return _exact(check.exact, text, prompt)


def check_fault(check: Check) -> str | None:
    """What is wrong with a check as it is written, as a phrase, or None."""
    if len(check.kinds) != 1:
        found = ", ".join(check.kinds) or "nothing"
        return (
            f"holds {found}, expected exactly one of math, choice, code, json, constraints, exact"
        )
    # A text equals itself, whatever it says; against a number it must be read.
    if check.math is not None and math_equal("1", check.math).reason == "unparsable gold":
        return f"`math` {check.math!r} cannot be read, expected a mathematical answer"
    if check.choice is not None:
        return _choice_fault(check.choice)
    if check.code is not None:
        return code_fault(check.code)
    if check.json is not None:
        return _fields_fault(check.json)
    for one in check.constraints:
        if (fault := constraint_fault(one.id, one.kwargs)) is not None:
            return fault
    if any(not text.strip() for text in check.exact):
        return "`exact` holds a blank text, expected what an answer may be"
    return None


def _code(task: CodeTask, raw: str, run: RunOne | None, name: str) -> float | None:
    if run is None:
        return None
    scores = score_code(task, raw, "stop", lambda source: run(code_run(task, source)), name)
    return next(one.value for one in scores if one.metric == "lenient")


def _math(gold: str, text: str, prompt: str, name: str) -> float | None:
    found = extract_math_answer(text, prompt)
    if found is None:
        return 0.0
    verdict = math_equal(found, gold)
    if verdict.reason == "math-verify is not installed":
        raise HarnessError(
            f"item {name}: {found[:80]!r} cannot be compared with {gold[:80]!r} without "
            f"math-verify; run `{INSTALL}`"
        )
    if verdict.outcome == "undecided" and verdict.reason != "unparsable answer":
        return None
    return float(verdict.equal)


def _fields(check: FieldsCheck, text: str) -> float:
    """Whether exactly one object of the text has a key of the check, and that object is right."""
    schema, gold = _schema(check), {key: one.value for key, one in check.fields.items()}
    found = {
        json.dumps(one, ensure_ascii=False): None
        for one in objects_in(text)
        if any(key in one for key in gold)
    }
    if len(found) != 1:
        return 0.0
    return float(
        verify_fields(next(iter(found)), json.dumps(gold, ensure_ascii=False), schema).equal
    )


def _exact(accepted: tuple[str, ...], text: str, prompt: str) -> float:
    golds = {normalise(one) for one in accepted}
    if normalise(text) in golds:
        return 1.0
    found = find_answer(text, _asked(prompt, FormatRule("span")))
    return float(found is not None and normalise(found) in golds)


def _asked(prompt: str, rule: FormatRule) -> Item:
    """An item of one turn, for the readers of answers."""
    return Item("", "", (prompt,), "", rule, "exact")


def _choice_fault(check: ChoiceCheck) -> str | None:
    if len(set(check.labels)) < 2:
        return "`choice.labels` needs two or more different labels"
    if check.answer not in check.labels:
        return f"`choice.answer` {check.answer!r} is not one of {', '.join(check.labels)}"
    return None


def _schema(check: FieldsCheck) -> Mapping[str, FieldType]:
    return {key: cast(FieldType, one.type) for key, one in check.fields.items()}


def _fields_fault(check: FieldsCheck) -> str | None:
    for key, one in check.fields.items():
        if one.type not in FIELD_TYPES:
            known = ", ".join(FIELD_TYPES)
            return f"`json.fields.{key}.type` is {one.type!r}, expected one of {known}"
    gold: dict[str, Any] = {key: one.value for key, one in check.fields.items()}
    text = json.dumps(gold, ensure_ascii=False)
    try:
        verify_fields(text, text, _schema(check))
    except HarnessError as error:
        return f"`json`: {error}"
    return None
