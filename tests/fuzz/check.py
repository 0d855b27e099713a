"""The one property of every parser: a fault is one HarnessError in plain words, and leaves nothing
behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.errors import HarnessError
from tests.fuzz.targets import Target


def feed(target: Target, data: bytes) -> bool:
    """Whether the parser takes the bytes. Whatever it raises but HarnessError goes through;
    AssertionError where a message is empty or broken, or a file was left half made."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / target.file
        file.write_bytes(data)
        try:
            target.read(folder, file)
        except HarnessError as error:
            _check_message(str(error))
            return False
        finally:
            assert file.read_bytes() == data
            left = [one.name for one in folder.rglob("*") if _is_partial(one.name)]
            assert not left, left
    return True


def _check_message(text: str) -> None:
    # Faults of a file are told one a line, up to a limit; each ends in words, not in a dump.
    lines = text.split("\n")
    assert all(line.strip() for line in lines), text
    assert len(lines) <= 30, text[:500]
    assert "Traceback" not in text
    assert len(text) < 100_000, len(text)


def _is_partial(name: str) -> bool:
    return name.endswith((".partial", ".tmp", ".duckdb", ".wal")) or name.startswith(".draft")
