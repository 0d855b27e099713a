"""Programs that a teacher wrote: found in its replies, run in the sandbox, proven by each other."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Sequence
from typing import Any

from harness.items.code_task import CodeTask, CodeTest
from harness.items.schema import FormatRule
from harness.sandbox.pool import Pool
from harness.sandbox.runner import program, sandbox_runner
from harness.scoring.code.equal import same_value
from harness.scoring.code.extract import blocks, extract_code
from harness.scoring.code.types import CodeOutcome, CodeRun, code_run
from training.synthesis.asked import (
    UNPROVEN,
    Answer,
    Outcome,
    Question,
    ask_all,
    draws,
    item_of,
    kept,
    merged,
)
from training.synthesis.reading import STAGE, read
from training.synthesis.teacher_prompts import teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Proof

# Fewer tests prove little; more are a loop.
FEWEST, MOST = 3, 20
# Floats that two programs computed in different ways are this close.
TOLERANCE = 1e-6


def executed(order: Order, ask: Ask, questions: Sequence[Question]) -> list[Outcome]:
    """Answers to coding questions proven by execution.

    For each question the teacher is asked for a solution with tests, and by itself, from the
    question alone, for a second solution. The first is kept when both pass every test in the
    sandbox. Tests are read as calls and values (`read_tests`): no program sees what is expected.
    Tests that a program without a thought would pass (`passed_blindly`) prove nothing, and the
    candidate is dropped.
    """
    tested = teacher_prompt("answers", "coding", "tested")
    alone = teacher_prompt("answers", "coding", "solution")
    groups = ask_all(
        ask, [draws(order, tested, one, 1) + draws(order, alone, one, 1) for one in questions]
    )
    outcomes: list[Outcome] = []
    runs: list[CodeRun] = []
    for question, (first, second) in zip(questions, groups, strict=True):
        found, other = read(tested, first), read(alone, second)
        if isinstance(found, Dropped):
            outcomes.append(found)
            continue
        if isinstance(other, Dropped):
            outcomes.append(other)
            continue
        tests = read_tests(found["tests"], question.entry_point)
        if isinstance(tests, str):
            outcomes.append(Dropped(STAGE, tests, first.text))
            continue
        task = task_of(question.entry_point, tests)
        own, again = (extract_code(one["answer"], task) for one in (found, other))
        if own is None or again is None:
            outcomes.append(Dropped(STAGE, "no program that defines the function", first.text))
            continue
        proof = Proof("execution", True, f"two solutions pass {len(tests)} tests")
        item = item_of(order, question, "", FormatRule("free"), "code", task)
        outcomes.append(Answer(found["answer"], "", proof, tested.label, item))
        runs += [code_run(task, own), code_run(task, again)]
    ends, left = run_all(runs), kept(outcomes)
    checked = [_checked(*one) for one in zip(left, ends[::2], ends[1::2], strict=True)]
    return merged(outcomes, checked)


def _checked(answer: Answer, own: CodeOutcome, again: CodeOutcome) -> Outcome:
    for whose, end in (("its own program", own), ("the second program", again)):
        if end.verdict != "passed":
            return Dropped(UNPROVEN, f"{whose}: {end.verdict}", answer.text)
    return answer


def task_of(entry_point: str, tests: Sequence[CodeTest]) -> CodeTask:
    """The task of a function that has to pass tests; floats are compared closely, not exactly."""
    inexact = any(_has_float(one.expected) for one in tests)
    return CodeTask(
        "function", entry_point, "calls", tuple(tests), tolerance=TOLERANCE if inexact else None
    )


def _has_float(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_float, value))
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    return isinstance(value, float)


def read_tests(text: str, entry_point: str) -> tuple[CodeTest, ...] | str:
    """The tests of lines such as `assert f(3, [1, 2]) == 6`, in one closed fenced block or none;
    or a phrase that says what is wrong with them.

    Every line has to be one such test: a call of the entry point with literal arguments by
    position, compared by == (or `is` for True, False and None) with a literal; literals are JSON
    values and tuples of them. There are 3 to 20 tests of at least 3 different calls, and not one
    that `passed_blindly` names.
    """
    fenced = blocks(text)
    if fenced:
        lines = text.strip().split("\n")
        if len(fenced) > 1 or not fenced[0].closed or not lines[0].startswith("```"):
            return "text around the tests"
        if lines[-1].strip() != "```":
            return "text around the tests"
        text = fenced[0].text
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not FEWEST <= len(lines) <= MOST:
        return f"{len(lines)} tests, expected {FEWEST} to {MOST}"
    tests = []
    for line in lines:
        test = _test(line, entry_point)
        if test is None:
            return "a test that is no assert of a call and a value"
        tests.append(test)
    calls = {json.dumps(one.args, sort_keys=True) for one in tests}
    if len(calls) < FEWEST:
        return f"fewer than {FEWEST} different calls"
    if (blind := passed_blindly(tests)) is not None:
        return f"tests that {blind} would pass"
    return tuple(tests)


def _test(line: str, entry_point: str) -> CodeTest | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (statement,) = ast.parse(line).body
            match statement:
                case ast.Assert(
                    test=ast.Compare(
                        left=ast.Call(func=ast.Name(id=name), args=args, keywords=[]),
                        ops=[ast.Eq() | ast.Is()],
                        comparators=[value],
                    )
                ) if name == entry_point:
                    given = tuple(_literal(one) for one in args)
                    return CodeTest(args=given, expected=_literal(value))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    return None


def _literal(node: ast.expr) -> Any:
    """A literal's value. Raises ValueError for what JSON would change (but for tuples)."""
    value = ast.literal_eval(node)
    if not same_value(value, json.loads(json.dumps(value, allow_nan=False))):
        raise ValueError("no JSON value")
    return value


def passed_blindly(tests: Sequence[CodeTest]) -> str | None:
    """Which program without a thought would pass all tests, or None: one that returns always the
    same value (None, 0 and an empty list among them), or one of its arguments."""
    first = tests[0].expected
    if all(same_value(first, one.expected) for one in tests):
        return "a constant"
    arity = min(len(one.args or ()) for one in tests)
    for place in range(arity):
        if all(same_value(one.expected, (one.args or ())[place]) for one in tests):
            return "its own argument"
    return None


def run_all(runs: Sequence[CodeRun]) -> list[CodeOutcome]:
    """What came of runs, in the sandbox; none, no sandbox is started."""
    if not runs:
        return []
    with Pool() as pool:
        return list(sandbox_runner(pool)(runs))


def computed_values(sources: Sequence[str | None]) -> list[str | None]:
    """What `answer()` returns in each program, as JSON text; None where there is no program, or
    it does not end with a JSON value."""
    tests = (CodeTest(args=()),)
    return [
        None if found is None else found[0]
        for found in returned(
            [
                None if one is None else CodeRun(one, "calls", tests, entry_point="answer")
                for one in sources
            ]
        )
    ]


def returned(runs: Sequence[CodeRun | None]) -> list[list[str | None] | None]:
    """The values (JSON text) that a run's tests return, expected values aside; None for a test
    that does not end with one, and in place of no run."""
    if not any(runs):
        return [None for _ in runs]
    from concurrent.futures import ThreadPoolExecutor

    def values(run: CodeRun | None) -> list[str | None] | None:
        if run is None:
            return None
        ends = pool.run(program(run))
        return [one.value if one.ending == "normal" else None for one in ends]

    with Pool() as pool, ThreadPoolExecutor(pool.workers, thread_name_prefix="values") as threads:
        return list(threads.map(values, runs))
