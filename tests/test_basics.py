"""The evalset `basics`: enough items, golds that obey their rules and can be recomputed."""

import contextlib
import io
import itertools
import json
import keyword
import re
import statistics
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from math import comb, lcm
from pathlib import Path
from typing import Any

import pytest

from harness.items.load import find_evalset, load_evalset
from harness.items.schema import GENRES, Item

SET = load_evalset(find_evalset("basics"))
ITEMS = {item.id: item for item in SET.items}
LETTERS, DIGITS, YES_NO = tuple("ABCD"), tuple("01234"), ("はい", "いいえ")
COLUMNS = ["letter", "digit", "yes/no", "label"]
COLUMNS += ["integer", "number", "span", "json", "lines", "pattern"]


def by_skill(*skills: str) -> list[Item]:
    found = [item for item in SET.items if item.skill in skills]
    assert found, skills
    return found


def column(item: Item) -> str:
    if item.format.kind != "choice":
        return item.format.kind
    names = {LETTERS: "letter", DIGITS: "digit", YES_NO: "yes/no"}
    return names.get(item.format.labels, "label")


def test_counts() -> None:
    counts = Counter(item.genre for item in SET.items)
    assert set(counts) == set(GENRES)
    assert min(counts.values()) >= 21
    assert sum(counts.values()) >= 168
    for genre in GENRES:
        formats = {column(item) for item in SET.items if item.genre == genre}
        assert formats >= {"letter", "digit", "yes/no", "label", "integer", "span", "json", "lines"}


def test_ids_files_and_levels_agree() -> None:
    for item in SET.items:
        assert re.fullmatch(rf"basics/{item.genre}/\d{{3}}", item.id)
        assert item.skill.startswith(f"{item.genre}/")
        assert item.level in (1, 2, 3)
        assert len(item.turns) == 1
    for path in find_evalset("basics").glob("*.jsonl"):
        rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
        assert {row["genre"] for row in rows} == {path.stem}


def test_no_question_is_asked_twice() -> None:
    def bare(item: Item) -> str:
        return re.sub(r"\W", "", item.turns[-1])

    assert len({bare(item) for item in SET.items}) == len(SET.items)


def test_gold_labels_are_balanced() -> None:
    answers = {
        labels: Counter(item.answer for item in SET.items if item.format.labels == labels)
        for labels in (LETTERS, DIGITS, YES_NO)
    }
    for labels, counts in answers.items():
        assert set(counts) == set(labels)
        assert max(counts.values()) - min(counts.values()) <= 2, counts
    # Within a genre, always printing one letter must not pay.
    for genre in GENRES:
        letters = Counter(
            item.answer
            for item in SET.items
            if item.genre == genre and item.format.labels == LETTERS
        )
        assert max(letters.values()) <= 2, (genre, letters)


JSON_TYPES: dict[str, Any] = {
    "string": lambda v: isinstance(v, str) and v,
    "integer": lambda v: type(v) is int,
    "number": lambda v: type(v) in (int, float),
    "boolean": lambda v: type(v) is bool,
    "strings": lambda v: isinstance(v, list) and v and all(isinstance(x, str) for x in v),
    "integers": lambda v: isinstance(v, list) and v and all(type(x) is int for x in v),
}


def obeys(item: Item, answer: str) -> bool:
    rule, turn = item.format, item.turns[-1]
    if answer != answer.strip() or (rule.kind != "lines" and "\n" in answer):
        return False
    match rule.kind:
        case "choice":
            return answer in rule.labels
        case "integer":
            return re.fullmatch(r"-?(0|[1-9][0-9]*)", answer) is not None
        case "number":
            return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", answer) is not None
        case "line":
            return bool(answer) and "\n" not in answer
        case "span":
            return (
                0 < len(answer) <= (rule.max_chars or 0)
                and (not rule.verbatim or answer in turn)
                and answer[0] not in "「『\"'"
            )
        case "json":
            value = json.loads(answer)
            return list(value) == list(rule.keys) and all(
                JSON_TYPES[kind](value[key]) for key, kind in rule.keys.items()
            )
        case "lines":
            lines = answer.split("\n")
            return (
                rule.count in (None, len(lines))
                and len(set(lines)) == len(lines)
                and all(re.fullmatch(r"[^\s・*-][^\n]*", entry) for entry in lines)
            )
        case "pattern":
            assert rule.pattern
            return re.fullmatch(rule.pattern, answer) is not None


@pytest.mark.parametrize("item", SET.items, ids=lambda item: item.id)
def test_gold_obeys_its_rule_and_its_prompt_states_the_rule(item: Item) -> None:
    for answer in (item.answer, *item.accept):
        assert obeys(item, answer), answer
    turn, rule = item.turns[-1], item.format
    match rule.kind:
        case "choice" if rule.labels == LETTERS:
            assert re.findall(r"^([A-Z]): .", turn, re.M) == list(LETTERS)
            assert "記号" in turn
            assert "A〜D" in turn or "A、B、C、D" in turn
        case "choice" if rule.labels == DIGITS:
            assert "数字" in turn
        case "choice":
            assert all(f"「{label}」" in turn for label in rule.labels)
        case "integer" | "number":
            assert "半角数字" in turn
        case "json":
            assert "JSONオブジェクト" in turn
            assert all(f'"{key}"' in turn for key in rule.keys)
        case "lines":
            assert "1行に1" in turn or "改行も含めてそのまま" in turn
            assert ("順番は問いません" in turn) == (item.metric == "set_f1")
        case "pattern":
            assert "半角" in turn
        case "span":
            assert "だけ" in turn or "1行でそのまま" in turn or "かぎかっこも句点も" in turn
    expected = {"integer": "number", "number": "number", "json": "json"}.get(rule.kind, "exact")
    assert item.metric == ("set_f1" if "順番は問いません" in turn else expected)


def program(item: Item) -> str:
    found = re.search(r"```python\n(.*?)```", item.turns[-1], re.S)
    assert found, item.id
    return found[1]


def run(source: str) -> tuple[str, dict[str, Any]]:
    """Standard output and final variables of one of our own few-line programs."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(source, "<item>", "exec"), names)
    return output.getvalue().rstrip("\n"), names


@pytest.mark.parametrize("item", by_skill("coding/output"), ids=lambda item: item.id)
def test_programs_print_the_gold(item: Item) -> None:
    assert run(program(item))[0] == item.answer


@pytest.mark.parametrize("item", by_skill("coding/variables"), ids=lambda item: item.id)
def test_programs_leave_the_gold_in_their_variables(item: Item) -> None:
    names = run(program(item))[1]
    assert {key: names[key] for key in item.format.keys} == json.loads(item.answer)


def options(item: Item) -> dict[str, str]:
    return dict(re.findall(r"^([A-D]): (.*)$", item.turns[-1], re.M))


def test_programs_fail_as_the_gold_says() -> None:
    (item,) = by_skill("coding/exception")
    with pytest.raises(Exception) as caught:  # the type is what is tested
        run(program(item))
    assert type(caught.value).__name__ == options(item)[item.answer]

    (item,) = by_skill("coding/bug-line")
    lines = re.findall(r"^[0-4]: (.*)$", item.turns[-1], re.M)
    with pytest.raises(TypeError) as caught_line:
        run("\n".join(lines))
    assert str(caught_line.traceback[-1].lineno) == item.answer

    (item,) = by_skill("coding/bug-name")
    with pytest.raises(NameError) as caught_name:
        run(program(item))
    assert caught_name.value.name == item.answer


def test_only_the_gold_option_mends_the_program() -> None:
    (item,) = by_skill("coding/fill-blank")
    right = [
        letter
        for letter, text in options(item).items()
        if run(program(item).replace("____", text))[1]["evens"] == [0, 2, 4, 6, 8]
    ]
    assert right == [item.answer]

    (item,) = by_skill("coding/bug")
    right = []
    for letter, text in options(item).items():
        old, new = re.findall("「(.*?)」", text)
        assert old in program(item)
        average = run(program(item).replace(old, new))[1]["average"]
        with contextlib.suppress(TypeError):
            if average([1, 4, 7]) == 4 and average([2, 3]) == 2.5:
                right.append(letter)
    assert right == [item.answer]


def test_keywords() -> None:
    (item,) = by_skill("coding/keywords")
    words = item.turns[-1].split("\n")[-1].split("、")
    assert item.answer.split("\n") == [word for word in words if keyword.iskeyword(word)]


def value(text: str) -> Fraction:
    return Fraction(text)


def statements(bits: tuple[bool, bool, bool, bool]) -> tuple[bool, bool, bool, bool]:
    return (not any(bits), 7 < 5, True, not bits[0])


FIVE = (5, 2, 9, 4, 7)
OF_FIVE = (max(FIVE), min(FIVE), statistics.median(FIVE))
# What each gold should be, worked out here from the question and not from the item.
RECOMPUTED = {
    "basics/math/001": lambda o: max("ABCD", key=lambda k: value(o[k])),
    "basics/math/002": lambda o: f"{(6 - 2) * 180}度",
    "basics/math/003": lambda o: str(lcm(12, 18)),
    "basics/math/004": lambda o: str(
        Fraction(sum(a + b == 7 for a, b in itertools.product(range(1, 7), repeat=2)), 36)
    ),
    "basics/math/005": lambda o: str(2 * -2 + 3),
    "basics/math/006": lambda o: str(2**10 % 5),
    "basics/math/007": lambda o: str(
        sum(all(n % d for d in range(2, n)) for n in (51, 57, 87, 91))
    ),
    "basics/math/008": lambda o: "安い" if 1000 * 110 * 90 < 1000 * 100 * 100 else "同じ",
    "basics/math/009": lambda o: "鋭角三角形" if 4**2 + 5**2 > 6**2 else "鈍角三角形",
    "basics/math/012": lambda o: (
        "はい" if all(sum((n, n + 1, n + 2)) % 3 == 0 for n in range(9)) else "いいえ"
    ),
    "basics/math/013": lambda o: str(60 * 150 // 60),
    "basics/math/014": lambda o: str(2500 * 7 // 10),
    "basics/math/015": lambda o: str(float((value("3.2") + value("4.1") + 5) / 3)),
    "basics/math/016": lambda o: str(7 * 3 / 2),
    "basics/math/017": lambda o: str(next(k for k in range(11) if 4 * k + 2 * (10 - k) == 28)),
    "basics/math/018": lambda o: str(next(x for x in range(99) if 3 * x - 7 == 20)),
    "basics/math/019": lambda o: str(comb(5, 2)),
    "basics/math/020": lambda o: json.dumps(
        dict(zip(("商", "余り"), divmod(59, 8), strict=True)), ensure_ascii=False
    ),
    "basics/math/021": lambda o: json.dumps(
        next({"x": x, "y": y} for x in range(9) for y in range(9) if x + y == 5 and x - y == 1)
    ),
    "basics/math/022": lambda o: json.dumps(
        dict(zip(("最大値", "最小値", "中央値"), OF_FIVE, strict=True)),
        ensure_ascii=False,
    ),
    "basics/math/023": lambda o: "\n".join(sorted(("0.3", "1/4", "0.28", "2/5"), key=value)),
    "basics/math/024": lambda o: "\n".join(str(n) for n in range(1, 29) if 28 % n == 0),
    "basics/math/025": lambda o: f"{(9 * 60 + 45 + 100) // 60}:{(9 * 60 + 45 + 100) % 60}",
    "basics/reasoning/002": lambda o: (
        "月火水木金土日"[
            (date(2025, 1, 1) + timedelta(days=100)).weekday()  # 2025-01-01 was a Wednesday
        ]
        + "曜日"
    ),
    "basics/reasoning/003": lambda o: next(
        who
        for who in ("青木", "馬場", "千葉")
        if sum([who == "馬場", who != "馬場", who != "千葉"]) == 1
    ),
    "basics/reasoning/006": lambda o: next(
        str(order.index("アキ"))
        for order in itertools.permutations(("ハル", "ナツ", "アキ", "フユ", "ソラ"))
        if order[0] == "ハル"
        and order[1] == "ナツ"
        and order[4] == "フユ"
        and abs(order.index("アキ") - order.index("ナツ")) > 1
    ),
    "basics/reasoning/008": lambda o: next(
        str(sum(bits))
        for bits in itertools.product((True, False), repeat=4)
        if statements(bits) == bits
    ),
    "basics/reasoning/017": lambda o: str(30 + 12),
    "basics/reasoning/018": lambda o: str(30 - (12 + 9 - 4)),
    "basics/roleplay/018": lambda o: str(1000 - 3 * 120 - 150),
    "basics/roleplay/020": lambda o: str(12 - 3 + 5 - 6),
    "basics/stem/017": lambda o: str(54 / 20),
    "basics/stem/026": lambda o: "AATCG".translate(str.maketrans("ATGC", "TACG")),
}


@pytest.mark.parametrize("name", RECOMPUTED)
def test_computable_golds_are_recomputed(name: str) -> None:
    item = ITEMS[name]
    found = options(item) if item.format.labels == LETTERS else {}
    result = RECOMPUTED[name](found)
    assert result in (item.answer, found.get(item.answer))


def test_the_card_counts_what_is_there() -> None:
    counts = Counter((item.genre, column(item)) for item in SET.items)
    rows = {
        row[1]: [int(cell) for cell in row[2:-1]]
        for line in SET.card.split("\n")
        if (row := [cell.strip() for cell in line.split("|")]) and len(row) == len(COLUMNS) + 4
        if row[1] in (*GENRES, "all")
    }
    for genre in GENRES:
        cells = [counts[genre, name] for name in COLUMNS]
        assert rows[genre] == [*cells, sum(cells)], genre
    cells = [sum(counts[genre, name] for genre in GENRES) for name in COLUMNS]
    assert rows["all"] == [*cells, sum(cells)]
    assert (SET.name, SET.version, SET.licence) == ("basics", "1", "Apache-2.0")


def test_every_example_of_the_guide_is_an_item(tmp_path: Path) -> None:
    guide = (find_evalset("basics").parent / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", guide, re.S)
    path = tmp_path / "items.jsonl"
    path.write_text("".join(blocks), encoding="utf-8")
    items = load_evalset(path).items
    assert {item.format.kind for item in items} == {
        "choice",
        "integer",
        "number",
        "span",
        "line",
        "json",
        "lines",
        "pattern",
        "free",
    }
    assert {item.metric for item in items} >= {"exact", "number", "json", "set_f1", "constraints"}
    golds = [(item, answer) for item in items for answer in (item.answer, *item.accept)]
    assert all(obeys(item, answer) for item, answer in golds if item.format.kind != "free")
