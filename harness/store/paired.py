"""Item means of two evaluations side by side, computed in the database and kept as arrays."""

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
from harness.store.pruned import rows_of


@dataclass(frozen=True, eq=False)
class Column:
    """A column of texts as numbers: row i holds labels[codes[i]]."""

    labels: tuple[str, ...]
    codes: Labels

    def at(self, rows: Labels) -> Column:
        """These rows of it."""
        return Column(self.labels, self.codes[rows])


@dataclass(frozen=True, eq=False)
class PairedScores:
    """One row for each item and metric that has a score on either side.

    item      item hashes;  cluster: items of one passage or template share it
    base, cand  shape (rows,): the mean over the item's turns, samples, shots and judgments, NaN
              where that side has no score. Several baselines are averaged, each weighing alike,
              and all of them must have the item
    """

    item: Column
    genre: Column
    dataset: Column
    cluster: Column
    metric: Column
    base: Floats
    cand: Floats


@dataclass(frozen=True)
class Judge:
    """Whose ratings count: a judge under one set of prompts.

    decided  (lowest, highest) of the scale where rules that verify an answer stand in for the
             judge: wrong is the lowest rating, right the highest
    """

    name: str
    prompt_set: str
    decided: tuple[float, float] | None = None


# One row for each answer's score: `side` 0 … k−1 are the baselines, k the candidate.
_ASKED = """
asked AS (
    SELECT r.key, r.evaluation, r.kind, i.rowid AS item, s.side
    FROM requests r
    JOIN (SELECT unnest($sides) AS evaluation, unnest(range(len($sides))) AS side) s
         USING (evaluation)
    JOIN items i ON i.hash = r.item_hash
)"""
_SCORED = f"""
SELECT a.side, a.item, s.metric, s.value
FROM asked a
JOIN {rows_of("scores", "$sides")} s ON s.key = a.key AND s.protocol_hash = $protocol"""
# The mean over repeats first: an answer that was judged twice does not count twice.
_RATED = """
SELECT a.side, a.item, 'rating', coalesce(any_value(d.rating), avg(g.value)) AS value
FROM asked a
LEFT JOIN decided d USING (key)
LEFT JOIN judged j ON j.evaluation = a.evaluation AND j.answer = a.key
     AND j.judge = $judge AND j.prompt_set = $prompt_set
LEFT JOIN rated g ON g.key = j.key
GROUP BY a.side, a.item, a.key
HAVING value IS NOT NULL"""
_RATINGS = f""",
decided AS (
    SELECT key, $lowest + value * ($highest - $lowest) AS rating
    FROM {rows_of("scores", "$sides")}
    WHERE protocol_hash = $protocol AND metric = 'verified' AND $lowest IS NOT NULL
),
rated AS (
    SELECT key, arg_max(value, attempt) AS value FROM judgments GROUP BY key
)"""
# Letters are kana, kanji and Latin ones; what else an answer holds says nothing of its language.
_SYMPTOMS = f""",
said AS (
    SELECT a.key, a.side, a.item, g.completion_tokens AS tokens, g.finish_reason,
           length(regexp_replace(g.text, '[^ぁ-ゖァ-ヺ一-鿿]', '', 'g')) AS japanese,
           length(regexp_replace(g.text, '[^A-Za-zＡ-Ｚａ-ｚ]', '', 'g')) AS latin
    FROM asked a JOIN {rows_of("generations", "$sides")} g USING (key)
    WHERE a.kind = 'answer' AND g.finish_reason <> 'error'
),
failed AS (
    SELECT s.key, max(s.failure) AS failure FROM {rows_of("scores", "$sides")} s
    JOIN said ON s.key = said.key AND s.protocol_hash = $protocol GROUP BY s.key
)
SELECT side, item, 'tokens' AS metric, CAST(tokens AS DOUBLE) AS value FROM said
UNION ALL SELECT side, item, 'truncated', CAST(finish_reason = 'length' AS DOUBLE) FROM said
UNION ALL SELECT side, item, 'Japanese', japanese / (japanese + latin) FROM said
          WHERE japanese + latin > 0
UNION ALL SELECT side, item, 'failure ' || class, CAST(coalesce(failure, '') = class AS DOUBLE)
          FROM said LEFT JOIN failed USING (key),
               (SELECT DISTINCT failure AS class FROM failed WHERE failure IS NOT NULL)"""
_ITEMS = """
SELECT rowid AS item, hash, genre, coalesce(dataset, '') AS dataset,
       coalesce("cluster", hash) AS cluster
FROM items WHERE hash IN (
    SELECT item_hash FROM requests WHERE evaluation IN (SELECT unnest($sides))
) ORDER BY item"""


def paired_scores(
    path: Path,
    bases: Sequence[str],
    cand: str,
    protocol_hash: str,
    judge: Judge | None = None,
) -> PairedScores:
    """The scores of a candidate beside those of one or more baselines of the same protocol.

    bases, cand  evaluation ids
    judge        adds the metric `rating`: this judge's, else there is none
    """
    values: dict[str, Any] = {"sides": [*bases, cand], "protocol": protocol_hash}
    rows = f"WITH {_ASKED} {_SCORED}"
    if judge is not None:
        rows = f"WITH {_ASKED}{_RATINGS} {_SCORED} UNION ALL {_RATED}"
        lowest, highest = judge.decided or (None, None)
        values |= {
            "judge": judge.name,
            "prompt_set": judge.prompt_set,
            "lowest": lowest,
            "highest": highest,
        }
    return _paired(path, rows, values, len(bases))


def symptom_scores(path: Path, bases: Sequence[str], cand: str, protocol_hash: str) -> PairedScores:
    """Properties of the answers as `paired_scores` gives scores: tokens, truncated (1 or 0), the
    share of kana and kanji among letters (NULL without letters), and for each class of failure
    seen whether the answer is of it."""
    rows = f"WITH {_ASKED}{_SYMPTOMS}"
    values = {"sides": [*bases, cand], "protocol": protocol_hash}
    return _paired(path, rows, values, len(bases))


def _paired(path: Path, rows: str, values: dict[str, Any], baselines: int) -> PairedScores:
    """Item means by side, from rows of (side, item, metric, value)."""
    # NaN, where a side has no score, makes the sum NaN.
    means = [
        f"coalesce(avg(value) FILTER (side = {side}), CAST('nan' AS DOUBLE))"
        for side in range(baselines + 1)
    ]
    query = (
        f"SELECT item, metric, ({' + '.join(means[:-1])}) / {baselines} AS base, "
        f"{means[-1]} AS cand FROM ({rows}) GROUP BY item, metric ORDER BY item, metric"
    )
    with connect(path, read_only=True) as connection:
        scores = connection.sql(query, params=values).to_arrow_table()
        items = connection.sql(_ITEMS, params={"sides": values["sides"]}).to_arrow_table()
    item = numbers(scores.column("item"))
    position = np.searchsorted(numbers(items.column("item")), item)
    return PairedScores(
        item=as_column(items, "hash", position),
        genre=as_column(items, "genre", position),
        dataset=as_column(items, "dataset", position),
        cluster=as_column(items, "cluster", position),
        metric=as_column(scores, "metric", np.arange(item.size)),
        base=as_floats(scores, "base"),
        cand=as_floats(scores, "cand"),
    )


def as_column(table: pa.Table, name: str, rows: Labels) -> Column:
    """A column of texts at some rows, or at one row several times."""
    coded = table.column(name).combine_chunks().dictionary_encode()
    codes = numbers(coded.indices).astype(np.intp)
    return Column(tuple(coded.dictionary.to_pylist()), codes[rows])


def as_floats(table: pa.Table, name: str) -> Floats:
    """A column of numbers, without NULL."""
    answer: Floats = numbers(table.column(name)).astype(np.float64)
    return answer
