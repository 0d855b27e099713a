"""Whether the arena's intervals cover, and whether its pairing saves battles, by simulation.

Usage: python benchmarks/arena_simulation.py [--rounds 1000] [--runs 60]
           [--part coverage|pairing|placing]

Coverage: battles between models of known strength are drawn anew, `rounds` times, and it is counted
how often a 95 % interval holds a model's true rating. Battles on one prompt share a tilt towards
some models, so that they are not independent; with tilt 0 they are.

Pairing: 10 models 70 points apart. After each 10 battles the models are ordered by their ratings.
Printed is after how many battles the order of all ten is right in at least 50, 80 and 90 % of the
runs (and stays so), for adaptive and for random pairing.

Placing: a new model meets three anchors, or random opponents; printed is its standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from harness.arena.bradley_terry import POINTS, newton  # noqa: E402
from harness.arena.pairing import believe, propose  # noqa: E402
from harness.arena.placing import proposals  # noqa: E402
from harness.arena.ratings import Ratings, rate  # noqa: E402
from harness.arena.threads import single_threaded  # noqa: E402
from harness.arena.types import BattleTable  # noqa: E402
from harness.errors import HarnessError  # noqa: E402

MODELS = 10
STEP = 10
GAP = 70
HORIZON = {"adaptive": 1200, "random": 3000}


def battles(
    rng: np.random.Generator, strength: Any, prompts: int, each: int, tilt: float, ties: float
) -> BattleTable:
    """`each` battles on every prompt between random pairs; a prompt moves each model's strength
    by a normal draw of deviation `tilt`."""
    size, n = len(strength), prompts * each
    cluster = np.repeat(np.arange(prompts), each)
    a = rng.integers(0, size, n)
    b = (a + rng.integers(1, size, n)) % size
    shift = rng.normal(0, tilt, (prompts, size))
    odds = strength[a] - strength[b] + shift[cluster, a] - shift[cluster, b]
    score = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    score[rng.random(n) < ties] = 0.5
    names = tuple(f"m{number}" for number in range(size))
    return BattleTable(names, a, b, score, np.ones(n), cluster, prompts, np.zeros(n))


def expected(strength: Any, tilt: float, ties: float) -> Any:
    """The ratings that such battles settle at: ties draw them together, and so does the tilt."""
    rng = np.random.default_rng(1)
    size = len(strength)
    shift = rng.normal(0, tilt, (200_000, 1)) * np.sqrt(2)
    difference = strength[:, None] - strength[None, :]
    chance = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            chance[i, j] = np.mean(1 / (1 + np.exp(-(difference[i, j] + shift))))
    won = (1 - ties) * chance + ties / 2
    np.fill_diagonal(won, 0)
    return newton(won[None], 0.0)[0][0] * POINTS + 1000


def coverage(rounds: int) -> None:
    strength = (np.arange(6) - 2.5) * 100 / POINTS
    print(f"share of 95 % intervals that hold the true rating, {rounds:,} rounds, 6 models")
    methods: dict[str, Callable[[BattleTable], Ratings]] = {
        "sandwich, clustered": rate,
        "sandwich, battles taken for independent": lambda table: rate(alone(table)),
        "Poisson bootstrap": lambda table: rate(table, interval="poisson", draws=1000),
        "multinomial bootstrap": lambda table: rate(table, interval="multinomial", draws=400),
    }
    for prompts, each, tilt, ties in (
        (40, 10, 0.0, 0.2),
        (100, 10, 0.0, 0.2),
        (40, 20, 0.7, 0.2),
        (100, 20, 0.7, 0.2),
        (300, 20, 0.7, 0.2),
    ):
        true = expected(strength, tilt, ties)
        inside = dict.fromkeys(methods, 0)
        tried = dict.fromkeys(methods, 0)
        # Fitting hundreds of samples a round is slow: fewer rounds of it.
        for number in range(rounds):
            table = battles(np.random.default_rng(number), strength, prompts, each, tilt, ties)
            for name, method in methods.items():
                if name == "multinomial bootstrap" and number >= rounds // 5:
                    continue
                try:
                    found = method(table)
                except HarnessError:
                    continue
                for model, rating in zip(table.models, true, strict=True):
                    row = found.row(model)
                    inside[name] += row.low <= rating <= row.high
                    tried[name] += 1
        told = ", ".join(f"{name} {inside[name] / tried[name]:.1%}" for name in methods)
        print(f"  {prompts} prompts of {each} battles, tilt {tilt:g}: {told}", flush=True)


def alone(table: BattleTable) -> BattleTable:
    n = len(table)
    return BattleTable(
        table.models, table.a, table.b, table.score, table.weight, np.arange(n), n, table.first
    )


@single_threaded
def order_found(mode: str, seed: int) -> Any:
    """Whether the order of all models is right after each STEP battles."""
    rng = np.random.default_rng(seed)
    strength = rng.permutation((np.arange(MODELS) - (MODELS - 1) / 2) * GAP / POINTS)
    names = tuple(str(number) for number in range(MODELS))
    pairs = np.array(np.triu_indices(MODELS, 1)).T
    won = np.zeros((MODELS, MODELS))
    right = []
    for _ in range(0, HORIZON[mode], STEP):
        if mode == "adaptive":
            chosen = [
                (int(one.model_a), int(one.model_b)) for one in propose(believe(names, won), STEP)
            ]
        else:
            chosen = [tuple(pairs[row]) for row in rng.integers(0, len(pairs), STEP)]
        for a, b in chosen:
            a_wins = rng.random() < 1 / (1 + np.exp(strength[b] - strength[a]))
            won[(a, b) if a_wins else (b, a)] += 1
        theta = believe(names, won).theta
        right.append(bool((np.argsort(theta) == np.argsort(strength)).all()))
    return np.array(right)


def pairing(runs: int) -> None:
    print(f"battles until the order of {MODELS} models {GAP} points apart is right, {runs} runs")
    reached: dict[str, dict[float, int | None]] = {}
    for mode in ("adaptive", "random"):
        shares = np.mean([order_found(mode, seed) for seed in range(runs)], axis=0)
        reached[mode] = {share: _stays(shares, share) for share in (0.5, 0.8, 0.9)}
        told = ", ".join(
            f"{share:.0%} of runs: {number or f'over {HORIZON[mode]}'}"
            for share, number in reached[mode].items()
        )
        print(f"  {mode:<9} {told}", flush=True)
    for share, number in reached["adaptive"].items():
        other = reached["random"][share] or HORIZON["random"]
        more = "" if reached["random"][share] else "at most "
        if number:
            print(f"  adaptive / random at {share:.0%}: {more}{number / other:.2f}")


def _stays(shares: Any, wanted: float) -> int | None:
    """Battles after which the share, averaged over 5 steps, is never again below."""
    smooth = np.convolve(shares, np.ones(5) / 5, mode="valid")
    below = np.flatnonzero(smooth < wanted)
    first = 0 if not below.size else int(below[-1]) + 1
    return None if first >= smooth.size else (first + 3) * STEP


@single_threaded
def placing(runs: int) -> None:
    """A new model against nine known ones (2,000 battles among them)."""
    budget = (10, 20, 40, 80)
    print(f"standard deviation of a new model's rating from its true one, points, {runs} runs")
    errors: dict[str, list[list[float]]] = {"anchors, chosen": [], "random opponents": []}
    for seed in range(runs):
        for mode, found in errors.items():
            rng = np.random.default_rng(seed)
            strength = np.linspace(-2, 2, 9)
            table = battles(rng, strength, 400, 5, 0.0, 0.0)
            true = float(rng.uniform(-2, 2))
            row = []
            for number in range(1, max(budget) + 1):
                if mode == "random opponents":
                    opponent = int(rng.integers(9))
                else:
                    one = proposals(table, 1, model="new")[0]
                    opponent = int((one.model_a + one.model_b).replace("new", "")[1:])
                won = rng.random() < 1 / (1 + np.exp(strength[opponent] - true))
                table = _with(table, opponent, float(won))
                if number in budget:
                    theta = believe(table.models, _won(table)).theta
                    # Against the known models, whose mean is 0 in truth.
                    row.append((theta[-1] - theta[:9].mean() - true) * POINTS)
            found.append(row)
    for mode, rows in errors.items():
        spread = np.sqrt(np.mean(np.square(rows), axis=0))
        told = ", ".join(f"{n} battles {e:.0f}" for n, e in zip(budget, spread, strict=True))
        print(f"  {mode:<17} {told}")


def _with(table: BattleTable, opponent: int, score: float) -> BattleTable:
    names = table.models if "new" in table.models else (*table.models, "new")
    return BattleTable(
        names,
        np.append(table.a, len(names) - 1),
        np.append(table.b, opponent),
        np.append(table.score, score),
        np.append(table.weight, 1.0),
        np.append(table.cluster, table.clusters),
        table.clusters + 1,
        np.append(table.first, 0.0),
    )


def _won(table: BattleTable) -> Any:
    from harness.arena.counts import count_pairs

    return count_pairs(table).won


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--part", choices=["coverage", "pairing", "placing"])
    options = parser.parse_args()
    if options.part in (None, "coverage"):
        coverage(options.rounds)
    if options.part in (None, "pairing"):
        pairing(options.runs)
    if options.part in (None, "placing"):
        placing(options.runs)


if __name__ == "__main__":
    main()
