"""What a probe family is: surface templates, a seeded draw of content, and the split that keeps
evaluation and training apart."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.items.schema import FormatRule, Metric

Split = Literal["evaluation", "training"]
T = TypeVar("T")


def in_evaluation(content: str) -> bool:
    """Whether a piece of content (an entity, an operand tuple) belongs to evaluation: one in
    four, by hash, so that the answer is the same on every machine and for ever."""
    return hashlib.sha256(content.encode()).digest()[0] < 64


class Draw(random.Random):
    """A seeded source of content for one split.

    Everything that is drawn from a pool of entities through `entity` or `entities` belongs to
    this draw's split alone. Numbers are kept apart by the problem's `content` instead (see
    `Problem`).
    """

    def __init__(self, seed: str, split: Split) -> None:
        # A string seed is hashed by SHA-512 inside random.Random: stable over versions.
        super().__init__(seed)
        self.split: Split = split

    def entity(self, pool: Sequence[str]) -> str:
        return self.entities(pool, 1)[0]

    def entities(self, pool: Sequence[str], count: int) -> list[str]:
        """`count` different entries of the pool that belong to this split."""
        wanted = self.split == "evaluation"
        return self.sample([entry for entry in pool if in_evaluation(entry) == wanted], count)


@dataclass(frozen=True)
class Problem:
    """Content of one item, before a surface template turns it into Japanese.

    slots    what the templates' `{name}` fields are filled with
    content  canonical text of what makes the problem itself (numbers, entities), equal for two
             problems that are the same question in other words (2+3 and 3+2); decides the split
    """

    slots: Mapping[str, str]
    content: str
    answer: str
    format: FormatRule
    metric: Metric
    accept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Problems of one skill.

    name       "genre/skill", e.g. "math/ratio"
    version    raised whenever a change alters any item of any seed
    templates  str.format texts with the question and the demanded output format, at least six;
               the last third is kept for evaluation alone ("unseen")
    problem    draws one problem of a level 1 to 5; must not depend on anything but its arguments
    """

    name: str
    version: int
    templates: tuple[str, ...]
    problem: Callable[[Draw, int], Problem]

    @property
    def genre(self) -> str:
        return self.name.split("/")[0]
