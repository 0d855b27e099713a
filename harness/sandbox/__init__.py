"""Runs untrusted programs under limits: no network, no sight of the host, nothing left behind."""

from harness.sandbox.levels import Support, best_level, support
from harness.sandbox.pool import Pool
from harness.sandbox.shared import LEAST_VARIABLE, least_level, require, shared_runner
from harness.sandbox.types import (
    LANGUAGES,
    LEVELS,
    Ending,
    Execution,
    Language,
    Level,
    Limits,
    Program,
    Step,
)

__all__ = [
    "LANGUAGES",
    "LEAST_VARIABLE",
    "LEVELS",
    "Ending",
    "Execution",
    "Language",
    "Level",
    "Limits",
    "Pool",
    "Program",
    "Step",
    "Support",
    "best_level",
    "least_level",
    "require",
    "shared_runner",
    "support",
]
