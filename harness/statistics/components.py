"""Where the variance of ratings comes from, what error a design would have, slopes in groups."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VarianceSplit:
    """Variance components of ratings, in squared points, and what each adds to the mean's error.

    questions   between questions
    generation  between answers to one question
    judge       between judgings of one answer
    mean_variance_of_questions, mean_variance_of_generation, mean_variance_of_judge
                what each adds to the variance of the mean over all ratings; the last two are what
                another run on the same questions would differ by

    generation is None where no question has two answers: the answers' spread is then part of
    `questions`. judge is None where no answer is judged twice: the judge's is part of
    `generation`. Estimates below 0 are given as 0.
    """

    n: int
    questions: float
    generation: float | None
    judge: float | None
    mean_variance_of_questions: float
    mean_variance_of_generation: float | None
    mean_variance_of_judge: float | None


@dataclass(frozen=True)
class Slope:
    """A slope within groups with a clustered interval.

    slope, se, low, high  in units of y per unit of x
    correlation           of x and y within groups, -1 to 1; None when y never varies
    """

    slope: float
    se: float
    low: float
    high: float
    correlation: float | None
    n: int
    groups: int
    level: float


def variance_split(
    ratings: Sequence[float], questions: Sequence[Hashable], answers: Sequence[Hashable]
) -> VarianceSplit:
    """Splits the variance of ratings by a nested analysis of variance with random effects:
    judgings within answers within questions (Searle 1971, Linear Models, section 11.4, method of
    moments; unequal numbers allowed).

    ratings             one finite value per judging
    questions, answers  what was asked and which answer was judged, per rating; answers of
                        different questions are different whatever their keys

    With N ratings, n_ij of answer j to question i, n_i of question i, b answers, a questions:

        E[MS judge]      = σ_J²
        E[MS generation] = σ_J² + k1 σ_G²              k1 = (N − Σ n_ij²/n_i)/(b − a)
        E[MS questions]  = σ_J² + k2 σ_G² + k3 σ_Q²    k2 = (Σ n_ij²/n_i − Σ n_ij²/N)/(a − 1)
                                                       k3 = (N − Σ n_i²/N)/(a − 1)

    Raises ValueError for lengths that differ, fewer than two questions, or a rating not finite.
    """
    y = np.asarray(ratings, dtype=np.float64)
    if not (y.size == len(questions) == len(answers)):
        raise ValueError(f"{y.size} ratings, {len(questions)} questions, {len(answers)} answers")
    if not np.isfinite(y).all():
        raise ValueError("a rating is NaN or infinite: leave failed ones out and count them")
    question = _numbered(questions)
    answer = _numbered(list(zip(question.tolist(), answers, strict=True)))
    n_i, n_ij = (np.bincount(labels).astype(np.float64) for labels in (question, answer))
    total, a, b = y.size, n_i.size, n_ij.size
    if a < 2:
        raise ValueError("one question says nothing about the spread between questions")
    question_of = np.zeros(b, dtype=np.intp)
    question_of[answer] = question
    by_answer, by_question = _means(y, answer, n_ij), _means(y, question, n_i)
    judge = _ms(np.square(y - by_answer[answer]).sum(), total - b)
    within = (np.square(n_ij) / n_i[question_of]).sum()
    generation = None
    if b > a:
        ms = float((n_ij * np.square(by_answer - by_question[question_of])).sum()) / (b - a)
        k1 = float(total - within) / (b - a)
        generation = max(0.0, (ms - (judge or 0.0)) / k1)
    ms = float((n_i * np.square(by_question - y.mean())).sum()) / (a - 1)
    k2 = float(within - np.square(n_ij).sum() / total) / (a - 1)
    k3 = float(total - np.square(n_i).sum() / total) / (a - 1)
    left = ms - (judge or 0.0) - k2 * (generation or 0.0)
    between = max(0.0, left / k3)
    return VarianceSplit(
        total,
        between,
        generation,
        judge,
        between * float(np.square(n_i).sum()) / total**2,
        None if generation is None else generation * float(np.square(n_ij).sum()) / total**2,
        None if judge is None else judge / total,
    )


def predicted_se(
    found: VarianceSplit, items: int, generations: int = 1, judgments: int = 1, paired: bool = True
) -> float:
    """The standard error of a change between two checkpoints that a design would have.

    items                 items asked of both checkpoints
    generations judgments generations of each item, judgments of each generation
    paired                the same items at both, whose own difficulty then drops out

        se² = 2 (generation/(I·J) + judge/(I·J·K)), unpaired with questions/I as well

    A lower bound: items also differ in how much they change. A part that is None counts as 0, being
    within another.
    """
    if min(items, generations, judgments) < 1:
        raise ValueError("a design has at least one item, generation and judgment")
    variance = (found.generation or 0.0) / generations
    variance += (found.judge or 0.0) / (generations * judgments)
    variance += 0.0 if paired else found.questions
    return math.sqrt(2 * variance / items)


def within_slope(
    x: Sequence[float], y: Sequence[float], groups: Sequence[Hashable], level: float = 0.95
) -> Slope | None:
    """The slope of y on x within groups: both less their group's mean, so that what differs
    between groups (a question's difficulty) plays no part.

    Standard error: the sandwich clustered by group, Σ_g (Σ x̃ e)² / (Σ x̃²)² times G/(G − 1)
    (Arellano 1987; the CR1 factor), with Student's t of G − 1 degrees of freedom, over the G
    groups in which x varies. None when there are fewer than two of them.

    Raises ValueError for lengths that differ.
    """
    if not (len(x) == len(y) == len(groups)):
        raise ValueError(f"{len(x)}, {len(y)} values and {len(groups)} groups, expected as many")
    if not len(x):
        return None
    from scipy import stats

    label = _numbered(groups)
    sizes = np.bincount(label).astype(np.float64)
    xs, ys = (np.asarray(one, dtype=np.float64) for one in (x, y))
    xs, ys = xs - _means(xs, label, sizes)[label], ys - _means(ys, label, sizes)[label]
    varied = np.bincount(label, weights=np.square(xs)) > 1e-12
    told = varied[label]
    xs, ys, label = xs[told], ys[told], label[told]
    count = int(varied.sum())
    if count < 2:
        return None
    spread = float(np.square(xs).sum())
    slope = float(xs @ ys) / spread
    scores = np.bincount(label, weights=xs * (ys - slope * xs))
    se = math.sqrt(float(np.square(scores).sum()) * count / (count - 1)) / spread
    reach = float(stats.t.ppf(0.5 + level / 2, count - 1)) * se
    both = math.sqrt(spread * float(np.square(ys).sum()))
    correlation = float(xs @ ys) / both if both > 0 else None
    return Slope(slope, se, slope - reach, slope + reach, correlation, xs.size, count, level)


def _ms(squares: float, df: int) -> float | None:
    return float(squares) / df if df > 0 else None


def _means(values: Floats, label: npt.NDArray[np.intp], sizes: Floats) -> Floats:
    means: Floats = np.bincount(label, weights=values) / sizes
    return means


def _numbered(keys: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)
