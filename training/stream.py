"""A run's data as a stream of batches: rows of single documents, or packed blocks.

Batch n of a run is a function of its segments, its parts and its seed alone, never of how many
processes share it or where it was resumed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.batch import Batch, Encoded, collate
from training.mixture import Segment
from training.parts import Part, cut, in_memory

if TYPE_CHECKING:
    import numpy.typing as npt

    from training.indexed import Blocks

# Batches that are drawn together, so that rows of one length meet and need little padding.
WINDOW = 32


@dataclass(frozen=True)
class Share:
    """One of `world` data-parallel processes."""

    rank: int = 0
    world: int = 1


def part_shares(parts: Sequence[Part], by_tokens: bool) -> Callable[[Segment], dict[str, float]]:
    """What each part gets of a segment: its component's share, divided among the component's
    genres by their tokens, or by their documents."""

    def size(part: Part) -> int:
        return (
            part.tokens
            if by_tokens or not isinstance(part.documents, Sequence)
            else len(part.documents)
        )

    totals: dict[str, int] = {}
    for part in parts:
        totals[part.component] = totals.get(part.component, 0) + size(part)

    def shares(segment: Segment) -> dict[str, float]:
        return {
            part.key: segment.weights[part.component] * size(part) / totals[part.component]
            for part in parts
            if segment.weights.get(part.component)
        }

    return shares


def row_batches(
    parts: Sequence[Part],
    segments: Sequence[Segment],
    *,
    batch_size: int,
    positions: int,
    pad: int,
    seed: int,
    start: int = 0,
    share: Share = Share(),
    window: int = WINDOW,
) -> Iterator[Batch]:
    """Batches from position `start` on, a document a row, cut at `positions` tokens.

    `window` batches at a time are drawn by the segment's shares, sorted by length so that the rows
    of a batch need little padding, and shuffled. A window depends on the seed, its segment's start
    and its number alone.
    """
    documents = {part.key: in_memory(part) for part in parts}
    shares_of = part_shares(parts, by_tokens=False)
    for segment in segments:
        if start >= segment.start + segment.steps:
            continue
        skipped = max(0, start - segment.start)
        left = segment.steps - skipped
        shares = shares_of(segment)
        names = sorted(shares)
        weights = np.array([shares[name] for name in names], dtype=np.float64)
        for number in itertools.count(skipped // window):
            salt = (seed, number, segment.start) if segment.start else (seed, number)
            draw = np.random.default_rng(salt)
            rows: list[tuple[str, Encoded]] = []
            for index in draw.choice(len(names), window * batch_size, p=weights / weights.sum()):
                part = documents[names[index]]
                rows.append((names[index], cut(part[int(draw.integers(len(part)))], positions)))
            rows.sort(key=lambda row: len(row[1].tokens))
            for place in draw.permutation(window)[max(0, skipped - number * window) :]:
                if not left:
                    break
                first = int(place) * batch_size
                chosen = rows[first : first + batch_size]
                batch = collate([row for _, row in chosen], pad, _count(chosen))
                yield batch.part(share.rank, share.world)
                left -= 1
            if not left:
                break


def _count(rows: Sequence[tuple[str, Encoded]]) -> dict[str, int]:
    seen: dict[str, int] = {}
    for name, row in rows:
        seen[name] = seen.get(name, 0) + len(row.tokens)
    return seen


def block_batches(
    parts: Sequence[Part],
    blocks: Mapping[str, Blocks],
    segments: Sequence[Segment],
    *,
    batch_size: int,
    start: int = 0,
    share: Share = Share(),
    reset: bool = True,
) -> Iterator[Batch]:
    """Batches from position `start` on, of packed blocks; with `reset` documents do not see each
    other.

    Megatron's blending gives every row a part such that what was taken is at every row as near to
    the weights as it can be. A part goes on in a segment where earlier segments left it.
    """
    shares_of = part_shares(parts, by_tokens=True)
    taken = dict.fromkeys(blocks, 0)
    size = batch_size // share.world
    for segment in segments:
        names, which, index = blend(shares_of(segment), segment.steps * batch_size)
        for step in range(max(0, start - segment.start), segment.steps):
            first = step * batch_size + share.rank * size
            mine = [
                blocks[names[which[row]]].block(taken[names[which[row]]] + int(index[row]))
                for row in range(first, first + size)
            ]
            rows = which[step * batch_size : (step + 1) * batch_size]
            counts = np.bincount(rows, minlength=len(names))
            seen = {
                name: int(count) * blocks[name].length
                for name, count in zip(names, counts, strict=True)
                if count
            }
            yield _packed(mine, seen, reset)
        for name, count in zip(names, np.bincount(which, minlength=len(names)), strict=True):
            taken[name] += int(count)


def blocks_needed(
    parts: Sequence[Part], segments: Sequence[Segment], batch_size: int
) -> dict[str, int]:
    """How many blocks of each part the segments take."""
    shares_of = part_shares(parts, by_tokens=True)
    needed: dict[str, int] = {}
    for segment in segments:
        names, which, _ = blend(shares_of(segment), segment.steps * batch_size)
        for name, count in zip(names, np.bincount(which, minlength=len(names)), strict=True):
            needed[name] = needed.get(name, 0) + int(count)
    return needed


def blend(
    shares: Mapping[str, float], size: int
) -> tuple[list[str], npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """(names, which of them each of `size` rows takes, the how-manieth of it that is)."""
    from megatron.core.datasets import helpers

    names = sorted(name for name, share in shares.items() if share > 0)
    weights = np.array([shares[name] for name in names], dtype=np.float64)
    which, index = np.zeros(size, dtype=np.int16), np.zeros(size, dtype=np.int64)
    helpers.build_blending_indices(which, index, weights / weights.sum(), len(names), size, False)
    return names, which, index


def _packed(
    blocks: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]],
    seen: Mapping[str, int],
    reset: bool,
) -> Batch:
    stored = np.stack([block for block, _ in blocks])
    numbers = np.stack([number for _, number in blocks])
    tokens = np.where(stored < 0, ~stored, stored)
    # The first token of a document is not predicted from the one before it.
    learned = (stored[:, 1:] >= 0) & (numbers[:, 1:] == numbers[:, :-1])
    return Batch(
        np.ascontiguousarray(tokens[:, :-1]),
        np.ascontiguousarray(tokens[:, 1:]),
        learned.astype(np.float32),
        np.ascontiguousarray(numbers[:, :-1]) if reset else None,
        seen,
    )
