"""temporary"""

from harness.items.schema import FormatRule
from harness.scoring.format import format_fault


def wrong_shape(raw: str, rule: FormatRule, prompt: str, finish_reason: str = "stop") -> str:
    return format_fault(raw, rule, prompt) or "?"
