"""A pool of sandboxes: programs in, exactly one answer for each, whatever happens to a sandbox."""

from __future__ import annotations

import os
import queue
from dataclasses import replace
from types import TracebackType
from typing import Self

from harness.sandbox.levels import best_level
from harness.sandbox.types import Execution, Level, Program
from harness.sandbox.worker import LostError, Worker

# A sandbox that ends under a program may have been killed from outside; three in a row say that
# nothing can be learnt here.
_ATTEMPTS = 3


class Pool:
    """Sandboxes of one level, started when first needed and kept until `close`.

    level    None for the strongest that works here
    workers  how many programs run at once; None for one on each core
    programs how many programs one sandbox runs before a fresh one takes its place. A program can
             find in its memory what earlier ones in its sandbox were and printed; 1 keeps each
             from all others, at the cost of a start

    Safe to use from several threads. Raises HarnessError where the level does not work here.
    """

    def __init__(
        self, level: Level | None = None, workers: int | None = None, programs: int = 2000
    ) -> None:
        self.level: Level = level or best_level()
        self.workers = workers or len(os.sched_getaffinity(0))
        self._slots: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        self._all = [_Slot(self.level, programs) for _ in range(self.workers)]
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

    def pids(self) -> list[int]:
        """The process ids of the sandboxes that are running now."""
        return [worker.pid for slot in self._all if (worker := slot.worker)]

    def close(self) -> None:
        """Ends every sandbox, each when the program in it has ended."""
        slots = [self._slots.get() for _ in self._all]
        for slot in slots:
            slot.close()
            self._slots.put(slot)


class _Slot:
    """A place in the pool: it has a sandbox, or will have one when a program comes. Whoever took it
    from the queue is alone with it."""

    def __init__(self, level: Level, programs: int) -> None:
        self.level = level
        self.programs = programs
        self.worker: Worker | None = None
        self._used = 0

    def run(self, program: Program) -> tuple[Execution, ...]:
        why = ""
        done: list[Execution] = []
        attempts = 0
        while attempts < _ATTEMPTS:
            rest = replace(program, steps=program.steps[len(done) :])
            try:
                found, fit = self._open().execute(rest)
            except LostError as lost:
                why = str(lost)
                attempts += 1
                self.close()
                continue
            except BaseException:
                # Whatever it still says would be taken for an answer to the next program.
                self.close()
                raise
            self._used += 1
            if not fit or self._used >= self.programs:
                self.close()
            attempts += 1
            # A program that kills itself does so again; the machine's memory killer moves on.
            if any(one.killed for one in found) and attempts < _ATTEMPTS:
                continue
            done += found
            if len(done) == len(program.steps):
                return tuple(done)
            attempts = 0 if found else attempts
        fault = Execution("harness fault", f"the sandbox was lost {_ATTEMPTS} times: {why}")
        return (*done, *(fault for _ in program.steps[len(done) :]))

    def _open(self) -> Worker:
        if self.worker is None:
            self.worker, self._used = Worker(self.level), 0
        return self.worker

    def close(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.close()
