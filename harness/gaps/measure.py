"""Gaps from stored scores: how far a student lies below its target, where, how surely, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from harness.gaps.causes import failure_causes, summed
from harness.gaps.learnable import ItemSamples, Learnable, learnable_fraction
from harness.gaps.places import Place, item_worth, measured_places, rows_by_place
from harness.gaps.target import Side, Sides, at_rows
from harness.gaps.trend import Trend, find_trends
from harness.regression.compare import MetricVerdict, verdicts
from harness.regression.measure import Measured
from harness.regression.policy import Settings
from harness.statistics.paired import by_student
from harness.store.gap_rows import AskedItem, asked_items
from harness.store.paired import PairedScores

State = Literal["lags", "ahead", "level", "within noise"]
_STATES: dict[str, State] = {
    "regressed": "lags",
    "improved": "ahead",
    "held": "level",
    "inconclusive": "within noise",
}
# Ratings run from 1 to 10, shares from 0 to 1.
_RATED = "rating"
_RATING_SCALE = 9.0


@dataclass(frozen=True)
class Rule:
    """When a place lags.

    margin     a gap surely smaller than this does not matter, as a share of the scale
    alpha      one-sided level of a gap, corrected by Holm over the genres of all suites, and over
               the suites; what lies within genres is explored under Benjamini and Hochberg.
               Intervals are two-sided, of level 1 − 2α, and not corrected
    min_items  paired items below which nothing is said
    """

    margin: float = 0.02
    alpha: float = 0.05
    power: float = 0.8
    min_items: int = 10


@dataclass(frozen=True)
class Gap:
    """How far a student lies below its target at one place; scores in their own unit.

    verdict    the paired change from target to student; the gap is the change turned over
    worth      points of the suite's total that one point here is worth, 0.0 to 1.0
    failures   causes of the student's failed answers (`causes.CAUSES`), most frequent first
    answers    the student's answers here
    to_format  mean of lenient less strict: what is lost to output format alone; None without both
    learnable  None where the metric is a judge's
    trend      None where the run says nothing
    """

    suite: str
    place: Place
    verdict: MetricVerdict
    chosen_from: int
    worth: float
    failures: Mapping[str, int]
    answers: int
    to_format: float | None
    learnable: Learnable | None
    trend: Trend | None

    @property
    def metric(self) -> str:
        return self.verdict.measured.metric

    @property
    def scale(self) -> float:
        """From the worst score to the best, in its own unit."""
        return _RATING_SCALE if self.metric == _RATED else 1.0

    @property
    def student(self) -> float:
        return self.verdict.measured.cand

    @property
    def target(self) -> float:
        return self.verdict.measured.base

    @property
    def gap(self) -> float:
        """Above 0 where the student lies below."""
        return 0.0 - self.verdict.decision.change

    @property
    def low(self) -> float:
        """The interval's lower end, no further than a gap can go."""
        return max(-self.scale, -self.verdict.decision.high)

    @property
    def high(self) -> float:
        return min(self.scale, -self.verdict.decision.low)

    @property
    def p(self) -> float:
        """One-sided, in the direction seen, corrected; where the target was chosen as the best of
        m, m times that, which holds however it was chosen (Bonferroni)."""
        return min(1.0, self.chosen_from * self.verdict.p)

    @property
    def state(self) -> State:
        return _STATES[self.verdict.verdict]

    @property
    def points(self) -> float:
        """What closing it would add to the suite's total, in the metric's unit."""
        return self.worth * self.gap

    @property
    def sure_points(self) -> float:
        """`points` at the lower bound; 0 where it does not lag."""
        return self.worth * max(0.0, self.low) if self.state == "lags" else 0.0

    @property
    def settled_by(self) -> int | None:
        """Items that would show a gap of the margin, where it is within noise and more would."""
        decision = self.verdict.decision
        needed = decision.items_needed
        if self.state != "within noise" or needed is None:
            return None
        return needed if needed > self.verdict.measured.change.n else None


@dataclass(frozen=True, eq=False)
class SuiteGaps:
    """The gaps of one suite, the largest sure gain of the total first."""

    side: Side
    gaps: tuple[Gap, ...]

    def of(self, *kinds: str) -> list[Gap]:
        return [one for one in self.gaps if one.place.kind in kinds]

    @property
    def whole(self) -> Gap:
        return self.of("suite")[0]


@dataclass(frozen=True, eq=False)
class Gaps:
    """A student's gaps in every suite that could be compared, and what could not be."""

    student: str
    target: str
    suites: tuple[SuiteGaps, ...]
    rule: Rule
    notes: tuple[str, ...] = ()

    @property
    def genres(self) -> list[Gap]:
        """Of all suites, ranked."""
        return sorted((gap for suite in self.suites for gap in suite.of("genre")), key=rank)


@dataclass(frozen=True, eq=False)
class _Suite:
    """What is read of one suite before anything is judged."""

    side: Side
    asked: dict[str, AskedItem]
    measured: dict[Place, Measured]
    trends: dict[Place, Trend]


def measure_gaps(path: Path, sides: Sides, rule: Rule | None = None) -> Gaps:
    """The gaps of a student found beside its target (`target.find_sides`), from the store alone.

    Each place is compared as `harness compare` does: paired over the items that both have scored,
    with clustered errors, or against the goal of each item. All suites are corrected together.
    """
    rule = rule or Rule()
    read = [_read(path, side, rule) for side in sides.sides]
    given = place_verdicts(
        [suite.measured for suite in read], [suite.side.chosen_from for suite in read], rule
    )
    found = [
        SuiteGaps(suite.side, tuple(sorted(_gaps(path, suite, own), key=rank)))
        for suite, own in zip(read, given, strict=True)
    ]
    notes = (*sides.notes, *_notes(sides))
    student = sides.sides[0].student.checkpoint
    return Gaps(student, _target_name(sides), tuple(found), rule, notes)


def place_verdicts(
    measured: Sequence[Mapping[Place, Measured]], chosen_from: Sequence[int], rule: Rule
) -> list[dict[Place, MetricVerdict]]:
    """The verdicts on every place of some suites.

    measured, chosen_from  one entry a suite

    Three families are corrected, each over all suites: the suites by Holm, the genres by Holm, what
    lies within genres by Benjamini and Hochberg. A target chosen as the best of m is tested at
    alpha/m, whatever chose it.
    """
    given: list[dict[Place, MetricVerdict]] = [{} for _ in measured]
    for family in (("suite",), ("genre",), ("dataset", "skill", "level")):
        members = [
            (number, place, one)
            for number, places in enumerate(measured)
            for place, one in places.items()
            if place.kind in family
        ]
        found = verdicts(
            [one for _, _, one in members],
            [_settings(place, one, chosen_from[number], rule) for number, place, one in members],
            pooled=1,
        )
        for (number, place, _), verdict in zip(members, found, strict=True):
            given[number][place] = verdict
    return given


def rank(one: Gap) -> tuple[object, ...]:
    """What lags before the rest, by the points of the total that are surely to be had."""
    return (
        one.place.kind != "suite",
        one.state != "lags",
        -one.sure_points / one.scale,
        -one.points / one.scale,
        one.suite,
        one.place.name,
    )


def _read(path: Path, side: Side, rule: Rule) -> _Suite:
    asked = {one.hash: one for one in asked_items(path, side.student.id, side.metric)}
    skills = {key: (one.skill, one.level) for key, one in asked.items()}
    alpha = rule.alpha / side.chosen_from
    measured = measured_places(side.suite, side.scores, skills, 1 - 2 * alpha)
    if side.target is None:
        rows = rows_by_place(side.scores, skills)
        measured = {
            place: _against_goal(one, side.scores, rows[place]) for place, one in measured.items()
        }
    return _Suite(side, asked, measured, find_trends(path, side, skills, rule.alpha))


def _settings(place: Place, one: Measured, chosen_from: int, rule: Rule) -> Settings:
    return Settings(
        margin=rule.margin * (_RATING_SCALE if one.metric == _RATED else 1.0),
        critical=place.kind in ("suite", "genre"),
        unproven="pass",
        min_items=rule.min_items,
        alpha=rule.alpha / chosen_from,
        power=rule.power,
        tau=0.0,
    )


def _against_goal(one: Measured, scores: PairedScores, place: Sequence[int]) -> Measured:
    """A change from a goal, which has no error of its own, in place of a paired one.

    p-values are binomial for independent right-or-wrong items of one goal and one dataset,
    Student's t for all else: signs cannot be flipped about a goal, for shares are not symmetric
    about it. The error of a share is at least that with two right and two wrong clusters added
    (Agresti and Coull 1998), for 0 of 20 is not known to be 0.
    """
    from scipy.stats import binom

    if one.test == "none":
        return one
    change = one.change
    if one.metric != _RATED:
        count = change.clusters + 4
        share = (one.cand * change.clusters + 2) / count
        variance = max(change.se**2, share * (1 - share) / count)
        change = by_student(
            change.change,
            variance,
            change.df,
            change.level,
            n=change.n,
            clusters=change.clusters,
        )
    rows = np.array(place, dtype=np.intp)
    rows = rows[np.isfinite(scores.base[rows]) & np.isfinite(scores.cand[rows])]
    goals, values = scores.base[rows], scores.cand[rows]
    alone = len(set(zip(scores.genre.codes[rows], scores.dataset.codes[rows], strict=True))) == 1
    binary = bool(np.isin(values, (0, 1)).all())
    if not (alone and binary and change.clusters == change.n and np.ptp(goals) == 0):
        p_drop, p_rise = change.p_drop, change.p_rise
        return replace(one, change=change, test="t", p_drop=p_drop, p_rise=p_rise)
    right, n, goal = int(values.sum()), values.size, float(goals[0])
    return replace(
        one,
        change=change,
        test="binomial",
        p_drop=float(binom.cdf(right, n, goal)),
        p_rise=float(binom.sf(right - 1, n, goal)),
    )


def _gaps(path: Path, suite: _Suite, given: Mapping[Place, MetricVerdict]) -> list[Gap]:
    side = suite.side
    scores = at_rows(side.scores, np.flatnonzero(np.isfinite(side.scores.cand)))
    worth = item_worth(scores)
    skills = {key: (one.skill, one.level) for key, one in suite.asked.items()}
    rows = rows_by_place(scores, skills)
    causes = failure_causes(path, side.student.id)
    names = [scores.item.labels[code] for code in scores.item.codes]
    return [
        _gap(side, place, one, worth, rows[place], names, suite, causes)
        for place, one in given.items()
    ]


def _gap(
    side: Side,
    place: Place,
    verdict: MetricVerdict,
    worth: np.ndarray,
    rows: Sequence[int],
    names: Sequence[str],
    suite: _Suite,
    causes: Mapping[str, Counter[str]],
) -> Gap:
    items = [suite.asked[names[at]] for at in rows]
    scored = [one for one in items if one.samples and one.mean is not None]
    split = [
        one.lenient - one.strict
        for one in items
        if one.lenient is not None and one.strict is not None
    ]
    return Gap(
        suite=side.suite,
        place=place,
        verdict=verdict,
        chosen_from=side.chosen_from,
        worth=float(worth[list(rows)].sum()),
        failures=summed(causes, [one.hash for one in items]),
        answers=sum(one.samples for one in items),
        to_format=float(np.mean(split)) if split else None,
        learnable=_learnable(scored) if scored else None,
        trend=suite.trends.get(place),
    )


def _learnable(items: Sequence[AskedItem]) -> Learnable:
    return learnable_fraction(
        ItemSamples(one.samples, one.mean or 0.0, one.lowest or 0.0, one.highest or 0.0)
        for one in items
    )


def _notes(sides: Sides) -> list[str]:
    """What the scores of an evaluation may not show; nothing is imputed."""
    return [
        f"{row.suite}: {row.failed:,} of {row.planned:,} requests of {row.checkpoint} failed"
        if row.state == "complete"
        else f"{row.suite}: the evaluation of {row.checkpoint} is not complete ({row.done:,} of "
        f"{row.planned:,} requests)"
        for side in sides.sides
        for row in (side.student, side.target)
        if row is not None and (row.failed or row.state != "complete")
    ]


def _target_name(sides: Sides) -> str:
    return ", ".join(dict.fromkeys(side.name for side in sides.sides))
