"""Ratings against published results, textbook values and other libraries."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from harness.arena.bradley_terry import POINTS, battle_meat, cluster_meat, covariance, fit
from harness.arena.counts import count_pairs
from harness.arena.elo import elo
from harness.arena.ratings import Anchor, quantile, ranks, rate, win_probability
from harness.arena.types import SCORES, BattleTable, make_table, outcome_of
from harness.errors import HarnessError
from tests.shared_data import shared


def llmfao(cluster: bool = False) -> tuple[BattleTable, dict[str, dict[str, float]]]:
    """The crowd's battles in file order, and the golden scores by algorithm and model."""
    with shared("battles", "llmfao", "evalica-llmfao.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = make_table(
        [row["left"] for row in rows],
        [row["right"] for row in rows],
        [SCORES[outcome_of(row["winner"])] for row in rows],
        cluster=[row["prompt"] for row in rows] if cluster else None,
    )
    golden: dict[str, dict[str, float]] = {}
    with shared("battles", "llmfao", "golden-scores.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            golden.setdefault(row["algorithm"], {})[row["item"]] = float(row["score"])
    return table, golden


def drawn(theta: list[float], battles: int, seed: int, clusters: int | None = None) -> BattleTable:
    """Battles of models of known strength between random pairs; a fifth of them are ties."""
    rng = np.random.default_rng(seed)
    size = len(theta)
    a = rng.integers(0, size, battles)
    b = (a + rng.integers(1, size, battles)) % size
    strength = np.array(theta)
    score = (rng.random(battles) < expit(strength[a] - strength[b])).astype(float)
    score[rng.random(battles) < 0.2] = 0.5
    names = [f"m{number:02d}" for number in range(size)]
    return make_table(
        [names[i] for i in a],
        [names[i] for i in b],
        score,
        cluster=None if clusters is None else list(rng.integers(0, clusters, battles)),
    )


def test_llmfao_equals_its_golden_bradley_terry_column() -> None:
    table, golden = llmfao()
    found = fit(count_pairs(table))
    expected = np.array([golden["bradley_terry"][name] for name in found.models])
    strengths = np.exp(found.theta)
    # The golden column sums to 1.
    np.testing.assert_allclose(strengths / strengths.sum(), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(strengths / strengths.sum(), expected, rtol=1e-9)


def test_llmfao_equals_its_golden_elo_column() -> None:
    table, golden = llmfao()
    expected = np.array([golden["elo"][name] for name in table.models])
    np.testing.assert_allclose(elo(table), expected, rtol=0, atol=1e-9)


def test_rakuda_win_rates_equal_the_published_file() -> None:
    log = json.loads(shared("battles", "rakuda-v1", "tournaments_rakuda_v1.jsonl").read_text())
    published = json.loads(shared("battles", "rakuda-v1", "rankings_rakuda_v1.json").read_text())
    score = {1: 1.0, 2: 0.0, 3: 0.5}
    matches = [match for match in log["matches"] if match["score"] in score]
    table = make_table(
        [match["model1_id"] for match in matches],
        [match["model2_id"] for match in matches],
        [score[match["score"]] for match in matches],
        cluster=[match["question_id"] for match in matches],
    )
    found = rate(table)
    assert table.clusters == 40
    for row in published["ranking"]:
        assert found.row(row["model_id"]).win_rate == pytest.approx(row["win_rate"], abs=1e-12)
    order = [row["model_id"] for row in reversed(published["ranking"])]
    assert [row.model for row in found.rows] == order


def test_three_wins_to_one_are_190_85_points() -> None:
    found = rate(make_table(["a"] * 4, ["b"] * 4, [1, 1, 1, 0]))
    gap = found.row("a").rating - found.row("b").rating
    assert gap == pytest.approx(400 * math.log10(3), abs=1e-9)
    assert gap == pytest.approx(190.85, abs=0.005)
    assert win_probability(found.row("a").rating, found.row("b").rating) == pytest.approx(0.75)


def test_the_first_win_from_equals_gives_1002() -> None:
    np.testing.assert_allclose(elo(make_table(["a"], ["b"], [1.0])), [1002.0, 998.0])


def test_elo_depends_on_order_and_bradley_terry_does_not() -> None:
    forth = make_table(["a", "b", "a"], ["b", "a", "b"], [1, 1, 0.5])
    back = make_table(["a", "b", "a"], ["b", "a", "b"], [0.5, 1, 1])
    assert elo(forth)[0] != pytest.approx(elo(back)[0], abs=1e-6)
    assert fit(count_pairs(make_table(["a", "a"], ["b", "b"], [1, 0]))).theta == pytest.approx(0)


def test_agrees_with_a_general_optimiser() -> None:
    table = drawn([0.0, 0.4, -0.8, 1.5], 400, seed=3)

    def loss(theta: np.ndarray) -> float:
        d = theta[table.a] - theta[table.b]
        y = table.score
        total = (y * np.logaddexp(0, -d) + (1 - y) * np.logaddexp(0, d)).sum()
        return float(total + 1e-3 * theta.mean() ** 2)

    exact = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    found = fit(count_pairs(table)).theta
    np.testing.assert_allclose(found, exact - exact.mean(), atol=1e-6)


def test_sandwich_by_hand() -> None:
    """Two models: one parameter d = θa − θb, p = 3/4, H = 4·p(1−p), B = 3·(1/4)² + (3/4)²."""
    counts = count_pairs(make_table(["a"] * 4, ["b"] * 4, [1, 1, 1, 0]))
    found = fit(counts, pinned="b")
    variance = covariance(found, battle_meat(counts, found))[0, 0]
    assert variance == pytest.approx((3 / 16 + 9 / 16) / (4 * 3 / 16) ** 2 * 4 / 3)
    assert covariance(found, battle_meat(counts, found))[1, 1] == pytest.approx(0, abs=1e-12)


def test_every_battle_its_own_cluster_is_the_plain_sandwich() -> None:
    table = drawn([0.0, 0.5, -0.5], 200, seed=5)
    counts = count_pairs(table)
    found = fit(counts)
    np.testing.assert_allclose(battle_meat(counts, found), cluster_meat(table, found), atol=1e-9)


def test_battles_repeated_on_a_prompt_do_not_narrow_a_clustered_interval() -> None:
    once = drawn([0.0, 0.5, -0.5], 200, seed=5)
    names = once.models
    thrice = make_table(
        [names[i] for i in np.repeat(once.a, 3)],
        [names[i] for i in np.repeat(once.b, 3)],
        np.repeat(once.score, 3),
        cluster=list(np.repeat(np.arange(200), 3)),
    )
    for one, other in zip(rate(once).rows, rate(thrice).rows, strict=True):
        assert (other.low, other.high) == pytest.approx((one.low, one.high))


def test_bootstraps_agree_with_the_sandwich() -> None:
    table = drawn([0.0, 0.3, -0.3, 0.8, -0.8], 4000, seed=7, clusters=400)
    exact = rate(table)
    for interval in ("multinomial", "poisson"):
        sampled = rate(table, interval=interval, draws=2000)
        for one in exact.rows:
            other = sampled.row(one.model)
            assert other.rating == one.rating
            assert other.se == pytest.approx(one.se, rel=0.08)
            assert other.low == pytest.approx(one.low, abs=0.25 * one.se)
            assert other.high == pytest.approx(one.high, abs=0.25 * one.se)


def test_elo_intervals_hold_their_rating_and_repeat() -> None:
    table = drawn([0.0, 2.0, -2.0], 600, seed=9)
    found = rate(table, method="elo", draws=200)
    again = rate(table, method="elo", draws=200)
    assert [row.to_dict() for row in found.rows] == [row.to_dict() for row in again.rows]
    assert [row.model for row in found.rows] == ["m01", "m00", "m02"]
    assert all(row.low < row.rating < row.high for row in found.rows)


def test_anchor_moves_the_scale_and_pins_a_model() -> None:
    table = drawn([0.0, 0.7, -0.7], 600, seed=11)
    free = rate(table)
    pinned = rate(table, anchor=Anchor(1200.0, "m00"))
    assert np.mean([row.rating for row in free.rows]) == pytest.approx(1000)
    anchor = pinned.row("m00")
    assert (anchor.rating, anchor.se) == (pytest.approx(1200), pytest.approx(0, abs=1e-6))
    for one, other in ((0, 1), (1, 2)):
        gap = free.rows[one].rating - free.rows[other].rating
        assert pinned.rows[one].rating - pinned.rows[other].rating == pytest.approx(gap)
    with pytest.raises(HarnessError, match="nobody has no battles"):
        rate(table, anchor=Anchor(1000, "nobody"))


def test_one_prompt_has_no_interval() -> None:
    with pytest.raises(HarnessError, match="one prompt"):
        rate(make_table(["a"], ["b"], [0.5]))
    same = make_table(["a", "a"], ["b", "b"], [1, 0], cluster=["p", "p"])
    for interval in ("sandwich", "poisson", "multinomial"):
        with pytest.raises(HarnessError, match="one prompt"):
            rate(same, interval=interval)


def test_ranks_count_who_is_surely_above() -> None:
    # The first and second overlap; the third is below both; the fourth overlaps the third alone.
    assert ranks([90, 80, 50, 40], [110, 95, 60, 55]) == [1, 1, 3, 3]
    assert quantile(0.95, 10_000) == pytest.approx(1.96, abs=1e-3)
    assert quantile(0.95, 6) == pytest.approx(2.571, abs=1e-3)


def test_weights_count_as_battles() -> None:
    weighted = make_table(["a", "a"], ["b", "b"], [1, 0], weight=[3.0, 1.0])
    repeated = make_table(["a"] * 4, ["b"] * 4, [1, 1, 1, 0])
    np.testing.assert_allclose(
        fit(count_pairs(weighted)).theta, fit(count_pairs(repeated)).theta, atol=1e-12
    )


def test_without_finite_ratings_the_cause_is_named() -> None:
    unbeaten = make_table(["a", "a", "b", "c"], ["b", "c", "c", "b"], [1, 1, 1, 1])
    with pytest.raises(HarnessError, match="a won every battle"):
        rate(unbeaten)
    apart = make_table(["a", "b", "c", "d"], ["b", "a", "d", "c"], [1, 1, 1, 1])
    with pytest.raises(HarnessError, match=r"2 groups .*\(a, b \| c, d\)"):
        rate(apart)
    with_prior = rate(apart, prior=1.0)
    assert [round(row.rating) for row in with_prior.rows] == [1000] * 4
    assert rate(unbeaten, prior=1.0).rows[0].model == "a"
    with pytest.raises(HarnessError, match="0 or more"):
        rate(unbeaten, prior=-1.0)


def test_a_bootstrap_that_mostly_fails_says_so() -> None:
    table = make_table(["a"] * 12, ["b"] * 12, [1] * 11 + [0])
    with pytest.raises(HarnessError, match="bootstrap samples have no finite ratings"):
        rate(table, interval="multinomial", draws=200)
    assert rate(table, interval="multinomial", prior=1.0, draws=200).rows[0].model == "a"


def test_unknown_outcomes_are_errors() -> None:
    for label in ("model_c", "TIE", "", "無効"):
        with pytest.raises(ValueError, match="is no outcome"):
            outcome_of(label)
    with pytest.raises(HarnessError, match="unknown outcomes"):
        make_table(["a"], ["b"], [0.7])
    with pytest.raises(HarnessError, match="meets itself"):
        make_table(["a"], ["a"], [1.0])
    with pytest.raises(HarnessError, match="no battles"):
        make_table([], [], [])


def test_agrees_with_evalica() -> None:
    evalica = pytest.importorskip("evalica")
    table = drawn([0.0, 0.4, -0.8, 1.5, 0.2], 1500, seed=13)
    winner = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    theirs = evalica.bradley_terry(
        [table.models[i] for i in table.a],
        [table.models[i] for i in table.b],
        [winner[score] for score in table.score],
        tolerance=1e-14,
        limit=100_000,
    ).scores
    expected = np.log([theirs[name] for name in table.models])
    ours = fit(count_pairs(table)).theta
    np.testing.assert_allclose(ours, expected - expected.mean(), atol=1e-6 / POINTS)


def test_agrees_with_choix() -> None:
    choix = pytest.importorskip("choix")
    table = drawn([0.0, 0.4, -0.8, 1.5, 0.2], 1500, seed=17)
    wins = [
        (int(a), int(b)) if score == 1 else (int(b), int(a))
        for a, b, score in zip(table.a, table.b, table.score, strict=True)
        if score != 0.5
    ]
    decided = make_table(
        [table.models[winner] for winner, _ in wins],
        [table.models[loser] for _, loser in wins],
        [1.0] * len(wins),
    )
    theirs = choix.ilsr_pairwise(5, wins, alpha=0.0, max_iter=1000, tol=1e-12)
    np.testing.assert_allclose(fit(count_pairs(decided)).theta, theirs, atol=1e-6 / POINTS)
