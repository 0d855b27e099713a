"""Golden readings of realistic raw answers, and what extraction must never do."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items.schema import FormatRule, Item, JsonType, Metric
from harness.scoring import extract, find_answer, normalise, score_answer
from harness.scoring.labels import option_texts
from harness.scoring.numerals import japanese_number, kanji_number, numbers


def item(
    rule: FormatRule, answer: str, metric: Metric = "exact", prompt: str = "次の問いに答えなさい。"
) -> Item:
    return Item("item", "reasoning", (prompt,), answer, rule, metric)


ABCD = FormatRule("choice", labels=("A", "B", "C", "D"))
YES_NO = FormatRule("choice", labels=("はい", "いいえ"))
NLI = FormatRule("choice", labels=("entailment", "contradiction", "neutral"))
NLI_JA = FormatRule("choice", labels=("含意", "矛盾", "中立"))
DIGITS = FormatRule("choice", labels=("0", "1", "2", "3", "4"))
KANA = FormatRule("choice", labels=("ア", "イ", "ウ", "エ"))
POSSIBLE = FormatRule("choice", labels=("可能", "不可能"))
CAPITALS = "日本の首都はどれですか。記号だけで答えてください。\nA. 大阪\nB. 東京\nC. 京都\nD. 奈良"

NONE = None
CHOICES = [
    (ABCD, "答えはAです。", "A"),
    (ABCD, "正解：(B)", "B"),
    (ABCD, "Ｃ", "C"),
    (ABCD, "Dです", "D"),
    (ABCD, "「B」", "B"),
    (ABCD, "**B**", "B"),
    (ABCD, "選択肢Cが正しいです。", "C"),
    (ABCD, "A。なぜなら、Bは西暦の話であり、CとDは関係がないからです。", "A"),
    (ABCD, "Aも考えられますが、正解はBです。", "B"),
    (ABCD, "正しいのはCです。Aは年号が誤っています。", "C"),
    (ABCD, "まずAについて検討します。次にBを見ます。\n\nしたがって、答えは D です。", "D"),
    (ABCD, "答え：Ｂ\n\n解説：Aは誤りです。", "B"),
    (ABCD, "【答え】\nC", "C"),
    (ABCD, "最も適切な選択肢はDです。", "D"),
    (ABCD, "Aではなく、Bです。", "B"),
    (ABCD, "答えはAではありません。答えはCです。", "C"),
    (ABCD, "もし答えがAなら条件1に反する。よって答えはBである。", "B"),
    (ABCD, "\\boxed{D}", "D"),
    (ABCD, "したがって $\\boxed{\\text{A}}$ となる。", "A"),
    (ABCD, "The answer is B.", "B"),
    (ABCD, "Answer: C", "C"),
    (ABCD, "答えはbです。", "B"),
    (ABCD, "### 応答:\nA", "A"),
    (ABCD, "A\n\n### 入力:\n次の問題に答えよ。\n### 応答:\nC", "A"),
    (ABCD, "B\n\n質問：次のうち正しいものはどれか。\n答え：D", "B"),
    (ABCD, "<think>Aかもしれないし、Bかもしれない。</think>\nC", "C"),
    (ABCD, "私はBを選びます。AとCは根拠がありません。", "B"),
    (ABCD, "答えは、選択肢のDになります。", "D"),
    (ABCD, "Aは誤りです。Cは誤りです。Dも誤りです。よってBです。", "B"),
    (ABCD, "正解は、Bの「東京」です。", "B"),
    (ABCD, "Aが正解ではないので、Bを選びます。", "B"),
    (ABCD, "選択肢：A、B、C、D\n答え：B", "B"),
    (ABCD, "A:不正解 B:正解 C:不正解 D:不正解", NONE),
    (ABCD, "正解はA～DのうちBです。", NONE),
    (ABCD, "答えはAとは言えない。", NONE),
    (ABCD, "答えはAまたはBです。", NONE),
    (ABCD, "AとBのどちらも正しいです。", NONE),
    (ABCD, "A、B", NONE),
    (ABCD, "A\nB\nC\nD", NONE),
    (ABCD, "Aの可能性もあるし、Bの可能性もあります。", NONE),
    (ABCD, "Aではありません。", NONE),
    (ABCD, "正解はAです。いや、正解はBです。", NONE),
    (ABCD, "わかりません。", NONE),
    (ABCD, "ABC株式会社のBGMです。", NONE),
    (ABCD, "血液型がAB型の人です。", NONE),
    (YES_NO, "はい。", "はい"),
    (YES_NO, "答えははいです。", "はい"),
    (YES_NO, "いいえ、そうではありません。", "いいえ"),
    (YES_NO, "それはいい質問ですね。", NONE),
    (YES_NO, "回答：いいえ", "いいえ"),
    (NLI, "Entailment", "entailment"),
    (NLI, "関係はneutralです。", "neutral"),
    (NLI, "entailmentではなくcontradictionです。", "contradiction"),
    (NLI, "entailmentでもcontradictionでもなく、neutralです。", "neutral"),
    (NLI_JA, "前提と仮説の関係は「矛盾」です。", "矛盾"),
    (NLI_JA, "答え: 含意", "含意"),
    (DIGITS, "３", "3"),
    (DIGITS, "正解は2番です。", "2"),
    (DIGITS, "4.", "4"),
    (DIGITS, "3つの選択肢を比べると、2が正しい。", "2"),
    (DIGITS, "答えは10です。", NONE),
    (KANA, "ウです。", "ウ"),
    (KANA, "アメリカの首都はワシントンなので、イが正解です。", "イ"),
    (POSSIBLE, "答えは不可能です。", "不可能"),
    (POSSIBLE, "この計画は可能です。", "可能"),
]


@pytest.mark.parametrize(("rule", "raw", "wanted"), CHOICES)
def test_choice(rule: FormatRule, raw: str, wanted: str | None) -> None:
    assert find_answer(raw, item(rule, rule.labels[0])) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("B. 東京", "B"),
        ("東京", "B"),
        ("東京です。", "B"),
        ("答えは「東京」です。", "B"),
        (CAPITALS + "\nB", "B"),
        ("日本の首都はどれですか。記号だけで答えてください。\nB", "B"),
        ("A. 大阪\nB. 東京\nC. 京都\nD. 奈良", None),
        ("名古屋です。", None),
    ],
)
def test_choice_with_options_in_the_prompt(raw: str, wanted: str | None) -> None:
    assert find_answer(raw, item(ABCD, "B", prompt=CAPITALS)) == wanted


def test_options_are_read_only_when_every_label_is_listed() -> None:
    assert option_texts("問 A：犬 B：猫", ("A", "B")) == {"A": "犬", "B": "猫"}
    assert option_texts("選択肢: 0.鉛筆,1.紙,2.机", ("0", "1", "2")) == {
        "0": "鉛筆",
        "1": "紙",
        "2": "机",
    }
    assert option_texts("A. 犬\nC. 猫", ("A", "B", "C")) == {}


INTEGER, NUMBER = FormatRule("integer"), FormatRule("number")
NUMBERS = [
    (INTEGER, "答えは12です。", "12"),
    (INTEGER, "１２", "12"),
    (INTEGER, "12個", "12"),
    (INTEGER, "1,234円", "1234"),
    (INTEGER, "合計で１，２３４円になります。", "1234"),
    (INTEGER, "3×4=12です。", "12"),
    (INTEGER, "3×4＝12\n答え：12個", "12"),
    (INTEGER, "まず3と4を足して7。次に5を足すと12になります。", "12"),
    (INTEGER, "答えは、3+4で7です。", "7"),
    (INTEGER, "\\boxed{42}", "42"),
    (INTEGER, "よって $x = \\boxed{1{,}234}$", "1234"),
    (INTEGER, "−5", "-5"),
    (INTEGER, "気温はマイナス3度です。", "-3"),
    (INTEGER, "12.0", "12"),
    (INTEGER, "約3万5千人", "35000"),
    (INTEGER, "1億2000万円", "120000000"),
    (INTEGER, "二十三", "23"),
    (INTEGER, "答えは十二個です。", "12"),
    (INTEGER, "答えは12ではなく13です。", "13"),
    (INTEGER, "答えは12個(3×4)です。", "12"),
    (INTEGER, "12個です。3箱に4個ずつ入っているからです。", "12"),
    (INTEGER, "8\n\n問題：5+5はいくつですか。\n答え：10", "8"),
    (INTEGER, "1. 3に4を足す\n2. 合わせて7", "7"),
    (INTEGER, "```\n15\n```", "15"),
    (INTEGER, "次の問いに答えなさい。\n7", "7"),
    (INTEGER, "12 = 3 × 4", "12"),
    (INTEGER, "x = 12", "12"),
    (INTEGER, "Step 1: 3+4=7\nStep 2: 7*2=14\n#### 14", "14"),
    (INTEGER, "答え：7。検算：7-4=3。", "7"),
    (INTEGER, "1日3個ずつ食べるので、4日で12個。", "12"),
    (INTEGER, "答えは12ではありません。", None),
    (INTEGER, "3+4", None),
    (INTEGER, "答えは12か13です。", None),
    (INTEGER, "一番大きい数です。", None),
    (INTEGER, "わかりません。", None),
    (INTEGER, "答えは何でしょうか。", None),
    (NUMBER, "答えは2.5kmです。", "2.5"),
    (NUMBER, "25%", "25"),
    (NUMBER, "2.5万円", "25000"),
    (NUMBER, "答えは3/4です。", "3/4"),
    (NUMBER, "\\boxed{\\frac{3}{4}}", "3/4"),
]


@pytest.mark.parametrize(("rule", "raw", "wanted"), NUMBERS)
def test_number(rule: FormatRule, raw: str, wanted: str | None) -> None:
    assert find_answer(raw, item(rule, "12", "number")) == wanted


SPANS = [
    ("答えは東京です。", "東京"),
    ("「東京」です。", "東京"),
    ("東京。", "東京"),
    ("東京です。理由は本文にあります。", "東京"),
    ("回答：東京都\n説明：本文の二行目にあります。", "東京都"),
    ("以下が答えです:\n東京", "東京"),
    ("東京が正解です。", "東京"),
    ("答えは『雪国』だと思います。", "雪国"),
    ("「本」と「紙」", "「本」と「紙」"),
    ("- 東京", "東京"),
    ("東京\n\n質問：大阪はどこですか。\n回答：近畿地方", "東京"),
    ("A: 東京", "東京"),
    ("吾輩は猫である。", "吾輩は猫である"),
    ("答えは「吾輩は猫である」です。", "吾輩は猫である"),
    ("最終的な答えは、夏目漱石である。", "夏目漱石"),
]


@pytest.mark.parametrize(("raw", "wanted"), SPANS)
def test_span(raw: str, wanted: str) -> None:
    assert extract(raw, item(FormatRule("span"), "東京")) == wanted


LINES = [
    (None, "- 東京\n- 大阪", "東京\n大阪"),
    (None, "1. 東京\n2. 大阪\n3. 京都", "東京\n大阪\n京都"),
    (None, "・東京\n・大阪\n\n以上です。", "東京\n大阪"),
    (None, "以下の通りです。\n東京\n大阪", "東京\n大阪"),
    (None, "答え：\n東京\n大阪", "東京\n大阪"),
    (None, "東京、大阪、京都です。", "東京\n大阪\n京都"),
    (3, "「東京」「大阪」「京都」", "東京\n大阪\n京都"),
    (2, "東京　大阪", "東京\n大阪"),
    (None, "答えは東京、大阪です。", "東京\n大阪"),
    (None, "夏目 漱石", "夏目 漱石"),
    (2, "東京\n\n大阪", "東京\n大阪"),
    (2, "東京\n大阪\n\n理由は本文にあるためです。", "東京\n大阪"),
    (2, "①東京\n②大阪", "東京\n大阪"),
    (
        3,
        "はい、次の3つです：\n* 「東京」\n* 「大阪」\n* 「京都」\nほかにもあります。",
        "東京\n大阪\n京都",
    ),
]


@pytest.mark.parametrize(("count", "raw", "wanted"), LINES)
def test_lines(count: int | None, raw: str, wanted: str) -> None:
    assert extract(raw, item(FormatRule("lines", count=count), "東京\n大阪", "set_f1")) == wanted


KEYS: dict[str, JsonType] = {"名前": "string", "年齢": "integer"}
TARO = {"名前": "太郎", "年齢": 20}
JSON = [
    ('```json\n{"名前": "太郎", "年齢": 20}\n```', TARO),
    ('結果は次の通りです。{"名前": "太郎", "年齢": 20} 以上です。', TARO),
    ('{"名前": "太郎", "年齢": "20歳"}', TARO),
    ('{"名前": "太郎", "年齢": 20.0}', TARO),
    ('{"名前": "太郎", "年齢": 20,}', TARO),
    ('{"名前": "太郎", "年齢": 20, "備考": "なし"}', TARO),
    ("｛＂名前＂：＂太郎＂，＂年齢＂：２０｝", TARO),
    ('{"名前": "太郎", "年齢": 20}\n{"名前": "太郎", "年齢": 20}', TARO),
    ('{"名前": "太郎", "年齢": 20}\n{"名前": "花子", "年齢": 21}', None),
    ('{"名前": "太郎", "名前": "花子", "年齢": 20}', None),
    ('{"名前": "太郎", "年齢": 2', None),
    ("名前は太郎で、年齢は20です。", None),
]


@pytest.mark.parametrize(("raw", "wanted"), JSON)
def test_json(raw: str, wanted: dict[str, object] | None) -> None:
    gold = json.dumps(TARO, ensure_ascii=False)
    found = find_answer(raw, item(FormatRule("json", keys=KEYS), gold, "json"))
    assert (None if found is None else json.loads(found)) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("答えは2024-05-01です。", "2024-05-01"),
        ("２０２４－０５－０１", "2024-05-01"),
        ("日付は次の通りです。\n2024-05-01\nよろしくお願いします。", "2024-05-01"),
        ("2024-05-01\n2024-05-02", None),
        ("2024年5月1日", None),
    ],
)
def test_pattern(raw: str, wanted: str | None) -> None:
    rule = FormatRule("pattern", pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
    assert find_answer(raw, item(rule, "2024-05-01")) == wanted


def test_without_an_answer_the_normalised_text_comes_back() -> None:
    assert (
        extract("　Ａ、または　Ｂ。", item(ABCD, "A")) == normalise("A、または B") == "A、または B"
    )


def test_an_obedient_answer_is_not_touched() -> None:
    assert extract("007", item(INTEGER, "007")) == "007"
    assert extract("\nB ", item(ABCD, "B")) == "B"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("二十三", "23"),
        ("三百五", "305"),
        ("二〇二四", "2024"),
        ("十", "10"),
        ("千二百", "1200"),
        ("三万五千", "35000"),
        ("1.2億", "120000000"),
        ("2.5", "2.5"),
        ("百千", None),
        ("万", None),
        ("千葉", None),
        ("", None),
    ],
)
def test_japanese_number(text: str, wanted: str | None) -> None:
    assert japanese_number(text) == wanted


def test_kanji_number_wants_the_whole_text() -> None:
    assert kanji_number("三つです。") == "3"
    assert kanji_number("一番です。") is None


def test_numbers_leave_words_and_operators_alone() -> None:
    texts = [number.text for number in numbers("x1とH2O、10-5、-3、1,234、1,23、2024/4/1")]
    assert texts == ["10", "5", "-3", "1234", "1", "23", "2024", "4", "1"]


@settings(deadline=None)
@given(st.integers(0, 10**15))
def test_grouped_and_wrapped_integers_are_read_back(value: int) -> None:
    for raw in (f"答えは{value:,}円です。", f"{value:,}", f"合計は{value}個。"):
        assert find_answer(raw, item(INTEGER, "1", "number")) == str(value)


GARBAGE = [
    "あ" * 100_000,
    "答えは" * 33_000,
    "答え" + " " * 100_000,
    "(" * 50_000 + ")" * 50_000,
    "{" * 100_000,
    '{"a":' * 20_000,
    '{":' * 33_000,
    "1," * 50_000,
    "9" * 100_000,
    "111," * 25_000,
    "- " * 50_000,
    "A\n" * 50_000,
    "Aと" * 50_000,
    "\n" * 50_000 + "x" + " \n" * 25_000,
    "*" * 100_000,
    "\\boxed{" * 14_000,
    "一二三" * 33_000,
    "か\u3099\u0316\u0301" * 25_000,
    "\u0301\u0316" * 50_000,
    "以下の通り" * 20_000,
    "```" * 33_000,
    "「" * 100_000,
    "はい" * 50_000,
    "<think>" * 14_000,
]
RULES = [
    (ABCD, "exact"),
    (YES_NO, "exact"),
    (INTEGER, "number"),
    (FormatRule("span"), "char_f1"),
    (FormatRule("json", keys=KEYS), "json"),
    (FormatRule("lines"), "set_f1"),
    (FormatRule("lines", count=3), "set_f1"),
    (FormatRule("pattern", pattern="[0-9]+年"), "exact"),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_takes_linear_time(garbage: str) -> None:
    golds = {"number": "1", "json": '{"名前": "a", "年齢": 1}'}
    for rule, metric in RULES:
        gold = golds.get(metric, rule.labels[0] if rule.labels else "東京")
        begin = time.process_time()
        score_answer(item(rule, gold, metric, prompt=CAPITALS), garbage, "length")  # type: ignore[arg-type]
        # A quadratic rule takes minutes for 100,000 characters; linear ones well under a second.
        assert time.process_time() - begin < 5, rule.kind
