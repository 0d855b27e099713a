"""The table of filters: pure functions that say why a sample is dropped, or nothing."""

from __future__ import annotations

from collections.abc import Mapping

from harness.scoring import is_japanese, is_repetitive
from training.synthesis.types import Filter, Sample


def language(sample: Sample) -> str | None:
    """The user's turns and the reply together are Japanese."""
    return None if is_japanese(sample.text) else "not Japanese"


def repetition(sample: Sample) -> str | None:
    return "repeats itself" if is_repetitive(sample.messages[-1].content) else None


FILTERS: Mapping[str, Filter] = {"language": language, "repetition": repetition}
