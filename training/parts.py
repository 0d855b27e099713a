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
        if component.probe:
            parts += _generated(name, component, tokenizer, reading)
        elif is_indexed(component):
            parts += _indexed(name, component, reading)
        elif reading.indexed:
            parts += _cached(name, component, tokenizer, reading, first)
        else:
            parts += _in_memory(name, component, tokenizer, reading)
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


def _generated(name: str, component: Component, tokenizer: Any, reading: Reading) -> list[Part]:
    probe = component.probe
    draw = {"level": reading.level, "seed": reading.seed}
    samples = component_samples(probe, count=reading.samples, **draw)
    trained = set(samples)
    fresh = component_samples(
        probe, count=2 * reading.held_out, level=reading.level, seed=reading.seed + 1
    )
    unseen = [sample for sample in fresh if sample not in trained][: reading.held_out]
    documents = encode(samples, tokenizer)
    tokens = sum(len(each.tokens) for each in documents)
    genre = component.genre or probe_genre(probe)
    return [Part(name, genre, documents, tokens, encode(unseen, tokenizer))]


def _in_memory(name: str, component: Component, tokenizer: Any, reading: Reading) -> list[Part]:
    trained: dict[str, list[Encoded]] = {}
    held: dict[str, list[Encoded]] = {}
    for genre, kept, encoded in _split(name, component, tokenizer, reading):
        (held if kept else trained).setdefault(genre, []).append(encoded)
    _check_some(name, component, trained)
    return [
        Part(
            name,
            genre,
            documents,
            sum(len(each.tokens) for each in documents),
            held.get(genre, []),
        )
        for genre, documents in sorted(trained.items())
    ]


def _split(
    name: str, component: Component, tokenizer: Any, reading: Reading
) -> Iterator[tuple[str, bool, Encoded]]:
    """(genre, whether it is held out, tokens) of each document."""
    kept: dict[str, int] = {}
    for document, encoded in encode_documents(
        read_documents(name, component), component, tokenizer
    ):
        check_tokens(document.place, [encoded], reading.vocabulary)
        aside = kept.get(document.genre, 0) < reading.held_out
        aside = aside and is_held_out(document, reading.share)
        kept[document.genre] = kept.get(document.genre, 0) + aside
        yield document.genre, aside, encoded


def _check_some(name: str, component: Component, found: Mapping[str, Any]) -> None:
    if not found:
        raise HarnessError(
            f"{component.path} has nothing to train on for the component {name}; write it again or "
            "take it out of the mixture"
        )


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


def _cached(
    name: str, component: Component, tokenizer: Any, reading: Reading, first: bool
) -> list[Part]:
    """Tokenizes and indexes a component's files once for all runs that read them alike."""
    from training.indexed import read_document

    place = _cache_place(name, component, tokenizer, reading)
    manifest = place / "manifest.json"
    if first and not manifest.is_file():
        _build_index(name, component, tokenizer, reading, place)
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
            "files": _hash_of(corpus_files(component)),
            "tokenizer": tokenizer.backend_tokenizer.to_str(),
            "template": tokenizer.chat_template,
            "special": tokenizer.special_tokens_map,
            "held_out": [reading.held_out, reading.share],
        }
    )
    return default_cache().parent / "indexed" / identity[:32]


def _build_index(
    name: str, component: Component, tokenizer: Any, reading: Reading, place: Path
) -> None:
    from training.indexed import IndexWriter

    partial = place.with_name(f".partial_{place.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    writers: dict[tuple[str, bool], IndexWriter] = {}
    try:
        for genre, aside, encoded in _split(name, component, tokenizer, reading):
            writer = writers.get((genre, aside))
            if writer is None:
                number = len({each for each, _ in writers} - {genre})
                file = f"{number:02d}{'-held' if aside else ''}"
                writer = writers[genre, aside] = IndexWriter(partial / file)
            writer.add(encoded)
        trained = {genre: writer for (genre, aside), writer in writers.items() if not aside}
        _check_some(name, component, trained)
        for writer in writers.values():
            writer.close()
        entries = {}
        for genre, writer in trained.items():
            held = writers.get((genre, True))
            entries[genre] = {
                "file": writer.prefix.name,
                "tokens": writer.tokens,
                "held": held.prefix.name if held else "",
                "held_out": held.documents if held else 0,
            }
        (partial / "manifest.json").write_text(
            json.dumps(entries, ensure_ascii=False, indent=2), "utf-8"
        )
        if not place.is_dir():
            partial.rename(place)
    except OSError as error:
        raise HarnessError(
            f"{place}: the index of {component.path} cannot be written ({error}); free space, or "
            "set XDG_CACHE_HOME to a larger disk"
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
