"""Verdicts from stored scores: which metric of which genre changed, how surely, and what to do."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.regression.measure import ALL, Measured, measure_pairs
from harness.regression.pairing import Pair, Pairs, find_pairs
from harness.regression.policy import Policy, Settings
from harness.statistics.decide import Decision, Verdict, correct, decide_paired
from harness.store.paired import PairedScores, paired_scores
from harness.store.queries import EvaluationRow

if TYPE_CHECKING:
    from harness.statistics.noise import CheckpointNoise

Outcome = Literal["pass", "regression", "inconclusive"]
# The metric that ranks a suite: the first of these that it has.
RANKING = ("strict", "rating", "verified", "followed")
# What describes an answer without being better or worse: no verdict on these.
DESCRIPTIVE = ("japanese", "politeness", "polite", "repetition", "truncated", "length")


@dataclass(frozen=True)
class MetricVerdict:
    """The verdict on one metric of one genre or dataset.

    settings  the policy's;  p_holm: corrected over all critical metrics, None for the others;
              p_bh: over all metrics. Both one-sided, of "no drop"
    note      why there is no verdict where the statistics alone would give one
    """

    measured: Measured
    settings: Settings
    decision: Decision
    p_holm: float | None
    p_bh: float
    note: str | None = None

    @property
    def verdict(self) -> Verdict:
        return "inconclusive" if self.note else self.decision.verdict

    @property
    def p(self) -> float:
        """One-sided, in the direction seen, corrected: by Holm where the metric is critical, else
        by Benjamini and Hochberg."""
        if self.measured.change.change > 0:
            return self.decision.p_improved
        return self.p_bh if self.p_holm is None else self.p_holm

    @property
    def unproven(self) -> bool:
        """Whether a drop of the margin is still possible."""
        return bool(self.note) or not self.decision.noninferior


@dataclass(frozen=True)
class SuiteComparison:
    """One suite's verdicts, overall first; `scores` are what they rest on."""

    pair: Pair
    verdicts: tuple[MetricVerdict, ...]
    scores: PairedScores

    @property
    def ranking(self) -> str:
        """The metric that ranks this suite."""
        found = {one.measured.metric for one in self.verdicts}
        return next((name for name in RANKING if name in found), min(found, default=""))

    @property
    def unmeasured(self) -> list[str]:
        """Genres that the baseline has the ranking metric of and the pairs have not."""
        scores, metric = self.scores, self.ranking
        if metric not in scores.metric.labels:
            return []
        rows = scores.metric.codes == scores.metric.labels.index(metric)
        there = rows & np.isfinite(scores.base)
        paired = there & np.isfinite(scores.cand)
        lacking = set(scores.genre.codes[there].tolist()) - set(scores.genre.codes[paired].tolist())
        return sorted(scores.genre.labels[code] for code in lacking)

    @property
    def unscored(self) -> float:
        """Share of the items with the ranking metric at the baseline that have none at the
        candidate, where both were asked the same items: failed requests, unreadable judgments."""
        if any(row.items_hash != self.pair.cand.items_hash for row in self.pair.bases):
            return 0.0
        rows = (one.measured for one in self.verdicts if one.measured.metric == self.ranking)
        whole = next((one for one in rows if one.genre == ALL), None)
        if whole is None:
            return 0.0
        return whole.only_base / (whole.change.n + whole.only_base)

    def failed(self, side: Literal["base", "cand"]) -> float:
        """Share of a side's requests that failed; failed requests have no score."""
        rows = self.pair.bases if side == "base" else (self.pair.cand,)
        return sum(row.failed for row in rows) / max(1, sum(row.planned for row in rows))


@dataclass(frozen=True)
class Gate:
    """What a comparison decides, and one sentence for each reason."""

    outcome: Outcome
    reasons: tuple[str, ...]

    @property
    def status(self) -> int:
        """The exit status."""
        return {"pass": 0, "regression": 1, "inconclusive": 2}[self.outcome]


@dataclass(frozen=True)
class Comparison:
    """A candidate beside its baseline, in every suite that both have; with the latest evaluations
    of suites that only one has."""

    suites: tuple[SuiteComparison, ...]
    policy: Policy
    gate: Gate
    only_base: tuple[EvaluationRow, ...]
    only_cand: tuple[EvaluationRow, ...]

    @property
    def verdicts(self) -> list[MetricVerdict]:
        return [one for suite in self.suites for one in suite.verdicts]


def compare(
    path: Path,
    bases: Sequence[Sequence[EvaluationRow]],
    cand: Sequence[EvaluationRow],
    policy: Policy,
    *,
    suites: Sequence[str] = (),
    judge: str | None = None,
    required: Collection[str] = (),
    noise: bool = False,
) -> Comparison:
    """Pairs what the store holds of two sides and gives every metric its verdict.

    bases, cand, suites, judge  as in `find_pairs`
    required  suites without which the candidate cannot pass
    noise     estimate checkpoint noise from the baseline's run (`run_noise`), where the policy
              states none

    Raises HarnessError as `find_pairs` does; nothing is asked of any model.
    """
    pairs = find_pairs(path, bases, cand, suites, judge)
    scores = [
        paired_scores(
            path,
            [row.id for row in pair.bases],
            pair.cand.id,
            pair.cand.protocol_hash,
            pair.judge,
        )
        for pair in pairs.pairs
    ]
    measured = [
        [
            one
            for one in measure_pairs(pair.suite, found, 1 - 2 * policy.alpha)
            if one.metric not in DESCRIPTIVE
        ]
        for pair, found in zip(pairs.pairs, scores, strict=True)
    ]
    tau: list[dict[str, CheckpointNoise]] = []
    if noise:
        from harness.regression.noise import run_noise

        tau = [run_noise(path, *part) for part in zip(pairs.pairs, measured, strict=True)]
    return judge_pairs(pairs, scores, measured, policy, required, tau)


def judge_pairs(
    pairs: Pairs,
    scores: Sequence[PairedScores],
    measured: Sequence[Sequence[Measured]],
    policy: Policy,
    required: Collection[str] = (),
    noise: Sequence[Mapping[str, CheckpointNoise]] = (),
) -> Comparison:
    """The verdicts on scores already read and measured, one entry for each pair.

    noise  of each pair's metrics, by place, where it was estimated

    Holm's correction covers the critical metrics of all suites together; Benjamini and Hochberg's
    all metrics.
    """
    every: list[Measured] = []
    settings: list[Settings] = []
    for part, own in zip(measured, noise or [{}] * len(measured), strict=True):
        every += part
        settings += [
            _with_noise(policy.settings(one.suite, one.place), own.get(one.place)) for one in part
        ]
    pooled = len(pairs.pairs[0].bases)
    decided = iter(verdicts(every, settings, pooled))
    compared = tuple(
        SuiteComparison(pair, tuple(next(decided) for _ in part), found)
        for pair, part, found in zip(pairs.pairs, measured, scores, strict=True)
    )
    missing = [row.suite for row in pairs.only_base if row.suite in required]
    gate = decide_gate(compared, policy, missing)
    return Comparison(compared, policy, gate, pairs.only_base, pairs.only_cand)


def _with_noise(own: Settings, noise: CheckpointNoise | None) -> Settings:
    """What the policy states counts before what was estimated."""
    if noise is None or own.tau > 0:
        return own
    return replace(own, tau=math.sqrt(noise.tau2), tau_df=noise.df or math.inf)


def verdicts(
    measured: Sequence[Measured], settings: Sequence[Settings], pooled: int
) -> list[MetricVerdict]:
    """The verdicts on metrics measured together, each under its own settings; `pooled` baselines
    were averaged."""
    raw = [_decide(one, own, pooled) for one, own in zip(measured, settings, strict=True)]
    explored = correct(raw, "benjamini-hochberg")
    critical = [number for number, own in enumerate(settings) if own.critical]
    strict = correct([raw[number] for number in critical], "holm")
    gated = dict(zip(critical, strict, strict=True))
    return [
        MetricVerdict(
            measured=one,
            settings=own,
            decision=gated.get(number, explored[number]),
            p_holm=gated[number].p_regressed if own.critical else None,
            p_bh=explored[number].p_regressed,
            note=_note(one, own),
        )
        for number, (one, own) in enumerate(zip(measured, settings, strict=True))
    ]


def _note(one: Measured, own: Settings) -> str | None:
    if one.change.n < own.min_items:
        return f"{one.change.n} paired items, the policy wants {own.min_items}"
    if one.change.clusters == 1:
        return "all items are of one cluster, so nothing tells how far they spread"
    return None


def _decide(one: Measured, own: Settings, pooled: int) -> Decision:
    """The uncorrected decision. Exact tests know nothing of checkpoint noise: with it, the larger
    p of theirs and of the t test that does."""
    drop, rise = one.p_drop, one.p_rise
    if own.tau > 0:
        noisy = _decide_by(one, own, pooled, None, None)
        drop, rise = max(drop, noisy.p_regressed), max(rise, noisy.p_improved)
    return _decide_by(one, own, pooled, drop, rise)


def _decide_by(
    one: Measured, own: Settings, pooled: int, drop: float | None, rise: float | None
) -> Decision:
    return decide_paired(
        one.change,
        own.margin,
        own.tau**2,
        pooled,
        own.alpha,
        own.power,
        tau_df=own.tau_df,
        p_regressed=drop,
        p_improved=rise,
    )


def decide_gate(
    suites: Sequence[SuiteComparison], policy: Policy, missing: Sequence[str] = ()
) -> Gate:
    """Regression where a critical metric regressed. Else inconclusive where

    - a critical metric that must be proven (`unproven: block`) may still have dropped by its
      margin, or has too few items for a verdict;
    - a critical metric that the policy names without a pattern was not measured on both sides,
      or a suite is `missing` that the candidate must have;
    - an evaluation is not complete, more of its requests failed than the policy allows, more of
      the baseline's items than that have no score at the candidate though it was asked them, or a
      genre of the baseline has none: what is missing may be what broke, and is never imputed.

    Else pass.
    """
    critical = [one for suite in suites for one in suite.verdicts if one.settings.critical]
    broken = [one for one in critical if one.verdict == "regressed"]
    if broken:
        return Gate("regression", tuple(_broken(one) for one in broken))
    doubts = [_doubt(one) for one in critical if one.settings.unproven == "block" and one.unproven]
    for suite, place in policy.named():
        if not any(_is(one, suite, place) for one in critical):
            doubts.append(f"{place}: critical, and not measured on both sides")
    doubts += [f"{suite}: the candidate was not evaluated on it" for suite in missing]
    for compared in suites:
        doubts += _gaps(compared, policy)
    if not critical:
        doubts.append("no metric is critical under this policy, so nothing can pass or fail")
    return Gate("inconclusive", tuple(doubts)) if doubts else Gate("pass", ())


def _is(one: MetricVerdict, suite: str, place: str) -> bool:
    return one.measured.place == place and fnmatchcase(one.measured.suite, suite)


def _gaps(compared: SuiteComparison, policy: Policy) -> list[str]:
    found = []
    for row in (*compared.pair.bases, compared.pair.cand):
        if row.state != "complete":
            found.append(
                f"{row.suite}: the evaluation of {row.checkpoint} is not complete "
                f"({row.done} of {row.planned} requests); repeat `harness eval`"
            )
        rate = row.failed / max(1, row.planned)
        if rate > policy.max_failed:
            found.append(
                f"{row.suite}: {rate:.1%} of the requests of {row.checkpoint} failed, the policy "
                f"allows {policy.max_failed:.1%}"
            )
    suite, cand, metric = compared.pair.suite, compared.pair.cand.checkpoint, compared.ranking
    if not found and compared.unscored > policy.max_failed:
        found.append(
            f"{suite}: {compared.unscored:.1%} of the baseline's items have no {metric} at {cand}, "
            f"the policy allows {policy.max_failed:.1%}"
        )
    found += [f"{suite} {genre}: {cand} has no {metric} here" for genre in compared.unmeasured]
    return found


def _broken(one: MetricVerdict) -> str:
    decision = one.decision
    return (
        f"{one.measured.suite} {one.measured.place}: {decision.change:+.4f} "
        f"({decision.low:+.4f} to {decision.high:+.4f}), p {one.p:.2g}"
    )


def _doubt(one: MetricVerdict) -> str:
    measured, decision = one.measured, one.decision
    name = f"{measured.suite} {measured.place}"
    if one.note:
        return f"{name}: {one.note}"
    told = f"{name}: a drop of {decision.margin:g} is not excluded (down to {decision.low:+.4f})"
    if decision.unreachable:
        return f"{told}; checkpoint noise hides that margin: pool checkpoints, or widen it"
    if decision.items_needed and decision.items_needed > measured.change.n:
        there = f"there are {measured.change.n:,}"
        return f"{told}; {decision.items_needed:,} items would find one, {there}"
    return told
