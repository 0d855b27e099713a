"""What is asked: items, their format rules and gold answers, evalsets and generated probes."""

from harness.items.schema import (
    GENRES,
    METRICS,
    PROBE_GENRES,
    Constraint,
    FormatRule,
    Item,
    check_item,
    content_hash,
)

__all__ = [
    "GENRES",
    "METRICS",
    "PROBE_GENRES",
    "Constraint",
    "FormatRule",
    "Item",
    "check_item",
    "content_hash",
]
