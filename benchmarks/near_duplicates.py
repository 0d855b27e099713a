"""Near-duplicates among Japanese-like texts of 300 characters: time, memory, recall, precision,
and datasketch's time for the same 5-grams and 128 hashes on a part of them, in one run.

One text in 40 is an edited version of the one before it, some above a Jaccard similarity of .8 and
some below. Times are CPU seconds, which other work on the machine does not lengthen, with the wall
clock's beside them. datasketch is linear in its texts, so its time for one gives the ratio.

Usage: python benchmarks/near_duplicates.py [--texts 100000] [--datasketch 2000]
       python benchmarks/near_duplicates.py --texts 1000000 --datasketch 20000
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.synthesis.near_duplicates import NearDuplicates, jaccard

LENGTH = 300
CHUNK = 50_000
# One in so many texts is an edited version of an earlier one.
PLANTED_EVERY = 40
WORDS = 30_000


def vocabulary(draw: np.random.Generator) -> list[str]:
    """Made-up words of a kanji or two and their endings in kana, and particles between them."""
    kanji = [chr(code) for code in range(0x4E00, 0x5E00)]
    kana = [chr(code) for code in range(0x3042, 0x3094)]
    particles = ["は", "が", "を", "に", "で", "と", "の", "、", "。", "ます。", "です。"]
    stems = draw.integers(0, len(kanji), (WORDS, 2))
    ends = draw.integers(0, len(kana), (WORDS, 2))
    sizes = draw.integers(1, 3, (WORDS, 2))
    chosen = draw.integers(0, len(particles), WORDS)
    return [
        "".join(kanji[code] for code in stems[row, : sizes[row, 0]])
        + "".join(kana[code] for code in ends[row, : sizes[row, 1]])
        + particles[chosen[row]]
        for row in range(WORDS)
    ]


def texts(count: int, words: list[str], draw: np.random.Generator) -> Iterator[list[str]]:
    """Texts of LENGTH characters in chunks; common words are common (Zipf)."""
    shares = 1 / np.arange(10, WORDS + 10)
    shares /= shares.sum()
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        picked = draw.choice(WORDS, (size, 110), p=shares)
        yield ["".join([words[code] for code in row])[:LENGTH] for row in picked.tolist()]


def edited(text: str, edits: int, draw: np.random.Generator) -> str:
    marks = list(text)
    for place in draw.choice(len(marks), edits, replace=False).tolist():
        marks[place] = "ヱ"
    return "".join(marks)


class Clock:
    """CPU and wall seconds of what ran inside `with`, added up."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.cpu += time.process_time() - self._cpu
        self.wall += time.perf_counter() - self._wall

    def __str__(self) -> str:
        return f"{self.cpu:.1f} s ({self.wall:.1f} s wall)"


def peak() -> float:
    """Greatest resident memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measure(count: int, words: list[str], seed: int) -> float:
    """Prints one line; returns CPU seconds."""
    draw = np.random.default_rng(seed)
    index = NearDuplicates()
    clock = Clock()
    copies = caught = wrong = 0
    for chunk in texts(count, words, draw):
        # Each planted text is a version of the one before it, 1 to 12 characters changed.
        expected: dict[int, bool] = {}
        for row in range(PLANTED_EVERY, len(chunk), PLANTED_EVERY):
            chunk[row] = edited(chunk[row - 1], int(draw.integers(1, 13)), draw)
            expected[row] = jaccard(chunk[row - 1], chunk[row]) >= 0.8
        with clock:
            found = index.admit(chunk)
        for row, copied in enumerate(found):
            if expected.get(row, False):
                copies += 1
                caught += copied is not None
            elif copied is not None:
                wrong += jaccard(chunk[row], index.texts[copied]) < 0.8
    print(
        f"{count:>9,}  {clock!s:>22}  {1e6 * clock.cpu / count:6.1f} µs/text  "
        f"{peak():5.2f} GB  recall {caught / copies:.4f} of {copies:,} copies  {wrong} wrong"
    )
    return clock.cpu


def datasketch_time(count: int, words: list[str]) -> Clock:
    """The same with datasketch: sets of 5-grams, 128 hashes, an index at .8."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.8, num_perm=128)
    given = [text for chunk in texts(count, words, np.random.default_rng(1)) for text in chunk]
    clock = Clock()
    with clock:
        for number, text in enumerate(given):
            sketch = MinHash(num_perm=128)
            sketch.update_batch(
                [gram.encode() for gram in {text[at : at + 5] for at in range(len(text) - 4)}]
            )
            if not index.query(sketch):
                index.insert(number, sketch)
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--datasketch", type=int, default=2_000, help="texts; 0 leaves it out")
    arguments = parser.parse_args()
    words = vocabulary(np.random.default_rng(0))
    sizes = [size for size in (100_000, 300_000, 1_000_000) if size < arguments.texts]
    NearDuplicates().admit(["表を先に作る"])  # tables are made once
    print(f"texts of {LENGTH} characters; memory is the process's peak so far")
    ours = 0.0
    for size in [*sizes, arguments.texts]:
        ours = measure(size, words, seed=size) / size
    if arguments.datasketch:
        clock = datasketch_time(arguments.datasketch, words)
        theirs = clock.cpu / arguments.datasketch
        print(
            f"datasketch {arguments.datasketch:,} texts: {clock}, "
            f"{1e6 * theirs:.0f} µs/text; ours is {theirs / ours:.1f} times faster a text"
        )


if __name__ == "__main__":
    main()
