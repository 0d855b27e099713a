"""The plan of one round of synthesis: what is wanted, of what, and why; the value between gaps and
synthesis, and the file that a person reviews."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# Why a line is there: a gap, the uniform share that keeps the other skills, or replay.
Purpose = Literal["gap", "uniform", "replay"]


@dataclass(frozen=True)
class Line:
    """Demand for one skill at one difficulty.

    genre      one of the eight genres, or "format"
    skill      a skill of an item, such as the probe family "math/ratio"; "" is the whole genre
    level      difficulty 1 to 5; None where the skill is not graded
    samples    verified samples wanted, after all filters
    purpose    gap, uniform or replay
    generator  how samples are made (a name of `training.synthesis.catalogue`); "" lets
               synthesis choose by genre and by whether there is a teacher
    settings   of the generator: documents to rewrite, the wrong shapes to drill, ...
    why        one phrase for the reader: the gap, its interval, the learnable share
    """

    genre: str
    skill: str
    level: int | None
    samples: int
    purpose: Purpose = "gap"
    generator: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class Plan:
    """One round's demand.

    student   the checkpoint's name, and its fingerprint
    target    what it was measured against
    policy    the name of the allocation policy
    round     counts from 1 within a run
    seed      of everything random in the round
    lines     the demand; `samples` of all of them add up to the round's
    advice    sentences for the reader, such as that the teacher is too weak
    """

    student: str
    fingerprint: str
    target: str
    policy: str
    round: int
    seed: int
    lines: tuple[Line, ...]
    advice: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        return sum(line.samples for line in self.lines)
