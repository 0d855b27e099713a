"""Reads every item that a store knows of, so that training data can be kept clear of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.items.schema import Item
from harness.store.database import connect
from harness.store.queries import refresh


def all_items(path: Path) -> list[tuple[str, Item]]:
    """Every item that was ever asked from this store, with its suite's name, in their order."""
    refresh(path)
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT a.suite, i.id, i.definition FROM items i JOIN "
            "(SELECT DISTINCT e.suite, r.item_hash FROM requests r "
            "JOIN evaluations e ON e.id = r.evaluation) a ON a.item_hash = i.hash ORDER BY ALL"
        ).fetchall()
    return [(suite, msgspec.json.decode(text, type=Item)) for suite, _, text in rows]


def all_imports(path: Path) -> dict[str, Path]:
    """Where each imported benchmark lies, by the name it was imported under."""
    refresh(path)
    with connect(path, read_only=True) as connection:
        rows = connection.execute("SELECT name, path FROM imports ORDER BY name").fetchall()
    return {name: Path(where) for name, where in rows}
