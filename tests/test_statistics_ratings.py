"""Means of ratings: golden values worked out by hand, and what must hold for any ratings."""

from __future__ import annotations

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.means import cluster_mean
from harness.statistics.ratings import Aggregation, Rating, aggregate

SCALE = (1.0, 10.0)
# Question a has both turns; b lost its second; c, another genre, was judged twice in turn 1.
ROWS = [
    Rating("a", "math", 0, 0, 0, 8),
    Rating("a", "math", 1, 0, 0, 4),
    Rating("b", "math", 0, 0, 0, 6),
    Rating("c", "stem", 0, 0, 0, 9),
    Rating("c", "stem", 0, 0, 1, 10),
    Rating("c", "stem", 1, 0, 0, 2),
]


def test_rows_is_the_mean_over_rows_and_not_of_turn_means() -> None:
    made = aggregate(ROWS, "rows", SCALE)
    assert made.score.mean == pytest.approx((8 + 4 + 6 + 9 + 10 + 2) / 6)
    assert made.turns[0].mean == pytest.approx((8 + 6 + 9 + 10) / 4)
    assert made.turns[1].mean == pytest.approx(3)
    assert made.score.mean != pytest.approx((8.25 + 3) / 2)
    assert made.genres["math"].mean == pytest.approx(6)
    assert made.sd is None


def test_genres_averages_repeats_then_turns_then_genres() -> None:
    made = aggregate(ROWS, "genres", SCALE)
    assert made.genres["math"].mean == pytest.approx((8 + 4 + 6) / 3)
    assert made.genres["stem"].mean == pytest.approx((9.5 + 2) / 2)
    assert made.score.mean == pytest.approx((6 + 5.75) / 2)


def test_repeats_is_the_mean_of_the_answers_means_with_their_sd() -> None:
    rows = [
        Rating("a", "math", 0, 0, 0, 8),
        Rating("b", "math", 0, 0, 0, 6),
        Rating("a", "math", 0, 1, 0, 4),  # b's second answer has no readable rating
    ]
    made = aggregate(rows, "repeats", SCALE)
    assert made.score.mean == pytest.approx((7 + 4) / 2)
    assert made.sd == pytest.approx(((7 - 5.5) ** 2 + (4 - 5.5) ** 2) ** 0.5)
    assert aggregate(rows[:2], "repeats", SCALE).sd is None


def test_the_error_is_between_questions() -> None:
    # The same question judged twice is no further evidence.
    once = [Rating(str(n), "math", 0, 0, 0, n) for n in range(1, 9)]
    twice = once + [Rating(str(n), "math", 0, 0, 1, n) for n in range(1, 9)]
    first, second = (aggregate(rows, "rows", SCALE).score for rows in (once, twice))
    assert first.se == pytest.approx(second.se)
    assert first.clusters == second.clusters == 8
    plain = cluster_mean([float(n) for n in range(1, 9)], bounded=False)
    assert first.se == pytest.approx(plain.se)


def test_what_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(ValueError, match="no ratings"):
        aggregate([], "rows", SCALE)
    with pytest.raises(ValueError, match="off the scale"):
        aggregate([Rating("a", "math", 0, 0, 0, 0)], "rows", SCALE)
    assert aggregate([Rating("a", "math", 0, 0, 0, 0)], "rows", (0, 10)).score.mean == 0


RATINGS = st.lists(
    st.builds(
        Rating,
        st.sampled_from("abcd"),
        st.just("math"),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(1, 10).map(float),
    ),
    min_size=1,
    max_size=30,
)


@given(RATINGS, st.sampled_from(["rows", "genres", "repeats"]))
def test_means_and_intervals_stay_within_the_scale(ratings: list[Rating], how: Aggregation) -> None:
    made = aggregate(ratings, how, SCALE)
    for one in (made.score, *made.genres.values(), *made.turns.values()):
        assert 1 - 1e-9 <= one.low <= one.mean + 1e-9
        assert one.mean - 1e-9 <= one.high <= 10 + 1e-9
    if how == "rows":
        assert made.score.mean == pytest.approx(fmean(one.value for one in ratings))
