"""Generations that `harness watch` asks to reach its verdicts, against asking all, by simulation.

Both rules judge the same checkpoints with the same functions (`harness.watching.screening`),
margin, Holm correction and level:

  adaptive  one answer an item; two fresh ones in the genres that this flags, K in those still low.
            The baseline is the mean of four good checkpoints with one answer an item each
  full      K fresh answers to every item of every genre; so the baseline's have K + 1 each

Per row: generations an item per checkpoint (the adaptive rule's anchor, one checkpoint in 16, is
counted and not used), and their ratio; share of checkpoints with a false alarm in a genre that did
not change; share in which the drop was found; share of genres with equal verdicts. One genre drops.

Usage: python benchmarks/adaptive_screening.py [--rounds 400] [--genres 20] [--items 200]
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.statistics.noise import CheckpointNoise
from harness.statistics.spending import spent_at
from harness.store.watched import SampleScores
from harness.watching.screening import Genre, Policy, confirm, screen, still_low

Floats = np.ndarray
PLANNED = 50


def answered(random: np.random.Generator, ease: Floats, shift: Floats, samples: int) -> Floats:
    """Right answers, shape (samples, genres, items): chances `ease` (genres, items) moved by
    `shift` (genres,)."""
    chance = np.clip(ease + shift[:, None], 0, 1)
    return (random.random((samples, *ease.shape)) < chance).astype(float)


def table(answers: Floats, fresh: int) -> dict[Genre, dict[str, SampleScores]]:
    """The scores of a checkpoint that was asked once and `fresh` more times."""
    means = answers[1 : 1 + fresh].mean(axis=0) if fresh else None
    return {
        ("sim", f"g{genre}"): {
            str(item): SampleScores(
                str(item),
                float(answers[0, genre, item]),
                None if means is None else float(means[genre, item]),
                fresh,
            )
            for item in range(answers.shape[2])
        }
        for genre in range(answers.shape[1])
    }


def one_round(
    random: np.random.Generator, genres: int, items: int, drop: float, tau: float, policy: Policy
) -> dict[str, Floats | float]:
    """What both rules made of one checkpoint: verdicts by genre, and generations an item."""
    ease = random.beta(1.2, 1.0, (genres, items))
    k = policy.samples
    shifts = random.normal(0, tau, (policy.pooled + 1, genres))
    shifts[-1, 0] -= drop
    *good, now = (answered(random, ease, shift, k + 1) for shift in shifts)
    once, twice, whole = (table(now, fresh) for fresh in (0, policy.look, k))
    names = list(whole)
    noise = {name: CheckpointNoise(tau**2, tau**2, math.inf, 0.0, 0.0) for name in names}
    level = spent_at(1, policy.alpha, "equal", PLANNED)

    lean = [table(answers, 0) for answers in good]
    baselines = {name: [one[name] for one in lean] for name in names}
    screened = screen(baselines, once, noise, policy)
    flagged = [name for name in names if screened[name][1].p_regressed < policy.screen]
    low = still_low(baselines, twice, flagged, noise, policy)
    ours = confirm(baselines, whole, screened, low, noise, policy, level)
    asked = policy.look * len(flagged) + (k - policy.look) * len(low)

    rich = [table(answers, k) for answers in good]
    baselines = {name: [one[name] for one in rich] for name in names}
    full = confirm(baselines, whole, screened, names, noise, policy, level)
    return {
        "adaptive": np.array([one.verdict == "regressed" for one in ours]),
        "full": np.array([one.verdict == "regressed" for one in full]),
        "adaptive cost": 1 + asked / genres + k / policy.anchors,
        "full cost": 1.0 + k,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--genres", type=int, default=20)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    policy = Policy()
    print(
        f"{options.rounds} checkpoints a row, {options.genres} genres of {options.items} items, "
        f"K = {policy.samples}, level {policy.alpha / PLANNED:g} ({policy.alpha:g} over {PLANNED} "
        "checkpoints)\n"
    )
    print(
        "| drop, points | τ, points | generations adaptive | full | ratio | false alarms adaptive "
        "| full | found adaptive | full | equal verdicts |"
    )
    print("|" + "--:|" * 10)
    for tau in (0.0, 0.017):
        for drop in (0.0, 0.05, 0.10, 0.15, 0.20):
            random = np.random.default_rng([options.seed, round(1000 * tau), round(1000 * drop)])
            rounds = [
                one_round(random, options.genres, options.items, drop, tau, policy)
                for _ in range(options.rounds)
            ]
            ours, full = (np.array([one[rule] for one in rounds]) for rule in ("adaptive", "full"))
            costs = [
                float(np.mean([one[f"{rule} cost"] for one in rounds]))
                for rule in ("adaptive", "full")
            ]
            still = slice(1, None) if drop else slice(None)
            alarms = [float(found[:, still].any(axis=1).mean()) for found in (ours, full)]
            hits = [f"{found[:, 0].mean():.1%}" if drop else "–" for found in (ours, full)]
            print(
                f"| {100 * drop:.0f} | {100 * tau:.1f} | {costs[0]:.2f} | {costs[1]:.2f} | "
                f"{costs[0] / costs[1]:.2f} | {alarms[0]:.2%} | {alarms[1]:.2%} | {hits[0]} | "
                f"{hits[1]} | {(ours == full).mean():.2%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
