"""The next battle: where doubt is, not where it is settled; and how many it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from harness.arena.counts import count_pairs
from harness.arena.pairing import Beliefs, battles_needed, believe, choose_anchors, propose
from harness.arena.placing import noise, proposals
from harness.arena.types import make_table
from harness.errors import HarnessError
from tests.test_arena_ratings import drawn


def even(theta: list[float], battles: float) -> Beliefs:
    """Beliefs after equally many battles between all, each won as often as its chance says."""
    strength = np.array(theta)
    won = battles * expit(strength[:, None] - strength[None, :])
    np.fill_diagonal(won, 0)
    return believe(tuple("abcdefgh"[: len(theta)]), won)


def test_close_ratings_come_first_and_settled_ones_never() -> None:
    beliefs = even([2.0, 0.1, 0.0, -2.0], 100)
    found = propose(beliefs, 20)
    assert {(one.model_a, one.model_b) for one in found} == {("b", "c")}
    assert found[0].doubt > found[-1].doubt > 0
    assert found[0].se > found[-1].se


def test_models_of_few_battles_come_first() -> None:
    won = np.array([[0, 50, 1.0], [50, 0, 1.0], [1.0, 1.0, 0]])
    found = propose(believe(("a", "b", "c"), won))
    assert "c" in (found[0].model_a, found[0].model_b)


def test_equals_do_not_take_every_battle_for_ever() -> None:
    beliefs = even([0.75, 0.6, 0.0, 0.0], 60)

    def share(margin: float) -> float:
        """Of the next 600 battles, those between the two of equal strength."""
        found = propose(beliefs, 600, margin=margin)
        return sum({one.model_a, one.model_b} == {"c", "d"} for one in found) / 600

    assert 0.2 < share(20) < share(0) < 1


def test_a_new_model_meets_its_anchors_and_searches_its_place() -> None:
    table = drawn([2.0, 1.0, 0.0, -1.0, -2.0], 4000, seed=1)
    found = proposals(table, 30, model="new")
    assert all("new" in (one.model_a, one.model_b) for one in found)
    met = {one.model_b if one.model_a == "new" else one.model_a for one in found}
    new = believe(table.models, count_pairs(table).won, ["new"])
    assert met <= set(choose_anchors(new, "new", 3))
    # Nothing is known yet: the middle of the scale tells most.
    assert {found[0].model_a, found[0].model_b} == {"new", "m02"}
    chosen = proposals(table, 8, model="new", anchors=["m00", "m04"])
    assert {one.model_b if one.model_a == "new" else one.model_a for one in chosen} <= {
        "m00",
        "m04",
    }
    with pytest.raises(HarnessError, match="nobody has no battles"):
        proposals(table, 1, model="new", anchors=["nobody"])
    with pytest.raises(HarnessError, match="name it too"):
        proposals(table, 1, anchors=["m00"])


def test_anchors_are_spread_over_where_a_model_may_stand() -> None:
    table = drawn([2.0, 1.9, 1.8, 0.1, 0.0, -1.9, -2.0], 5000, seed=2)
    beliefs = believe(table.models, count_pairs(table).won, ["new"])
    bottom, middle, top = choose_anchors(beliefs, "new", 3)
    assert top in ("m00", "m01", "m02")
    assert middle in ("m03", "m04")
    assert bottom in ("m05", "m06")
    # Of a model whose place is known they are its neighbours.
    near = choose_anchors(beliefs, "m01", 2)
    assert set(near) == {"m00", "m02"}


def test_battles_needed_by_hand_and_by_simulation() -> None:
    # 70 points: d = 0.403, p(1-p) = 0.240; (1.960 + 0.842)² / d² / 0.240 = 201.
    assert battles_needed(70) == 202
    assert battles_needed(70, power=0.5) == math.ceil(
        (1.959964 / (70 * math.log(10) / 400)) ** 2 / 0.24013
    )
    rng = np.random.default_rng(0)
    p = 1 / (1 + 10 ** (-70 / 400))
    wins = rng.binomial(202, p, 20_000)
    theta = np.log(wins / (202 - wins))
    se = np.sqrt(202 / (wins * (202 - wins)))
    assert np.mean(theta - 1.96 * se > 0) == pytest.approx(0.8, abs=0.03)


def test_battles_needed_counts_what_is_known() -> None:
    assert battles_needed(0) is None
    assert battles_needed(70, se=10) == 0
    some, all_ = battles_needed(70, se=40), battles_needed(70)
    assert some is not None
    assert all_ is not None
    assert 0 < some < all_
    ties = battles_needed(70, noise=0.5)
    assert ties == pytest.approx(all_ / 2, abs=1)


@given(st.floats(1, 800), st.floats(5, 400), st.floats(0.51, 0.99))
@settings(deadline=None)
def test_more_power_and_smaller_gaps_take_more(gap: float, se: float, power: float) -> None:
    base = battles_needed(gap, se, power=power)
    assert base is not None
    assert base >= (battles_needed(gap, se, power=0.5) or 0)
    assert base >= (battles_needed(gap, se / 2, power=power) or 0)
    wider = battles_needed(gap * 0.9, se, power=power)
    assert wider is not None
    assert wider >= base or gap > 300  # far apart, a battle tells little


def test_ties_lower_the_noise_and_shared_prompts_raise_it() -> None:
    table = drawn([0.0, 0.4, -0.4], 900, seed=4)
    plain = noise(table)
    assert 0.6 < plain < 1.0  # a fifth of them are ties
    names = table.models
    copied = make_table(
        [names[i] for i in np.repeat(table.a, 4)],
        [names[i] for i in np.repeat(table.b, 4)],
        np.repeat(table.score, 4),
        cluster=list(np.repeat(np.arange(900), 4)),
    )
    assert noise(copied) == pytest.approx(4 * plain, rel=0.05)


def test_one_model_alone_has_nobody_to_meet() -> None:
    with pytest.raises(HarnessError, match="alone"):
        propose(Beliefs(("a",), np.zeros(1), np.eye(1)))


def test_adaptive_pairing_finds_the_order_sooner_than_random_pairing() -> None:
    """Six models 70 points apart, the same 400 battles' budget: how often the order is right."""
    true = np.arange(6) * 70 * math.log(10) / 400
    pairs = np.array(np.triu_indices(6, 1)).T

    def right(adaptive: bool, seed: int) -> bool:
        rng = np.random.default_rng(seed)
        place = rng.permutation(6)
        strength = true[place]
        names = tuple(f"m{n}" for n in range(6))
        won = np.zeros((6, 6))
        for _ in range(10):
            if adaptive:
                battles = [
                    (int(one.model_a[1:]), int(one.model_b[1:]))
                    for one in propose(believe(names, won), 25)
                ]
            else:
                battles = [tuple(pairs[n]) for n in rng.integers(0, len(pairs), 25)]
            for a, b in battles:
                a_wins = rng.random() < expit(strength[a] - strength[b])
                won[(a, b) if a_wins else (b, a)] += 1
        return bool((np.argsort(believe(names, won).theta) == np.argsort(strength)).all())

    adaptive = sum(right(True, seed) for seed in range(20))
    random = sum(right(False, seed) for seed in range(20))
    assert adaptive > random
