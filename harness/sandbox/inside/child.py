"""The child's side of a fork: becomes the untrusted program's process, and never returns."""

import atexit
import builtins
import contextlib
import ctypes
import importlib
import json
import os
import random
import resource
import signal
import sys
import threading
import traceback
import types
from collections.abc import Sequence
from typing import Any, NoReturn

from . import scratch

# Imported before any fork, so that programs which use them start at once.
_MODULES = (
    *("abc", "bisect", "collections", "collections.abc", "copy", "dataclasses", "datetime"),
    *("decimal", "enum", "fractions", "functools", "heapq", "io", "itertools", "math"),
    *("operator", "re", "statistics", "string", "struct", "textwrap", "time"),
    *("typing", "unicodedata"),
)
# Bound before any program runs: a program that patches a module does not change these.
_exec, _compile, _write, _exit, _untrace = exec, compile, os.write, os._exit, sys.settrace
_encode = json.JSONEncoder().encode
_prctl = ctypes.CDLL(None).prctl
_PR_SET_DUMPABLE = 4
_RESULT = 3
# Where Python's own library lies, in a sandbox that shows it elsewhere than it was built for.
_LIBRARIES = {key: text for key, text in os.environ.items() if key == "LD_LIBRARY_PATH"}


def preload() -> None:
    for name in _MODULES:
        importlib.import_module(name)


def become_program(
    job: dict[str, Any], step: dict[str, Any], files: Sequence[int], token: str
) -> NoReturn:
    """Runs one step of a job.

    files  descriptors: standard input, output and error, and where the result goes
    """
    try:
        os.setsid()
        for target, source in enumerate(files):
            os.dup2(source, target)
        os.closerange(_RESULT + 1, 4096)
        _limit(job)
        os.chdir(scratch.HERE)
        os.environ.clear()
        os.environ.update(
            PATH="/usr/local/bin:/usr/bin:/bin",
            HOME=scratch.HERE,
            TMPDIR=scratch.HERE,
            LANG="C.UTF-8",
            **_LIBRARIES,
        )
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # A program may look at itself: /dev/stdin is a link into its own entry in /proc.
        _prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        if "command" not in job:
            _run_python(job, step, token)
        if not step.get("append"):
            os.close(_RESULT)
        os.execv(job["command"][0], job["command"])
    except BaseException as error:
        os.write(2, f"sandbox: {error!r}\n".encode())
    finally:
        os._exit(125)


def _limit(job: dict[str, Any]) -> None:
    limits = job["limits"]
    space = job.get("address_space") or limits["memory"]
    for kind, value in (
        # A second more than what is watched for all processes together.
        (resource.RLIMIT_CPU, int(limits["cpu"]) + 2),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_NPROC, limits["processes"] + job["others"]),
        (resource.RLIMIT_AS, space if space > 0 else resource.RLIM_INFINITY),
    ):
        resource.setrlimit(kind, (value, value))


def _run_python(job: dict[str, Any], step: dict[str, Any], token: str) -> NoReturn:
    sys.stdin = open(0, encoding="utf-8", errors="replace")  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    # A program that puts others in their place may want these back.
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    streams = (sys.stdout, sys.stderr)
    sys.argv = ["solution.py"]
    random.seed(0)  # So that a program gets the same verdict each time.
    sys.path.insert(0, scratch.HERE)
    script = step["args"] is None and step["source"] is None
    module = types.ModuleType("__main__" if script else "solution")
    sys.modules["__main__"] = sys.modules[module.__name__] = module
    said: dict[str, Any] = {}
    status = 0
    try:
        if step["args"] is not None:
            said = _call(job, step["args"], module)
        elif step["source"] is not None:
            _assert(job, step["source"], module)
            said = {"done": token}
        else:
            _load(job, module)
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
    except SystemExit as stop:
        status = _leave(stop) if script else 1
        text = str(status) if script else "it left before its end"
        said = {"error": "SystemExit", "text": text} if status else {}
    except BaseException as error:
        status, said = 1, _describe(error)
        with contextlib.suppress(BaseException):
            traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr, *streams):
        try:
            if not getattr(stream, "closed", False):
                stream.flush()
        except BaseException as error:
            status, said = status or 1, said if status else _describe(error)
    _write(_RESULT, (_encode(said) + "\n").encode())
    _exit(status)


def _load(job: dict[str, Any], module: types.ModuleType) -> None:
    if job["setup"]:
        _exec(_compile(job["setup"], "setup.py", "exec"), module.__dict__)
    _exec(_compile(job["source"], "solution.py", "exec"), module.__dict__)


def _call(job: dict[str, Any], args: Sequence[Any], module: types.ModuleType) -> dict[str, Any]:
    _load(job, module)
    value = getattr(module, job["entry_point"])(*args)
    sys.set_int_max_str_digits(0)
    try:
        return {"value": _encode(value)}
    except (TypeError, ValueError, RecursionError):
        return {"type": type(value).__name__}


def _assert(job: dict[str, Any], source: str, module: types.ModuleType) -> None:
    """The tests see the program's names, and the built-in functions as they were before it ran."""
    pristine = dict(builtins.__dict__)
    _load(job, module)
    _untrace(None)
    space = dict(module.__dict__)
    space["__builtins__"] = pristine
    _exec(_compile(source, "tests.py", "exec"), space)


def _leave(stop: SystemExit) -> int:
    """The exit status that Python gives a SystemExit."""
    if stop.code is None or isinstance(stop.code, int):
        return (stop.code or 0) & 0xFF
    sys.stderr.write(f"{stop.code}\n")
    return 1


def _describe(error: BaseException) -> dict[str, Any]:
    text = ""
    with contextlib.suppress(BaseException):
        text = str(error)[:300]
    number = error.errno if isinstance(error, OSError) else None
    return {"error": type(error).__name__, "text": text, "errno": number}
