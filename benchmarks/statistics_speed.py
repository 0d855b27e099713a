"""CPU time of our resampling over 10,000 items and 9,999 draws against scipy's, in one process.

Prints the median of a few rounds of ours, one round of scipy's (it takes long), and their ratio;
`right or wrong` are binary items, where ours counts alike items, `graded` has no two alike.

Usage: python benchmarks/statistics_speed.py [--items 10000] [--draws 9999] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.statistics import paired_data, paired_difference
from harness.statistics.bootstrap import cluster_bootstrap
from harness.statistics.permutation import sign_flip
from harness.statistics.series import summary_series
from harness.statistics.trajectory import trajectory


def timed(action: Callable[[], object], rounds: int) -> float:
    """Median CPU seconds of a call, which other work on the machine does not lengthen."""
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        action()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=9_999)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    n, draws, rounds = arguments.items, arguments.draws, arguments.rounds
    random = np.random.default_rng(0)
    changes = {
        "right or wrong": random.choice([-1.0, 0.0, 1.0], n, p=[0.11, 0.8, 0.09]),
        "graded": random.normal(-0.01, 1, n),
    }
    print(f"{n} items, {draws} draws; scipy {scipy.__version__}, numpy {np.__version__}")
    print("items           what                     ours s   scipy s   ratio")
    for name, change in changes.items():
        data = paired_data(np.zeros(n), change)

        def scipys(what: str, change: np.ndarray = change) -> object:
            if what == "permutation":
                return stats.permutation_test(
                    (change,), np.mean, permutation_type="samples", n_resamples=draws, batch=500,
                    vectorized=True, rng=1,
                )  # fmt: skip
            return stats.bootstrap(
                (change,), np.mean, n_resamples=draws, method="BCa", batch=500, rng=1
            )

        cases: list[tuple[str, str, Callable[[], object]]] = [
            ("sign flips", "permutation", lambda data=data: sign_flip(data, draws)),  # type: ignore[misc]
            ("BCa", "bootstrap", lambda x=change: cluster_bootstrap(x, draws=draws)),  # type: ignore[misc]
            (
                "studentised (scipy: BCa)",
                "bootstrap",
                lambda x=change: cluster_bootstrap(x, method="studentised", draws=draws),  # type: ignore[misc]
            ),
        ]
        theirs: dict[str, float] = {}
        for label, peer, action in cases:
            ours = timed(action, rounds)
            if peer not in theirs:
                theirs[peer] = timed(lambda peer=peer, run=scipys: run(peer), 1)  # type: ignore[misc]
            print(
                f"{name:15} {label:24} {ours:7.4f} {theirs[peer]:9.2f} {theirs[peer] / ours:7.0f}"
            )
    large = paired_data(random.random(100_000), random.random(100_000), np.arange(100_000) // 4)
    print(f"paired difference of 100,000 items in clusters of 4: "
          f"{timed(lambda: paired_difference(large), rounds):.4f} s")  # fmt: skip
    steps = list(range(50))
    series = [
        summary_series(str(m), steps, random.normal(0.5, 0.02, 50), [0.02] * 50) for m in range(30)
    ]
    print(f"trajectory of 50 checkpoints × 30 summaries: "
          f"{timed(lambda: trajectory(series), rounds):.4f} s")  # fmt: skip


if __name__ == "__main__":
    main()
