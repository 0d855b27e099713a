"""The plan of a run's next round, with all that the store knows of its gaps, formats and past."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.gaps.demand import make_plan
from harness.gaps.measure import Gaps
from harness.gaps.plan import Plan
from harness.gaps.policies import Share
from harness.gaps.record import past_lines
from harness.report.formats import format_report
from harness.store.rounds import round_gains, rounds


def next_round(
    path: Path,
    gaps: Gaps,
    samples: int,
    *,
    policy: str = "learnable",
    share: Share | None = None,
    seed: int = 0,
    number: int | None = None,
    advice: Sequence[str] = (),
) -> Plan:
    """`demand.make_plan` for the student of `gaps`; `number` None is the round after the last that
    was recorded of its run."""
    students = [suite.side.student for suite in gaps.suites]
    run = students[0].run or ""
    if number is None:
        number = 1 + max((one.round for one in rounds(path, run)), default=0)
    formats = {
        suite.side.suite: format_report(path, suite.side.student).gaps
        for suite in gaps.suites
        if suite.side.metric == "strict"
    }
    return make_plan(
        gaps,
        samples,
        fingerprint=students[0].fingerprint,
        policy=policy,
        seed=seed,
        round=number,
        share=share,
        formats=formats,
        gains=round_gains(path),
        replayed=past_lines(path, run),
        advice=advice,
    )
