"""Answers proven by agreement: the same value from most of a teacher's independent attempts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from harness.items.code_task import CodeTask, CodeTest
from harness.items.schema import FormatRule, JsonType
from harness.scoring.code.extract import extract_code
from harness.scoring.json_object import InvalidObjectError, parse_object
from harness.scoring.math import extract_math_answer, math_equal
from harness.scoring.math.equality import exactly_equal
from harness.scoring.normalise import normalise
from harness.scoring.reading import statement
from training.synthesis import options
from training.synthesis.asked import (
    UNPROVEN,
    Answer,
    Outcome,
    Question,
    ask_all,
    draws,
    item_of,
    reply_text,
)
from training.synthesis.programs import computed_values
from training.synthesis.reading import STAGE, read
from training.synthesis.teacher_prompts import TeacherPrompt, teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Proof, Reply

# A float that a program computed stands for a value that it is this close to, relatively.
_CLOSE = Fraction(1, 10**9)
# Powers of ten beyond which a float is no answer to a question.
_LARGEST = 30


@dataclass(frozen=True)
class Attempt:
    """One readable attempt: what would be kept of it, and its answer."""

    text: str
    bare: str


@dataclass(frozen=True)
class Agreed:
    """The commonest answer's first attempt, and how many of all attempts have it."""

    attempt: Attempt
    votes: int
    of: int


def agreed(order: Order, ask: Ask, questions: Sequence[Question]) -> list[Outcome]:
    """The commonest answer to each question where enough attempts have it; see
    `answering.answered`."""
    genre, line = order.line.genre, order.line
    prompt = teacher_prompt("answers", genre)
    count = options.integer(line, "samples", 5, 2, 1000)
    least = options.share(line, "agree", 0.6)
    with_program = genre == "math" and options.switch(line, "program", True)
    computing = teacher_prompt("answers", "program")
    groups = ask_all(
        ask,
        [
            draws(order, prompt, one, count)
            + (draws(order, computing, one, 1) if with_program else [])
            for one in questions
        ],
    )
    reads = READERS[genre]
    found = [
        vote([reads(prompt, question, reply) for reply in group[:count]], SAME[genre], least)
        for question, group in zip(questions, groups, strict=True)
    ]
    values: list[str | None] = [None] * len(questions)
    if with_program:
        sources = [_program(computing, group[-1]) for group in groups]
        wanted = [
            None if isinstance(one, Dropped) else source
            for one, source in zip(found, sources, strict=True)
        ]
        values = computed_values(wanted)
    return [
        one if isinstance(one, Dropped) else _answer(order, question, prompt, one, value)
        for question, one, value in zip(questions, found, values, strict=True)
    ]


def vote(
    attempts: Sequence[Attempt | Dropped], same: Callable[[str, str], bool], least: float
) -> Agreed | Dropped:
    """The commonest answer, the first of equals; two attempts at least and the share `least` of
    all attempts, unreadable ones too, have to agree on it."""
    groups: list[list[Attempt]] = []
    for attempt in attempts:
        if isinstance(attempt, Dropped):
            continue
        group = next((one for one in groups if same(one[0].bare, attempt.bare)), None)
        if group is None:
            groups.append([attempt])
        else:
            group.append(attempt)
    if not groups:
        lost = [one for one in attempts if isinstance(one, Dropped)]
        reason = Counter(one.reason for one in lost).most_common(1)[0][0]
        return Dropped(STAGE, f"every attempt: {reason}", lost[0].text)
    best = max(groups, key=len)
    if len(best) < 2 or len(best) < least * len(attempts):
        reason = f"{len(best)} of {len(attempts)} attempts agree"
        return Dropped(UNPROVEN, reason, best[0].text)
    return Agreed(best[0], len(best), len(attempts))


def same_value(one: str, other: str) -> bool:
    """Whether two answers are equal as mathematics."""
    return math_equal(one, other).equal


def same_words(one: str, other: str) -> bool:
    """Whether two short answers are equal, typography aside, or are the same number."""
    return normalise(one) == normalise(other) or exactly_equal(one, other) is True


def same_object(one: str, other: str) -> bool:
    """Whether two JSON objects hold the same values, typography aside."""
    return bool(_normal(json.loads(one)) == _normal(json.loads(other)))


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal(held) for key, held in value.items()}
    return [_normal(one) for one in value] if isinstance(value, list) else normalise(value)


def _read_value(prompt: TeacherPrompt, question: Question, reply: Reply) -> Attempt | Dropped:
    found = read(prompt, reply)
    if isinstance(found, Dropped):
        return found
    value = extract_math_answer(f"答え：{found['answer']}", question.text)
    if value is None or math_equal("1", value).reason == "unparsable gold":
        return Dropped(STAGE, "no mathematical value behind 答え", reply.text)
    return Attempt(reply_text(reply), value)


def _read_words(prompt: TeacherPrompt, question: Question, reply: Reply) -> Attempt | Dropped:
    found = read(prompt, reply)
    if isinstance(found, Dropped):
        return found
    words = statement(found["answer"])
    return Attempt(reply_text(reply), words) if words else Dropped(STAGE, "empty", reply.text)


def _read_object(prompt: TeacherPrompt, question: Question, reply: Reply) -> Attempt | Dropped:
    found = read(prompt, reply)
    if isinstance(found, Dropped):
        return found
    try:
        value = parse_object(found["object"])
    except InvalidObjectError as fault:
        return Dropped(STAGE, str(fault), reply.text)
    if set(value) != set(question.keys):
        return Dropped(STAGE, "other keys than were asked for", reply.text)
    for held in value.values():
        texts = held if isinstance(held, list) and held else [held]
        if not all(isinstance(one, str) and one.strip() for one in texts):
            return Dropped(STAGE, "a value that is no text", reply.text)
        if not all(one in question.passage for one in texts):
            return Dropped(UNPROVEN, "a value that does not stand in the passage", reply.text)
    ordered = {key: value[key] for key in question.keys}
    return Attempt(found["object"], json.dumps(ordered, ensure_ascii=False))


Read = Callable[[TeacherPrompt, Question, Reply], Attempt | Dropped]
READERS: dict[str, Read] = {
    "math": _read_value,
    "reasoning": _read_words,
    "extraction": _read_object,
}
SAME: dict[str, Callable[[str, str], bool]] = {
    "math": same_value,
    "reasoning": same_words,
    "extraction": same_object,
}


def _program(prompt: TeacherPrompt, reply: Reply) -> str | None:
    """The program of a reply that computes the answer, where there is one."""
    found = read(prompt, reply)
    if isinstance(found, Dropped):
        return None
    task = CodeTask("function", "answer", "calls", (CodeTest(args=()),))
    return extract_code(found["answer"], task)


def _answer(
    order: Order, question: Question, prompt: TeacherPrompt, one: Agreed, value: str | None
) -> Outcome:
    bare, genre = one.attempt.bare, order.line.genre
    proof = Proof("agreement", True, f"{one.votes} of {one.of} attempts agree")
    if genre == "extraction":
        proof = replace(proof, detail=f"{proof.detail}, every value verbatim in the passage")
        kinds: dict[str, JsonType] = {
            key: "strings" if isinstance(held, list) else "string"
            for key, held in json.loads(bare).items()
        }
        item = item_of(order, question, bare, FormatRule("json", keys=kinds), "json")
    elif genre == "math":
        item = item_of(order, question, bare, FormatRule("line"), "math")
    else:
        item = item_of(order, question, bare, FormatRule("line"), "exact")
    match compared(value, bare):
        case True:
            proof = Proof("math-equality", True, f"a program and {proof.detail}")
        case False:
            reason = f"a program computed {value}, {proof.detail} on {bare}"
            return Dropped(UNPROVEN, reason[:200], one.attempt.text)
        case None:
            pass
    return Answer(one.attempt.text, bare, proof, prompt.label, item)


def compared(value: str | None, bare: str) -> bool | None:
    """Whether what a program computed (JSON) is the agreed answer; None where it cannot tell: no
    program, a value that is no number, a float that is only close."""
    if value is None:
        return None
    try:
        computed = json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    if isinstance(computed, bool) or not isinstance(computed, int | str | Decimal):
        return None
    if isinstance(computed, Decimal) and abs(computed.adjusted()) > _LARGEST:
        return None
    verdict = math_equal(str(computed), bare)
    if verdict.equal or verdict.outcome == "undecided":
        return True if verdict.equal else None
    if isinstance(computed, Decimal) and _is_close(Fraction(computed), bare):
        return None
    return False


def _is_close(value: Fraction, bare: str) -> bool:
    """Whether a rounded value may stand for an answer; yes for one that is no plain number."""
    try:
        wanted = Fraction(normalise(bare).replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return True
    return abs(value - wanted) <= _CLOSE * max(abs(wanted), Fraction(1))
