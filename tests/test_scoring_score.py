"""Format rules, failure classes and the three scores of an answer."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.items.schema import FormatRule, Item, JsonType, Metric
from harness.scoring import (
    FAILURES,
    Score,
    classify,
    extract,
    format_fault,
    gold_fault,
    normalise,
    score_answer,
    score_choice,
)

PROMPT = "夏目漱石は1867年に江戸で生まれた。彼の生まれた土地を答えてください。"
ABCD = FormatRule("choice", labels=("A", "B", "C", "D"))
KEYS: dict[str, JsonType] = {"名前": "string", "数": "integer", "値": "number", "可": "boolean"}
LISTS: dict[str, JsonType] = {"語": "strings", "数": "integers"}

FAULTS = [
    (ABCD, "A", None),
    (ABCD, " A\n", None),
    (ABCD, "Aです", "trailing text after the label"),
    (ABCD, "A。", "trailing text after the label"),
    (ABCD, "Ａ", "full-width or invisible characters around or in the label"),
    (ABCD, "　A", "full-width or invisible characters around or in the label"),
    (ABCD, "答えはA", "text before the label"),
    (ABCD, "a", "not one of the labels"),
    (ABCD, "", "empty answer"),
    (FormatRule("integer"), "12", None),
    (FormatRule("integer"), "-12", None),
    (FormatRule("integer"), "12.0", "decimal part where an integer was asked"),
    (FormatRule("integer"), "１２", "full-width digits or sign"),
    (FormatRule("integer"), "−12", "full-width digits or sign"),
    (FormatRule("integer"), "1,234", "thousands separator"),
    (FormatRule("integer"), "12円", "text beside the number, expected an integer alone"),
    (FormatRule("integer"), "+12", "text beside the number, expected an integer alone"),
    (FormatRule("integer"), "十二", "not an integer"),
    (FormatRule("integer"), "٣", "not an integer"),
    (FormatRule("number"), "2.50", None),
    (FormatRule("number"), "2.", "text beside the number, expected a number alone"),
    (FormatRule("span"), "江戸", None),
    (FormatRule("span"), "江戸\n東京", "2 lines, expected 1"),
    (FormatRule("span"), "「江戸」", "surrounding quotes"),
    (FormatRule("span"), "「江」と「戸」", None),
    (FormatRule("span", max_chars=3), "江戸の町", "4 characters, expected at most 3"),
    (FormatRule("span", verbatim=True), "江戸", None),
    (FormatRule("span", verbatim=True), "東京", "not a verbatim part of the prompt"),
    (FormatRule("json", keys=KEYS), '{"名前": "a", "数": 1, "値": 1.5, "可": true}', None),
    (FormatRule("json", keys=KEYS), '{"名前": "a", "数": 1, "値": 2, "可": false}', None),
    (
        FormatRule("json", keys=KEYS),
        '{"名前": "a", "数": true, "値": 2, "可": false}',
        "'数' is not an integer",
    ),
    (
        FormatRule("json", keys=KEYS),
        '{"名前": "a", "数": 1.0, "値": 2, "可": false}',
        "'数' is not an integer",
    ),
    (
        FormatRule("json", keys=KEYS),
        '{"名前": 1, "数": 1, "値": 2, "可": false}',
        "'名前' is not a string",
    ),
    (
        FormatRule("json", keys=KEYS),
        '{"名前": "a", "数": 1, "値": false, "可": false}',
        "'値' is not a number",
    ),
    (FormatRule("json", keys=KEYS), '{"名前": "a", "数": 1, "値": 1}', "missing key '可'"),
    (FormatRule("json", keys=LISTS), '{"語": [], "数": [1, 2]}', None),
    (FormatRule("json", keys=LISTS), '{"語": ["a", 1], "数": []}', "'語' is not a list of strings"),
    (FormatRule("json", keys=LISTS), '{"語": [], "数": [true]}', "'数' is not a list of integers"),
    (FormatRule("json", keys=LISTS), '{"語": [], "数": [], "x": 1}', "unexpected key 'x'"),
    (FormatRule("json", keys=LISTS), '{"語": [], "数": [], "数": []}', "a key is given twice"),
    (FormatRule("json", keys=LISTS), '```json\n{"語": [], "数": []}\n```', "code fence"),
    (FormatRule("json", keys=LISTS), '{"語": [], "数": []} です', "not valid JSON"),
    (FormatRule("json", keys=LISTS), "{'語': [], '数': []}", "not valid JSON"),
    (FormatRule("json", keys=LISTS), "[]", "JSON, but not an object"),
    (FormatRule("lines"), "東京\n大阪", None),
    (FormatRule("lines", count=2), "東京\n大阪\n京都", "3 lines, expected 2"),
    (FormatRule("lines"), "東京\n\n大阪", "blank line between entries"),
    (FormatRule("lines"), "- 東京\n- 大阪", "bullet or numbering before an entry"),
    (FormatRule("lines"), "1. 東京\n2. 大阪", "bullet or numbering before an entry"),
    (FormatRule("lines"), "①東京", "bullet or numbering before an entry"),
    (FormatRule("lines"), "-5\n1.5\n2024.4\n10:30\n3", None),
    (FormatRule("pattern", pattern=r"\d{4}年"), "2024年", None),
    (FormatRule("pattern", pattern=r"\d{4}年"), "2024年です", "does not match the pattern"),
]


@pytest.mark.parametrize(("rule", "raw", "fault"), FAULTS)
def test_format_fault(rule: FormatRule, raw: str, fault: str | None) -> None:
    assert format_fault(raw, rule, PROMPT) == fault


def test_pattern_a_gold_may_break() -> None:
    good = Item("i", "math", (PROMPT,), "12", FormatRule("integer"), "number", ("13",))
    assert gold_fault(good) is None
    faults = {
        "answer": Item("i", "math", (PROMPT,), "12円", FormatRule("integer"), "number"),
        "accept": Item("i", "math", (PROMPT,), "12", FormatRule("integer"), "number", ("一二",)),
    }
    for place, item in faults.items():
        assert str(gold_fault(item)).startswith(f"`{place}`")
    unscorable = Item("i", "math", (PROMPT,), "江戸", FormatRule("span"), "number")
    assert "does not score 1.0" in str(gold_fault(unscorable))
    padded = Item("i", "math", (PROMPT,), "江戸\n", FormatRule("span"), "exact")
    assert "white space" in str(gold_fault(padded))


# Realistic golds of every format.
words = st.sampled_from(
    [
        "東京",
        "夏目漱石",
        "第二次世界大戦",
        "カリフォルニア州",
        "NATO",
        "梅雨入り",
        "三日月",
        "U.S.A.",
    ]
)
label_sets = st.sampled_from(
    [
        ("A", "B", "C", "D"),
        ("0", "1", "2", "3", "4"),
        ("ア", "イ", "ウ", "エ"),
        ("はい", "いいえ"),
        ("entailment", "contradiction", "neutral"),
        ("含意", "矛盾", "中立"),
        ("正しい", "誤り", "判断できない"),
        ("可能", "不可能"),
        ("yes", "no", "unknown", "undef"),
        ("positive", "negative"),
        ("1", "2", "3", "4"),
        ("①", "②", "③"),
    ]
)


@st.composite
def choices(draw: st.DrawFn) -> Item:
    labels = draw(label_sets)
    return Item(
        "i",
        "reasoning",
        (PROMPT,),
        draw(st.sampled_from(labels)),
        FormatRule("choice", labels),
        "exact",
    )


@st.composite
def numeric(draw: st.DrawFn) -> Item:
    metric: Metric = draw(st.sampled_from(["number", "exact"]))
    if draw(st.booleans()):
        answer = str(draw(st.integers(-(10**12), 10**12)))
        return Item("i", "math", (PROMPT,), answer, FormatRule("integer"), metric)
    answer = f"{draw(st.decimals(-(10**6), 10**6, places=2)):f}"
    return Item("i", "math", (PROMPT,), answer, FormatRule("number"), metric)


@st.composite
def spans(draw: st.DrawFn) -> Item:
    metric: Metric = draw(st.sampled_from(["exact", "char_f1"]))
    return Item("i", "extraction", (PROMPT,), draw(words), FormatRule("span"), metric)


@st.composite
def lists(draw: st.DrawFn) -> Item:
    entries = draw(st.lists(words, min_size=2, max_size=5, unique=True))
    rule = FormatRule("lines", count=draw(st.sampled_from([None, len(entries)])))
    metric: Metric = draw(st.sampled_from(["exact", "set_f1"]))
    return Item("i", "format", (PROMPT,), "\n".join(entries), rule, metric)


@st.composite
def objects(draw: st.DrawFn) -> Item:
    gold = {
        "名前": draw(words),
        "数": draw(st.integers(-1000, 1000)),
        "値": draw(st.integers(0, 99) | st.sampled_from([0.5, 2.25])),
        "可": draw(st.booleans()),
    }
    answer = json.dumps(gold, ensure_ascii=False)
    return Item("i", "format", (PROMPT,), answer, FormatRule("json", keys=KEYS), "json")


any_item = st.one_of(choices(), numeric(), spans(), lists(), objects())
any_raw = st.one_of(
    st.text(max_size=80),
    st.text('ABCD答えは正解です。、「」\n 0123456789,.-{}":[]*` かもない', max_size=60),
    words,
)


def scores(item: Item, raw: str, finish_reason: str = "stop") -> dict[str, Score]:
    return {score.metric: score for score in score_answer(item, raw, finish_reason)}


@settings(deadline=None)
@given(any_item)
def test_the_gold_scores_one_everywhere(item: Item) -> None:
    assert gold_fault(item) is None
    assert score_answer(item, f"\n{item.answer} ", "stop") == (
        Score("strict", 1.0, None),
        Score("format", 1.0),
        Score("lenient", 1.0),
    )


@settings(deadline=None, max_examples=300)
@given(any_item, any_raw, st.sampled_from(["stop", "length"]))
def test_any_text_is_scored_consistently(item: Item, raw: str, finish_reason: str) -> None:
    found = scores(item, raw, finish_reason)
    strict, form, lenient = (found[name] for name in ("strict", "format", "lenient"))
    assert 0 <= strict.value <= lenient.value <= 1
    assert (form.value == 1.0) == (format_fault(raw, item.format, PROMPT) is None)
    assert (strict.failure is None) == (strict.value == 1.0)
    assert strict.failure is None or strict.failure in FAILURES
    assert form.failure is None
    assert lenient.failure is None
    if item.metric == "exact" and strict.value == 1.0:
        assert form.value == 1.0
    extract(raw, item).encode()  # holds no lone surrogate, so that it can be stored


@settings(deadline=None, max_examples=200)
@given(
    st.one_of(choices(), numeric()),
    st.sampled_from(
        ["答えは{}です。", "正解：{}", "答え: {}", "**{}**", "「{}」です。", "{}です",
         "最終的な答えは、「{}」です。", "解説を読みました。\n【答え】{}", "よって、\\boxed{{{}}}",
         "{}\n\n質問：ほかの問い\n答え：なし"]
    ),
)  # fmt: skip
def test_a_wrapped_label_or_number_loses_only_its_format(item: Item, frame: str) -> None:
    found = scores(item, frame.format(item.answer))
    assert found["lenient"].value == 1.0
    assert found["strict"] == Score("strict", 0.0, "format")
    assert found["format"].value == 0.0


@settings(deadline=None)
@given(
    spans(),
    st.sampled_from(["答えは{}です。", "「{}」", "{}。", "回答：「{}」\n理由は本文の通りです。"]),
)
def test_a_wrapped_span_is_found(item: Item, frame: str) -> None:
    assume(item.answer != "U.S.A.")  # loses its last period with the frame's
    assert scores(item, frame.format(item.answer))["lenient"].value == 1.0


@settings(deadline=None)
@given(lists(), st.sampled_from(["- ", "・", "1. ", "* ", "(1) "]))
def test_bulleted_lists_are_found(item: Item, bullet: str) -> None:
    raw = "\n".join(bullet + line for line in item.answer.split("\n"))
    assert scores(item, raw)["lenient"].value == 1.0
    assert scores(item, "以下の通りです。\n\n" + raw)["lenient"].value == 1.0


@settings(deadline=None)
@given(objects())
def test_fenced_objects_are_found(item: Item) -> None:
    found = scores(item, f"結果です。\n```json\n{item.answer}\n```\n以上です。")
    assert (found["strict"].value, found["lenient"].value) == (0.0, 1.0)


@settings(deadline=None)
@given(choices(), st.data())
def test_two_labels_without_a_mark_are_no_answer(item: Item, data: st.DataObject) -> None:
    one, two = data.draw(st.permutations(item.format.labels))[:2]
    for raw in (f"{one}と{two}", f"{one}または{two}です。", f"{one}\n{two}"):
        assert extract(raw, item) == normalise(raw)


CAPITAL = Item("i", "stem", (PROMPT,), "江戸", FormatRule("span", verbatim=True), "exact")
LABEL = Item("i", "stem", (PROMPT,), "A", ABCD, "exact")
SUM = Item("i", "math", ("3に4を足すといくつですか。",), "7", FormatRule("integer"), "number")


@pytest.mark.parametrize(
    ("item", "raw", "finish_reason", "failure"),
    [
        (LABEL, "A", "stop", None),
        (LABEL, "", "stop", "empty"),
        (LABEL, " \n　", "length", "empty"),
        (LABEL, "Aです。" * 20, "length", "repetition"),
        (LABEL, "この問題では、まず前提を", "length", "truncated"),
        (LABEL, "B", "length", "knowledge"),
        (LABEL, "The author was born in a city that is now Tokyo.", "stop", "language"),
        (LABEL, "The answer is A.", "stop", "format"),
        (LABEL, "这个问题的答案是这样的，我们认为应该选择第一个选项。", "stop", "language"),
        (LABEL, "答えはAです。", "stop", "format"),
        (LABEL, "答えはBです。", "stop", "knowledge"),
        (LABEL, "どちらとも言えません。", "stop", "format"),
        (LABEL, "B", "stop", "knowledge"),
        (SUM, "3+4=7", "stop", "format"),
        (SUM, "12", "stop", "knowledge"),
        (SUM, "3+4=8", "stop", "knowledge"),
        (SUM, "わかりません。", "stop", "format"),
        (CAPITAL, "江戸です。", "stop", "format"),
        (CAPITAL, "東京", "stop", "knowledge"),
        (CAPITAL, "1867年", "stop", "knowledge"),
    ],
)
def test_failure_classes(item: Item, raw: str, finish_reason: str, failure: str | None) -> None:
    assert scores(item, raw, finish_reason)["strict"].failure == failure


def test_a_gold_that_repeats_is_no_degeneration() -> None:
    gold = "\n".join(["はい"] * 20)
    item = Item("i", "format", (PROMPT,), gold, FormatRule("lines", count=20), "exact")
    assert scores(item, "\n".join(["はい"] * 19))["strict"].failure == "knowledge"


def test_classify_asks_the_strict_score_first() -> None:
    assert classify(LABEL, "", "stop", 1.0, 1.0) is None


def test_partly_right_is_knowledge() -> None:
    item = Item("i", "extraction", (PROMPT,), "東京\n大阪", FormatRule("lines"), "set_f1")
    found = scores(item, "東京")
    assert found["strict"].value == pytest.approx(2 / 3)
    assert found["strict"].failure == "knowledge"


def test_strict_and_format_are_independent() -> None:
    found = scores(SUM, "7.0")
    assert (found["strict"].value, found["format"].value) == (1.0, 0.0)


def choice_values(likelihoods: list[tuple[float, int]], item: Item = LABEL) -> tuple[float, ...]:
    found = score_choice(item, likelihoods)
    assert [score.metric for score in found] == ["choice", "choice_raw"]
    return tuple(score.value for score in found)


def test_choice_takes_the_likeliest_label() -> None:
    assert choice_values([(-1.0, 1), (-2.0, 1), (-3.0, 1), (-4.0, 1)]) == (1.0, 1.0)
    assert choice_values([(-2.0, 1), (-1.0, 1), (-3.0, 1), (-4.0, 1)]) == (0.0, 0.0)


def test_choice_length_normalised_differs_from_raw() -> None:
    assert choice_values([(-3.0, 3), (-2.0, 1), (-9.0, 1), (-9.0, 1)]) == (1.0, 0.0)


def test_a_tie_is_no_knowledge_wherever_the_gold_stands() -> None:
    tie = [(-1.0, 1)] * 4
    assert choice_values(tie) == (0.0, 0.0)
    both = Item("i", "stem", (PROMPT,), "A", ABCD, "exact", ("B",))
    assert choice_values([(-1.0, 1), (-1.0, 1), (-2.0, 1), (-2.0, 1)], both) == (1.0, 1.0)


def test_an_impossible_label_may_have_zero_probability() -> None:
    assert choice_values([(-1.0, 1), (-math.inf, 1), (-2.0, 1), (-2.0, 1)]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("item", "likelihoods"),
    [
        (LABEL, [(-1.0, 1)] * 3),
        (LABEL, [(math.nan, 1)] * 4),
        (LABEL, [(-1.0, 0)] * 4),
        (SUM, [(-1.0, 1)]),
    ],
)
def test_faulty_likelihoods_are_refused(item: Item, likelihoods: list[tuple[float, int]]) -> None:
    with pytest.raises(ValueError):
        score_choice(item, likelihoods)


@pytest.mark.parametrize("raw", ["\ud800", '{"名前": "\\ud800"}', "答えは\udfffです。\x00"])
def test_broken_unicode_is_scored_as_wrong(raw: str) -> None:
    golds: list[tuple[FormatRule, Metric, str]] = [
        (ABCD, "exact", "A"),
        (FormatRule("integer"), "number", "1"),
        (FormatRule("span"), "char_f1", "江戸"),
        (FormatRule("lines"), "set_f1", "江戸"),
        (FormatRule("json", keys={"名前": "string"}), "json", '{"名前": "a"}'),
        (FormatRule("pattern", pattern="[0-9]"), "exact", "1"),
    ]
    for rule, metric, gold in golds:
        found = scores(Item("i", "format", (PROMPT,), gold, rule, metric), raw * 20)
        assert found["strict"].value == 0.0
