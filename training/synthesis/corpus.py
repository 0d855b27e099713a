"""Steps for datatrove, where a corpus is larger than one machine (docs/filters.md has the recipe).

datatrove takes plain functions as steps and is not imported here: it wants other versions of some
packages than the harness does, and so has an environment of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from training.synthesis.decontaminate import Decontamination
from training.synthesis.grams import U64, prefix_sums, spaced, stretches, window_starts, windows
from training.synthesis.near_duplicates import GRAM

_TOGETHER = 1024


class Document(Protocol):
    """What datatrove hands from step to step, as far as it matters here."""

    text: str
    metadata: dict[str, Any]


Step = Callable[[Iterable[Document], int, int], Iterator[Document]]


def decontaminated(check: Decontamination) -> Step:
    """A step that lets pass what holds no evaluation item."""

    def step(
        documents: Iterable[Document], rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        del rank, world_size
        waiting = iter(documents)
        while batch := list(itertools.islice(waiting, _TOGETHER)):
            found = check.check([document.text for document in batch])
            yield from (one for one, match in zip(batch, found, strict=True) if match is None)

    return step


def shingles(text: str) -> U64:
    """Hashes of a text's character 5-grams, shape (grams, 1): what `get_shingles` of datatrove's
    `MinhashDedupSignature` is to return, in place of words, which Japanese does not space."""
    codes = spaced([text])
    sums = prefix_sums(codes)
    hashes = windows(sums, GRAM)[window_starts(codes, GRAM)]
    if not len(hashes):
        hashes = stretches(sums, codes.offsets[:-1], codes.offsets[1:])
    return hashes.reshape(-1, 1)
