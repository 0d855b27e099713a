"""What is found in a run: drops of single metrics, incidents of several, and what they rest on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from harness.statistics.changes import Persistence
from harness.statistics.noise import CheckpointNoise


@dataclass(frozen=True)
class Finding:
    """One drop of one metric that chance does not explain over the whole run.

    before after     steps between which it most likely broke: the last good and the first bad
    earliest latest  steps between which it broke with 95 % confidence
    flagged          step at which the evidence sufficed
    change se df p   the drop at the window that shows it best, and its own one-sided p
    p_run            p corrected for every metric, window and checkpoint of the run
    window baseline  checkpoints averaged after and before
    good bad         the score before the break, and after it over `window` checkpoints at most, as
                     given; `change` is below 0 for worse, whichever way the metric points
    persistence      lasting, transient (came back at step `recovered`) or recent (too early to say)
    lowest           step of the lowest score while it lasted
    down             checkpoints that it lasted
    """

    metric: str
    before: int
    after: int
    earliest: int
    latest: int
    flagged: int
    change: float
    se: float
    df: float
    p: float
    p_run: float
    window: int
    baseline: int
    good: float
    bad: float
    persistence: Persistence
    recovered: int | None
    lowest: int
    down: int


@dataclass(frozen=True)
class Companion:
    """A metric that fell with an incident, by itself too little to be a finding."""

    metric: str
    change: float
    se: float
    p: float


@dataclass(frozen=True)
class Incident:
    """Findings that broke together, strongest first, with the metrics that fell with them.

    before after  steps between which the strongest finding broke
    p_run         of the strongest finding
    companions    metrics whose own drop at that place is significant among the rest (BH, 5 %)
    watched       metrics that have scores on both sides
    """

    before: int
    after: int
    p_run: float
    persistence: Persistence
    recovered: int | None
    findings: tuple[Finding, ...]
    companions: tuple[Companion, ...]
    watched: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """All that fell, findings first."""
        fell = [finding.metric for finding in self.findings]
        return (*fell, *(companion.metric for companion in self.companions))


@dataclass(frozen=True)
class TrajectoryReport:
    """What a run shows: incidents ranked by evidence, and what they rest on.

    noise    of each metric;  growth: how means over w checkpoints exceed independent noise
    tails    excess kurtosis of the noise, from the run's lone high checkpoints
    tests    comparisons made, all of which `alpha` covers
    """

    incidents: tuple[Incident, ...]
    noise: dict[str, CheckpointNoise]
    growth: dict[int, float]
    tails: float
    tests: int
    alpha: float

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, strongest first."""
        every = [finding for incident in self.incidents for finding in incident.findings]
        return tuple(sorted(every, key=lambda finding: (finding.p_run, finding.p)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite degrees of freedom become None."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
