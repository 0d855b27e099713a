"""The rules of constraints: one by one, and what holds for every rule on every text."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items import Constraint
from harness.scoring.constraints import (
    RULES,
    constraint_fault,
    follows,
    has_tokenizer,
    readings,
    verdicts,
)
from harness.scoring.constraints.lengths import sentences
from harness.scoring.constraints.relation import RELATIONS, holds
from harness.scoring.constraints.tongue import LANGUAGES, detect

# Arguments with which each rule can be asked.
KWARGS: dict[str, dict[str, Any]] = {
    "prompt_to_repeat": {"prompt_to_repeat": "問い"},
    "num_placeholders": {"num_placeholders": 2},
    "postscript_marker": {"postscript_marker": "追伸"},
    "section_spliter": {"section_spliter": "章", "num_sections": 2},
    "count": {"count": 2},
    "num_bullets": {"num_bullets": 2},
    "num_highlights": {"num_highlights": 2},
    "num_items": {"num_items": 2},
    "keywords": {"keywords": ["海", "山"]},
    "forbidden_words": {"forbidden_words": ["海"]},
    "keyword": {"keyword": "海", "relation": "以上", "frequency": 2},
    "letter": {"letter": "か", "let_relation": "以上", "let_frequency": 2},
    "language": {"language": "fr"},
    "num_paragraphs": {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "海"},
    "relation": {"relation": "以上", "num_letters": 3, "num_sentences": 3, "kanji_limit": 3},
    "end_phrase": {"end_phrase": "以上。"},
    "start_phrase": {"start_phrase": "はじめに"},
    "ending": {"ending": "です"},
}


def arguments(name: str) -> dict[str, Any]:
    wanted = RULES[name].kwargs
    every = {key: value for group in KWARGS.values() for key, value in group.items()}
    return {key: every[key] for key in wanted}


def check(name: str, text: str, **kwargs: Any) -> bool:
    if RULES[name].tokenizer:
        pytest.importorskip("janome", reason="M-IFEval's tokenizer is not installed")
    assert constraint_fault(name, kwargs) is None
    return follows(Constraint(name, kwargs), text)


FORMAT, LENGTH = "ja:detectable_format:", "ja:length_constraints:"


@pytest.mark.parametrize(
    ("name", "kwargs", "good", "bad"),
    [
        ("ja:letters:hiragana_only", {}, "そら、うみー！ 123", "そらと海"),
        ("ja:letters:hiragana_only", {}, "ん", "ソラ"),
        ("ja:letters:katakana_only", {}, "ハロー・ワールド、ｱｲｳ！", "ハローと"),
        ("ja:letters:katakana_only", {}, "ー", "Ａ"),
        ("ja:letters:no_hiragana", {}, "東京タワー", "東京の塔"),
        ("ja:letters:no_katakana", {}, "長音ー・中黒", "半角ｱ"),
        ("ja:letters:kanji", {"relation": "未満", "kanji_limit": 3}, "山川かわ", "山川海"),
        ("ja:letters:kanji", {"relation": "以上", "kanji_limit": 2}, "山川", "人々"),
        ("ja:letters:kansuuji", {}, "三千人", "３千人"),
        ("ja:letters:furigana", {}, "山（やま）と川（かわ）", "山（やま）と川"),
        ("ja:letters:furigana", {}, "かなだけ", "山（ヤマ）"),
        ("ja:letters:furigana", {}, "東京（とうきょう）", "東京(とうきょう)"),
        (
            "ja:keywords:letter_frequency",
            {"letter": "か", "let_relation": "以上", "let_frequency": 3},
            "かカか",
            "かがガ",
        ),
        (LENGTH + "number_letters", {"relation": "以下", "num_letters": 3}, "あ\nい", "あ\n\nい"),
        (LENGTH + "number_sentences", {"relation": "以上", "num_sentences": 2}, "一。二。", "一。"),
        (
            LENGTH + "number_sentences",
            {"relation": "未満", "num_sentences": 2},
            "彼は「はい。そう。」と言った。",
            "はい！そう？",
        ),
        (LENGTH + "number_paragraphs", {"num_paragraphs": 2}, "一\n***\n二", "一\n\n二"),
        (LENGTH + "number_paragraphs", {"num_paragraphs": 2}, "***一***二***", "一******二"),
        (
            LENGTH + "nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "海"},
            "山\n\n「海は",
            "海\n\n山",
        ),
        (
            LENGTH + "nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "海"},
            "海\n\n山",
            "海\n\n山\n\n川",
        ),
        ("ja:detectable_content:number_placeholders", {"num_placeholders": 2}, "[a][b]", "[a\n]b]"),
        ("ja:detectable_content:postscript", {"postscript_marker": "P.S."}, "では\np. s. x", "PS"),
        ("ja:detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P. P. S. x", "P.S."),
        ("ja:detectable_content:postscript", {"postscript_marker": "追伸"}, "追伸 では", "追記"),
        (FORMAT + "constrained_response", {}, "はい、そうです。", "はい"),
        (FORMAT + "json_format", {}, '```json\n{"a": 1}\n```', "{'a': 1}"),
        (FORMAT + "json_format", {}, " [1] ", '答え: {"a": 1}'),
        (
            FORMAT + "multiple_sections",
            {"section_spliter": "章", "num_sections": 2},
            "第1章 第２章",
            "第1章 第二章",
        ),
        (FORMAT + "nominal_ending", {"count": 2}, "青い空。白い雲。", "空が青い。白い雲"),
        (FORMAT + "nominal_ending", {"count": 1}, "旅に出ること。", "彼は「空。」と言う。"),
        (FORMAT + "number_bullet_lists", {"num_bullets": 2}, "例\n・一\n ・二", "・一\n・・二"),
        (FORMAT + "number_numbered_lists", {"num_items": 2}, "1. 一\n2. 二", "1.一\n2. 二"),
        (
            FORMAT + "number_highlighted_sections",
            {"num_highlights": 2},
            "《一》《二》",
            "《一》《 》",
        ),
        (FORMAT + "title", {}, "『題』\n本文", "『』本文"),
        ("ja:combination:repeat_prompt", {"prompt_to_repeat": "問い "}, " 問い 答え", "答え 問い"),
        ("ja:combination:two_responses", {}, "一\n******\n二", "一******一"),
        ("ja:combination:two_responses", {}, "******一******二", "一******二******三"),
        ("ja:keywords:existence", {"keywords": ["自転車"]}, "自転車に乗る", "電車に乗る"),
        ("ja:keywords:forbidden_words", {"forbidden_words": ["森"]}, "森林を歩く", "森を歩く"),
        (
            "ja:keywords:frequency",
            {"keyword": "ファン", "relation": "以上", "frequency": 2},
            "ファンとファン",
            "ファンとファンタジー",
        ),
        ("harness:keywords:existence", {"keywords": ["創造性"]}, "創造性がある", "創造がある"),
        ("harness:keywords:forbidden_words", {"forbidden_words": ["森"]}, "木を見る", "森林を歩く"),
        (
            "harness:keywords:frequency",
            {"keyword": "味噌", "relation": "以上", "frequency": 2},
            "味噌と味噌汁",
            "味噌",
        ),
        ("ja:punctuation:no_comma", {}, "はい。", "はい、"),
        ("ja:punctuation:no_period", {}, "はい、", "はい。"),
        ("ja:startend:quotation", {}, " 「はい」\n", "「はい」。"),
        ("ja:startend:quotation", {}, "「」", "「"),
        (
            "ja:startend:end_checker",
            {"end_phrase": "終わり。"},
            "「では終わり。」\n",
            "終わり。では",
        ),
        ("harness:startend:start_checker", {"start_phrase": "昔々"}, "「昔々、", "さて昔々"),
        (
            "ja:startend:sentence_unified_end",
            {"ending": "です"},
            "空です。海です。\n",
            "空です。海だ。",
        ),
        ("harness:startend:polite_endings", {}, "見出し\n空です。見ますか？", "空です。海だ。"),
        ("harness:startend:polite_endings", {}, "「だめだ。」と言いました。", "はい。"),
        ("harness:startend:polite_endings", {}, "空を見ます", "空を見る"),
        ("ja:language:response_language", {"language": "fr"}, "Le chat est dans la maison.", "猫"),
        (
            "ja:language:response_language",
            {"language": "en"},
            "以下です。\nThe cat is in the house and it is happy with that.",
            "Die Katze ist in dem Haus und sie ist nicht froh.",
        ),
    ],
)
def test_rule(name: str, kwargs: dict[str, Any], good: str, bad: str) -> None:
    assert check(name, good, **kwargs)
    assert not check(name, bad, **kwargs)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("吾輩は猫である。", "ja"),
        ("我们在这里说话。", "zh"),
        ("안녕하세요. 반갑습니다.", "ko"),
        ("ขอบคุณสำหรับความช่วยเหลือ", "th"),
        ("أنا ذاهب إلى المدينة في الصباح", "ar"),
        ("این کتاب را در خانه می خوانم", "fa"),
        ("Кошка и собака не были в доме, но это что-то другое.", "ru"),
        ("El gato no está en la casa y los perros son de un amigo.", "es"),
        ("Il gatto è nella casa e non sono contento di questo.", "it"),
        ("Koulutus on ilmaista ja se ei ole vain lapsille.", "fi"),
        ("यह किताब मेरे घर में है और वह नहीं है", "hi"),
        ("123 !?", None),
        ("zzz qqq", None),
    ],
)
def test_detect(text: str, language: str | None) -> None:
    assert detect(text) == language
    assert language is None or language in LANGUAGES


def test_sentences() -> None:
    text = "一文です。二文（注。）です！\n\n見出し\n続きの\n行です"
    assert sentences(text) == ["一文です。", "二文（注。）です！", "見出し", "続きの行です"]
    assert sentences(" \n ") == []


def test_readings_are_the_eight_of_ifeval() -> None:
    assert readings("*a\nb\n*c") == (
        "*a\nb\n*c",
        "b\n*c",
        "*a\nb",
        "b",
        "a\nb\nc",
        "b\nc",
        "a\nb",
    )
    quoted = Constraint("ja:startend:quotation")
    assert [(one.strict, one.loose) for one in verdicts([quoted], "はい:\n**「空」**")] == [
        (False, True)
    ]


def test_a_blank_answer_follows_nothing() -> None:
    constraints = [Constraint("ja:punctuation:no_comma"), Constraint("ja:letters:no_katakana")]
    for text in ("", " \n　"):
        assert not any(one.loose for one in verdicts(constraints, text))


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("ja:letters:no_katakna", {}, "did you mean 'ja:letters:no_katakana'?"),
        ("x", {}, "unknown instruction id 'x'; docs/protocols.md"),
        (LENGTH + "number_letters", {"relation": "以上"}, "lacks num_letters in kwargs"),
        (LENGTH + "number_letters", {"relation": "超", "num_letters": 3}, "以上, 未満, 以下"),
        (LENGTH + "number_letters", {"relation": "以上", "num_letters": 0}, "a positive integer"),
        (LENGTH + "number_letters", {"relation": "以上", "num_letters": True}, "positive integer"),
        ("ja:letters:no_katakana", {"n": 1}, "has n in kwargs, expected no kwargs"),
        ("harness:keywords:existence", {"keywords": []}, "a list of one or more texts"),
        ("harness:keywords:existence", {"keywords": "海"}, "a list of one or more texts"),
        ("ja:startend:end_checker", {"end_phrase": " "}, "a text that is not blank"),
        ("ja:language:response_language", {"language": "xx"}, "one of ar, bg"),
        ("ja:language:response_language", {"language": ["fr"]}, "one of ar, bg"),
        (
            "ja:keywords:letter_frequency",
            {"letter": "カ", "let_relation": "以上", "let_frequency": 1},
            "one hiragana",
        ),
    ],
)
def test_faults_name_cause_and_fix(name: str, kwargs: dict[str, Any], said: str) -> None:
    assert said in str(constraint_fault(name, kwargs))


NAMES = [name for name, rule in RULES.items() if has_tokenizer() or not rule.tokenizer]
# Every character there is, lone surrogates and controls too, and those that rules look for.
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from(
            "。、！？「」『』《》[]()（）*・1.\n\r\x0b\u2028 　第章あかアｱー海山です{}`"
        ),
    ),
    max_size=60,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_no_text_breaks_a_rule_and_loose_forgives(name: str, text: str) -> None:
    constraint = Constraint(name, arguments(name))
    assert constraint_fault(name, constraint.kwargs) is None
    (verdict,) = verdicts([constraint], text)
    assert isinstance(verdict.strict, bool)
    assert verdict.loose >= verdict.strict
    assert verdict.strict == follows(constraint, text)


@given(count=st.integers(0, 50), limit=st.integers(1, 50), relation=st.sampled_from(RELATIONS))
def test_relations_are_consistent(count: int, limit: int, relation: Any) -> None:
    assert holds(count, "以上", limit) != holds(count, "未満", limit)
    assert holds(count, "以下", limit) == holds(count, "未満", limit + 1)
    assert holds(limit, relation, limit) == (relation != "未満")


@settings(deadline=None)
@given(text=TEXTS)
def test_counted_parts_are_parts_of_the_text(text: str) -> None:
    found = sentences(text)
    assert all(one == one.strip() and one for one in found)
    squeezed = "".join("".join(found).split())
    assert squeezed == "".join(text.split())
    count = len(found)
    if count:
        for relation, limit in (("以上", count), ("以下", count), ("未満", count + 1)):
            kwargs = {"relation": relation, "num_sentences": limit}
            assert follows(Constraint(LENGTH + "number_sentences", kwargs), text)


@given(st.lists(st.text("あいう", min_size=1), min_size=1, max_size=6))
def test_lists_and_paragraphs_are_counted_as_written(entries: list[str]) -> None:
    count = len(entries)
    bullets = "\n".join(f"・{one}" for one in entries)
    numbered = "\n".join(f"{n}. {one}" for n, one in enumerate(entries, 1))
    divided = "\n***\n".join(entries)
    for number in (count, count + 1):
        right = number == count
        assert check(FORMAT + "number_bullet_lists", bullets, num_bullets=number) == right
        assert check(FORMAT + "number_numbered_lists", numbered, num_items=number) == right
        assert check(LENGTH + "number_paragraphs", divided, num_paragraphs=number) == right


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_what_json_writes_is_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert check(FORMAT + "json_format", text)
    assert check(FORMAT + "json_format", f"```json\n{text}\n```")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["「『[《(" * 1600, "の\n" * 4000, "海。" * 4000, "[" * 8000])
def test_a_degenerate_answer_takes_no_long_time(name: str, text: str) -> None:
    started = time.monotonic()
    verdicts([Constraint(name, arguments(name))], text)
    assert time.monotonic() - started < 10
