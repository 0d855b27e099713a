"""Where published data for comparison lies on this machine, when it does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]


def shared_data(name: str) -> Path:
    """The folder `name` of HARNESS_SHARED_DATA or of a `shared/data` beside the checkout.

    Skips the test, with the reason, where there is none.
    """
    found = find_shared_data(name)
    if found is None:
        pytest.skip(f"{name}: no such published data here; HARNESS_SHARED_DATA names its folder")
    return found


def find_shared_data(name: str) -> Path | None:
    named = os.environ.get("HARNESS_SHARED_DATA")
    homes = [Path(named)] if named else [home / "shared" / "data" for home in _ROOT.parents[:2]]
    return next((home / name for home in homes if (home / name).is_dir()), None)
