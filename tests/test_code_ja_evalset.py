"""The evalset `code-ja`: sound, right by two programs, and with tests that notice mistakes."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from harness.items.load import find_evalset, load_evalset
from harness.items.schema import Item
from harness.scoring.code.extract import extract_code, well_formed
from harness.scoring.code.types import code_run
from tests.code_equivalent import EQUIVALENT
from tests.code_mutants import mutants, survivors, table
from tests.code_runner import run_trusted
from tests.code_second_solutions import SECOND

EVALSET = load_evalset(find_evalset("code-ja"))
ITEMS = {item.id.removeprefix("code-ja/"): item for item in EVALSET.items}
KINDS = ("function", "complete", "fix", "explain", "program")


def counts() -> list[str]:
    """The table of the card: problems by kind and level, and hidden tests."""
    lines = ["| kind | level 1 | 2 | 3 | 4 | all | hidden tests |", "|---|--:|--:|--:|--:|--:|--:|"]
    for kind in (*KINDS, "all"):
        found = [i for i in EVALSET.items if i.code and kind in (i.code.kind, "all")]
        levels = Counter(item.level for item in found)
        tests = sum(len(item.code.tests) for item in found if item.code)
        row = [levels[n] for n in (1, 2, 3, 4)]
        lines.append("| " + " | ".join(map(str, [kind, *row, len(found), tests])) + " |")
    return lines


def test_the_card_counts_what_is_there() -> None:
    assert "\n".join(counts()) in EVALSET.card
    levels = Counter(item.level for item in EVALSET.items)
    assert len(EVALSET.items) >= 60
    assert min(levels[level] for level in (1, 2, 3, 4)) >= 15
    assert f"{len(SECOND)} of the {len(ITEMS)} problems" in EVALSET.card
    for name, (reason, _) in EQUIVALENT.items():
        assert f"- `{name}`: {reason}" in EVALSET.card


@pytest.mark.parametrize("name", ITEMS)
def test_a_problem_is_whole(name: str) -> None:
    item = ITEMS[name]
    task, prompt = item.code, item.turns[0]
    assert task is not None
    assert item.genre == "coding"
    assert name == f"{task.kind}/{name[-3:]}"
    assert len(task.tests) >= 6
    assert len({repr((test.args, test.stdin)) for test in task.tests}) == len(task.tests)
    assert "コードブロック1つだけ" in prompt
    assert (task.kind == "explain") == ("「です・ます」調の文章で" in prompt)
    assert task.given.rstrip() in prompt
    if task.kind == "program":
        assert re.search("入力例1：\n```\n.*\n```\n出力例1：\n```\n", prompt, re.S)
        assert "プログラム" in prompt
    else:
        assert f"def {task.entry_point}(" in task.given
        assert f">>> {task.entry_point}(" in task.given
        assert task.kind != "complete" or "# ここを書く" in task.given


def test_references_pass_and_given_code_does_not() -> None:
    tasks = [item.code for item in EVALSET.items if item.code]
    outcomes = run_trusted([code_run(task, task.reference) for task in tasks])
    assert {one.verdict for one in outcomes} == {"passed"}
    broken = [task for task in tasks if task.kind in ("complete", "fix")]
    outcomes = run_trusted([code_run(task, task.given) for task in broken], seconds=0.3)
    assert "passed" not in {one.verdict for one in outcomes}


def test_an_explained_reference_has_the_form_that_its_prompt_asks_for() -> None:
    tasks = [item.code for item in EVALSET.items if item.code and item.code.kind == "explain"]
    assert len(tasks) >= 14
    for task in tasks:
        block = f"```python\n{task.reference}```"
        told = "場合を順に調べて、答えを求めます。\n\n"
        assert well_formed(told + block, task) == task.reference.rstrip("\n")
        assert extract_code(told + block, task) == task.reference.rstrip("\n")
        assert well_formed(block, task) is None


def test_second_solutions_pass() -> None:
    tasks = [ITEMS[name].code for name in SECOND]
    runs = [
        code_run(task, source)
        for task, source in zip(tasks, SECOND.values(), strict=True)
        if task is not None
    ]
    outcomes = run_trusted(runs)
    failed = {
        name: one for name, one in zip(SECOND, outcomes, strict=True) if one.verdict != "passed"
    }
    assert failed == {}
    assert len(SECOND) >= 30


def test_the_mutator_makes_every_kind_of_mistake() -> None:
    source = "def f(xs):\n    for i in range(len(xs)):\n        if xs[i] > 1 and not xs[1:]:\n"
    source += "            return i + 1\n    return True\n"
    labels = " ".join(label for label, _ in mutants(source))
    for mistake in ("Gt → GtE", "and ↔ or", "not condition", "Add → Sub", "return None"):
        assert mistake in labels
    for mistake in ("range argument 0 -1", "slice lower +1", "1 +1", "True → False"):
        assert mistake in labels


@pytest.mark.parametrize(
    "name", ["function/013", "complete/012", "fix/010", "explain/009", "program/016"]
)
def test_hidden_tests_notice_mistakes(name: str) -> None:
    item: Item = ITEMS[name]
    made, alive = survivors(item)
    assert made > 10
    assert set(alive) == set(EQUIVALENT.get(name, ("", ()))[1])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_card_shows_how_many_mutants_die() -> None:
    assert "\n".join(table()) in EVALSET.card
