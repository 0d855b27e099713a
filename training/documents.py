"""Reads what a mixture's components name: documents, their genres, and their tokens."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object
from training.batch import Encoded
from training.chat_data import Dialogue, read_dialogue
from training.mixture import Component

_JSONL = (".jsonl", ".jsonl.gz")
# The columns of a Parquet file that are read; a shard of synthesis has many more.
_COLUMNS = ("messages", "conversations", "text", "genre")
_ROWS_AT_ONCE = 1000


def corpus_files(component: Component) -> list[Path]:
    """The files of a component that is not Megatron's. Raises HarnessError where there is none."""
    path = Path(component.path)
    if path.is_dir():
        found = sorted(
            each for each in path.rglob("*") if each.name.endswith((*_JSONL, ".parquet"))
        )
        if not found:
            raise HarnessError(
                f"{path} holds no .jsonl and no .parquet; correct the mixture's path"
            )
        return found
    if not path.is_file():
        raise HarnessError(
            f"{path} does not exist: put the corpus back, or correct the mixture's path"
        )
    if not path.name.endswith((*_JSONL, ".parquet")):
        raise HarnessError(
            f"{path} is no corpus, expected .jsonl, .jsonl.gz, .parquet, a folder of them, or the "
            "prefix of a .bin and an .idx"
        )
    return [path]


def is_indexed(component: Component) -> bool:
    """Whether a component's path is the prefix of Megatron's .bin and .idx."""
    return Path(f"{component.path}.idx").is_file() or Path(f"{component.path}.bin").is_file()


def read_documents(name: str, component: Component) -> Iterator[Dialogue]:
    """The texts and dialogues of a component's files, one at a time; each has a genre.

    Raises HarnessError with file and line for a row that is neither, and for a file without rows.
    """
    for path in corpus_files(component):
        empty = True
        for row, place in _rows(path):
            empty = False
            try:
                document = read_dialogue(row, place)
            except LineError as error:
                raise HarnessError(f"{place}: {error}") from None
            yield replace(document, genre=component.genre or document.genre or name)
        if empty:
            raise HarnessError(f"{path} is empty; write it again or take it out of the mixture")


def _rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                place = f"{path}:{number}"
                try:
                    yield json_object(decode(line, number)), place
                except LineError as error:
                    raise HarnessError(f"{place}: {error}") from None


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _parquet_rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in _COLUMNS if name in file.schema_arrow.names]
            # A row of a shard has its dialogue beside other columns that show it again.
            if "messages" in columns:
                columns = [name for name in columns if name in ("messages", "genre")]
            number = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield row, f"{path}:row {number}"
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise HarnessError(
            f"{path} is not a readable Parquet file ({reason}); write it again"
        ) from None


def encode_documents(
    documents: Iterable[Dialogue], component: Component, tokenizer: Any
) -> Iterator[tuple[Dialogue, Encoded]]:
    """Each document with its tokens: BOS, text and EOS, or a dialogue as the chat template renders
    it, of which `component.loss` says whether the answers alone are learned."""
    from training.chat_tokens import IGNORED, encode_dialogue

    for document in documents:
        loss = component.loss or ("answers" if document.messages else "all")
        found = encode_dialogue(document, tokenizer, loss)
        tokens = np.array(found.input_ids, dtype=np.int64)
        if len(tokens) > 1:
            yield document, Encoded(tokens, np.array(found.labels) != IGNORED)


def texts_of(documents: Iterable[Dialogue], limit: int) -> Iterator[str]:
    """Plain text of documents, for a tokenizer to learn from, until `limit` characters."""
    total = 0
    for document in documents:
        for text in (document.text, *(one.content for one in document.messages)):
            if text:
                total += len(text)
                yield text
        if total >= limit:
            return


def is_held_out(document: Dialogue, share: float) -> bool:
    """Whether a document is kept for measuring: by its content, so a copy never is trained on."""
    return int(document.key[:8], 16) < share * 2**32


def check_tokens(name: str, tokens: Sequence[Encoded], vocabulary: int) -> None:
    """Raises HarnessError for a token that the model has no row for: another tokenizer's."""
    largest = max((int(each.tokens.max()) for each in tokens), default=0)
    if largest >= vocabulary:
        raise HarnessError(
            f"{name} holds token {largest} and the model's vocabulary has {vocabulary}: it was "
            "made with another tokenizer; index it again"
        )
