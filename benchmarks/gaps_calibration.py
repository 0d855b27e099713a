"""Prints how often gaps that are not there make demand, and what Thompson sampling learns.

    python benchmarks/gaps_calibration.py

Made-up students and targets of five genres with 40 right-or-wrong items each, of every difficulty;
the statistics are those of `harness gaps`, the store is left out.
"""

from __future__ import annotations

import argparse

import numpy as np

from harness.gaps.beliefs import beliefs, draw
from harness.gaps.measure import Rule, place_verdicts
from harness.gaps.places import measured_places
from harness.gaps.policies import Cell, plan_lines
from harness.store.paired import Column, PairedScores
from harness.store.rounds import RoundGain

GENRES, ITEMS = 5, 40


def pair(random: np.random.Generator, gap: float = 0.0, rivals: int = 1) -> PairedScores:
    """A student beside the best of `rivals` checkpoints as good as itself; in the first genre the
    student's chance on every item is lower by `gap`."""
    genre = np.repeat(np.arange(GENRES), ITEMS)
    chance = random.beta(1, 1, size=genre.size)
    targets = (random.random((rivals, genre.size)) < chance).astype(float)
    lower = np.where(genre == 0, np.clip(chance - gap, 0, 1), chance)
    student = (random.random(genre.size) < lower).astype(float)
    rows, one = np.arange(genre.size), np.zeros(genre.size, dtype=np.intp)
    names = tuple(map(str, rows))
    return PairedScores(
        Column(names, rows),
        Column(tuple("abcde"), genre),
        Column(("",), one),
        Column(names, rows),
        Column(("strict",), one),
        targets[targets.mean(axis=1).argmax()],
        student,
    )


def lagging(scores: PairedScores, chosen_from: int = 1) -> set[str]:
    """The genres that make demand."""
    rule = Rule()
    skills: dict[str, tuple[str, int | None]] = dict.fromkeys(scores.item.labels, ("", None))
    places = measured_places("made-up", scores, skills, 1 - 2 * rule.alpha / chosen_from)
    found = place_verdicts([places], [chosen_from], rule)[0]
    return {
        place.genre
        for place, one in found.items()
        if place.kind == "genre" and one.verdict == "regressed"
    }


def demand(runs: int) -> None:
    print(f"{GENRES} genres of {ITEMS} items, {runs} students; any genre makes demand:")
    for text, gap, rivals, corrected in (
        ("no gap to a named target", 0.0, 1, True),
        ("no gap to the best of 8, uncorrected", 0.0, 8, False),
        ("no gap to the best of 8, as `--target best`", 0.0, 8, True),
    ):
        random = np.random.default_rng(0)
        drawn = [pair(random, gap, rivals) for _ in range(runs)]
        rate = np.mean([bool(lagging(one, rivals if corrected else 1)) for one in drawn])
        print(f"  {text:<46} {rate:6.1%}")
    print("the genre that lags makes demand:")
    for gap in (0.1, 0.2, 0.3, 0.4):
        random = np.random.default_rng(1)
        rate = np.mean(["a" in lagging(pair(random, gap)) for _ in range(runs)])
        print(f"  {f'every item {100 * gap:.0f} points less likely':<46} {rate:6.1%}")


def thompson(runs: int, rounds: int) -> None:
    rates = {"math": 0.010, "coding": 0.002}
    cells = [
        Cell(genre, f"{genre}/x", 1, True, 0.3, 0.2, 0.5, 0.5, 0.5) for genre in ("coding", "math")
    ]
    shares = np.zeros((runs, rounds))
    for run in range(runs):
        random = np.random.default_rng(run)
        gains: list[RoundGain] = []
        for number in range(rounds):
            drawn = draw(beliefs(gains, rates), run, number)
            lines = plan_lines(cells, 8000, drawn=drawn, seed=run)
            given = {line.genre: line.samples for line in lines if line.purpose == "gap"}
            shares[run, number] = given["math"] / sum(given.values())
            for genre, rate in rates.items():
                gain = random.normal(rate * given[genre] / 1000, 0.012)
                gains.append(
                    RoundGain(
                        str(number), "s", genre, "", "strict", given[genre], gain, 0.012, 1, "", ""
                    )
                )
    print(
        f"math learns 1.0 points a thousand samples and coding 0.2; each round's gain has an error "
        f"of 1.2 points.\nMath's share of the demand by round, mean of {runs} runs:"
    )
    print("  " + "  ".join(f"{share:.0%}" for share in shares.mean(axis=0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    demand(options.runs)
    thompson(options.runs, options.rounds)


if __name__ == "__main__":
    main()
