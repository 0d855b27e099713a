"""Items of code: their schema, hash and faults; values and outputs that are equal."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.items import FormatRule, Item, check_item
from harness.items.code_task import CodeTask, CodeTest
from harness.items.load import load_items
from harness.scoring import compare, gold_fault
from harness.scoring.code.equal import same_output, same_value

TASK = CodeTask(
    "function",
    "double",
    "calls",
    (CodeTest(args=(3,), expected=6),),
    reference="def double(n):\n    return n * 2\n",
)


def item(task: CodeTask | None = TASK, **changes: Any) -> Item:
    made = Item(
        "own/1", "coding", ("2倍を返す関数doubleを",), "", FormatRule("free"), "code", code=task
    )
    return dataclasses.replace(made, **changes)


def test_a_task_is_part_of_the_hash_and_its_reference_is_not() -> None:
    plain = Item("a", "coding", ("1+1は？",), "2", FormatRule("integer"), "number")
    # As it was before items had code.
    assert plain.hash.startswith("6574e0ad03e5fe4f")
    other = dataclasses.replace(TASK, tests=(CodeTest(args=(3,), expected=7),))
    again = dataclasses.replace(TASK, reference="def double(n): return n + n")
    assert item().hash != item(other).hash
    assert item().hash == item(again).hash
    assert check_item(item()) is None
    assert gold_fault(item()) is None
    with pytest.raises(ValueError, match="code has no gold"):
        compare("code", "x", item())


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (item(None), "go together"),
        (item(metric="exact"), "go together"),
        (item(format=FormatRule("integer")), "go together"),
        (item(answer="x"), "expected none of them beside `code`"),
        (item(turns=("a", "b")), "expected one user message"),
        (item(level=6), "expected 1 to 5"),
        (item(dataclasses.replace(TASK, tests=())), "one or more hidden tests"),
        (item(dataclasses.replace(TASK, entry_point="a b")), "expected the function's name"),
        (item(dataclasses.replace(TASK, kind="program")), "go together"),
        (item(dataclasses.replace(TASK, tolerance=math.nan)), "small positive number"),
        (item(dataclasses.replace(TASK, tests=(CodeTest(expected=1),))), "lacks `args`"),
        (
            item(dataclasses.replace(TASK, tests=(CodeTest(args=(), stdin=""),))),
            "fields of another kind",
        ),
        (item(dataclasses.replace(TASK, checks="assert-file")), "lacks `source`"),
        (
            item(CodeTask("program", "f", "stdio", (CodeTest(stdin="", stdout=""),))),
            "expected none",
        ),
    ],
)
def test_faults(faulty: Item, message: str) -> None:
    assert message in (check_item(faulty) or "")


def test_misspelt_fields_are_named_with_their_line(tmp_path: Path) -> None:
    row = json.loads(json.dumps(dataclasses.asdict(item())))
    row = {k: v for k, v in row.items() if k in ("id", "genre", "turns", "answer", "metric")}
    row |= {"format": {"kind": "free"}}
    test = {"args": [3], "expected": 6}
    code = {"kind": "function", "entry_point": "double", "checks": "calls", "tests": [test]}
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({**row, "code": code}), encoding="utf-8")
    assert load_items(path)[0].code == dataclasses.replace(TASK, reference="")
    for broken, message in (
        ({**code, "entrypoint": 1}, "did you mean `code.entry_point`?"),
        ({**code, "tests": [{"args": [3]}]}, r"missing `code.tests\[0\].expected`"),
        ({**code, "tests": [{**test, "expects": 1}]}, r"unknown field 'code.tests\[0\].expects'"),
        ({**code, "kind": "haiku"}, "wrong value"),
    ):
        path.write_text(json.dumps({**row, "code": broken}), encoding="utf-8")
        with pytest.raises(HarnessError, match=rf"own.jsonl:1: .*{message}"):
            load_items(path)


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        (3, 3, True),
        (3, 3.0, True),
        (1, True, False),
        (True, 1, False),
        (False, False, True),
        (None, None, True),
        (None, 0, False),
        ("3", 3, False),
        ([1, [2]], (1, (2,)), True),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (0.3, 0.1 + 0.2, False),
        ("あ", "あ", True),
        (math.nan, math.nan, False),
    ],
)
def test_same_value(expected: Any, found: Any, same: bool) -> None:
    assert same_value(expected, found) is same


def test_tolerance_is_absolute_or_relative() -> None:
    assert same_value([0.3], [0.1 + 0.2], 1e-9)
    assert same_value(1e12, 1e12 + 1, 1e-9)
    assert same_value(0.0, 1e-10, 1e-9)
    assert not same_value(0.0, 1e-8, 1e-9)
    assert not same_value(math.nan, math.nan, 1e-9)


def test_same_output() -> None:
    assert same_output("1\n2\n", "1 \r\n2")
    assert same_output("", "\n\n")
    assert not same_output("1\n2", "1\n\n2")
    assert not same_output("1", " 1")
    assert not same_output("あ", "ア")
