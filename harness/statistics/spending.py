"""α-spending: how much of a run's chance of a false alarm each of its checkpoints may use."""

from __future__ import annotations

from typing import Literal

# Length of the first octave of the dyadic schedule.
_FIRST = 16

Schedule = Literal["equal", "dyadic", "inverse-square"]


def spent_at(
    checkpoint: int, alpha: float = 0.05, schedule: Schedule = "dyadic", planned: int | None = None
) -> float:
    """The level of the tests of checkpoint number `checkpoint` (1 is the first compared), so that
    the levels of a whole run sum to at most `alpha` (Bonferroni over time, valid under any
    dependence; the spending view is that of Lan and DeMets 1983).

    equal           α/planned: for a run of a known number of checkpoints, none after them
    dyadic          α/2 shared by the first sixteen checkpoints, then α/((j+1)(j+2)) by those from
                    16·2^(j−1) + 1 to 16·2^j: for ever; falls little faster than 1/t, so that late
                    checkpoints are still watched
    inverse-square  6α/(π²t²): for ever, most of it on the first checkpoints

    Raises ValueError: a checkpoint below 1, alpha outside (0, 1), `equal` without `planned`.
    """
    if checkpoint < 1:
        raise ValueError(f"checkpoint number {checkpoint}: expected 1 or more")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, expected between 0 and 1")
    if schedule == "equal":
        if planned is None or planned < 1:
            raise ValueError("equal spending needs the number of checkpoints planned")
        return alpha / planned if checkpoint <= planned else 0.0
    if schedule == "dyadic":
        octave = ((checkpoint - 1) // _FIRST).bit_length()
        length = _FIRST << max(0, octave - 1)
        return alpha / ((octave + 1) * (octave + 2) * length)
    return alpha * 6 / (3.141592653589793 * checkpoint) ** 2
