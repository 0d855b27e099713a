"""Opens `mt-bench:PROTOCOL`: the official questions from the user's own files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from harness.errors import HarnessError
from harness.items.fastchat import load_fastchat_items
from harness.items.jsonl import read_bytes
from harness.items.schema import Item, content_hash
from harness.protocols.mt_bench import MtBenchName, Variant

PREFIX = "mt-bench:"
# Of each protocol: which of the user's files are remembered, and under what name.
PARTS = ("questions", "references", "judge-prompts")
OFFICIAL: tuple[MtBenchName, ...] = tuple(
    name for name in get_args(MtBenchName) if name != "harness-1"
)


def official_name(suite: str) -> MtBenchName:
    """The protocol of a suite's name. Raises HarnessError for one that is not known."""
    name = suite.removeprefix(PREFIX)
    known: dict[str, MtBenchName] = {one: one for one in OFFICIAL}
    if name not in known:
        raise HarnessError(
            f"--suite {suite}: no MT-Bench protocol {name!r}; expected one of "
            f"{', '.join(OFFICIAL)} (our own questions are the suite mt-bench-ja)"
        )
    return known[name]


def import_name(name: str, part: str) -> str:
    """Under what the store remembers one of PARTS of a protocol."""
    return f"{PREFIX}{name}/{part}"


def imported_parts(store: Path, suite: str) -> dict[str, tuple[Path, str]]:
    """Path and content hash of what was imported for an official protocol, by part; {} for any
    other suite."""
    from harness.store.queries import imported

    if not suite.startswith(PREFIX):
        return {}
    found = {part: imported(store, import_name(suite.removeprefix(PREFIX), part)) for part in PARTS}
    return {part: record for part, record in found.items() if record is not None}


def file_hash(path: Path) -> str:
    """SHA-256 (hex) over the content of a file, or of the questions in a directory."""
    if path.is_dir():
        files = sorted([*path.glob("question*.jsonl"), *path.glob("reference_answer/*.jsonl")])
        return content_hash([[one.name, read_bytes(one).hex()] for one in files])
    return content_hash(read_bytes(path).hex())


def official_items(
    suite: str, variant: Variant, imports: Mapping[str, tuple[Path, str]]
) -> tuple[Item, ...]:
    """The items that a protocol asks.

    imports  path and content hash at the time of import, by part

    Raises HarnessError where nothing was imported, a file has changed since, or is faulty.
    """
    name = suite.removeprefix(PREFIX)
    if "questions" not in imports:
        raise HarnessError(
            f"--suite {suite}: its questions are not here; import your copy with `harness items "
            f"import fastchat DIR --protocol {name}`"
        )
    for part, (path, known) in imports.items():
        if file_hash(path) != known:
            raise HarnessError(
                f"{path}: the {part} of {name} changed since they were imported; run `harness "
                f"items import fastchat` again, so that new scores are told from old ones"
            )
    references = imports["references"][0] if "references" in imports else None
    items = load_fastchat_items(imports["questions"][0], references)
    return tuple(item for item in items if item.genre not in variant.dropped)
