"""Finds training texts that hold an evaluation item: whole, with other numbers, or in large part.

Texts are compared as their letters alone (NFKC, katakana as hiragana, lower case, no white space,
no punctuation), by hashes of all their 13-character grams. What many items share is boilerplate and
counts for none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError
from training.synthesis.gram_index import GRAM, GramIndex, Sieve
from training.synthesis.grams import (
    U64,
    Codes,
    folded,
    masked,
    prefix_sums,
    stretches,
    window_starts,
    windows,
)
from training.synthesis.held_out import HeldOut, from_path, shipped, stored

Ints = npt.NDArray[np.int64]
How = Literal["exact", "normalised", "numbers", "overlap"]

# Share of an item's own grams that a text must hold to be a copy of it. Unrelated texts share set
# phrases, up to a third of a short question; copies with words respelled keep more than that.
OVERLAP = 0.4
# With numbers masked texts are less unlike, and drills of one kind are meant to be: most of them.
OVERLAP_MASKED = 0.75
# And at least so many of them, 16 letters in one stretch: of a short item two grams are too few.
LEAST_FOUND = 4
# A gram that more clusters of items hold than this is boilerplate.
MOST_SHARED = 3
# An item of fewer letters than a gram is found anywhere in a text from this many on; below, where
# a whole line is nothing else, for anybody may write five letters.
LEAST_ANYWHERE = 8
# Documents looked at together: their grams stay in the processor's cache.
_TOGETHER = 1024


class Match(NamedTuple):
    """An evaluation item that a text holds.

    method   exact       its whole text, letter by letter
             normalised  its whole text but for width, kana, case, white space and punctuation
             numbers     with other numbers
             overlap     a large part of it
    overlap  share of the item's own grams found, 0.0 to 1.0
    """

    item: str
    suite: str
    method: How
    overlap: float


class Near(NamedTuple):
    """A text that was kept, and the item that it is most like."""

    text: str
    match: Match


class Decontamination:
    """What evaluations hold, ready to be looked up; remembers the closest texts that it let pass.

    Time and memory are in docs/filters.md.
    """

    def __init__(self, texts: Sequence[HeldOut], closest: int = 100) -> None:
        """Raises HarnessError without texts: a check against nothing would pass everything."""
        # A text that is held out twice, by a set and by a store, is not boilerplate for that.
        self.texts = tuple({one.text: one for one in reversed(texts)}.values())[::-1]
        if not self.texts:
            raise HarnessError(
                "decontamination: there is no evaluation item to check against; expected the "
                "evalsets of this installation"
            )
        codes = folded([one.text for one in self.texts])
        names = {
            name: number for number, name in enumerate(dict.fromkeys(map(_cluster, self.texts)))
        }
        clusters = np.array([names[_cluster(one)] for one in self.texts], dtype=np.int64)
        written = np.array([not one.generated for one in self.texts])
        self._plain = GramIndex(codes, clusters, written, MOST_SHARED)
        hidden = masked(codes)
        self._masked = GramIndex(hidden, clusters, written & _has_digit(codes), MOST_SHARED)
        self._short = _short_texts(codes)
        self._closest = closest
        self._kept: dict[str, Near] = {}

    @classmethod
    def build(
        cls, store: Path | None = None, paths: Sequence[Path] = (), seeds: Sequence[int] = (0,)
    ) -> Decontamination:
        """Against every evalset of this project and its probes at these seeds, all that a store
        asked and imported, and benchmarks on disk (see `held_out`).

        Raises HarnessError when any of them cannot be read.
        """
        texts = shipped(seeds) + (stored(store) if store is not None else [])
        return cls([*texts, *(text for path in paths for text in from_path(path))])

    def check(self, texts: Sequence[str]) -> list[Match | None]:
        """For each text the item that it holds, or None for a text to keep. Whole items come
        first, then those with the greatest overlap."""
        found: list[Match | None] = []
        for start in range(0, len(texts), _TOGETHER):
            found += self._check(texts[start : start + _TOGETHER])
        return found

    def report(self, count: int = 20) -> list[Near]:
        """The texts that were kept and are most like an item, closest first, one an item."""
        ordered = sorted(self._kept.values(), key=lambda one: -one.match.overlap)
        return ordered[:count]

    def _check(self, texts: Sequence[str]) -> list[Match | None]:
        lines, first = _lines(texts)
        by_line = folded(lines)
        codes = Codes(by_line.values, by_line.offsets[first])
        sums = prefix_sums(codes)
        found: list[Match | None] = [None] * len(texts)
        whole = self._plain.look_up(codes, sums)
        for document, entry in (*whole.wholes, *self._shorts(codes, by_line, first, sums)):
            if found[document] is None:
                one = self.texts[entry]
                same = one.text.strip() in texts[document]
                found[document] = Match(one.item, one.suite, "exact" if same else "normalised", 1.0)
        near: dict[int, Match] = {}
        self._overlaps(whole.shares, OVERLAP, "overlap", found, near)
        hidden = masked(codes)
        shares = self._masked.look_up(hidden, prefix_sums(hidden)).shares
        self._overlaps(shares, OVERLAP_MASKED, "numbers", found, near)
        for document, match in near.items():
            if found[document] is None:
                self._note(Near(texts[document], match))
        return found

    def _overlaps(
        self,
        shares: Sequence[tuple[int, int, float, int]],
        least: float,
        method: How,
        found: list[Match | None],
        near: dict[int, Match],
    ) -> None:
        """Takes in what overlaps enough; notes the rest in `near`, the greatest of a document."""
        for document, entry, share, count in shares:
            if count < LEAST_FOUND:
                continue
            match = Match(self.texts[entry].item, self.texts[entry].suite, method, share)
            held = found[document]
            if share >= least:
                if held is None or (held.method == method and share > held.overlap):
                    found[document] = match
            elif document not in near or share > near[document].overlap:
                near[document] = match

    def _shorts(
        self, codes: Codes, lines: Codes, first: Ints, sums: U64
    ) -> Iterator[tuple[int, int]]:
        """Documents that hold the whole of a short item, and that item."""
        for size, short in self._short.items():
            if size >= LEAST_ANYWHERE:
                place, number = short.sieve.hits(windows(sums, size), window_starts(codes, size))
                document = np.searchsorted(codes.offsets, place, side="right") - 1
            else:
                rows = np.flatnonzero(lines.lengths == size)
                hashes = stretches(sums, lines.offsets[rows], lines.offsets[rows + 1])
                place, number = short.sieve.hits(hashes, np.ones(len(rows), dtype=np.bool_))
                document = np.searchsorted(first, rows[place], side="right") - 1
            yield from zip(document.tolist(), short.entries[number].tolist(), strict=True)

    def _note(self, near: Near) -> None:
        """Of each item the closest text, of all items the closest ones."""
        key = f"{near.match.suite}/{near.match.item}"
        known = self._kept.get(key)
        if known is None or near.match.overlap > known.match.overlap:
            self._kept[key] = near
        if len(self._kept) > 2 * self._closest:
            best = sorted(self._kept.items(), key=lambda one: -one[1].match.overlap)
            self._kept = dict(best[: self._closest])


class _Short(NamedTuple):
    """Held-out texts of one length: their hashes, and the number of each."""

    sieve: Sieve
    entries: Ints


def _cluster(one: HeldOut) -> tuple[str, str]:
    return one.suite, one.cluster


def _lines(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """The lines of texts, and where those of each text begin, shape (texts + 1,)."""
    lines: list[str] = []
    first = [0]
    for text in texts:
        lines += text.split("\n")
        first.append(len(lines))
    return lines, np.array(first, dtype=np.int64)


def _has_digit(codes: Codes) -> npt.NDArray[np.bool_]:
    digits = np.zeros(len(codes.values) + 1, dtype=np.int64)
    np.cumsum((codes.values >= 0x30) & (codes.values <= 0x39), out=digits[1:])
    return np.diff(digits[codes.offsets]) > 0


def _short_texts(codes: Codes) -> dict[int, _Short]:
    """Texts shorter than a gram, by their length."""
    short: dict[int, _Short] = {}
    sums = prefix_sums(codes)
    for size in range(1, GRAM):
        rows = np.flatnonzero(codes.lengths == size)
        if len(rows):
            whole = stretches(sums, codes.offsets[rows], codes.offsets[rows + 1])
            hashes, first = np.unique(whole, return_index=True)
            short[size] = _Short(Sieve(hashes), rows[first])
    return short
