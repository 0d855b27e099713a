"""Decontamination of Japanese-like documents against evaluation items: time, memory, and what is
found of planted copies.

One in a hundred documents holds an item: as it is, in full width with spaces, with other numbers,
or two thirds of it. The rest hold none, but set phrases that items hold as well. Times are CPU
seconds, with the wall clock's beside them.

Usage: python benchmarks/decontamination.py [--documents 50000] [--items 5000]
       python benchmarks/decontamination.py --documents 1000000 --items 50000
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.near_duplicates import Clock, peak, texts, vocabulary
from training.synthesis.decontaminate import Decontamination
from training.synthesis.held_out import HeldOut

ITEM = 110
# What questions end with, in our words; documents hold them as well.
ENDINGS = (
    "答えの数だけを半角数字で書いてください。",
    "次の四つの中から正しいものを一つ選び、記号だけで答えてください。",
    "理由も含めて、中学生にも分かるように説明してください。",
    "文章に書かれている順に、一行に一つずつ抜き出してください。",
)
KINDS = ("copied", "full width and spaces", "other numbers", "two thirds of it")


def planted(item: str, kind: int, draw: np.random.Generator) -> str:
    match kind:
        case 0:
            return item
        case 1:
            wide = "".join(chr(ord(mark) + 0xFEE0) if "!" <= mark <= "~" else mark for mark in item)
            return " ".join(re.findall(".{1,7}", wide))
        case 2:
            return re.sub("[0-9]+", lambda _: str(draw.integers(10, 100)), item)
        case _:
            return item[: 2 * len(item) // 3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=5_000)
    arguments = parser.parse_args()
    draw = np.random.default_rng(0)
    words = vocabulary(draw)
    bodies = [text[:ITEM] for chunk in texts(arguments.items, words, draw) for text in chunk]
    items = [
        f"{body[:30]}{draw.integers(10, 100)}個の{body[30:70]}{draw.integers(10, 100)}円で"
        f"{body[70:]}。{ENDINGS[row % len(ENDINGS)]}"
        for row, body in enumerate(bodies)
    ]
    held = [HeldOut(str(row), "made-up", text, str(row)) for row, text in enumerate(items)]
    clock = Clock()
    with clock:
        check = Decontamination(held)
    print(
        f"{arguments.items:,} items of {sum(map(len, items)) / len(items):.0f} characters: index "
        f"in {clock}, {peak():.2f} GB at the peak"
    )
    clock = Clock()
    caught, put = np.zeros(len(KINDS), dtype=int), np.zeros(len(KINDS), dtype=int)
    wrong = clean = 0
    for chunk in texts(arguments.documents, words, draw):
        expected: dict[int, tuple[int, int]] = {}
        for row in range(len(chunk)):
            if row % 100 == 0:
                item, kind = int(draw.integers(len(items))), row // 100 % len(KINDS)
                expected[row] = item, kind
                middle = planted(items[item], kind, draw)
                chunk[row] = chunk[row][:100] + middle + chunk[row][200:]
            elif row % 5 == 0:
                chunk[row] += ENDINGS[row % len(ENDINGS)]
        with clock:
            found = check.check(chunk)
        for row, match in enumerate(found):
            if row in expected:
                item, kind = expected[row]
                put[kind] += 1
                caught[kind] += match is not None and match.item == str(item)
                wrong += match is not None and match.item != str(item)
            else:
                clean += 1
                wrong += match is not None
    print(
        f"{arguments.documents:,} documents: {clock}, "
        f"{1e6 * clock.cpu / arguments.documents:.1f} µs a document, {peak():.2f} GB at the peak"
    )
    for name, hits, all_of in zip(KINDS, caught, put, strict=True):
        print(f"  {name:<24} recall {hits / all_of:.4f} of {all_of:,}")
    print(f"  wrong: {wrong} of {clean + int(put.sum()):,} documents")


if __name__ == "__main__":
    main()
