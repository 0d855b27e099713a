"""Runs programs that this project wrote itself (references and their mutants) in a plain child
process. Never for what a model wrote: that is the sandbox's."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.scoring.code.equal import same_output, same_value
from harness.scoring.code.types import CodeOutcome, CodeRun

_ROOT = Path(__file__).resolve().parents[1]


class _OutOfTimeError(BaseException):
    """Not an Exception, so that `except Exception` of a program cannot swallow it."""


def run_trusted(
    runs: Sequence[CodeRun], *, stop_early: bool = False, seconds: float = 2.0
) -> list[CodeOutcome]:
    """A `Runner` for our own programs; `seconds` of processor time for each test."""
    job = {"runs": [asdict(run) for run in runs], "stop": stop_early, "seconds": seconds}
    child = subprocess.run(
        [sys.executable, "-m", "tests.code_runner"],
        input=json.dumps(job, ensure_ascii=False).encode(),
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        check=True,
    )
    return [CodeOutcome(**row) for row in json.loads(child.stdout)]


def _call(run: dict[str, Any], test: dict[str, Any], code: Any) -> tuple[bool, Any]:
    space: dict[str, Any] = {"__name__": "solution"}
    if run["checks"] == "calls":
        exec(code, space)
        found = space[run["entry_point"]](*copy.deepcopy(test["args"]))
        found = json.loads(json.dumps(found))
        return same_value(test["expected"], found, run["tolerance"]), found
    if run["checks"] == "stdio":
        out, before = io.StringIO(), sys.stdin
        sys.stdin = io.StringIO(test["stdin"])
        try:
            with contextlib.redirect_stdout(out):
                exec(code, {"__name__": "__main__"})
        finally:
            sys.stdin = before
        return same_output(test["stdout"], out.getvalue()), out.getvalue()
    exec(run["setup"], space)
    exec(code, space)
    exec(test["source"], space)
    return True, None


def _outcome(run: dict[str, Any], stop: bool, seconds: float) -> CodeOutcome:
    verdict, passed, first, detail = "passed", 0, None, ""
    try:
        code = compile(run["source"], "solution", "exec")
    except SyntaxError as error:
        return CodeOutcome("error", 0, 0, f"SyntaxError: {error.msg}")
    for position, test in enumerate(run["tests"]):
        failure = ""
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
            good, found = _call(run, test, code)
            failure, why = ("", "") if good else ("failed", repr(found)[:80])
        except _OutOfTimeError:
            failure, why = "timeout", ""
        except AssertionError:
            failure, why = "failed", "AssertionError"
        except MemoryError:
            failure, why = "memory", ""
        except (Exception, SystemExit) as error:
            failure, why = "error", f"{type(error).__name__}: {error}"[:80]
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        passed += not failure
        if failure and first is None:
            verdict, first, detail = failure, position, why
            if stop:
                break
    return CodeOutcome(verdict, passed, first, detail)  # type: ignore[arg-type]


def _main() -> None:
    import resource

    def out_of_time(*_: object) -> None:
        raise _OutOfTimeError

    signal.signal(signal.SIGVTALRM, out_of_time)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    job = json.load(sys.stdin)
    found = [asdict(_outcome(run, job["stop"], job["seconds"])) for run in job["runs"]]
    sys.__stdout__.write(json.dumps(found))  # type: ignore[union-attr]


if __name__ == "__main__":
    _main()
