"""Decontamination: no sample that asks what an evaluation item asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from harness.items.load import find_evalset, list_evalsets, load_evalset
from harness.scoring import normalise
from training.synthesis.types import Sample


class Decontamination:
    """Every turn of every item of every evalset."""

    def __init__(self, turns: Mapping[str, str], evalsets: Mapping[str, int]) -> None:
        self.evalsets = evalsets
        self._turns = turns

    @classmethod
    def open(cls) -> Self:
        """Raises HarnessError where an evalset cannot be read."""
        turns: dict[str, str] = {}
        evalsets: dict[str, int] = {}
        for name in list_evalsets():
            items = load_evalset(find_evalset(name)).items
            evalsets[name] = len(items)
            for item in items:
                turns |= {normalise(turn): f"{name} {item.id}" for turn in item.turns}
        return cls(turns, evalsets)

    def reasons(self, samples: Sequence[Sample]) -> list[str | None]:
        """For each sample the item whose question it holds, or None."""
        return [
            next(
                (
                    f"asks {place}"
                    for message in sample.messages
                    if (place := self._turns.get(normalise(message.content)))
                ),
                None,
            )
            for sample in samples
        ]
