"""All probe families of the genre reasoning; each proves by a solver that its answer is unique."""

from __future__ import annotations

from harness.items.probes.family import Family
from harness.items.probes.reasoning_order import ORDERING, TRANSITIVITY
from harness.items.probes.reasoning_places import SCHEDULE, SEATING

REASONING: tuple[Family, ...] = (
    ORDERING,
    TRANSITIVITY,
    SEATING,
    SCHEDULE,
)
