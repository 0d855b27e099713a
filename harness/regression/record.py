"""Carries a comparison's regressions to the store's table, and closes those that were mended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.regression.causes import Cause, Symptom
from harness.regression.compare import Comparison, MetricVerdict, SuiteComparison
from harness.report.comparison import row
from harness.store.regressions import Regression, record, regressions, set_status


def record_comparison(
    path: Path,
    comparison: Comparison,
    causes: Sequence[Sequence[Cause]],
    symptoms: Sequence[Sequence[Symptom]],
) -> list[Regression]:
    """Stores every critical metric that regressed, with its evidence, policy and suspected cause;
    marks open ones that this candidate is clear of as fixed. Returns what regressed.

    A regression is mended where a later checkpoint of its run, held against the same baseline
    evaluation under the same protocol, has held or improved that metric.
    """
    found: list[Regression] = []
    for compared, why, signs in zip(comparison.suites, causes, symptoms, strict=True):
        found += [
            _regression(comparison, compared, one, why, signs)
            for one in compared.verdicts
            if one.settings.critical and one.verdict == "regressed"
        ]
        _close(path, compared)
    if found:
        record(path, found)
    return found


def _regression(
    comparison: Comparison,
    compared: SuiteComparison,
    one: MetricVerdict,
    causes: Sequence[Cause],
    symptoms: Sequence[Symptom],
) -> Regression:
    pair, policy = compared.pair, comparison.policy
    evidence = row(one) | {
        "bases": [base.id for base in pair.bases],
        "symptoms": [sign.to_dict() for sign in symptoms],
    }
    return Regression(
        baseline=pair.base.id,
        candidate=pair.cand.id,
        protocol_hash=pair.cand.protocol_hash,
        suite=pair.suite,
        genre=one.measured.genre,
        dataset=one.measured.dataset,
        metric=one.measured.metric,
        evidence=evidence,
        policy=policy.to_dict(),
        policy_hash=policy.hash,
        cause=[cause.to_dict() for cause in causes],
        run=pair.cand.run,
        baseline_step=pair.base.step,
        step=pair.cand.step,
    )


def _close(path: Path, compared: SuiteComparison) -> None:
    cand = compared.pair.cand
    if cand.run is None or cand.step is None:
        return
    clear = {
        one.measured.place
        for one in compared.verdicts
        if one.verdict == "improved" or (one.verdict == "held" and one.decision.noninferior)
    }
    standing = regressions(
        path,
        status=["open", "acknowledged"],
        run=cand.run,
        where="suite = ? AND protocol_hash = ? AND baseline = ? AND step < ?",
        values=[compared.pair.suite, cand.protocol_hash, compared.pair.base.id, cand.step],
    )
    mended = [one.id for one in standing if one.place in clear]
    set_status(path, mended, "fixed", fixed_at_step=cand.step)
