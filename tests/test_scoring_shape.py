"""Shapes of format faults, by kind of rule."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items.jaster_datasets import DATASETS
from harness.items.schema import FormatRule
from harness.scoring import format_fault
from harness.scoring import shape as s
from harness.scoring.shape import SHAPES, wrong_shape

DIGITS, NLI, JANLI = (DATASETS[name].format for name in ("jcommonsenseqa", "jnli", "janli"))
NUMBER, INTEGER = FormatRule("number"), FormatRule("integer")
JCQA = (
    "質問：電子機器で使用される最も主要な電子回路基板の事をなんと言う？\n"
    "選択肢：0.掲示板,1.パソコン,2.マザーボード,3.ハードディスク,4.まな板"
)
PAIR = "前提：男性がギターを弾いている。\n仮説：人が楽器を演奏している。"
SUM = "問題：りんごが3個、みかんが5個あります。合わせて何個ですか。"

CASES = [
    (DIGITS, JCQA, "2", ""),
    (DIGITS, JCQA, " 2\n", ""),
    (DIGITS, JCQA, "", s.EMPTY),
    (DIGITS, JCQA, "　\u200b\n", s.EMPTY),
    (DIGITS, JCQA, "２", s.WIDE_LABEL),
    (DIGITS, JCQA, "2です。", s.DESU),
    (DIGITS, JCQA, "2番が正解です。", s.DESU),
    (DIGITS, JCQA, "2。", s.SIGNS),
    (DIGITS, JCQA, "「2」", s.SIGNS),
    (DIGITS, JCQA, "**2**", s.SIGNS),
    (DIGITS, JCQA, "\\boxed{2}", s.SIGNS),
    (DIGITS, JCQA, "答えは2です。", s.HEADER),
    (DIGITS, JCQA, "回答：2", s.HEADER),
    (DIGITS, JCQA, "### 応答:\n2", s.HEADER),
    (DIGITS, JCQA, "選択肢2", s.HEADER),
    (DIGITS, JCQA, "2.マザーボード", s.OPTION),
    (DIGITS, JCQA, "2 マザーボード", s.OPTION),
    (DIGITS, JCQA, "２：マザーボード", s.OPTION),
    (DIGITS, JCQA, "マザーボード", s.TEXT_ONLY),
    (DIGITS, JCQA, "マザーボードです。", s.TEXT_ONLY),
    (DIGITS, JCQA, "2。なぜなら基板だからです。", s.AFTER),
    (DIGITS, JCQA, "2\n\n解説：基板のこと。", s.AFTER),
    (DIGITS, JCQA, "基板はマザーボードと呼ばれるので、答えは2です。", s.BEFORE),
    (DIGITS, JCQA, "2または3", s.SEVERAL),
    (DIGITS, JCQA, "2,3", s.SEVERAL),
    (DIGITS, JCQA, "5", s.NOTHING),
    (DIGITS, JCQA, "わかりません。", s.NOTHING),
    (DIGITS, JCQA, "```\n2\n```", s.FENCE),
    (DIGITS, JCQA, "<think>基板だから2</think>2", s.THOUGHTS),
    (DIGITS, JCQA, "<think>基板", s.THOUGHTS),
    (DIGITS, JCQA, JCQA + "\n2", s.ECHO),
    (DIGITS, JCQA, JCQA.split("\n")[0], s.ECHO),
    (DIGITS, JCQA, "2\n\n### 入力:\n質問：次は", s.NEW_QUESTION),
    (DIGITS, JCQA, "答えは" * 40, s.LOOP),
    (DIGITS, JCQA, "The motherboard is the main circuit board.", s.FOREIGN),
    (NLI, PAIR, "Entailment", s.CASE),
    (NLI, PAIR, "ent", s.CUT),
    (NLI, PAIR, "entailmentまたはneutral", s.SEVERAL),
    (NLI, PAIR, "前提から導けるのでentailment", s.BEFORE),
    (JANLI, PAIR, "non", s.CUT),
    (JANLI, PAIR, "non-entailmentです", s.DESU),
    (JANLI, PAIR, "not entailment", s.NOTHING),
    (NUMBER, SUM, "８", s.WIDE_NUMBER),
    (NUMBER, SUM, "八個", s.WIDE_NUMBER),
    (NUMBER, SUM, "1,200", s.THOUSANDS),
    (NUMBER, SUM, "1,200円", s.UNIT),
    (NUMBER, SUM, "8個です。", s.UNIT),
    (NUMBER, SUM, "8です", s.AROUND),
    (NUMBER, SUM, "答えは8個です。", s.HEADER),
    (NUMBER, SUM, "$8$", s.SIGNS),
    (NUMBER, SUM, "3+5=8なので8個です。", s.AROUND),
    (NUMBER, SUM, "りんごです。", s.NOTHING),
    (INTEGER, SUM, "8.0", s.DECIMAL),
    (FormatRule("span"), SUM, "東京\n説明です。", s.LINES),
    (FormatRule("span"), SUM, "「東京」", s.SIGNS),
    (FormatRule("span", max_chars=3), SUM, "東京都庁", s.LONG),
    (FormatRule("span", verbatim=True), "東京は首都。", "東京です。", s.AROUND),
    (FormatRule("span", verbatim=True), "東京は首都。", "大阪", s.NOT_COPIED),
    (FormatRule("span", verbatim=True), "「東京」は題名。", "「東京」", ""),
    (FormatRule("lines"), SUM, "- 東京\n- 大阪", s.BULLETS),
    (FormatRule("lines", count=2), SUM, "東京", s.STRUCTURE),
    (FormatRule("json", keys={"a": "string"}), SUM, "{}", s.STRUCTURE),
    (FormatRule("json", keys={"a": "string"}), SUM, '答え {"a": "b"}', s.AROUND),
    (DATASETS["alt-e-to-j"].format, "It rains.", "雨が降る。\n雨です。", s.LINES),
    (DATASETS["chabsa"].format, "文章：あ。", "・製品 positive\n・売上 negative", s.BULLETS),
    (DATASETS["chabsa"].format, "文章：あ。", "製品 positive\n以上です。", s.AROUND),
    (DATASETS["chabsa"].format, "文章：あ。", "製品は良い。", s.STRUCTURE),
]


@pytest.mark.parametrize(("rule", "prompt", "raw", "wanted"), CASES)
def test_shape(rule: FormatRule, prompt: str, raw: str, wanted: str) -> None:
    assert wrong_shape(raw, rule, prompt, "stop") == wanted


def test_the_vocabulary_is_small_and_used() -> None:
    assert len(SHAPES) <= 30
    assert {wanted for *_, wanted in CASES} - {""} == set(SHAPES)


def test_the_token_limit_names_only_what_nothing_else_does() -> None:
    assert wrong_shape("まず選択肢を見ると、", DIGITS, JCQA, "length") == s.CUT
    assert wrong_shape("まず選択肢を見ると、", DIGITS, JCQA, "stop") == s.NOTHING
    assert wrong_shape("2です", DIGITS, JCQA, "length") == s.DESU


@settings(deadline=None, max_examples=300)
@given(
    st.text(st.characters(), max_size=40)
    | st.text("02２AあMn-。、\n「」()`<think>/{}\\boxed:答え\ud800\x00", max_size=30)
)
def test_every_fault_has_a_shape_and_only_faults_do(raw: str) -> None:
    for dataset in DATASETS.values():
        shape = wrong_shape(raw, dataset.format, JCQA)
        assert (shape == "") == (format_fault(raw, dataset.format, JCQA) is None)
        assert shape == "" or shape in SHAPES


@pytest.mark.parametrize("raw", ["あ" * 10**7, "2、" * 5 * 10**6, "答えは2です。\n" * 10**6])
def test_ten_million_characters_take_seconds(raw: str) -> None:
    for rule in (DIGITS, NUMBER, DATASETS["wiki_pas"].format):
        begin = time.process_time()
        wrong_shape(raw, rule, JCQA)
        assert time.process_time() - begin < 5
