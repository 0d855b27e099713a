"""The alarm in young runs, by simulation: false alarms and power where the checkpoint noise τ has
to be estimated from the three to seven checkpoints there are.

A run of eight checkpoints, G genres, 80 items a genre. The functions are those of `harness watch`:
`detrended_noise` and `pooled_noise` on the first samples, `decide` with τ² (1 + 1/k) in the
denominator, a screen of the first sample at 10 %, the verdict on four fresh ones, Holm over genres,
5 % spread over eight checkpoints. *caught*: one genre falls by 30 points at the fifth checkpoint.

Usage: python benchmarks/young_runs.py [--rounds 400]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.statistics import holm
from harness.statistics.decide import decide
from harness.statistics.noise import CheckpointNoise, detrended_noise, pooled_noise

Floats = np.ndarray
CHECKPOINTS, POOLED, ALPHA, MARGIN, CLUSTERS = 8, 4, 0.05, 0.05, 16
SCREEN = 0.1
# Standard error of a score of one sample an item (80 items), and of four fresh ones.
FIRST, FRESH = 0.042, 0.021
FALL, FALLS_AT = 0.3, 4


def one_run(random: np.random.Generator, genres: int, tau: float) -> tuple[bool, bool, float]:
    """(a false alarm in any checkpoint from the fourth on, the fall was caught, τ estimated from
    four checkpoints)"""
    levels = random.normal(0, tau, (genres, CHECKPOINTS))
    first = levels + random.normal(0, FIRST, levels.shape)
    fresh = levels + random.normal(0, FRESH, levels.shape)
    false, caught, estimated = False, False, 0.0
    for now in range(3, CHECKPOINTS):
        known = first[:, :now]
        noise = pooled_noise([detrended_noise(row) for row in known], [FIRST**2] * genres)
        baseline = known[:, -POOLED:].mean(axis=1)
        seen, moved = first[:, now] - baseline, fresh[:, now] - baseline
        false |= bool(regressed(seen, moved, noise, min(now, POOLED)).any())
        if now == FALLS_AT:
            fall = np.where(np.arange(genres) == 0, FALL, 0.0)
            caught = bool(regressed(seen - fall, moved - fall, noise, POOLED)[0])
            estimated = noise[0].tau2 ** 0.5
    return false, caught, estimated


def regressed(
    seen: Floats, moved: Floats, noise: Sequence[CheckpointNoise], pooled: int
) -> np.ndarray:
    """Which genres regressed, shape (G,): `seen` is their change on the first sample, `moved` on
    the fresh ones, against a baseline of `pooled` checkpoints."""
    plain = np.ones(len(noise))
    for genre, own in enumerate(noise):

        def p(change: float, samples: float, own: CheckpointNoise = own) -> float:
            se = (samples**2 + FIRST**2 / pooled) ** 0.5
            df = CLUSTERS - 1
            return decide(change, se, df, MARGIN, own.tau2, pooled, tau_df=own.df).p_regressed

        if p(float(seen[genre]), FIRST) < SCREEN:
            plain[genre] = p(float(moved[genre]), FRESH)
    return np.asarray(holm(plain)) <= ALPHA / CHECKPOINTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    rounds = parser.parse_args().rounds
    print("| genres | τ, points | τ of four, median | runs with a false alarm, % | caught, % |")
    print("|--:|--:|--:|--:|--:|")
    for genres in (3, 20):
        for tau in (0.0, 0.017, 0.03):
            random = np.random.default_rng(20261130)
            false, caught, found = zip(
                *(one_run(random, genres, tau) for _ in range(rounds)), strict=True
            )
            print(
                f"| {genres} | {tau * 100:.1f} | {np.median(found) * 100:.1f} | "
                f"{np.mean(false) * 100:.1f} | {np.mean(caught) * 100:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
