"""Mean scores of datasets over several evaluations, for what a run's own course tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.statistics.clusters import Floats
from harness.store.database import connect
from harness.store.pruned import rows_of

# Genre, dataset ("" without one), metric.
Place = tuple[str, str, str]

_MEANS = f"""
WITH sides AS (SELECT unnest($ids) AS evaluation, unnest(range(len($ids))) AS side),
asked AS (
    SELECT r.key, s.side, i.genre, coalesce(i.dataset, '') AS dataset
    FROM requests r JOIN sides s USING (evaluation) JOIN items i ON i.hash = r.item_hash
)
SELECT a.genre, a.dataset, s.metric, a.side, avg(s.value)
FROM asked a JOIN {rows_of("scores")} s ON s.key = a.key AND s.protocol_hash = $protocol
GROUP BY ALL"""


def dataset_means(path: Path, ids: Sequence[str], protocol_hash: str) -> dict[Place, Floats]:
    """The mean of every metric by dataset, one value an evaluation in the order of `ids`; NaN where
    one has no score."""
    with connect(path, read_only=True) as connection:
        rows = connection.sql(
            _MEANS, params={"ids": list(ids), "protocol": protocol_hash}
        ).fetchall()
    found: dict[Place, Floats] = {}
    for genre, dataset, metric, side, value in rows:
        series = found.setdefault((genre, dataset, metric), np.full(len(ids), np.nan))
        series[side] = value
    return found
