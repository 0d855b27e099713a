"""Whether a run is well: spikes of its loss and gradient, and what they are measured against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Steps that a new value is compared with, and how many of them there must be.
WINDOW, LEAST = 128, 32
# A loss this many robust deviations above the median is a spike, if it is above it by a share too:
# late in training the deviation is tiny, and a batch a little harder than others is no event.
DEVIATIONS, SHARE = 8.0, 0.2
# A gradient this many times the median is one.
TIMES = 10.0
# The median absolute deviation times this estimates a normal distribution's deviation.
_NORMAL = 1.4826


@dataclass(frozen=True)
class Recent:
    """Losses and gradient norms of the last steps, oldest first."""

    losses: tuple[float, ...] = ()
    norms: tuple[float, ...] = ()

    def after(self, loss: float, norm: float) -> Recent:
        return Recent((*self.losses, loss)[-WINDOW:], (*self.norms, norm)[-WINDOW:])

    def event(self, loss: float, norm: float) -> str | None:
        """What is unusual about the next step, as a phrase, or None."""
        if _is_spike(self.losses, loss):
            return f"loss spike: {loss:.3g}, the median of the last steps is {_median(self.losses)}"
        if len(self.norms) >= LEAST and norm > TIMES * statistics.median(self.norms):
            return (
                f"gradient spike: norm {norm:.3g}, the median of the last steps is "
                f"{_median(self.norms)}"
            )
        return None


def _is_spike(losses: Sequence[float], loss: float) -> bool:
    if len(losses) < LEAST:
        return False
    middle = statistics.median(losses)
    spread = _NORMAL * statistics.median(abs(each - middle) for each in losses)
    return loss - middle > max(DEVIATIONS * spread, SHARE * middle)


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g}"
