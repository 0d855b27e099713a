"""Normalisation, metrics, language and repetition."""

from __future__ import annotations

import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items.schema import FormatRule, Item, Metric
from harness.scoring import (
    char_f1,
    compare,
    exact_match,
    is_japanese,
    is_repetitive,
    japanese_share,
    json_fields,
    json_match,
    nfkc,
    normalise,
    number_match,
    parse_number,
    repetition,
    set_f1,
)
from harness.scoring.normalise import is_quoted, normalise_lines


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("　東京　", "東京"),
        ("東京。", "東京"),
        ("東京．", "東京"),
        ("「東京」。", "東京"),
        ("『「東京」』", "東京"),
        ("（Ａ）", "A"),
        ("**A**", "A"),
        ("“東京”", "東京"),
        ("ﾄｳｷｮｳ", "トウキョウ"),
        ("１０〜２０", "10~20"),
        ("１０～２０", "10~20"),
        ("−５", "-5"),
        ("a\n\n b\tc", "a b c"),
        ("東\u200b京\ufeff", "東京"),
        ("「本」と「紙」", "「本」と「紙」"),
        ('"a" and "b"', '"a" and "b"'),
        ("コーヒー", "コーヒー"),
        ("。", ""),
    ],
)
def test_normalise(text: str, wanted: str) -> None:
    assert normalise(text) == wanted


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("「」『』()\"'。、. *`あA\n", max_size=30))
def test_normalise_twice_is_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_nfkc_touches_compatibility_forms_only() -> None:
    assert nfkc("Ａ１ ｱ 。東京") == "A1 ア 。東京"


def test_normalise_lines() -> None:
    assert normalise_lines("「東京」。\r\n\n　大阪 ") == "東京\n大阪"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("「東京」", True),
        ("「本」と「紙」", False),
        ('"a"', True),
        ('"a" "b"', False),
        ("「", False),
    ],
)
def test_is_quoted(text: str, quoted: bool) -> None:
    assert is_quoted(text) is quoted


def test_exact_match_forgives_nothing() -> None:
    assert exact_match("東京", "東京") == 1.0
    assert exact_match("Ａ", "A") == 0.0


@pytest.mark.parametrize(
    ("prediction", "gold", "strict", "lenient"),
    [
        ("12", "12", 1, 1),
        ("12.0", "12", 1, 1),
        ("0.30", "0.3", 1, 1),
        ("3/4", "0.75", 1, 1),
        ("-0", "0", 1, 1),
        ("1,234", "1234", 0, 1),
        ("1,23", "123", 0, 0),
        ("１２", "12", 0, 1),
        ("−5", "-5", 0, 1),
        ("+5", "5", 0, 1),
        ("12円", "12", 0, 0),
        ("1e3", "1000", 0, 0),
        ("", "0", 0, 0),
        ("1/0", "0", 0, 0),
        ("NaN", "NaN", 0, 0),
        ("0.1000000000000000000001", "0.1", 0, 0),
    ],
)
def test_number_match(prediction: str, gold: str, strict: float, lenient: float) -> None:
    assert number_match(prediction, gold) == strict
    assert number_match(prediction, gold, lenient=True) == lenient


@settings(deadline=None)
@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9
    )
)
def test_numbers_are_read_exactly(value: object) -> None:
    assert parse_number(f"{value:f}") == Fraction(str(value))


def test_absurdly_long_numbers_are_no_numbers() -> None:
    assert parse_number("9" * 100_000) is None


@pytest.mark.parametrize(
    ("prediction", "gold", "value"),
    [
        ("東京都中央区", "中央区東京都", 1.0),
        ("東京", "東京都", 0.8),
        ("ああ", "あい", 0.5),
        ("大阪", "東京", 0.0),
        ("", "", 1.0),
        ("", "東京", 0.0),
    ],
)
def test_char_f1(prediction: str, gold: str, value: float) -> None:
    assert char_f1(prediction, gold) == pytest.approx(value)


@settings(deadline=None)
@given(st.text("あいう", max_size=8), st.text("あいう", max_size=8))
def test_char_f1_is_symmetric_and_one_for_anagrams(left: str, right: str) -> None:
    assert char_f1(left, right) == char_f1(right, left)
    assert (char_f1(left, right) == 1.0) == (sorted(left) == sorted(right))


@pytest.mark.parametrize(
    ("prediction", "gold", "value"),
    [
        ("a\nb", "b\na", 1.0),
        ("a\na\nb ", "a\nb", 1.0),
        ("a", "a\nb", 2 / 3),  # precision 1, recall 1/2
        ("a\nb\nc", "a", 0.5),  # precision 1/3, recall 1
        ("a\n\nb", "a\nb", 0.8),  # the blank line is a wrong entry: precision 2/3
        ("c", "a\nb", 0.0),
        ("", "", 1.0),
        ("", "a", 0.0),
    ],
)
def test_set_f1(prediction: str, gold: str, value: float) -> None:
    assert set_f1(prediction, gold) == pytest.approx(value)


@pytest.mark.parametrize(
    ("prediction", "gold", "whole", "fields"),
    [
        ('{"b": 1, "a": "x"}', '{"a": "x", "b": 1}', 1, 1),
        ('{"a": "x", "b": 1.0}', '{"a": "x", "b": 1}', 1, 1),
        ('{"a": "x", "b": 2}', '{"a": "x", "b": 1}', 0, 0.5),
        ('{"a": "x"}', '{"a": "x", "b": 1}', 0, 0.5),
        ('{"a": "x", "b": 1, "c": 0}', '{"a": "x", "b": 1}', 0, 1),
        ('{"a": true}', '{"a": 1}', 0, 0),
        ('{"a": 1, "a": 1}', '{"a": 1}', 0, 0),
        ('{"a": ["x", "y"]}', '{"a": ["y", "x"]}', 0, 0),
        ("[1]", '{"a": 1}', 0, 0),
        ('{"a": NaN}', '{"a": 1}', 0, 0),
        ("なし", '{"a": 1}', 0, 0),
        ('{"a": 1e999}', '{"a": 1e999}', 0, 0),
    ],
)
def test_json_match(prediction: str, gold: str, whole: float, fields: float) -> None:
    assert json_match(prediction, gold) == whole
    assert json_fields(prediction, gold) == fields


def test_json_match_lenient_normalises_strings() -> None:
    assert json_match('{"a": "Ａ社。"}', '{"a": "A社"}') == 0
    assert json_match('{"a": "Ａ社。"}', '{"a": "A社"}', lenient=True) == 1


def test_json_of_great_depth_is_refused_not_raised() -> None:
    deep = '{"a":' * 500 + "1" + "}" * 500
    assert json_match(deep, deep) == 0.0


@pytest.mark.parametrize(
    ("metric", "prediction", "value"),
    [("exact", "大阪市", 1.0), ("exact", "大阪", 1.0), ("char_f1", "大阪府", 0.8)],
)
def test_compare_takes_the_best_of_answer_and_accept(
    metric: Metric, prediction: str, value: float
) -> None:
    item = Item(
        "i", "extraction", ("どこですか。",), "大阪", FormatRule("span"), metric, ("大阪市",)
    )
    assert compare(metric, prediction, item) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "share", "japanese"),
    [
        ("これは日本語です。", 1.0, True),
        ("ｶﾀｶﾅ", 1.0, True),
        ("東京都渋谷区", 1.0, True),
        ("The capital is Tokyo.", 0.0, False),
        ("東京はTokyo", 3 / 8, False),
        ("서울은 한국의 수도입니다", 0.0, False),
        ("这是我们的答案", 1.0, False),
        ("123 + 456 = 579", 1.0, True),
        ("", 1.0, True),
    ],
)
def test_language(text: str, share: float, japanese: bool) -> None:
    assert japanese_share(text) == pytest.approx(share)
    assert is_japanese(text) is japanese


LOOPS = [
    "あ" * 40,
    "はい、" * 20,
    "東京は日本の首都です。" * 5,
    "答えは次の通りです。りんごとみかん" + "です。" * 15,
    "以下の指示に従って、適切な応答を書いてください。\n### 入力:\n" * 6,
    "与えられた文章から人名と地名と組織名をすべて抜き出し、出てきた順に一行に一つずつ書いてください。"
    "説明や記号は付けず、同じものは二度書かないでください。\n" * 3,
]
PROSE = [
    "",
    "はい、はい、はい。",
    "----------------------------------------",
    "吾が家の庭には柿の木が一本あり、秋になると赤い実をたくさんつける。祖母はそれを干して、"
    "冬のあいだ少しずつ食べるのが楽しみだと言っていた。今年は雨が多く、実は少ない。",
    "1. りんご\n2. みかん\n3. ぶどう\n4. もも\n5. なし\n6. かき\n7. くり\n8. いちご",
    "・東京は日本の首都です。\n・パリはフランスの首都です。\n・ローマはイタリアの首都です。\n"
    "・ベルリンはドイツの首都です。\n・マドリードはスペインの首都です。",
    "九九の二の段は、2×1=2、2×2=4、2×3=6、2×4=8、2×5=10、2×6=12、2×7=14、2×8=16、2×9=18です。",
    "りんごが3個あります。みかんが3個あります。合わせて6個あります。なしが2個あります。",
    '[{"名前": "太郎", "年齢": 20}, {"名前": "花子", "年齢": 21}, {"名前": "次郎", "年齢": 22}]',
    "ああああああああああああああ、驚いた。",
    "| 品名 | 値段 |\n| --- | --- |\n| りんご | 100 |\n| みかん | 80 |\n| ぶどう | 300 |",
]


@pytest.mark.parametrize("text", LOOPS)
def test_loops_are_repetitive(text: str) -> None:
    assert is_repetitive(text) is (repetition(text) > 0.3)
    assert is_repetitive(text)


@pytest.mark.parametrize("text", [text for text in PROSE if "----" not in text])
def test_prose_and_lists_are_not(text: str) -> None:
    assert repetition(text) == 0.0
    assert not is_repetitive(text)


def test_a_loop_at_the_end_of_a_long_answer_counts_and_a_drawn_rule_does_not() -> None:
    prose = "".join(PROSE[3:8])
    assert repetition(prose) == 0.0
    looping = prose + "そうです。" * 8
    assert 0 < repetition(looping) < 0.3
    assert is_repetitive(looping)
    assert not is_repetitive(prose + "\n" + "-" * 40)


def test_repetition_is_the_share_in_loops() -> None:
    assert repetition("あ" * 60) == 1.0
    text = "".join(chr(0x4E00 + n) for n in range(60)) + "うえ" * 20
    assert repetition(text) == pytest.approx(40 / 100)


def share_in_loops(text: str) -> float:
    """The definition, character by character."""
    text = text.strip()
    covered = [False] * len(text)
    for period in range(1, 201):
        times = 4 if period <= 50 else 2.5
        start = 0
        while start + period < len(text):
            end = start
            while end + period < len(text) and text[end] == text[end + period]:
                end += 1
            length = end - start + period
            if length >= 30 and length >= times * period:
                covered[start : start + length] = [True] * length
            start = end + 1
    return sum(covered) / len(text) if text else 0.0


@settings(deadline=None)
@given(
    st.text("あいう。", max_size=30),
    st.text("あいう。 ", min_size=1, max_size=60),
    st.integers(0, 6),
    st.text("あいう。", max_size=30),
)
def test_repetition_is_as_defined(before: str, passage: str, times: int, after: str) -> None:
    text = before + passage * times + after
    assert repetition(text) == pytest.approx(share_in_loops(text))


def test_letters_are_japanese_by_their_unicode_names() -> None:
    shares = {
        "CJK UNIFIED IDEOGRAPH": 0.5,
        "CJK COMPATIBILITY IDEOGRAPH-F": 0.5,
        "HIRAGANA LETTER SMALL": 0.5,
        "HALFWIDTH KATAKANA LETTER": 0.5,
        "HANGUL SYLLABLE": 0.0,
        "BOPOMOFO LETTER": 0.0,
    }
    for code in (*range(0x2E80, 0x10000), *range(0x20000, 0x32000)):
        name = unicodedata.name(chr(code), "")
        for beginning, share in shares.items():
            if name.startswith(beginning):
                assert japanese_share(chr(code) + "a") == share, name


@settings(deadline=None)
@given(st.text(max_size=200))
def test_shares_are_shares(text: str) -> None:
    assert 0.0 <= repetition(text) <= 1.0
    assert 0.0 <= japanese_share(text) <= 1.0
