"""Candidates of a plan's lines, chunk by chunk, worked out ahead by processes or threads."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from dataclasses import dataclass, replace

from harness.errors import HarnessError
from harness.gaps.plan import Line
from training.synthesis.asking import Asking, BudgetSpentError
from training.synthesis.catalogue import Entry, generator
from training.synthesis.screening import Outcome, examined, filters
from training.synthesis.types import Ask, Dropped, Order, Prompt, Reply

# So much more than a line wants is ordered of a program at first, whose candidates cost next to
# nothing. A teacher's are paid for.
_SPARE = 1.15
_LEAST_CHUNK, _LEAST_YIELD = 16, 0.05


@dataclass(frozen=True)
class Job:
    """A line that is not over.

    index   of the line in the plan;  entry  its generator
    start   its next candidate;  wanted  samples still wanted from there
    limit   the candidate at which its attempts are used up
    """

    index: int
    line: Line
    entry: Entry
    start: int
    wanted: int
    limit: int


def no_teacher(prompts: Sequence[Prompt]) -> list[Reply]:
    """The `Ask` of generators that ask nobody."""
    raise AssertionError("a generator without a teacher asked one")


def candidates(name: str, order: Order, ask: Ask = no_teacher, teacher: str = "") -> list[Outcome]:
    """A generator's candidates for an order, proven and filtered; runs in any process. They bear
    the name of the teacher that wrote them."""
    found = generator(name)(order, ask)
    if teacher:
        found = (_by(one, teacher) for one in found)
    return examined(found, order.line, filters())


def _by(one: Outcome, teacher: str) -> Outcome:
    if isinstance(one, Dropped):
        return one
    return replace(one, origin=replace(one.origin, teacher=teacher))


def answered(name: str, order: Order, asking: Asking) -> tuple[Order, list[Outcome]]:
    """The longest beginning of an order whose questions are all in the journal, and its candidates:
    what was made before a budget ended. Candidates do not depend on each other, so it is searched
    for by halves."""
    most, over = 0, order.count + 1  # candidates that can be made; that cannot
    found: list[Outcome] = []
    while over - most > 1:
        count = (most + over) // 2
        try:
            found = candidates(
                name, replace(order, count=count), asking.known, asking.teacher.about.name
            )
            most = count
        except BudgetSpentError:
            over = count
    return replace(order, count=most), found


class Supply:
    """Works out the first chunks of all jobs ahead, in the order of the jobs, and further chunks
    of one where those did not suffice.

    chunk    candidates ordered at once
    workers  processes, or with a teacher threads, whose questions it can answer together. 1 without
             a teacher starts nothing and works nothing out ahead
    asking   the teacher; None for programs

    Chunks are handed out in the order of the jobs, whoever was faster.
    """

    def __init__(
        self, jobs: Sequence[Job], seed: int, chunk: int, workers: int, asking: Asking | None = None
    ) -> None:
        self._seed = seed
        self._chunk = chunk
        self._asking = asking
        self._most_ahead = 2 * workers
        self._spare = _SPARE if asking is None else 1.0
        self._waves = ((job, order) for job in jobs for order in self._first(job))
        self._begun: dict[tuple[int, int], Future[list[Outcome]]] = {}
        self._over: set[int] = set()
        self._executor: Executor | None = None
        if asking is not None:
            self._executor = ThreadPoolExecutor(workers, thread_name_prefix="line")
        elif workers > 1:
            # Not forked: this process may have threads.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(workers, context, _follow_parent)

    def order(self, job: Job, start: int, left: int, share: float) -> Order:
        """The order at a job's candidate `start`, where `left` samples are wanted and a `share` of
        the candidates so far was kept."""
        for order in self._first(job):
            if order.start == start:
                return order
        size = math.ceil(_SPARE * left / max(share, _LEAST_YIELD))
        size = min(max(size, _LEAST_CHUNK), self._chunk, job.limit - start)
        return Order(job.line, self._seed, start, size)

    def outcomes(self, job: Job, order: Order) -> list[Outcome]:
        """The examined candidates of an order; waits for them."""
        if self._executor is None:
            return candidates(job.entry.name, order)
        self._run_ahead()
        future = self._begun.pop((job.index, order.start), None)
        if future is None:
            future = self._submit(job, order)
        try:
            return future.result()
        except BrokenExecutor:
            raise HarnessError(
                "a worker process ended in the middle of its work, perhaps for want of memory; "
                "repeat the command with fewer --workers"
            ) from None

    def forget(self, job: Job) -> None:
        """What was begun of a job is not wanted any more."""
        self._over.add(job.index)
        for key in [key for key in self._begun if key[0] == job.index]:
            self._begun.pop(key).cancel()

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def _first(self, job: Job) -> Iterator[Order]:
        """The orders by which a job begins."""
        end = min(job.limit, job.start + math.ceil(self._spare * job.wanted))
        for start in range(job.start, end, self._chunk):
            yield Order(job.line, self._seed, start, min(self._chunk, end - start))

    def _run_ahead(self) -> None:
        while len(self._begun) < self._most_ahead:
            found = next(self._waves, None)
            if found is None:
                return
            job, order = found
            if job.index not in self._over:
                self._begun[job.index, order.start] = self._submit(job, order)

    def _submit(self, job: Job, order: Order) -> Future[list[Outcome]]:
        assert self._executor is not None
        if self._asking is None:
            return self._executor.submit(candidates, job.entry.name, order)
        name = self._asking.teacher.about.name
        return self._executor.submit(candidates, job.entry.name, order, self._asking, name)


def _follow_parent() -> None:
    """A worker leaves Ctrl-C to its parent, and ends when that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
