"""Packed sequences hold every token of an epoch once, and learn what their documents learn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("megatron.core")

from harness.errors import HarnessError
from training.batch import Batch, Encoded
from training.indexed import Blocks, IndexWriter, document_lengths, read_document
from training.mixture import Segment
from training.parts import Part
from training.stream import Share, block_batches

LENGTH = 8
ALONE = Share()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def corpus(prefix: Path, sizes: list[int], first: int) -> Part:
    """Documents whose tokens are all different, counted on from `first`; every third is learned."""
    writer = IndexWriter(prefix)
    token = first
    for size in sizes:
        tokens = np.arange(token, token + size)
        writer.add(Encoded(tokens, tokens % 3 == 0))
        token += size
    writer.close()
    return Part(prefix.name, "web", prefix, sum(sizes))


SIZES = [5, 1, 30, 2, 9, 8, 17, 3]


def batches(parts: list[Part], steps: int, start: int = 0, share: Share = ALONE) -> list[Batch]:
    blocks = {part.key: Blocks(part, LENGTH, seed=3) for part in parts}
    weights = {part.component: 1 / len(parts) for part in parts}
    segment = [Segment(0, steps, "", weights)]
    return list(block_batches(parts, blocks, segment, batch_size=2, start=start, share=share))


def test_documents_come_back_as_they_were_written(tmp_path: Path) -> None:
    part = corpus(tmp_path / "a", SIZES, first=100)
    assert isinstance(part.documents, Path)
    assert document_lengths(part.documents).tolist() == SIZES
    second = read_document(part.documents, 2)
    assert second.tokens.tolist() == list(range(106, 136))
    assert second.learned.tolist() == [token % 3 == 0 for token in range(106, 136)]


def test_an_epoch_predicts_every_token_once_and_only_within_its_document(tmp_path: Path) -> None:
    part = corpus(tmp_path / "a", SIZES, first=100)
    starts = np.cumsum([100, *SIZES])
    in_epoch = (sum(SIZES) - 1) // LENGTH
    seen: Counter[int] = Counter()
    for batch in batches([part], in_epoch // 2):
        assert batch.tokens.shape == (2, LENGTH)
        assert batch.seen == {part.key: 2 * LENGTH}
        assert batch.segments is not None
        for token, label, weight, number in zip(
            *(each.flatten() for each in (batch.tokens, batch.labels, batch.weights)),
            batch.segments.flatten(),
            strict=True,
        ):
            seen[int(label)] += 1
            follows = label == token + 1 and label not in starts
            assert weight == (follows and label % 3 == 0)
            assert number >= 0
        for tokens, numbers in zip(batch.tokens, batch.segments, strict=True):
            documents = np.searchsorted(starts, tokens, side="right")
            changes = documents[1:] != documents[:-1]
            assert (np.diff(numbers) == changes).all()
    assert set(seen.values()) == {1}
    assert len(seen) == in_epoch // 2 * 2 * LENGTH


def test_a_second_epoch_is_in_another_order_and_shares_are_exact(tmp_path: Path) -> None:
    parts = [corpus(tmp_path / "a", SIZES, 100), corpus(tmp_path / "b", [40, 40], 1000)]
    whole = batches(parts, 24)
    counted = Counter(name for batch in whole for name, count in batch.seen.items() if count)
    assert counted == {part.key: 24 for part in parts}
    rows = [tuple(row) for batch in whole for row in batch.tokens if row[0] < 1000]
    in_epoch = (sum(SIZES) - 1) // LENGTH
    first, second = rows[:in_epoch], rows[in_epoch : 2 * in_epoch]
    assert len(set(first)) == in_epoch
    assert first != second
    # Resumed, and shared by two processes.
    assert [batch.tokens.tolist() for batch in batches(parts, 24, start=7)] == [
        batch.tokens.tolist() for batch in whole[7:]
    ]
    halves = [batches(parts, 24, share=Share(rank, 2)) for rank in range(2)]
    joined = [
        np.concatenate([one.tokens, other.tokens]) for one, other in zip(*halves, strict=True)
    ]
    assert all((one == batch.tokens).all() for one, batch in zip(joined, whole, strict=True))


def test_too_little_for_one_sequence_is_told(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="has 8 tokens, fewer than one sequence of 8"):
        Blocks(corpus(tmp_path / "a", [8], 100), LENGTH, seed=0)
