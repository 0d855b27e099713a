"""Asks a checkpoint items as `harness eval` does: an evalset written to a folder, answers and
scores in a store of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.items.schema import Item


def write_evalset(folder: Path, items: Iterable[Item], about: str) -> Path:
    """An evalset of these items, named as its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = (json.dumps(_stated(asdict(item)), ensure_ascii=False) for item in items)
    (folder / "items.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    card = {"name": folder.name, "version": "1", "licence": "Apache-2.0", "made-by": "a program"}
    head = "".join(f"{key}: {value}\n" for key, value in card.items())
    text = f"---\n{head}reviewed: no\n---\n{about}\n"
    (folder / "card.md").write_text(text, encoding="utf-8")
    return folder


def _stated(value: Any) -> Any:
    """What an evalset's file states: no setting that is left at nothing."""
    if isinstance(value, dict):
        kept = {name: _stated(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (None, "", [], {}, False, 0)}
    return [_stated(one) for one in value] if isinstance(value, list | tuple) else value


def ask(checkpoint: Path, suite: str, store: Path) -> str:
    """Asks every item greedily; the evaluation's id."""
    from harness.checkpoint import discover
    from harness.protocols.catalogue import open_suite
    from harness.store.database import prepare
    from harness.store.queries import refresh
    from harness.watching.asking import Asker

    prepare(store)
    opened = open_suite(suite)
    asker = Asker("transformers", store, 0, print)
    try:
        (found,) = discover(str(checkpoint))
        evaluation = asker.ask(found, opened.protocol, opened.items, 1)
    finally:
        asker.close()
    refresh(store)
    return evaluation


def scores_by_id(store: Path, evaluation: str, metric: str = "strict") -> dict[str, float]:
    """The score of each item, by its id."""
    from harness.store.queries import item_scores, items_of

    items = items_of(store, evaluation)
    return {
        items[row.item_hash].id: row.value
        for row in item_scores(store, [evaluation])
        if row.metric == metric
    }
