"""Texts as one array of code points, normalised by table and hashed in bulk.

Python's own `unicodedata.normalize` takes 40 µs for 300 Japanese characters with full-width signs;
a table does the same for a whole chunk of texts at once. Only what a table cannot do (combining
marks, characters that become several) goes through `unicodedata`.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.scoring.normalise import nfkc

U64 = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

# Hashes are polynomials in an odd number modulo 2^64, so that powers have inverses and the hash of
# any stretch follows from two prefix sums. Any odd number far from a small one will do.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_MIXER = np.uint64(0xD6E8FEB86659FD93)
# Code points from here on are rare ideographs that normalise to themselves, but for one block.
_TABLED = 0x20000
_COMPATIBILITY = slice(0x2F800, 0x2FA20)
# Signs that tell two questions apart: 34-12 is not 34/12.
_OPERATORS = "-*/%"


@dataclass(frozen=True)
class Codes:
    """Texts laid end to end.

    values   code points, uint32, shape (characters,)
    offsets  where each text begins, and the end of the last; int64, shape (texts + 1,)
    """

    values: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.offsets)

    def keep(self, mask: Mask) -> Codes:
        """The characters where a mask of shape (characters,) is true."""
        before = np.zeros(len(mask) + 1, dtype=np.int64)
        np.cumsum(mask, out=before[1:])
        return Codes(self.values[mask], before[self.offsets])

    def texts(self) -> list[str]:
        whole = self.values.tobytes().decode("utf-32-le", "surrogatepass")
        ends = self.offsets.tolist()
        return [whole[start:end] for start, end in itertools.pairwise(ends)]


@dataclass(frozen=True)
class Table:
    """What becomes of each code point: another, or 0 where it is dropped; `hard` are those that
    only `unicodedata` can normalise."""

    to: npt.NDArray[np.uint32]
    hard: Mask


def spaced(texts: Sequence[str]) -> Codes:
    """Texts after NFKC, runs of white space as one space, none at either end."""
    codes = _mapped(texts, _spaced_table())
    space = codes.values == 0x20
    after = np.empty_like(space)
    after[:1], after[1:] = True, space[:-1]
    starts = codes.offsets[:-1]
    after[starts[starts < len(after)]] = True
    drop = space & after
    if drop.any():
        codes = codes.keep(~drop)
    ends = codes.offsets[1:][codes.lengths > 0] - 1
    trailing = ends[codes.values[ends] == 0x20]
    if len(trailing):
        kept = np.ones(len(codes.values), dtype=np.bool_)
        kept[trailing] = False
        codes = codes.keep(kept)
    return codes


def folded(texts: Sequence[str]) -> Codes:
    """Texts as their letters alone: NFKC, katakana as hiragana, lower case; white space and
    punctuation are gone, signs of arithmetic stay."""
    codes = _mapped(texts, _folded_table())
    return codes.keep(codes.values != 0)


def masked(codes: Codes) -> Codes:
    """Folded texts with one 0 for each run of digits."""
    digit = (codes.values >= 0x30) & (codes.values <= 0x39)
    after = np.zeros_like(digit)
    after[1:] = digit[:-1]
    starts = codes.offsets[:-1]
    after[starts[starts < len(after)]] = False
    values = np.where(digit, np.uint32(0x30), codes.values)
    return Codes(values, codes.offsets).keep(~(digit & after))


def prefix_sums(codes: Codes) -> U64:
    """Sums from which `windows` and `stretches` are made, shape (characters + 1,)."""
    sums = np.zeros(len(codes.values) + 1, dtype=np.uint64)
    count = len(codes.values)
    np.cumsum(codes.values * _powers(count)[0][:count], out=sums[1:])
    return sums


def windows(sums: U64, size: int) -> U64:
    """The hash of each stretch of `size` characters, by its first; those that run from one text
    into the next are the caller's to leave out. Shape (characters - size + 1,) or (0,)."""
    if len(sums) <= size:
        return np.zeros(0, dtype=np.uint64)
    hashes: U64 = sums[size:] - sums[:-size]
    hashes *= _powers(len(sums))[1][: len(hashes)]
    return _mix(hashes)


def stretches(sums: U64, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> U64:
    """The hash of characters `starts[i]` to `ends[i]`; equal to that of `windows` where equally
    long."""
    return _mix((sums[ends] - sums[starts]) * _powers(len(sums))[1][starts])


def window_starts(codes: Codes, size: int) -> Mask:
    """Which of `windows` lie within one text, shape as that of `windows`."""
    count = max(len(codes.values) - size + 1, 0)
    inside = np.ones(count, dtype=np.bool_)
    # Each text's last size - 1 characters begin no window; texts are far fewer than characters.
    back = (codes.offsets[1:, None] - np.arange(1, size)).ravel()
    inside[back[(back >= 0) & (back < count)]] = False
    return inside


def _mix(hashes: U64) -> U64:
    """Spreads a polynomial's entropy over all bits (a multiply between two shifts)."""
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MIXER
    hashes ^= hashes >> np.uint64(32)
    return hashes


def _powers(count: int) -> tuple[U64, U64]:
    """At least `count` powers of the base, and of its inverse."""
    return _powers_of(1 << max(count, 1).bit_length())


@functools.lru_cache(maxsize=4)
def _powers_of(count: int) -> tuple[U64, U64]:
    powers = np.empty((2, count), dtype=np.uint64)
    powers[0], powers[1] = np.uint64(_BASE), np.uint64(_INVERSE)
    powers[:, 0] = 1
    np.cumprod(powers, axis=1, out=powers)
    return powers[0], powers[1]


def _mapped(texts: Sequence[str], table: Table) -> Codes:
    # The one common character that becomes several.
    plain = [text.replace("…", "...") if "…" in text else text for text in texts]
    codes = _joined(plain)
    hard = np.flatnonzero(table.hard[codes.values])
    if len(hard):
        for row in np.unique(np.searchsorted(codes.offsets, hard, side="right") - 1).tolist():
            plain[row] = nfkc(plain[row])
        codes = _joined(plain)
    return Codes(table.to[codes.values], codes.offsets)


def _joined(texts: Sequence[str]) -> Codes:
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)), out=offsets[1:])
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    return Codes(np.frombuffer(data, dtype="<u4"), offsets)


@functools.cache
def _nfkc_table() -> Table:
    """NFKC of single characters."""
    to = np.arange(0x110000, dtype=np.uint32)
    hard = np.zeros(0x110000, dtype=np.bool_)
    hard[_COMPATIBILITY] = True
    joining = _joining()
    for code in range(_TABLED):
        normal = unicodedata.normalize("NFKC", chr(code))
        if len(normal) == 1:
            to[code] = ord(normal)
        hard[code] = len(normal) != 1 or normal in joining or unicodedata.combining(normal) > 0
    return Table(to, hard)


def _joining() -> frozenset[str]:
    """Characters that NFKC may join to the one before them."""
    pairs = (unicodedata.decomposition(chr(code)).split() for code in range(_TABLED))
    seconds = {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"}
    vowels, finals = range(0x1161, 0x1176), range(0x11A8, 0x11C3)
    return frozenset(seconds | set(map(chr, vowels)) | set(map(chr, finals)))


@functools.cache
def _spaced_table() -> Table:
    plain = _nfkc_table()
    to = plain.to.copy()
    for code in range(_TABLED):
        if chr(code).isspace():
            to[code] = 0x20
    return Table(to, plain.hard)


@functools.cache
def _folded_table() -> Table:
    plain = _nfkc_table()
    to = plain.to.copy()
    for code in range(_TABLED):
        to[code] = _fold(chr(plain.to[code]))
    # Combining marks that stand alone are what is left after NFKC; they stay.
    return Table(to, plain.hard)


def _fold(character: str) -> int:
    if character not in _OPERATORS and unicodedata.category(character)[0] in "PZC":
        return 0
    if "ァ" <= character <= "ヶ":
        return ord(character) - 0x60
    lower = character.lower()
    return ord(lower) if len(lower) == 1 else ord(character)
