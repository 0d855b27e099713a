"""Whether a run is well: spikes of its loss and gradient, as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.statistics.training_health import (
    WINDOW,
    Anomaly,
    gradient_anomalies,
    loss_spikes,
)


@dataclass(frozen=True)
class Recent:
    """Losses and gradient norms of the last steps, oldest first."""

    losses: tuple[float, ...] = ()
    norms: tuple[float, ...] = ()

    def after(self, loss: float, norm: float) -> Recent:
        return Recent((*self.losses, loss)[-WINDOW:], (*self.norms, norm)[-WINDOW:])

    def event(self, loss: float, norm: float) -> str | None:
        """What is unusual about the next step, as a phrase, or None."""
        for what, before, value, find in (
            ("loss spike", self.losses, loss, loss_spikes),
            ("gradient spike", self.norms, norm, gradient_anomalies),
        ):
            found = _anomaly(before, value, find)
            if found is not None:
                return f"{what}: {value:.3g}, {found.z:.0f} deviations above {found.expected:.3g}"
        return None


def _anomaly(
    before: Sequence[float],
    value: float,
    find: Callable[[Sequence[int], Sequence[float]], list[Anomaly]],
) -> Anomaly | None:
    # What lies out of the ordinary lies above all before it: most steps need no statistics.
    if not before or value <= max(before):
        return None
    found = find(range(len(before) + 1), [*before, value])
    return found[-1] if found and found[-1].last == len(before) else None
