"""Mathematical equality: golden pairs, properties, limits, extraction, GSM8K's own answers."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.schema import FormatRule, Item
from harness.scoring import compare, score_answer
from harness.scoring.math import MathVerdict, extract_math_answer, math_equal, pool
from harness.scoring.math.equality import LONGEST
from harness.scoring.math.reader import canonical, read
from harness.scoring.math.units import UNITS
from harness.scoring.math.verdict import REASONS
from tests.shared_data import shared

PAIRS = Path(__file__).parent / "data" / "math_pairs.txt"
OUTCOMES = {"==": "equal", "!=": "unequal", "??": "undecided"}
needs_sympy = pytest.mark.skipif(not pool.installed(), reason="math-verify is not installed")


def _pairs() -> list[tuple[str, str, str]]:
    lines = [line for line in PAIRS.read_text().splitlines() if line and line[0] != "#"]
    found = [re.fullmatch(r"(.+) (==|!=|\?\?) (.+)", line) for line in lines]
    return [(m[1], OUTCOMES[m[2]], m[3]) for m in found if m is not None]


GOLDEN = _pairs()
# A machine without math-verify still decides these.
EXACT = [(a, outcome, g) for a, outcome, g in GOLDEN if math_equal(a, g).by in ("text", "exact")]


def test_golden_pairs_are_many_and_often_unequal(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = Counter(outcome for _, outcome, _ in GOLDEN)
    assert outcomes["equal"] + outcomes["unequal"] >= 400
    assert outcomes["unequal"] >= 0.4 * (outcomes["equal"] + outcomes["unequal"])
    decided = [pair for pair in GOLDEN if pair[1] != "undecided"]
    share = len(EXACT) / len(decided)
    start = time.perf_counter()
    canonical.cache_clear()
    read.cache_clear()
    for answer, _, gold in EXACT:
        for text in (answer, gold):
            read(canonical(text))
    each = (time.perf_counter() - start) / len(EXACT)
    with capsys.disabled():
        print(
            f"\n{len(GOLDEN)} golden pairs {dict(outcomes)}: {share:.1%} decided without sympy, "
            f"{each * 1e3:.2f} ms each"
        )
    assert share > 0.9


@pytest.mark.parametrize(("answer", "outcome", "gold"), EXACT)
def test_golden_pairs_that_need_no_sympy(answer: str, outcome: str, gold: str) -> None:
    for verdict in (math_equal(answer, gold), math_equal(gold, answer)):
        assert verdict.outcome == outcome
        assert verdict.reason is None


@needs_sympy
@pytest.mark.parametrize(
    ("answer", "outcome", "gold"), [pair for pair in GOLDEN if pair not in EXACT]
)
def test_golden_pairs_for_sympy(answer: str, outcome: str, gold: str) -> None:
    for verdict in (math_equal(answer, gold, timeout=60), math_equal(gold, answer, timeout=60)):
        assert verdict.outcome == outcome
        assert (verdict.reason is not None) == (outcome == "undecided")


# --- what cannot be decided ---


def test_undecided_says_whose_fault_it_is() -> None:
    assert math_equal("わかりません", "12") == MathVerdict("undecided", "unparsable answer")
    assert math_equal("12", "東京") == MathVerdict("undecided", "unparsable gold")
    assert math_equal("", "12").reason == "unparsable answer"
    assert math_equal("12", " ").reason == "unparsable gold"
    assert math_equal("1" * (LONGEST + 1), "12").reason == "too long"
    assert not math_equal("わかりません", "12").equal


def test_without_math_verify_only_sympy_cases_are_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "installed", lambda: False)
    verdict = math_equal(r"\sin^2 x + \cos^2 x", "1")
    assert verdict.reason == "math-verify is not installed"
    assert "pip install" in str(verdict)
    assert math_equal("90分", "1時間30分").equal
    item = _item(r"\frac{\pi}{\sin 1}")
    with pytest.raises(HarnessError, match="pip install"):
        compare("math", r"\cos x", item)


BOMBS = (
    "9^{9^{9^{9}}}",
    r"\sum_{n=1}^{1000000} \frac{1}{n^2+\sin n}",
    r"\prod_{k=1}^{100000000} \sin k",
    r"\int e^{x^2}\sin(x^3) dx",
    r"\sin(10^{10^{8}})",
    "(" * 900 + "1" + ")" * 900,
    r"\frac{" * 300,
    "((x+y+z)^{99})^{99}",
)


@needs_sympy
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_stopped(bomb: str) -> None:
    start = time.monotonic()
    verdict = math_equal(bomb, "17", timeout=1.0)
    # The rest is the start of a new worker on a busy machine.
    assert time.monotonic() - start < 100
    assert verdict.outcome != "equal"
    assert math_equal(r"\cos 0", "1", timeout=60).equal  # and the next comparison works


@needs_sympy
def test_a_worker_that_dies_is_replaced() -> None:
    assert math_equal(r"\tan 0", "0", timeout=60).equal
    for worker in pool._POOL.idle:
        worker.process.kill()
        worker.process.wait()
    assert math_equal(r"\tan 0", "0", timeout=60).equal
    pool.close()
    assert not pool._POOL.idle
    assert math_equal(r"\tan 0", "0", timeout=60).equal


def test_great_powers_cost_no_time_without_sympy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "installed", lambda: False)
    texts = ["9^9^9^9", "(x+y+z+w)^500", "2^100000", "√" * 500 + "2", "1,2," * 400, "1と" * 500]
    texts += [
        "(1+√2+√3+√5)^900",
        "1" * 1900,
        "0." + "12" * 900 + "...",
        "1/" * 900 + "3",
        "-" * 1900,
    ]
    texts += [
        "{" * 900,
        "|x|" * 400,
        "3億" * 300,
        "100!^100!",
        "1時間" * 300,
        "x=" * 600,
        "{1," * 400,
    ]
    for text in texts:
        start = time.process_time()
        math_equal(text, "17")
        assert time.process_time() - start < 2.0, text[:40]


# --- properties ---

WORDS = [
    "\\frac", "\\sqrt", "\\pi", "\\left", "\\right", "\\cdot", "\\dot", "\\boxed{", "\\text{",
    "^{", "時間", "分", "円", "割", "km", "百", "万", "分の", "と", "または", "以上", "未満", "...",
    "です", "１", "¾", "²", "午後", "年", "月", "日", "マイナス", "なし",
]  # fmt: skip
PIECES = st.sampled_from([*"0123456789xyπi+-*/^=<>(){}[],.:%|!_√±∞ $。", *WORDS])
GARBAGE = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=30)


@settings(max_examples=600, deadline=None)
@given(GARBAGE, GARBAGE)
def test_never_raises_and_is_symmetric(a: str, b: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "installed", lambda: False)
        start = time.process_time()
        one, other = math_equal(a, b), math_equal(b, a)
        assert time.process_time() - start < 2.0
    assert one.outcome == other.outcome
    assert (one.outcome == "undecided") == (one.reason in REASONS)


@settings(max_examples=400, deadline=None)
@given(GARBAGE)
def test_reflexive(text: str) -> None:
    verdict = math_equal(text, text)
    assert verdict.equal or not text.strip()


@needs_sympy
@settings(max_examples=60, deadline=None)
@given(GARBAGE, GARBAGE)
def test_never_raises_with_sympy(a: str, b: str) -> None:
    start = time.monotonic()
    verdicts = [math_equal(a, b, timeout=2.0), math_equal(b, a, timeout=2.0)]
    assert time.monotonic() - start < 200
    if not any(verdict.reason in ("timeout", "memory", "crashed") for verdict in verdicts):
        assert verdicts[0].outcome == verdicts[1].outcome


@settings(max_examples=200, deadline=None)
@given(st.fractions(max_denominator=50), st.fractions(max_denominator=50))
def test_fractions_are_equal_when_their_values_are(a: object, b: object) -> None:
    left = f"\\frac{{{a.numerator}}}{{{a.denominator}}}"  # type: ignore[attr-defined]
    right = f"{b.numerator}/{b.denominator}"  # type: ignore[attr-defined]
    assert math_equal(left, right).equal == (a == b)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_times_are_equal_when_their_seconds_are(hours: int, minutes: int, seconds: int) -> None:
    total = hours * 3600 + minutes * 60 + seconds
    spelt = f"{hours}時間{minutes}分{seconds}秒"
    assert math_equal(spelt, f"{total}秒").equal
    assert math_equal(spelt, f"{total + 1}秒").outcome == "unequal"


PREFIXES = {"m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(1000), "M": Fraction(10**6)}


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 10**9),
    st.sampled_from(["V", "A", "W", "Ω", "N", "Pa", "J", "Wh", "cal", "Hz"]),
    st.sampled_from([*PREFIXES]),
    st.sampled_from([*PREFIXES]),
)
def test_a_prefix_is_a_power_of_ten(number: int, name: str, one: str, other: str) -> None:
    """The SI's own definition, wherever the table has both units."""
    if not {one + name, other + name} <= UNITS.keys():
        return
    scaled = number * PREFIXES[one] / PREFIXES[other]
    answer, gold = f"{number}{one}{name}", f"({scaled}){other}{name}"
    assert math_equal(answer, gold).equal
    assert math_equal(answer, f"({scaled + 1}){other}{name}").outcome == "unequal"
    assert math_equal(extract_math_answer(f"よって、答えは{answer}です。") or "", gold).equal


# --- extraction ---


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"したがって、答えは$\boxed{\frac{3}{4}}$です。", r"\frac{3}{4}"),
        (r"\boxed{1} と思ったが、\boxed{\sqrt{2}} です。", r"\sqrt{2}"),
        ("3×4=12なので答えは12個です。", "12個"),
        ("答え：1時間30分", "1時間30分"),
        ("計算すると 18 ドル\n#### 18", "18"),
        ("よって $x = 3$ である。", "x=3"),
        ("合計は1,200円になります。", "1200円"),
        (r"答えは $3 \times 4 = 12$ 円です。", "12円"),
        ("最終的な答え：x=1またはx=2", "x=1, x=2"),
        ("13+5=18です。", "18"),
        ("<think>5かな</think>答えは¾です。", "¾"),
        ("答えは午後3時です。", "15:00"),
        ("一郎は百二十三個のりんごを持っています。", "123個"),
        ("よって、x=3, y=2 となります。", "(3, 2)"),
        ("したがって、求める面積は $12\\sqrt{3}$ cm² です。", r"12\sqrt3"),
        ("残りは 16 - 3 - 4 = 9 個です。9 × 2 = 18 なので、18ドルです。", "18ドル"),
        ("### 答え\n12個", "12個"),
        (r"したがって、\[ x = 3 \]", "3"),
        ("正解は「12」です", "12"),
        ("答えは7です。ただし、8の場合もあります。", "7"),
        ("12", "12"),
        ("５０％", "50%"),
        ("答え：882MWh", "882MWh"),
        ("したがって、発電量は882MWhとなります。", "882000kWh"),
        ("答えは8.82×10^5kWhです。", "882MWh"),
        ("1日の消費電力量は8.82×10⁵ kWhである。", "882MWh"),
        (r"答えは$8.82 \times 10^{5}$ kWhです。", "882MWh"),
        ("抵抗は20Ωです。", "20オーム"),
        ("答え：60kW・h", "60kWh"),
        ("電流は1.5Aである。", "1500mA"),
        ("光の速さは3.0 × 10^{8} m/sである。", "3×10^8m/s"),
        ("質量は1.67×10^{-27}kgである。", "1.67×10^{-24}g"),
        ("発電量は3TWhである。", "3"),  # no unit of ours, and neither 3 T
    ],
)
def test_extraction(text: str, answer: str) -> None:
    found = extract_math_answer(text)
    assert found is not None
    assert math_equal(found, answer).equal, found


@pytest.mark.parametrize("text", ["", "わかりません。", "<think>答えは12", "  \n"])
def test_extraction_invents_nothing(text: str) -> None:
    assert extract_math_answer(text) is None


@settings(max_examples=300, deadline=None)
@given(GARBAGE | st.lists(GARBAGE, max_size=6).map("答えは".join))
def test_extraction_never_raises(text: str) -> None:
    extract_math_answer(text)


# --- the metric ---


def _item(answer: str) -> Item:
    rule = FormatRule("span", max_chars=40)
    return Item("i", "math", ("問題。答えだけを書いてください。",), answer, rule, "math")


def _scores(raw: str, gold: str) -> dict[str, float]:
    return {score.metric: score.value for score in score_answer(_item(gold), raw, "stop")}


def test_metric_is_strict_on_the_raw_answer_and_lenient_after_extraction() -> None:
    assert _scores("1.5時間", "90分")["strict"] == 1.0
    assert _scores("80分", "90分") == {"strict": 0.0, "format": 1.0, "lenient": 0.0}
    told = _scores("計算すると、\n60+30=90なので、答えは90分です。", "90分")
    assert (told["strict"], told["lenient"]) == (0.0, 1.0)
    assert _scores("わかりません", "90分")["lenient"] == 0.0


# --- GSM8K ---

_KANJI = "〇一二三四五六七八九"


def kanji(value: int) -> str:
    """A whole number below 10^16 in kanji numerals."""
    if value == 0:
        return "零"
    text = ""
    for size, name in ((10**12, "兆"), (10**8, "億"), (10**4, "万"), (1, "")):
        section, value = divmod(value, size)
        for unit, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit, section = divmod(section, unit)
            if digit:
                text += ("" if digit == 1 and word else _KANJI[digit]) + word
        text += name if text and text[-1] not in "兆億万" and name else ""
    return text


def test_gsm8k_golds_equal_themselves_rewritten() -> None:
    lines = shared("code-and-math", "gsm8k", "test.jsonl").read_text().splitlines()
    golds = [json.loads(line)["answer"].rpartition("#### ")[2].strip() for line in lines]
    assert len(golds) > 1000
    for gold in golds:
        value = int(gold.replace(",", ""))
        sign = "マイナス" if value < 0 else ""
        forms = (
            gold.translate(str.maketrans("0123456789,-", "０１２３４５６７８９，－")),
            f"{value:,}",
            sign + kanji(abs(value)),
            f"{gold}円です",
            rf"\boxed{{{gold}}}",
        )
        for form in forms:
            assert math_equal(form, gold).equal, (form, gold)
            assert math_equal(form, str(value + 1)).outcome == "unequal", (form, gold)
        assert extract_math_answer(f"計算すると次のとおりです。\n#### {gold}") == gold
