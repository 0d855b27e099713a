"""How often the gate of `harness compare` calls a regression where there is none, and where one is.

Scores of five genres are made up, measured and judged under the default policy as the command does
it (overall and each genre critical, Holm over the six, one-sided 5 %). Without change, base and
candidate of an item are exchangeable; a clustered item shares its change with four others. With a
drop, the items of one genre lose it. The figures are shares of comparisons that end in regression.

Usage: python benchmarks/compare_calibration.py [--rounds 500] [--seed 0]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.regression.compare import verdicts
from harness.regression.measure import measure_pairs
from harness.regression.policy_file import load_policy
from harness.store.paired import Column, PairedScores

GENRES, WIDTH, FLIPS = 5, 5, 0.2
Random = np.random.Generator
Scores = tuple[np.ndarray, np.ndarray]


def binary(random: Random, items: int, drop: np.ndarray) -> Scores:
    """Right or wrong; a fifth flips, and of those right at the baseline a share `drop` breaks."""
    base = random.random(items) < 0.6
    flips, up = random.random(items) < FLIPS, random.random(items) < 0.5
    base = np.where(flips, ~up, base)
    cand = np.where(flips, up, base)
    return base.astype(float), (cand & (random.random(items) >= drop)).astype(float)


def graded(random: Random, items: int, drop: np.ndarray) -> Scores:
    """Between 0 and 1, both sides with the same error."""
    hard = random.random(items)
    base, cand = np.clip(hard + random.normal(0, 0.15, (2, items)), 0, 1)
    return base, np.clip(cand - drop, 0, 1)


def clustered(random: Random, items: int, drop: np.ndarray) -> Scores:
    """As graded, with a change that the items of a cluster share."""
    shared = np.repeat(random.normal(0, 0.15, items // WIDTH), WIDTH)
    base = np.full(items, 0.5) + random.normal(0, 0.1, items)
    return base, 0.5 + shared + random.normal(0, 0.1, items) - drop


def alarms(
    make: Callable[[Random, int, np.ndarray], Scores],
    per_genre: int,
    drop: float,
    rounds: int,
    random: Random,
) -> float:
    """Share of comparisons in which a critical metric regressed."""
    items = per_genre * GENRES
    rows = np.arange(items)
    names = Column(tuple(map(str, rows)), rows)
    genre = Column(tuple(f"genre {number}" for number in range(GENRES)), rows // per_genre)
    nothing = np.zeros(items, dtype=np.intp)
    clusters = names
    if make is clustered:
        clusters = Column(tuple(map(str, range(items // WIDTH))), rows // WIDTH)
    lost = np.where(genre.codes == 0, drop, 0.0)
    policy, found = load_policy(None), 0
    for _ in range(rounds):
        base, cand = make(random, items, lost)
        scores = PairedScores(
            names,
            genre,
            Column(("",), nothing),
            clusters,
            Column(("strict",), nothing),
            base,
            cand,
        )
        measured = measure_pairs("made up", scores)
        settings = [policy.settings(one.suite, one.place) for one in measured]
        found += any(
            one.verdict == "regressed" and one.settings.critical
            for one in verdicts(measured, settings, 1)
        )
    return found / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    print(
        f"{options.rounds} rounds, without change {4 * options.rounds}; items a genre, kind: "
        "no change, one genre loses 5, 10, 20 %"
    )
    for per_genre in (10, 40, 200):
        for make in (binary, graded, clustered):
            shares = [
                alarms(make, per_genre, drop, options.rounds * (1 if drop else 4), random)
                for drop in (0.0, 0.05, 0.1, 0.2)
            ]
            told = "  ".join(f"{share:6.1%}" for share in shares)
            print(f"{per_genre:4d}  {make.__name__:9s}  {told}", flush=True)


if __name__ == "__main__":
    main()
