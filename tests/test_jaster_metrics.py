"""Jaster's processing and metrics against logged values, worked examples and the pinned quirks."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scoring import char_f1, exact_match, nfkc, set_f1
from harness.scoring.jaster import (
    ANSWER_METRICS,
    char_f1_llmjp,
    float_match,
    llmjp_gold,
    llmjp_prediction,
    parse_float_llmjp,
    pearson,
    set_f1_llmjp,
    spearman,
)
from harness.scoring.nejumi import NEJUMI_FORMATS, nejumi_format, nejumi_prediction
from tests.shared_data import shared

# Everything Python can hold: lone surrogates and control characters too.
ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(
    "あ東A１。\n \ud800\x00\u3099", max_size=20
)


def test_logged_rows_are_reproduced() -> None:
    logged = json.loads(shared("jaster-outputs-sample", "dev-135-rows.json").read_text())
    rows = [dict(zip(logged["columns"], row, strict=True)) for row in logged["data"]]
    assert len(rows) == 135
    for row in rows:
        # `pred` and `true` were logged processed; doing it again must change nothing.
        prediction, gold = llmjp_prediction(row["pred"])[1], llmjp_gold(row["true"])
        assert (prediction, gold) == (row["pred"], row["true"])
        assert exact_match(prediction, gold) == row["exact"]
        assert char_f1_llmjp(prediction, gold) == row["char_f1"]
        assert set_f1_llmjp(prediction, gold) == row["set_f1"]
        assert set_f1(prediction, gold) == row["set_f1"]


@pytest.mark.parametrize(
    ("raw", "extracted", "normalised"),
    [
        ("２\n\n解説：あ", "２", "2"),
        (" entailment \n", "entailment", "entailment"),
        ("　東京　", "東京", "東京"),
        ("\n\n2", "", ""),  # the trap: cut before the strip
        ("\n2", "2", "2"),
        ("2\n \n3", "2\n \n3", "2\n \n3"),  # a line with a space is no blank line
        ("2\r\n\r\n3", "2\r\n\r\n3", "2\r\n\r\n3"),
        ("ﾏｻﾞｰﾎﾞｰﾄﾞ", "ﾏｻﾞｰﾎﾞｰﾄﾞ", "マザーボード"),
        ("", "", ""),
    ],
)
def test_llmjp_prediction(raw: str, extracted: str, normalised: str) -> None:
    assert llmjp_prediction(raw) == (extracted, normalised)


def test_llmjp_gold_is_not_stripped() -> None:
    assert llmjp_gold(" 英語") == " 英語"
    assert llmjp_gold("大国主神（人名）") == "大国主神(人名)"


@pytest.mark.parametrize(
    ("prediction", "gold", "ratio", "f1"),
    [
        ("東京都中央区", "中央区東京都", 0.5, 1.0),
        ("。", "", 1.0, 0.0),
        ("", "", 1.0, 1.0),
        ("", "東京", 0.0, 0.0),
        ("YES", "yes", 1.0, 0.0),
        ("b a", "a b", 1.0, 1.0),
        ("東京", "東京都", 0.8, 0.8),
    ],
)
def test_char_f1_under_two_names(prediction: str, gold: str, ratio: float, f1: float) -> None:
    assert char_f1_llmjp(prediction, gold) == ratio
    assert char_f1(prediction, gold) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("prediction", "gold", "llmjp", "ours"),
    [
        ("a\nb", "b\na", 1.0, 1.0),
        ("a\na\nb ", "a\nb", 1.0, 1.0),
        ("a\na", "a\na", 2 / 3, 1.0),  # recall is one hit over two gold lines
        ("a", "a\na\nb", 0.5, 0.8),
        ("a\n\nb", "a\nb", 0.8, 0.8),
        ("c", "a", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("", "a", 0.0, 0.0),
    ],
)
def test_set_f1_under_two_names(prediction: str, gold: str, llmjp: float, ours: float) -> None:
    assert set_f1_llmjp(prediction, gold) == pytest.approx(llmjp)
    assert set_f1(prediction, gold) == pytest.approx(ours)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3.5", 3.5), ("-3", 3.0), ("3か4", 34.0), ("類似度は2です。", 2.0), ("なし", -2.0),
     ("", -2.0), ("3.5.", -2.0), (".", -2.0), ("３", -2.0)],
)  # fmt: skip
def test_parse_float_llmjp(text: str, value: float) -> None:
    assert parse_float_llmjp(text) == value


@pytest.mark.parametrize(
    ("prediction", "gold", "strict", "lenient"),
    [
        ("12", "12", 1, 1),
        ("12.0", "12", 1, 1),
        (" 12 ", "12", 1, 1),
        ("1e1", "10", 1, 1),
        ("1,200", "1200", 0, 1),
        ("1,20", "120", 0, 0),
        ("12円", "12", 0, 0),
        ("−5", "-5", 0, 1),
        ("nan", "nan", 0, 0),
        ("", "0", 0, 0),
        ("3/4", "0.75", 0, 1),
        ("9" * 900, "1", 0, 0),
    ],
)
def test_float_match(prediction: str, gold: str, strict: float, lenient: float) -> None:
    assert float_match(prediction, gold) == strict
    assert float_match(prediction, gold, lenient=True) == lenient


def test_correlations() -> None:
    assert pearson([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1.0)
    assert pearson([1.0, 2.0, 4.0], [4.0, 2.0, 1.0]) == pytest.approx(-0.9285714, abs=1e-6)
    assert spearman([1.0, 2.0, 4.0], [4.0, 2.0, 1.0]) == pytest.approx(-1.0)
    assert spearman([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("values", "golds"),
    [
        ([], []),
        ([1.0], [1.0]),
        ([2.0, 2.0], [1.0, 3.0]),
        ([1.0, 3.0], [2.0, 2.0]),
        ([1.0, float("inf")], [1.0, 2.0]),
        ([1.0, float("nan")], [1.0, 2.0]),
        ([1.0, 1.0 + 2e-16], [1.0, 1.0 + 2e-16]),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_correlation_that_is_not_defined_is_none(values: list[float], golds: list[float]) -> None:
    for correlation in (pearson, spearman):
        found = correlation(values, golds)
        assert found is None or -1.0 <= found <= 1.0
    if len(set(values)) < 2:
        assert pearson(values, golds) is None


def test_correlation_of_different_lengths_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 predicted values for 1 gold"):
        pearson([1.0, 2.0], [1.0])


NEJUMI = [
    ("jnli", " Entailment\n\n説明", "entailment"),
    ("jnli", "\n\nneutral", "neutral"),
    ("jmmlu", "\n\nA", ""),
    ("jmmlu", "'A'", "A"),
    ("jmmlu", "\"'A'\"", "'A'"),  # apostrophes are stripped first
    ("jmmlu", "Ａ", "A"),
    ("niilc", "答え:Tokyo", "tokyo"),
    ("niilc", "答え：東京", "答え:東京"),
    ("jemhopqa", "\n\n回答: YES", "yes"),
    ("mawps", "\n\n12", "12"),
    ("mgsm", "\n\n12", ""),
    ("jblimp", " a ", "a"),
]


@pytest.mark.parametrize(("dataset", "raw", "normalised"), NEJUMI)
def test_nejumi_prediction(dataset: str, raw: str, normalised: str) -> None:
    assert nejumi_prediction(raw, dataset)[1] == normalised


@pytest.mark.parametrize(
    ("dataset", "processed", "value"),
    [
        ("jmmlu", "A", 1.0),
        ("jmmlu", "E", 0.0),
        ("jcommonsenseqa", "4", 1.0),
        ("janli", "non-entailment", 1.0),
        ("janli", "neutral", 0.0),
        ("mawps", "1e3", 1.0),
        ("mawps", "12個", 0.0),
        ("mgsm", "-1.5", 1.0),
        ("niilc", "東京", None),
        ("jcola-in-domain", "1", 1.0),
    ],
)
def test_nejumi_format(dataset: str, processed: str, value: float | None) -> None:
    assert nejumi_format(processed, dataset) == value


@settings(deadline=None, max_examples=300)
@given(ANY_TEXT, ANY_TEXT)
def test_metrics_are_shares_and_never_raise(prediction: str, gold: str) -> None:
    for metric in ANSWER_METRICS.values():
        assert 0.0 <= metric(prediction, gold) <= 1.0
    for dataset in NEJUMI_FORMATS:
        nejumi_format(nejumi_prediction(prediction, dataset)[1], dataset)


@settings(deadline=None, max_examples=300)
@given(ANY_TEXT)
def test_processing_again_changes_nothing(raw: str) -> None:
    processed = llmjp_prediction(raw)[1]
    # NFKC may make a space at an end, which the first strip could not see.
    assert llmjp_prediction(processed)[1] == processed.split("\n\n")[0].strip()
    assert nfkc(raw) == nfkc(nfkc(raw)) == unicodedata.normalize("NFKC", raw)


@settings(deadline=None, max_examples=200)
@given(st.text("aか\u3099\u0301\u0316\u05b0\u0334\u302a", min_size=31, max_size=120))
def test_nfkc_of_stacked_marks_is_exact(text: str) -> None:
    assert nfkc(text) == unicodedata.normalize("NFKC", text)


HUGE = ["あ" * 10**7, "答えはA\n" * 2 * 10**6, "9" * 10**7, "a " * 5 * 10**6, "\n" * 10**7,
        "か\u3099\u0316\u0301" * 2_500_000, "\ud800" * 10**7]  # fmt: skip


@pytest.mark.parametrize("raw", HUGE, ids=range(len(HUGE)))
def test_ten_million_characters_take_seconds(raw: str) -> None:
    begin = time.process_time()
    prediction = llmjp_prediction(raw)[1]
    for metric in ANSWER_METRICS.values():
        metric(prediction, "東京都中央区")
    assert time.process_time() - begin < 10
