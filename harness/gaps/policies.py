"""How a round's samples are divided: policies by name, each a pure function from cells to weights.

`plan_lines` keeps a part for uniform coverage and replay, gives the rest out by a policy's weights,
and rounds so that everything adds up.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.gaps.allocate import allocate
from harness.gaps.plan import Line, Purpose


@dataclass(frozen=True)
class Cell:
    """What samples can be made for: a skill at a difficulty, or the lost shapes of a format.

    genre, skill, level, generator, settings  as in a plan's line
    demands    whether its genre lags beyond chance; only then has it a gap worth closing
    gap        its gap, drawn towards its genre's, as a share of the scale; 0 or more
    low        its part of the lower bound of its genre's gap, as a share of the scale; 0 or more
    worth      points of the suite's total that one point here is worth
    learnable  its learnable fraction
    accuracy   the student's mean here, as a share of the scale
    cap        most samples that make sense, if known
    why        one phrase for the reader
    """

    genre: str
    skill: str
    level: int | None
    demands: bool
    gap: float
    low: float
    worth: float
    learnable: float
    accuracy: float
    cap: int | None = None
    generator: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def is_drill(self) -> bool:
        """Whether it is there for a format alone; such a cell gets no uniform share."""
        return self.generator == "drill"


# Weights of cells, 0 or more, in no unit; `drawn` holds a factor by genre (`beliefs.draw`).
Policy = Callable[[Sequence[Cell], Mapping[str, float]], list[float]]


def learnable(cells: Sequence[Cell], drawn: Mapping[str, float]) -> list[float]:
    """The default: the points of the total that are surely to be had, times the share of items
    that can be learnt from, times what samples of the genre have bought so far:
    worth · low · learnable · drawn."""
    return [
        one.worth * one.low * one.learnable * drawn.get(one.genre, 1.0) if one.demands else 0.0
        for one in cells
    ]


def gap(cells: Sequence[Cell], drawn: Mapping[str, float]) -> list[float]:
    """In proportion to the points of the total that are missing: worth · gap."""
    return [one.worth * one.gap if one.demands else 0.0 for one in cells]


def frontier(cells: Sequence[Cell], drawn: Mapping[str, float]) -> list[float]:
    """Of each lagging skill the level whose accuracy p is nearest to one half, by 4p(1 − p)."""
    nearest: dict[tuple[str, str], int] = {}
    for at, one in enumerate(cells):
        if one.demands and not one.is_drill:
            best = nearest.setdefault((one.genre, one.skill), at)
            if abs(one.accuracy - 0.5) < abs(cells[best].accuracy - 0.5):
                nearest[one.genre, one.skill] = at
    chosen = set(nearest.values())
    # A skill that is never or always right still has its easiest or hardest level on the frontier.
    return [
        max(4 * one.accuracy * (1 - one.accuracy), 0.01) if at in chosen else 0.0
        for at, one in enumerate(cells)
    ]


def uniform(cells: Sequence[Cell], drawn: Mapping[str, float]) -> list[float]:
    """The control: every cell alike, whatever it lacks; no drills."""
    return [0.0 if one.is_drill else 1.0 for one in cells]


POLICIES: dict[str, Policy] = {
    "learnable": learnable,
    "gap": gap,
    "frontier": frontier,
    "uniform": uniform,
}


@dataclass(frozen=True)
class Share:
    """How a round is divided before any policy.

    keep    share of the samples for uniform coverage and replay, 0.0 to 1.0
    replay  share of that for replay, where past rounds have anything to replay
    least   fewest samples that a line is worth
    """

    keep: float = 0.25
    replay: float = 0.5
    least: int = 50


def plan_lines(
    cells: Sequence[Cell],
    samples: int,
    policy: str = "learnable",
    *,
    drawn: Mapping[str, float] | None = None,
    replayed: Sequence[Line] = (),
    share: Share | None = None,
    seed: int = 0,
) -> tuple[Line, ...]:
    """The lines of a round.

    drawn     factors by genre of past rounds (`beliefs.draw`), for the policies that use them
    replayed  lines of past rounds, of which replay takes in proportion to their samples
    seed      chooses which cells are covered where there are more than the uniform share can give
              `least` samples each

    Gap lines first, by size; then uniform ones over all cells, then replay. Their samples add up
    to `samples`, but for two cases: where nothing lags only the kept share is planned, and where
    every cell is at its cap there is nothing to give the rest to.
    """
    share = share or Share()
    # Two suites may measure one demand: it is covered once.
    covering = list(
        {(one.genre, one.skill, one.level): one for one in cells if not one.is_drill}.values()
    )
    if policy == "uniform":
        return _lines(covering, uniform(covering, {}), samples, "uniform", share.least, seed)
    kept = round(samples * share.keep)
    weights = POLICIES[policy](cells, drawn or {})
    lines = _lines(cells, weights, samples - kept, "gap", share.least, seed)
    again = round(kept * share.replay) if replayed else 0
    replay = _replay(replayed, again, share.least)
    again = sum(line.samples for line in replay)
    every = uniform(covering, {})
    covered = _lines(covering, every, kept - again, "uniform", share.least, seed)
    return (*lines, *covered, *replay)


def _lines(
    cells: Sequence[Cell],
    weights: Sequence[float],
    samples: int,
    purpose: Purpose,
    least: int,
    seed: int,
) -> tuple[Line, ...]:
    # Equal weights are dropped from the end: the order is drawn, so that no cell is always last.
    order = random.Random(f"{purpose} {seed}").sample(range(len(cells)), len(cells))
    given = allocate(
        samples,
        [weights[at] for at in order],
        least=least,
        caps=[cells[at].cap if purpose == "gap" else None for at in order],
    )
    found: dict[tuple[object, ...], Line] = {}
    for at, count in zip(order, given, strict=True):
        if count:
            line = _line(cells[at], count, purpose)
            key = (line.genre, line.skill, line.level, tuple(sorted(line.settings.items())))
            found[key] = _added(found[key], line) if key in found else line
    return tuple(sorted(found.values(), key=_by_size))


def _line(one: Cell, count: int, purpose: Purpose) -> Line:
    if purpose == "uniform":
        return Line(one.genre, one.skill, one.level, count, purpose)
    return Line(
        one.genre,
        one.skill,
        one.level,
        count,
        purpose,
        one.generator,
        dict(one.settings),
        one.why,
    )


def _added(line: Line, other: Line) -> Line:
    """One demand that two suites make."""
    whys = dict.fromkeys(why for why in (line.why, other.why) if why)
    return Line(
        line.genre,
        line.skill,
        line.level,
        line.samples + other.samples,
        line.purpose,
        line.generator,
        line.settings,
        "; ".join(whys),
    )


def _replay(past: Sequence[Line], samples: int, least: int) -> tuple[Line, ...]:
    counts: dict[tuple[str, str, int | None], int] = defaultdict(int)
    for line in past:
        if not line.settings:
            counts[line.genre, line.skill, line.level] += line.samples
    given = allocate(samples, list(counts.values()), least=least)
    lines = [
        Line(*place, count, "replay", why="asked for in earlier rounds")
        for place, count in zip(counts, given, strict=True)
        if count
    ]
    return tuple(sorted(lines, key=_by_size))


def _by_size(line: Line) -> tuple[object, ...]:
    return -line.samples, line.genre, line.skill, line.level or 0, sorted(line.settings.items())
