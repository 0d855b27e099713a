"""Where the spread of judged scores comes from: items, generations, the judge."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from harness.statistics.clusters import Floats, finite, partition


@dataclass(frozen=True)
class Components:
    """Variance components of y = mean + item + generation within item + judgment within generation.

    item generation judge   variances, in squared units of the score; 0 where the estimate is below.
                            None where nothing was repeated: no generation judged twice (judge) or
                            no item answered twice (generation). Then the part stays within the one
                            before it
    items generations judgments  how many there were
    """

    mean: float
    item: float
    generation: float | None
    judge: float | None
    items: int
    generations: int
    judgments: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON."""
        return asdict(self)


def variance_components(
    scores: Sequence[float] | Floats,
    items: Sequence[Hashable],
    generations: Sequence[Hashable],
) -> Components:
    """Splits the variance of judgments by a nested analysis of variance.

    scores       one judgment per row
    items        the item of each row
    generations  the generation of each row, numbered within its item or over all

    Sums of squares between items, between generations within items and within generations are set
    equal to what they are expected to be, for numbers of repeats that may differ (Henderson's
    method 1; Searle, Casella and McCulloch 1992, section 5.3 and appendix F). Balanced designs give
    the REML estimate where all parts are positive; the estimates are unbiased before those below 0
    are shown as 0, and assume no normality.

    Raises ValueError: faulty rows, fewer than two items.
    """
    rows = finite(scores)
    item = partition(items, rows.size)
    if len(generations) != rows.size:
        raise ValueError(f"{len(generations)} generation keys for {rows.size} judgments")
    answer = partition(list(zip(item.tolist(), generations, strict=True)), rows.size)
    per_item = np.bincount(item).astype(np.float64)
    per_answer = np.bincount(answer).astype(np.float64)
    if per_item.size < 2:
        raise ValueError("one item says nothing about the spread between items")
    owner = np.empty(per_answer.size, dtype=np.intp)
    owner[answer] = item
    n, mean = float(rows.size), float(rows.mean())
    item_mean = np.bincount(item, weights=rows) / per_item
    answer_mean = np.bincount(answer, weights=rows) / per_answer

    between_items = float((per_item * np.square(item_mean - mean)).sum())
    between_answers = float((per_answer * np.square(answer_mean - item_mean[owner])).sum())
    within = float(np.square(rows - answer_mean[answer]).sum())
    df_items = per_item.size - 1
    df_answers = per_answer.size - per_item.size
    df_within = rows.size - per_answer.size
    # Coefficients of the generation and item variances in the expected sums of squares.
    shared = float((np.square(per_answer) / per_item[owner]).sum())
    answers_in_answers = n - shared
    answers_in_items = shared - float(np.square(per_answer).sum()) / n
    items_in_items = n - float(np.square(per_item).sum()) / n

    judge = within / df_within if df_within else 0.0
    generation = (between_answers - df_answers * judge) / answers_in_answers if df_answers else 0.0
    # What is below 0 is luck, and is not taken off the part above it.
    spread = between_items - df_items * judge - answers_in_items * generation
    return Components(
        mean=mean,
        item=max(0.0, spread / items_in_items),
        generation=max(0.0, generation) if df_answers else None,
        judge=judge if df_within else None,
        items=per_item.size,
        generations=per_answer.size,
        judgments=rows.size,
    )


def predicted_se(
    found: Components, items: int, generations: int = 1, judgments: int = 1, paired: bool = True
) -> float:
    """The standard error of a change between two checkpoints that a design would have.

    items                 items asked of both checkpoints
    generations judgments generations of each item, judgments of each generation
    paired                the same items at both, whose own difficulty then drops out

        se² = 2 (generation/(I·J) + judge/(I·J·K)), unpaired with item/I as well

    A lower bound: items also differ in how much they change. A part that is None counts as 0, being
    within another.
    """
    if min(items, generations, judgments) < 1:
        raise ValueError("a design has at least one item, generation and judgment")
    variance = (found.generation or 0.0) / generations
    variance += (found.judge or 0.0) / (generations * judgments)
    variance += 0.0 if paired else found.item
    return math.sqrt(2 * variance / items)
