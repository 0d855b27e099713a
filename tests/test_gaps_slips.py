"""A slip of calculation or a wrong plan: numbers made by hand, and what chance makes of them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.slip import is_slip, number_cause

APPLES = "1個120円のりんごを8個買いました。代金は何円ですか。"
SHARE = "あめが96個あります。12人で同じ数ずつ分けます。1人分は何個ですか。"
SUM = "348人と275人が集まりました。全部で何人ですか。"


@pytest.mark.parametrize(
    ("question", "gold", "given", "cause"),
    [
        (APPLES, "960", "128", "plan"),  # 120 + 8
        (APPLES, "960", "112", "plan"),  # 120 − 8
        (APPLES, "960", "15", "plan"),  # 120 ÷ 8
        (APPLES, "960", "120", "plan"),  # copied
        (APPLES, "960", "860", "arithmetic"),  # a carry of 100
        (APPLES, "960", "950", "arithmetic"),
        (APPLES, "960", "690", "arithmetic"),  # digits swapped
        (APPLES, "960", "9600", "arithmetic"),  # a zero too many
        (APPLES, "960", "961", "arithmetic"),  # one off
        (APPLES, "960", "-960", "arithmetic"),
        (APPLES, "960", "960.0", None),  # equal
        (APPLES, "960", "777", None),
        (APPLES, "960", "リンゴ", None),
        (SHARE, "8", "108", "plan"),
        (SHARE, "8", "1152", "plan"),
        (SHARE, "8", "9", None),  # one off is nothing below 10
        (SHARE, "8", "80", "arithmetic"),
        (SUM, "623", "613", "arithmetic"),  # the carry of the ones
        (SUM, "623", "523", "arithmetic"),  # the carry of the tens
        (SUM, "623", "73", "plan"),
        (SUM, "623", "643", "arithmetic"),  # one digit
        ("３４８と275の合計は？", "623", "73", "plan"),
        ("分数で答えてください。", "3/4", "4/4", None),
        ("分数で答えてください。", "25/44", "26/44", "arithmetic"),
        ("0で割ります。0と5。", "5", "7", None),
        ("", "12345678901234567890123456789012345678901", "1", None),
    ],
)
def test_causes_by_hand(question: str, gold: str, given: str, cause: str | None) -> None:
    assert number_cause(question, gold, given) == cause


def test_the_sum_of_all_is_a_plan() -> None:
    question = "3円と14円と15円の品のうち、最も高いものと最も安いものの差は？"
    assert (
        number_cause(
            question,
            "12",
            "32",
        )
        == "plan"
    )
    table = "、".join(str(value) for value in range(101, 111))
    assert (
        number_cause(
            f"{table}のうち最大は？",
            "110",
            "3",
        )
        is None
    )


@pytest.mark.parametrize(("least", "most"), [(10, 99), (100, 999), (1000, 9999)])
def test_chance_seldom_looks_like_a_slip(least: int, most: int) -> None:
    step = max(1, (most - least) // 90)
    rights = range(least, most + 1, step)
    hits = sum(
        is_slip(Fraction(right), Fraction(wrong))
        for right in rights
        for wrong in range(least, most + 1, step)
        if wrong != right
    )
    assert hits / (len(rights) ** 2) < 0.1


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_a_slip_goes_both_ways_and_is_never_equality(a: int, b: int) -> None:
    assert is_slip(Fraction(a), Fraction(b)) == is_slip(Fraction(b), Fraction(a))
    if a:
        assert not is_slip(Fraction(a), Fraction(a))


@given(st.text(max_size=60), st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_answered(question: str, gold: str, given: str) -> None:
    assert number_cause(question, gold, given) in ("arithmetic", "plan", None)
    assert number_cause(question, gold, gold) is None
