"""Where published data for comparison lies on this machine, when it does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]


def shared(*parts: str) -> Path:
    """A path within HARNESS_SHARED_DATA or within a `shared/data` beside the checkout.

    Skips the test, with the reason, where there is none.
    """
    found = find_shared(*parts)
    if found is None:
        pytest.skip(f"{'/'.join(parts)} is not here; HARNESS_SHARED_DATA names the folder with it")
    return found


def find_shared(*parts: str) -> Path | None:
    named = os.environ.get("HARNESS_SHARED_DATA")
    homes = [Path(named)] if named else [home / "shared" / "data" for home in _ROOT.parents[:2]]
    return next((path for home in homes if (path := home.joinpath(*parts)).exists()), None)
