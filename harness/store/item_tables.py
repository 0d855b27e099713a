"""Item means of many evaluations, each as arrays: what leaderboards and trajectories count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.statistics.clusters import Floats, Labels
from harness.store.arrow import numbers
from harness.store.database import connect
from harness.store.paired import Column, as_column, as_floats
from harness.store.pruned import rows_of


@dataclass(frozen=True, eq=False)
class ItemTable:
    """The scored items of one evaluation: one row for each item and metric, in shape (rows,).

    item     numbers the items of all tables that were read together
    value    the mean over the item's scored samples and turns;  samples: how many they are
    level    difficulty, NaN where an item has none
    seen     1 and 0: whether training may have seen the template; -1 for written items
    cluster  items of one passage or template share it; dataset is "" where there is none
    """

    item: Labels
    metric: Column
    genre: Column
    dataset: Column
    cluster: Column
    level: Floats
    seen: Labels
    value: Floats
    samples: Labels

    @property
    def metrics(self) -> list[str]:
        """The metrics that there are scores of, by name."""
        return sorted(self.metric.labels[code] for code in np.unique(self.metric.codes))

    def of(self, metric: str) -> ItemTable:
        """The rows of one metric; none where the evaluation has no such scores."""
        if metric not in self.metric.labels:
            return self.where(np.empty(0, dtype=np.intp))
        return self.where(
            np.flatnonzero(self.metric.codes == self.metric.labels.index(metric)).astype(np.intp)
        )

    def where(self, rows: Labels) -> ItemTable:
        """These rows, by their numbers."""
        return ItemTable(
            self.item[rows],
            self.metric.at(rows),
            self.genre.at(rows),
            self.dataset.at(rows),
            self.cluster.at(rows),
            self.level[rows],
            self.seen[rows],
            self.value[rows],
            self.samples[rows],
        )


_SCORES = f"""
SELECT d.side, s.metric, i.rowid AS item, avg(s.value) AS value, count(*) AS samples
FROM requests r
JOIN (SELECT unnest($ids) AS evaluation, unnest(range(len($ids))) AS side) d USING (evaluation)
JOIN evaluations e ON e.id = r.evaluation
JOIN items i ON i.hash = r.item_hash
JOIN {rows_of("scores")} s ON s.key = r.key AND s.protocol_hash = e.protocol_hash
GROUP BY ALL ORDER BY d.side, s.metric, item"""
_ITEMS = """
SELECT rowid AS item, genre, coalesce(dataset, '') AS dataset, coalesce("cluster", hash) AS cluster,
       coalesce(CAST(level AS DOUBLE), 'NaN') AS level, coalesce(CAST(seen AS INTEGER), -1) AS seen
FROM items WHERE hash IN (
    SELECT item_hash FROM requests WHERE evaluation IN (SELECT unnest($ids))
) ORDER BY item"""


def item_tables(path: Path, ids: Sequence[str]) -> dict[str, ItemTable]:
    """The means of every metric by evaluation; evaluations without any score are left out. Labels
    of columns are those of all evaluations that were read together."""
    if not ids:
        return {}
    values: dict[str, Any] = {"ids": list(ids)}
    with connect(path, read_only=True) as connection:
        scores = connection.sql(_SCORES, params=values).to_arrow_table()
        items = connection.sql(_ITEMS, params=values).to_arrow_table()
    side = numbers(scores.column("side"))
    place = np.searchsorted(numbers(items.column("item")), numbers(scores.column("item")))
    whole = ItemTable(
        item=place,
        metric=as_column(scores, "metric", np.arange(side.size)),
        genre=as_column(items, "genre", place),
        dataset=as_column(items, "dataset", place),
        cluster=as_column(items, "cluster", place),
        level=as_floats(items, "level")[place],
        seen=_integers(items, "seen")[place],
        value=as_floats(scores, "value"),
        samples=_integers(scores, "samples"),
    )
    ends = np.searchsorted(side, np.arange(len(ids) + 1))
    return {
        one: whole.where(np.arange(low, high))
        for one, low, high in zip(ids, ends[:-1], ends[1:], strict=True)
        if high > low
    }


def _integers(table: pa.Table, name: str) -> Labels:
    answer: Labels = numbers(table.column(name)).astype(np.intp)
    return answer
