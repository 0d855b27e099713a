"""The seed of one candidate, and what a line's settings say."""

from __future__ import annotations

import random

from harness.errors import HarnessError
from harness.gaps.plan import Line
from training.synthesis.types import Order


def candidate_key(generator: str, order: Order, index: int) -> str:
    """Text that seeds candidate `index` of an order's line: of the line, the seed and the index
    alone. `samples` and `why` are no part of it, so that a longer line only appends."""
    line = order.line
    settings = ",".join(f"{name}={value}" for name, value in sorted(line.settings.items()))
    place = f"{line.genre}|{line.skill}|{line.level}|{line.purpose}|{settings}"
    return f"{generator}|{place}|{order.seed}|{index}"


def candidate_draw(generator: str, order: Order, index: int) -> random.Random:
    return random.Random(candidate_key(generator, order, index))


def share(line: Line, name: str, default: float) -> float:
    """A setting that is a share from 0 to 1. Raises HarnessError for any other text."""
    text = line.settings.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise HarnessError(
            f"setting {name} of {line.genre} {line.skill} is {text!r}, expected a share such as 0.5"
        )
    return value


def chosen(line: Line, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """A setting that lists names, parted by commas; all known ones where it is absent. Raises
    HarnessError for an unknown name."""
    text = line.settings.get(name)
    if text is None:
        return known
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [one for one in names if one not in known]
    if unknown or not names:
        raise HarnessError(
            f"setting {name} of {line.genre} {line.skill} is {text!r}, expected one or more of "
            f"{', '.join(known)}"
        )
    return names
