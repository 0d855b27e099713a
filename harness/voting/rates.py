"""Rate limits: a bucket of permits for each visitor or address, filled at a steady rate."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

# Buckets remembered at once; the one that was used longest ago is forgotten, being full again.
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Rate:
    """So many at once, and so many a minute in the long run."""

    burst: int
    minute: float


class Buckets:
    """Permits by key (a session, an address)."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()  # permits, at second

    def take(self, key: str, now: float) -> int:
        """Takes a permit: 0, or the seconds until there is one. `now` in seconds of any clock."""
        permits, at = self._held.pop(key, (float(self.rate.burst), now))
        second = self.rate.minute / 60
        permits = min(self.rate.burst, permits + (now - at) * second)
        wait = 0 if permits >= 1 else math.ceil((1 - permits) / second)
        self._held[key] = (permits if wait else permits - 1, now)
        if len(self._held) > _REMEMBERED:
            self._held.popitem(last=False)
        return wait
