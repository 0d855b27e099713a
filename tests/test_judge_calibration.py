"""Calibration of a judge: simulated judges whose faults are known, and examples done by hand."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.calibration import (
    Rated,
    SwappedPair,
    agreement_with,
    drift,
    length_bias,
    noise,
    position_bias,
    preference_agreement,
    self_consistency,
)
from harness.judge.card import JudgeCard, calibrate


def rated(question: int, answer: int, *ratings: float | None, length: int = 100) -> list[Rated]:
    return [
        Rated(f"q{question}", f"a{answer}", one, length, None if one is not None else "truncated")
        for one in ratings
    ]


def test_self_consistency_by_hand() -> None:
    rows = [*rated(1, 1, 7, 7, 8), *rated(2, 1, 5, 5), *rated(3, 1, 9), *rated(4, 1, 3, None)]
    told = self_consistency(rows)
    assert told is not None
    assert (told.answers, told.ratings, told.widest) == (2, 5, 1)
    assert told.exact.mean == pytest.approx((1 / 3 + 1) / 2)
    assert told.variance == pytest.approx((2 / 3) / 3)  # squares 2/3 and 0, freedom 2 + 1
    assert told.sd == pytest.approx(math.sqrt(2 / 9))
    assert told.sd_of_mean == pytest.approx(math.sqrt(2 / 9 / 2))
    assert told.sd_interval is not None
    assert (told.sd_interval.low, told.sd_interval.high) == (0, pytest.approx(math.sqrt(1 / 3)))
    assert self_consistency(rated(1, 1, 7)) is None


def test_the_sd_of_the_mean_is_what_repeating_the_judging_shows() -> None:
    random = np.random.default_rng(3)
    truth = random.uniform(3, 8, 80)
    ratings = truth[:, None] + random.normal(0, 1.2, (80, 400))
    rows = [row for q in range(80) for row in rated(q, 1, *ratings[q])]
    told = self_consistency(rows)
    assert told is not None
    assert told.sd == pytest.approx(1.2, rel=0.02)
    assert told.sd_interval is not None
    assert told.sd_interval.value == pytest.approx(told.sd)
    # 80 × 399 degrees of freedom: sd/√(2 · 31920)
    assert told.sd_interval.high == pytest.approx(
        told.sd * (1 + 1.96 / math.sqrt(63840)), rel=0.004
    )
    assert told.sd_of_mean == pytest.approx(ratings.mean(axis=0).std(ddof=1), rel=0.1)


def test_position_bias_by_hand() -> None:
    pairs = [
        SwappedPair("q1", "A", "B"),  # the same answer both times
        SwappedPair("q1", "tie", "tie"),
        SwappedPair("q2", "A", "A"),  # the first place both times
        SwappedPair("q2", "B", "tie"),
        SwappedPair("q3", "A", None),
    ]
    told = position_bias(pairs)
    assert told is not None
    assert (told.pairs, told.unread, told.both_first, told.both_second) == (4, 1, 1, 0)
    assert told.changed.mean == 0.5
    # (1 − 1)/2, 0, (1 + 1)/2, (−1 + 0)/2
    assert told.first_advantage.mean == pytest.approx((0 + 0 + 1 - 0.5) / 4)
    assert told.changed.clusters == 2
    assert position_bias(pairs[:2]) is None


@pytest.mark.parametrize(("bias", "shown"), [(0.0, False), (0.8, True)])
def test_a_judge_that_likes_the_first_place_is_found(bias: float, shown: bool) -> None:
    random = np.random.default_rng(11)
    pairs = []
    for question in range(200):
        gap = random.normal()
        verdicts = []
        for sign in (1, -1):
            seen = sign * gap + bias + random.normal(0, 0.3)
            verdicts.append("A" if seen > 0.2 else "B" if seen < -0.2 else "tie")
        pairs.append(SwappedPair(f"q{question}", *verdicts))  # type: ignore[arg-type]
    told = position_bias(pairs)
    assert told is not None
    assert (told.first_advantage.low > 0) == shown
    assert told.first_advantage.high > 0


def answers(
    bias: float, merit: float, questions: int = 60, each: int = 4
) -> tuple[list[Rated], dict[tuple[str, str], float]]:
    """Answers whose quality rises by `merit` a doubling of their length, and a judge who adds
    `bias` a doubling to it."""
    random = np.random.default_rng(23)
    rows, human = [], {}
    for question in range(questions):
        level = random.uniform(3, 7)
        for answer in range(each):
            length = int(random.integers(50, 1600))
            quality = level + merit * math.log2(length / 300) + random.normal(0, 0.3)
            judged = quality + bias * math.log2(length / 300) + random.normal(0, 0.3)
            rows += rated(question, answer, judged, length=length)
            human[(f"q{question}", f"a{answer}")] = quality
    return rows, human


@pytest.mark.parametrize(("bias", "merit"), [(0.0, 0.0), (0.4, 0.0), (0.0, 0.4), (0.3, 0.4)])
def test_length_bias_is_told_from_merit_by_a_reference(bias: float, merit: float) -> None:
    rows, human = answers(bias, merit)
    raw, against = length_bias(rows), length_bias(rows, human)
    assert raw is not None
    assert against is not None
    assert raw.slope == pytest.approx(bias + merit, abs=0.1)
    assert against.slope == pytest.approx(bias, abs=0.06)
    assert (against.low > 0) == (bias > 0)


def test_no_length_bias_without_different_lengths() -> None:
    assert length_bias(rated(1, 1, 5) + rated(1, 2, 6) + rated(2, 1, 5) + rated(2, 2, 6)) is None
    assert length_bias([]) is None
    assert length_bias(rated(1, 1, 5, length=0)) is None


def test_agreement_takes_the_first_readable_rating() -> None:
    rows = [*rated(1, 1, None, 7, 3), *rated(2, 1, 5), *rated(3, 1, 9), *rated(4, 1, 1)]
    human = {("q1", "a1"): 7.0, ("q2", "a1"): 5.0, ("q3", "a1"): 8.0, ("q9", "a1"): 1.0}
    told = agreement_with(rows, human)
    assert told is not None
    assert (told.n, told.clusters) == (3, 3)
    assert told.exact.value == pytest.approx(2 / 3)
    assert told.difference.value == pytest.approx(1 / 3)
    assert agreement_with(rows, {}) is None


def test_agreement_on_preferences() -> None:
    triples = [("q1", "A", "A"), ("q2", "B", "B"), ("q3", "tie", "A"), ("q4", "A", "A")]
    told = preference_agreement(triples)  # type: ignore[arg-type]
    assert told is not None
    assert told[0].value == 0.75
    assert preference_agreement([]) is None


def canary(shift: float, spread: float, questions: int = 30) -> tuple[list[Rated], list[Rated]]:
    random = np.random.default_rng(31)
    then = [Rated(f"q{q}", "a", float(random.uniform(2, 9))) for q in range(questions)]
    now = [
        Rated(one.question, "a", (one.rating or 0) + shift + random.normal(0, spread))
        for one in then
    ]
    return then, now


@pytest.mark.parametrize(
    ("shift", "spread", "verdict"),
    [
        (0.0, 0.0, "held"),
        (0.0, 0.3, "held"),
        (0.1, 0.05, "held"),  # real, and too small to matter
        (0.6, 0.3, "drifted"),
        (-0.6, 0.3, "drifted"),
        (0.0, 3.0, "inconclusive"),
    ],
)
def test_drift(shift: float, spread: float, verdict: str) -> None:
    told = drift(*canary(shift, spread), margin=0.25)
    assert told is not None
    assert told.verdict == verdict


def test_drift_counts_what_is_missing_and_changed() -> None:
    then = [*rated(1, 1, 5, 7), *rated(2, 1, 4), *rated(3, 1, 4), *rated(4, 1, None)]
    now = [*rated(1, 1, 6), *rated(2, 1, 5), *rated(4, 1, 4), *rated(5, 1, None)]
    told = drift(then, now)
    assert told is not None
    assert told.difference.mean == pytest.approx(0.5)
    assert told.changed == 0.5
    assert told.missing == 2
    assert drift(rated(1, 1, 5), rated(1, 1, 5)) is None


def test_false_alarms_of_the_canary_are_rare() -> None:
    random = np.random.default_rng(41)
    alarms = 0
    for _ in range(400):
        then = [Rated(f"q{q}", "a", r) for q, r in enumerate(random.normal(6, 1, 40))]
        now = [Rated(f"q{q}", "a", r) for q, r in enumerate(random.normal(6, 1, 40))]
        told = drift(then, now, margin=0.0)
        alarms += told is not None and told.verdict == "drifted"
    assert 0.02 <= alarms / 400 <= 0.085


def test_noise_by_source() -> None:
    random = np.random.default_rng(53)
    rows = []
    for question in range(300):
        level = random.normal(6, 1.5)
        for answer in range(4):
            quality = level + random.normal(0, 0.8)
            rows += rated(question, answer, *(quality + random.normal(0, 0.5, 3)))
    told = noise([*rows, *rated(0, 9, None)])
    assert told is not None
    assert told.n == 3600
    assert math.sqrt(told.questions) == pytest.approx(1.5, rel=0.1)
    assert math.sqrt(told.generation or 0) == pytest.approx(0.8, rel=0.05)
    assert math.sqrt(told.judge or 0) == pytest.approx(0.5, rel=0.05)
    assert noise(rated(1, 1, 5, 6)) is None


def full_card() -> JudgeCard:
    rows, human = answers(0.2, 0.3)
    rows += rated(0, 0, 4.0, None) + rated(1, 0, 5.0, None) + rated(2, 0, None)
    pairs = [SwappedPair("q1", "A", "B"), SwappedPair("q2", "A", "A"), SwappedPair("q3", "B", "A")]
    return calibrate(
        "small|judge",
        "harness-1 (2238f7d2)",
        rows,
        pairs,
        {"humans": human, "nobody": {}},
        drift(*canary(0.6, 0.3)),
    )


def test_a_card_has_all_findings() -> None:
    card = full_card()
    assert card.ratings == 60 * 4 + 5
    assert card.failures == {"truncated": 3}
    assert card.failure_rate == pytest.approx(3 / 245)
    assert list(card.agreement) == ["humans"]
    assert card.length_against is not None
    text = card.markdown()
    assert text.startswith("# Judge card: small|judge\n")
    for words in (
        "1.2 % not readable (truncated 3)",
        "sd on repeat",
        "changed when swapped",
        "twice as long, less the reference",
        "weighted kappa, humans",
        "sd between judgings of an answer",
        "drifted, +0.",
    ):
        assert words in text, words
    assert "Not measured" not in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}


def test_a_card_survives_json() -> None:
    plain = full_card().to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["noise"]["judge"] is not None
    assert plain["drift"]["verdict"] == "drifted"


def test_a_card_says_what_was_not_measured() -> None:
    card = calibrate("j", "p", rated(1, 1, None))
    text = card.markdown()
    assert "100.0 % not readable" in text
    assert (
        "Not measured: self-consistency, position bias, length bias, agreement, "
        "variance by source, drift." in text
    )
    assert calibrate("j", "p", []).failure_rate == 0
    json.dumps(card.to_dict(), allow_nan=False)


ROWS = st.lists(
    st.builds(
        Rated,
        st.sampled_from(["q1", "q2", "q3"]),
        st.sampled_from(["a1", "a2"]),
        st.one_of(st.none(), st.integers(1, 10).map(float)),
        st.integers(0, 50),
    ),
    max_size=14,
)
VERDICT = st.sampled_from(["A", "B", "tie", None])


@settings(max_examples=25, deadline=None)
@given(ROWS, ROWS, st.lists(st.builds(SwappedPair, st.sampled_from("xyz"), VERDICT, VERDICT)))
def test_any_verdicts_give_a_card(
    rows: list[Rated], human: list[Rated], pairs: list[SwappedPair]
) -> None:
    reference = {(one.question, one.answer): one.rating for one in human if one.rating is not None}
    card = calibrate("j", "p", rows, pairs, {"h": reference}, drift(rows, human))
    json.dumps(card.to_dict(), allow_nan=False)
    assert card.markdown().endswith("\n")
    if card.consistency:
        assert 0 <= card.consistency.exact.low <= card.consistency.exact.high <= 1
    if card.position:
        assert -1 <= card.position.first_advantage.mean <= 1
