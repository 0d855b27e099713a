"""False alarms, coverage and power of the regression statistics, by simulation, beside other rules.

  alarms    nothing changes; share of checkpoints, and of runs of 50 checkpoints × 30 metrics, at
            which a rule reports a regression of any metric
  falls     one metric of such a run falls; share of runs in which it is reported, placed, followed
  coverage  how often 95 % intervals of a paired change hold it
  power     items at which a drop is found with 80 % power, against `items_needed`
  drop      power for a 5-point drop in one of 20 genres of 200 items, at about equal generations
  stream    items asked until a clear drop is decided, against the fixed number

The rules of others, each as its harness applies it: `threshold` (a fall of more than 2 points),
`unpaired` (z of two independent means), `paired` (t of the items' differences), `BH` (the same,
corrected over the metrics of one checkpoint). All at one-sided 5 %.

Usage: python benchmarks/regression_calibration.py [--quick] [--only SECTION]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.statistics import (
    benjamini_hochberg,
    decide_paired,
    holm,
    items_needed,
    items_needed_binary,
    paired_data,
    paired_difference,
)
from harness.statistics.bootstrap import cluster_bootstrap
from harness.statistics.noise import detrended_noise, pooled_noise
from harness.statistics.sequential import drop_e_values
from harness.statistics.series import MetricSeries, item_series, window_contrasts
from harness.statistics.trajectory import EVERYTHING, trajectory

CHECKPOINTS, METRICS = 50, 30
ALPHA = 0.05
Floats = np.ndarray


def metric_scores(
    random: np.random.Generator, n: int, tau: float, kind: str, clusters: int, tail: str = "normal"
) -> tuple[Floats, Floats]:
    """Scores (n, checkpoints) without change, and cluster numbers: items of lasting difficulty,
    fresh luck per checkpoint that half belongs to the cluster, and noise of the checkpoint."""
    groups = -(-n // clusters)
    key = np.repeat(np.arange(groups), clusters)[:n]
    ease = random.beta(1.2, 1.0, groups)[key] if clusters > 1 else random.beta(1.2, 1.0, n)
    if tail == "normal":
        shift = random.normal(0, tau, CHECKPOINTS)
    elif tail == "heavy":
        shift = random.standard_t(4, CHECKPOINTS) * tau / math.sqrt(2)
    else:
        shift = np.zeros(CHECKPOINTS)
        for t in range(CHECKPOINTS):
            shift[t] = 0.5 * shift[t - 1] * (t > 0) + random.normal(0, tau * math.sqrt(0.75))
    luck = random.random((n, CHECKPOINTS))
    if clusters > 1:
        shared = random.random((n, CHECKPOINTS)) < 0.5
        luck = np.where(shared, random.random((groups, CHECKPOINTS))[key], luck)
    level = ease[:, None] * 0.8 + 0.1 + shift
    if kind == "binary":
        return (luck < level).astype(float), key
    return np.clip(level + 0.5 * (luck - 0.5), -0.5, 1.5), key


def neighbours(scores: Floats, key: Floats) -> dict[str, Floats]:
    """One-sided p of a drop from each checkpoint to the next, by the rules of others."""
    n = scores.shape[0]
    mean, error = scores.mean(axis=0), scores.std(axis=0, ddof=1) / math.sqrt(n)
    change = np.diff(mean)
    spread = np.diff(scores, axis=1).std(axis=0, ddof=1) / math.sqrt(n)
    t = change / np.where(spread > 0, spread, np.inf)
    return {
        "threshold": np.where(change < -0.02, 0.0, 1.0),
        "unpaired": stats.norm.cdf(change / np.hypot(error[1:], error[:-1])),
        "paired": stats.t.cdf(t, n - 1),
    }


def flags(series: list[MetricSeries], p: list[dict[str, Floats]]) -> dict[str, Floats]:
    """Whether each rule reports any metric, at each of the 49 comparisons of a run."""
    found = {name: (np.array([x[name] for x in p]) <= ALPHA).any(0) for name in p[0]}
    paired = np.array([x["paired"] for x in p])
    found["BH"] = np.array(
        [benjamini_hochberg(paired[:, t]).min() <= ALPHA for t in range(paired.shape[1])]
    )
    noise = pooled_noise(
        [detrended_noise(one.values) for one in series], [one.sampling() for one in series]
    )
    steps = [(t, 1, 1) for t in range(1, CHECKPOINTS)]
    ours = np.array(
        [
            window_contrasts(one, steps, own, {1: 1.0}).p
            for one, own in zip(series, noise, strict=True)
        ]
    )
    found["compare"] = np.array([holm(ours[:, t]).min() <= ALPHA for t in range(ours.shape[1])])
    return found


def alarms(quick: bool) -> None:
    rules = ["threshold", "unpaired", "paired", "BH", "compare"]
    print(f"\n## alarms: no change, {CHECKPOINTS} checkpoints × {METRICS} metrics, % flagged")
    print(f"{'':37} | of {CHECKPOINTS - 1} comparisons{'':31} | of runs")
    names = " ".join(f"{rule:>9}" for rule in rules)
    print(f"scores   items  cluster  τ        runs | {names} | {names} regressions")
    settings = [
        (kind, n, clusters, tau, "normal")
        for kind in ("binary", "graded")
        for n, clusters in ((40, 1), (200, 1), (200, 5), (2000, 1))
        for tau in (0.0, 0.017)
    ]
    settings += [("binary", 200, 1, 0.017, "heavy"), ("binary", 200, 1, 0.017, "sticky")]
    for kind, n, clusters, tau, tail in settings:
        runs = (4 if n > 1000 else 10) if quick else (40 if n > 1000 else 200)
        random = np.random.default_rng([n, clusters, int(tau * 1e4), kind == "binary"])
        per_checkpoint = dict.fromkeys(rules, 0.0)
        per_run = dict.fromkeys([*rules, "regressions"], 0)
        for _ in range(runs):
            series, p = [], []
            for number in range(METRICS):
                scores, key = metric_scores(random, n, tau, kind, clusters, tail)
                series.append(item_series(str(number), range(CHECKPOINTS), scores, key))
                p.append(neighbours(scores, key))
            for rule, found in flags(series, p).items():
                per_checkpoint[rule] += float(found.mean()) / runs
                per_run[rule] += bool(found.any())
            per_run["regressions"] += bool(trajectory(series, ALPHA).findings)
        each = " ".join(f"{100 * per_checkpoint[rule]:9.1f}" for rule in rules)
        whole = " ".join(f"{100 * count / runs:9.1f}" for count in per_run.values())
        name = f"{kind:8} {n:5}  {clusters:7}  {100 * tau:.1f} {tail:6} {runs:4}"
        print(f"{name} | {each} | {whole}", flush=True)


def falls(quick: bool) -> None:
    runs = 10 if quick else 100
    print(f"\n## falls: one of {METRICS} metrics of 200 binary items falls after checkpoint 30, "
          f"{runs} runs")  # fmt: skip
    print("points  lasts   τ   | reported  placed  course right  checkpoints until flagged  others")
    cases = [(size, 20) for size in (0.05, 0.08, 0.12, 0.20)] + [(0.15, 1), (0.15, 5)]
    for tau in (0.0, 0.017):
        for size, lasts in cases:
            random = np.random.default_rng([int(1000 * size), lasts, int(1e4 * tau)])
            reported = placed = followed = others = 0
            delays = []
            for _ in range(runs):
                series = []
                for number in range(METRICS):
                    scores, key = metric_scores(random, 200, tau, "binary", 1)
                    if number == 0:
                        down = scores[:, 30 : 30 + lasts]
                        down[random.random(down.shape) < size / down.mean()] = 0.0
                    series.append(item_series(str(number), range(1, CHECKPOINTS + 1), scores, key))
                found = trajectory(series, ALPHA).findings
                own = [finding for finding in found if finding.metric == "0"]
                others += any(finding.metric not in ("0", EVERYTHING) for finding in found)
                if own:
                    reported += 1
                    placed += own[0].earliest <= 30 and own[0].latest >= 31
                    back = None if lasts == 20 else 31 + lasts
                    followed += own[0].recovered == back
                    delays.append(own[0].flagged - 31)
            delay = f"{np.median(delays):.0f}" if delays else "-"
            shares = [placed / max(1, reported), followed / max(1, reported), others / runs]
            where, fate, false = (100 * share for share in shares)
            print(f"{100 * size:6.0f} {lasts:6}  {100 * tau:.1f} | {100 * reported / runs:8.0f} "
                  f"{where:7.0f} {fate:13.0f} {delay:>26} {false:7.0f}", flush=True)  # fmt: skip


def change_pair(
    random: np.random.Generator, kind: str, n: int, clusters: int, drop: float
) -> tuple[Floats, Floats, Floats]:
    """Base and candidate scores of n items whose expected change is −drop; luck that clusters share
    in part."""
    groups = -(-n // clusters)
    key = np.repeat(np.arange(groups), clusters)[:n]
    if kind == "binary":
        flip = random.random(n)
        if clusters > 1:
            flip = np.where(random.random(n) < 0.4, random.random(groups)[key], flip)
        # A share of .2 flips: (.2 + drop)/2 breaks, (.2 − drop)/2 is mended.
        broken = flip < (0.2 + drop) / 2
        mended = flip > 1 - (0.2 - drop) / 2
        return broken.astype(float), mended.astype(float), key
    luck = random.exponential(1.0, (2, n)) + random.exponential(0.7, (2, groups))[:, key] * (
        clusters > 1
    )
    return luck[0] * 0.2, luck[1] * 0.2 - drop, key


def coverage(quick: bool) -> None:
    reps = 300 if quick else 3000
    print(f"\n## coverage: 95 % intervals of a paired change, % that hold it, {reps} draws")
    print("scores   items  cluster |      t")
    for kind in ("binary", "graded"):
        for n, clusters in ((40, 1), (40, 4), (200, 1), (200, 5), (2000, 1), (2000, 20)):
            random = np.random.default_rng([n, clusters])
            held = 0
            for _ in range(reps):
                base, cand, key = change_pair(random, kind, n, clusters, 0.03)
                found = paired_difference(paired_data(base, cand, key))
                held += found.low <= -0.03 <= found.high
            print(f"{kind:8} {n:5}  {clusters:7} | {100 * held / reps:6.1f}", flush=True)
    draws = 100 if quick else 600
    print(f"bootstrap of skewed graded scores, {draws} draws: % that hold the mean")
    for n in (40, 200):
        random = np.random.default_rng(n)
        samples = [random.exponential(1.0, n) for _ in range(draws)]
        for method in ("bca", "studentised"):
            found = [cluster_bootstrap(x, method=method, draws=1999) for x in samples]
            held = sum(x.low <= 1.0 <= x.high for x in found)
            print(f"{method:12} {n:5} | {100 * held / draws:6.1f}", flush=True)


def power(quick: bool) -> None:
    reps = 400 if quick else 4000
    print(f"\n## power: items at 80 % power against the prediction, {reps} draws a point")
    print("scores   drop  predicted   power there   items at 80 %   ratio")
    for kind, drop in (("binary", 0.10), ("binary", 0.05), ("graded", 0.08), ("graded", 0.04)):
        random = np.random.default_rng(int(1000 * drop))
        # Two exponentials of sd .2 each.
        predicted = (
            items_needed_binary(0.2, drop) if kind == "binary" else items_needed(2 * 0.04, drop)
        )
        assert predicted is not None
        sizes = [round(predicted * share) for share in (0.8, 0.9, 1.0, 1.1, 1.2)]
        rates = []
        for n in sizes:
            found = 0
            for _ in range(reps):
                base, cand, _ = change_pair(random, kind, n, 1, drop)
                pair = paired_difference(paired_data(base, cand))
                found += decide_paired(pair, drop).verdict == "regressed"
            rates.append(found / reps)
        # Power is a normal curve in √n.
        slope, start = np.polyfit(np.sqrt(sizes), stats.norm.ppf(rates), 1)
        needed = ((stats.norm.ppf(0.8) - start) / slope) ** 2
        print(f"{kind:8} {100 * drop:4.0f}  {predicted:9}   {100 * rates[2]:10.1f}   "
              f"{needed:13.0f}   {needed / predicted:5.2f}", flush=True)  # fmt: skip


def drop(quick: bool) -> None:
    reps = 60 if quick else 500
    genres, n, size = 20, 200, 0.05
    print(f"\n## drop: {100 * size:.0f} points in one of {genres} genres × {n} items, {reps} draws")
    print("rule                        generations   power %   false flag of any genre %")
    for tau in (0.0, 0.017):
        totals: dict[str, list[float]] = {}
        random = np.random.default_rng(int(1e4 * tau))
        for _ in range(reps):
            for name, (cost, p) in one_comparison(random, genres, n, size, tau).items():
                total = totals.setdefault(name, [0.0, 0.0, 0.0])
                total[0] += cost / reps
                total[1] += float(p[0] <= ALPHA) / reps
                total[2] += float((p[1:] <= ALPHA).any()) / reps
        print(f"checkpoint noise {100 * tau:.1f} points")
        for name, (cost, found, false) in totals.items():
            print(f"{name:28} {cost:10.2f} {100 * found:9.1f} {100 * false:9.1f}", flush=True)


def one_comparison(
    random: np.random.Generator, genres: int, n: int, size: float, tau: float
) -> dict[str, tuple[float, Floats]]:
    """(generations per item, p or corrected p per genre) of each rule, one checkpoint against its
    predecessors; the first genre loses `size`."""
    ease = random.beta(1.2, 1.0, (genres, n)) * 0.8 + 0.1
    loss = np.zeros(genres)
    loss[0] = size

    def ask(samples: int, lost: Floats, shift: Floats) -> Floats:
        level = np.clip(ease - lost[:, None] + shift[:, None], 0, 1)
        return random.binomial(samples, level) / samples

    shifts = random.normal(0, tau, (4, genres))
    # Others: two samples an item at both checkpoints.
    base, cand = ask(2, 0 * loss, shifts[0]), ask(2, loss, shifts[3])
    change = (cand - base).mean(axis=1)
    unpaired = np.sqrt((base.var(axis=1, ddof=1) + cand.var(axis=1, ddof=1)) / n)
    paired = (cand - base).std(axis=1, ddof=1) / math.sqrt(n)
    p = stats.t.cdf(change / paired, n - 1)
    found = {
        "threshold, 2 points": (2.0, np.where(change < -0.02, 0.0, 1.0)),
        "unpaired z": (2.0, stats.norm.cdf(change / unpaired)),
        "paired t": (2.0, p),
        "paired t, BH": (2.0, benjamini_hochberg(p)),
    }
    # Ours: eight samples at each of three earlier checkpoints, cached; one sample to screen.
    cached = np.mean([ask(8, 0 * loss, shifts[k]) for k in range(3)], axis=0)
    noise = tau**2 * (1 + 1 / 3)

    def drops(scores: Floats) -> Floats:
        pairs = [paired_difference(paired_data(b, c)) for b, c in zip(cached, scores, strict=True)]
        # Means of samples are compared with τ² known.
        return np.array([stats.norm.cdf(x.change / math.sqrt(x.se**2 + noise)) for x in pairs])

    found["ours, one sample"] = (1.0, holm(drops(ask(1, loss, shifts[3]))))
    flagged = drops(ask(1, loss, shifts[3])) <= 0.10
    confirmed = np.where(flagged, drops(ask(8, loss, shifts[3])), 1.0)
    found["ours, screen and confirm"] = (1 + 8 * float(flagged.mean()), holm(confirmed))
    return found


def stream(quick: bool) -> None:
    reps = 100 if quick else 1000
    print(f"\n## stream: items until e ≥ {1 / ALPHA:.0f}, of {items_needed_binary(0.2, 0.05)} "
          f"that a 5-point drop needs, {reps} draws")  # fmt: skip
    limit = items_needed_binary(0.2, 0.05) or 0
    print("true drop   decided %   items asked   share of the full set")
    for size in (0.0, 0.05, 0.10, 0.15, 0.20):
        random = np.random.default_rng(int(100 * size))
        asked, decided = 0, 0
        for _ in range(reps):
            base, cand, _ = change_pair(random, "binary", limit, 1, size)
            strong = np.flatnonzero(drop_e_values(cand - base) >= 1 / ALPHA)
            decided += bool(strong.size)
            asked += int(strong[0]) + 1 if strong.size else limit
        print(f"{100 * size:9.0f} {100 * decided / reps:11.1f} {asked / reps:13.1f} "
              f"{asked / reps / limit:14.2f}", flush=True)  # fmt: skip


SECTIONS = {
    "alarms": alarms,
    "falls": falls,
    "coverage": coverage,
    "power": power,
    "drop": drop,
    "stream": stream,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the draws")
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    arguments = parser.parse_args()
    started = time.perf_counter()
    for name, section in SECTIONS.items():
        if arguments.only in (None, name):
            section(arguments.quick)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
