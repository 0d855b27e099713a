"""Samples from the probe families: right, reproducible, of training content, true throughout."""

from __future__ import annotations

import ast
import operator
import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family, in_evaluation
from harness.items.probes.generate import probes, seen_templates, training_draw, unseen_templates
from harness.items.schema import check_item
from harness.scoring import gold_fault, score_answer
from training.synthesis.program import families, program, serves, work_out
from training.synthesis.questions import STATEMENTS, closings, traced_question
from training.synthesis.traces.catalogue import TRACERS
from training.synthesis.types import Dropped, Order, Sample

EVERY = pytest.mark.parametrize("family", FAMILIES, ids=lambda one: one.name)
WORKED = pytest.mark.parametrize(
    "family", [one for one in FAMILIES if one.name in TRACERS], ids=lambda one: one.name
)
# Orders to answer with nothing but the result: none may stand where the working is asked for.
ONLY = re.compile(
    r"だけ(?:を|で|書|答|返|出|教|お|に)|だけ。|のみ|以外は|ほかは書|不要|要りません|書かず|一語|説明なし"
)
# What those words may also be part of in a question that asks for the working.
ALLOWED = re.compile(
    r"答えだけを|結論だけを|1行だけ|1つだけ|誤りのときだけ|うそだけを|カギ|一行に一つ"
)


def samples(line: Line, count: int, seed: int = 0, start: int = 0) -> list[Sample]:
    found = program(Order(line, seed, start, count), lambda prompts: [])
    return [one for one in found if isinstance(one, Sample)]


@cache
def worked(family: Family) -> tuple[Sample, ...]:
    """Samples of all levels of a family that are worked out."""
    return tuple(one for one in samples(line(family), 40) if _is_worked(one))


def line(family: Family, level: int | None = None, trace: str = "1") -> Line:
    return Line(family.genre, family.name, level, 1, settings={"trace": trace})


@EVERY
def test_every_candidate_of_every_level_is_right_and_is_read_as_right(family: Family) -> None:
    for level in range(1, 6):
        for trace in ("0", "1"):
            candidates = list(
                program(Order(line(family, level, trace), 7, 0, 5), lambda prompts: [])
            )
            assert [one for one in candidates if isinstance(one, Dropped)] == []
            for one in candidates:
                assert isinstance(one, Sample)
                assert one.item is not None
                assert one.proof.proven
                assert (one.skill, one.level, one.genre) == (family.name, level, family.genre)
                assert check_item(one.item) is None
                assert gold_fault(one.item) is None
                strict, obeys, lenient = score_answer(one.item, one.messages[-1].content, "stop")
                assert lenient.value == 1
                if one.messages[-1].content == one.answer:
                    assert strict.value == obeys.value == 1


@WORKED
def test_solutions_are_there_for_nearly_all_problems(family: Family) -> None:
    assert len(worked(family)) >= 30
    assert {one.level for one in worked(family)} == {1, 2, 3, 4, 5}


def _is_worked(one: Sample) -> bool:
    return one.messages[-1].content != one.answer


@WORKED
def test_a_question_with_working_orders_no_bare_answer(family: Family) -> None:
    for one in worked(family):
        question = ALLOWED.sub("", one.prompt)
        assert ONLY.search(question) is None, one.prompt


@WORKED
def test_questions_with_working_are_no_unseen_template(family: Family) -> None:
    seen = [family.templates[index] for index in seen_templates(family)]
    unseen = [family.templates[index] for index in unseen_templates(family)]
    for statement in STATEMENTS[family.name]:
        head = statement.strip()
        if not any(head in template for template in seen):
            assert not any(head in template for template in unseen)


@EVERY
def test_content_and_templates_are_of_the_training_split(family: Family) -> None:
    unseen = {f"{family.name}@{family.version}#{n}" for n in unseen_templates(family)}
    evaluation = {item.turns[0] for item in probes([family], per_level=4, seed=0)}
    for level in range(1, 6):
        for index in range(10):
            _, problem = training_draw(family, level, f"key/{index}")
            assert not in_evaluation(problem.content)
    for one in samples(line(family, trace="0.5"), 40):
        assert one.origin.template not in unseen
        assert one.prompt not in evaluation


def test_a_candidate_depends_on_line_seed_and_index_alone() -> None:
    whole = samples(Line("reasoning", "", None, 500), 30, seed=3)
    pieces = [
        one
        for start in (0, 7, 20)
        for one in samples(
            Line("reasoning", "", None, 9, why="other words"),
            {0: 7, 7: 13, 20: 10}[start],
            seed=3,
            start=start,
        )
    ]
    assert [one.id for one in whole] == [one.id for one in pieces]
    assert [one.origin.index for one in whole] == list(range(30))
    other = samples(Line("reasoning", "", None, 500), 30, seed=4)
    assert len({one.id for one in whole} & {one.id for one in other}) < 5


def test_the_share_of_solutions_follows_the_setting() -> None:
    for share, low, high in (("0", 0, 0), ("0.25", 30, 75), ("1", 190, 200)):
        found = samples(Line("math", "", 2, 1, settings={"trace": share}), 200)
        assert low <= sum(map(_is_worked, found)) <= high
    assert not any(map(_is_worked, samples(Line("format", "", None, 1), 50)))


def test_lines_without_a_family_are_told_apart() -> None:
    assert serves(Line("math", "", None, 1))
    assert serves(Line("math", "math/ratio", 3, 1))
    assert not serves(Line("math", "math/geometry", 3, 1))
    assert not serves(Line("writing", "", None, 1))
    with pytest.raises(HarnessError, match="math/geometry"):
        families(Line("math", "math/geometry", 3, 1))
    with pytest.raises(HarnessError, match="trace"):
        list(program(Order(Line("math", "", 1, 1, settings={"trace": "2"}), 0, 0, 1), lambda _: []))


# A number or a calculation with numbers alone.
_EXPRESSION = re.compile(r"(?! *(?:[+×÷*/%％]|- ))[-0-9.+×÷*/%％() ]*[0-9)][-0-9.+×÷*/%％() ]*")


def equations(text: str) -> Iterator[tuple[str, str]]:
    """Neighbours in chains of equations between numbers alone."""
    for piece in re.split(r"[、。（），\n]|\([^()]*[^-0-9+×÷*/%.() ][^()]*\)", text):
        for chain in re.findall(r"[^ぁ-んァ-ヶー一-龥！-＄＆-／：-＜＞-～\[\]:<>!\"]+", piece):
            if "==" in chain or "=" not in chain:
                continue
            sides = [side.strip() for side in chain.split("=")]
            for left, right in pairwise(sides):
                if _EXPRESSION.fullmatch(left) and _EXPRESSION.fullmatch(right):
                    yield left, right


def value(expression: str, whole: bool) -> Fraction:
    """An expression's exact value; `whole` takes ÷ for the quotient without remainder."""
    python = expression.replace("×", "*").replace("％", "%").replace("÷", "//" if whole else "/")
    return _evaluate(ast.parse(python.strip(), mode="eval").body)


def _evaluate(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _evaluate(left), _evaluate(right)
            signs: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
                ast.Add: operator.add,
                ast.Sub: operator.sub,
                ast.Mult: operator.mul,
                ast.Div: operator.truediv,
                ast.FloorDiv: operator.floordiv,
                ast.Mod: operator.mod,
            }
            return Fraction(signs[type(op)](a, b))
    raise AssertionError(ast.dump(node))


def test_the_reader_of_equations_reads_what_solutions_write() -> None:
    assert list(equations("合計は84+77+73=234（点）です。")) == [("84+77+73", "234")]
    assert list(equations("x = 3 + 4 = 7、y = 2です。")) == [("3 + 4", "7")]
    assert list(equations("(4×3)÷(2×1)=12÷2=6（通り）")) == [("(4×3)÷(2×1)", "12÷2"), ("12÷2", "6")]
    assert value("20 - (-1)", False) == 21
    assert value("7÷2", False) == Fraction(7, 2)
    assert value("7 ÷ 2", True) == 3


@WORKED
def test_every_equation_of_a_solution_is_true(family: Family) -> None:
    seen = 0
    for level in range(1, 6):
        for one in samples(line(family, level), 8, seed=level):
            seen += _checked(one)
    if family.genre == "math" and family.name != "math/weekday":
        assert seen >= 40


def _checked(one: Sample) -> int:
    whole = one.skill == "coding/pseudocode"
    found = list(equations(one.messages[-1].content)) if _is_worked(one) else []
    for left, right in found:
        assert value(left, whole) == value(right, whole), (left, right, one.text)
    return len(found)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([one for one in FAMILIES if one.name in TRACERS]),
    st.integers(1, 5),
    st.integers(0, 10**9),
)
def test_solutions_find_the_answer_for_any_seed(family: Family, level: int, seed: int) -> None:
    for one in program(Order(line(family, level), seed, seed % 1000, 2), lambda prompts: []):
        assert isinstance(one, Sample), one
        _checked(one)


@pytest.mark.parametrize("level", range(1, 6))
def test_equations_of_the_unknown_hold_for_the_root(level: int) -> None:
    family = next(one for one in FAMILIES if one.name == "math/equation")
    for one in samples(line(family, level), 40):
        if level == 5 or not _is_worked(one):
            continue
        for side in re.findall(r"[-0-9x+×÷()]+=[-0-9x+×÷()]+", one.messages[-1].content):
            filled = re.sub(r"(\d)(?=[x(])", r"\1×", side).replace("x", one.answer)
            left, right = filled.split("=")
            assert value(left, False) == value(right, False), one.text


@WORKED
def test_solutions_are_polite_japanese_and_vary(family: Family) -> None:
    texts = [one.messages[-1].content for one in worked(family)]
    for text in texts:
        assert re.search(r"(?:です|ます|ません|ました|でした)(?:。|が|ので)", text), text
        assert "None" not in text
        assert "{" not in re.sub(r"\{[^{}]*\}", "", text)
    assert len(set(texts)) >= 0.9 * len(texts)
    problems = [training_draw(family, 3, f"same/{n}")[1] for n in range(1)]
    worded = set()
    for n in range(30):
        draw = random.Random(n)
        trace = work_out(draw, family.name, problems[0])
        if trace is not None:
            closing = draw.choice(closings(problems[0], trace))
            worded.add(traced_question(draw, family.name, problems[0], closing))
    assert len(worded) >= 15
