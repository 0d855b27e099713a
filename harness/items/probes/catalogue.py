"""The table of probe families."""

from __future__ import annotations

from harness.items.probes.coding import CODING
from harness.items.probes.extraction import EXTRACTION
from harness.items.probes.family import Family
from harness.items.probes.format import FORMAT
from harness.items.probes.math import MATH
from harness.items.probes.reasoning import REASONING

FAMILIES: tuple[Family, ...] = MATH + REASONING + CODING + EXTRACTION + FORMAT
