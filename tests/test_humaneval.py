"""HumanEval, JHumanEval and MBPP files as items: the real files, and every fault with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.items.humaneval import load_code_file
from harness.scoring.code.extract import extract_code
from harness.scoring.code.types import code_run
from tests.code_runner import run_trusted
from tests.shared_data import shared

PROMPT = 'import math\n\n\ndef half(n: int) -> int:\n    """nの半分を返す。"""\n'
HUMANEVAL = {
    "task_id": "Own/0",
    "prompt": PROMPT,
    "canonical_solution": "    return math.floor(n / 2)\n",
    "test": "def check(candidate):\n    assert candidate(5) == 2\n",
    "entry_point": "half",
}
MBPP = {
    "task_id": 7,
    "text": "Write a function to halve a number.",
    "code": "def half(n):\r\n  return n // 2",
    "test_list": ["assert half(5) == 2", "assert half(0) == 0"],
    "test_setup_code": "",
    "challenge_test_list": ["assert half(-1) == -1"],
}


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_both_layouts_in_one_file(tmp_path: Path) -> None:
    first, second = load_code_file(write(tmp_path, HUMANEVAL, MBPP))
    assert (first.id, first.skill) == ("Own/0", "coding/own")
    assert "ドキュメント文字列" in first.turns[0]
    assert first.code is not None
    assert first.code.setup == "import math\n"
    assert (second.id, second.skill) == ("MBPP/7", "coding/mbpp")
    assert second.code is not None
    assert (second.code.entry_point, len(second.code.tests)) == ("half", 3)
    assert "assert half(-1)" not in second.turns[0]
    for item in (first, second):
        assert item.code is not None
        good, bad = "def half(n):\n    return n // 2\n", "def half(n):\n    return n\n"
        outcomes = run_trusted([code_run(item.code, source) for source in (good, bad)])
        assert [one.verdict for one in outcomes] == ["passed", "failed"]
    body = extract_code("    return math.floor(n / 2)", first.code)
    assert body == PROMPT.rstrip("\n") + "\n    return math.floor(n / 2)"


def test_english_is_asked_in_english(tmp_path: Path) -> None:
    row = HUMANEVAL | {"prompt": 'def half(n):\n    """Half of n."""\n'}
    (item,) = load_code_file(write(tmp_path, row))
    assert item.turns[0].startswith("Implement this Python function")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, "neither of HumanEval nor of MBPP"),
        ({k: v for k, v in HUMANEVAL.items() if k != "test"}, "missing `test`"),
        (HUMANEVAL | {"prompt": 3}, "`prompt` is int or empty"),
        (HUMANEVAL | {"entry_point": "a b"}, "expected the function's name"),
        (HUMANEVAL | {"entry_point": "third"}, "`prompt` does not define third"),
        (HUMANEVAL | {"test": "assert half(2) == 1"}, "does not define `check`"),
        ({k: v for k, v in MBPP.items() if k != "code"}, "missing `code`"),
        (MBPP | {"task_id": None}, "`task_id` is None"),
        (MBPP | {"test_list": []}, "`test_list` is empty"),
        (MBPP | {"test_list": "x"}, "no list of texts"),
        (MBPP | {"test_list": ["assert f(1)"]}, "calls nothing that `code` defines"),
        (MBPP | {"test_setup_code": 1}, "`test_setup_code` is no text"),
        ([], "expected a JSON object"),
        (HUMANEVAL, "task Own/0 was on line 1 already"),
        (HUMANEVAL | {"task_id": "Own/1"}, "this problem was on line 1 already"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=r"own.jsonl:2: ") as caught:
        load_code_file(write(tmp_path, HUMANEVAL, row))
    assert message in str(caught.value)


def test_files_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"own.jsonl:1: the file holds no problem"):
        load_code_file(write(tmp_path))
    broken = tmp_path / "own.jsonl.gz"
    broken.write_bytes(gzip.compress(json.dumps(HUMANEVAL).encode())[:-9])
    with pytest.raises(HarnessError, match="no readable gzip archive"):
        load_code_file(broken)
    with pytest.raises(HarnessError, match="no such file"):
        load_code_file(tmp_path / "none.jsonl.gz")
    broken.write_bytes(gzip.compress(json.dumps(HUMANEVAL).encode()))
    assert len(load_code_file(broken)) == 1


@pytest.mark.parametrize(
    ("parts", "count", "kana"),
    [
        (("humaneval", "data", "HumanEval.jsonl.gz"), 164, 0),
        (("jhumaneval", "data", "jhuman-eval.jsonl.gz"), 164, 164),
        (("mbpp", "mbpp.jsonl"), 974, 0),
    ],
)
def test_the_published_files(parts: tuple[str, ...], count: int, kana: int) -> None:
    items = load_code_file(shared("code-and-math", *parts))
    assert len(items) == count
    assert sum("ドキュメント文字列" in item.turns[0] for item in items) == kana
    runs = [code_run(item.code, item.code.reference) for item in items[:60] if item.code]
    assert {one.verdict for one in run_trusted(runs, seconds=5)} == {"passed"}


def test_a_broken_prompt_of_jhumaneval_does_not_fail_right_answers() -> None:
    items = load_code_file(shared("code-and-math", "jhumaneval", "data", "jhuman-eval.jsonl.gz"))
    (item,) = [one for one in items if one.id == "JHumanEval/64"]
    assert item.code is not None
    answer = "def vowels_count(s):\n    s = s.lower()\n"
    answer += "    return sum(c in 'aeiou' for c in s) + (s[-1] == 'y')\n"
    (outcome,) = run_trusted([code_run(item.code, answer)])
    assert outcome.verdict == "passed"
