"""Reads the zygote's report of one step: the facts become an ending and a line for people."""

from __future__ import annotations

import errno
import os
import signal
from typing import Any

from harness.sandbox.types import Ending, Execution, Program, Step

_REFUSED = {errno.EPERM, errno.EACCES, errno.EROFS}
_FULL = {errno.EFBIG, errno.ENOSPC, errno.EDQUOT}
_OUT_OF_MEMORY = ("bad_alloc", "heap out of memory", "Cannot allocate memory")


def execution(row: dict[str, Any], program: Program, step: Step) -> Execution:
    """The execution that a report describes. The report's facts are the zygote's own but for
    `said`, which comes from the program's process: it can at most be wrong about the program's
    own value or exception, and what is right is decided where neither is known to it."""
    said, status = row["said"], int(row["status"])
    ending, detail = _ending(row, said, program)
    value = said.get("value")
    if ending == "normal" and step.args is not None and not isinstance(value, str):
        if "type" in said:
            detail = f"returned a value of type {_text(said['type'])}, which is no JSON value"
        else:
            ending, detail = "error", "it left before it returned"
    if ending == "normal" and step.source is not None and not row["done"]:
        ending, detail = "error", "it left before the end of its tests"
    return Execution(
        ending,
        detail,
        row["stdout"],
        row["stderr"],
        value if isinstance(value, str) else None,
        row["seconds"],
        row["cpu"],
        # The zygote names what it kills for.
        not row["stopped"] and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
    )


def _ending(row: dict[str, Any], said: dict[str, Any], program: Program) -> tuple[Ending, str]:
    if row.get("compiling"):
        return _compilation(row)
    limits = program.limits
    match row["stopped"]:
        case "timeout":
            return (
                "timeout",
                f"over {limits.cpu:g} s of processor or {limits.wall:g} s of real time",
            )
        case "memory":
            return "memory", f"over {limits.memory / 1024**2:.0f} MiB"
        case "output limit":
            return "output limit", f"over {limits.output / 1024**2:g} MiB of output"
        case "processes":
            return "forbidden", f"over {limits.processes} processes"
    status = int(row["status"])
    if os.WIFSIGNALED(status):
        return _killed(os.WTERMSIG(status), row["stderr"])
    if "error" in said:
        return _raised(said, limits.processes)
    code = os.WEXITSTATUS(status)
    if code:
        if any(words in row["stderr"] for words in _OUT_OF_MEMORY):
            return "memory", f"over {limits.memory / 1024**2:.0f} MiB"
        return "error", f"exit status {code}"
    return "normal", ""


def _compilation(row: dict[str, Any]) -> tuple[Ending, str]:
    if row["stopped"]:
        return "error", f"compilation: {row['stopped']}"
    lines = [line for line in row["stderr"].splitlines() if "error" in line]
    return "error", f"compilation: {lines[0] if lines else 'failed'}"[:300]


def _killed(number: int, stderr: str) -> tuple[Ending, str]:
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    if number == signal.SIGSYS:
        return "forbidden", "a system call that no program may make"
    if number == signal.SIGXCPU:
        return "timeout", "processor time"
    if number == signal.SIGXFSZ:
        return "output limit", "a file over its size"
    if number == signal.SIGABRT and any(words in stderr for words in _OUT_OF_MEMORY):
        return "memory", "allocation failed"
    return "error", f"killed by {name}"


def _raised(said: dict[str, Any], processes: int) -> tuple[Ending, str]:
    kind, number = _text(said["error"]), said.get("errno")
    line = f"{kind}: {_text(said.get('text', ''))}".strip(": ")
    if kind == "MemoryError" or number == errno.ENOMEM:
        return "memory", line
    if number in _REFUSED:
        return "forbidden", line
    if number in _FULL:
        return "output limit", line
    if number == errno.EAGAIN or "can't start new thread" in line:
        return "forbidden", f"{line} (over {processes} processes)"
    return "error", line


def _text(value: Any) -> str:
    """One line of what the program's process said, whatever it said; lone surrogates go."""
    line = " ".join(str(value).split())[:300]
    return line.encode("utf-8", "replace").decode()
