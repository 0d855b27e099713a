"""How far a judge can be trusted: its consistency, biases, agreement, drift and share of noise."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness.judge.reading import Preference, ReadingFailure
from harness.statistics.agreement import (
    Agreement,
    Interval,
    label_agreement,
    percentiles,
    rating_agreement,
)
from harness.statistics.components import Slope, VarianceSplit, variance_split, within_slope
from harness.statistics.means import Estimate, cluster_mean

DriftVerdict = Literal["drifted", "held", "inconclusive"]


@dataclass(frozen=True)
class Rated:
    """One judging of one answer.

    question  the item, with the turn where turns are judged apart; answers to it are one cluster
    answer    which answer: unique within the question
    rating    None where the verdict could not be read, for the reason `failure`
    length    characters of the answer
    """

    question: str
    answer: str
    rating: float | None
    length: int = 0
    failure: ReadingFailure | str | None = None


@dataclass(frozen=True)
class SwappedPair:
    """Two answers compared in both orders; each verdict is as printed, so that A is the answer
    shown first. None where it could not be read."""

    question: str
    as_given: Preference | None
    swapped: Preference | None


@dataclass(frozen=True)
class Consistency:
    """A judge asked about the same answer again.

    answers, ratings  answers that were rated twice or more, and their ratings
    exact             share of pairs of ratings of one answer that are equal, with its interval
    variance, sd      of ratings of one answer, pooled over answers (Σ (k − 1) s² / Σ (k − 1))
    widest            largest difference between two ratings of one answer
    sd_interval       of sd, over resampled questions; None where one question alone has repeats
    sd_of_mean        standard deviation, between judgings of the same answers, of their mean: how
                      far a score moves when nothing but the judging is repeated
    """

    answers: int
    ratings: int
    exact: Estimate
    variance: float
    sd: float
    widest: float
    sd_of_mean: float
    sd_interval: Interval | None = None


@dataclass(frozen=True)
class PositionBias:
    """Verdicts on pairs in both orders.

    pairs, unread    pairs with two readable verdicts; pairs left out for want of one
    changed          share whose verdict is another when the order is swapped
    first_advantage  share of verdicts for the answer shown first less that for the second, -1 to
                     1; 0 is no bias
    both_first, both_second
                     pairs in which the place alone won
    """

    pairs: int
    unread: int
    changed: Estimate
    first_advantage: Estimate
    both_first: int
    both_second: int


@dataclass(frozen=True)
class Drift:
    """Frozen answers judged then and now.

    difference  mean rating now less then, by answer, with an interval clustered by question
    changed     share of answers whose mean rating is not the same
    missing     answers that only one of the two has readable ratings for
    """

    verdict: DriftVerdict
    difference: Estimate
    changed: float
    margin: float
    missing: int


def self_consistency(
    rated: Iterable[Rated], level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Consistency | None:
    """How much a judge agrees with itself; None where no answer has two readable ratings. draws
    and seed are of the bootstrap for `sd_interval`."""
    groups = {key: values for key, values in _by_answer(rated).items() if len(values) > 1}
    if not groups:
        return None
    shares = [_pairs_alike(values) for values in groups.values()]
    freedom = sum(len(values) - 1 for values in groups.values())
    variance = sum(_squares(values) for values in groups.values()) / freedom
    return Consistency(
        answers=len(groups),
        ratings=sum(len(values) for values in groups.values()),
        exact=cluster_mean(shares, [question for question, _ in groups], level),
        variance=variance,
        sd=math.sqrt(variance),
        widest=max(max(values) - min(values) for values in groups.values()),
        sd_of_mean=math.sqrt(variance / len(groups)),
        sd_interval=_sd_interval(groups, level, draws, seed),
    )


def position_bias(pairs: Sequence[SwappedPair], level: float = 0.95) -> PositionBias | None:
    """How much the order of two answers decides; None where fewer than two questions have a pair
    that was read in both orders."""
    read = [(one.question, one.as_given, one.swapped) for one in pairs]
    told = [(key, a, b) for key, a, b in read if a is not None and b is not None]
    questions = [key for key, _, _ in told]
    if len(set(questions)) < 2:
        return None
    advantage = [(_SIGN[a] + _SIGN[b]) / 2 for _, a, b in told]
    counts = Counter((a, b) for _, a, b in told)
    return PositionBias(
        pairs=len(told),
        unread=len(read) - len(told),
        changed=cluster_mean([float(a != _TURNED[b]) for _, a, b in told], questions, level),
        first_advantage=cluster_mean(advantage, questions, level, bounded=False),
        both_first=counts["A", "A"],
        both_second=counts["B", "B"],
    )


def length_bias(
    rated: Iterable[Rated],
    reference: Mapping[tuple[str, str], float] | None = None,
    level: float = 0.95,
) -> Slope | None:
    """Points that a judge adds when an answer is twice as long: the slope of the mean rating of an
    answer on log2 of its length, within questions.

    reference  ratings of the same answers by (question, answer) from humans or a better judge.
               Given, what is regressed is the judge's rating less the reference's, since longer
               answers may be better: without it the slope is a bias or a merit, and not told apart

    None where fewer than two questions have answers of different length. Answers without
    characters are left out.
    """
    rated = list(rated)
    length = {(one.question, one.answer): one.length for one in rated}
    rows = [
        (math.log2(length[key]), fmean(values) - (reference[key] if reference else 0.0), key[0])
        for key, values in _by_answer(rated).items()
        if length[key] > 0 and (reference is None or key in reference)
    ]
    return within_slope(
        [x for x, _, _ in rows], [y for _, y, _ in rows], [q for *_, q in rows], level
    )


def agreement_with(
    rated: Iterable[Rated],
    reference: Mapping[tuple[str, str], float],
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement | None:
    """Agreement with humans or a reference judge, whose ratings are given by (question, answer).
    Of an answer judged several times its first readable rating counts, as one call would give it.
    None where nothing was rated by both. Intervals resample questions."""
    pairs = [
        (values[0], reference[key], key[0])
        for key, values in _by_answer(rated).items()
        if key in reference
    ]
    if not pairs:
        return None
    own, theirs, questions = zip(*pairs, strict=True)
    return rating_agreement(own, theirs, questions, level, draws, seed)


def preference_agreement(
    pairs: Iterable[tuple[str, Preference, Preference]],
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[Interval, Interval | None] | None:
    """Share of preferences alike and Cohen's kappa over (question, judge's, reference's) triples,
    intervals over questions; None where there are none."""
    told = list(pairs)
    if not told:
        return None
    questions, own, theirs = zip(*told, strict=True)
    return label_agreement(own, theirs, questions, level, draws, seed)


def drift(
    then: Iterable[Rated], now: Iterable[Rated], margin: float = 0.25, level: float = 0.95
) -> Drift | None:
    """Whether a judge has changed, from frozen answers (a canary) that it rated before.

    margin  points of the mean rating that do not matter

    held          the interval of the mean difference lies within ±margin: no drift that matters
    drifted       it does not, and 0 is outside: the judge rates otherwise than it did
    inconclusive  neither: more frozen answers, or more judgings of each, would tell

    A judge can change without its mean moving: `changed` and `self_consistency` show that. None
    where fewer than two questions were readably rated both times.
    """
    before, after = _by_answer(then), _by_answer(now)
    both = [key for key in before if key in after]
    if len({question for question, _ in both}) < 2:
        return None
    differences = [fmean(after[key]) - fmean(before[key]) for key in both]
    found = cluster_mean(differences, [question for question, _ in both], level, bounded=False)
    verdict: DriftVerdict = "inconclusive"
    if -margin < found.low and found.high < margin:
        verdict = "held"
    elif found.low > 0 or found.high < 0:
        verdict = "drifted"
    changed = sum(abs(one) > 1e-9 for one in differences) / len(differences)
    return Drift(verdict, found, changed, margin, len(before.keys() ^ after.keys()))


def noise(rated: Iterable[Rated]) -> VarianceSplit | None:
    """The variance of ratings split into questions, generation (several answers to a question)
    and judge (several judgings of an answer); None for fewer than two questions."""
    told = [one for one in rated if one.rating is not None]
    if len({one.question for one in told}) < 2:
        return None
    return variance_split(
        [one.rating for one in told if one.rating is not None],
        [one.question for one in told],
        [one.answer for one in told],
    )


_SIGN: dict[Preference, int] = {"A": 1, "tie": 0, "B": -1}
_TURNED: dict[Preference, Preference] = {"A": "B", "B": "A", "tie": "tie"}


def _by_answer(rated: Iterable[Rated]) -> dict[tuple[str, str], list[float]]:
    """Readable ratings by (question, answer), in the order given."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in rated:
        if one.rating is not None:
            groups[(one.question, one.answer)].append(one.rating)
    return dict(groups)


def _sd_interval(
    groups: Mapping[tuple[str, str], Sequence[float]], level: float, draws: int, seed: int
) -> Interval | None:
    import numpy as np

    parts: dict[str, list[float]] = {}  # question → squares, degrees of freedom
    for (question, _), values in groups.items():
        part = parts.setdefault(question, [0.0, 0.0])
        part[0] += _squares(values)
        part[1] += len(values) - 1
    if len(parts) < 2:
        return None
    table = np.array(list(parts.values()))
    drawn = np.random.default_rng(seed).integers(0, len(table), (draws, len(table)))
    squares, freedom = table[drawn].sum(axis=1).T
    whole = table.sum(axis=0)
    return percentiles(math.sqrt(whole[0] / whole[1]), np.sqrt(squares / freedom), level)


def _pairs_alike(values: Sequence[float]) -> float:
    counts = Counter(values).values()
    return sum(count * (count - 1) for count in counts) / (len(values) * (len(values) - 1))


def _squares(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sum((one - mean) ** 2 for one in values)
