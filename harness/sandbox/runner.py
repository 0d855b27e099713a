"""Puts programs to hidden tests in the sandbox, and decides outside it which of them they pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from harness.items.code_task import CodeTest
from harness.sandbox.pool import Pool
from harness.sandbox.types import LANGUAGES, Execution, Limits, Program, Step
from harness.scoring.code.equal import same_output, same_value
from harness.scoring.code.types import CodeOutcome, CodeRun, Runner, Verdict

# Real time may be this many times the processor time: a busy machine fails no program, and one
# that sleeps is not waited for long.
_WALL_TIMES = 3.0

# The verdict upon one test, and a line for people.
_Judged = tuple[Verdict, str]


def sandbox_runner(pool: Pool) -> Runner:
    """What `scoring.code` and the protocols run programs by. Several runs go on at once, and so do
    the tests of one run that comes alone."""

    def judge(part: CodeRun) -> list[_Judged]:
        # Decided at once: what a thousand programs printed is not kept until the last has ended.
        found = pool.run(program(part))
        return [_verdict(part, *pair) for pair in zip(part.tests, found, strict=True)]

    def run(runs: Sequence[CodeRun]) -> list[CodeOutcome]:
        parts = [_parts(one, pool.workers if len(runs) == 1 else 1) for one in runs]
        flat = [part for each in parts for part in each]
        with ThreadPoolExecutor(pool.workers, thread_name_prefix="sandbox") as threads:
            judged = threads.map(judge, flat)
            return [_outcome([one for _ in each for one in next(judged)]) for each in parts]

    return run


def _parts(run: CodeRun, most: int) -> list[CodeRun]:
    """A run as several with some of its tests each; every test starts afresh anyway."""
    if run.language == "cpp" or len(run.tests) < 2 * most:  # Compiled once.
        return [run]
    size = -(-len(run.tests) // most)
    starts = range(0, len(run.tests), size)
    return [replace(run, tests=run.tests[start : start + size]) for start in starts]


def program(run: CodeRun) -> Program:
    """The program of a run, with a step for each of its tests; nothing in it says what a value or
    an output should be."""
    language = next((one for one in LANGUAGES if one == run.language), None)
    if language is None:
        raise ValueError(f"language {run.language!r}: expected one of {', '.join(LANGUAGES)}")
    limits = Limits(
        cpu=run.limits.seconds,
        wall=_WALL_TIMES * run.limits.seconds,
        memory=run.limits.memory,
        output=run.limits.output,
    )
    steps = tuple(_step(run, test) for test in run.tests)
    return Program(run.source, language, steps, run.entry_point, run.setup, limits)


def _outcome(judged: Sequence[_Judged]) -> CodeOutcome:
    """The verdict upon a program is that upon the first test it did not pass."""
    passed = sum(verdict == "passed" for verdict, _ in judged)
    for position, (verdict, detail) in enumerate(judged):
        if verdict != "passed":
            return CodeOutcome(verdict, passed, position, detail)
    return CodeOutcome("passed", passed)


def _step(run: CodeRun, test: CodeTest) -> Step:
    match run.checks:
        case "calls":
            return Step(args=test.args)
        case "stdio":
            return Step(stdin=test.stdin)
        case "assert-file":
            return Step(source=test.source)


def _verdict(run: CodeRun, test: CodeTest, found: Execution) -> _Judged:
    if found.ending != "normal":
        # The test's own complaint is a wrong answer, not a program that broke.
        asserted = run.checks == "assert-file" and found.detail.startswith("AssertionError")
        return "failed" if asserted else found.ending, found.detail
    match run.checks:
        case "calls":
            good, shown = _returned(run, test, found)
        case "stdio":
            good, shown = same_output(test.stdout or "", found.stdout), repr(found.stdout)
        case "assert-file":
            good, shown = True, ""
    return ("passed", "") if good else ("failed", shown[:200])


def _returned(run: CodeRun, test: CodeTest, found: Execution) -> tuple[bool, str]:
    if found.value is None:
        return False, found.detail
    try:
        value = json.loads(found.value)
        return same_value(test.expected, value, run.tolerance), f"returned {found.value}"
    except (ValueError, RecursionError, OverflowError):
        return False, "returned a value too large or too deep to be compared"
