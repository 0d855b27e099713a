"""Where the real data lies that tests may read but the project does not contain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


def shared(*parts: str) -> Path:
    """A path within the shared data; skips the test where it is absent."""
    folders = [_ROOT.parent / "shared" / "data", _ROOT / "shared" / "data"]
    if given := os.environ.get("HARNESS_SHARED_DATA"):
        folders.insert(0, Path(given))
    for folder in folders:
        if (path := folder.joinpath(*parts)).exists():
            return path
    pytest.skip(f"{'/'.join(parts)} is not here; HARNESS_SHARED_DATA names the folder that has it")
