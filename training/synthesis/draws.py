"""What a candidate draws: everything random in it is a function of line, seed and number."""

from __future__ import annotations

import random

from harness.gaps.plan import Line
from harness.items.schema import content_hash
from training.synthesis.types import Order


def line_key(line: Line) -> str:
    """What tells a line from others, as a hash. How many samples it wants and why is no part of
    it: a line that is raised goes on where it was."""
    wanted = (line.genre, line.skill, line.level, line.purpose, line.generator, line.settings)
    return content_hash(wanted)


def candidate(order: Order, index: int, *parts: object) -> random.Random:
    """The source of candidate `index`, apart for each of `parts`."""
    # A string seed is hashed by SHA-512 inside random.Random: stable over versions.
    return random.Random(_name(order, index, parts))


def prompt_seed(order: Order, index: int, *parts: object) -> int:
    """A seed of 31 bits for one question to a teacher."""
    return int(content_hash(_name(order, index, parts))[:8], 16) >> 1


def phase(order: Order) -> int:
    """Where a line begins in a balanced sequence, so that two lines of one round differ."""
    return int(content_hash([line_key(order.line), order.seed])[:8], 16)


def _name(order: Order, index: int, parts: tuple[object, ...]) -> str:
    return "/".join(map(str, (order.seed, line_key(order.line), index, *parts)))
