"""CPU time of our resampling over 10,000 items and 9,999 draws against scipy's, in one process.

`right or wrong` are binary items, where ours counts alike items, `graded` has no two alike. scipy's
side takes one round, it is long; of ours the median of a few counts.

Usage: python benchmarks/statistics_speed.py [--items 10000] [--draws 9999] [--rounds 5]
           [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Cost, Result, cost_of
from benchmarks.bench.peers import here
from harness.statistics import paired_data, paired_difference
from harness.statistics.bootstrap import cluster_bootstrap
from harness.statistics.permutation import sign_flip
from harness.statistics.series import summary_series
from harness.statistics.trajectory import trajectory


def scipys(what: str, change: np.ndarray, draws: int) -> object:
    if what == "permutation":
        return stats.permutation_test(
            (change,), np.mean, permutation_type="samples", n_resamples=draws, batch=500,
            vectorized=True, rng=1,
        )  # fmt: skip
    return stats.bootstrap((change,), np.mean, n_resamples=draws, method="BCa", batch=500, rng=1)


def rounds_of(action: Callable[[], object], rounds: int) -> list[Cost]:
    return [cost_of(action) for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=9_999)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    n, draws, rounds = arguments.items, arguments.draws, arguments.rounds
    random = np.random.default_rng(0)
    changes = {
        "right or wrong": random.choice([-1.0, 0.0, 1.0], n, p=[0.11, 0.8, 0.09]),
        "graded": random.normal(-0.01, 1, n),
    }
    result, peer = Result(), here("scipy")
    for name, change in changes.items():
        data = paired_data(np.zeros(n), change)
        cases: list[tuple[str, str, Callable[[], object]]] = [
            ("sign flips", "permutation", partial(sign_flip, data, draws)),
            ("BCa", "bootstrap", partial(cluster_bootstrap, change, draws=draws)),
            (
                "studentised (scipy: BCa)",
                "bootstrap",
                partial(cluster_bootstrap, change, method="studentised", draws=draws),
            ),
        ]
        theirs: dict[str, list[Cost]] = {}
        for label, what, action in cases:
            ours = rounds_of(action, rounds)
            if what not in theirs:
                theirs[what] = rounds_of(partial(scipys, what, change, draws), 1)
            result.compare(f"{name}, {label}", peer, ours, theirs[what], ["s of processor"])
    large = paired_data(random.random(100_000), random.random(100_000), np.arange(100_000) // 4)
    steps = list(range(50))
    series = [
        summary_series(str(m), steps, random.normal(0.5, 0.02, 50), [0.02] * 50) for m in range(30)
    ]
    for what, action in (
        ("paired difference of 100,000 items in clusters of 4", partial(paired_difference, large)),
        ("trajectory of 50 checkpoints × 30 summaries", partial(trajectory, series)),
    ):
        median = statistics.median(cost.processor for cost in rounds_of(action, rounds))
        print(f"{what}: {median:.4f} s of processor")
    result.write(arguments.json)


if __name__ == "__main__":
    main()
