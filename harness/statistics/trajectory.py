"""Regressions over a whole run: where it broke, which metrics together, and whether it lasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.statistics.changes import course, locate_break
from harness.statistics.clusters import Floats
from harness.statistics.findings import Companion, Finding, Incident, TrajectoryReport
from harness.statistics.multiplicity import benjamini_hochberg, holm
from harness.statistics.noise import (
    CheckpointNoise,
    detrended_noise,
    noise_growth,
    noise_tails,
    pooled_noise,
)
from harness.statistics.series import Contrasts, MetricSeries, window_contrasts
from harness.statistics.spending import Schedule, spent_at

# The name of the series that averages all others.
EVERYTHING = "(all metrics)"
# A window is compared with at least this many checkpoints before it, and with this many times its
# own length, where there are.
_NEAR = 4


def trajectory(
    series: Sequence[MetricSeries],
    alpha: float = 0.05,
    schedule: Schedule = "dyadic",
    planned: int | None = None,
    noise: dict[str, CheckpointNoise] | None = None,
) -> TrajectoryReport:
    """The regressions of a run, with at most the chance `alpha` of any false one over all of it.

    series    the metrics of one run, each from `summary_series` or `item_series`; their steps may
              differ
    schedule  how `alpha` is spent over checkpoints (`spent_at`). The default holds however long the
              run goes on and however often it is looked at; "equal" with `planned` checkpoints is
              sharper late in a run whose length is known
    noise     of metrics known beforehand, as pooled over earlier runs; the rest is estimated here

    At each checkpoint, each metric's last w = 1, 2, 4, 8, … checkpoints are compared with the
    max(4, w) before them and with the 4w before them (fewer at the start): one bad checkpoint, a
    small lasting fall and a slow decay each have a window that shows them best. The denominator
    holds sampling error and checkpoint noise (`pooled_noise`, `noise_growth`), the p its tails
    (`noise_tails`), all estimated from the run about its own trends: a rising series has to lose
    more than its own wobble. All p-values of a checkpoint, over metrics and windows, are corrected
    by Holm's method and held against that checkpoint's share of `alpha`. The trimmed mean of all
    metrics, in units of their noise, is one more series, for a fault that lowers many a little.

    Per metric the strongest window is a finding; it is located by likelihood, followed until it
    comes back, and windows that straddle its break or its return are dropped, so that one event is
    one finding and a second fall is a second. Findings whose places overlap are one incident.

    Raises ValueError: no series, two of one name.
    """
    names = [one.metric for one in series]
    if not names or len(set(names)) < len(names):
        raise ValueError("expected one or more series, each metric once")
    estimated = _noise_of(series, noise or {})
    watched = list(series)
    total = _everything(series, estimated)
    if total is not None:
        watched.append(total)
        own = detrended_noise(total.values)
        estimated |= {EVERYTHING: pooled_noise([own], [0.0], paired=False)[0]}
    longest = max(one.steps.size for one in watched)
    scales = [2**power for power in range(longest.bit_length()) if 2 ** (power + 1) <= longest]
    standard = [
        one.values / estimated[one.metric].total ** 0.5
        for one in series
        if estimated[one.metric].total > 0
    ]
    growth, tails = noise_growth(standard, scales or [1]), noise_tails(standard)
    contrasts = {
        one.metric: window_contrasts(one, windows, estimated[one.metric], growth, tails)
        for one in watched
        if (windows := _windows(one.steps.size, scales))
    }
    corrected = _run_wide(watched, contrasts, alpha, schedule, planned)
    findings = [
        finding
        for one in watched
        if one.metric in contrasts
        for finding in _findings(
            one, contrasts[one.metric], corrected[one.metric], estimated[one.metric], alpha
        )
    ]
    return TrajectoryReport(
        incidents=tuple(_incidents(findings, series, estimated, growth, tails)),
        noise=estimated,
        growth=growth,
        tails=tails,
        tests=sum(found.p.size for found in contrasts.values()),
        alpha=alpha,
    )


def _noise_of(
    series: Sequence[MetricSeries], given: dict[str, CheckpointNoise]
) -> dict[str, CheckpointNoise]:
    """Noise pooled among series of one unit and one way of knowing their sampling error."""
    pools: dict[tuple[str, bool, bool], list[MetricSeries]] = {}
    for one in series:
        if one.metric not in given:
            kind = (one.unit, one.items is not None, one.variance is not None)
            pools.setdefault(kind, []).append(one)
    answer = dict(given)
    for (_, paired, _), members in pools.items():
        pooled = pooled_noise(
            [detrended_noise(one.values) for one in members],
            [one.sampling() for one in members],
            paired,
        )
        answer |= {one.metric: found for one, found in zip(members, pooled, strict=True)}
    return answer


def _everything(
    series: Sequence[MetricSeries], noise: dict[str, CheckpointNoise]
) -> MetricSeries | None:
    """The mean of the metrics that every checkpoint has, each in units of its noise, without the
    highest and the lowest fifth at each, so that no single metric moves it; None below five."""
    from scipy import stats

    steps = np.unique(np.concatenate([one.steps for one in series]))
    whole = [one for one in series if one.steps.size == steps.size and noise[one.metric].total > 0]
    if len(whole) < 5:
        return None
    scaled = [(one.values - one.values.mean()) / noise[one.metric].total ** 0.5 for one in whole]
    return MetricSeries(
        EVERYTHING, steps, stats.trim_mean(scaled, 0.2, axis=0), None, unit="noise sd"
    )


def _windows(size: int, scales: Sequence[int]) -> list[tuple[int, int, int]]:
    """(end, after, before) of every comparison that a series of this length allows."""
    answer = []
    for end in range(1, size):
        for scale in scales:
            room = end - scale + 1
            if room >= scale:
                # Near, for a rising score; and far, which is sharper for a level one.
                near, far = min(max(_NEAR, scale), room), min(_NEAR * scale, room)
                answer += [(end, scale, before) for before in sorted({near, far})]
    return answer


def _run_wide(
    series: Sequence[MetricSeries],
    contrasts: dict[str, Contrasts],
    alpha: float,
    schedule: Schedule,
    planned: int | None,
) -> dict[str, Floats]:
    """Each contrast's p corrected for the whole run: Holm within its checkpoint, scaled by the
    share of alpha that the checkpoint may spend."""
    steps = np.unique(np.concatenate([one.steps for one in series]))
    tested = [one for one in series if one.metric in contrasts]
    if not tested:
        return {}
    p = np.concatenate([contrasts[one.metric].p for one in tested])
    at = np.concatenate(
        [np.searchsorted(steps, one.steps[contrasts[one.metric].end]) for one in tested]
    )
    corrected = np.ones(p.size)
    for checkpoint in np.unique(at).tolist():
        here = np.flatnonzero(at == checkpoint)
        level = spent_at(checkpoint, alpha, schedule, planned)
        if level > 0:
            corrected[here] = np.minimum(1.0, holm(p[here]) * (alpha / level))
    cuts = np.cumsum([contrasts[one.metric].p.size for one in tested])[:-1]
    parts = np.split(corrected, cuts)
    return {one.metric: part for one, part in zip(tested, parts, strict=True)}


def _findings(
    series: MetricSeries, found: Contrasts, p_run: Floats, noise: CheckpointNoise, alpha: float
) -> list[Finding]:
    """The events among the windows that count, strongest first."""
    from scipy import stats

    # A drop that is surely smaller than the margin does not matter, however sure it is.
    reach = stats.t.ppf(1 - alpha, found.df) * found.se
    matters = found.change - reach <= -series.margin
    first = found.end - found.after - found.before + 1
    left = (p_run <= alpha) & matters
    flagged = left.copy()
    events: list[Finding] = []
    while left.any():
        best = int(np.lexsort((-found.after, found.p, ~left))[0])
        event, at, back = _event(series, found, best, p_run, noise)
        # The same event seen by other windows: those that straddle its break or its return.
        same = (first < at) & (found.end >= at)
        if back is not None:
            same |= (first < back) & (found.end >= back)
        same[best] = True
        seen = flagged & same & (True if back is None else found.end - found.after < back)
        seen[best] = True
        events.append(replace(event, flagged=int(series.steps[found.end[seen].min()])))
        left &= ~same
    return events


def _event(
    series: MetricSeries, found: Contrasts, best: int, p_run: Floats, noise: CheckpointNoise
) -> tuple[Finding, int, int | None]:
    """The finding of one window, with the positions of its break and of its return."""
    end, after, before = (int(x[best]) for x in (found.end, found.after, found.before))
    start = end - after - before + 1
    stretch = series.values[start : end + 1]
    spot = locate_break(stretch, np.full(stretch.size, max(noise.total, 1e-300)))
    at = start + spot.at
    good = float(series.values[start:at].mean())
    fate = course(series.values, at, good, after)
    until = series.steps.size if fate.recovered is None else fate.recovered
    finding = Finding(
        metric=series.metric,
        before=int(series.steps[at - 1]),
        after=int(series.steps[at]),
        earliest=int(series.steps[start + spot.low - 1]),
        latest=int(series.steps[start + spot.high]),
        flagged=int(series.steps[end]),
        change=float(found.change[best]),
        se=float(found.se[best]),
        df=float(found.df[best]),
        p=float(found.p[best]),
        p_run=float(p_run[best]),
        window=after,
        baseline=before,
        good=series.sign * good,
        bad=series.sign * float(series.values[at : min(at + after, until)].mean()),
        persistence=fate.persistence,
        recovered=None if fate.recovered is None else int(series.steps[fate.recovered]),
        lowest=int(series.steps[fate.lowest]),
        down=until - at,
    )
    return finding, at, fate.recovered


def _incidents(
    findings: Sequence[Finding],
    series: Sequence[MetricSeries],
    noise: dict[str, CheckpointNoise],
    growth: dict[int, float],
    tails: float,
) -> list[Incident]:
    """Findings whose places overlap that of a stronger one, strongest incident first."""
    left = sorted(findings, key=lambda finding: (finding.p_run, finding.p))
    answer = []
    while left:
        seed = left[0]
        together = [
            part for part in left if part.earliest < seed.latest and seed.earliest < part.latest
        ]
        left = [part for part in left if part not in together]
        companions, watched = _companions(seed, together, series, noise, growth, tails)
        answer.append(
            Incident(
                before=seed.before,
                after=seed.after,
                p_run=seed.p_run,
                persistence=seed.persistence,
                recovered=seed.recovered,
                findings=tuple(together),
                companions=companions,
                watched=watched,
            )
        )
    return answer


def _companions(
    seed: Finding,
    together: Sequence[Finding],
    series: Sequence[MetricSeries],
    noise: dict[str, CheckpointNoise],
    growth: dict[int, float],
    tails: float,
) -> tuple[tuple[Companion, ...], int]:
    names = {finding.metric for finding in together}
    others: list[Companion] = []
    watched = 0
    for one in series:
        at = int(np.searchsorted(one.steps, seed.after))
        # Close by, so that what the metric learned before does not hide what it lost.
        after, before = min(seed.window, _NEAR, one.steps.size - at), min(_NEAR, at)
        if after < 1 or before < 1:
            continue
        watched += 1
        if one.metric in names:
            continue
        found = window_contrasts(
            one, [(at + after - 1, after, before)], noise[one.metric], growth, tails
        )
        change, se, p = (float(x[0]) for x in (found.change, found.se, found.p))
        others.append(Companion(one.metric, change, se, p))
    if not others:
        return (), watched
    corrected = benjamini_hochberg([other.p for other in others])
    kept = [other for other, p in zip(others, corrected, strict=True) if p <= 0.05]
    return tuple(sorted(kept, key=lambda other: other.p)), watched
