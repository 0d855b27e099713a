"""Finds the data that tests share but the repository does not hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared(*parts: str) -> Path:
    """A path in the folder that HARNESS_SHARED_DATA names, or in `../shared/data` beside the
    repository; skips the test when it is absent."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("HARNESS_SHARED_DATA") or beside).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no shared data at {path}; set HARNESS_SHARED_DATA to its folder")
    return path
