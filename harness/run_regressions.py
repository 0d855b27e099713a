"""The regressions of a run: found over the whole trajectory, explained, and kept in the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.attribution import MovedTrait, Suspicion, suspects, symptoms
from harness.items.schema import content_hash
from harness.runs import Run
from harness.store.regressions import Regression, Status, record, regressions, set_status

if TYPE_CHECKING:
    from harness.statistics.findings import Finding, Incident, TrajectoryReport
    from harness.statistics.spending import Schedule

# The table's rule; a policy's hash covers it, so that another rule's rows are told apart.
_RULE = "trajectory"


@dataclass(frozen=True)
class Account:
    """An incident with what may explain it.

    suspicions  what lineage says changed where it broke
    symptoms    traits of the answers that moved with its strongest finding
    stages      whether lineage has a mixture, phase or learning rate on both sides of the break
    rows        of the regressions table, by metric; empty where nothing was recorded
    """

    incident: Incident
    suspicions: tuple[Suspicion, ...]
    symptoms: tuple[MovedTrait, ...]
    stages: bool
    rows: dict[str, Regression]

    def status(self, finding: Finding) -> Status:
        """What became of a finding; one that was not recorded is open until it recovers."""
        if finding.metric in self.rows:
            return self.rows[finding.metric].status
        return "open" if finding.recovered is None else "fixed"


@dataclass(frozen=True)
class Analysis:
    """What `harness regressions` found in a run."""

    run: Run
    report: TrajectoryReport
    accounts: tuple[Account, ...]

    @property
    def exit_status(self) -> int:
        """1 for an open regression that lasts; 2 where it is too early to say: a drop at the newest
        checkpoints, or too few checkpoints to know their noise; else 0."""
        left = [
            finding.persistence
            for account in self.accounts
            for finding in account.incident.findings
            if account.status(finding) == "open"
        ]
        if "lasting" in left:
            return 1
        blind = all(one.steps.size < 3 for one in self.run.series)
        return 2 if "recent" in left or blind else 0

    @property
    def naive(self) -> int:
        """What a rule of unpaired z < −3 between neighbouring checkpoints would report."""
        import numpy as np

        count = 0
        for one in self.run.series:
            variance = one.variance
            if one.items is not None:
                variance = one.items.var(axis=0, ddof=1) / one.items.shape[0]
            if variance is not None:
                error = np.sqrt(variance[1:] + variance[:-1])
                count += int((np.diff(one.values) < -3 * error).sum())
        return count

    def to_dicts(self) -> list[dict[str, Any]]:
        """One plain row for each finding, strongest incident first."""
        return [
            _row(self, number, account, finding)
            for number, account in enumerate(self.accounts, 1)
            for finding in account.incident.findings
        ]


def analyse(
    run: Run,
    store: Path | None = None,
    *,
    alpha: float = 0.05,
    planned: int | None = None,
    keep: bool = True,
) -> Analysis:
    """The regressions of a run, with at most the chance `alpha` of any false one over all of it.

    store    where the run is from: symptoms are read there, and the findings recorded (`keep`)
    planned  the number of checkpoints the run will have, where it is known
    """
    from harness.statistics.trajectory import trajectory

    schedule: Schedule = "dyadic" if planned is None else "equal"
    report = trajectory(run.series, alpha, schedule, planned)
    policy = {"rule": _RULE, "alpha": alpha, "schedule": schedule, "planned": planned}
    accounts = []
    for incident in report.incidents:
        seed = incident.findings[0]
        changed = _suspects(run, seed)
        seen: tuple[MovedTrait, ...] = ()
        if store is not None and run.source == "items":
            seen = tuple(_symptoms(run, store, seed))
        rows: dict[str, Regression] = {}
        if store is not None and keep:
            rows = _keep(run, store, report, incident, changed, seen, policy)
        known = [
            stage.mixture is not None or stage.phase is not None or stage.learning_rate is not None
            for stage in run.stages
            if seed.earliest <= stage.step <= seed.latest
        ]
        accounts.append(Account(incident, changed, seen, all(known) and len(known) > 1, rows))
    return Analysis(run, report, tuple(accounts))


def _suspects(run: Run, finding: Finding) -> tuple[Suspicion, ...]:
    """What changed where it broke; where nothing did, what changed a checkpoint before."""
    earlier = [stage.step for stage in run.stages if stage.step < finding.earliest]
    since = max(earlier, default=finding.earliest)
    return tuple(suspects(run.stages, finding.earliest, finding.latest, since))


def _symptoms(run: Run, store: Path, finding: Finding) -> list[MovedTrait]:
    place = run.places.get(finding.metric)
    if place is None:
        return []
    ids = {
        stage.step: dict(stage.evaluations).get(place.suite)
        for stage in run.stages
        if stage.step in (finding.before, finding.lowest)
    }
    before, after = ids.get(finding.before), ids.get(finding.lowest)
    if before is None or after is None:
        return []
    return symptoms(store, before, after, place.genre, place.dataset)


def _keep(
    run: Run,
    store: Path,
    report: TrajectoryReport,
    incident: Incident,
    changed: Sequence[Suspicion],
    seen: Sequence[MovedTrait],
    policy: dict[str, Any],
) -> dict[str, Regression]:
    """Records an incident's findings. One whose place overlaps that of a stored row of the same
    metric is that row, which keeps its status; a finding that came back closes it."""
    stored = [row for row in regressions(store, run=run.name) if row.policy.get("rule") == _RULE]
    kept: dict[str, Regression] = {}
    fresh: list[Regression] = []
    for finding in incident.findings:
        place = run.places.get(finding.metric)
        if place is None:
            continue
        columns = (place.suite, place.genre, place.dataset, place.metric, place.protocol_hash)
        old = next(
            (
                row
                for row in stored
                if (row.suite, row.genre, row.dataset, row.metric, row.protocol_hash) == columns
                and (row.baseline_step or 0) < finding.latest
                and finding.earliest < (row.step or 0)
            ),
            None,
        )
        if old is None:
            row = Regression(
                baseline=_evaluation(run, place.suite, finding.before),
                candidate=_evaluation(run, place.suite, finding.after),
                protocol_hash=place.protocol_hash,
                suite=place.suite,
                genre=place.genre,
                dataset=place.dataset,
                metric=place.metric,
                evidence=_evidence(run, report, finding)
                | {"symptoms": [s.to_dict() for s in seen]},
                policy=policy,
                policy_hash=content_hash(policy),
                cause=[one.to_dict() for one in changed],
                run=run.name,
                baseline_step=finding.before,
                step=finding.after,
                status="open" if finding.recovered is None else "fixed",
                fixed_at_step=finding.recovered,
            )
            fresh.append(row)
            kept[finding.metric] = row
            continue
        if finding.recovered is not None and old.status != "fixed":
            set_status(store, [old.id], "fixed", fixed_at_step=finding.recovered)
        kept[finding.metric] = old
    if fresh:
        record(store, fresh)
    current = {row.id: row for row in regressions(store, run=run.name)}
    return {metric: current.get(row.id, row) for metric, row in kept.items()}


def _evaluation(run: Run, suite: str, step: int) -> str:
    """The evaluation's id; of imported scores, which have none, the run and step."""
    for stage in run.stages:
        if stage.step == step and (found := dict(stage.evaluations).get(suite)):
            return found
    return f"{run.name}@{step}"


def _evidence(run: Run, report: TrajectoryReport, finding: Finding) -> dict[str, Any]:
    noise = report.noise[finding.metric]
    return {
        "good": run.shown(finding.metric, finding.good),
        "bad": run.shown(finding.metric, finding.bad),
        "change": finding.change,
        "se": finding.se,
        "p": finding.p,
        "p_run": finding.p_run,
        "earliest": finding.earliest,
        "latest": finding.latest,
        "flagged": finding.flagged,
        "window": finding.window,
        "baseline": finding.baseline,
        "tau2": noise.tau2,
        "sampling": noise.sampling,
        "df": finding.df if math.isfinite(finding.df) else None,
    }


def _row(analysis: Analysis, number: int, account: Account, finding: Finding) -> dict[str, Any]:
    stored = account.rows.get(finding.metric)
    return {
        "run": analysis.run.name,
        "incident": number,
        "metric": finding.metric,
        "before": finding.before,
        "after": finding.after,
        "persistence": finding.persistence,
        "recovered": finding.recovered,
        **_evidence(analysis.run, analysis.report, finding),
        "lowest": finding.lowest,
        "checkpoints_low": finding.down,
        "fell_with_it": [part.metric for part in account.incident.companions],
        "suspicions": [one.to_dict() for one in account.suspicions],
        "symptoms": [one.to_dict() for one in account.symptoms],
        "status": account.status(finding),
        "id": stored.id if stored else None,
    }
