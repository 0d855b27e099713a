"""The table of worked solutions by probe family."""

from __future__ import annotations

from training.synthesis.traces.math_calendar import CALENDAR
from training.synthesis.traces.math_numbers import NUMBERS
from training.synthesis.traces.math_quantities import QUANTITIES
from training.synthesis.traces.math_ratio import RATIOS
from training.synthesis.traces.math_stories import STORIES
from training.synthesis.traces.trace import Tracer

TRACERS: dict[str, Tracer] = {**NUMBERS, **QUANTITIES, **RATIOS, **STORIES, **CALENDAR}
