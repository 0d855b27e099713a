"""Shards: Parquet files of samples or preference pairs that carry their lineage, and back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.schema import Item
from training.synthesis.types import Origin, Pair, Proof, Sample

if TYPE_CHECKING:
    import pyarrow

Kind = Literal["samples", "pairs"]
SCHEMA_VERSION = 1
LINEAGE = "lineage.json"
_META = b"harness"
# Rows of one row group: what a reader holds at once.
_GROUP = 10_000


@dataclass(frozen=True)
class Row:
    """A sample with what only the round knows of it.

    licence  of its teacher; "" for a program's
    round    the plan's number;  line  index of the plan's line;  filters  names of those it passed
    """

    sample: Sample
    licence: str
    round: int
    line: int
    purpose: str
    filters: tuple[str, ...]


def write_shard(path: Path, rows: Sequence[Row], lineage: Mapping[str, Any]) -> None:
    """Writes samples with the file's own lineage, whole or not at all (a file beside it, renamed).

    Equal arguments give equal bytes under one version of pyarrow.
    """
    _write(path, "samples", [_flat(row) for row in rows], lineage)


def write_pairs(path: Path, pairs: Sequence[Pair], lineage: Mapping[str, Any]) -> None:
    """As `write_shard`, of preference pairs."""
    _write(path, "pairs", [_flat_pair(pair) for pair in pairs], lineage)


def read_shard(path: Path) -> list[Row]:
    """The rows of one shard of samples, in order. Raises HarnessError naming the file where it is
    no such shard."""
    return list(map(_row, _rows(path, "samples")))


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of one shard of pairs, in order."""
    return list(map(_pair, _rows(path, "pairs")))


def read_metadata(path: Path) -> dict[str, Any]:
    """The lineage that a shard carries in its own file; `kind` says what its rows are.

    Raises HarnessError where the file is no shard, or of a version that is not known.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        metadata = pyarrow.parquet.read_schema(path).metadata or {}
        found: dict[str, Any] = json.loads(metadata[_META])
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such shard; check the path") from None
    except (OSError, pyarrow.ArrowException, KeyError, ValueError):
        raise HarnessError(
            f"{path}: no shard of `harness synthesize`; name one of its Parquet files, or the "
            "directory of a round"
        ) from None
    if found.get("schema") != SCHEMA_VERSION:
        raise HarnessError(
            f"{path}: a shard of schema {found.get('schema')}, this version reads "
            f"{SCHEMA_VERSION}; upgrade harness"
        )
    return found


def find_shards(place: Path, kind: Kind = "samples") -> list[Path]:
    """The shards of a kind that a path names: one file, those of a round's directory, or those of
    all complete rounds below it, in the order of their names.

    Raises HarnessError where there is none.
    """
    if place.is_file():
        candidates = [place]
    else:
        rounds = sorted(place.glob(f"*/{LINEAGE}")) if place.is_dir() else []
        homes = [place] if (place / LINEAGE).is_file() else [one.parent for one in rounds]
        candidates = [path for home in homes for path in sorted(home.glob("*.parquet"))]
    found = [path for path in candidates if read_metadata(path)["kind"] == kind]
    if not found:
        raise HarnessError(
            f"{place}: no shard of {kind}; expected a Parquet file of `harness synthesize`, or the "
            f"directory of a complete round (it holds {LINEAGE})"
        )
    return found


def samples_in(paths: Iterable[Path]) -> Iterator[Row]:
    for path in paths:
        yield from read_shard(path)


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def schema(kind: Kind) -> pyarrow.Schema:
    """The columns of a kind of shard."""
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    messages = pa.list_(pa.struct([("role", text), ("content", text)]))
    skill = [("genre", text), ("skill", text), ("level", pa.int8()), ("messages", messages)]
    origin = [
        ("generator", text),
        ("index", pa.int64()),
        ("seed", pa.int64()),
        ("template", text),
        ("persona", text),
        ("parents", texts),
        ("teacher", text),
    ]
    if kind == "pairs":
        answers = [("chosen", text), ("rejected", text), ("method", text)]
        return pa.schema([*skill, *answers, ("margin", pa.float64()), ("student", text), *origin])
    proof = [("proof", text), ("passed", pa.bool_()), ("proven", pa.bool_()), ("detail", text)]
    place = [("licence", text), ("round", pa.int32()), ("line", pa.int32()), ("purpose", text)]
    middle = [("answer", text), ("item", text)]
    return pa.schema([("id", text), *skill, *middle, *proof, *origin, *place, ("filters", texts)])


def _write(path: Path, kind: Kind, rows: list[dict[str, Any]], lineage: Mapping[str, Any]) -> None:
    import pyarrow
    import pyarrow.parquet

    about = json.dumps(
        {"schema": SCHEMA_VERSION, "kind": kind, **lineage}, ensure_ascii=False, sort_keys=True
    )
    columns = schema(kind).with_metadata({_META: about.encode()})
    table = pyarrow.Table.from_pylist(rows, schema=columns)
    unfinished = path.with_name(f".{path.name}.unfinished")
    pyarrow.parquet.write_table(table, unfinished, compression="zstd", row_group_size=_GROUP)
    unfinished.replace(path)


def _rows(path: Path, kind: Kind) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet

    found = read_metadata(path)["kind"]
    if found != kind:
        raise HarnessError(f"{path}: a shard of {found}, expected one of {kind}")
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(_GROUP):
            yield from batch.to_pylist()


def _flat(row: Row) -> dict[str, Any]:
    sample = row.sample
    return {
        "id": sample.id,
        **_skill(sample),
        "answer": sample.answer,
        "item": None if sample.item is None else _item_text(sample.item),
        "proof": sample.proof.method,
        "passed": sample.proof.passed,
        "proven": sample.proof.proven,
        "detail": sample.proof.detail,
        **_flat_origin(sample.origin),
        "licence": row.licence,
        "round": row.round,
        "line": row.line,
        "purpose": row.purpose,
        "filters": list(row.filters),
    }


def _flat_pair(pair: Pair) -> dict[str, Any]:
    names = ("chosen", "rejected", "method", "margin", "student")
    return {
        **_skill(pair),
        **{name: getattr(pair, name) for name in names},
        **_flat_origin(pair.origin),
    }


def _skill(one: Sample | Pair) -> dict[str, Any]:
    return {
        "genre": one.genre,
        "skill": one.skill,
        "level": one.level,
        "messages": [{"role": each.role, "content": each.content} for each in one.messages],
    }


def _flat_origin(origin: Origin) -> dict[str, Any]:
    persona = json.dumps(dict(origin.persona), ensure_ascii=False) if origin.persona else ""
    return {
        "generator": origin.generator,
        "index": origin.index,
        "seed": origin.seed,
        "template": origin.template,
        "persona": persona,
        "parents": list(origin.parents),
        "teacher": origin.teacher,
    }


def _row(flat: Mapping[str, Any]) -> Row:
    item = flat["item"]
    sample = Sample(
        flat["genre"],
        flat["skill"],
        flat["level"],
        _messages(flat),
        flat["answer"],
        Proof(flat["proof"], flat["passed"], flat["detail"]),
        _origin(flat),
        None if item is None else msgspec.json.decode(item, type=Item),
    )
    place = (flat["licence"], flat["round"], flat["line"], flat["purpose"])
    return Row(sample, *place, tuple(flat["filters"]))


def _pair(flat: Mapping[str, Any]) -> Pair:
    return Pair(
        flat["genre"],
        flat["skill"],
        flat["level"],
        _messages(flat),
        flat["chosen"],
        flat["rejected"],
        flat["method"],
        flat["margin"],
        flat["student"],
        _origin(flat),
    )


def _messages(flat: Mapping[str, Any]) -> tuple[Message, ...]:
    return tuple(Message(one["role"], one["content"]) for one in flat["messages"])


def _origin(flat: Mapping[str, Any]) -> Origin:
    return Origin(
        flat["generator"],
        flat["index"],
        flat["seed"],
        flat["template"],
        json.loads(flat["persona"]) if flat["persona"] else {},
        tuple(flat["parents"]),
        flat["teacher"],
    )


def _item_text(item: Item) -> str:
    """An item as JSON, without the fields that are as they are by default."""
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if value != field.default and not (
            field.default_factory is not dataclasses.MISSING and value == field.default_factory()
        ):
            plain[field.name] = value
    return msgspec.json.encode(plain).decode()
