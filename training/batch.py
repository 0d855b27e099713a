"""What one optimizer step sees, and how it is shared out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Encoded:
    """One document's token ids, and which of them are learned, both of shape (tokens,)."""

    tokens: npt.NDArray[np.int64]
    learned: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Rows of tokens; all arrays have the shape (rows, length).

    tokens     token ids
    labels     the token after each
    weights    how much each label counts: 0 where nothing is to be learned, else 1, or a share of
               its row such that the row's add up to 1
    segments   number of a token's document within its row, None where each row is one document;
               documents do not attend to each other, and rotary positions are relative, so theirs
               need no reset
    seen       tokens of each component, over all rows of the step
    """

    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    segments: npt.NDArray[np.int64] | None = None
    seen: Mapping[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Tokens of the whole step that are not padding."""
        return sum(self.seen.values())

    def part(self, rank: int, world: int) -> Batch:
        """The rows of one of `world` data-parallel processes."""
        size = len(self.tokens) // world
        return self if world == 1 else self._rows(slice(rank * size, (rank + 1) * size))

    def pieces(self, size: int) -> list[Batch]:
        """The rows in microbatches of `size`."""
        if size >= len(self.tokens):
            return [self]
        return [self._rows(slice(at, at + size)) for at in range(0, len(self.tokens), size)]

    def padded(self, multiple: int) -> Batch:
        """With rows that count nothing added, up to a multiple of `multiple` rows."""
        missing = -len(self.tokens) % multiple
        if not missing:
            return self
        rows = np.concatenate([np.arange(len(self.tokens)), np.zeros(missing, dtype=np.int64)])
        more = self._rows(rows)
        more.weights[len(self.tokens) :] = 0
        return more

    def _rows(self, rows: slice | npt.NDArray[np.int64]) -> Batch:
        return Batch(
            self.tokens[rows],
            self.labels[rows],
            self.weights[rows],
            None if self.segments is None else self.segments[rows],
            self.seen,
        )


def collate(
    rows: Sequence[Encoded], pad: int, seen: Mapping[str, int] | None = None, length: int = 0
) -> Batch:
    """Pads documents to the longest, or to `length` if that is given, one a row.

    Each row counts the same however much of it is learned, so that a mixture's weights mean what
    they say. Attention is causal and padding comes last, so no document can see another or any
    padding.
    """
    # The last token of a row is only ever a label.
    length = length or max(len(row.tokens) for row in rows) - 1
    tokens = np.full((len(rows), length), pad, dtype=np.int64)
    labels = np.zeros_like(tokens)
    weights = np.zeros(tokens.shape, dtype=np.float32)
    for index, row in enumerate(rows):
        size = len(row.tokens) - 1
        tokens[index, :size] = row.tokens[:-1]
        labels[index, :size] = row.tokens[1:]
        weights[index, :size] = row.learned[1:] / max(1, int(row.learned[1:].sum()))
    counted = seen if seen is not None else {"": sum(len(row.tokens) for row in rows)}
    return Batch(tokens, labels, weights, seen=counted)
