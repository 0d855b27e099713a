"""Whether the goals of a loop are reached on the items that prove."""

from __future__ import annotations

from training.loop.config import Loop
from training.loop.state import State
from training.loop.suites import suite_names


def goals_reached(loop: Loop, state: State) -> bool:
    """Whether every genre that has a goal is at it, or above, on the items that prove."""
    from harness.gaps.measure import measure_gaps
    from harness.gaps.target import find_sides

    if loop.config.goals is None:
        return False
    proof = suite_names(loop, loop.config.evaluate.proof)
    sides = find_sides(loop.store, state.standing.fingerprint, str(loop.config.goals), proof)
    return all(one.gap <= 0 for one in measure_gaps(loop.store, sides).genres)
