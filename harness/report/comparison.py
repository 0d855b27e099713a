"""A comparison as plain values: the JSON document, and one flat row a metric for CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.regression.causes import Cause, Symptom
from harness.regression.compare import Comparison, MetricVerdict, SuiteComparison
from harness.regression.flips import Flip, Unpaired, count_flips
from harness.store.queries import EvaluationRow

# Raised when the JSON document changes in a way that a reader could stumble over; its schema is
# `schemas/comparison-1.json`.
VERSION = 1


@dataclass(frozen=True)
class Report:
    """A comparison with what explains it.

    flips, unpaired, causes, symptoms  one entry a suite, in the comparison's order
    """

    comparison: Comparison
    flips: tuple[tuple[Flip, ...], ...]
    unpaired: tuple[Unpaired, ...]
    causes: tuple[tuple[Cause, ...], ...]
    symptoms: tuple[tuple[Symptom, ...], ...]


def row(one: MetricVerdict) -> dict[str, Any]:
    """One metric, flat. Scores are in their own unit; p-values are one-sided."""
    measured, decision = one.measured, one.decision
    plain = {
        "suite": measured.suite,
        "genre": measured.genre,
        "dataset": measured.dataset,
        "metric": measured.metric,
        "critical": one.settings.critical,
        "verdict": one.verdict,
        "n": measured.change.n,
        "clusters": measured.change.clusters,
        "only_base": measured.only_base,
        "only_candidate": measured.only_cand,
        "base": measured.base,
        "candidate": measured.cand,
        "change": decision.change,
        "low": decision.low,
        "high": decision.high,
        "level": decision.level,
        "se": decision.se,
        "df": decision.df,
        "test": measured.test,
        "p": one.p,
        "p_drop": measured.p_drop,
        "p_holm": one.p_holm,
        "p_bh": one.p_bh,
        "margin": decision.margin,
        "tau": one.settings.tau,
        "noninferior": decision.noninferior,
        "detectable": decision.mde,
        "items_needed": decision.items_needed,
        "unreachable": decision.unreachable,
        "note": one.note,
    }
    return {name: _finite(value) for name, value in plain.items()}


def document(report: Report) -> dict[str, Any]:
    """The whole report for `--json`, as `schemas/comparison-1.json` describes it."""
    comparison = report.comparison
    return {
        "version": VERSION,
        "outcome": comparison.gate.outcome,
        "status": comparison.gate.status,
        "reasons": list(comparison.gate.reasons),
        "policy": {
            "name": comparison.policy.name,
            "hash": comparison.policy.hash,
            **comparison.policy.to_dict(),
        },
        "suites": [
            _suite(*parts)
            for parts in zip(
                comparison.suites,
                report.flips,
                report.unpaired,
                report.causes,
                report.symptoms,
                strict=True,
            )
        ],
        "only_base": [one.suite for one in comparison.only_base],
        "only_candidate": [one.suite for one in comparison.only_cand],
    }


def _suite(
    compared: SuiteComparison,
    flips: Sequence[Flip],
    unpaired: Unpaired,
    causes: Sequence[Cause],
    symptoms: Sequence[Symptom],
) -> dict[str, Any]:
    pair = compared.pair
    broken, mended = count_flips(compared)
    return {
        "suite": pair.suite,
        "protocol": pair.cand.protocol,
        "protocol_hash": pair.cand.protocol_hash,
        "judge": None if pair.judge is None else pair.judge.name,
        "ranking": compared.ranking,
        "base": [_evaluation(one) for one in pair.bases],
        "candidate": _evaluation(pair.cand),
        "unpaired": {
            "only_base": list(unpaired.only_base),
            "only_candidate": list(unpaired.only_cand),
        },
        "metrics": [row(one) for one in compared.verdicts],
        "broken": broken,
        "mended": mended,
        "flips": [one.to_dict() for one in flips],
        "causes": [one.to_dict() for one in causes],
        "symptoms": [one.to_dict() for one in symptoms],
    }


def _evaluation(one: EvaluationRow) -> dict[str, Any]:
    return {
        "evaluation": one.id,
        "checkpoint": one.checkpoint,
        "fingerprint": one.fingerprint,
        "run": one.run,
        "step": one.step,
        "state": one.state,
        "samples": one.samples,
        "planned": one.planned,
        "failed": one.failed,
        "engine": one.engine,
    }


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
