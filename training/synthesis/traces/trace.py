"""What a worked solution is, and how its sentences are varied."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from harness.items.probes.family import Problem


@dataclass(frozen=True)
class Trace:
    """A solution worked out anew from a problem's slots and content, without its answer.

    steps   sentences or blocks, one a line; numbers stand in equations such as `3×4=12`, each true
    answer  what they come to, as the problem's answer is written
    said    the same as a clause that です can follow ("おつりは180円"); "" where the bare answer
            is said
    """

    steps: tuple[str, ...]
    answer: str
    said: str = ""


# Works a problem out; draws only its wording. Raises ValueError for a problem that it cannot read.
Tracer = Callable[[random.Random, Problem], Trace]


def numbers_in(text: str) -> list[int]:
    """The whole numbers of a text, in their order."""
    found, digits = [], ""
    for letter in text + " ":
        if letter in "0123456789":
            digits += letter
        elif digits:
            found.append(int(digits))
            digits = ""
    return found
