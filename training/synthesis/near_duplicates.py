"""Finds texts that copy an earlier one almost word for word, over all rounds of synthesis.

MinHash (Broder 1997) over character 5-grams, computed by rensa, in bands of a locality-sensitive
index; each candidate is then verified by its exact Jaccard similarity, so nothing is dropped on an
estimate. The first of two alike texts is kept.
"""

from __future__ import annotations

import array
import heapq
import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError
from training.synthesis.grams import U64, prefix_sums, spaced, stretches, window_starts, windows

# Characters in a gram. Five is about two Japanese words: shorter grams are shared by unrelated
# texts, longer ones break at each changed word.
GRAM = 5
# Share of grams two texts have in common from which the later one is a copy.
THRESHOLD = 0.8
# 21 bands of 6 rows (126 of the 128 permutations): texts of Jaccard .8 share a band with
# probability 1 - (1 - .8^6)^21 = .998, of .5 with .28, of .3 with .02.
PERMUTATIONS, BANDS, ROWS = 128, 21, 6
SEED = 1
# Of the earlier texts that share one band this many are looked at, of all candidates this many
# verified, those that share most bands first: a template that thousands of texts share must not
# make the work quadratic.
MOST_PER_BAND, MOST_VERIFIED = 64, 16
# An index entry is a band's hash (36 bits) above the number of its text (28 bits: 268 million).
_NUMBER_BITS = np.uint64(28)
MOST_TEXTS = 1 << 28
_NUMBERS = np.uint64(MOST_TEXTS - 1)
# Texts signed at once: their grams stay in the processor's cache.
_SIGNED = 1024
# Texts looked up at once: sorted queries walk the index in order.
_LOOKED_UP = 32_768
_FORMAT = 1


@dataclass(frozen=True)
class Kept:
    """Two texts of the index that are alike but not enough to be copies, by their numbers."""

    similarity: float
    number: int
    earlier: int


class NearDuplicates:
    """An index of the texts seen so far; the state that a round hands to the next.

    `admit` gives the same answers however the texts are cut into calls. An index holds its texts,
    and 168 bytes of each for the bands.
    """

    def __init__(self, threshold: float = THRESHOLD, closest: int = 100) -> None:
        """`closest` is how many pairs `report` can name. Raises HarnessError for a threshold
        outside (0, 1]."""
        self.threshold = _checked(threshold)
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._runs: list[U64] = []
        self._closest = closest
        self._kept: list[tuple[float, int, int]] = []

    def __len__(self) -> int:
        return len(self.texts)

    def admit(
        self, texts: Sequence[str], thresholds: Sequence[float] | None = None
    ) -> list[int | None]:
        """For each text None, when it is new and now in the index, or the number of the earlier
        text that it copies. Texts of the index are numbered from 0 in the order of admission.

        thresholds  one a text where they are not the index's own. At 1 only an equal text is a
                    copy: for drills of a program, which share a template by design and differ in
                    their numbers. Texts are compared after NFKC, with white space collapsed.
        """
        limits = [self.threshold] * len(texts) if thresholds is None else list(thresholds)
        for limit in set(limits):
            _checked(limit)
        found: list[int | None] = []
        for start in range(0, len(texts), _LOOKED_UP):
            end = start + _LOOKED_UP
            found += self._admit(texts[start:end], limits[start:end])
        return found

    def report(self, count: int = 20) -> list[Kept]:
        """The closest pairs that were both kept, closest first, among the candidates verified."""
        ordered = sorted(self._kept, key=lambda pair: (-pair[0], -pair[1], -pair[2]))
        return [Kept(alike, -number, -earlier) for alike, number, earlier in ordered[:count]]

    def save(self, path: Path) -> None:
        """Writes the index to one file, whole or not at all."""
        data = "".join(self.texts).encode("utf-8", "surrogatepass")
        lengths = np.fromiter(map(len, self.texts), dtype=np.uint32, count=len(self.texts))
        runs = np.concatenate([np.zeros(0, dtype=np.uint64), *self._runs])
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with unfinished.open("wb") as file:
                np.savez(
                    file,
                    about=np.array([_FORMAT, self.threshold], dtype=np.float64),
                    text=np.frombuffer(data, dtype=np.uint8),
                    lengths=lengths,
                    bands=np.sort(runs),
                )
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, closest: int = 100) -> NearDuplicates:
        """The index that `save` wrote. Raises HarnessError for a file that it did not write."""
        try:
            with np.load(path, allow_pickle=False) as held:
                version, threshold = held["about"].tolist()
                whole = held["text"].tobytes().decode("utf-8", "surrogatepass")
                lengths, bands = held["lengths"], held["bands"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise HarnessError(
                f"{path}: not an index of near-duplicates ({error}); remove it to start a new one"
            ) from None
        if version != _FORMAT or int(lengths.sum()) != len(whole):
            raise HarnessError(
                f"{path}: an index of another version or with texts missing; remove it to start "
                "a new one"
            )
        index = cls(threshold, closest)
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        index.texts = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        index._numbers = {text: number for number, text in enumerate(index.texts)}
        index._runs = [bands] if len(bands) else []
        return index

    def _admit(self, texts: Sequence[str], limits: Sequence[float]) -> list[int | None]:
        plain, bands = sign(texts)
        # Hashes in order, with the row of each: rows of equal hashes are in order as well.
        place = np.arange(bands.size, dtype=np.uint64)
        packed = np.sort((bands.ravel() << _NUMBER_BITS) | place)
        keys, rows = packed >> _NUMBER_BITS, (packed & _NUMBERS).astype(np.int64) // BANDS
        earlier = self._look_up(keys, rows)
        shared = _shared(keys, rows)
        # Which kept texts of this call have a band, for bands that more than one of them has.
        here: dict[int, list[int]] = defaultdict(list)
        found: list[int | None] = []
        numbers = np.full(len(plain), -1, dtype=np.int64)
        for row, text in enumerate(plain):
            copied = self._numbers.get(text)
            common, before = shared.get(row, ()), earlier.get(row, {})
            if copied is None and limits[row] < 1 and (common or before):
                candidates: Counter[int] = Counter()
                for key in before.keys() | set(common):
                    candidates.update((before.get(key, []) + here[key])[:MOST_PER_BAND])
                copied = self._verified(text, candidates, limits[row])
            found.append(copied)
            if copied is None:
                number = len(self.texts)
                self.texts.append(text)
                self._numbers[text] = number
                numbers[row] = number
                for key in common:
                    here[key].append(number)
        if len(self.texts) > MOST_TEXTS:
            raise HarnessError(f"near-duplicates: an index holds at most {MOST_TEXTS} texts")
        kept = numbers[rows] >= 0
        self._add((keys[kept] << _NUMBER_BITS) | numbers[rows[kept]].astype(np.uint64))
        return found

    def _verified(self, text: str, candidates: Counter[int], limit: float) -> int | None:
        """The candidate that a text copies; the closest of the others are noted for `report`."""
        grams = _grams(text)
        others: list[tuple[float, int]] = []
        order = sorted(candidates.items(), key=lambda one: (-one[1], one[0]))
        for number, _ in order[:MOST_VERIFIED]:
            alike = _jaccard(grams, _grams(self.texts[number]))
            if alike >= limit:
                return number
            others.append((alike, number))
        for alike, number in others:
            # Negative numbers: of equally close pairs the heap keeps the earliest.
            entry = (alike, -len(self.texts), -number)
            if len(self._kept) < self._closest:
                heapq.heappush(self._kept, entry)
            elif self._kept and entry > self._kept[0]:
                heapq.heapreplace(self._kept, entry)
        return None

    def _look_up(self, keys: U64, rows: npt.NDArray[np.int64]) -> dict[int, dict[int, list[int]]]:
        """By row and band, the numbers of earlier texts that share it, the first ones first."""
        wanted = keys << _NUMBER_BITS
        numbers: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for run in self._runs:  # each holds later texts than the one before it
            place = np.searchsorted(run, wanted)
            place[place == len(run)] = len(run) - 1
            for hit in np.flatnonzero(run[place] >> _NUMBER_BITS == keys).tolist():
                block = run[place[hit] : place[hit] + MOST_PER_BAND]
                block = block[block >> _NUMBER_BITS == keys[hit]] & _NUMBERS
                numbers[int(rows[hit])][int(keys[hit])] += block.tolist()
        return numbers

    def _add(self, run: U64) -> None:
        """Takes in sorted entries. Runs grow in size like the digits of a number, so that each
        entry is merged only log(texts) times."""
        if not len(run):
            return
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) < 4 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.concatenate([self._runs[-1], last])
            self._runs[-1].sort()


def sign(texts: Sequence[str]) -> tuple[list[str], U64]:
    """Texts after NFKC with white space collapsed, and the hashes of their bands (36 bits each),
    shape (texts, BANDS)."""
    plain: list[str] = []
    bands = np.empty((len(texts), BANDS), dtype=np.uint64)
    for start in range(0, len(texts), _SIGNED):
        chunk = texts[start : start + _SIGNED]
        codes = spaced(chunk)
        plain += codes.texts()
        sums = prefix_sums(codes)
        tokens = windows(sums, GRAM)[window_starts(codes, GRAM)]
        lengths = codes.lengths
        counts = np.maximum(lengths - GRAM + 1, 0)
        ends = np.cumsum(counts)
        short = np.flatnonzero(counts == 0)
        if len(short):  # a text shorter than a gram is one gram
            whole = stretches(sums, codes.offsets[:-1][short], codes.offsets[1:][short])
            tokens = np.insert(tokens, ends[short], whole)
            counts[short] = 1
            ends = np.cumsum(counts)
        bands[start : start + len(chunk)] = _bands(_digests(tokens, ends))
    return plain, bands


def jaccard(one: str, other: str) -> float:
    """Share of the 5-grams of two texts that both have, each gram counted once, 0.0 to 1.0; after
    NFKC with white space collapsed. A text shorter than a gram is one gram."""
    first, second = spaced([one, other]).texts()
    return _jaccard(_grams(first), _grams(second))


def _digests(tokens: U64, ends: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """MinHash signatures of rows of token hashes, shape (rows, PERMUTATIONS)."""
    from rensa import RMinHash

    offsets = np.concatenate([[0], ends]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(tokens, offsets, PERMUTATIONS, SEED)
    # rensa hands out lists of lists; an array("I") takes one in five times faster than NumPy.
    data = b"".join([array.array("I", row).tobytes() for row in matrix.to_rows()])
    return np.frombuffer(data, dtype=np.uint32).reshape(-1, PERMUTATIONS)


def _bands(digests: npt.NDArray[np.uint32]) -> U64:
    rows = digests[:, : BANDS * ROWS].reshape(-1, BANDS, ROWS).astype(np.uint64)
    hashes = np.full(rows.shape[:2], 0, dtype=np.uint64)
    hashes += np.arange(1, BANDS + 1, dtype=np.uint64)  # equal rows of two bands are no match
    for row in range(ROWS):
        hashes ^= rows[:, :, row]
        hashes *= np.uint64(0x9FB21C651E98DF25)
        hashes ^= hashes >> np.uint64(29)
    return hashes >> _NUMBER_BITS


def _shared(keys: U64, rows: npt.NDArray[np.int64]) -> dict[int, list[int]]:
    """Of each row the bands that another row has as well; `keys` are sorted."""
    alike = np.zeros(len(keys) + 1, dtype=np.bool_)
    alike[1:-1] = keys[1:] == keys[:-1]
    places = np.flatnonzero(alike[1:] | alike[:-1])
    shared: dict[int, list[int]] = defaultdict(list)
    for row, key in zip(rows[places].tolist(), keys[places].tolist(), strict=True):
        shared[row].append(key)
    return shared


def _grams(text: str) -> set[str]:
    return {text[start : start + GRAM] for start in range(max(len(text) - GRAM + 1, 1))}


def _jaccard(one: set[str], other: set[str]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def _checked(threshold: float) -> float:
    if not 0 < threshold <= 1:
        raise HarnessError(f"near-duplicates: threshold {threshold}, expected above 0, at most 1")
    return float(threshold)
