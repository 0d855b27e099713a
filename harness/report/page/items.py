"""The answers of a report: packed rows that the page draws only as they are seen."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.regression.flips import Flip
from harness.store.queries import answers

# Characters of one text that the page keeps: a model that repeats itself may fill megabytes.
_LONGEST = 20_000


@dataclass(frozen=True)
class Rows:
    """Rows of answers for the page.

    payload  base64 of gzipped JSON: one array a column
    count    rows;  columns: names of the sides that answered, one or two
    """

    payload: str
    count: int
    sides: tuple[str, ...]


def flip_rows(flips: Sequence[Flip], base: str, cand: str) -> Rows:
    """Items whose score changed, with both answers."""
    return _pack(
        [
            {
                "verdict": "broken" if one.is_broken else "mended",
                "suite": one.suite,
                "genre": one.genre,
                "dataset": one.dataset,
                "item": one.item,
                "question": one.question,
                "gold": one.gold,
                "score": [round(one.base, 4), round(one.cand, 4)],
                "answer": [one.base_answer, one.cand_answer],
                "failure": [one.base_failure or "", one.cand_failure or ""],
            }
            for one in flips
        ],
        (base, cand),
    )


def answer_rows(path: Path, evaluation: str, suite: str, name: str) -> Rows:
    """The answers of one evaluation that are not fully right by its ranking metric."""
    rows = []
    for one in answers(path, evaluation):
        score = next((one.scores[key] for key in ("strict", "verified") if key in one.scores), None)
        if score is None or score >= 1.0:
            continue
        rows.append(
            {
                "verdict": "wrong",
                "suite": suite,
                "genre": one.genre,
                "dataset": one.skill,
                "item": one.item,
                "question": one.question,
                "gold": one.gold,
                "score": [round(score, 4)],
                "answer": [one.text],
                "failure": [one.failure or ""],
            }
        )
    return _pack(rows, (name,))


def _pack(rows: Sequence[dict[str, Any]], sides: tuple[str, ...]) -> Rows:
    names = (
        "verdict", "suite", "genre", "dataset", "item", "question", "gold", "score", "answer",
        "failure",
    )  # fmt: skip
    columns = {name: [_short(row[name]) for row in rows] for name in names}
    plain = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
    # Unpaired surrogates can stand in what a model wrote; no encoding has them.
    packed = gzip.compress(plain.encode("utf-8", "replace"), compresslevel=9, mtime=0)
    return Rows(base64.b64encode(packed).decode("ascii"), len(rows), sides)


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(one) for one in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:_LONGEST] + f"\n… {len(value) - _LONGEST:,} more characters"
    return value
