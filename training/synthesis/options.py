"""Reads the settings of a plan's line, which are texts, and says which one is wrong."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.gaps.plan import Line


def integer(line: Line, name: str, default: int, least: int = 1, most: int = 100_000) -> int:
    """A whole number. Raises HarnessError for anything else, or one outside `least` to `most`."""
    text = line.settings.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise _fault(line, name, f"a whole number from {least} to {most}")
    return value


def share(line: Line, name: str, default: float) -> float:
    """A number above 0, up to 1. Raises HarnessError for anything else."""
    text = line.settings.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise _fault(line, name, "a number above 0, up to 1")
    return value


def switch(line: Line, name: str, default: bool) -> bool:
    """yes or no. Raises HarnessError for anything else."""
    text = line.settings.get(name)
    if text is None:
        return default
    if text not in ("yes", "no"):
        raise _fault(line, name, "yes or no")
    return text == "yes"


def path(line: Line, name: str, what: str) -> Path:
    """A path that has to be given. Raises HarnessError where it is not."""
    text = line.settings.get(name, "")
    if not text.strip():
        raise HarnessError(
            f"plan line {line.genre}/{line.skill}: its generator needs the setting {name!r}, {what}"
        )
    return Path(text)


def _fault(line: Line, name: str, expected: str) -> HarnessError:
    return HarnessError(
        f"plan line {line.genre}/{line.skill}: setting {name} is {line.settings[name]!r}, "
        f"expected {expected}"
    )
