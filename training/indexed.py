"""Megatron's .bin and .idx files: written with what is to be learned, cut into packed blocks.

A token that is only read, never predicted, is stored as its complement `~token`, a negative number:
a question before its answer. A corpus that other tools indexed has none, and all of it is learned.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError
from harness.fingerprint import default_cache
from harness.items.schema import content_hash
from training.batch import Encoded

if TYPE_CHECKING:
    import numpy.typing as npt

    from training.parts import Part


class IndexWriter:
    """Writes documents into `prefix`.bin; `close` writes `prefix`.idx."""

    def __init__(self, prefix: Path) -> None:
        from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

        self.prefix = prefix
        self.documents = 0
        self.tokens = 0
        self._builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.int32)

    def add(self, document: Encoded) -> None:
        stored = np.where(document.learned, document.tokens, ~document.tokens)
        self._builder.add_document(stored, [len(stored)])
        self.documents += 1
        self.tokens += len(stored)

    def close(self) -> None:
        self._builder.finalize(f"{self.prefix}.idx")


@functools.lru_cache(maxsize=256)
def _open(prefix: Path) -> Any:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    try:
        return IndexedDataset(str(prefix), multimodal=False, mmap=True)
    except (OSError, ValueError, AssertionError) as error:
        raise HarnessError(
            f"{prefix}: its .bin and .idx cannot be read ({error}); index the corpus again"
        ) from None


def document_lengths(prefix: Path) -> npt.NDArray[np.int32]:
    """Tokens of each document."""
    lengths: npt.NDArray[np.int32] = _open(prefix).sequence_lengths
    return lengths


def read_document(prefix: Path, index: int) -> Encoded:
    return _decoded(np.asarray(_open(prefix).get(index), dtype=np.int64))


def _decoded(stored: npt.NDArray[np.int64]) -> Encoded:
    learned = stored >= 0
    return Encoded(np.where(learned, stored, ~stored), learned)


class Blocks:
    """A part cut into blocks of `length` + 1 tokens, documents shuffled anew in every epoch.

    Block n is a function of the files, the seed and n alone: each epoch has a `GPTDataset` of its
    own, so asking for more blocks later moves none. The few tokens that do not fill an epoch's last
    block are left out of that epoch.
    """

    def __init__(self, part: Part, length: int, seed: int) -> None:
        if not isinstance(part.documents, Path):
            raise HarnessError(f"the component {part.component} is not indexed")
        self.prefix = part.documents
        self.name = part.component
        self.length = length
        self.seed = seed
        lengths = document_lengths(self.prefix)
        # What `parts` holds out of a corpus indexed elsewhere are its last documents.
        kept = int(np.searchsorted(np.cumsum(lengths), part.tokens)) + 1
        self.documents = np.arange(min(kept, len(lengths)), dtype=np.int32)
        self.in_epoch = (part.tokens - 1) // length
        if self.in_epoch < 1:
            raise HarnessError(
                f"the component {part.component} ({part.genre}) has {part.tokens} tokens, fewer "
                f"than one sequence of {length}; shorten `length` or give it more data"
            )
        self._epochs: dict[int, Any] = {}

    def prepare(self, count: int) -> None:
        """Builds the index of every epoch that `count` blocks take. The first process of a run
        writes what the others read, so it must be called there first."""
        for epoch in range(-(-count // self.in_epoch)):
            self._dataset(epoch)

    def _dataset(self, epoch: int) -> Any:
        if epoch not in self._epochs:
            from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
            from megatron.core.datasets.utils import Split

            config = GPTDatasetConfig(
                random_seed=self.seed + epoch,
                sequence_length=self.length,
                split="1,0,0",
                tokenizer=_NoTokenizer(len(self.documents)),
                reset_position_ids=False,
                reset_attention_mask=False,
                eod_mask_loss=False,
                create_attention_mask=False,
                path_to_cache=str(_order_cache(self.prefix)),
            )
            self._epochs[epoch] = GPTDataset(
                _open(self.prefix), str(self.prefix), self.documents, None, Split.train, config
            )
        return self._epochs[epoch]

    def block(self, number: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(stored tokens, number of each token's document within the block), `length` + 1 each."""
        epoch, index = divmod(number, self.in_epoch)
        dataset = self._dataset(epoch)
        at = dataset.shuffle_index[index]
        (first, skipped), (last, end) = dataset.sample_index[at], dataset.sample_index[at + 1]
        pieces = []
        for place in range(int(first), int(last) + 1):
            begin = int(skipped) if place == first else 0
            stop = int(end) + 1 if place == last else None
            document = int(dataset.document_index[place])
            size = None if stop is None else stop - begin
            pieces.append(np.asarray(dataset.dataset.get(document, begin, size), dtype=np.int64))
        numbers = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
        return np.concatenate(pieces), numbers


def _order_cache(prefix: Path) -> Path:
    """Where the shuffled orders of these very files are kept."""
    found = Path(f"{prefix}.bin").resolve().stat()
    identity = content_hash([str(prefix.resolve()), found.st_size, found.st_mtime_ns])
    return default_cache().parent / "orders" / identity[:32]


class _NoTokenizer:
    """What `GPTDatasetConfig` asks of a tokenizer when blocks are cut from tokens: an identity for
    its cache, here that of the documents it may use."""

    vocab_size = None
    eod = -1
    eos = -1
    pad = -1

    def __init__(self, documents: int) -> None:
        self.unique_identifiers = {"documents": documents}
