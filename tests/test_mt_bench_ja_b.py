"""Half of `mt-bench-ja` (writing, roleplay, stem, humanities): sound, of its own making, its checks
satisfiable and able to fail, its numbers worked out anew."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import comb, isqrt
from pathlib import Path
from typing import Any

import pytest

from harness.items.load import find_evalset
from harness.items.schema import Constraint, FormatRule, Item
from harness.scoring.constraints import constraint_fault, verdicts
from harness.scoring.extract import find_answer
from harness.scoring.math import extract_math_answer, math_equal
from tests.shared_data import shared

EVALSETS = find_evalset("basics").parent
FOLDER = EVALSETS / "mt-bench-ja"
GENRES = ("writing", "roleplay", "stem", "humanities")
FIELDS = {
    *("id", "genre", "turns", "answer", "format", "metric"),
    *("skill", "level", "references", "rubric", "checks"),
}
LONGEST_COMMON = 19


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


ITEMS = {one["id"]: one for genre in GENRES for one in read(FOLDER / f"{genre}.jsonl")}
CHECKED = {
    (name, turn): check
    for name, item in ITEMS.items()
    for turn, check in enumerate(item["checks"], 1)
    if check is not None
}
EXAMPLES = {
    (one["id"], one["turn"]): (one["good"], one["bad"])
    for one in read(Path(__file__).parent / "data" / "mt_bench_ja_b_examples.jsonl")
}
EACH_ITEM = pytest.mark.parametrize("name", ITEMS)
EACH_CHECK = pytest.mark.parametrize(("name", "turn"), CHECKED)


def constraints(check: dict[str, Any]) -> list[Constraint]:
    return [Constraint(one["id"], one.get("kwargs", {})) for one in check["constraints"]]


def passes(check: dict[str, Any], answer: str, prompt: str) -> bool:
    """Whether an answer is right by the check of its turn; constraints count loosely."""
    if "constraints" in check:
        return all(one.loose for one in verdicts(constraints(check), answer))
    if "math" in check:
        found = extract_math_answer(answer, prompt)
        return found is not None and math_equal(found, check["math"]).equal
    rule = FormatRule("choice", tuple(check["choice"]["labels"]))
    asked = Item("", "", (prompt,), "", rule, "exact")
    return bool(find_answer(answer, asked) == check["choice"]["answer"])


def test_twelve_items_a_genre_in_order() -> None:
    numbers = [f"mt-{genre}-{n:02}" for genre in GENRES for n in range(1, 13)]
    assert list(ITEMS) == numbers
    assert sum(len(read(FOLDER / f"{genre}.jsonl")) for genre in GENRES) == len(numbers)


@EACH_ITEM
def test_layout(name: str) -> None:
    item = ITEMS[name]
    assert set(item) == FIELDS
    assert name.startswith(f"mt-{item['genre']}-")
    assert (item["answer"], item["format"], item["metric"]) == ("", {"kind": "free"}, "judge")
    assert item["skill"].startswith(f"{item['genre']}/")
    assert item["level"] in range(1, 6)
    for entries in (item["turns"], item["rubric"], item["checks"]):
        assert len(entries) == 2
    assert len(item["references"]) == (2 if item["genre"] == "stem" else 0)
    assert all(text == text.strip() != "" for text in item["turns"] + item["references"])


@EACH_ITEM
def test_a_rubric_has_three_to_five_sentences(name: str) -> None:
    for rubric in ITEMS[name]["rubric"]:
        quoted = re.sub(r"「[^」]*」|（[^）]*）", "", rubric)
        assert rubric.endswith("。")
        assert 3 <= quoted.count("。") <= 5


@EACH_ITEM
def test_references_are_polite(name: str) -> None:
    polite = re.compile(r"(?:です|ます|ません|でした|ました)$")
    for reference in ITEMS[name]["references"]:
        prose = [line for line in reference.split("\n") if line.endswith("。")]
        sentences = [one for line in prose for one in line.split("。") if one]
        plain = [one for one in sentences if not polite.search(re.sub(r"（[^）]*）$", "", one))]
        # A list of premises names each in a phrase.
        assert [one for one in plain if not one.endswith("こと")] == []


@EACH_CHECK
def test_checks_are_well_formed(name: str, turn: int) -> None:
    check = CHECKED[name, turn]
    assert len(check) == 1
    (kind,) = check
    assert kind in ("math", "choice", "constraints")
    if kind == "constraints":
        assert check[kind]
        for one in check[kind]:
            assert constraint_fault(one["id"], one.get("kwargs", {})) is None
        assert not any(one["id"].startswith("ja:keywords:exist") for one in check[kind])
    elif kind == "choice":
        assert check[kind]["answer"] in check[kind]["labels"]
        for label in check[kind]["labels"]:
            assert f"\n{label}: " in ITEMS[name]["turns"][turn - 1]
    if kind != "constraints":
        assert "最後の行に" in ITEMS[name]["turns"][turn - 1]


def test_enough_turns_are_verifiable() -> None:
    checked = Counter(ITEMS[name]["genre"] for name in {name for name, _ in CHECKED})
    assert checked == {"writing": 12, "roleplay": 12, "stem": 12, "humanities": 11}
    assert Counter(ITEMS[name]["genre"] for name, _ in CHECKED) == {
        "writing": 15,
        "roleplay": 16,
        "stem": 19,
        "humanities": 11,
    }


def test_every_check_has_its_examples() -> None:
    assert set(EXAMPLES) == set(CHECKED)


@EACH_CHECK
def test_a_good_answer_passes_and_a_bad_one_fails(name: str, turn: int) -> None:
    check, prompt = CHECKED[name, turn], ITEMS[name]["turns"][turn - 1]
    good, bad = EXAMPLES[name, turn]
    if not good:
        good = ITEMS[name]["references"][turn - 1]
    assert passes(check, good, prompt)
    assert not passes(check, bad, prompt)
    if "constraints" in check:
        assert all(one.strict for one in verdicts(constraints(check), good))


@EACH_CHECK
def test_counts_and_words_of_a_constraint_stand_in_the_turn(name: str, turn: int) -> None:
    """What a rule verifies, the user has said: in this turn or, as a lasting rule, in the first."""
    said = "\n".join(ITEMS[name]["turns"][:turn])
    for one in CHECKED[name, turn].get("constraints", ()):
        kwargs = one.get("kwargs", {})
        if "num_letters" in kwargs:
            assert f"{kwargs['num_letters']}文字{kwargs['relation']}" in said
        if "num_bullets" in kwargs:
            assert f"「・」で始まる行をちょうど{kwargs['num_bullets']}" in said.replace(
                "で、", "を"
            )
        for word in (*kwargs.get("keywords", ()), *kwargs.get("forbidden_words", ())):
            assert any(part in said for part in _spellings(word)), word


def _spellings(word: str) -> tuple[str, ...]:
    if re.match(r"[6６六]", word):  # one sum in every spelling
        return ("6万5千円",)
    if word in ("長崎", "対馬", "薩摩", "松前"):  # what the answer has to know
        return ("四つの口",)
    if word in ("です。", "ます。", "でしょう。", "ません。"):
        return ("「である」調",)
    return (word,)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _pieces(text: str) -> set[str]:
    bare = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    length = LONGEST_COMMON + 1
    return {bare[at : at + length] for at in range(len(bare) - length + 1)}


def _common(paths: list[Path]) -> list[str]:
    ours = {piece for item in ITEMS.values() for turn in item["turns"] for piece in _pieces(turn)}
    theirs: set[str] = set()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        whole = [json.loads(text)] if path.suffix == ".json" else map(json.loads, text.splitlines())
        theirs.update(piece for one in _texts(list(whole)) for piece in _pieces(one))
    return sorted(ours & theirs)


def test_no_turn_shares_a_passage_with_another_evalset() -> None:
    paths = [path for path in EVALSETS.rglob("*.json*") if FOLDER not in path.parents]
    assert len(paths) > 20
    assert _common(paths) == []


def test_no_turn_shares_a_passage_with_published_mt_bench_questions() -> None:
    folder = shared("jmt-bench")
    paths = [*folder.glob("question*.jsonl"), *folder.glob("*_question*.jsonl")]
    assert len(paths) >= 3
    assert _common(paths) == []


def _quake(hypocentre: Fraction, station: Fraction) -> tuple[Fraction, Fraction]:
    """Seconds until the warning, and until S has come, at a distance from the hypocentre in km."""
    return station / 6 + 4, hypocentre / Fraction(7, 2)


def _root(value: Fraction) -> Fraction:
    found = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    assert found**2 == value
    return found


def _calicos() -> Fraction:
    """The share of calicos among the kittens of O/o and o/Y."""
    kittens = [(mother, father) for mother in "Oo" for father in "oY"]
    return Fraction(sum(set(one) == {"O", "o"} for one in kittens), len(kittens))


def _tipping_seconds() -> int:
    """Water of L cm from 10 cm behind the pivot on, 20 g a cm, against 800 g at 10 cm behind."""
    torque = lambda length: sum(20 * (at + Fraction(1, 2) - 10) for at in range(length))  # noqa: E731
    length = next(length for length in range(1, 200) if torque(length) >= 800 * 10)
    assert torque(length) == 800 * 10
    return length * 20 // 20


def _households(share: Fraction, width: Fraction) -> int:
    return next(n for n in range(1, 10**5) if 4 * share * (1 - share) / n <= width**2)


def _steady(dose: int) -> int:
    amount = Fraction(0)
    for _ in range(60):
        amount = amount / 2 + dose
    return round(amount)


WARNING, SHAKING = _quake(Fraction(140), Fraction(36))
MONTH, YEAR = Fraction("29.5306"), Fraction("365.2422")
STILL = 1 - _calicos()
RECOMPUTED: dict[tuple[str, int], Fraction | int | float] = {
    ("mt-stem-01", 1): SHAKING - WARNING,
    ("mt-stem-01", 2): _root((Fraction(7, 2) * _quake(Fraction(), Fraction(21))[0]) ** 2 - 21**2),
    ("mt-stem-02", 2): Fraction(28, 56) * Fraction(3, 4) * 24 / Fraction(20, 100),
    ("mt-stem-03", 2): sum(
        (comb(4, n) * _calicos() ** n * STILL ** (4 - n) for n in range(1, 5)), Fraction()
    ),
    ("mt-stem-04", 2): _tipping_seconds(),
    ("mt-stem-05", 1): round(Fraction(round(2 * (0.2 * 0.8 / 900) ** 0.5 * 1000), 10), 1),
    ("mt-stem-05", 2): _households(Fraction(1, 10), Fraction(1, 100)),
    ("mt-stem-06", 2): len(unicodedata.normalize("NFD", "ガラパゴス.txt").encode()),
    ("mt-stem-07", 1): Fraction(160) / 2 ** ((24 - 20 + 6) // 5),
    ("mt-stem-07", 2): _steady(120),
    ("mt-stem-08", 1): YEAR - 12 * MONTH,
    ("mt-stem-08", 2): round((235 * MONTH - 19 * YEAR) * 24, 1),
    ("mt-stem-09", 1): Fraction(900_000 * 1000 * 400) * Fraction("9.8") / 3_600_000 * 9 / 10,
    ("mt-stem-09", 2): 9 / (Fraction(8, 10) * Fraction(9, 10)),
    ("mt-stem-10", 1): Fraction(60 * 80, 12),
    ("mt-stem-10", 2): Fraction(60 * 8, 10) * 80 / 12,
    ("mt-stem-11", 2): next(n for n in range(30) if Fraction(20_000, 2**n) <= 10),
    ("mt-stem-12", 2): Fraction(60, 50) ** 3,
    ("mt-humanities-04", 2): 40_000 - 40_000 * Fraction(25, 100),
}


def test_every_number_is_recomputed() -> None:
    assert set(RECOMPUTED) == {key for key, check in CHECKED.items() if "math" in check}


@pytest.mark.parametrize(("name", "turn"), RECOMPUTED)
def test_numbers_recomputed(name: str, turn: int) -> None:
    gold = re.sub(r"[^0-9./]", "", CHECKED[name, turn]["math"])
    assert Fraction(gold) == RECOMPUTED[name, turn]


def test_the_conviction_needs_a_majority_of_both_kinds() -> None:
    votes = {"A": (0, 6), "B": (3, 1), "C": (1, 3), "D": (1, 4)}
    guilty = [name for name, (j, c) in votes.items() if j + c >= 5 and j >= 1 and c >= 1]
    assert guilty == [CHECKED["mt-humanities-05", 2]["choice"]["answer"]]


def test_the_card_counts_what_is_there() -> None:
    card = (FOLDER / "card.md").read_text(encoding="utf-8")
    for path in FOLDER.glob("*.jsonl"):
        items = read(path)
        checked = sum(check is not None for item in items for check in item["checks"])
        references = "yes" if any(any(item["references"]) for item in items) else "no"
        row = f"| {path.stem} | {len(items)} | {checked} of {2 * len(items)} | {references} |"
        assert row in card
