"""Runs inside the sandbox: has each step of each program run by a fresh child, and reports.

Reads one JSON object a line from its standard input and writes one a line to its standard output.
It decides nothing about right or wrong: it never sees what a test expects of a value or an output.
"""

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
from collections.abc import Iterable
from typing import Any

from . import child, scratch
from .watch import HostGoneError, Report, is_init, run_step

PR_SET_DUMPABLE, PR_SET_SECCOMP = 4, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SECCOMP_MODE_FILTER = 2


def main() -> None:
    # The way to the host moves out of reach of descriptors 0 to 2, which programs are given.
    host_in, host_out = os.dup(0), os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    lines = os.fdopen(host_in, "rb")

    def say(row: Report) -> None:
        text = memoryview((json.dumps(row) + "\n").encode())
        while text:
            text = text[os.write(host_out, text) :]

    try:
        hello = json.loads(lines.readline())
        scratch.private = hello["private"]
        confine(bytes.fromhex(hello["filter"]))
        if not (scratch.clean() and os.access(scratch.HERE, os.W_OK)):
            raise OSError(f"the directory {scratch.HERE} cannot be emptied or written to")
        child.preload()
    except Exception as error:
        say({"ready": False, "why": repr(error)})
        return
    say({"ready": True, "python": sys.version.split()[0], "init": is_init()})
    # What is here now is shared with every child, and the collector need not touch it.
    gc.collect()
    gc.freeze()
    with contextlib.suppress(HostGoneError, BrokenPipeError):
        for report in serve(map(json.loads, lines), host_in):
            say(report)


def serve(jobs: Iterable[dict[str, Any]], host: int) -> Iterable[Report]:
    """For each job one report a step, then whether all was left clean. "worn" in a step's stead
    ends the job: the directory could not be emptied, and a fresh sandbox is wanted."""
    for job in jobs:
        failed = build(job, host) if "compile" in job else None
        for step in job["steps"]:
            if not scratch.clean():
                yield {"worn": True}
                break
            # A word that says, at the end of a test's text, that the end was reached.
            token = os.urandom(16).hex()
            if failed is None:
                scratch.place(job, step, token)
            yield failed or run_step(job, step, token, host)
        else:
            yield {"clean": scratch.clean()}


def build(job: dict[str, Any], host: int) -> Report | None:
    """Compiles a program and keeps what came out; the report of a compilation that failed."""
    scratch.place(job, {}, "")
    limits = job["compile_limits"]
    compiling = {**job, "command": job["compile"], "limits": limits, "address_space": -1}
    report = run_step(compiling, {"stdin": None}, "", host)
    if report["stopped"] or report["status"]:
        return {**report, "compiling": True}
    job["built"] = scratch.read(job["binary"])
    return None


def confine(code: bytes) -> None:
    """No new privileges, no access to this process's memory for its equals, the given filter of
    system calls; orphans come to this process. Raises OSError where the kernel refuses."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def must(*arguments: Any) -> None:
        if prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({arguments[0]}) failed")

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    # The one signal that the first process of a namespace would take from those within.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    must(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    must(PR_SET_DUMPABLE, 0, 0, 0, 0)
    must(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Eight bytes an instruction.
    must(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Filter(len(code) // 8, code)), 0, 0)
