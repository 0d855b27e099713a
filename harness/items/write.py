"""Writes items as the files that `load` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.items.schema import Item


def write_evalset(folder: Path, items: Iterable[Item], about: str) -> Path:
    """An evalset of generated items, named as its folder; `about` is its card's text."""
    folder.mkdir(parents=True, exist_ok=True)
    write_items(folder / "items.jsonl", items)
    card = f"name: {folder.name}\nversion: 1\nlicence: Apache-2.0\nmade-by: probes\nreviewed: no\n"
    (folder / "card.md").write_text(f"---\n{card}---\n{about}\n", encoding="utf-8")
    return folder


def write_items(path: Path, items: Iterable[Item]) -> Path:
    """A line of JSON for each item."""
    rows = (json.dumps(_stated(asdict(item)), ensure_ascii=False) + "\n" for item in items)
    path.write_text("".join(rows), encoding="utf-8")
    return path


def _stated(value: Any) -> Any:
    """Without what an item leaves at nothing."""
    if isinstance(value, dict):
        kept = {name: _stated(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (None, "", [], {})}
    return [_stated(one) for one in value] if isinstance(value, list | tuple) else value
