"""The table of worked solutions by probe family."""

from __future__ import annotations

from training.synthesis.traces.coding_lines import LINES
from training.synthesis.traces.coding_values import VALUES
from training.synthesis.traces.extraction import EXTRACTION
from training.synthesis.traces.math_calendar import CALENDAR
from training.synthesis.traces.math_numbers import NUMBERS
from training.synthesis.traces.math_quantities import QUANTITIES
from training.synthesis.traces.math_ratio import RATIOS
from training.synthesis.traces.math_stories import STORIES
from training.synthesis.traces.reasoning_logic import LOGIC
from training.synthesis.traces.reasoning_places import PLACES
from training.synthesis.traces.reasoning_state import STATE
from training.synthesis.traces.syllogism import SYLLOGISM
from training.synthesis.traces.trace import Tracer

TRACERS: dict[str, Tracer] = {
    **NUMBERS,
    **QUANTITIES,
    **RATIOS,
    **STORIES,
    **CALENDAR,
    **PLACES,
    **LOGIC,
    **SYLLOGISM,
    **STATE,
    **VALUES,
    **LINES,
    **EXTRACTION,
}
