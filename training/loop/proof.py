"""Whether the loop helped: changes on the items that prove, which no decision on data rests on."""

from __future__ import annotations

from dataclasses import dataclass

from harness.store.loops import StageRow
from training.loop.config import Loop
from training.loop.state import Point, State
from training.loop.suites import suite_names


@dataclass(frozen=True)
class ProofGain:
    """The paired change of one genre on the proof items between two checkpoints.

    before, after, gain, low, high  in the metric's unit;  state: ahead, level, lags or within noise
    """

    suite: str
    genre: str
    items: int
    before: float
    after: float
    gain: float
    low: float
    high: float
    state: str


def goals_reached(loop: Loop, state: State) -> bool:
    """Whether every genre that has a goal is at it, or above, on the items that prove."""
    from harness.gaps.measure import measure_gaps
    from harness.gaps.target import find_sides

    if loop.config.goals is None:
        return False
    proof = suite_names(loop, loop.config.evaluate.proof)
    sides = find_sides(loop.store, state.standing.fingerprint, str(loop.config.goals), proof)
    return all(one.gap <= 0 for one in measure_gaps(loop.store, sides).genres)


def proof_gains(loop: Loop, before: Point, after: Point) -> list[ProofGain]:
    """Every genre's change from one measured checkpoint to another, with intervals as
    `harness gaps` has them."""
    from harness.gaps.measure import measure_gaps
    from harness.gaps.target import find_sides

    proof = suite_names(loop, loop.config.evaluate.proof)
    sides = find_sides(loop.store, after.fingerprint, before.fingerprint, proof)
    return [
        ProofGain(
            suite=one.suite,
            genre=one.place.genre,
            items=one.verdict.measured.change.n,
            before=one.target,
            after=one.student,
            gain=0.0 - one.gap,
            low=0.0 - one.high,
            high=0.0 - one.low,
            state=one.state,
        )
        for one in measure_gaps(loop.store, sides).genres
    ]


def first_and_last(record: list[StageRow]) -> tuple[Point, Point] | None:
    """The checkpoint that the first made round began with, and the last that was kept; None where
    no made round was kept yet."""
    ends = [row for row in record if row.stage in ("keep", "roll back")]
    given = [row for row in ends if not row.made]
    kept = [row for row in ends if row.made and row.stage == "keep"]
    if not given or not kept:
        return None
    return Point(**given[-1].outputs["standing"]), Point(**kept[-1].outputs["standing"])
