"""A pool of sandboxes: programs in, exactly one answer for each, whatever happens to a sandbox."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from harness.errors import HarnessError
from harness.sandbox.levels import best_level
from harness.sandbox.reading import KILLED
from harness.sandbox.types import Execution, Level, Program
from harness.sandbox.worker import LostError, Worker

# A sandbox that ends under a program may have been killed from outside; three in a row say that
# nothing can be learnt here.
_ATTEMPTS = 3
# A fresh sandbox now and then, whatever the last one looked like.
_PROGRAMS_PER_SANDBOX = 2000


class Pool:
    """Sandboxes of one level, started when first needed and kept until `close`.

    level    None for the strongest that works here
    workers  how many programs run at once; None for one on each core

    Safe to use from several threads. Raises HarnessError where the level does not work here.
    """

    def __init__(self, level: Level | None = None, workers: int | None = None) -> None:
        self.level: Level = level or best_level()
        self.workers = workers or len(os.sched_getaffinity(0))
        self._slots: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        self._all = [_Slot(self.level) for _ in range(self.workers)]
        for slot in self._all:
            self._slots.put(slot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, program: Program) -> tuple[Execution, ...]:
        """One execution for each step of a program, in order.

        Raises HarnessError where the sandbox cannot be started, or has not what the program's
        language needs; never for anything that the program does.
        """
        slot = self._slots.get()
        try:
            return slot.run(program)
        finally:
            self._slots.put(slot)

    def run_many(self, programs: Sequence[Program]) -> list[tuple[Execution, ...]]:
        """As `run` for each program, as many at once as there are workers; in the same order."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox") as threads:
            return list(threads.map(self.run, programs))

    def pids(self) -> list[int]:
        """The process ids of the sandboxes that are running now."""
        return [worker.pid for slot in self._all if (worker := slot.worker)]

    def close(self) -> None:
        """Ends every sandbox and all that runs in it."""
        for slot in self._all:
            slot.close()


class _Slot:
    """A place in the pool: it has a sandbox, or will have one when a program comes."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.worker: Worker | None = None
        self._used = 0
        self._lock = threading.Lock()

    def run(self, program: Program) -> tuple[Execution, ...]:
        why, found = "", None
        for _ in range(_ATTEMPTS):
            if self.worker is None:
                self.worker, self._used = Worker(self.level), 0
            try:
                found, fit = self.worker.execute(program)
            except LostError as lost:
                why = str(lost)
                self.close()
                continue
            self._used += 1
            if not fit or self._used >= _PROGRAMS_PER_SANDBOX:
                self.close()
            # A program that kills itself does so again; the machine's memory killer moves on.
            if not any(one.detail == KILLED for one in found):
                return found
        if found is not None:
            return found
        fault = Execution("harness fault", f"the sandbox was lost {_ATTEMPTS} times: {why}")
        return tuple(fault for _ in program.steps)

    def close(self) -> None:
        with self._lock, contextlib.suppress(HarnessError):
            if self.worker is not None:
                self.worker.close()
            self.worker = None
