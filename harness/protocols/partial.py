"""Another protocol asked in part: one sample of every item, and more only for some genres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.items.schema import Item
from harness.protocols.types import Answer, Ask, Protocol, Reading
from harness.scoring import Score


@dataclass(frozen=True)
class Partial:
    """Sample 0 of every item, and samples 1 to `fresh[genre]`; all else is the inner protocol's,
    its hash too, so that its scores stand beside those of a whole evaluation."""

    inner: Protocol
    fresh: Mapping[str, int]

    @property
    def id(self) -> str:
        return self.inner.id

    @property
    def suite(self) -> str:
        return self.inner.suite

    @property
    def hash(self) -> str:
        return self.inner.hash

    @property
    def definition(self) -> Mapping[str, Any]:
        return self.inner.definition

    def requests(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]:
        for ask in self.inner.requests(items, samples, seed):
            if ask.sample <= self.fresh.get(ask.item.genre, 0):
                yield ask

    def follow_up(self, ask: Ask, answer: Answer) -> Ask | None:
        return self.inner.follow_up(ask, answer)

    def reading(self, ask: Ask, answer: Answer) -> Reading | None:
        return self.inner.reading(ask, answer)

    def scores(self, ask: Ask, answer: Answer) -> tuple[Score, ...]:
        return self.inner.scores(ask, answer)
