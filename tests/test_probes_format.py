"""Format probes: every answer worked out again from the question's text, and the gold answers of
math and format probes checked against their own format rules."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items import Item
from harness.items.probes.exact import decimal_text
from harness.items.probes.family import Family
from harness.items.probes.format import FORMAT
from harness.items.probes.generate import LEVELS, probes
from harness.items.probes.math import MATH
from harness.items.probes.words import CATEGORIES, WORDS

ITEMS = [item for seed in range(4) for item in probes(MATH + FORMAT, per_level=6, seed=seed)]
NAMES = "|".join(CATEGORIES)
ANY_WORD = "|".join(sorted(WORDS, key=len, reverse=True))


def of(skill: str, *levels: int) -> list[Item]:
    found = [item for item in ITEMS if item.skill == skill and item.level in (levels or LEVELS)]
    assert found
    return found


def obeys(item: Item) -> bool:
    """Whether the gold answer follows the item's own format rule."""
    answer, rule = item.answer, item.format
    if rule.kind == "choice":
        return answer in rule.labels
    if rule.kind == "integer":
        return re.fullmatch(r"-?\d+", answer, re.ASCII) is not None
    if rule.kind == "number":
        return re.fullmatch(r"-?\d+(\.\d+)?", answer, re.ASCII) is not None
    if rule.kind == "span":
        fits = "\n" not in answer and 1 <= len(answer) <= (rule.max_chars or 10**6)
        return fits and (not rule.verbatim or answer in item.turns[-1])
    if rule.kind == "lines":
        lines = answer.split("\n")
        return all(lines) and len(lines) == (rule.count or len(lines))
    if rule.kind == "pattern":
        return re.fullmatch(rule.pattern or "", answer) is not None
    checks: dict[str, Callable[[object], bool]] = {
        "string": lambda value: isinstance(value, str),
        "integer": lambda value: type(value) is int,
        "boolean": lambda value: isinstance(value, bool),
        "strings": lambda value: isinstance(value, list) and all(map(checks["string"], value)),
        "integers": lambda value: isinstance(value, list) and all(map(checks["integer"], value)),
    }
    value = json.loads(answer)
    return set(value) == set(rule.keys) and all(checks[rule.keys[k]](value[k]) for k in value)


@settings(deadline=None)
@given(st.sampled_from(MATH + FORMAT), st.sampled_from(LEVELS), st.integers(0, 5000))
def test_gold_answers_obey_their_own_format(family: Family, level: int, seed: int) -> None:
    for item in probes([family], [level], 2, seed):
        assert obeys(item)
        assert item.answer == unicodedata.normalize("NFKC", item.answer).strip()
        assert "{" not in item.turns[0] or item.skill in ("format/bracket", "format/json")
        if family.genre == "math" and item.metric == "number":
            assert Fraction(item.answer) >= 0
            assert item.answer == decimal_text(Fraction(item.answer))


def test_first_levels_are_short_enough_for_a_tiny_model() -> None:
    for item in ITEMS:
        if item.level == 1 and (item.genre == "format" or item.skill == "math/arithmetic"):
            assert len(item.turns[0]) <= 60, item
            assert len(item.answer) <= 24, item


def quoted(text: str) -> list[str]:
    return re.findall("「([^」]+)」", text)


def test_copies() -> None:
    for item in of("format/copy"):
        text = item.turns[0]
        candidates = quoted(text) + text.split("\n")
        assert item.answer in candidates
        if item.level == 1:
            assert item.answer in WORDS


def test_choices_by_category() -> None:
    for item in of("format/choice"):
        (category,) = re.findall(rf"({NAMES})はどれ", item.turns[0])
        options = re.findall(r"^(\([1-6]\)|[A-Fア-オ]) (\S+)$", item.turns[0], re.MULTILINE)
        right = [label for label, word in options if word in CATEGORIES[category]]
        assert item.answer == ",".join(right)
        assert len(right) == (2 if item.level == 5 else 1)
        assert len(options) == (3, 4, 5, 6, 6)[item.level - 1]


def test_digit_labels() -> None:
    for item in of("format/digit_label"):
        text = item.turns[0]
        if item.level <= 2:
            shown, symbol = re.findall("「(.+?)」に(.)はいくつ", text)[0]
            assert item.answer == str(shown.count(symbol))
            continue
        scheme = dict(re.findall(rf"([0-4])=({NAMES})", text))
        assert len(set(scheme.values())) == 5
        words = [word for word in quoted(text) if word in WORDS]
        digits = [d for word in words for d in scheme if word in CATEGORIES[scheme[d]]]
        assert len(words) == item.level - 2
        assert item.answer.strip("[]") == ",".join(digits)
        assert item.answer.startswith("[") == (item.level == 5)


def test_yes_no_claims() -> None:
    positive = {"はい", "○", "YES"}
    for item in of("format/yes_no"):
        text = item.turns[0]
        truths = [
            (found.start(), found[1] in CATEGORIES[found[2]])
            for found in re.finditer(rf"({ANY_WORD})は({NAMES})(?:ですか|であ)", text)
        ]
        for found in re.finditer(r"(\d+)は(\d+)より(大き|小さ)い", text):
            a, b = int(found[1]), int(found[2])
            truths.append((found.start(), a > b if found[3] == "大き" else a < b))
        values = [truth for _, truth in sorted(truths)]
        assert len(values) == (1, 1, 2, 2, 3)[item.level - 1]
        answers = [answer in positive for answer in item.answer.split(",")]
        if item.level == 5:
            assert answers == values
        else:
            assert answers == [any(values) if "または" in text else all(values)]


def test_yes_and_no_are_both_frequent() -> None:
    family = [family for family in FORMAT if family.name == "format/yes_no"]
    for level in (1, 2, 3, 4):
        items = [item for seed in range(20) for item in probes(family, [level], 6, seed)]
        answers = [item.answer in ("はい", "○", "YES") for item in items]
        assert 0.3 < sum(answers) / len(answers) < 0.7


def test_entailment_labels() -> None:
    order = ("entailment", "contradiction", "neutral")
    short = {"E": 0, "C": 1, "N": 2, "含意": 0, "矛盾": 1, "中立": 2}
    for item in of("format/entailment"):
        text = item.turns[0]
        (premise,) = re.findall("^前提: (.+)$", text, re.MULTILINE)
        hypotheses = re.findall("^仮説[12]?: (.+)$", text, re.MULTILINE)
        answers = [answer.strip("[]") for answer in item.answer.split(",")]
        labels = [order.index(a) if a in order else short[a] for a in answers]
        for hypothesis, label in zip(hypotheses, labels, strict=True):
            if item.level <= 2:
                pattern = r"(.+)は(\d+)[個本枚冊](だけ)?ある。"
                (had, n, _), (has, m, _) = (
                    re.findall(pattern, sentence)[0] for sentence in (premise, hypothesis)
                )
                assert label == (2 if had != has else 0 if n == m else 1)
            else:
                denied = "何も買わなかった" in hypothesis or "行ったことがない" in hypothesis
                stated = "を買った" in hypothesis or "にいた" in hypothesis
                assert label == (1 if denied else 0 if stated else 2)


def test_bare_numbers() -> None:
    for item in of("format/bare_number"):
        text = unicodedata.normalize("NFKC", item.turns[0]).replace("0〜9", "")
        (written,) = re.findall(r"[\d,億万千]*\d[\d,億万千]*(?=[円人個冊台枚])", text)
        value, rest = 0, written.replace(",", "")
        for mark, size in (("億", 10**8), ("万", 10**4), ("千", 10**3)):
            if mark in rest:
                head, rest = rest.split(mark)
                value += int(head) * size
        assert int(item.answer) == value + int(rest or 0)


def test_lines() -> None:
    for item in of("format/lines"):
        text = item.turns[0]
        entry = rf"(?:{ANY_WORD})(?:=\d+)?"
        (listed,) = re.findall(rf"{entry}(?:、{entry})+", text)
        words = listed.split("、")
        if item.level == 3:
            words.reverse()
        elif item.level == 4:
            words = [w.split("=")[0] for w in sorted(words, key=lambda w: int(w.split("=")[1]))]
        elif item.level == 5:
            (category,) = re.findall(rf"({NAMES})だけを", text)
            words = [word for word in words if word in CATEGORIES[category]]
        assert item.answer.split("\n") == words


def test_json_objects_hold_what_was_asked() -> None:
    for item in of("format/json"):
        value = json.loads(item.answer)
        stated = dict(
            re.findall(r"([a-z]+)が(\[[^\]]*\]|\"[^\"]*\"|\d+|true|false)", item.turns[0])
        )
        assert {key: json.loads(text) for key, text in stated.items()} == value
        assert len(value) == (1, 2, 3, 4, 6)[item.level - 1]


def test_dates_and_times() -> None:
    shapes = {
        "YYYY": "%Y", "MM": "%m", "DD": "%d", "HH:%m": "%H:%M", "SS": "%S",
    }  # fmt: skip
    for item in of("format/date"):
        text = item.turns[0]
        days = [date(*map(int, d)) for d in re.findall(r"(\d+)年(\d+)月(\d+)日", text)]
        clock = re.search(r"(午[前後])(\d+)時(\d+)分(?:(\d+)秒)?", text)
        moment = datetime.min if not days else datetime.combine(days[0], datetime.min.time())
        if clock:
            hour = int(clock[2]) + 12 * (clock[1] == "午後")
            moment = moment.replace(hour=hour, minute=int(clock[3]), second=int(clock[4] or 0))
        if item.level == 5:
            assert item.answer.split("/") == [day.isoformat() for day in days]
            continue
        (shape,) = re.findall(r"[YMDHST][YMDHST:./-]+", text)
        for letters, code in shapes.items():
            shape = shape.replace(letters, code)
        assert item.answer == moment.strftime(shape)


def test_brackets() -> None:
    for item in of("format/bracket"):
        text, answer = item.turns[0], item.answer
        words = [word for word in quoted(text) if word in WORDS]
        assert len(words) == (1, 2, 1, 3, 2)[item.level - 1]
        if item.level == 5:
            (tag,) = re.findall("<([a-z]+)>と", text)
            assert answer == "".join(f"<{tag}>{word}</{tag}>" for word in words)
            continue
        pairs = re.findall("(..)で囲", text)
        for pair in pairs:
            words = [pair[0] + word + pair[1] for word in words]
        assert answer == ("-" if item.level == 4 else "").join(words)


def test_repetitions() -> None:
    for item in of("format/times"):
        text, answer = item.turns[0], item.answer
        words = [word for word in quoted(text) if word in WORDS]
        if item.level == 5:
            (lines,) = re.findall(r"(\d)行目まで", text)
            assert [len(line) // len(words[0]) for line in answer.split("\n")] == [
                *range(1, int(lines) + 1)
            ]
            assert set(answer.replace(words[0], "")) == {"\n"}
            continue
        (count,) = re.findall(r"(\d)回", text)
        assert all(answer.count(word) == int(count) for word in words)
        left = answer
        for word in words:
            left = left.replace(word, "")
        assert len(left) == (0 if item.level <= 2 else int(count) * len(words) - 1)
        assert len(set(left)) <= 1


def test_letter_case_keeps_the_letters() -> None:
    for item in of("format/letter_case"):
        (given,) = re.findall(r"[A-Za-z]+(?: [a-zA-Z]+)*(?=[」\sを]|$)", item.turns[0])
        bare = re.sub("[ _-]", "", item.answer)
        assert bare.lower() == given.replace(" ", "").lower()
        assert item.answer != given
