"""Runs comparisons in worker processes that can be killed, a few of which are kept for reuse.

Beside its neighbours this module is not pure: sympy can take any time and memory over an
expression that a model made up, and only a process can be stopped from outside.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
import time
from functools import cache
from typing import Any

from harness.scoring.math.verdict import REASONS, MathVerdict, Reason

_MOST_WORKERS = min(4, os.cpu_count() or 1)
# Importing sympy takes seconds on a busy machine; that is no comparison's fault.
_START_LIMIT = 120.0
# sympy's caches grow; a worker is replaced after so many comparisons.
_MOST_QUESTIONS = 500


@cache
def installed() -> bool:
    """Whether math-verify is there."""
    return importlib.util.find_spec("math_verify") is not None


def ask(answer: str, gold: str, timeout: float) -> MathVerdict:
    """A worker's verdict on two canonical texts; undecided when it reaches a limit. Safe to call
    from several threads."""
    if not installed():
        return MathVerdict("undecided", "math-verify is not installed")
    with _POOL.slots:
        worker = _POOL.take()
        try:
            reply = worker.ask({"answer": answer, "gold": gold, "seconds": timeout}, timeout)
        except BaseException:
            worker.kill()
            raise
        _POOL.give_back(worker)
    return _verdict(reply)


def _verdict(reply: dict[str, Any]) -> MathVerdict:
    outcome, reason = reply.get("outcome"), reply.get("reason")
    if outcome == "equal":
        return MathVerdict("equal", by="sympy")
    if outcome == "unequal":
        return MathVerdict("unequal", by="sympy")
    known: Reason = reason if reason in REASONS else "crashed"
    return MathVerdict("undecided", known)


class _Worker:
    """One process that answers a line of JSON with a line of JSON."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.scoring.math.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.asked = 0
        self.alive = self._line(_START_LIMIT) is not None

    def ask(self, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        if not self.alive:
            return {"reason": "crashed"}
        self.asked += 1
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            self.kill()
            return {"reason": "crashed"}
        start = time.monotonic()
        line = self._line(timeout)
        if line is not None:
            try:
                reply: dict[str, Any] = json.loads(line)
            except ValueError:
                reply = {"reason": "crashed"}
            return reply
        late = time.monotonic() - start >= 0.95 * timeout
        self.kill()
        return {"reason": "timeout" if late else "crashed"}

    def _line(self, timeout: float) -> bytes | None:
        """The next line, or None when it does not come in time or the process ends."""
        assert self.process.stdout is not None
        end = time.monotonic() + timeout
        handle, read = self.process.stdout.fileno(), b""
        while not read.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                return None
            piece = os.read(handle, 65536)
            if not piece:
                return None
            read += piece
        return read

    def kill(self) -> None:
        self.alive = False
        with contextlib.suppress(OSError):
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()


class _Pool:
    """Idle workers of this process; a forked child starts its own."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.slots = threading.BoundedSemaphore(_MOST_WORKERS)
        self.lock = threading.Lock()
        self.idle: list[_Worker] = []

    def take(self) -> _Worker:
        with self.lock:
            worker = self.idle.pop() if self.idle else None
        return worker if worker is not None and worker.process.poll() is None else _Worker()

    def give_back(self, worker: _Worker) -> None:
        if not worker.alive or worker.asked >= _MOST_QUESTIONS:
            worker.kill()
            return
        with self.lock:
            self.idle.append(worker)

    def close(self) -> None:
        with self.lock:
            idle, self.idle = self.idle, []
        for worker in idle:
            worker.kill()


_POOL = _Pool()
atexit.register(_POOL.close)
os.register_at_fork(after_in_child=_POOL.reset)


def close() -> None:
    """Ends the workers that wait; the next comparison starts new ones."""
    _POOL.close()
