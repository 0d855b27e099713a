"""An index of held-out texts by their grams: which documents hold a whole text, or how much of it.

All in NumPy: a document costs a few passes over its characters, whatever the number of texts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.synthesis.grams import U64, Codes, prefix_sums, stretches, window_starts, windows

Ints = npt.NDArray[np.int64]

# Characters in a gram, of letters alone. Stretches of 8 characters are often set phrases, of 13
# they seldom are.
GRAM = 13
# The table that turns grams away has this many places for each gram of the index, within limits:
# one in 32 unknown grams passes, and is then looked up.
_PLACES_A_GRAM = 32
_FEWEST_BITS, _MOST_BITS = 16, 28


class Found(NamedTuple):
    """What documents hold.

    wholes  pairs of document and text, for texts that stand in a document from end to end
    shares  (document, text, share of the text's own grams that the document holds, how many that
            is)
    """

    wholes: list[tuple[int, int]]
    shares: list[tuple[int, int, float, int]]


class _Lists(NamedTuple):
    """Lists of numbers by gram: those of gram g are `values[starts[g]:starts[g + 1]]`."""

    starts: Ints
    values: Ints

    def of(self, grams: Ints) -> tuple[Ints, Ints]:
        """All entries of several grams: which of `grams` each belongs to, and its value."""
        first, counts = self.starts[grams], self.starts[grams + 1] - self.starts[grams]
        rows = np.repeat(np.arange(len(grams)), counts)
        before = np.cumsum(counts) - counts
        return rows, self.values[first[rows] + np.arange(len(rows)) - before[rows]]


class Sieve:
    """Finds the few known hashes among many: a table by their first bits turns most away."""

    def __init__(self, hashes: U64) -> None:
        """`hashes` are sorted and differ."""
        self.hashes = hashes
        bits = int(np.ceil(np.log2(max(len(hashes), 1) * _PLACES_A_GRAM)))
        self._shift = np.uint64(64 - min(max(bits, _FEWEST_BITS), _MOST_BITS))
        self._known = np.zeros(1 << (64 - int(self._shift)), dtype=np.bool_)
        self._known[hashes >> self._shift] = True

    def hits(self, hashes: U64, allowed: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Where an allowed hash is a known one, and its number among them."""
        place = np.flatnonzero(self._known[hashes >> self._shift] & allowed)
        number = np.searchsorted(self.hashes, hashes[place])
        number[number == len(self.hashes)] = 0
        known = np.zeros(0, dtype=np.bool_)
        if len(place):
            known = self.hashes[number] == hashes[place]
        return place[known], number[known]


class GramIndex:
    """Texts by gram.

    Each text of a gram or more is found whole by one of its grams, the rarest (which holds a
    question's own numbers where it has some), whose place in it is known. Texts that are `counted`
    are also found in part, by those of their grams that at most `most_shared` clusters hold.
    """

    def __init__(
        self, codes: Codes, clusters: Ints, counted: npt.NDArray[np.bool_], most_shared: int
    ) -> None:
        sums = prefix_sums(codes)
        inside = np.flatnonzero(window_starts(codes, GRAM))
        hashes = windows(sums, GRAM)[inside]
        owner = np.searchsorted(codes.offsets, inside, side="right") - 1
        grams, gram = np.unique(hashes, return_inverse=True)
        self._sieve, self._count = Sieve(grams), len(grams)
        holders = np.unique(gram * (int(clusters.max()) + 1) + clusters[owner])
        spread = np.bincount(holders // (int(clusters.max()) + 1), minlength=self._count)

        rarest = np.lexsort((inside, spread[gram], owner))
        rarest = rarest[np.diff(owner[rarest], prepend=-1) != 0]  # the first of each text
        self._anchored = _lists(gram[rarest], owner[rarest], self._count)
        self._place = np.zeros(len(codes.lengths), dtype=np.int64)
        self._place[owner[rarest]] = inside[rarest] - codes.offsets[owner[rarest]]
        self._lengths = codes.lengths
        self._whole = stretches(sums, codes.offsets[:-1], codes.offsets[1:])

        own = counted[owner] & (spread[gram] <= most_shared)
        pairs = np.unique(gram[own] * len(codes.lengths) + owner[own])
        gram_of, text_of = pairs // len(codes.lengths), pairs % len(codes.lengths)
        self._holders = _lists(gram_of, text_of, self._count)
        self._own = np.bincount(text_of, minlength=len(codes.lengths))

    def look_up(self, codes: Codes, sums: U64) -> Found:
        """What documents hold; `sums` are the prefix sums of their codes."""
        place, gram = self._sieve.hits(windows(sums, GRAM), window_starts(codes, GRAM))
        document = np.searchsorted(codes.offsets, place, side="right") - 1
        return Found(self._wholes(codes, sums, place, gram, document), self._shares(gram, document))

    def _wholes(
        self, codes: Codes, sums: U64, place: Ints, gram: Ints, document: Ints
    ) -> list[tuple[int, int]]:
        rows, text = self._anchored.of(gram)
        start = place[rows] - self._place[text]
        end = start + self._lengths[text]
        holder = document[rows]
        fits = (start >= codes.offsets[holder]) & (end <= codes.offsets[holder + 1])
        start, end, text, holder = start[fits], end[fits], text[fits], holder[fits]
        same = stretches(sums, start, end) == self._whole[text]
        return list(zip(holder[same].tolist(), text[same].tolist(), strict=True))

    def _shares(self, gram: Ints, document: Ints) -> list[tuple[int, int, float, int]]:
        if not len(gram):
            return []
        once = np.unique(document * self._count + gram)
        document, gram = once // self._count, once % self._count
        rows, text = self._holders.of(gram)
        pairs, counts = np.unique(document[rows] * len(self._lengths) + text, return_counts=True)
        holder, text = pairs // len(self._lengths), pairs % len(self._lengths)
        shares = counts / self._own[text]
        return list(
            zip(holder.tolist(), text.tolist(), shares.tolist(), counts.tolist(), strict=True)
        )


def _lists(grams: Ints, values: Ints, count: int) -> _Lists:
    order = np.argsort(grams, kind="stable")
    starts = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(grams, minlength=count), out=starts[1:])
    return _Lists(starts, values[order])
