"""Records a round of synthesis and what it bought, from two stored evaluations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.gaps.demand import line_genre
from harness.gaps.measure import Gap, measure_gaps
from harness.gaps.plan import Line, Plan
from harness.gaps.plan_file import plan_values
from harness.gaps.target import find_sides
from harness.store.rounds import Round, RoundGain, add_round, rounds

# Verified samples by (genre, skill) of a plan's lines.
Counts = Mapping[tuple[str, str], int]


def record_round(
    path: Path,
    plan: Plan,
    before: str,
    after: str,
    *,
    samples: Counts | None = None,
    suites: Sequence[str] = (),
    judge: str | None = None,
) -> tuple[Round, list[RoundGain]]:
    """Stores a round with the paired gain of every genre, and of every skill that had samples.

    before, after  checkpoints, or beginnings of evaluations' ids, as `harness compare` takes them
    samples        that were trained on; the plan's own where they are not given

    A gain is whatever changed between the two checkpoints: other data of the same training is in
    it. Raises HarnessError where the two have no suite in common or were measured differently.
    """
    sides = find_sides(path, after, before, suites, judge)
    counts = planned(plan.lines) if samples is None else samples
    run = sides.sides[0].student.run or ""
    one = Round(
        run=run,
        round=plan.round,
        student=plan.student,
        fingerprint=plan.fingerprint,
        target=plan.target,
        policy=plan.policy,
        seed=plan.seed,
        plan=plan_values(plan),
    )
    gains = []
    for suite in measure_gaps(path, sides).suites:
        base = suite.side.target
        if base is None:
            raise HarnessError(f"{before} is no checkpoint; name the one that the round began with")
        places: dict[tuple[str, str], list[Gap]] = defaultdict(list)
        for gap in suite.of("genre", "skill"):
            places[line_genre(gap.place.genre), gap.place.skill].append(gap)
        for (genre, skill), members in places.items():
            count = sum(
                number
                for (line, part), number in counts.items()
                if line == genre and skill in ("", part)
            )
            if count or not skill:
                gains.append(
                    _gain(one.id, genre, skill, members, count, base.id, suite.side.student.id)
                )
    add_round(path, one, gains)
    return one, gains


def planned(lines: Sequence[Line]) -> dict[tuple[str, str], int]:
    """The samples of a plan by (genre, skill)."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        counts[line.genre, line.skill] += line.samples
    return dict(counts)


def past_lines(path: Path, run: str) -> list[Line]:
    """The gap lines of a run's recorded rounds, which replay takes up again."""
    return [
        Line(**line)
        for one in rounds(path, run)
        for line in one.plan["lines"]
        if line["purpose"] == "gap"
    ]


def _gain(
    round_id: str,
    genre: str,
    skill: str,
    members: Sequence[Gap],
    samples: int,
    before: str,
    after: str,
) -> RoundGain:
    """The mean of the places that are one genre to synthesis."""
    measured = [one.verdict.measured for one in members]
    errors = [one.change.se / gap.scale for one, gap in zip(measured, members, strict=True)]
    return RoundGain(
        round_id=round_id,
        suite=members[0].suite,
        genre=genre,
        skill=skill,
        metric=members[0].metric,
        samples=samples,
        gain=float(np.mean([-one.gap / one.scale for one in members])),
        se=float(np.sqrt(np.square(errors).sum()) / len(errors)),
        items=sum(one.change.n for one in measured),
        before=before,
        after=after,
    )
