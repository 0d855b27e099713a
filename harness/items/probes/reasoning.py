"""All probe families of the genre reasoning; each proves by a solver that its answer is unique."""

from __future__ import annotations

from harness.items.probes.family import Family
from harness.items.probes.reasoning_compound import COMPOUND
from harness.items.probes.reasoning_logic import SYLLOGISM, TRUTH_TELLERS
from harness.items.probes.reasoning_order import ORDERING, TRANSITIVITY
from harness.items.probes.reasoning_places import SCHEDULE, SEATING
from harness.items.probes.reasoning_state import DIRECTION, KINSHIP, RULE, TRACKING

REASONING: tuple[Family, ...] = (
    ORDERING,
    TRANSITIVITY,
    SEATING,
    SCHEDULE,
    TRUTH_TELLERS,
    SYLLOGISM,
    COMPOUND,
    TRACKING,
    DIRECTION,
    KINSHIP,
    RULE,
)
