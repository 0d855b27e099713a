"""Format drills, dialogues whose premise changes and coding problems: right, in the form asked for,
reproducible."""

from __future__ import annotations

import random

import pytest

from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.code_task import CodeTask
from harness.items.schema import check_item
from harness.protocols.jaster import LLMJP_INTRO, NEJUMI_INTRO
from harness.sandbox import best_level, shared_runner
from harness.scoring import format_fault, gold_fault, score_answer
from harness.scoring.code.score import score_code
from harness.scoring.code.types import CodeOutcome, code_run
from harness.scoring.shape import SHAPES, wrong_shape
from training.synthesis import code_problems, premises
from training.synthesis.code_problems import code_program
from training.synthesis.code_steps import (
    list_ends,
    list_steps,
    number_ends,
    number_steps,
    string_ends,
    string_steps,
)
from training.synthesis.drill_tasks import CURES, KINDS, WARNINGS, families_of
from training.synthesis.drills import drill
from training.synthesis.premises import premise_change
from training.synthesis.program import serves
from training.synthesis.types import Dropped, Generator, Order, Sample


def made(generator: Generator, line: Line, count: int, seed: int = 0) -> list[Sample | Dropped]:
    return list(generator(Order(line, seed, 0, count), lambda prompts: []))


def samples(generator: Generator, line: Line, count: int, seed: int = 0) -> list[Sample]:
    return [one for one in made(generator, line, count, seed) if isinstance(one, Sample)]


def drills(count: int, **settings: str) -> list[Sample]:
    return samples(drill, Line("format", "", None, 1, settings=settings), count)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_have_exactly_the_form_asked_for(kind: str) -> None:
    found = drills(40, kinds=kind)
    assert len(found) >= 35
    for one in found:
        assert one.item is not None
        assert one.proof.proven
        assert one.messages[-1].content == one.answer == one.item.answer
        assert one.item.turns[-1] == one.messages[-2].content
        assert check_item(one.item) is None
        assert gold_fault(one.item) is None
        assert wrong_shape(one.answer, one.item.format, one.item.turns[-1]) == ""
        assert [score.value for score in score_answer(one.item, one.answer, "stop")] == [1, 1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_examples_show_answers_of_the_same_form(kind: str) -> None:
    shown = drills(30, kinds=kind, shots="1")
    turns = [one for one in shown if len(one.messages) > 2 and one.messages[1].role != "user"]
    for one in turns:
        assert one.item is not None
        for message, before in zip(one.messages[1:-1], one.messages, strict=False):
            if message.role == "assistant" and one.item.format.kind != "json":
                assert format_fault(message.content, one.item.format, before.content) is None
    assert {message.role for one in turns for message in one.messages} >= {"user", "assistant"}
    assert any(len(one.messages) == 2 for one in shown)
    assert all(
        message.content for one in drills(20, kinds=kind, shots="0") for message in one.messages
    )


def test_no_frame_is_that_of_a_protocol() -> None:
    for one in drills(200, shots="1"):
        assert LLMJP_INTRO not in one.text
        assert NEJUMI_INTRO not in one.text
        assert "### 指示" not in one.text
        assert "### 応答" not in one.text


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_report_has_its_drills(shape: str) -> None:
    found = drills(12, shapes=shape)
    assert found
    kinds = {one.origin.template.split(" of ")[0] for one in found}
    assert kinds <= set(CURES.get(shape, tuple(KINDS)))


def test_a_shape_is_warned_of_in_some_drills() -> None:
    shape = "number with a unit"
    found = drills(60, shapes=shape)
    warned = [one for one in found if any(text in one.text for text in WARNINGS[shape])]
    assert 15 <= len(warned) <= 55


def test_labels_are_those_that_are_set() -> None:
    found = drills(40, kinds="options", labels="い,ろ,は")
    assert {one.answer for one in found} == {"い", "ろ", "は"}
    entailed = drills(40, kinds="entailment", labels="yes,no,maybe", shots="0.5")
    assert {one.answer for one in entailed} == {"yes", "no", "maybe"}
    again = drills(40, kinds="entailment", labels="yes,no,maybe", shots="0.5")
    assert [one.id for one in entailed] == [one.id for one in again]


def test_a_familys_skill_is_the_only_one_drilled() -> None:
    line = Line("math", "math/ratio", 2, 1)
    found = samples(drill, line, 20)
    assert {one.skill for one in found} == {"math/ratio"}
    assert all("math/ratio" in one.origin.template and one.level == 2 for one in found)


def test_faulty_settings_are_named() -> None:
    for settings, told in (
        ({"shapes": "no such shape"}, "no such shape"),
        ({"kinds": "poem"}, "poem"),
        ({"kinds": "entailment", "labels": "yes,no"}, "three"),
    ):
        with pytest.raises(HarnessError, match=told):
            drills(3, **settings)
    with pytest.raises(HarnessError, match="math/ratio"):
        made(drill, Line("math", "math/ratio", 1, 1, settings={"kinds": "json"}), 1)


def test_every_kind_has_families() -> None:
    assert all(families_of(kind) for kind in KINDS)


@pytest.mark.parametrize("genre", premises.GENRES)
def test_second_turns_change_one_premise(genre: str) -> None:
    line = Line(genre, "", None, 1)
    found = samples(premise_change, line, 40)
    assert len(found) >= 32
    changed = 0
    for one in found:
        assert one.item is not None
        first, answer, second, last = one.messages
        assert [message.role for message in one.messages] == ["user", "assistant"] * 2
        assert one.item.turns == (first.content, second.content)
        assert one.proof.proven
        assert check_item(one.item) is None
        assert score_answer(one.item, last.content, "stop")[2].value == 1
        changed += one.answer not in answer.content.split("\n")[-1]
    assert changed >= 0.6 * len(found)
    again = samples(premise_change, line, 40)
    assert [one.id for one in found] == [one.id for one in again]


def test_lines_without_dialogues_are_named() -> None:
    assert premises.serves(Line("math", "math/ratio", None, 1))
    assert not premises.serves(Line("coding", "", None, 1))
    with pytest.raises(HarnessError, match="math/sequence"):
        made(premise_change, Line("math", "math/sequence", 1, 1), 1)


def _sandbox() -> None:
    try:
        best_level()
    except HarnessError:
        pytest.skip("no sandbox here")


def test_coding_problems_are_proven_in_the_sandbox() -> None:
    _sandbox()
    line = Line("coding", "", None, 1)
    found = samples(code_program, line, 40)
    assert len(found) >= 30
    for one in found:
        assert one.item is not None
        assert one.item.code is not None
        assert check_item(one.item) is None
        assert one.proof.method == "execution"
        assert one.proof.proven
        assert one.item.code.entry_point in one.prompt
    runner = shared_runner()
    for one in found[:6]:
        assert one.item is not None
        task = one.item.code
        assert task is not None

        def run(source: str, task: CodeTask = task) -> CodeOutcome:
            return runner([code_run(task, source)])[0]

        scores = score_code(task, one.messages[-1].content, "stop", run)
        assert [score.value for score in scores] == [1, 1, 1, 1]
    assert {one.skill for one in found} == {one.skill for one in code_problems.SUBJECTS}
    again = samples(code_program, line, 40)
    assert [one.id for one in found] == [one.id for one in again]


def test_a_program_that_differs_from_its_steps_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    _sandbox()

    def wrong(draw: random.Random, name: str, parameter: str, *rest: object) -> str:
        return f"def {name}({parameter}):\n    return None"

    monkeypatch.setattr(code_problems, "_program", wrong)
    found = made(code_program, Line("coding", "coding/number", 3, 1), 4)
    assert "verification" in {one.stage for one in found if isinstance(one, Dropped)}
    assert len(found) == 4
    assert all(isinstance(one, Dropped) for one in found)


def test_every_step_does_what_its_program_does() -> None:
    """Each step's text is run here, as its function is, on values of its kind."""
    values = {
        list_steps: ([], [4], [3, 8, 3, 12, 0, 55], [9, 9, 1]),
        list_ends: ([], [4], [3, 8, 3, 12, 0, 55], [9, 9, 1]),
        string_steps: ("", "a", "hello big world 20", "aab  bcc"),
        string_ends: ("", "a", "level", "hello big world 20"),
        number_steps: (0, 7, 10, 120, 4096),
        number_ends: (0, 7, 10, 120, 4096),
    }
    count = 0
    for maker, inputs in values.items():
        for seed in range(6):
            for step in maker(random.Random(seed)):
                body = "\n".join(f"    {line}" for line in step.lines)
                end = "" if "return" in step.lines[-1] else "\n    return x"
                space: dict[str, object] = {}
                exec(f"def f(x):\n{body}{end}", space)
                function = space["f"]
                assert callable(function)
                for value in inputs:
                    given = list(value) if isinstance(value, list) else value
                    assert function(given) == step.apply(value), (step.name, value)
                    count += 1
    assert count > 500


def test_lines_of_other_genres_have_no_coding_problems() -> None:
    assert code_problems.serves(Line("coding", "coding/list", None, 1))
    assert not code_problems.serves(Line("math", "", None, 1))
    assert serves(Line("coding", "coding/list", None, 1))
    with pytest.raises(HarnessError, match="coding/tax"):
        made(code_program, Line("coding", "coding/tax", 1, 1), 1)
