"""Near-duplicates among Japanese-like texts of 300 characters: time, memory, recall, precision,
and those of datasketch for the same 5-grams and 128 hashes, in one run.

One text in 40 is an edited version of the one before it, some above a Jaccard similarity of .8 and
some below. Times are CPU seconds, which other work on the machine does not lengthen, with the wall
clock's beside them. Rounds on as many texts as datasketch is given alternate, each contender in a
process of its own; ours is then shown for larger numbers of texts.

Usage: python benchmarks/near_duplicates.py [--texts 100000] [--datasketch 20000] [--rounds 3]
           [--json FILE]
       python benchmarks/near_duplicates.py --texts 1000000
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench.measure import Contender, Result, alternate, serve
from benchmarks.bench.peers import here
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


def planted(chunk: list[str], draw: np.random.Generator) -> dict[int, bool]:
    """Makes every PLANTED_EVERY-th text a version of the one before it, 1 to 12 characters changed;
    row -> whether it is still a copy."""
    expected = {}
    for row in range(PLANTED_EVERY, len(chunk), PLANTED_EVERY):
        chunk[row] = edited(chunk[row - 1], int(draw.integers(1, 13)), draw)
        expected[row] = jaccard(chunk[row - 1], chunk[row]) >= 0.8
    return expected


def measure(count: int, words: list[str], seed: int) -> None:
    """Prints one line: ours on so many texts."""
    draw = np.random.default_rng(seed)
    index = NearDuplicates()
    clock = Clock()
    copies = caught = wrong = 0
    for chunk in texts(count, words, draw):
        expected = planted(chunk, draw)
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


def ours(given: list[str]) -> list[bool]:
    """Which texts are copies of one before them."""
    return [copied is not None for copied in NearDuplicates().admit(given)]


def with_datasketch(given: list[str]) -> list[bool]:
    """The same with datasketch: sets of 5-grams, 128 hashes, an index at .8."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.8, num_perm=128)
    found = []
    for number, text in enumerate(given):
        sketch = MinHash(num_perm=128)
        sketch.update_batch(
            [gram.encode() for gram in {text[at : at + 5] for at in range(len(text) - 4)}]
        )
        found.append(bool(index.query(sketch)))
        if not found[-1]:
            index.insert(number, sketch)
    return found


CONTENDERS: dict[str, Callable[[list[str]], list[bool]]] = {
    "harness": ours,
    "datasketch": with_datasketch,
}


def compared_texts(count: int) -> tuple[list[str], dict[int, bool]]:
    draw = np.random.default_rng(1)
    chunks = texts(count, vocabulary(np.random.default_rng(0)), draw)
    given = [text for chunk in chunks for text in chunk]
    return given, planted(given, draw)


def child(name: str, count: int) -> None:
    given, expected = compared_texts(count)
    NearDuplicates().admit(["表を先に作る"])  # tables are made once

    def told(found: list[bool]) -> list[float]:
        copies = [found[row] for row, copy in expected.items() if copy]
        return [sum(copies) / len(copies), sum(found) - sum(copies)]

    serve(lambda: CONTENDERS[name](given), told)


def compare(count: int, rounds: int, result: Result) -> None:
    peer = here("datasketch")
    command = [sys.executable, __file__, "--datasketch", str(count), "--child"]
    contenders = {name: Contender([*command, name]) for name in CONTENDERS}
    costs = alternate({name: one.round for name, one in contenders.items()}, rounds)
    result.compare(f"{count:,} texts", peer, costs["harness"], costs["datasketch"])
    for name, one in contenders.items():
        recall, others = one.finish()
        result.check(
            f"{name} found {recall:.4f} of the copies at a Jaccard similarity of .8, and took "
            f"{others:.0f} other texts for copies."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--datasketch", type=int, default=20_000, help="texts; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.datasketch)
        return
    result = Result()
    if arguments.datasketch:
        compare(arguments.datasketch, arguments.rounds, result)
    words = vocabulary(np.random.default_rng(0))
    sizes = [size for size in (100_000, 300_000, 1_000_000) if size < arguments.texts]
    NearDuplicates().admit(["表を先に作る"])
    print(f"texts of {LENGTH} characters; memory is the process's peak so far")
    for size in [*sizes, arguments.texts]:
        measure(size, words, seed=size)
    result.write(arguments.json)


if __name__ == "__main__":
    main()
