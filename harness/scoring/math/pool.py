"""Runs comparisons in worker processes that can be killed, a few of which are kept for reuse.

Beside its neighbours this module is not pure: sympy can take any time and memory over an
expression that a model made up, and only a process can be stopped from outside.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import threading
from functools import cache
from typing import Any

from harness.line_worker import LineWorker
from harness.scoring.math.verdict import REASONS, MathVerdict, Reason

_MOST_WORKERS = min(4, os.cpu_count() or 1)
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
            reply = worker.ask({"answer": answer, "gold": gold}, timeout)
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


class _Pool:
    """Idle workers of this process; a forked child starts its own."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.slots = threading.BoundedSemaphore(_MOST_WORKERS)
        self.lock = threading.Lock()
        self.idle: list[LineWorker] = []

    def take(self) -> LineWorker:
        with self.lock:
            worker = self.idle.pop() if self.idle else None
        return (
            worker
            if worker is not None and worker.process.poll() is None
            else LineWorker("harness.scoring.math.worker")
        )

    def give_back(self, worker: LineWorker) -> None:
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
