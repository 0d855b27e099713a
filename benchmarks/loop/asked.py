"""Asks a checkpoint items as `harness eval` does: an evalset written to a folder, answers and
scores in a store of their own."""

from __future__ import annotations

from pathlib import Path


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
