"""Golden readings of raw answers to Jaster datasets, and what extraction must never do."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items.jaster_datasets import DATASETS
from harness.items.schema import FormatRule, Item, Metric
from harness.scoring import extract, find_answer, nfkc, normalise, score_answer
from harness.scoring.labels import option_texts
from harness.scoring.normalise import normalise_lines, unify
from tests.shared_data import shared

DIGITS, ABCD = DATASETS["jcommonsenseqa"].format, DATASETS["jmmlu"].format
NLI, JANLI, JSEM = (DATASETS[name].format for name in ("jnli", "janli", "jsem"))
AB, ZERO_ONE = DATASETS["jblimp"].format, DATASETS["jcola"].format
YES_NO = FormatRule("choice", labels=("yes", "no"))
HAI_IIE = FormatRule("choice", labels=("はい", "いいえ"))
POLARITY = FormatRule("choice", labels=("positive", "negative"))

JCQA = (
    "質問：電子機器で使用される最も主要な電子回路基板の事をなんと言う？\n"
    "選択肢：0.掲示板,1.パソコン,2.マザーボード,3.ハードディスク,4.まな板"
)
JMMLU = "質問：日本の首都はどこか。\n選択肢：A.大阪,B.東京,C.京都,D.奈良"
PAIR = "前提：男性がギターを弾いている。\n仮説：人が楽器を演奏している。"
WHALE = "質問：鯨は魚ですか。"
REVIEW = "文：良い。"
SENTENCES = "a: 犬が走る。\nb: 犬を走る。"
SENTENCE = "文。"


def item(rule: FormatRule, prompt: str, metric: Metric = "exact", answer: str = "x") -> Item:
    return Item("item", "reasoning", (prompt,), answer, rule, metric)


# fmt: off
CHOICES: list[tuple[FormatRule, str, str, str | None]] = [
    (DIGITS, JCQA, "2", "2"),
    (DIGITS, JCQA, "２", "2"),
    (DIGITS, JCQA, "2。", "2"),
    (DIGITS, JCQA, "2です", "2"),
    (DIGITS, JCQA, "答えは2です。", "2"),
    (DIGITS, JCQA, "【2】", "2"),
    (DIGITS, JCQA, "正解は選択肢2", "2"),
    (DIGITS, JCQA, "正解は選択肢2です。", "2"),
    (DIGITS, JCQA, "選択肢2", "2"),
    (DIGITS, JCQA, "2番", "2"),
    (DIGITS, JCQA, "2番です。", "2"),
    (DIGITS, JCQA, "2.マザーボード", "2"),
    (DIGITS, JCQA, "2. マザーボード", "2"),
    (DIGITS, JCQA, "2：マザーボード", "2"),
    (DIGITS, JCQA, "2 マザーボード", "2"),
    (DIGITS, JCQA, "2、マザーボード", "2"),
    (DIGITS, JCQA, "2 (マザーボード)", "2"),
    (DIGITS, JCQA, "2（マザーボード）", "2"),
    (DIGITS, JCQA, "(2) マザーボード", "2"),
    (DIGITS, JCQA, "マザーボード", "2"),
    (DIGITS, JCQA, "マザーボードです。", "2"),
    (DIGITS, JCQA, "「マザーボード」", "2"),
    (DIGITS, JCQA, "答えはマザーボードです。", "2"),
    (DIGITS, JCQA, "正解は「マザーボード」です。", "2"),
    (DIGITS, JCQA, "正解：マザーボード", "2"),
    (DIGITS, JCQA, "正解は2.マザーボードです。", "2"),
    (DIGITS, JCQA, "答えは2のマザーボードです。", "2"),
    (DIGITS, JCQA, "電子回路基板はマザーボードと呼ばれる。したがって答えは2です。", "2"),
    (DIGITS, JCQA, "0は掲示板、1はパソコンなので違います。答えは2です。", "2"),
    (DIGITS, JCQA, JCQA.split("\n")[1] + "\n答え：2", "2"),
    (DIGITS, JCQA, JCQA + "\n2", "2"),
    (DIGITS, JCQA, JCQA, None),
    (DIGITS, JCQA, "```\n2\n```", "2"),
    (DIGITS, JCQA, "```2```", "2"),
    (DIGITS, JCQA, "`2`", "2"),
    (DIGITS, JCQA, "\\boxed{2}", "2"),
    (DIGITS, JCQA, "$\\boxed{2}$", "2"),
    (DIGITS, JCQA, "2または3", None),
    (DIGITS, JCQA, "2か3です。", None),
    (DIGITS, JCQA, "2と3", None),
    (DIGITS, JCQA, "2,3", None),
    (DIGITS, JCQA, "2\n3", None),
    (DIGITS, JCQA, "答えは2です。3かもしれません。", "2"),
    (DIGITS, JCQA, "5", None),
    (DIGITS, JCQA, "22", None),
    (DIGITS, JCQA, "2.5", None),
    (DIGITS, JCQA, "20", None),
    (DIGITS, JCQA, "選択肢の中から選ぶと、2になります。", "2"),
    (DIGITS, JCQA, "回答：2\n\n解説：マザーボードは…", "2"),
    (DIGITS, JCQA, "### 応答:\n2", "2"),
    (DIGITS, JCQA, "2\n\n### 入力:\n質問：別の質問\n選択肢：0.a,1.b\n### 応答:\n1", "2"),
    (DIGITS, JCQA, "わかりません", None),
    (DIGITS, JCQA, "", None),
    (DIGITS, JCQA, "パソコンのマザーボード", None),
    (DIGITS, JCQA, "パソコン、マザーボード", None),
    (DIGITS, JCQA, "マザーボードまたはパソコン", None),
    (DIGITS, JCQA, "int型で2です", "2"),
    (DIGITS, JCQA, "最も適切な選択肢は「2.マザーボード」です。", "2"),
    (DIGITS, JCQA, "2.マザーボード\n3.ハードディスク", None),
    (DIGITS, JCQA, "2.マザーボード,3.ハードディスク", None),
    (DIGITS, JCQA, "正解は２番のマザーボードです。", "2"),
    (DIGITS, JCQA, "The answer is 2.", "2"),
    (DIGITS, JCQA, "Answer: 2", "2"),
    (DIGITS, JCQA, "まず0を検討する。次に1を検討する。最後に2が正しい。", "2"),
    (DIGITS, JCQA, "2\n2\n2", "2"),
    (DIGITS, JCQA, "-2", None),
    (DIGITS, JCQA, "パソコンではなくマザーボードです。", "2"),
    (DIGITS, JCQA, "マザーボード（2）", "2"),
    (DIGITS, JCQA, "2 → マザーボード", "2"),
    (DIGITS, JCQA, "回答は「2」です", "2"),
    (DIGITS, JCQA, "2: マザーボード", "2"),
    (DIGITS, JCQA, "2）マザーボード", "2"),
    (DIGITS, JCQA, "マザーボードが正解です。", "2"),
    (DIGITS, JCQA, "マザーボード。電子回路基板のこと。", "2"),
    (DIGITS, JCQA, "2.パソコン", None),
    (DIGITS, JCQA, "まな板ではありません。", None),
    (ABCD, JMMLU, "答えはAです。", "A"),
    (ABCD, JMMLU, "【A】", "A"),
    (ABCD, JMMLU, "Ａ", "A"),
    (ABCD, JMMLU, "A：大阪", "A"),
    (ABCD, JMMLU, "A:大阪", "A"),
    (ABCD, JMMLU, "B：東京", "B"),
    (ABCD, JMMLU, "B.東京", "B"),
    (ABCD, JMMLU, "Ｂ．東京", "B"),
    (ABCD, JMMLU, "正解はBの東京です。", "B"),
    (ABCD, JMMLU, "東京", "B"),
    (ABCD, JMMLU, "「東京」です", "B"),
    (ABCD, JMMLU, "b", "B"),
    (ABCD, JMMLU, "(b)", "B"),
    (ABCD, JMMLU, "[B]", "B"),
    (ABCD, JMMLU, "B)", "B"),
    (ABCD, JMMLU, "B) 東京", "B"),
    (ABCD, JMMLU, "<B>", "B"),
    (ABCD, JMMLU, "**B**", "B"),
    (ABCD, JMMLU, "**答え: B**", "B"),
    (ABCD, JMMLU, "正解は、B. 東京 です。", "B"),
    (ABCD, JMMLU, "A：東京", None),
    (ABCD, JMMLU, "選択肢B", "B"),
    (ABCD, JMMLU, "正解：選択肢B", "B"),
    (ABCD, JMMLU, "A、B", None),
    (ABCD, JMMLU, "AとB", None),
    (ABCD, JMMLU, "A or B", None),
    (ABCD, JMMLU, "A/B", None),
    (ABCD, JMMLU, "A. 大阪\nB. 東京", None),
    (ABCD, JMMLU, "E", None),
    (ABCD, JMMLU, "BC", None),
    (ABCD, JMMLU, "大阪は首都ではない。東京が首都である。よってB", "B"),
    (ABCD, JMMLU, "Bが正解。Aは不正解。", "B"),
    (ABCD, JMMLU, "Bが最も適切です。なぜならAは府、Cは旧都だからです。", "B"),
    (ABCD, JMMLU, "思考過程：首都は東京である。\n答え：B", "B"),
    (ABCD, JMMLU, "<think>A?</think>B", "B"),
    (ABCD, JMMLU, "\\boxed{B}", "B"),
    (ABCD, JMMLU, "\\boxed{\\text{B}}", "B"),
    (ABCD, JMMLU, "\\boxed{A}か\\boxed{B}", None),
    (ABCD, JMMLU, "答えはＢ。", "B"),
    (ABCD, JMMLU, "答え\u3000B", "B"),
    (ABCD, JMMLU, "答え B", "B"),
    (ABCD, JMMLU, "解答 B", "B"),
    (ABCD, JMMLU, "ANSWER: B", "B"),
    (ABCD, JMMLU, "The correct answer is (B).", "B"),
    (ABCD, JMMLU, "The answer is B. Tokyo", "B"),
    (ABCD, JMMLU, "I think A is wrong, so B.", "B"),
    (ABCD, JMMLU, "東京です。日本の首都だからです。", "B"),
    (ABCD, JMMLU, "正解は東京（B）です。", "B"),
    (ABCD, JMMLU, "B（東京）", "B"),
    (ABCD, JMMLU, "B 東京", "B"),
    (ABCD, JMMLU, "B、東京", "B"),
    (ABCD, JMMLU, "B\n東京", "B"),
    (ABCD, JMMLU, "B\n\n東京は日本の首都です。", "B"),
    (ABCD, JMMLU, "「B」と「C」", None),
    (ABCD, JMMLU, "BもCも正しい", None),
    (ABCD, JMMLU, "B以外", None),
    (ABCD, JMMLU, "Bではない", None),
    (ABCD, JMMLU, "Aではなく、Bが正しい。", "B"),
    (ABCD, JMMLU, "正解はBとCです。", None),
    (ABCD, JMMLU, "Aは大阪、Bは東京、Cは京都、Dは奈良です。", None),
    (ABCD, JMMLU, "B.", "B"),
    (ABCD, JMMLU, "B,", "B"),
    (ABCD, JMMLU, "回答：\n\nB", "B"),
    (ABCD, JMMLU, "\n\nB", "B"),
    (ABCD, JMMLU, "１．B", "B"),
    (ABCD, JMMLU, "A\nB\nC\nD\n\n答えはB", "B"),
    (NLI, PAIR, "entailment", "entailment"),
    (NLI, PAIR, "Entailment", "entailment"),
    (NLI, PAIR, "ENTAILMENT", "entailment"),
    (NLI, PAIR, "ｅｎｔａｉｌｍｅｎｔ", "entailment"),
    (NLI, PAIR, "entailment。", "entailment"),
    (NLI, PAIR, "entailmentです。", "entailment"),
    (NLI, PAIR, "答えはentailmentです。", "entailment"),
    (NLI, PAIR, "「entailment」", "entailment"),
    (NLI, PAIR, "前提と仮説の関係はcontradictionです。", "contradiction"),
    (NLI, PAIR, "関係: neutral", "neutral"),
    (NLI, PAIR, "neutral\n\n理由：…", "neutral"),
    (NLI, PAIR, "entailmentまたはneutral", None),
    (NLI, PAIR, "entailment or neutral", None),
    (NLI, PAIR, "entailment/contradiction", None),
    (NLI, PAIR, "entailment, contradiction, neutral", None),
    (NLI, PAIR, "entailmentではない", None),
    (NLI, PAIR, "not entailment", None),
    (NLI, PAIR, "non-entailment", None),
    (NLI, PAIR, "entail", None),
    (NLI, PAIR, "neutralではなくentailmentです。", "entailment"),
    (NLI, PAIR, "この場合はneutralに該当します。", "neutral"),
    (NLI, PAIR, "前提から仮説が導けるのでentailment", "entailment"),
    (NLI, PAIR, "含意", None),
    (NLI, PAIR, "- neutral", "neutral"),
    (NLI, PAIR, "1. entailment", "entailment"),
    (NLI, PAIR, "entailments", None),
    (NLI, PAIR, "`neutral`", "neutral"),
    (NLI, PAIR, "It is a contradiction.", "contradiction"),
    (NLI, PAIR, "The relationship is neutral.", "neutral"),
    (NLI, PAIR, "entailment (含意)", "entailment"),
    (NLI, PAIR, PAIR + "\nentailment", "entailment"),
    (NLI, PAIR, "矛盾しないのでneutralと出力", "neutral"),
    (NLI, PAIR, "entailmentと出力", "entailment"),
    (JANLI, PAIR, "entailment", "entailment"),
    (JANLI, PAIR, "non-entailment", "non-entailment"),
    (JANLI, PAIR, "Non-Entailment", "non-entailment"),
    (JANLI, PAIR, "non‐entailment", "non-entailment"),
    (JANLI, PAIR, "ｎｏｎ－ｅｎｔａｉｌｍｅｎｔ", "non-entailment"),
    (JANLI, PAIR, "non entailment", None),
    (JANLI, PAIR, "not entailment", None),
    (JANLI, PAIR, "not-entailment", None),
    (JANLI, PAIR, "答えはnon-entailmentです。", "non-entailment"),
    (JANLI, PAIR, "答えはentailmentです。", "entailment"),
    (JANLI, PAIR, "non-entailmentです。", "non-entailment"),
    (JANLI, PAIR, "「non-entailment」", "non-entailment"),
    (JANLI, PAIR, "entailmentではなくnon-entailmentです。", "non-entailment"),
    (JANLI, PAIR, "entailment, non-entailment", None),
    (JANLI, PAIR, "entailmentかnon-entailment", None),
    (JANLI, PAIR, "nonentailment", None),
    (JANLI, PAIR, "関係はnon-entailment", "non-entailment"),
    (JANLI, PAIR, "non-entailmentではありません。", None),
    (JANLI, PAIR, "non-", None),
    (JANLI, PAIR, "no-entailment", None),
    (JANLI, PAIR, "非entailment", None),
    (JSEM, PAIR, "yes", "yes"),
    (JSEM, PAIR, "Yes", "yes"),
    (JSEM, PAIR, "Yes.", "yes"),
    (JSEM, PAIR, "no", "no"),
    (JSEM, PAIR, "No", "no"),
    (JSEM, PAIR, "unknown", "unknown"),
    (JSEM, PAIR, "答えはunknownです。", "unknown"),
    (JSEM, PAIR, "undef", "undef"),
    (JSEM, PAIR, "undefined", None),
    (JSEM, PAIR, "not", None),
    (JSEM, PAIR, "yes/no", None),
    (JSEM, PAIR, "yesまたはno", None),
    (JSEM, PAIR, "答えはnoです。", "no"),
    (JSEM, PAIR, "know", None),
    (JSEM, PAIR, "noです", "no"),
    (JSEM, PAIR, "YES", "yes"),
    (JSEM, PAIR, "yes、no", None),
    (JSEM, PAIR, "yesと出力", "yes"),
    (JSEM, PAIR, "前提が仮説を含意するのでyes", "yes"),
    (JSEM, PAIR, "none", None),
    (YES_NO, PAIR, "yes", "yes"),
    (YES_NO, PAIR, "はい", None),
    (YES_NO, PAIR, "no problem, yes", "yes"),
    (YES_NO, PAIR, "Yes, it is.", "yes"),
    (YES_NO, PAIR, "No, it isn't.", "no"),
    (HAI_IIE, WHALE, "いいえ", "いいえ"),
    (HAI_IIE, WHALE, "いいえ。", "いいえ"),
    (HAI_IIE, WHALE, "いいえ、魚ではありません。", "いいえ"),
    (HAI_IIE, WHALE, "はい、そうです。", "はい"),
    (HAI_IIE, WHALE, "はい、いいえ", None),
    (HAI_IIE, WHALE, "はいまたはいいえ", None),
    (HAI_IIE, WHALE, "「はい」", "はい"),
    (HAI_IIE, WHALE, "答えは「いいえ」です。", "いいえ"),
    (HAI_IIE, WHALE, "はいです", "はい"),
    (HAI_IIE, WHALE, "ハイ", None),
    (HAI_IIE, WHALE, "いいえです。鯨は哺乳類です。", "いいえ"),
    (POLARITY, REVIEW, "positive", "positive"),
    (POLARITY, REVIEW, "Positive", "positive"),
    (POLARITY, REVIEW, "ポジティブ", None),
    (POLARITY, REVIEW, "positiveです。", "positive"),
    (POLARITY, REVIEW, "positive/negative", None),
    (POLARITY, REVIEW, "not positive", None),
    (POLARITY, REVIEW, "極性はnegativeです。", "negative"),
    (POLARITY, REVIEW, "positiveではなくnegative", "negative"),
    (POLARITY, REVIEW, "positive and negative", None),
    (AB, SENTENCES, "a", "a"),
    (AB, SENTENCES, "A", "a"),
    (AB, SENTENCES, "a。", "a"),
    (AB, SENTENCES, "aです。", "a"),
    (AB, SENTENCES, "正しい文章はaです。", "a"),
    (AB, SENTENCES, "a: 犬が走る。", "a"),
    (AB, SENTENCES, "犬が走る。", "a"),
    (AB, SENTENCES, "aとb", None),
    (AB, SENTENCES, "bは誤りなのでa", "a"),
    (AB, SENTENCES, "文aが正しい。", "a"),
    (AB, SENTENCES, "ａ", "a"),
    (ZERO_ONE, SENTENCE, "1", "1"),
    (ZERO_ONE, SENTENCE, "0", "0"),
    (ZERO_ONE, SENTENCE, "１", "1"),
    (ZERO_ONE, SENTENCE, "10", None),
    (ZERO_ONE, SENTENCE, "1か0", None),
    (ZERO_ONE, SENTENCE, "文法的に正しいので1です。", "1"),
    (ZERO_ONE, SENTENCE, "答えは0です", "0"),
    (ZERO_ONE, SENTENCE, "1.", "1"),
    (ZERO_ONE, SENTENCE, "-1", None),
    (ABCD, JMMLU, "Aではないが、AかBかと言えばB", None),
    (DIGITS, JCQA, "パソコンでなく、マザーボード", "2"),
]
# fmt: on


@pytest.mark.parametrize(("rule", "prompt", "raw", "wanted"), CHOICES)
def test_choice(rule: FormatRule, prompt: str, raw: str, wanted: str | None) -> None:
    assert find_answer(raw, item(rule, prompt)) == wanted


SUM = "問題：りんごが3個、みかんが5個あります。合わせて何個ですか。"
# fmt: off
NUMBERS: list[tuple[str, str | None]] = [
    ("8", "8"),
    ("８", "8"),
    ("8個", "8"),
    ("8個です。", "8"),
    ("答えは8です。", "8"),
    ("答え：8", "8"),
    ("3+5=8", "8"),
    ("3+5=8なので、答えは8個です。", "8"),
    ("8.0", "8.0"),
    ("1,200円", "1200"),
    ("１，２００", "1200"),
    ("\\boxed{8}", "8"),
    ("$8$", "8"),
    ("```\n8\n```", "8"),
    ("【8】", "8"),
    ("【答え】8個", "8"),
    ("解答：8個\n", "8"),
    ("式：3+5=8\n答え：8個", "8"),
    ("8か9", None),
    ("8または9", None),
    ("8〜9", None),
    ("約8", "8"),
    ("八", "8"),
    ("八個", "8"),
    ("りんごが3個、みかんが5個なので、合計8個です。", "8"),
    ("3個と5個を足します。", "5"),
    ("わかりません", None),
    ("", None),
    (SUM + "\n8", "8"),
    ("8\n\n問題：次の問題\n解答：3", "8"),
    ("#### 8", "8"),
    ("答えは8。検算：3+5=8。", "8"),
    ("0.5", "0.5"),
    ("1/2", "1/2"),
    ("-3", "-3"),
    ("−3", "-3"),
    ("答えは3 + 5 = 8", "8"),
    ("8 apples", "8"),
    ("The answer is 8.", "8"),
    ("Step 1: 3\nStep 2: 5\n答え: 8", "8"),
    ("2時間30分", None),
    ("8%", "8"),
    ("答え：8 個", "8"),
    ("12 - 4 = 8", "8"),
    ("x=8", "8"),
    ("1200.50", "1200.50"),
    ("1，234", "1234"),
    ("答えは８です", "8"),
    ("(8)", "8"),
    ("「8」", "8"),
]
# fmt: on


@pytest.mark.parametrize(("raw", "wanted"), NUMBERS)
def test_number(raw: str, wanted: str | None) -> None:
    assert find_answer(raw, item(DATASETS["mawps"].format, SUM, "number")) == wanted


FILMS = "質問：映画『ダイ・ハード』と『デッドプール2』のうち、公開年が早いほうはどっち？"
# fmt: off
SPANS: list[tuple[str, str]] = [
    ("ダイ・ハード", "ダイ・ハード"),
    ("『ダイ・ハード』", "ダイ・ハード"),
    ("ダイ・ハードです。", "ダイ・ハード"),
    ("答えは『ダイ・ハード』です。", "ダイ・ハード"),
    ("回答：ダイ・ハード", "ダイ・ハード"),
    ("YES", "YES"),
    ("YESです。", "YES"),
    ("答え: YES", "YES"),
    ("YES。", "YES"),
    (FILMS + "\nダイ・ハード", "ダイ・ハード"),
    ("```\nダイ・ハード\n```", "ダイ・ハード"),
    ("\\boxed{東京}", "東京"),
    ("東京,大阪", "東京,大阪"),
    ("【ダイ・ハード】", "ダイ・ハード"),
    ("回答：\n東京", "東京"),
    ("### 応答:\n東京", "東京"),
    ("公開年が早いのはダイ・ハードです。", "公開年が早いのはダイ・ハード"),
    ("正解は東京です。理由は首都だからです。", "東京"),
    ("\n\n東京", "東京"),
    ("東京\n\n質問：次は？\n回答：大阪", "東京"),
    ("はい", "はい"),
    ("「東京」と「大阪」", "「東京」と「大阪」"),
    ("-", "-"),
]
# fmt: on


@pytest.mark.parametrize(("raw", "wanted"), SPANS)
def test_span(raw: str, wanted: str) -> None:
    assert extract(raw, item(DATASETS["jemhopqa"].format, FILMS, "char_f1")) == wanted


TWO = "建設事業 negative\n製品 positive"


@pytest.mark.parametrize(
    ("dataset", "raw", "wanted"),
    [
        ("chabsa", TWO, TWO),
        ("chabsa", "- 建設事業 negative\n- 製品 positive", TWO),
        ("chabsa", "1. 建設事業 negative\n2. 製品 positive", TWO),
        ("chabsa", "以下の通りです。\n" + TWO, TWO),
        ("chabsa", "答え：\n" + TWO, TWO),
        ("chabsa", "```\n" + TWO + "\n```", TWO),
        ("chabsa", "建設事業 negative\n\n製品 positive", TWO),
        ("chabsa", "建設事業　negative\n製品　positive", TWO),
        ("chabsa", TWO + "\n\n以上です。", TWO),
        ("chabsa", "建設事業です。", None),
        ("wiki_ner", "ケッペン（人名） 北海（地名）", "ケッペン（人名） 北海（地名）"),
        ("wiki_ner", "固有表現は次の通りです。\nケッペン（人名）", "ケッペン(人名)"),
        ("wiki_dependency", "・国津神の -> 神で、", "国津神の -> 神で、"),
        ("wiki_pas", "登場する ガ：神\n神 ガ：大国主神", "登場する ガ：神\n神 ガ：大国主神"),
        ("wiki_coreference", "回答：\n国津神 国津神", "国津神 国津神"),
        ("wiki_reading", "ぎたりすとは、つうしょう。", "ぎたりすとは、つうしょう。"),
    ],
)
def test_lines_of_a_given_form(dataset: str, raw: str, wanted: str | None) -> None:
    assert find_answer(raw, item(DATASETS[dataset].format, "文章：あ。", "set_f1")) == wanted


def forms_of(label: str, option: str) -> list[str]:
    """Ways in which models give an option that a reader understands at once."""
    return [
        *(label, f"{label}です。", f"答えは{label}です。", f"正解：選択肢{label}", f"【{label}】"),
        *(
            f"{label}.{option}",
            f"{label}：{option}",
            f"{label} {option}",
            f"正解は{label}.{option}",
        ),
        *(option, f"答えは「{option}」です。", f"順に考えます。\n\nよって、答えは{label}です。"),
        f"{label}\n\n### 入力:\n質問：次\n選択肢：{label}.あ\n### 応答:\n{label}",
    ]


@pytest.mark.parametrize("name", ["jcommonsenseqa", "jmmlu"])
def test_real_options_are_read_in_every_form_and_two_never(name: str) -> None:
    file = json.loads(shared("jaster-llmjp-format", "test", f"{name}.json").read_text())
    rule = DATASETS[name].format
    read = 0
    for sample in file["samples"][::7]:
        options = option_texts(sample["input"], rule.labels)
        if not options:  # two options of one text
            continue
        gold = sample["output"]
        other = next(label for label in rule.labels if label != gold)
        asked = item(rule, sample["input"])
        for raw in forms_of(gold, options[gold]):
            # An option whose text is itself a label or names some is left alone.
            assert find_answer(raw, asked) in (gold, None), raw
            read += find_answer(raw, asked) == gold
        for raw in (f"{gold}または{other}", f"{other}.{options[gold]}",
                    f"{gold}.{options[gold]}\n{other}.{options[other]}"):  # fmt: skip
            assert find_answer(raw, asked) is None, raw
    assert read >= 0.995 * 13 * len(file["samples"][::7]) - 13


WORDS = st.sampled_from(
    (
        *"01234２ABＡ、。\n か【】()*-\ud800\x00\u200b",
        *("答えは", "正解：", "です。", "ではなく", "または", "質問：", "### 応答:", "10"),
        *(
            "マザーボード",
            "パソコン",
            "entailment",
            "non-entailment",
            "non-",
            "not",
            "はい",
            "いいえ",
        ),
        *("```", "\\boxed{2}", "<think>", "</think>"),
    )
)
ANSWERS = st.lists(WORDS, max_size=12).map("".join) | st.text(st.characters(), max_size=40)


@settings(deadline=None, max_examples=400)
@given(ANSWERS)
def test_no_option_is_invented(raw: str) -> None:
    """An extracted label stands in the text, or the text of its option does."""
    for rule, prompt in ((DIGITS, JCQA), (ABCD, JMMLU), (JANLI, PAIR), (HAI_IIE, WHALE)):
        found = find_answer(raw, item(rule, prompt))
        if found is None:
            continue
        assert found in rule.labels
        text = unify(raw)
        option = option_texts(prompt, rule.labels).get(found)
        assert found.casefold() in text.casefold() or (option is not None and option in text)


@settings(deadline=None, max_examples=300)
@given(ANSWERS)
def test_nothing_raises_and_normalising_twice_is_once(raw: str) -> None:
    for form in (normalise, normalise_lines, nfkc, unify):
        assert form(form(raw)) == form(raw)
    for dataset in DATASETS.values():
        find_answer(raw, item(dataset.format, JCQA))


HUGE = [
    "あ" * 10**7,
    "答えはAです。\n" * 1_200_000,
    "9" * 10**7,
    "か\u3099\u0316\u0301" * 2_500_000,
    "\ud800" * 10**7,
    "建設 positive\n" * 900_000,
]


@pytest.mark.parametrize("raw", HUGE, ids=range(len(HUGE)))
def test_ten_million_characters_take_seconds(raw: str) -> None:
    for rule in (DIGITS, DATASETS["mawps"].format, DATASETS["chabsa"].format):
        begin = time.process_time()
        score_answer(item(rule, JCQA, answer=rule.labels[0] if rule.labels else "8"), raw, "length")
        assert time.process_time() - begin < 10, rule.kind
