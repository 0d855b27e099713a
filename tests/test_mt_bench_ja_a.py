"""Half of the evalset `mt-bench-ja` (math, reasoning, coding, extraction): its layout, and its
answers proven by computations that do not follow the references."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import unicodedata
from collections import Counter
from typing import Any

import pytest

from harness.items.code_task import CodeTask, CodeTest, code_fault
from harness.items.load import find_evalset
from harness.items.schema import Constraint
from harness.scoring.code.extract import extract_code
from harness.scoring.code.types import code_run
from harness.scoring.constraints import constraint_fault, follows
from harness.scoring.fields import verify_fields
from harness.scoring.json_object import parse_object
from harness.scoring.math import extract_math_answer, math_equal
from tests.code_mutants import mutants
from tests.code_runner import run_trusted
from tests.mt_bench_ja_extraction import EXTRACTION, as_json
from tests.mt_bench_ja_math import MATH
from tests.mt_bench_ja_programs import EQUIVALENT, SECOND, WRONG
from tests.mt_bench_ja_reasoning import REASONING
from tests.shared_data import shared

EVALSETS = find_evalset("basics").parent
FOLDER = EVALSETS / "mt-bench-ja"
GENRES = ("math", "reasoning", "coding", "extraction")
KEYS = [
    "id",
    "genre",
    "turns",
    "answer",
    "format",
    "metric",
    "skill",
    "level",
    "references",
    "rubric",
    "checks",
]
OVERLAP = 20
SOLVED = MATH | REASONING
Row = dict[str, Any]


def read(genre: str) -> list[Row]:
    path = FOLDER / f"{genre}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


ROWS = {row["id"]: row for genre in GENRES for row in read(genre)}
TURNS = [(name, turn) for name in ROWS for turn in (0, 1)]
CHECKED = [(name, turn) for name, turn in TURNS if ROWS[name]["checks"][turn]]


def of_kind(kind: str) -> list[tuple[str, int]]:
    return [(name, turn) for name, turn in CHECKED if kind in ROWS[name]["checks"][turn]]


def stated(reference: str) -> str:
    """What stands behind the last 答え： of a reference, up to the end of its line."""
    return reference.rpartition("答え：")[2].strip().split("\n")[0]


def test_every_genre_has_twelve_items() -> None:
    for genre in GENRES:
        names = [row["id"] for row in read(genre)]
        assert names == [f"mt-{genre}-{number:02d}" for number in range(1, 13)]


@pytest.mark.parametrize("name", ROWS)
def test_an_item_is_whole(name: str) -> None:
    row = ROWS[name]
    assert list(row) == KEYS
    assert row["genre"] in GENRES
    assert name.startswith(f"mt-{row['genre']}-")
    assert row["skill"].startswith(f"{row['genre']}/")
    assert row["level"] in (1, 2, 3, 4, 5)
    assert (row["answer"], row["format"], row["metric"]) == ("", {"kind": "free"}, "judge")
    for key in ("turns", "references", "rubric", "checks"):
        assert len(row[key]) == 2
    for key in ("turns", "references", "rubric"):
        for text in row[key]:
            assert text == unicodedata.normalize("NFC", text).strip()
            assert not re.search(r"[ \t]+$|\r|\u3000{2}", text, re.M)
    assert all(30 <= len(turn) <= 1200 for turn in row["turns"])
    assert all(20 <= len(reference) <= 2500 for reference in row["references"])
    for rubric in row["rubric"]:
        assert 2 <= rubric.count("。") <= 4
        assert "減点" in "".join(row["rubric"]) or "誤り" in "".join(row["rubric"])
    for check in row["checks"]:
        assert check is None or len(check) == 1


def test_no_two_turns_are_equal() -> None:
    counts = Counter(turn for row in ROWS.values() for turn in row["turns"])
    assert [turn for turn, times in counts.items() if times > 1] == []


def test_most_turns_are_checked() -> None:
    for genre in GENRES:
        turns = [turn for turn in TURNS if ROWS[turn[0]]["genre"] == genre]
        assert len([turn for turn in turns if turn in CHECKED]) >= 0.8 * len(turns)


@pytest.mark.parametrize("name", ROWS)
def test_references_are_polite(name: str) -> None:
    for reference in ROWS[name]["references"]:
        prose = re.sub(r"```.*?```", "", reference, flags=re.S)
        assert re.search(r"(?:です|ます|ません|でした|ました|ください)。", prose)
        sentences = re.findall(r"[^。\n]+。", prose)
        assert not [s for s in sentences if re.search(r"(?:である|だ|ない|する)。$", s)]


def shingles(text: str) -> set[str]:
    """Runs of OVERLAP characters, white space aside; a code fence parts them."""
    parts = ["".join(part.split()) for part in re.split(r"```(?:python\n)?", text)]
    return {part[n : n + OVERLAP] for part in parts for n in range(len(part) - OVERLAP + 1)}


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for part in value for text in texts_of(part)] if isinstance(value, list) else []


def assert_apart(foreign: list[str]) -> None:
    known = set().union(*map(shingles, foreign))
    shared_text = {
        name: sorted(found)[:3]
        for name, row in ROWS.items()
        if (found := known & set().union(*map(shingles, row["turns"])))
    }
    assert shared_text == {}


def test_no_item_repeats_another_evalset() -> None:
    foreign: list[str] = []
    for path in EVALSETS.rglob("*.json*"):
        if path.parent == FOLDER:
            continue
        text = path.read_text(encoding="utf-8")
        rows = [json.loads(text)] if path.suffix == ".json" else map(json.loads, text.splitlines())
        foreign.extend(text for row in rows for text in texts_of(row))
    assert len(foreign) > 1000
    assert_apart(foreign)


def test_no_item_repeats_a_published_question() -> None:
    folder = shared("jmt-bench")
    foreign = [
        text
        for path in sorted(folder.glob("*question*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        for text in texts_of(json.loads(line)["turns"])
    ]
    assert len(foreign) >= 160
    assert_apart(foreign)


@pytest.mark.parametrize(("name", "turn"), of_kind("math"))
def test_final_answers_are_read(name: str, turn: int) -> None:
    row = ROWS[name]
    assert "答え：" in row["turns"][turn]
    found = extract_math_answer(row["references"][turn], row["turns"][turn])
    assert found is not None
    assert math_equal(found, row["checks"][turn]["math"]).outcome == "equal"


@pytest.mark.parametrize("name", [n for n in ROWS if ROWS[n]["genre"] in ("math", "reasoning")])
def test_answers_are_right(name: str) -> None:
    for answer, check in zip(SOLVED[name](), ROWS[name]["checks"], strict=True):
        if "exact" in check:
            assert str(answer) in check["exact"]
        elif "choice" in check:
            assert answer == check["choice"]["answer"]
        else:
            assert math_equal(str(answer), check["math"]).outcome == "equal"


@pytest.mark.parametrize(("name", "turn"), of_kind("choice"))
def test_choice_references_pass(name: str, turn: int) -> None:
    row, check = ROWS[name], ROWS[name]["checks"][turn]["choice"]
    assert check["answer"] in check["labels"]
    assert all(label in "".join(row["turns"][: turn + 1]) for label in check["labels"])
    assert stated(row["references"][turn]) == check["answer"]


@pytest.mark.parametrize(("name", "turn"), of_kind("exact"))
def test_exact_references_pass(name: str, turn: int) -> None:
    row, accepted = ROWS[name], ROWS[name]["checks"][turn]["exact"]
    assert "答え：" in row["turns"][turn]
    assert len(set(accepted)) == len(accepted)
    assert stated(row["references"][turn]) in accepted


@pytest.mark.parametrize(("name", "turn"), of_kind("json"))
def test_json_references_pass(name: str, turn: int) -> None:
    row, fields = ROWS[name], ROWS[name]["checks"][turn]["json"]["fields"]
    assert all(f'"{key}"' in "".join(row["turns"][: turn + 1]) for key in fields)
    gold = {key: one["value"] for key, one in fields.items()}
    (text,) = re.findall(r"```json\n(.*?)```", row["references"][turn], re.S)
    assert parse_object(text) == gold
    schema = {key: one["type"] for key, one in fields.items()}
    assert verify_fields(text, json.dumps(gold, ensure_ascii=False), schema).equal
    worse = dict.fromkeys(gold)
    assert verify_fields(json.dumps(worse), json.dumps(gold), schema).share == 0


@pytest.mark.parametrize("name", EXTRACTION)
def test_computed_golds_are_right(name: str) -> None:
    row = ROWS[name]
    for check, computed in zip(row["checks"], EXTRACTION[name](row["turns"]), strict=True):
        gold = {key: one["value"] for key, one in check["json"]["fields"].items()}
        assert len(computed) >= len(gold) / 2
        assert {key: gold[key] for key in computed} == {k: as_json(v) for k, v in computed.items()}


def test_names_stand_in_the_turns() -> None:
    """Letter by letter: 小田切誠 has to be put together."""
    for name, turn in of_kind("json"):
        asked = set("".join(ROWS[name]["turns"][: turn + 1]))
        for one in ROWS[name]["checks"][turn]["json"]["fields"].values():
            if one["type"] in ("name", "name[]"):
                assert set("".join(one["value"])) <= asked


@pytest.mark.parametrize(("name", "turn"), of_kind("constraints"))
def test_constraint_references_pass(name: str, turn: int) -> None:
    for one in ROWS[name]["checks"][turn]["constraints"]:
        assert constraint_fault(one["id"], one.get("kwargs", {})) is None
        assert follows(Constraint(one["id"], one.get("kwargs", {})), ROWS[name]["references"][turn])


def task_of(name: str, turn: int) -> CodeTask:
    raw = dict(ROWS[name]["checks"][turn]["code"])
    tests = [dict(test) for test in raw.pop("tests")]
    for test in tests:
        if "args" in test:
            test["args"] = tuple(test["args"])
    return CodeTask(**raw, tests=tuple(CodeTest(**test) for test in tests))


def verdicts(task: CodeTask, sources: list[str]) -> list[str]:
    runs = [code_run(task, source) for source in sources]
    return [one.verdict for one in run_trusted(runs, stop_early=True, seconds=0.5)]


@pytest.mark.parametrize(("name", "turn"), of_kind("code"))
def test_programs_are_tested_well(name: str, turn: int) -> None:
    """The reference and a second solution pass, programs with a likely mistake do not."""
    task, row = task_of(name, turn), ROWS[name]
    assert code_fault(task) is None
    assert len(task.tests) >= 6
    assert len({repr((test.args, test.stdin)) for test in task.tests}) == len(task.tests)
    assert task.entry_point in "".join(row["turns"][: turn + 1])
    assert task.given.strip() in row["turns"][turn]
    assert extract_code(row["references"][turn], task) == task.reference.rstrip("\n")
    mistakes = []
    for old, new in WRONG[name, turn]:
        assert task.reference.count(old) == 1, old
        mistakes.append(task.reference.replace(old, new))
    right, second, *wrong = verdicts(task, [task.reference, SECOND[name, turn], *mistakes])
    assert (right, second) == ("passed", "passed")
    assert "passed" not in wrong


# The slow test goes through all of them.
SAMPLED = {("mt-coding-05", 0), ("mt-coding-09", 0), ("mt-coding-12", 0)}


@pytest.mark.parametrize(
    ("name", "turn"),
    [
        pytest.param(*one, marks=() if one in SAMPLED else pytest.mark.slow)
        for one in of_kind("code")
    ],
)
def test_hidden_tests_notice_small_mistakes(name: str, turn: int) -> None:
    task = task_of(name, turn)
    made = mutants(task.reference)
    found = zip(made, verdicts(task, [text for _, text in made]), strict=True)
    alive = {label for (label, _), verdict in found if verdict == "passed"}
    assert alive == EQUIVALENT.get((name, turn), set())


@pytest.mark.parametrize(("name", "turn"), [one for one in of_kind("code") if task_of(*one).given])
def test_given_code_fails(name: str, turn: int) -> None:
    """It has a bug, or is too slow for the longest test."""
    task = task_of(name, turn)
    assert verdicts(task, [task.given]) != ["passed"]


def test_sql_references_run() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE sales (shop TEXT, sold_on TEXT, amount INTEGER)")
    rows = [
        ("八百屋", "2024-04-30", 60000),
        ("八百屋", "2024-04-01", 40000),
        ("八百屋", "2024-06-10", 99999),
        ("八百屋", "2023-12-31", 500000),
        ("魚屋", "2024-12-31", 150000),
        ("魚屋", "2025-01-01", 300000),
        ("魚屋", "2024-11-05", 100000),
    ]
    database.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
    found = []
    for reference in ROWS["mt-coding-11"]["references"]:
        query = re.search(r"```sql\n(.*?)```", reference, re.S)
        assert query is not None
        found.append(database.execute(query[1]).fetchall())
    assert found[0] == [
        ("八百屋", "2024-04", 100000),
        ("魚屋", "2024-11", 100000),
        ("魚屋", "2024-12", 150000),
    ]
    assert found[1] == [
        ("八百屋", "2024-04", 100000, None),
        ("八百屋", "2024-06", 99999, -1),
        ("魚屋", "2024-11", 100000, None),
        ("魚屋", "2024-12", 150000, 50000),
    ]


def test_the_shared_variable_is_explained_right() -> None:
    """mt-coding-10 shows a program whose output the check of its first turn adds up."""
    shown = re.search(r"```python\n(.*?)```", ROWS["mt-coding-10"]["turns"][0], re.S)
    assert shown is not None
    out = subprocess.run(
        [sys.executable, "-c", shown[1]], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    assert sum(int(line.split()[1]) for line in out.splitlines()) == 2100
    assert all(line in ROWS["mt-coding-10"]["references"][0] for line in out.splitlines())


def test_the_plow_example_fails_as_the_reference_says() -> None:
    """mt-coding-06: the shortest way is 12, less its deepest cell (3) it is 9; the least is 6."""
    found = []
    for turn, entry in enumerate(("least_snow", "least_snow_with_plow")):
        space: dict[str, Any] = {}
        exec(SECOND["mt-coding-06", turn], space)
        found.append(space[entry](["0908", "3333"]))
    assert found == [12, 6]
    assert sum(map(int, "03333")) == 12
