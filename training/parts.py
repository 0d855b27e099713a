"""The documents of a mixture's components by genre: generated, read, or indexed and cached."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.fingerprint import default_cache, file_digests
from harness.items.schema import content_hash
from training.batch import Encoded
from training.data import COPY, TEXT, component_samples, encode
from training.documents import (
    check_tokens,
    corpus_files,
    encode_documents,
    is_held_out,
    is_indexed,
    read_documents,
)
from training.mixture import Component

# Bump when the files of `index` change, so that a cached one is not taken for a new one.
_LAYOUT = 1
# A process that waits for another to index looks this often, in seconds.
_LOOK = 0.5


@dataclass(frozen=True)
class Part:
    """One genre of one component, which is what tokens are counted by.

    documents  in memory, or the prefix of .bin and .idx files
    tokens     of `documents`; the component's weight is divided among its parts by it
    held_out   never trained on
    """

    component: str
    genre: str
    documents: Sequence[Encoded] | Path
    tokens: int
    held_out: Sequence[Encoded] = field(default_factory=tuple)

    @property
    def key(self) -> str:
        return f"{self.component}\t{self.genre}"


@dataclass(frozen=True)
class Reading:
    """How components are read.

    level, samples, seed  of generated probe samples
    held_out   most documents of a genre that are kept for measuring
    share      of a file's documents that may be kept
    indexed    whether documents are put into .bin and .idx files, else kept in memory
    vocabulary rows of the model's embedding
    """

    level: int
    samples: int
    seed: int
    held_out: int
    share: float
    indexed: bool
    vocabulary: int


def read_parts(
    components: Mapping[str, Component], tokenizer: Any, reading: Reading, *, first: bool
) -> list[Part]:
    """The parts of every component, in a fixed order. Only the `first` process of a run indexes;
    the others wait for it."""
    parts: list[Part] = []
    for name in sorted(components):
        component = components[name]
        if is_indexed(component):
            found = _indexed(name, component, reading)
        else:
            documents = (
                _generated(component, tokenizer, reading)
                if component.probe
                else _from_files(name, component, tokenizer, reading)
            )
            if reading.indexed:
                place = _cache_place(name, component, tokenizer, reading)
                found = _cached(name, place, documents, first)
            else:
                found = _in_memory(name, documents)
        if not found:
            raise HarnessError(
                f"{component.path or component.probe} has nothing to train on for the component "
                f"{name}; write it again or take it out of the mixture"
            )
        parts += found
    return parts


def source_hashes(components: Mapping[str, Component]) -> dict[str, str]:
    """SHA-256 (hex) over the files behind each component that has files, for the lineage."""
    return {
        name: _hash_of(_files(component))
        for name, component in components.items()
        if not component.probe
    }


def _files(component: Component) -> list[Path]:
    if not is_indexed(component):
        return corpus_files(component)
    files = [Path(f"{component.path}{suffix}") for suffix in (".bin", ".idx")]
    for path in files:
        if not path.is_file():
            raise HarnessError(f"{path} does not exist: put it back, or index the corpus again")
    return files


def _hash_of(files: Sequence[Path]) -> str:
    digests = file_digests(files)
    return content_hash(sorted((path.name, digests[path]) for path in files))


def probe_genre(name: str) -> str:
    """The genre of a generated component."""
    return {TEXT: "writing", COPY: "format"}.get(name, name.partition("/")[0])


# (genre, whether it is held out, tokens) of each document of a component.
_Documents = Iterator[tuple[str, bool, Encoded]]


def _generated(component: Component, tokenizer: Any, reading: Reading) -> _Documents:
    """Probe samples to train on, then others of another draw that are not among them."""
    genre = component.genre or probe_genre(component.probe)
    drawn = {"level": reading.level, "seed": reading.seed}
    samples = component_samples(component.probe, count=reading.samples, **drawn)
    for encoded in encode(samples, tokenizer):
        yield genre, False, encoded
    trained = set(samples)
    drawn["seed"] += 1
    fresh = component_samples(component.probe, count=2 * reading.held_out, **drawn)
    unseen = [sample for sample in fresh if sample not in trained]
    for encoded in encode(unseen[: reading.held_out], tokenizer):
        yield genre, True, encoded


def _in_memory(name: str, documents: _Documents) -> list[Part]:
    trained: dict[str, list[Encoded]] = {}
    held: dict[str, list[Encoded]] = {}
    for genre, kept, encoded in documents:
        (held if kept else trained).setdefault(genre, []).append(encoded)
    return [
        Part(name, genre, rows, sum(len(each.tokens) for each in rows), held.get(genre, []))
        for genre, rows in sorted(trained.items())
    ]


def _from_files(name: str, component: Component, tokenizer: Any, reading: Reading) -> _Documents:
    kept: dict[str, int] = {}
    for document, encoded in encode_documents(
        read_documents(name, component), component, tokenizer
    ):
        check_tokens(document.place, [encoded], reading.vocabulary)
        aside = kept.get(document.genre, 0) < reading.held_out
        aside = aside and is_held_out(document, reading.share)
        kept[document.genre] = kept.get(document.genre, 0) + aside
        yield document.genre, aside, encoded


def _indexed(name: str, component: Component, reading: Reading) -> list[Part]:
    """A corpus that Megatron's tools indexed; its last documents are held out."""
    from training.indexed import document_lengths, read_document

    _files(component)
    prefix = Path(component.path)
    lengths = document_lengths(prefix)
    aside = min(reading.held_out, int(len(lengths) * reading.share))
    if len(lengths) - aside < 1:
        raise HarnessError(f"{prefix}.idx holds no document; index the corpus again")
    tokens = int(lengths[: len(lengths) - aside].sum())
    held = [read_document(prefix, len(lengths) - 1 - index) for index in range(aside)]
    check_tokens(str(prefix), [read_document(prefix, 0), *held], reading.vocabulary)
    return [Part(name, component.genre or name, prefix, tokens, held)]


def _cached(name: str, place: Path, documents: _Documents, first: bool) -> list[Part]:
    """Indexes a component's documents once for all runs that read them alike."""
    from training.indexed import read_document

    manifest = place / "manifest.json"
    if first and not manifest.is_file():
        _build_index(documents, place)
        if not manifest.is_file():
            return []
    while not manifest.is_file():
        time.sleep(_LOOK)
    genres = json.loads(manifest.read_text("utf-8"))
    return [
        Part(
            name,
            genre,
            place / entry["file"],
            entry["tokens"],
            [read_document(place / entry["held"], each) for each in range(entry["held_out"])],
        )
        for genre, entry in sorted(genres.items())
    ]


def _cache_place(name: str, component: Component, tokenizer: Any, reading: Reading) -> Path:
    identity = content_hash(
        {
            "layout": _LAYOUT,
            "component": {**asdict(component), "path": ""},
            # Rows without a genre take the component's name.
            "name": name,
            "files": _hash_of(corpus_files(component)) if component.path else "",
            "drawn": [reading.level, reading.samples, reading.seed] if component.probe else [],
            "tokenizer": tokenizer.backend_tokenizer.to_str(),
            "template": tokenizer.chat_template,
            "special": tokenizer.special_tokens_map,
            "held_out": [reading.held_out, reading.share],
        }
    )
    return default_cache().parent / "indexed" / identity[:32]


def _build_index(documents: _Documents, place: Path) -> None:
    from training.indexed import IndexWriter

    partial = place.with_name(f".partial_{place.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    writers: dict[tuple[str, bool], IndexWriter] = {}
    try:
        partial.mkdir(parents=True)
        for genre, aside, encoded in documents:
            if (genre, aside) not in writers:
                writers[genre, aside] = IndexWriter(partial / f"{len(writers):02d}")
            writers[genre, aside].add(encoded)
        entries: dict[str, dict[str, Any]] = {}
        for (genre, aside), writer in writers.items():
            writer.close()
            entry = entries.setdefault(genre, {"file": "", "tokens": 0, "held": "", "held_out": 0})
            if aside:
                entry |= {"held": writer.prefix.name, "held_out": writer.documents}
            else:
                entry |= {"file": writer.prefix.name, "tokens": writer.tokens}
        kept = {genre: entry for genre, entry in entries.items() if entry["tokens"]}
        if not kept:
            return
        text = json.dumps(kept, ensure_ascii=False, indent=2)
        (partial / "manifest.json").write_text(text, "utf-8")
        if not place.is_dir():
            partial.rename(place)
    except OSError as error:
        raise HarnessError(
            f"{place}: the index cannot be written ({error}); free space, or set XDG_CACHE_HOME to "
            "a larger disk"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def held_out_by_genre(parts: Sequence[Part], most: int) -> dict[str, list[Encoded]]:
    """The documents that a run measures itself on, at most `most` a genre, taken in turn from the
    parts of the genre."""
    out: dict[str, list[Encoded]] = {}
    for genre in sorted({part.genre for part in parts}):
        lists = [list(part.held_out) for part in parts if part.genre == genre and part.held_out]
        taken = [row for turn in _in_turn(lists) for row in turn][:most]
        if taken:
            out[genre] = taken
    return out


def _in_turn(lists: Sequence[Sequence[Encoded]]) -> Iterator[list[Encoded]]:
    for index in range(max((len(each) for each in lists), default=0)):
        yield [each[index] for each in lists if index < len(each)]


def cut(row: Encoded, length: int) -> Encoded:
    """At most `length` tokens of a document."""
    return row if len(row.tokens) <= length else Encoded(row.tokens[:length], row.learned[:length])


def in_memory(part: Part) -> Sequence[Encoded]:
    """A part's documents, read from its index if they lie there."""
    from training.indexed import document_lengths, read_document

    if not isinstance(part.documents, Path):
        return part.documents
    count = len(document_lengths(part.documents))
    return [read_document(part.documents, index) for index in range(count)]
