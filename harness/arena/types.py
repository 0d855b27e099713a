"""Battles: who met whom, on what, and who won; one by one, and as columns of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

# The answers of a and b: a better, b better, equally good, neither acceptable.
Outcome = Literal["a", "b", "tie", "both_bad"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# What a scores. "Both bad" says nothing about which is stronger, as a tie does not.
SCORES: dict[Outcome, float] = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}

# Which answer the voter or judge saw first; "none": nobody saw them in an order (a verifier).
Order = Literal["a", "b", "none"]
ORDERS: tuple[Order, ...] = get_args(Order)

# How outcomes are written in the logs we read. There is no default: what is not here is a fault.
LABELS: dict[str, Outcome] = {
    "a": "a",
    "b": "b",
    "model_a": "a",
    "model_b": "b",
    "model_1": "a",
    "model_2": "b",
    "left": "a",
    "right": "b",
    "tie": "tie",
    "tie (bothbad)": "both_bad",
    "both_bad": "both_bad",
    "bothbad": "both_bad",
}

_KIND = re.compile(r"judge|verifier|people|import:[^\s:]+")


def outcome_of(label: str) -> Outcome:
    """The outcome that a log's label means. Raises ValueError for a label that is not known:
    a typing error counted as a tie would move ratings unseen."""
    try:
        return LABELS[label]
    except KeyError:
        raise ValueError(
            f"{label!r} is no outcome, expected one of {', '.join(sorted(LABELS))}"
        ) from None


@dataclass(frozen=True)
class Style:
    """How an answer is dressed: characters or tokens, headings, list entries, bold passages."""

    length: float
    headers: float
    lists: float
    bold: float


@dataclass(frozen=True)
class Battle:
    """Two models on one prompt, and the outcome.

    id       content hash of what was seen; the same battle imported twice has the same id
    kind     judge, verifier, people, or import:NAME for a log from elsewhere
    prompt   what both were asked, as a key: battles of equal prompt are not independent
    match    battles of equal match are one comparison, asked in both orders; None for a battle
             that stands alone
    order    which answer was seen first
    session  who voted (a voter, a judge); latency: seconds until the vote
    sequence place within its source, for what has no time
    """

    id: str
    kind: str
    model_a: str
    model_b: str
    outcome: Outcome
    prompt: str
    source: str
    sequence: int
    genre: str = ""
    item_hash: str | None = None
    match: str | None = None
    order: Order = "none"
    session: str | None = None
    latency: float | None = None
    time: datetime | None = None
    weight: float = 1.0
    style_a: Style | None = None
    style_b: Style | None = None


def battle_fault(battle: Battle) -> str | None:
    """What is wrong with a battle by itself, as a phrase, or None."""
    if battle.outcome not in OUTCOMES:
        return f"{battle.outcome!r} is no outcome, expected one of {', '.join(OUTCOMES)}"
    if not battle.model_a.strip() or not battle.model_b.strip():
        return "a model has no name, expected two"
    if battle.model_a == battle.model_b:
        return f"{battle.model_a} meets itself, expected two different models"
    if not _KIND.fullmatch(battle.kind):
        return f"kind {battle.kind!r}, expected judge, verifier, people or import:NAME"
    if battle.order not in ORDERS:
        return f"order {battle.order!r}, expected one of {', '.join(ORDERS)}"
    if not (math.isfinite(battle.weight) and battle.weight > 0):
        return f"weight {battle.weight}, expected a positive number"
    return None


@dataclass(frozen=True)
class BattleTable:
    """Battles as columns, what every computation here starts from; n battles, M models.

    models    names; a and b are indices into them, (n,)
    score     of a: 1, 0.5 or 0, (n,)
    weight    (n,), positive
    cluster   (n,), 0 … clusters − 1: battles of equal number are not independent
    first     +1 where a was seen first, −1 where b was, 0 where neither was, (n,)
    style     (n, 4) normalised differences of style, see `variants.style_difference`; None where
              no battle has them
    """

    models: tuple[str, ...]
    a: Ints
    b: Ints
    score: Floats
    weight: Floats
    cluster: Ints
    clusters: int
    first: Floats
    style: Floats | None = None

    def __len__(self) -> int:
        return int(self.a.size)


def make_table(
    model_a: Sequence[str],
    model_b: Sequence[str],
    score: Sequence[float] | Floats,
    *,
    weight: Sequence[float] | Floats | None = None,
    cluster: Sequence[object] | None = None,
    first: Sequence[float] | Floats | None = None,
    style: Floats | None = None,
) -> BattleTable:
    """Columns from names and keys; without clusters each battle is one of its own.

    Raises HarnessError where there are no battles, a model meets itself, or a score is not one
    of 1, ½ and 0.
    """
    n = len(model_a)
    if n == 0:
        raise HarnessError("no battles: `harness arena import` or `play` brings some")
    models = tuple(sorted({*model_a, *model_b}))
    index = {name: number for number, name in enumerate(models)}
    a = np.array([index[name] for name in model_a], dtype=np.intp)
    b = np.array([index[name] for name in model_b], dtype=np.intp)
    scores = np.asarray(score, dtype=np.float64)
    if (same := np.flatnonzero(a == b)).size:
        raise HarnessError(f"battle {same[0] + 1}: {models[a[same[0]]]} meets itself")
    if not np.isin(scores, (0.0, 0.5, 1.0)).all():
        raise HarnessError("a score is not 1, 0.5 or 0: unknown outcomes have no score")
    keys: dict[object, int] = {}
    groups = (
        np.arange(n)
        if cluster is None
        else np.array([keys.setdefault(key, len(keys)) for key in cluster], dtype=np.intp)
    )
    return BattleTable(
        models,
        a,
        b,
        scores,
        np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64),
        groups,
        n if cluster is None else len(keys),
        np.zeros(n) if first is None else np.asarray(first, dtype=np.float64),
        style,
    )
