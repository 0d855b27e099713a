"""Scores of items over a run: the arrays say what `item_scores` says."""

from __future__ import annotations

import random
from pathlib import Path

from harness.store.item_series import item_series_of
from harness.store.queries import item_scores
from tests.comparison_store import MadeItem, MadeScores, keep


def test_the_same_as_item_by_item(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    luck = random.Random(3)
    items = [
        MadeItem(f"{genre}/{number}", genre, dataset=dataset, cluster=cluster)
        for genre, dataset in (("math", "a"), ("math", "b"), ("coding", ""))
        for number, cluster in enumerate((None, "passage", "passage", None))
    ]
    items += [MadeItem("math/late", "math", dataset="a")]
    runs = []
    for step in (1, 2, 3):
        asked = items if step > 1 else items[:-1]
        scores = {
            metric: {item: [luck.random(), luck.random()] for item in asked}
            for metric in ("strict", "lenient")
        }
        runs.append(MadeScores(f"run/{step}", scores, run="run", step=step, samples=2))
    keep(path, *runs)
    ids = [one.id for one in runs]
    found = item_series_of(path, ids, runs[0].protocol_hash)
    assert [(one.genre, one.dataset, one.metric) for one in found] == [
        (genre, dataset, metric)
        for genre, dataset in (("coding", ""), ("math", "a"), ("math", "b"))
        for metric in ("lenient", "strict")
    ]
    assert [one.lacking for one in found] == [0, 0, 1, 1, 0, 0]
    singly = {
        (one.evaluation, one.genre, one.dataset, one.metric, one.item_hash): one.value
        for one in item_scores(path, ids)
    }
    for one in found:
        place = (one.genre, one.dataset, one.metric)
        hashes = sorted(
            item.hash
            for item in items
            if (item.genre, item.dataset) == place[:2] and item.id != "math/late"
        )
        expected = [[singly[(name, *place, item)] for name in ids] for item in hashes]
        assert one.scores.tolist() == expected
        assert sorted(set(one.clusters) & {"passage"}) == ["passage"]
        assert len(one.clusters) == len(hashes)
