"""One round of synthesis: from a plan to shards, resumable and exact.

Invariants:
- A sample set is a function of the plan, the teacher's replies and the earlier rounds. Chunks,
  workers and kills change nothing, to the byte.
- A chunk is committed whole or not at all; what was committed is not made again.
- Every candidate that is looked at is counted once: tried = kept + dropped by stage.
- Shards appear by rename, and a round is there when its `lineage.json` is.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import HarnessError
from harness.gaps.plan import Plan
from harness.items.schema import content_hash
from training.synthesis.asking import Asking, BudgetSpentError
from training.synthesis.catalogue import Entry, choose
from training.synthesis.lineage import Made, Round, read_round, write_round
from training.synthesis.screening import Outcome, Screen, passed
from training.synthesis.shards import LINEAGE, Row, samples_in
from training.synthesis.supply import Job, Supply, answered
from training.synthesis.types import Sample
from training.synthesis.work import HELD_OUT, IDENTITY, LineState, Work

WORK = "work"
# Texts shown to the index at once where it is filled again.
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Settings:
    """How a round is made; `attempts` alone can change what.

    workers   processes for programs
    lines     lines of the plan whose questions the teacher answers together
    chunk     candidates ordered at once
    attempts  candidates tried for each sample that a line wants, before it is given up
    hours     that this run may take; None: as many as it needs
    """

    workers: int = 1
    lines: int = 16
    chunk: int = 1000
    attempts: float = 10.0
    hours: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far a round is, in samples; `reused` of those kept were committed by an earlier run."""

    wanted: int
    kept: int
    tried: int
    reused: int
    line: str
    dropped: Mapping[str, int] = field(default_factory=dict)


Report = Callable[[Progress], None]


def round_home(output: Path, plan: Plan) -> Path:
    """The directory of a plan's round: its number, and the beginning of the plan's hash."""
    return output / f"round-{plan.round:04d}-{content_hash(plan)[:8]}"


def synthesize(
    plan: Plan,
    output: Path,
    open_screen: Callable[[], Screen],
    settings: Settings = Settings(),
    asking: Asking | None = None,
    report: Report = lambda progress: None,
) -> Round:
    """Makes, or goes on making, a plan's round below `output`; a complete one is only read.

    asking  puts questions to the teacher, under a budget; None where there is no teacher

    Raises HarnessError for a plan that nothing can make, for work begun under other settings, and
    as `open_screen` does.
    """
    if plan.samples < 1:
        raise HarnessError(f"the plan of round {plan.round} wants no samples: nothing to make")
    entries = [choose(line, asking is not None) for line in plan.lines]
    home = round_home(output, plan)
    if (home / LINEAGE).is_file() and (found := read_round(home)).complete:
        return found
    screen = open_screen()
    earlier = _earlier(output, home)
    identity = _identity(plan, entries, screen, settings, asking)
    work = Work(home / WORK, {**identity, "after": earlier})
    with closing(work):
        states = work.states(len(plan.lines))
        making = _Making(plan, entries, screen, settings, asking, report, work, states)
        _remember(screen, output, earlier, work)
        stopped = making.run()
        made = Made(
            plan=plan,
            states=tuple(states),
            generators=tuple(entry.id for entry in entries),
            filters=screen.names,
            evalsets=dict(screen.evalsets),
            earlier=tuple(earlier),
            teacher=asking.teacher.about if asking else None,
            spent=asking.spent if asking else None,
            closest=tuple(screen.closest()),
            stopped=stopped,
        )
        return write_round(home, made, work)


def _identity(
    plan: Plan,
    entries: Sequence[Entry],
    screen: Screen,
    settings: Settings,
    asking: Asking | None,
) -> dict[str, Any]:
    """All that decides which samples a round has, but for the earlier rounds."""
    return {
        "plan": content_hash(plan),
        "generators": sorted({entry.id for entry in entries}),
        "teacher": asking.teacher.about.identity if asking else "",
        "filters": list(screen.names),
        HELD_OUT: dict(screen.evalsets),
        "attempts": settings.attempts,
        "harness": __version__,
    }


def _earlier(output: Path, home: Path) -> list[str]:
    """Names of the other rounds whose shards were there when this one began, in order."""
    begun = home / WORK / IDENTITY
    if begun.is_file():
        return list(json.loads(begun.read_text(encoding="utf-8"))["after"])
    rounds = output.glob(f"round-*/{LINEAGE}")
    return sorted(path.parent.name for path in rounds if path.parent != home)


def _remember(screen: Screen, output: Path, earlier: Sequence[str], work: Work) -> None:
    """Fills the index with what earlier rounds, and this one so far, have kept. All of it was new
    when it was kept, so nothing is compared again but for equality."""
    before = (row for name in earlier for row in samples_in(read_round(output / name).shards))
    rows = itertools.chain(before, work.rows())
    while texts := [row.sample.text for row in itertools.islice(rows, _REMEMBERED)]:
        screen.index.admit(texts, [1.0] * len(texts))


class _Making:
    """The lines of a plan in turn: those of programs, then those that ask the teacher."""

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[Entry],
        screen: Screen,
        settings: Settings,
        asking: Asking | None,
        report: Report,
        work: Work,
        states: Sequence[LineState],
    ) -> None:
        self.plan = plan
        self.entries = entries
        self.screen = screen
        self.settings = settings
        self.asking = asking
        self.report = report
        self.work = work
        self.states = states
        self.reused = sum(state.kept for state in states)
        hours = settings.hours
        self.deadline = None if hours is None else time.monotonic() + 3600 * hours
        self.licence = asking.teacher.about.licence.name if asking else ""

    def run(self) -> str:
        """Makes what is left; "" at the end, or why it stopped before."""
        for asks in (False, True):
            jobs = [self._job(index) for index in range(len(self.states))]
            owed = [job for job in jobs if job.entry.teacher == asks and not self._ended(job.index)]
            if owed and (stopped := self._run(owed, self.asking if asks else None)):
                return stopped
        return ""

    def _job(self, index: int) -> Job:
        line, state = self.plan.lines[index], self.states[index]
        wanted = line.samples - state.kept
        limit = math.ceil(self.settings.attempts * line.samples)
        return Job(index, line, self.entries[index], state.next, wanted, limit)

    def _ended(self, index: int) -> bool:
        return bool(self.states[index].ended) or not self.plan.lines[index].samples

    def _run(self, jobs: Sequence[Job], asking: Asking | None) -> str:
        workers = self.settings.lines if asking else self.settings.workers
        supply = Supply(jobs, self.plan.seed, self.settings.chunk, workers, asking)
        try:
            for job in jobs:
                if stopped := self._make(supply, job, asking):
                    return stopped
        except BaseException:
            if asking is not None:
                asking.withdraw()
            raise
        finally:
            supply.close()
        return ""

    def _make(self, supply: Supply, job: Job, asking: Asking | None) -> str:
        """One line, until its samples are there or its attempts used up."""
        state = self.states[job.index]
        stopped = ""
        while not state.ended and not stopped:
            if self.deadline is not None and time.monotonic() >= self.deadline:
                return f"{self.settings.hours:g} hours are over"
            begun = time.monotonic()
            left = job.line.samples - state.kept
            share = state.kept / state.tried if state.tried else 1.0
            order = supply.order(job, state.next, left, share)
            try:
                outcomes = supply.outcomes(job, order)
            except BudgetSpentError as spent:
                assert asking is not None
                stopped = str(spent)
                order, outcomes = answered(job.entry.name, order, asking)
            self._commit(job, order.count, outcomes, state, begun)
        supply.forget(job)
        return stopped

    def _commit(
        self, job: Job, count: int, outcomes: Sequence[Outcome], state: LineState, begun: float
    ) -> None:
        start = state.next
        fates = passed(self.screen, outcomes, job.line.samples - state.kept)
        state.count(fates)
        state.next = start + count
        if state.kept >= job.line.samples:
            state.ended = "met"
        elif state.next >= job.limit:
            state.ended = "exhausted"
        state.seconds += time.monotonic() - begun
        rows = [self._row(one, job) for one in fates if isinstance(one, Sample)]
        self.work.commit(job.index, job.entry.teacher, start, rows, state)
        self._tell(job)

    def _row(self, sample: Sample, job: Job) -> Row:
        licence = self.licence if sample.origin.teacher else ""
        purpose = job.line.purpose
        return Row(sample, licence, self.plan.round, job.index, purpose, self.screen.names)

    def _tell(self, job: Job) -> None:
        dropped: Counter[str] = Counter()
        for state in self.states:
            dropped.update(state.dropped)
        line = job.line
        name = line.skill or line.genre
        self.report(
            Progress(
                self.plan.samples,
                sum(state.kept for state in self.states),
                sum(state.tried for state in self.states),
                self.reused,
                name if line.level is None else f"{name} level {line.level}",
                dropped,
            )
        )
