"""What a coding item asks for and how a program that answers it is tested: plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

CodeKind = Literal["function", "complete", "fix", "explain", "program"]
TestKind = Literal["calls", "stdio", "assert-file"]

# Every problem of ours has more; an imported one may have a single file of asserts.
_NEEDED = {"calls": "`args` and `expected`", "stdio": "`stdin` and `stdout`"}


@dataclass(frozen=True)
class CodeTest:
    """One hidden test; which fields it fills depends on `CodeTask.checks`.

    args, expected  calls: the arguments of one call and the value it must return, JSON values.
                    The program returns its value and never sees what was expected
    stdin, stdout   stdio: what the program reads and what it must print
    source          assert-file: Python text that is run after the program and raises when it is
                    wrong. A program could cheat it, so our own sets do not use it
    """

    args: tuple[Any, ...] | None = None
    expected: Any = None
    stdin: str | None = None
    stdout: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class CodeTask:
    """A program that is wanted.

    kind         function: written from its docstring; complete: its missing part filled in; fix:
                 its bug mended; explain: written after the approach is explained in Japanese;
                 program: reads standard input and prints
    entry_point  the function that tests call; empty for a program
    checks       how `tests` are to be read
    tests        hidden tests, all of which a right program passes
    given        the code that the prompt shows: a signature, a gap or a bug to mend
    reference    a right program; neither asked nor scored
    setup        Python text that assert-file tests need before the program
    tolerance    how far a float may be off, absolutely or relatively; None: as JSON prints it
    """

    kind: CodeKind
    entry_point: str
    checks: TestKind
    tests: tuple[CodeTest, ...]
    given: str = ""
    reference: str = ""
    setup: str = ""
    tolerance: float | None = None
    language: Literal["python"] = field(default="python")

    def scored(self) -> dict[str, Any]:
        """All that can change a score, for the item's hash: everything but the reference."""
        return {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name != "reference"
        }


def code_fault(task: CodeTask) -> str | None:
    """What is wrong with a task by itself, as a phrase, or None."""
    if not task.tests:
        return "`code.tests` is empty, expected one or more hidden tests"
    if (task.kind == "program") != (task.checks == "stdio"):
        return "`code.kind` program and `code.checks` stdio go together"
    if task.checks == "stdio" and task.entry_point:
        return "`code.entry_point` is filled, expected none for a program"
    if task.checks == "calls" and not task.entry_point.isidentifier():
        return f"`code.entry_point` is {task.entry_point!r}, expected the function's name"
    if task.tolerance is not None and not (math.isfinite(task.tolerance) and task.tolerance >= 0):
        return f"`code.tolerance` is {task.tolerance}, expected a small positive number"
    for position, test in enumerate(task.tests):
        if (fault := _test_fault(task.checks, test)) is not None:
            return f"`code.tests[{position}]` {fault}"
    return None


def _test_fault(checks: TestKind, test: CodeTest) -> str | None:
    filled = {
        "calls": test.args is not None,
        "stdio": test.stdin is not None and test.stdout is not None,
        "assert-file": test.source is not None,
    }
    if not filled[checks]:
        return f"lacks {_NEEDED.get(checks, '`source`')}, which checks {checks} needs"
    foreign = {
        "calls": test.stdin is not None or test.stdout is not None or test.source is not None,
        "stdio": test.args is not None or test.expected is not None or test.source is not None,
        "assert-file": test.args is not None or test.stdin is not None or test.stdout is not None,
    }
    if foreign[checks]:
        return f"has fields of another kind of test, expected those of {checks}"
    return None
