"""What must hold of ratings for any battles."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arena.bradley_terry import fit
from harness.arena.counts import count_pairs
from harness.arena.elo import elo
from harness.arena.graph import examine
from harness.arena.ratings import ranks, win_probability
from harness.arena.types import BattleTable, make_table

Battles = list[tuple[int, int, float]]


@st.composite
def battles(draw: st.DrawFn, least: int = 1) -> Battles:
    size = draw(st.integers(2, 6))
    pair = st.tuples(
        st.integers(0, size - 1), st.integers(1, size - 1), st.sampled_from([0.0, 0.5, 1.0])
    )
    rows = draw(st.lists(pair, min_size=least, max_size=40))
    return [(a, (a + step) % size, score) for a, step, score in rows]


def table_of(rows: Battles) -> BattleTable:
    return make_table(
        [f"m{a}" for a, _, _ in rows], [f"m{b}" for _, b, _ in rows], [y for _, _, y in rows]
    )


@given(battles())
@settings(max_examples=150, deadline=None)
def test_the_score_equations_hold_exactly_where_ratings_exist(rows: Battles) -> None:
    """A model's expected wins under its rating are its wins (a tie half)."""
    counts = count_pairs(table_of(rows))
    if not examine(counts.models, counts.won).rateable:
        return
    theta = fit(counts).theta
    p = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
    np.testing.assert_allclose((counts.total * p).sum(1), counts.won.sum(1), atol=1e-8)
    assert abs(theta.mean()) < 1e-9


@given(battles())
@settings(max_examples=150, deadline=None)
def test_ratings_exist_if_and_only_if_no_split_is_one_sided(rows: Battles) -> None:
    """Ford's condition by its definition: of any division into two camps, each takes something
    from the other."""
    counts = count_pairs(table_of(rows))
    size = len(counts.models)
    splits = ([bool(number >> i & 1) for i in range(size)] for number in range(1, 2**size - 1))
    everyone = all(counts.won[np.ix_(np.array(side), ~np.array(side))].sum() > 0 for side in splits)
    graph = examine(counts.models, counts.won)
    assert graph.rateable == everyone
    assert bool(graph.report()) == (not everyone)


@given(battles())
@settings(max_examples=60, deadline=None)
def test_order_and_sides_do_not_matter(rows: Battles) -> None:
    prior = 0.5
    straight = fit(count_pairs(table_of(rows)), prior=prior)
    turned = [(b, a, 1 - y) for a, b, y in reversed(rows)]
    np.testing.assert_allclose(
        fit(count_pairs(table_of(turned)), prior=prior).theta, straight.theta, atol=1e-9
    )


@given(battles())
@settings(max_examples=60, deadline=None)
def test_wins_and_losses_exchanged_turn_the_scale_over(rows: Battles) -> None:
    straight = fit(count_pairs(table_of(rows)), prior=1.0).theta
    turned = fit(count_pairs(table_of([(a, b, 1 - y) for a, b, y in rows])), prior=1.0).theta
    np.testing.assert_allclose(turned, -straight, atol=1e-9)


@given(battles())
@settings(max_examples=60, deadline=None)
def test_elo_only_moves_points_about(rows: Battles) -> None:
    ratings = elo(table_of(rows))
    np.testing.assert_allclose(ratings.mean(), 1000.0)


@given(battles())
@settings(max_examples=60, deadline=None)
def test_counts_add_up(rows: Battles) -> None:
    counts = count_pairs(table_of(rows))
    assert counts.battles == len(rows)
    assert counts.wins.sum() == counts.losses.sum()
    assert counts.wins.sum() + counts.ties.sum() / 2 == len(rows)
    np.testing.assert_allclose(counts.won.sum(1), counts.wins + counts.ties / 2)


@given(st.floats(-3000, 3000), st.floats(-3000, 3000))
@settings(deadline=None)
def test_chances_of_both_sides_are_one(one: float, other: float) -> None:
    assert abs(win_probability(one, other) + win_probability(other, one) - 1) < 1e-12


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), min_size=1, max_size=8))
@settings(deadline=None)
def test_ranks_are_between_one_and_all(rows: list[tuple[float, float]]) -> None:
    low = [centre - reach for centre, reach in rows]
    high = [centre + reach for centre, reach in rows]
    place = ranks(low, high)
    assert min(place) == 1
    assert max(place) <= len(rows)
    # Who is wholly above another never ranks behind it.
    for i in range(len(rows)):
        for j in range(len(rows)):
            if low[i] > high[j]:
                assert place[i] < place[j]
