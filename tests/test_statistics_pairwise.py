"""Pairwise outcomes: disagreement between the orders is a tie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.pairwise import settle, tally


@pytest.mark.parametrize(
    ("straight", "swapped", "outcome"),
    [
        (1.0, 0.0, "win"),  # the first model was preferred wherever it stood
        (0.0, 1.0, "loss"),
        (1.0, 1.0, "tie"),  # whoever was shown first was preferred
        (0.0, 0.0, "tie"),
        (0.5, 0.5, "tie"),
        (1.0, 0.5, "tie"),
        (0.5, 0.0, "tie"),
    ],
)
def test_both_orders_must_agree(straight: float, swapped: float, outcome: str) -> None:
    assert settle(straight, swapped) == outcome


def test_the_adjusted_win_rate() -> None:
    count = tally([(1.0, 0.0), (1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0)], "abcde")
    assert (count.wins, count.ties, count.losses, count.disagreed) == (2, 2, 1, 1)
    assert count.win_rate.mean == pytest.approx((2 + 2 / 2) / 5)


VERDICT = st.sampled_from([0.0, 0.5, 1.0])


@given(st.lists(st.tuples(VERDICT, VERDICT), min_size=1, max_size=30))
def test_the_other_side_of_the_table_sees_the_mirror_image(
    verdicts: list[tuple[float, float]],
) -> None:
    clusters = [str(n % 7) for n in range(len(verdicts))]
    one = tally(verdicts, clusters)
    # Seen from the second model, what was straight is swapped.
    other = tally([(swapped, straight) for straight, swapped in verdicts], clusters)
    assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)
    assert one.win_rate.mean == pytest.approx(1 - other.win_rate.mean)
    assert one.disagreed == other.disagreed
