"""What proves an answer: agreement, a computed value, tests that are read and not run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from harness.items.code_task import CodeTest
from tests.test_synthesis_reading import TEXTS
from training.synthesis.agreement import Agreed, Attempt, compared, vote
from training.synthesis.programs import passed_blindly, read_tests
from training.synthesis.types import Dropped


def attempts(*values: str | None) -> list[Attempt | Dropped]:
    return [
        Dropped("unreadable", "empty") if value is None else Attempt(value, value)
        for value in values
    ]


def test_unreadable_attempts_count_against_agreement() -> None:
    same = str.__eq__
    found = vote(attempts("1", "2", "1", "1", None), same, 0.6)
    assert found == Agreed(Attempt("1", "1"), 3, 5)
    assert isinstance(vote(attempts("1", "1", None, None, None), same, 0.6), Dropped)
    lone = vote(attempts("1", None), same, 0.5)
    assert isinstance(lone, Dropped)
    assert lone.reason == "1 of 2 attempts agree"
    nothing = vote(attempts(None, None), same, 0.5)
    assert isinstance(nothing, Dropped)
    assert nothing == Dropped("unreadable", "every attempt: empty")


@pytest.mark.parametrize(
    ("value", "bare", "wanted"),
    [
        ("7", "7個", True),
        ('"3/4"', "0.75", True),
        ("33.333333333333336", "100/3", None),
        ("33.4", "100/3", False),
        ("8", "7", False),
        ("true", "1", None),
        ("[7]", "7", None),
        ("1e999999", "7", None),
        ("broken", "7", None),
        (None, "7", None),
    ],
)
def test_a_computed_value_against_the_agreed_answer(
    value: str | None, bare: str, wanted: bool | None
) -> None:
    assert compared(value, bare) is wanted


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("assert f(1) == 1\nassert f(2) == 4\nassert f(3) == 9", None),
        ("```python\nassert f(1) == 1\nassert f(2) == 4\nassert f(3) is None\n```", None),
        ("assert f(1) == 1\nassert f(2) == 2\nassert f(3) == 3", "its own argument"),
        ("assert f(1, 5) == 5\nassert f(2, 6) == 6\nassert f(3, 7) == 7", "its own argument"),
        ("assert f(1) == 0\nassert f(2) == 0\nassert f(3) == 0", "a constant"),
        ("assert f(1) == 1\nassert f(1) == 1\nassert f(2) == 4", "different calls"),
        ("assert f(1) == 1\nassert f(2) == 4\nassert g(3) == 9", "no assert of a call"),
        ("assert f(1) == 1\nassert f(2) == 4\nassert f(x=3) == 9", "no assert of a call"),
        ("assert f(1) == 1\nassert f(2) == 4\nassert f(open('a')) == 9", "no assert of a call"),
        ("assert f(1) == 1\nassert f(2) == 4\nassert f({1: 2}) == 9", "no assert of a call"),
        ("assert f(1) == 1\nassert f(2) == 4\nassert f({1, 2}) == 9", "no assert of a call"),
        ("assert f(1) == 1\nassert f(2) == 4\nassert f(3)", "no assert of a call"),
        ("assert f(1) == 1\nassert f(2) == 4\nprint(f(3))", "no assert of a call"),
        ("以下がテストです。\n```\nassert f(1) == 1\n```", "text around"),
        ("```\nassert f(1) == 1\nassert f(2) == 4\nassert f(3) == 9", "text around"),
    ],
)
def test_tests_are_calls_and_values(text: str, fault: str | None) -> None:
    found = read_tests(text, "f")
    if fault is None:
        assert not isinstance(found, str)
        assert [test.args for test in found] == [(1,), (2,), (3,)]
    else:
        assert isinstance(found, str)
        assert fault in found


def test_blind_programs_look_at_every_test() -> None:
    tests = [CodeTest(args=(n,), expected=n) for n in (1, 2)]
    assert passed_blindly(tests) == "its own argument"
    assert passed_blindly([*tests, CodeTest(args=(3,), expected=9)]) is None
    # JSON: true is not 1.
    assert (
        passed_blindly([CodeTest(args=(1,), expected=True), CodeTest(args=(2,), expected=2)])
        is None
    )


@settings(max_examples=60)
@given(TEXTS)
def test_reading_tests_never_raises(text: str) -> None:
    found = read_tests(text, "f")
    assert isinstance(found, str | tuple)
