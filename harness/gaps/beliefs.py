"""What past rounds taught: points bought per thousand verified samples, and draws from that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.statistics.shrinkage import shrink
from harness.store.rounds import RoundGain

# A genre that gained nothing keeps this part of the best draw's weight, so that it is tried again.
FLOOR = 0.1


@dataclass(frozen=True)
class Belief:
    """The posterior of what a thousand verified samples buy in a genre, as a share of the scale
    (0.01 is a point of 100); normal with `mean` and `sd`.

    seen, seen_se  the genre's own rounds alone, weighed by precision; None without one
    rounds         records that it rests on;  samples: trained on in them
    """

    genre: str
    mean: float
    sd: float
    seen: float | None
    seen_se: float | None
    rounds: int
    samples: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def beliefs(gains: Iterable[RoundGain], genres: Iterable[str] = ()) -> list[Belief]:
    """The posterior of each genre that has gains or is named, by name; none without any gain.

    A round's rate is gain/k with error se/k, k thousand samples. A genre's rates are averaged by
    precision; the genres are then one normal hierarchy (`shrink`), so that a genre with few or
    noisy rounds is believed to be like the others, and one that has none is. Gains of single
    skills and records without samples tell nothing of a genre's rate and are left out.
    """
    rates: dict[str, list[tuple[float, float]]] = defaultdict(list)
    counted: dict[str, dict[str, int]] = defaultdict(dict)
    for one in gains:
        if one.skill == "" and one.samples > 0 and one.se > 0:
            thousands = one.samples / 1000
            rates[one.genre].append((one.gain / thousands, one.se / thousands))
            # Several suites measure the samples of one round.
            counted[one.genre][one.round_id] = one.samples
    if not rates:
        return []
    names = sorted(rates)
    own = [_by_precision(rates[name]) for name in names]
    found = shrink([mean for mean, _ in own], [se for _, se in own])
    known = {
        name: Belief(
            name,
            float(found.mean[at]),
            float(found.sd[at]),
            *own[at],
            rounds=len(rates[name]),
            samples=sum(counted[name].values()),
        )
        for at, name in enumerate(names)
    }
    unseen = {
        name: Belief(name, *found.unseen, seen=None, seen_se=None, rounds=0, samples=0)
        for name in genres
        if name not in known
    }
    return [one for _, one in sorted((known | unseen).items())]


def draw(known: Sequence[Belief], seed: int, round: int) -> dict[str, float]:
    """Thompson sampling (Thompson 1933; Russo et al. 2018): one draw from each genre's posterior,
    as a factor of the genre's weight. The largest draw counts 1, none less than `FLOOR`; where no
    draw is above 0 all count 1.

    A genre whose samples bought much gets more; one of which little is known gets more now and
    then, and so becomes known. The same seed and round draw the same.
    """
    ordered = sorted(known, key=lambda one: one.genre)
    random = np.random.default_rng([seed, round])
    drawn = {one.genre: float(random.normal(one.mean, one.sd)) for one in ordered}
    best = max(drawn.values(), default=0.0)
    if best <= 0:
        return dict.fromkeys(drawn, 1.0)
    return {genre: max(value / best, FLOOR) for genre, value in drawn.items()}


def _by_precision(rates: Sequence[tuple[float, float]]) -> tuple[float, float]:
    weights = np.array([1 / se**2 for _, se in rates])
    values = np.array([rate for rate, _ in rates])
    return float(weights @ values / weights.sum()), float(weights.sum() ** -0.5)
