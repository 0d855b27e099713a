"""The solvers of reasoning probes: one answer for each problem, several or none for spoilt ones."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.probes.family import Family
from harness.items.probes.reasoning import REASONING
from harness.items.probes.verify import _SOLVERS, UNNAMED, is_proven, is_unique, solve
from tests.probe_checks import some


def test_every_reasoning_family_has_a_solver() -> None:
    assert set(_SOLVERS) == {family.name for family in REASONING}


@pytest.mark.parametrize("family", REASONING, ids=lambda family: family.name)
def test_each_problem_has_one_answer_and_it_is_the_gold(family: Family) -> None:
    for problem in some(family, count=40):
        answers = solve(family.name, problem.content)
        assert len(answers) == 1, problem.content
        assert is_unique(family.name, problem.content)
        assert is_proven(family.name, problem)
        # Without the text, a person that no clue names has no name.
        assert answers in ((problem.answer,), (UNNAMED,))


@pytest.mark.parametrize("name", ["ordering", "seating", "schedule"])
def test_an_arrangement_without_one_of_its_clues_has_several_answers(name: str) -> None:
    family = next(family for family in REASONING if family.name == f"reasoning/{name}")
    several = 0
    for problem in some(family, 2, 3, count=15):
        head, clues, *tail = _split(problem.content, name)
        pieces = clues.split(";")
        for gone in range(len(pieces)):
            kept = ";".join(pieces[:gone] + pieces[gone + 1 :])
            if kept:
                several += not is_unique(family.name, "|".join((*head, kept, *tail)))
    assert several > 30


def _split(content: str, name: str) -> tuple[tuple[str, ...], str, str]:
    parts = content.split("|")
    at = 2 if name == "ordering" else 3
    return tuple(parts[:at]), parts[at], "|".join(parts[at + 1 :])


def test_a_wrong_gold_is_not_proven() -> None:
    for family in REASONING:
        for problem in some(family, 3, count=10):
            others = {*problem.format.labels, "だれか"} - {problem.answer}
            for other in others:
                assert not is_proven(family.name, dataclasses.replace(problem, answer=other))


def test_spoilt_problems() -> None:
    assert solve("reasoning/ordering", "ordering|背が高い|before(A,B)|3|0") == ("A", UNNAMED)
    assert solve("reasoning/ordering", "ordering|x|before(A,B);before(B,A)|2|0") == ()
    assert solve(
        "reasoning/transitivity", "transitivity|x|before(A,B);before(B,C)|before(A,C)"
    ) == ("はい",)
    assert not is_unique("reasoning/truth-tellers", "truth|2|A:liar(B)0;B:liar(A)0|A")
    assert solve("reasoning/truth-tellers", "truth|1|A:liar(A)0|A") == ()
    assert solve("reasoning/rule", "rule|あい→いあ|うえお") != ("おえう",)
    assert len(solve("reasoning/rule", "rule|あい→いあ|うえお")) > 1
    assert (
        len(
            solve(
                "reasoning/kinship",
                "kinship|AはBの父だ。CはDの父だ。AはCの父だ。BはEの父だ。|Aの孫",
            )
        )
        == 2
    )


@pytest.mark.parametrize(
    ("family", "content"),
    [
        ("reasoning/none", "x"),
        ("math/ratio", "x"),
        ("reasoning/ordering", "seating|line|3|at(A,0)|at0"),
        ("reasoning/ordering", "ordering|x|somewhere(A,B)|3|0"),
        ("reasoning/ordering", "ordering|x"),
        ("reasoning/compound", "compound|a=1|and(a>=1"),
        ("reasoning/kinship", "kinship|AはBの友だ。|Aの孫"),
    ],
)
def test_what_is_no_content_is_refused(family: str, content: str) -> None:
    with pytest.raises(HarnessError):
        solve(family, content)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(_SOLVERS)), st.text("ab|;:()><=,0123はの→", max_size=40))
def test_solvers_answer_or_refuse(family: str, text: str) -> None:
    head = "truth" if family.endswith("truth-tellers") else family.partition("/")[2]
    with contextlib.suppress(HarnessError):
        solve(family, f"{head}|{text}")
