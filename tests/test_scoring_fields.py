"""Extracted fields compared by their types, and dates in all their spellings."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.scoring.dates import Day, read_date
from harness.scoring.fields import FIELD_TYPES, FieldType, verify_fields


def verdict(answer: Any, gold: Any, kind: FieldType) -> str:
    found = verify_fields(json.dumps({"k": answer}), json.dumps({"k": gold}), {"k": kind})
    return found.fields["k"]


EQUAL: list[tuple[FieldType, Any, Any]] = [
    ("date", "令和6年4月1日", "2024-04-01"),
    ("date", "2024/4/1", "2024-04-01"),
    ("date", "R6.4.1", "2024-04-01"),
    ("date", "２０２４年４月１日", "2024-04-01"),
    ("date", "二〇二四年四月一日", "2024-04-01"),
    ("date", "令和元年5月1日", "2019-05-01"),
    ("date", "平成31年4月30日", "2019/04/30"),
    ("date", "昭和64年1月7日", "1989-01-07"),
    ("date", 20240401, "2024-04-01"),
    ("date", "2024年4月1日(月)", "2024-04-01"),
    ("date", "2024年4月1日月曜日", "2024-04-01"),
    ("date", "4月1日", "四月一日"),
    ("date", "2024年4月", "令和6年4月"),
    ("number", "1,200円", 1200),
    ("number", "千二百円", "1200円"),
    ("number", "1.5時間", "90分"),
    ("number", 0.1, "0.1"),
    ("number", 12.0, 12),
    ("number", "１２名", 12),
    ("name", "佐藤　太郎 様", "佐藤太郎"),
    ("name", "佐藤 太郎さん", "佐藤太郎"),
    ("name", "ｻﾄｳ ﾀﾛｳ", "サトウタロウ"),
    ("name", "林さん", "林"),
    ("address", "東京都千代田区千代田１丁目１番１号", "東京都千代田区千代田1-1-1"),
    ("address", "〒100-0001 東京都千代田区千代田一丁目1番1号", "東京都千代田区千代田1ー1ー1"),
    ("address", "大阪市北区梅田3丁目1番3号 コーポ梅田101号室", "大阪市北区梅田3-1-3コーポ梅田101"),
    ("address", "京都市中京区四条通1番地の2", "京都市中京区四条通1-2"),
    ("address", "横浜市西区2の3の4", "横浜市西区2-3-4"),
    ("string", "ＡＢＣ　社", "ABC 社"),
    ("boolean", "True", True),
    ("boolean", False, False),
    ("date[]", ["2024/4/2", "令和6年4月1日"], ["2024-04-01", "2024-04-02"]),
    ("name[]", ["田中 花子 様"], ["田中花子"]),
    ("string", None, None),
]
UNEQUAL: list[tuple[FieldType, Any, Any]] = [
    ("date", "令和6年4月1日", "2023-04-01"),
    ("date", "平成6年4月1日", "2024-04-01"),
    ("date", "2024/1/4", "2024-04-01"),
    ("date", "4月1日", "2024-04-01"),
    ("date", "2024年4月1日(火)", "2024-04-01"),
    ("date", "2024年2月30日", "2024-03-01"),
    ("date", "令和40年13月1日", "2024-04-01"),
    ("date", "昭和70年1月1日", "1995-01-01"),
    ("date", "来月", "2024-04-01"),
    ("number", "1,200円", 12000),
    ("number", "1200円", "1200ドル"),
    ("number", "不明", 1200),
    ("number", "0.33", "1/3"),
    ("name", "佐藤次郎", "佐藤太郎"),
    ("name", "佐藤", "佐藤太郎"),
    ("name", "太郎佐藤", "佐藤太郎"),
    ("address", "千代田区千代田1-1-1", "東京都千代田区千代田1-1-1"),
    ("address", "東京都千代田区千代田1-11", "東京都千代田区千代田1-1-1"),
    ("address", "東京都千代田区三番町5", "東京都千代田区3-5"),
    ("address", "大阪府千代田区千代田1-1-1", "東京都千代田区千代田1-1-1"),
    ("string", "ABC社", "ABC 社"),
    ("string", "abc", "ABC"),
    ("boolean", True, False),
    ("date[]", ["2024-04-01"], ["2024-04-01", "2024-04-02"]),
    ("number[]", [1, 1, 2], [1, 2, 2]),
    ("string", None, "無"),
]


@pytest.mark.parametrize(("kind", "answer", "gold"), EQUAL)
def test_equal(kind: FieldType, answer: Any, gold: Any) -> None:
    assert verdict(answer, gold, kind) == verdict(gold, answer, kind) == "equal"


@pytest.mark.parametrize(("kind", "answer", "gold"), UNEQUAL)
def test_unequal(kind: FieldType, answer: Any, gold: Any) -> None:
    assert verdict(answer, gold, kind) == "unequal"


def test_types_count() -> None:
    assert verdict(5, "佐藤", "name") == "wrong type"
    assert verdict(True, 1, "number") == "wrong type"
    assert verdict("はい", True, "boolean") == "wrong type"
    assert verdict("a", ["a"], "string[]") == "wrong type"
    assert verdict(["2024-04-01"], "2024-04-01", "date") == "wrong type"


def test_each_field_has_its_verdict() -> None:
    gold = '{"氏名": "佐藤太郎", "日付": "2024-04-01", "金額": 1200, "備考": "なし"}'
    schema: dict[str, FieldType] = {
        "氏名": "name",
        "日付": "date",
        "金額": "number",
        "備考": "string",
    }
    answer = '{"金額": "1,200円", "日付": "令和6年4月2日", "氏名": "佐藤 太郎", "電話": "0"}'
    found = verify_fields(answer, gold, schema)
    assert found.fields == {
        "氏名": "equal",
        "日付": "unequal",
        "金額": "equal",
        "備考": "missing",
        "電話": "unexpected",
    }
    assert not found.equal
    assert found.share == 2 / 5
    assert verify_fields(gold, gold, schema).equal


def test_an_answer_that_is_no_object() -> None:
    found = verify_fields("申し訳ありません", '{"a": 1}', {"a": "number"})
    assert (found.fault, found.equal, found.share) == ("not valid JSON", False, 0.0)
    assert verify_fields('{"a": 1, "a": 1}', '{"a": 1}', {"a": "number"}).fault


@pytest.mark.parametrize(
    ("gold", "schema", "words"),
    [
        ("[]", {"a": "date"}, "expected an object"),
        ('{"b": 1}', {"a": "date"}, "no key 'a'"),
        ('{"a": "来月"}', {"a": "date"}, "is no date"),
        ('{"a": "いくつか"}', {"a": "number"}, "is no number"),
        ('{"a": 1}', {"a": "colour"}, "expected one of date"),
    ],
)
def test_a_faulty_gold_is_told(gold: str, schema: dict[str, FieldType], words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        verify_fields('{"a": 1}', gold, schema)


# --- properties ---

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
GOLDS: dict[FieldType, Any] = {
    "date": "2024-04-01", "number": 12, "name": "佐藤太郎", "address": "港区1-2", "string": "あ",
    "boolean": True, "date[]": ["2024-04-01"], "number[]": [1, 2], "name[]": ["林"],
    "address[]": ["港区1-2"], "string[]": [], "boolean[]": [True],
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JSON, st.sampled_from(FIELD_TYPES))
def test_any_value_gets_a_verdict(value: Any, kind: FieldType) -> None:
    assert verdict(value, GOLDS[kind], kind) in ("equal", "unequal", "wrong type")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gets_verdicts(text: str) -> None:
    found = verify_fields(text, '{"a": "2024-04-01"}', {"a": "date"})
    assert "a" in found.fields
    assert 0.0 <= found.share <= 1.0


@settings(max_examples=300, deadline=None)
@given(st.dates(date(1868, 2, 1), date(2100, 12, 31)))
def test_a_day_is_itself_in_every_spelling(day: date) -> None:
    spellings = [f"{day:%Y-%m-%d}", f"{day.year}年{day.month}月{day.day}日", f"{day:%Y%m%d}"]
    spellings += [f"{day.year}/{day.month}/{day.day}", f"{day.year}.{day.month}.{day.day}"]
    for era, letter, before, first in (
        ("令和", "R", 2018, date(2019, 5, 1)),
        ("平成", "H", 1988, date(1989, 1, 8)),
        ("昭和", "S", 1925, date(1926, 12, 26)),
        ("大正", "T", 1911, date(1912, 7, 31)),
        ("明治", "M", 1867, date(1868, 1, 25)),
    ):
        if day >= first:
            year = day.year - before
            spellings.append(f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日")
            spellings.append(f"{letter}{year}.{day.month}.{day.day}")
            break
    spellings.append(f"{spellings[1]}({'月火水木金土日'[day.weekday()]})")
    for spelling in spellings:
        assert read_date(spelling, compact=True) == Day(day.year, day.month, day.day), spelling


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_dates_are_read_or_refused(text: str) -> None:
    read_date(text, compact=True)


@settings(max_examples=100, deadline=None)
@given(st.permutations(list(GOLDS)))
def test_key_order_is_free(keys: list[FieldType]) -> None:
    schema = {kind: kind for kind in FIELD_TYPES}
    answer = json.dumps({key: GOLDS[key] for key in keys})
    assert verify_fields(answer, json.dumps(GOLDS), schema).equal
