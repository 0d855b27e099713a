"""The importer of M-IFEval's prompts: what it reads, and how it names what it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.items import Constraint
from harness.items.m_ifeval import load_m_ifeval
from harness.protocols import catalogue
from harness.protocols.catalogue import open_suite
from tests.shared_data import shared

NO_COMMA = "ja:punctuation:no_comma"
GOOD: dict[str, Any] = {
    "key": 7,
    "prompt": "海の話を、読点を使わずに100文字以上で書いてください。",
    "instruction_id_list": [NO_COMMA, "ja:length_constraints:number_letters"],
    "kwargs": [{}, {"relation": "以上", "num_letters": 100}],
}


def line(**changes: Any) -> str:
    """GOOD as a JSON line, with fields changed or (given None) left out."""
    row = {**GOOD, **changes}
    return json.dumps({k: v for k, v in row.items() if v is not None}, ensure_ascii=False)


def write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))
    return path


def test_reads_prompts_with_their_constraints(tmp_path: Path) -> None:
    nulls = [{"num_letters": None}, {"relation": "以上", "num_letters": 100}]
    path = write(tmp_path / "in.jsonl", line(), "", line(key=8, prompt="山", kwargs=nulls))
    first, second = load_m_ifeval(path)
    assert (first.id, first.genre, first.skill) == (
        "m-ifeval/7",
        "instruction",
        "instruction/punctuation",
    )
    assert first.turns == (GOOD["prompt"],)
    assert first.constraints == second.constraints
    assert first.constraints[0] == Constraint(NO_COMMA)
    assert first.constraints[1].kwargs == {"relation": "以上", "num_letters": 100}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xef\xbb\xbf" + line().encode(), "byte order mark, expected plain UTF-8; save it"),
        (line().encode("cp932"), "is not UTF-8, expected UTF-8 text; convert the file"),
        ("{", "broken JSON at column 2"),
        ("[]", "a JSON list is no item"),
        (line(key=None), "missing `key`, expected the keys key, prompt, instruction_id_list"),
        (line(prompt=3), "`prompt` is a int, expected a text"),
        (line(key=True), "`key` is True, expected a number or a text"),
        (line(prompt=" "), "`prompt` holds no text"),
        (line(instruction_id_list=[]), "`instruction_id_list` is not a list of ids"),
        (line(instruction_id_list="x"), "`instruction_id_list` is not a list of ids"),
        (line(kwargs={}), "`kwargs` is not a list of objects"),
        (line(kwargs=[{}]), "2 in `instruction_id_list` but 1 in `kwargs`, expected one object"),
        (line(instruction_id_list=["ja:x:y"], kwargs=[{}]), "unknown instruction id 'ja:x:y'"),
        (
            line(instruction_id_list=["ja:punctuation:no_coma"], kwargs=[{}]),
            f"did you mean '{NO_COMMA}'?",
        ),
        (line(kwargs=[{}, {"relation": "以上"}]), "lacks num_letters in kwargs, expected relation"),
        (line(kwargs=[{"n": 1}, GOOD["kwargs"][1]]), "has n in kwargs, expected no kwargs"),
    ],
)
def test_a_fault_names_file_line_cause_and_fix(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = write(tmp_path / "in.jsonl", text)
    with pytest.raises(HarnessError) as caught:
        load_m_ifeval(path)
    assert str(caught.value).startswith(f"{path}:1: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_fault_is_named_and_duplicates_are(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", line(), line(prompt="山"), line(key=9), "{")
    with pytest.raises(HarnessError) as caught:
        load_m_ifeval(path)
    first, second, third = str(caught.value).split("\n")
    assert first == f"{path}:2: key 7 was on line 1 already; remove one of them"
    assert second == f"{path}:3: this prompt was on line 1 already; remove one of them"
    assert third.startswith(f"{path}:4: broken JSON")


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no\.jsonl: no such file"):
        load_m_ifeval(tmp_path / "no.jsonl")
    path = write(tmp_path / "empty.jsonl", "", " ")
    with pytest.raises(HarnessError, match="holds no prompt"):
        load_m_ifeval(path)


def test_the_suite_if_ja_with_a_path(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", line())
    suite = open_suite(f"if-ja:{path}")
    assert (suite.protocol.id, suite.protocol.suite) == ("if-ja/harness-1", "if-ja")
    assert [item.id for item in suite.items] == ["m-ifeval/7"]


def test_keywords_without_the_tokenizer_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["ja:keywords:existence"]
    path = write(
        tmp_path / "in.jsonl", line(instruction_id_list=names, kwargs=[{"keywords": ["海"]}])
    )
    monkeypatch.setattr(catalogue, "has_tokenizer", lambda: False)
    with pytest.raises(HarnessError, match=r"pip install 'harness\[m-ifeval\]'"):
        open_suite(f"if-ja:{path}")


def test_the_published_file_is_read() -> None:
    items = load_m_ifeval(shared("m-ifeval") / "ja_input_data.jsonl")
    assert len(items) == 172
    assert sum(len(item.constraints) for item in items) == 226
    assert len({one.id for item in items for one in item.constraints}) == 33
