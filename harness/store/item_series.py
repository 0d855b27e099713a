"""Scores of items over a run's checkpoints, computed in the database and kept as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from harness.statistics.clusters import Floats
from harness.store.database import connect

_SERIES = """
WITH sides AS (SELECT unnest($ids) AS evaluation, unnest(range(len($ids))) AS side),
means AS (
    SELECT i.rowid AS item, s.metric, d.side, avg(s.value) AS value
    FROM requests r JOIN sides d USING (evaluation) JOIN items i ON i.hash = r.item_hash
    JOIN scores s ON s.key = r.key AND s.protocol_hash = $protocol
    GROUP BY ALL
),
series AS (SELECT item, metric, list(value ORDER BY side) AS means FROM means GROUP BY ALL)
SELECT i.genre, coalesce(i.dataset, '') AS dataset, s.metric,
       coalesce(i."cluster", i.hash) AS "cluster", s.means
FROM series s JOIN items i ON i.rowid = s.item
ORDER BY i.genre, dataset, s.metric, i.hash"""


@dataclass(frozen=True, eq=False)
class ItemSeries:
    """One metric of one genre and dataset ("" without one) over the items that every evaluation
    has scored.

    clusters  of the items;  scores  shape (items, evaluations), means over samples
    lacking   items that some evaluation has not scored
    """

    genre: str
    dataset: str
    metric: str
    clusters: tuple[str, ...]
    scores: Floats
    lacking: int


def item_series_of(path: Path, ids: Sequence[str], protocol_hash: str) -> list[ItemSeries]:
    """By genre, dataset and metric; evaluations in the order of `ids`, all of one protocol."""
    with connect(path, read_only=True) as connection:
        table = connection.sql(
            _SERIES, params={"ids": list(ids), "protocol": protocol_hash}
        ).to_arrow_table()
    columns = [table.column(name).to_pylist() for name in ("genre", "dataset", "metric")]
    clusters = table.column("cluster").to_pylist()
    means = table.column("means").combine_chunks()
    values = means.flatten().to_numpy().astype(np.float64)
    ends = np.cumsum(means.value_lengths().to_numpy())
    found = []
    places = zip(*columns, strict=True)
    for (genre, dataset, metric), rows in groupby(enumerate(places), key=lambda row: row[1]):
        numbers = [number for number, _ in rows]
        starts = [int(ends[one - 1]) if one else 0 for one in numbers]
        whole = [
            (number, start)
            for number, start in zip(numbers, starts, strict=True)
            if ends[number] - start == len(ids)
        ]
        scores = np.array([values[start : start + len(ids)] for _, start in whole])
        found.append(
            ItemSeries(
                genre,
                dataset,
                metric,
                tuple(clusters[number] for number, _ in whole),
                scores.reshape(len(whole), len(ids)),
                len(numbers) - len(whole),
            )
        )
    return found
