"""Bradley-Terry with more than strengths: control of style, and the advantage of standing first.

The log odds of a's win are θa − θb + x·β + γ·f: x the standardised differences of style, f +1
where a was seen first and −1 where b was. How much is penalised is what tells variants apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from harness.arena.bradley_terry import POINTS
from harness.arena.counts import count_pairs
from harness.arena.graph import examine
from harness.arena.ratings import Anchor, Ratings, assemble, quantile
from harness.arena.threads import single_threaded
from harness.arena.types import BattleTable, Floats, Style
from harness.errors import HarnessError

STYLE_TERMS = ("length", "headers", "lists", "bold")
POSITION = "first position"

_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Variant:
    """A penalty ½·s·‖θ‖² + ½·c·‖β‖² on the sum of the battles' losses.

    strengths  s
    style      c, times the number of battles where `by_battle`
    """

    name: str
    strengths: float
    style: float
    by_battle: bool = False


# FastChat penalises every parameter, ½·0.5·‖·‖², on ratings of base 10 (θ = ln 10 · r).
# arena-rank penalises the coefficients of style alone, ½·1·‖β‖² on the mean loss.
VARIANTS = {
    one.name: one
    for one in (
        Variant("plain", 0.0, 0.0),
        Variant("fastchat", 0.5 / math.log(10) ** 2, 0.5),
        Variant("arena-rank", 0.0, 1.0, by_battle=True),
    )
}


def style_difference(a: Floats, b: Floats) -> Floats:
    """(a − b)/(a + b + 1) of each measure of style, (n, 4): within (−1, 1)."""
    return np.asarray((a - b) / (a + b + 1))


def style_of(text: str) -> Style:
    """Counts the Markdown of an answer: characters, headings, list entries, bold passages."""
    import re

    without_code = re.sub(r"```.*?(?:```|\Z)", "", text, flags=re.DOTALL)
    return Style(
        length=float(len(text)),
        headers=float(len(re.findall(r"(?m)^#{1,6}\s", without_code))),
        lists=float(len(re.findall(r"(?m)^\s*(?:[-*+・]|\d+[.)．、])\s*\S", without_code))),
        bold=float(len(re.findall(r"\*\*[^*\n]+\*\*|__[^_\n]+__", without_code))),
    )


@single_threaded
def rate_variant(
    table: BattleTable,
    *,
    style: str | None = None,
    position: bool = False,
    anchor: Anchor | None = None,
    level: float = 0.95,
) -> Ratings:
    """Ratings at equal style, at equal position, or both, with clustered sandwich intervals.

    style     a name in VARIANTS: the table must have styles. Terms are log odds for one standard
              deviation of difference
    position  the advantage of being seen first, in points

    Raises HarnessError: an unknown variant, a table without styles or positions, ratings that are
    not finite without a penalty, or a fit that does not settle.
    """
    anchor = anchor or Anchor()
    if style is not None and style not in VARIANTS:
        raise HarnessError(f"no style variant {style!r}, expected one of {', '.join(VARIANTS)}")
    variant = VARIANTS[style or "plain"]
    counts = count_pairs(table)
    graph = examine(counts.models, counts.won)
    if not graph.rateable and variant.strengths == 0:
        raise HarnessError(f"no finite ratings: {graph.report()}; add battles that connect them")
    if anchor.model is not None and anchor.model not in table.models:
        raise HarnessError(f"{anchor.model} has no battles here, so nothing can be anchored at it")
    features, names = _features(table, style, position)
    size = len(table.models)
    styled = len(STYLE_TERMS) if style else 0
    penalty = np.zeros(size + features.shape[1])
    penalty[:size] = variant.strengths
    penalty[size : size + styled] = variant.style * (len(table) if variant.by_battle else 1)
    parameters, hessian, residual = _fit(table, features, penalty)
    spread, clusters = _sandwich(table, features, hessian, residual)
    pinned = None if anchor.model is None else table.models.index(anchor.model)
    shift = np.eye(parameters.size)
    shift[:size, :size] -= np.full(size, 1 / size) if pinned is None else np.eye(size)[pinned]
    parameters, spread = shift @ parameters, shift @ spread @ shift.T
    points = parameters[:size] * POINTS + anchor.points
    reach = quantile(level, clusters) * np.sqrt(np.diag(spread))
    terms = {}
    for number, name in enumerate(names, start=size):
        unit = POINTS if name == POSITION else 1.0
        value, half = parameters[number] * unit, reach[number] * unit
        terms[name] = (float(value), float(value - half), float(value + half))
    method = "bt" + (f"+style:{style}" if style else "") + ("+position" if position else "")
    bounds = (points - reach[:size] * POINTS, points + reach[:size] * POINTS)
    return assemble(
        method,
        "sandwich",
        counts,
        points,
        bounds,
        spread[:size, :size] * POINTS**2,
        level,
        clusters,
        terms=terms,
    )


def _features(
    table: BattleTable, style: str | None, position: bool
) -> tuple[Floats, tuple[str, ...]]:
    columns: list[Floats] = []
    names: list[str] = []
    if style:
        if table.style is None:
            raise HarnessError(
                "these battles hold no styles of the answers (length, headers, lists, bold), "
                "which style control needs"
            )
        spread = table.style.std(0)
        # A measure in which no answers differ has no coefficient.
        columns.append((table.style - table.style.mean(0)) / np.where(spread > 0, spread, 1.0))
        names += STYLE_TERMS
    if position:
        if not table.first.any():
            raise HarnessError("these battles do not say which answer was seen first")
        columns.append(table.first[:, None])
        names.append(POSITION)
    matrix = np.hstack(columns) if columns else np.empty((len(table), 0))
    return matrix, tuple(names)


def _fit(table: BattleTable, features: Floats, penalty: Floats) -> tuple[Floats, Floats, Floats]:
    """Newton's method: parameters (M + F,), Hessian, and w(y − p) of each battle."""
    size = len(table.models)
    a, b, y, w = table.a, table.b, table.score, table.weight

    def odds(parameters: Floats) -> Floats:
        strength = parameters[:size]
        return np.asarray(strength[a] - strength[b] + features @ parameters[size:])

    def loss(parameters: Floats) -> float:
        z = odds(parameters)
        data = w * (y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z))
        return float(data.sum() + 0.5 * (penalty * np.square(parameters)).sum())

    parameters = np.zeros(size + features.shape[1])
    at = loss(parameters)
    for _ in range(_STEPS):
        p = expit(odds(parameters))
        residual = w * (y - p)
        slope = _scores(table, features, residual) - penalty * parameters
        hessian = _hessian(table, features, w * p * (1 - p)) + np.diag(penalty)
        solvable = hessian.copy()
        solvable[:size, :size] += np.trace(hessian[:size, :size]) / size**2
        # A feature that never varies (a style that nobody uses) keeps coefficient 0.
        idle = np.flatnonzero(np.diag(hessian) == 0)
        solvable[idle, idle] = 1.0
        move = np.linalg.solve(solvable, slope)
        if float(np.abs(move).max()) < _TOLERANCE:
            return parameters + move, solvable, residual
        scale = 1.0
        while (after := loss(parameters + scale * move)) > at + 1e-9 * abs(at) and scale > 1e-6:
            scale /= 2
        parameters, at = parameters + scale * move, after
    raise HarnessError(
        f"the ratings did not settle in {_STEPS} Newton steps: style or position all but decides "
        "the battles; choose a variant with a penalty (fastchat)"
    )


def _scores(table: BattleTable, features: Floats, residual: Floats) -> Floats:
    size = len(table.models)
    strengths = np.bincount(table.a, residual, size) - np.bincount(table.b, residual, size)
    return np.concatenate([strengths, features.T @ residual])


def _hessian(table: BattleTable, features: Floats, spread: Floats) -> Floats:
    size, more = len(table.models), features.shape[1]
    matrix = np.zeros((size + more, size + more))
    pairs = np.bincount(table.a * size + table.b, spread, size * size).reshape(size, size)
    pairs = pairs + pairs.T
    matrix[:size, :size] = np.diag(pairs.sum(1)) - pairs
    for number in range(more):
        column = spread * features[:, number]
        cross = np.bincount(table.a, column, size) - np.bincount(table.b, column, size)
        matrix[:size, size + number] = matrix[size + number, :size] = cross
        matrix[size + number, size:] = features.T @ column
    return matrix


def _sandwich(
    table: BattleTable, features: Floats, hessian: Floats, residual: Floats
) -> tuple[Floats, int]:
    if table.clusters < 2:
        raise HarnessError(
            "all battles are on one prompt: an interval over prompts needs two or more"
        )
    size, groups = len(table.models), table.clusters
    scores = np.zeros((groups, size + features.shape[1]))
    cells = groups * size
    flat = np.bincount(table.cluster * size + table.a, residual, cells)
    flat -= np.bincount(table.cluster * size + table.b, residual, cells)
    scores[:, :size] = flat.reshape(groups, size)
    for number in range(features.shape[1]):
        scores[:, size + number] = np.bincount(
            table.cluster, residual * features[:, number], groups
        )
    # A penalty balances a slope of the data that is not 0: the spread is around their mean.
    scores -= scores.mean(0)
    meat = scores.T @ scores * (groups / (groups - 1))
    bread = np.linalg.inv(hessian)
    return np.asarray(bread @ meat @ bread), groups
