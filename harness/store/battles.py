"""Battles in the store: adding them once, and reading them as counts or columns of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from harness.arena.counts import PairCounts, count_cells
from harness.arena.types import OUTCOMES, SCORES, Battle, BattleTable, Floats, Ints, Style
from harness.arena.variants import style_difference
from harness.errors import HarnessError
from harness.store import database, write
from harness.store.arrow import numbers
from harness.store.database import connect

_SCORE = "CASE c.outcome WHEN 'a' THEN 1.0 WHEN 'b' THEN 0.0 ELSE 0.5 END::DOUBLE"
_SIDE = "CASE c.first WHEN 'a' THEN 1.0 WHEN 'b' THEN -1.0 ELSE 0.0 END::DOUBLE"
# Battles that are spooled as one batch.
_BATCH = 100_000


@dataclass(frozen=True)
class Selection:
    """Which battles count: of these kinds, genres and models, all where empty.

    each_order  keeps the two orders of a comparison apart, as the battles of their own that
                position bias is seen in; otherwise they are one battle, and orders that disagree
                are a tie
    """

    kinds: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    each_order: bool = False


@dataclass(frozen=True)
class KindSummary:
    """What there is of one kind of battle."""

    kind: str
    battles: int
    models: int
    prompts: int
    genres: tuple[str, ...]


def add(path: Path, battles: Iterable[Battle]) -> int:
    """Writes battles; returns how many were new. What is there already is left as it is."""
    database.prepare(path)
    write.ingest(path)
    before = _count(path)
    batch: list[dict[str, Any]] = []
    for battle in battles:
        batch.append(row(battle))
        if len(batch) == _BATCH:
            write.spool(path, {"battles": batch})
            batch = []
    write.spool(path, {"battles": batch})
    write.ingest(path)
    return _count(path) - before


def row(battle: Battle) -> dict[str, Any]:
    """A battle as a row of the table."""
    styles = {
        name: None if style is None else [style.length, style.headers, style.lists, style.bold]
        for name, style in (("style_a", battle.style_a), ("style_b", battle.style_b))
    }
    return {
        "id": battle.id,
        "kind": battle.kind,
        "model_a": battle.model_a,
        "model_b": battle.model_b,
        "outcome": battle.outcome,
        "prompt": battle.prompt,
        "source": battle.source,
        "sequence": battle.sequence,
        "genre": battle.genre,
        "item_hash": battle.item_hash,
        "match": battle.match,
        "first": battle.order,
        "session": battle.session,
        "latency": battle.latency,
        "time": battle.time,
        "weight": battle.weight,
        **styles,
    }


def _count(path: Path) -> int:
    with connect(path, read_only=True) as connection:
        row = connection.execute("SELECT count(*) FROM battles").fetchone()
    return int(row[0]) if row else 0


def kinds(path: Path) -> list[KindSummary]:
    """The kinds of battle that a store holds, by name."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT kind, count(*), len(list_distinct(flatten(list([model_a, model_b])))), "
            "count(DISTINCT prompt), list_sort(list(DISTINCT genre)) "
            "FROM battles GROUP BY kind ORDER BY kind"
        ).fetchall()
    return [
        KindSummary(kind, battles, models, prompts, tuple(genre for genre in genres if genre))
        for kind, battles, models, prompts, genres in rows
    ]


def listed(path: Path, wanted: Sequence[str] = ()) -> list[Battle]:
    """The battles of these kinds one by one, of all where none is named, in order of time.

    Raises HarnessError where there are none.
    """
    condition = f"WHERE kind IN (SELECT unnest({_list(wanted)}))" if wanted else ""
    with connect(path, read_only=True) as connection:
        found = connection.execute(
            "SELECT id, kind, model_a, model_b, outcome, prompt, source, sequence, genre, "
            "item_hash, match, first, session, latency, time, weight, style_a, style_b "
            f"FROM battles {condition} ORDER BY kind, time, source, sequence, id"
        ).fetchall()
    if not found:
        raise HarnessError(_none(path, Selection(tuple(wanted))))
    return [
        Battle(*values, *(None if style is None else Style(*style) for style in styles))
        for *values, style_a, style_b in found
        for styles in ((style_a, style_b),)
    ]


def load_counts(path: Path, selection: Selection | None = None) -> PairCounts:
    """Counts of the selected battles by pair, grouped in the database: all that a fit needs.

    Raises HarnessError where no battle is selected.
    """
    with connect(path, read_only=True) as connection:
        _select(connection, selection or Selection())
        # By outcome and weight as they are stored: sums and cases in the database cost as much
        # again as the grouping.
        cells = connection.sql(
            "SELECT model_a, model_b, outcome, weight, count(*) AS battles FROM chosen GROUP BY ALL"
        ).to_arrow_table()
    if not cells.num_rows:
        raise HarnessError(_none(path, selection))
    names = sorted({*cells["model_a"].unique().to_pylist(), *cells["model_b"].unique().to_pylist()})
    a, b = (_codes(cells[side], names) for side in ("model_a", "model_b"))
    outcome = _codes(cells["outcome"], list(OUTCOMES))
    weight = numbers(cells["weight"])
    battles = numbers(cells["battles"]).astype(np.float64)
    # The database groups in any order, and sums of fractions depend on it.
    order = np.lexsort((weight, outcome, b, a))
    score = np.array([SCORES[one] for one in OUTCOMES])[outcome]
    sums = (battles, battles * weight, battles * np.square(weight))
    return count_cells(
        tuple(names), a[order], b[order], score[order], *(one[order] for one in sums)
    )


def _codes(column: pa.ChunkedArray, names: Sequence[str]) -> Ints:
    """The place of each value of a column in a list of names."""
    coded = column.combine_chunks().dictionary_encode()
    places = np.array([names.index(name) for name in coded.dictionary.to_pylist()], dtype=np.intp)
    return np.asarray(places[numbers(coded.indices)], dtype=np.intp)


def load_table(
    path: Path,
    selection: Selection | None = None,
    *,
    in_time_order: bool = False,
    style: bool = False,
) -> BattleTable:
    """The selected battles as columns; clusters are prompts.

    in_time_order  sorted by time, then by source and place in it (Elo needs it)
    style          reads the styles too, and only battles that have both

    Raises HarnessError where no battle is selected.
    """
    with connect(path, read_only=True) as connection:
        _select(connection, selection or Selection())
        where = "WHERE style_a IS NOT NULL AND style_b IS NOT NULL" if style else ""
        # Codes by joins with small tables: faster than any coding of a million strings here.
        connection.execute(
            "CREATE TEMP TABLE names AS SELECT model, row_number() OVER (ORDER BY model) - 1 AS "
            f"number FROM (SELECT model_a AS model FROM chosen {where} UNION "
            f"SELECT model_b FROM chosen {where})"
        )
        connection.execute(
            "CREATE TEMP TABLE prompts AS SELECT prompt, row_number() OVER (ORDER BY prompt) - 1 "
            f"AS number FROM (SELECT DISTINCT prompt FROM chosen {where})"
        )
        names = [
            row[0]
            for row in connection.execute("SELECT model FROM names ORDER BY number").fetchall()
        ]
        if not names:
            missing = " whose answers' style is known" if style else ""
            raise HarnessError(_none(path, selection, missing))
        order = "ORDER BY c.time NULLS FIRST, c.source, c.sequence" if in_time_order else ""
        styles = ", style_a, style_b" if style else ""
        columns = connection.execute(
            f"SELECT x.number AS a, y.number AS b, {_SCORE} AS score, c.weight, "
            f"z.number AS cluster, {_SIDE} AS first{styles} FROM chosen c "
            "JOIN names x ON x.model = c.model_a "
            f"JOIN names y ON y.model = c.model_b JOIN prompts z USING (prompt) {where} {order}"
        ).fetchnumpy()
        prompts = connection.execute("SELECT count(*) FROM prompts").fetchone()
    return BattleTable(
        tuple(names),
        columns["a"].astype(np.intp),
        columns["b"].astype(np.intp),
        columns["score"].astype(np.float64),
        columns["weight"].astype(np.float64),
        columns["cluster"].astype(np.intp),
        int(prompts[0]) if prompts else 0,
        columns["first"].astype(np.float64),
        style_difference(_matrix(columns["style_a"]), _matrix(columns["style_b"]))
        if style
        else None,
    )


def _matrix(lists: Sequence[Any]) -> Floats:
    return np.array([list(one) for one in lists], dtype=np.float64)


def _select(connection: duckdb.DuckDBPyConnection, selection: Selection) -> None:
    """Makes the view `chosen`: the two orders of a comparison are one battle unless each is
    wanted, a win only where both agree."""
    conditions = ["true"]
    for column, wanted in (("kind", selection.kinds), ("genre", selection.genres)):
        if wanted:
            conditions.append(f"{column} IN (SELECT unnest({_list(wanted)}))")
    if selection.models:
        names = _list(selection.models)
        conditions.append(
            f"model_a IN (SELECT unnest({names})) AND model_b IN (SELECT unnest({names}))"
        )
    rows = (
        "SELECT model_a, model_b, outcome, weight, prompt, first, time, source, sequence, match, "
        "style_a, style_b "
        f"FROM battles WHERE {' AND '.join(conditions)}"
    )
    if not selection.each_order and _any_matches(connection):
        rows = f"""
            WITH single AS ({rows}),
            turned AS (
              SELECT *,
                     CASE WHEN outcome IN ('tie', 'both_bad') THEN 'tie'
                          WHEN (outcome = 'a') = (model_a < model_b) THEN 'a' ELSE 'b' END
                     AS settled,
                     CASE WHEN model_a < model_b THEN style_a ELSE style_b END AS lower_style,
                     CASE WHEN model_a < model_b THEN style_b ELSE style_a END AS upper_style
              FROM single WHERE match IS NOT NULL)
            SELECT model_a, model_b, outcome, weight, prompt, first, time, source, sequence, match,
                   style_a, style_b
            FROM single WHERE match IS NULL
            UNION ALL
            SELECT min(least(model_a, model_b)), max(greatest(model_a, model_b)),
                   CASE WHEN min(settled) = max(settled) THEN min(settled) ELSE 'tie' END,
                   avg(weight), any_value(prompt), 'none', max(time), any_value(source),
                   min(sequence), match, any_value(lower_style), any_value(upper_style)
            FROM turned GROUP BY match"""
    connection.execute(f"CREATE TEMP VIEW chosen AS {rows}")


def _any_matches(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any battle is one of two orders; a union with none of them is not free."""
    row = connection.execute("SELECT count(match) FROM battles").fetchone()
    return bool(row and row[0])


def _list(names: Sequence[str]) -> str:
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"[{quoted}]"


def _none(path: Path, selection: Selection | None, missing: str = "") -> str:
    found = ", ".join(f"{one.kind} ({one.battles:,})" for one in kinds(path))
    if not found:
        return (
            f"{path}: no battles yet; `harness arena import FILE` or `harness arena play A B` "
            "brings some"
        )
    which = " of that choice" if selection not in (None, Selection()) else ""
    return f"{path}: no battles{which}{missing}; there are {found}"
