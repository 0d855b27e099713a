"""Gaps as plain values: the JSON document, one flat row a place, and the line in words on top."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.gaps.beliefs import Belief
from harness.gaps.measure import Gap, Gaps, SuiteGaps
from harness.gaps.plan import Plan
from harness.gaps.plan_file import plan_values
from harness.store.rounds import RoundGain

# Raised when the JSON document changes in a way that a reader could stumble over.
VERSION = 1


@dataclass(frozen=True, eq=False)
class GapReport:
    """Gaps with what follows from them.

    advice  sentences on teachers;  plan: of the next round, where one was asked for
    """

    gaps: Gaps
    advice: tuple[str, ...] = ()
    plan: Plan | None = None


def row(one: Gap) -> dict[str, Any]:
    """One place, flat. Scores are in their own unit; p is one-sided and corrected."""
    measured, decision, learnable = one.verdict.measured, one.verdict.decision, one.learnable
    plain = {
        "suite": one.suite,
        "kind": one.place.kind,
        "genre": one.place.genre,
        "dataset": one.place.dataset,
        "skill": one.place.skill,
        "level": one.place.level,
        "metric": one.metric,
        "state": one.state,
        "n": measured.change.n,
        "clusters": measured.change.clusters,
        "student": one.student,
        "target": one.target,
        "gap": one.gap,
        "low": one.low,
        "high": one.high,
        "interval": decision.level,
        "p": one.p,
        "test": measured.test,
        "worth": one.worth,
        "points": one.points,
        "sure_points": one.sure_points,
        "to_format": one.to_format,
        "learnable": learnable.share if learnable else None,
        "learnable_low": learnable.low if learnable else None,
        "learnable_high": learnable.high if learnable else None,
        "learnable_known": learnable.known if learnable else None,
        "trend": one.trend.slope if one.trend else None,
        "trend_low": one.trend.low if one.trend else None,
        "trend_high": one.trend.high if one.trend else None,
        "trend_checkpoints": one.trend.checkpoints if one.trend else None,
        "answers": one.answers,
        "failures": dict(one.failures),
        "settled_by": one.settled_by,
        "note": one.verdict.note,
    }
    return {name: _finite(value) for name, value in plain.items()}


def document(report: GapReport) -> dict[str, Any]:
    """The whole report for `--json`."""
    gaps = report.gaps
    return {
        "version": VERSION,
        "student": gaps.student,
        "target": gaps.target,
        "rule": asdict(gaps.rule),
        "headline": headline(gaps),
        "suites": [_suite(one) for one in gaps.suites],
        "advice": list(report.advice),
        "notes": list(gaps.notes),
        "plan": None if report.plan is None else plan_values(report.plan),
    }


def headline(gaps: Gaps) -> str:
    """What lags most, in words."""
    lagging = [one for one in gaps.genres if one.state == "lags"]
    if not lagging:
        return f"No genre of {gaps.student} lags {gaps.target} beyond chance."
    worst, rest = lagging[0], len(lagging) - 1
    unit = 1 if worst.scale != 1 else 100
    more = "" if rest == 0 else f" {rest} more genre{'s lag' if rest > 1 else ' lags'}."
    return (
        f"{worst.place.genre} ({worst.suite}) is {unit * worst.gap:.1f} points "
        f"[{unit * worst.low:.1f}, {unit * worst.high:.1f}] below {gaps.target}; a point there is "
        f"worth {worst.worth:.2f} of the total.{more}"
    )


def learned_rows(known: Sequence[Belief]) -> list[dict[str, Any]]:
    """What a thousand samples are believed to buy, in points of 100, one row a genre."""
    return [
        {
            "genre": one.genre,
            "rounds": one.rounds,
            "samples": one.samples,
            "seen": None if one.seen is None else 100 * one.seen,
            "seen_se": None if one.seen_se is None else 100 * one.seen_se,
            "believed": 100 * one.mean,
            "low": 100 * (one.mean - 1.645 * one.sd),
            "high": 100 * (one.mean + 1.645 * one.sd),
        }
        for one in known
    ]


def gain_rows(gains: Sequence[RoundGain]) -> list[dict[str, Any]]:
    """What rounds bought, one row a genre or skill of a round; gains in points of 100."""
    return [
        {
            "round": one.round_id[:8],
            "suite": one.suite,
            "genre": one.genre,
            "skill": one.skill,
            "metric": one.metric,
            "samples": one.samples,
            "gain": 100 * one.gain,
            "se": 100 * one.se,
            "per_thousand": 100_000 * one.gain / one.samples if one.samples else None,
            "items": one.items,
        }
        for one in gains
    ]


def _suite(suite: SuiteGaps) -> dict[str, Any]:
    side = suite.side
    return {
        "suite": side.suite,
        "protocol": side.student.protocol,
        "protocol_hash": side.student.protocol_hash,
        "metric": side.metric,
        "judge": None if side.judge is None else side.judge.name,
        "student": side.student.checkpoint,
        "student_evaluation": side.student.id,
        "target": side.name,
        "target_evaluation": None if side.target is None else side.target.id,
        "chosen_from": side.chosen_from,
        "gaps": [row(one) for one in suite.gaps],
    }


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
