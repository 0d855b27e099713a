"""Style control and position bias: recovered where they were planted, and equal to a general
optimiser's solution of each variant's loss."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from harness.arena.ratings import Anchor, rate
from harness.arena.types import BattleTable, make_table
from harness.arena.variants import (
    POSITION,
    STYLE_TERMS,
    VARIANTS,
    rate_variant,
    style_difference,
    style_of,
)
from harness.errors import HarnessError
from tests.shared_data import shared

STRENGTHS = {"plain": 0.0, "long": 0.0, "strong": 0.8, "weak": -0.8}


def planted(n: int, length: float = 0.0, first: float = 0.0, seed: int = 0) -> BattleTable:
    """Battles in which `length` log odds a unit of normalised difference go to the longer answer,
    and `first` to the one seen first. The model "long" writes twice as much as it need."""
    rng = np.random.default_rng(seed)
    names = list(STRENGTHS)
    a = rng.integers(0, 4, n)
    b = (a + rng.integers(1, 4, n)) % 4
    words = rng.uniform(50, 150, (2, n)) * np.where(np.array([a, b]) == 1, 2, 1)
    other = rng.integers(0, 5, (2, n, 3)).astype(float)
    style = style_difference(
        np.column_stack([words[0], other[0]]), np.column_stack([words[1], other[1]])
    )
    side = rng.choice([-1.0, 1.0], n)
    strength = np.array(list(STRENGTHS.values()))
    odds = strength[a] - strength[b] + length * style[:, 0] + first * side
    score = (rng.random(n) < expit(odds)).astype(float)
    return make_table([names[i] for i in a], [names[i] for i in b], score, first=side, style=style)


def test_style_control_takes_length_off_a_rating() -> None:
    table = planted(6000, length=2.0)
    free = rate(table)
    gap = free.row("long").rating - free.row("plain").rating
    controlled = rate_variant(table, style="plain")
    fair = controlled.row("long").rating - controlled.row("plain").rating
    assert gap > 60
    assert abs(fair) < 40
    assert controlled.terms is not None
    assert tuple(controlled.terms) == STYLE_TERMS
    value, low, _ = controlled.terms["length"]
    assert low > 0
    # One standard deviation of difference is worth that many log odds of the planted 2.0.
    assert table.style is not None
    assert value == pytest.approx(2.0 * table.style[:, 0].std(), rel=0.15)
    for name in STYLE_TERMS[1:]:
        assert abs(controlled.terms[name][0]) < 0.1


def test_position_bias_is_found_with_its_sign_and_size() -> None:
    table = planted(6000, first=-0.3)
    found = rate_variant(table, position=True)
    assert found.terms is not None
    value, low, high = found.terms[POSITION]
    assert low < -0.3 * 400 / math.log(10) < high
    assert high < 0
    assert value == pytest.approx(-0.3 * 400 / math.log(10), rel=0.3)
    unbiased = rate_variant(planted(6000, seed=3), position=True).terms
    assert unbiased is not None
    assert unbiased[POSITION][1] < 0 < unbiased[POSITION][2]


@pytest.mark.parametrize("name", list(VARIANTS))
def test_each_variant_minimises_its_own_loss(name: str) -> None:
    table = planted(500, length=1.0, seed=5)
    assert table.style is not None
    x = (table.style - table.style.mean(0)) / table.style.std(0)
    y, n = table.score, len(table)

    def loss(parameters: np.ndarray) -> float:
        ratings, beta = parameters[:4], parameters[4:]
        scale = math.log(10) if name == "fastchat" else 1.0
        z = scale * (ratings[table.a] - ratings[table.b]) + x @ beta
        data = (y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)).sum()
        if name == "fastchat":  # 0.5 on every parameter, ratings of base 10
            return float(data + 0.5 * 0.5 * (parameters**2).sum())
        if name == "arena-rank":  # 1 on the coefficients, mean loss
            return float(data + n * 0.5 * (beta**2).sum() + 1e-6 * ratings.mean() ** 2)
        return float(data + 1e-6 * ratings.mean() ** 2)

    exact = minimize(loss, np.zeros(8), method="BFGS", options={"gtol": 1e-8}).x
    points = exact[:4] * (400 if name == "fastchat" else 400 / math.log(10))
    found = rate_variant(table, style=name)
    assert found.terms is not None
    for i, model in enumerate(table.models):
        expected = points[i] - points.mean() + 1000
        assert found.row(model).rating == pytest.approx(expected, abs=1e-2)
    for i, term in enumerate(STYLE_TERMS):
        assert found.terms[term][0] == pytest.approx(exact[4 + i], abs=1e-4)


def test_without_terms_a_variant_is_plain_bradley_terry() -> None:
    table = planted(400)
    for one, other in zip(rate_variant(table).rows, rate(table).rows, strict=True):
        assert one.model == other.model
        assert one.rating == pytest.approx(other.rating, abs=1e-7)
        assert one.se == pytest.approx(other.se, rel=1e-6)


def test_anchors_hold_in_variants() -> None:
    table = planted(400)
    found = rate_variant(table, style="fastchat", position=True, anchor=Anchor(1100, "weak"))
    assert found.row("weak").rating == pytest.approx(1100)
    assert found.row("weak").se == pytest.approx(0, abs=1e-6)


def test_what_a_variant_cannot_do_is_said() -> None:
    bare = make_table(["a", "b", "a"], ["b", "a", "b"], [1, 1, 0])
    with pytest.raises(HarnessError, match="no styles"):
        rate_variant(bare, style="plain")
    with pytest.raises(HarnessError, match="seen first"):
        rate_variant(bare, position=True)
    with pytest.raises(HarnessError, match="no style variant 'lmsys'"):
        rate_variant(planted(100), style="lmsys")
    with pytest.raises(HarnessError, match="a won every battle"):
        rate_variant(make_table(["a"] * 3, ["b"] * 3, [1, 1, 1], first=[1, 1, -1]), position=True)


def test_a_style_in_which_no_answers_differ_has_no_weight() -> None:
    table = planted(400)
    assert table.style is not None
    table.style[:, 3] = 0.0
    found = rate_variant(table, style="plain")
    assert found.terms is not None
    assert found.terms["bold"][0] == 0.0


def test_markdown_is_counted() -> None:
    text = "# 題\n\n本文は**太字**です。\n- 一\n- 二\n1. 三\n\n## 次\n```\n# コメント\n- 列\n```\n"
    style = style_of(text)
    assert (style.headers, style.lists, style.bold) == (2, 3, 1)
    assert style.length == len(text)
    assert style_of("").length == 0


def test_rakuda_favours_the_second_answer() -> None:
    log = json.loads(shared("battles", "rakuda-v1", "tournaments_rakuda_v1.jsonl").read_text())
    score = {1: 1.0, 2: 0.0, 3: 0.5}
    matches = log["matches"]
    table = make_table(
        [match["model1_id"] for match in matches],
        [match["model2_id"] for match in matches],
        [score[match["score"]] for match in matches],
        cluster=[match["question_id"] for match in matches],
        first=[1.0] * len(matches),
    )
    terms = rate_variant(table, position=True).terms
    assert terms is not None
    value, low, high = terms[POSITION]
    # 686 of 1,155 decided verdicts went to the second answer, though every pair met both ways.
    assert low < value < high < 0
