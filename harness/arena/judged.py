"""Battles from a judge that compared stored answers in both orders (`harness pairwise`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.arena.types import Battle, Order, Outcome
from harness.arena.variants import style_of
from harness.errors import HarnessError
from harness.items.schema import content_hash
from harness.store import battles as battle_store
from harness.store.database import connect
from harness.store.queries import refresh

KIND = "judge"
_OUTCOMES: dict[float, Outcome] = {1.0: "a", 0.5: "tie", 0.0: "b"}


@dataclass(frozen=True)
class Judged:
    """verdicts taken in (two a comparison), how many the store did not have yet as battles, and
    verdicts that could not be read."""

    verdicts: int
    new: int
    unreadable: int


def take_judged(path: Path, judge: str | None = None) -> Judged:
    """Makes every pairwise verdict in the store a battle; the two orders of a comparison have one
    `match`, so that ratings count them as one battle, a tie where they disagree.

    judge  only of this one

    Raises HarnessError where there are no such verdicts.
    """
    refresh(path)
    with connect(path, read_only=True) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM information_schema.tables "
            "WHERE table_name IN ('paired', 'judgments')"
        ).fetchone()
        rows = (
            connection.execute(_VERDICTS, [judge, judge]).fetchall()
            if tables is not None and tables[0] == 2
            else []
        )
    if not rows:
        which = f" of {judge}" if judge else ""
        raise HarnessError(
            f"{path}: no pairwise verdicts{which}; `harness pairwise A B` asks for some"
        )
    made = [_battle(number, *row) for number, row in enumerate(rows) if row[-1] is not None]
    return Judged(len(made), battle_store.add(path, made), len(rows) - len(made))


# One row a verdict, the latest attempt of each; value is 1 where what was shown first is better.
_VERDICTS = """
SELECT d.key, d.judge, d.prompt_set, d.repeat, d.swapped, d.answer_a, d.answer_b,
       any_value(a.name), any_value(b.name), any_value(i.hash), any_value(i.genre),
       any_value(coalesce(i.cluster, i.hash)), any_value(x.text), any_value(y.text),
       max(g.created_at), arg_max(g.latency, g.attempt),
       CASE WHEN arg_max(g.value IS NULL, g.attempt) THEN NULL ELSE arg_max(g.value, g.attempt) END
FROM paired d
JOIN judgments g USING (key)
JOIN evaluations e ON e.id = d.evaluation_a JOIN checkpoints a ON a.fingerprint = e.fingerprint
JOIN evaluations f ON f.id = d.evaluation_b JOIN checkpoints b ON b.fingerprint = f.fingerprint
JOIN generations x ON x.key = d.answer_a JOIN generations y ON y.key = d.answer_b
JOIN items i ON i.hash = x.item_hash
WHERE ? IS NULL OR d.judge = ?
GROUP BY ALL ORDER BY d.judge, d.prompt_set, d.answer_a, d.answer_b, d.repeat, d.swapped
"""


def _battle(
    number: int,
    key: str,
    judge: str,
    prompt_set: str,
    repeat: int,
    swapped: bool,
    answer_a: str,
    answer_b: str,
    model_a: str,
    model_b: str,
    item_hash: str,
    genre: str,
    prompt: str,
    text_a: str,
    text_b: str,
    time: object,
    latency: float,
    value: float,
) -> Battle:
    pair = sorted([answer_a, answer_b])
    order: Order = "b" if swapped else "a"
    return Battle(
        # Whoever names the two the other way round finds the same verdicts, and no new battles.
        id=content_hash([KIND, key, *pair]),
        kind=KIND,
        model_a=model_a,
        model_b=model_b,
        outcome=_OUTCOMES[1 - value if swapped else value],
        prompt=prompt,
        source=prompt_set,
        sequence=number,
        genre=genre,
        item_hash=item_hash,
        match=content_hash([KIND, judge, prompt_set, repeat, *pair]),
        order=order,
        session=judge,
        latency=latency,
        time=time,  # type: ignore[arg-type]
        style_a=style_of(text_a),
        style_b=style_of(text_b),
    )
