"""Opens a Jaster suite by its name: which directory, which protocol, which items."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.items.jaster import (
    Found,
    JasterDirectory,
    dataset_items,
    read_directory,
    require_sound,
)
from harness.items.load import find_home
from harness.items.schema import Item, Metric
from harness.protocols.jaster import VARIANTS, Jaster, Variant, VariantName
from harness.scoring import format_fault, trim

OWN = "jaster-ja"
_NAME = re.compile(r"(jaster|jaster-ja)(?:@([^:]+))?(?::(.+))?")


@dataclass(frozen=True)
class OpenedJaster:
    """A protocol with its items, and one sentence for the user where something is to be told."""

    protocol: Jaster
    items: tuple[Item, ...]
    note: str = ""


def is_jaster(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def open_jaster(
    name: str,
    *,
    imported: tuple[Path, str] | None = None,
    limit: int | None = None,
    shots: int | None = None,
    datasets: Sequence[str] = (),
) -> OpenedJaster:
    """`jaster`, `jaster-ja`, `jaster@nejumi-v4`, `jaster:DIR`, `jaster@nejumi-v4:DIR`.

    imported  directory and hash that `harness items import llm-jp-eval` recorded; without one
              and without DIR, `jaster` asks our own set
    limit     items of each dataset, the first ones; None is the protocol's 100, -1 all
    shots     few-shots, where the protocol's own number is not wanted
    datasets  only these

    Raises HarnessError for an unknown protocol, a directory that changed since its import, any
    fault in a dataset's files, or too few examples for the shots.
    """
    found = _NAME.fullmatch(name)
    assert found is not None
    suite, wanted, directory = found[1], found[2] or "llmjp-1.3", found[3]
    names: dict[str, VariantName] = {one: one for one in VARIANTS}
    if wanted not in names:
        raise HarnessError(
            f"--suite {name}: no Jaster protocol {wanted!r}; expected one of {', '.join(names)}"
        )
    note = ""
    if directory is not None:
        path = Path(directory)
    elif suite == "jaster" and imported is not None:
        path = imported[0]
    else:
        if suite == "jaster":
            note = (
                "No Jaster directory is imported (`harness items import llm-jp-eval DIR`): "
                f"asking our own set, {OWN}."
            )
        suite, path = OWN, find_home(OWN)
    read = read_directory(path, datasets)
    require_sound(read)
    if imported is not None and path == imported[0] and not datasets and read.hash != imported[1]:
        raise HarnessError(
            f"{path}: its files changed since they were imported; run `harness items import "
            f"llm-jp-eval {path}` again, so that new scores are told from old ones"
        )
    variant = VARIANTS[names[wanted]]
    numbers = variant.shots if shots is None else (shots,)
    protocol = Jaster(suite, names[wanted], numbers)
    return OpenedJaster(protocol, tuple(_items(read, variant, max(numbers), limit)), note)


def _items(read: JasterDirectory, variant: Variant, shots: int, limit: int | None) -> list[Item]:
    items: list[Item] = []
    for found in read.found:
        assert found.asked is not None
        assert found.dataset is not None
        metric: Metric = (variant.metrics or {}).get(found.name, found.dataset.metric)
        category = (variant.categories or {}).get(found.name, found.dataset.category)
        count = variant.items if limit is None else limit
        items += dataset_items(
            found,
            found.asked,
            category=category,
            metric=metric,
            shots=shots,
            limit=None if count < 0 else count,
        )
        # Nejumi takes mgsm's second split from train, for it has no dev.
        second = found.dev or (found.train if found.name == "mgsm" else None)
        if variant.dev_items and found.split == "test" and second is not None:
            items += dataset_items(
                found,
                second,
                category="dev",
                metric=metric,
                shots=shots,
                limit=variant.dev_items,
                prefix="dev/",
            )
    return items


def gold_notes(found: Found) -> list[str]:
    """What a user should know of a sound dataset: repeated questions, golds that break the format
    rule that answers are held to (with the line of the first)."""
    notes = []
    if found.repeated:
        notes.append(f"{found.repeated} repeated, each counts")
    for file in (found.asked, found.train):
        if file is None or found.dataset is None:
            continue
        broken = [
            (sample.line, fault)
            for sample in file.samples
            if (fault := format_fault(trim(sample.output), found.dataset.format, sample.input))
        ]
        if broken:
            line, fault = broken[0]
            notes.append(
                f"{len(broken)} gold(s) break the format rule, first {file.path}:{line}: {fault}"
            )
    return notes
