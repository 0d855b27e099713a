"""The seam to whatever runs untrusted programs: what it is given and what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from harness.items.code_task import CodeTask, CodeTest, TestKind

Verdict = Literal[
    "passed",
    "failed",
    "error",
    "timeout",
    "memory",
    "output limit",
    "forbidden",
    "harness fault",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class CodeLimits:
    """What one test may use: seconds of processor time (three times that of real time), bytes of
    memory, bytes of output."""

    seconds: float = 5.0
    memory: int = 512 * 1024 * 1024
    output: int = 1024 * 1024


@dataclass(frozen=True)
class CodeRun:
    """One untrusted program and the tests it is put to.

    source       the program
    checks       calls: `entry_point` is called with each test's `args` (a copy of its own), its
                 value comes back as JSON and is compared outside with `equal.same_value`. stdio:
                 the program is started anew for each test and its output compared outside with
                 `equal.same_output`. assert-file: `setup` and the program are run as one module,
                 and then the test's `source`, which sees its names; anew for each test
    tolerance    for `same_value`
    """

    source: str
    checks: TestKind
    tests: tuple[CodeTest, ...]
    entry_point: str = ""
    setup: str = ""
    tolerance: float | None = None
    language: str = "python"
    limits: CodeLimits = CodeLimits()


@dataclass(frozen=True)
class CodeOutcome:
    """What running a program came to.

    verdict      of the first test that was not passed; "passed" when all were. "harness fault"
                 says that the program was not tried, and nothing about it
    passed       how many tests were passed; tests after a failed one are run too
    failed_test  position of the first test that was not passed
    detail       one line for people: an exception, a wrong value
    """

    verdict: Verdict
    passed: int
    failed_test: int | None = None
    detail: str = ""


# One outcome for each run, in the same order. Does not raise for anything that a program does.
Runner = Callable[[Sequence[CodeRun]], Sequence[CodeOutcome]]


def code_run(task: CodeTask, source: str, limits: CodeLimits | None = None) -> CodeRun:
    """The run that puts a program to a task's hidden tests."""
    return CodeRun(
        source,
        task.checks,
        task.tests,
        task.entry_point,
        task.setup,
        task.tolerance,
        task.language,
        limits or CodeLimits(),
    )
