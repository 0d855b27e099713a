"""Items that a judge rates: their fields, their faults, and the rules that decide a turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.check import Check
from harness.items.load import load_items
from harness.scoring import gold_fault
from harness.scoring.code.types import CodeOutcome, CodeRun
from harness.scoring.verify import check_fault, verify

CODE = {
    "kind": "function",
    "entry_point": "twice",
    "checks": "calls",
    "tests": [{"args": [2], "expected": 4}],
}
FIELDS = {
    "氏名": {"type": "name", "value": "佐藤太郎"},
    "日付": {"type": "date", "value": "2024-04-01"},
}


def line(**changes: Any) -> str:
    item = {
        "id": "mt/001",
        "genre": "math",
        "turns": ["6人に7個ずつ配ると、いくつ要りますか。", "その半分はいくつですか。"],
        "answer": "",
        "format": {"kind": "free"},
        "metric": "judge",
        "references": ["42個です。", "21個です。"],
        "rubric": ["式を書く。", ""],
        "checks": [{"math": "42"}, None],
    }
    return json.dumps(item | changes, ensure_ascii=False)


def read(tmp_path: Path, *lines: str) -> Any:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return load_items(path)


def check(**one: Any) -> Check:
    return msgspec.convert(one, Check)


def decided(raw: str, run: Any = None, prompt: str = "いくつですか。", **one: Any) -> float | None:
    made = check(**one)
    assert check_fault(made) is None
    return verify(made, raw, prompt, run)


def test_a_judged_item_is_read_whole_and_hashed_whole(tmp_path: Path) -> None:
    item, *others = read(
        tmp_path,
        line(),
        line(id="b", references=["42", "21"]),
        line(id="c", rubric=[]),
        line(id="d", checks=[{"math": "43"}, None]),
        line(id="e", checks=[None, {"math": "42"}]),
    )
    assert item.references[1] == "21個です。"
    assert item.checks == (check(math="42"), None)
    assert gold_fault(item) is None
    assert len({item.hash, *(one.hash for one in others)}) == 5


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"format": {"kind": "integer"}}, "`format.kind` is not free"),
        ({"answer": "42"}, "expected `references` and `checks` instead"),
        ({"references": ["42"]}, "1 `references` for 2 turns, expected one a turn"),
        ({"rubric": ["a", "b", "c"]}, "3 `rubric` for 2 turns"),
        ({"level": 6}, "`level` is 6"),
        ({"checks": [{}, None]}, "`checks[0]`: holds nothing, expected exactly one of math"),
        ({"checks": [{"math": "1", "exact": ["1"]}, None]}, "holds math, exact"),
        ({"checks": [{"mth": "1"}, None]}, "unknown field 'checks[0].mth'"),
        ({"checks": [None, {"math": "？？"}]}, "`checks[1]`: `math` '？？' cannot be read"),
        (
            {"checks": [None, {"choice": {"labels": ["A", "B"], "answer": "C"}}]},
            "is not one of A, B",
        ),
        ({"checks": [None, {"choice": {"labels": ["A"]}}]}, "missing `checks[1].choice.answer`"),
        ({"checks": [None, {"code": {**CODE, "tests": []}}]}, "`code.tests` is empty"),
        ({"checks": [None, {"code": {**CODE, "x": 1}}]}, "unknown field 'checks[1].code.x'"),
        ({"checks": [None, {"constraints": [{"id": "no:such"}]}]}, "unknown instruction id"),
        ({"checks": [None, {"exact": [" "]}]}, "`exact` holds a blank text"),
        ({"checks": [None, {"json": {"fields": {"a": {"type": "x", "value": 1}}}}]}, "is 'x'"),
        (
            {"checks": [None, {"json": {"fields": {"a": {"type": "date", "value": "晴れ"}}}}]},
            "no date",
        ),
        ({"checks": [None, {"json": {"fields": {"a": {"type": "date"}}}}]}, "fields.a.value`"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(HarnessError) as raised:
        read(tmp_path, line(), line(id="x", turns=["別の問い", "次"], **changes))
    assert str(raised.value).startswith(f"{tmp_path / 'a.jsonl'}:2: ")
    assert fault in str(raised.value)


def test_only_judged_items_have_references(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="only where `metric` is judge"):
        read(tmp_path, line(metric="exact", answer="42", format={"kind": "integer"}))


def test_math_is_decided_by_value() -> None:
    assert decided("6×7なので、答えは42個です。", math="42") == 1.0
    assert decided("<think>41かな</think>答えは四十二です。", math="42") == 1.0
    assert decided("答えは41です。", math="42") == 0.0
    assert decided("分かりません。", math="42") == 0.0
    assert decided("", math="42") == 0.0


def test_a_choice_is_decided_by_its_label() -> None:
    options = {"labels": ["ア", "イ", "ウ"], "answer": "イ"}
    assert decided("正解はイです。", choice=options) == 1.0
    assert decided("正解はウです。", choice=options) == 0.0
    assert decided("アかイでしょう。", choice=options) == 0.0


def test_an_object_is_decided_field_by_field() -> None:
    fields = {"fields": FIELDS}
    right = '{"氏名": "佐藤 太郎", "日付": "令和6年4月1日"}'
    assert decided(f"以下の通りです。\n```json\n{right}\n```", json=fields) == 1.0
    assert decided(right.replace("4月", "5月"), json=fields) == 0.0
    assert decided(right[:-1] + ', "備考": ""}', json=fields) == 0.0
    assert decided(f"{right}\n{right.replace('佐藤', '加藤')}", json=fields) == 0.0
    assert decided("ありません", json=fields) == 0.0


def test_constraints_are_all_kept() -> None:
    both = [
        {"id": "harness:keywords:existence", "kwargs": {"keywords": ["金閣"]}},
        {"id": "ja:letters:no_katakana"},
    ]
    assert decided("金閣は北山にある。", constraints=both) == 1.0
    assert decided("金閣はキタヤマにある。", constraints=both) == 0.0
    assert decided("<think>カタカナ</think>金閣は北山にある。", constraints=both) == 1.0


def test_an_exact_answer_may_stand_in_a_sentence() -> None:
    assert decided("東京", exact=["東京", "東京都"]) == 1.0
    assert decided("答えは「東京都」です。", exact=["東京", "東京都"]) == 1.0
    assert decided("答えは大阪です。", exact=["東京"]) == 0.0


def test_a_program_is_run_or_stays_undecided() -> None:
    ran: list[CodeRun] = []

    def run(one: CodeRun) -> CodeOutcome:
        ran.append(one)
        return CodeOutcome("passed" if "x * 2" in one.source else "failed", 1)

    right = "こちらです。\n```python\ndef twice(x):\n    return x * 2\n```"
    assert decided(right, None, code=CODE) is None
    assert decided(right, run, code=CODE) == 1.0
    assert decided(right.replace("x * 2", "x"), run, code=CODE) == 0.0
    assert decided("できません。", run, code=CODE) == 0.0
    assert [one.entry_point for one in ran] == ["twice", "twice"]


@given(st.text(max_size=200))
def test_no_text_breaks_a_rule(raw: str) -> None:
    for one in (
        {"math": "42"},
        {"choice": {"labels": ["A", "B"], "answer": "A"}},
        {"json": {"fields": FIELDS}},
        {"constraints": [{"id": "ja:letters:no_katakana"}]},
        {"exact": ["東京"]},
    ):
        assert verify(check(**one), raw, "問い", None) in (0.0, 1.0, None)
