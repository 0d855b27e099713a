"""Whole numbers that add up: worked examples, and what holds for any weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gaps.allocate import allocate
from harness.gaps.learnable import ItemSamples, learnable_fraction
from harness.statistics.shrinkage import shrink

WEIGHTS = st.lists(st.floats(0, 1e6) | st.floats(0, 1e-300), max_size=12)


def test_largest_remainders_by_hand() -> None:
    # Hamilton's method: 10 seats over 6, 3 and 1 parts of 10 are exact; 7 are 4.2, 2.1 and 0.7.
    assert allocate(10, [6, 3, 1]) == [6, 3, 1]
    assert allocate(7, [6, 3, 1]) == [4, 2, 1]
    assert allocate(1, [1, 1, 1]) == [1, 0, 0]
    assert allocate(0, [1, 2]) == [0, 0]
    assert allocate(5, [0, 0]) == [0, 0]
    assert allocate(5, []) == []


def test_small_shares_give_way() -> None:
    # 60, 30 and 10 of 100: the last is under 20, then 2 : 1 of 100 are 66.7 and 33.3.
    assert allocate(100, [6, 3, 1], least=20) == [67, 33, 0]
    # Dropping one raises the others above the floor: not both of the small ones go.
    assert allocate(100, [8, 1, 1], least=11) == [89, 11, 0]
    assert allocate(3, [2, 1], least=10) == [3, 0]


def test_what_a_cap_leaves_goes_to_the_others() -> None:
    assert allocate(100, [6, 3, 1], caps=[20, None, None]) == [20, 60, 20]
    assert allocate(100, [6, 3, 1], caps=[20, 30, 10]) == [20, 30, 10]
    assert allocate(100, [6, 3, 1], least=50, caps=[5, None, None]) == [5, 95, 0]


@given(st.integers(0, 10**6), WEIGHTS, st.integers(0, 500), st.data())
def test_totals_floors_and_caps_hold(
    total: int, weights: list[float], least: int, data: st.DataObject
) -> None:
    size = len(weights)
    caps = data.draw(st.lists(st.none() | st.integers(0, 10**6), min_size=size, max_size=size))
    given_ = allocate(total, weights, least=least, caps=caps)
    assert len(given_) == size
    limits = [10**9 if cap is None else cap for cap in caps]
    assert all(0 <= one <= cap for one, cap in zip(given_, limits, strict=True))
    assert all(one == 0 for one, weight in zip(given_, weights, strict=True) if weight == 0)
    active = [cap for weight, cap in zip(weights, limits, strict=True) if weight > 0]
    assert sum(given_) <= total
    if sum(one > 0 for one in given_) > 1:
        floors = [min(least, cap) for cap in limits]
        assert all(one >= low - 1 for one, low in zip(given_, floors, strict=True) if one)
    uncapped = allocate(total, weights, least=least)
    assert sum(uncapped) == (total if any(weights) else 0)
    if least <= 1 and sum(active) <= total:
        assert sum(given_) == sum(active)


@given(st.integers(1, 10**6), st.lists(st.floats(0.01, 100), min_size=1, max_size=12))
def test_no_share_is_off_by_one_or_more(total: int, weights: list[float]) -> None:
    exact = total * np.array(weights) / sum(weights)
    assert (np.abs(allocate(total, weights, least=0) - exact) < 1).all()


def test_faulty_weights() -> None:
    for weights in ([-1.0], [float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="finite weights"):
            allocate(1, weights)
    with pytest.raises(ValueError, match="2 caps for 1"):
        allocate(1, [1], caps=[1, 2])
    with pytest.raises(ValueError, match="a cap is below 0"):
        allocate(1, [1], caps=[-1])


def _items(*means: float, samples: int = 4) -> list[ItemSamples]:
    return [
        ItemSamples(samples, mean, 0.0 if mean < 1 else 1.0, 1.0 if mean > 0 else 0.0)
        for mean in means
    ]


def test_items_that_are_sometimes_right_are_learnable() -> None:
    found = learnable_fraction(_items(0, 0.25, 0.75, 1))
    assert found.share == pytest.approx((2 + 0.5) / 5)
    assert found.known
    assert (found.items, found.samples) == (4, 4)
    # Jeffreys' interval of 2 in 4 is that of Beta(2.5, 2.5), whose density is (x − x²)^1.5.
    x = np.linspace(0, 1, 200_001)
    mass = np.cumsum((x - x**2) ** 1.5)
    assert found.low == pytest.approx(x[np.searchsorted(mass / mass[-1], 0.05)], abs=1e-4)
    assert found.high == pytest.approx(x[np.searchsorted(mass / mass[-1], 0.95)], abs=1e-4)
    assert learnable_fraction(_items(0, 0, 0)).share == pytest.approx(0.125)


def test_one_sample_an_item_leaves_it_unknown() -> None:
    found = learnable_fraction(
        [ItemSamples(1, value, value, value) for value in (1.0, 0.0, 0.0, 1.0, 1.0)]
    )
    p = 3.5 / 6
    assert not found.known
    assert found.share == pytest.approx(2 * p * (1 - p))
    assert (found.low, found.high) == (0.0, 1.0)
    assert learnable_fraction([]).share == 0.5


@given(st.lists(st.tuples(st.integers(1, 8), st.floats(0, 1)), max_size=20))
def test_a_learnable_fraction_is_a_share(rows: list[tuple[int, float]]) -> None:
    found = learnable_fraction(ItemSamples(n, mean, 0.0, mean) for n, mean in rows)
    assert 0 <= found.low <= found.high <= 1
    assert found.low <= found.share <= found.high


# Eight schools (Rubin 1981), as every textbook of hierarchical models has them.
SCHOOLS = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
ERRORS = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]


def test_eight_schools_are_pooled_completely() -> None:
    found = shrink(SCHOOLS, ERRORS)
    # Their spread is less than their errors explain; the common mean 7.7 with error 4.1 is
    # Gelman et al. 2013, section 5.5.
    assert found.spread == 0
    assert found.mean == pytest.approx(np.full(8, found.centre))
    assert found.centre == pytest.approx(7.7, abs=0.05)
    assert found.centre_sd == pytest.approx(4.1, abs=0.05)


def test_what_is_sure_is_shrunk_little() -> None:
    found = shrink([0.0, 10.0, 20.0], [0.1, 0.1, 20.0])
    assert found.mean[0] == pytest.approx(0, abs=0.1)
    assert found.mean[1] == pytest.approx(10, abs=0.1)
    assert found.mean[2] < 12
    assert found.sd[2] > 3
    known = shrink([0.0, 10.0], [1.0, 1.0], centre=100.0)
    assert known.centre == 100.0
    assert known.centre_sd == 0.0


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0.001, 1)), min_size=1, max_size=10))
def test_shrinking_moves_towards_the_centre(rows: list[tuple[float, float]]) -> None:
    values, errors = ([row[at] for row in rows] for at in (0, 1))
    found = shrink(values, errors)
    off = np.abs(found.mean - found.centre) - np.abs(np.array(values) - found.centre)
    assert (off <= 1e-9).all()
    assert (found.sd > 0).all()
    with pytest.raises(ValueError, match="one standard error above 0"):
        shrink(values, [0.0] * len(values))
