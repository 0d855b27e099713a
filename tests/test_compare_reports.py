"""What `harness compare` prints, keeps and moves, and what becomes of it when something fails."""

from __future__ import annotations

import csv
import io
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from harness.cli import main as entry
from harness.engines.types import Generation, Request
from harness.evaluate import evaluate
from harness.protocols.short_answer import ShortAnswer
from harness.store.regressions import regressions, set_status
from tests.comparison_store import (
    AFTER,
    BEFORE,
    PROTOCOL,
    MadeItem,
    Run,
    by_item,
    command,
    keep,
    strict,
)
from tests.test_evaluate import CHECKPOINT, ScriptedEngine, letter, render


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.duckdb"


@pytest.fixture
def compare(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return command(store, monkeypatch, capsys)


def test_every_form_of_output(store: Path, compare: Run, tmp_path: Path) -> None:
    item = MadeItem("math/000")
    nasty = "Wrong | <script>alert(1)</script>\n\n## 答え\x00\x1b[31m 100% & ]]>"
    keep(
        store,
        strict("a", BEFORE),
        strict("b", AFTER, answers={item: nasty}, failures={item: "language"}),
    )
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    summary.write_text("before\n")
    status, out, err = compare(
        "a", "b", "--json", "--junit", str(junit), "--summary", str(summary), "--annotations"
    )
    assert status == 1
    document = json.loads(out)
    schema = json.loads(
        files("harness.report").joinpath("schemas/comparison-1.json").read_text(encoding="utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    (broken, *_), (mended, *_) = (
        [one for one in document["suites"][0]["flips"] if (one["change"] < 0) == fell]
        for fell in (True, False)
    )
    assert (broken["item"], broken["cand_answer"], broken["cand_failure"]) == (
        "math/000",
        nasty,
        "language",
    )
    assert broken["base_answer"] == "答え"
    assert (mended["base"], mended["cand"]) == (0, 1)
    assert (document["suites"][0]["broken"], document["suites"][0]["mended"]) == (9, 1)

    root = ElementTree.fromstring(junit.read_bytes())
    cases = root.findall("testsuite/testcase")
    assert int(root.get("tests", "")) == len(cases) == 3
    assert int(root.get("failures", "")) == len(root.findall("testsuite/testcase/failure")) == 3
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
    assert all(case.get("name") and case.get("classname") for case in cases)

    text = summary.read_text(encoding="utf-8")
    assert text.startswith("before\n## harness compare: regression")
    assert "<script>" not in text
    lines = err.strip().splitlines()
    assert all(line.startswith("::error title=made-up regressed::") for line in lines)
    assert len(lines) == 2

    table = list(csv.DictReader(io.StringIO(compare("a", "b", "--csv")[1])))
    assert [row["verdict"] for row in table] == ["regressed", "regressed"]
    assert float(table[0]["p_drop"]) > 0
    markdown = compare("a", "b", "--markdown")[1]
    assert "| **strict / math** | 40 | 72.5 | 52.5 | -20.0 |" in markdown
    page = compare("a", "b")[1]
    assert "▼ regressed" in page
    assert "broken  math/000" in page
    assert "\x1b" not in page
    assert "math/000" not in compare("a", "b", "--flips", "0")[1]


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_tables_fit_the_terminal(
    store: Path, compare: Run, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", columns)
    item = MadeItem("math/000")
    keep(store, strict("a", BEFORE), strict("b", AFTER, answers={item: "全角の答え" * 60}))
    _, page, _ = compare("a", "b", "--all")
    assert max(cell_len(line) for line in page.splitlines()) <= int(columns)
    assert "regressed" in page


def test_a_regression_is_recorded_with_its_cause_and_closed_when_mended(
    store: Path, compare: Run
) -> None:
    slow = {item: "repetition" for item in by_item(AFTER) if by_item(AFTER)[item] == [0]}
    keep(
        store,
        strict("r/1", BEFORE, run="r", step=1, mixture={"web": 3, "dialogue": 1}),
        strict(
            "r/2",
            AFTER,
            run="r",
            step=2,
            later=1,
            mixture={"web": 1, "synthetic": 1},
            parent="r/1",
            tokens=2,
            failures=slow,
        ),
        strict("r/3", BEFORE, run="r", step=3, later=2),
    )
    assert compare("r/1", "r/2", "--no-record")[0] == 1
    assert regressions(store) == []
    assert compare("r/1", "r/2")[0] == 1
    assert compare("r/1", "r/2")[0] == 1
    found = {one.place: one for one in regressions(store)}
    assert set(found) == {"all/all/strict", "math/all/strict"}
    one = found["math/all/strict"]
    assert (one.run, one.baseline_step, one.step, one.status) == ("r", 1, 2, "open")
    assert one.evidence["change"] == pytest.approx(-0.2)
    assert {sign["name"] for sign in one.evidence["symptoms"]} >= {"tokens", "failure repetition"}
    assert [(c["source"], c["kind"], c["before"], c["after"]) for c in one.cause] == [
        ("synthetic", "entered", 0.0, 0.5),
        ("dialogue", "left", 0.25, 0.0),
        ("web", "share", 0.75, 0.5),
    ]
    assert one.policy["rules"]
    set_status(store, [one.id], "acknowledged", note="we know")
    # Not yet shown to be within the margin: 40 items that all agree allow a drop of 5 points.
    assert compare("r/1", "r/3", "--margin", "0.05")[0] in (0, 2)
    assert compare("r/1", "r/3", "--margin", "0.1")[0] == 0
    assert {(two.status, two.fixed_at_step) for two in regressions(store)} == {("fixed", 3)}
    assert {two.note for two in regressions(store)} == {None, "we know"}


def test_the_baseline_file_moves_only_on_pass(store: Path, compare: Run, tmp_path: Path) -> None:
    file = tmp_path / "good.json"
    keep(
        store,
        strict("a", BEFORE),
        strict("b", AFTER, later=1),
        strict("c", BEFORE, later=2),
        strict("d", [1 - value for value in BEFORE[:5]] + BEFORE[5:], later=3),
    )
    status, _, err = compare("b", "--baseline", str(file))
    assert (status, "no baseline yet" in err) == (3, True)
    wide = ("--baseline", str(file), "--margin", "0.1")
    assert compare("a", "b", *wide)[0] == 1
    assert not file.exists()
    status, _, err = compare("a", "c", *wide)
    assert (status, "moves to c" in err) == (0, True)
    good = file.read_bytes()
    assert json.loads(good)["checkpoint"] == "c"
    assert compare("b", *wide)[0] == 1
    assert compare("d", *wide)[0] in (1, 2)
    assert file.read_bytes() == good
    status, out, _ = compare("c", *wide)
    assert (status, "is the baseline itself" in out) == (0, True)
    assert compare("a", *wide)[0] == 0
    assert json.loads(file.read_text())["checkpoint"] == "a"
    assert [entry.name for entry in tmp_path.iterdir() if "good" in entry.name] == ["good.json"]


def test_a_baseline_suite_that_the_candidate_lacks_keeps_a_pass_away(
    store: Path, compare: Run, tmp_path: Path
) -> None:
    file = tmp_path / "good.json"
    other = {"suite": "other", "protocol": PROTOCOL | {"suite": "other"}}
    keep(
        store,
        strict("a", BEFORE),
        strict("b", BEFORE),
        strict("b", BEFORE, "coding", **other),
        strict("c", BEFORE, later=1),
    )
    wide = ("--baseline", str(file), "--margin", "0.1")
    # What only the candidate has enters the baseline with it.
    assert compare("a", "b", *wide)[0] == 0
    assert set(json.loads(file.read_text())["evaluations"]) == {"made-up", "other"}
    status, out, _ = compare("c", *wide)
    assert status == 2
    assert "other: the candidate was not evaluated on it" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a baseline"),
        ('{"checkpoint": "a"}', "not a baseline"),
        (
            '{"checkpoint": "a", "fingerprint": "f", "evaluations": {"s": "x"}, "policy": "p", '
            '"version": 2}',
            "version 2",
        ),
        (
            '{"checkpoint": "a", "fingerprint": "f", "evaluations": {"s": "x"}, "policy": "p"}',
            "does not hold the evaluation x",
        ),
    ],
)
def test_a_damaged_baseline_file_is_refused(
    store: Path, compare: Run, tmp_path: Path, content: str, words: str
) -> None:
    keep(store, strict("a", BEFORE))
    file = tmp_path / "good.json"
    file.write_text(content)
    status, _, err = compare("a", "--baseline", str(file))
    assert (status, words in err) == (3, True), err
    assert file.read_text() == content


def test_a_store_that_cannot_be_written_hides_no_regression(
    store: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, strict("a", BEFORE), strict("b", AFTER))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    status, out, err = compare("a", "b")
    assert (status, "regressed" in out) == (1, True)
    assert "not recorded: " in err
    assert "No space left on device" in err
    monkeypatch.undo()
    assert regressions(store) == []


def test_a_baseline_that_cannot_be_written_stays_as_it_was(
    store: Path, compare: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "good.json"
    keep(store, strict("a", BEFORE), strict("b", BEFORE, later=1), strict("c", BEFORE, later=2))
    wide = ("--baseline", str(file), "--margin", "0.1")
    assert compare("a", "b", *wide)[0] == 0
    good = file.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    status, _, err = compare("c", *wide)
    assert (status, "cannot write the baseline" in err) == (3, True)
    assert file.read_bytes() == good
    assert sorted(entry.name for entry in tmp_path.iterdir() if "good" in entry.name) == [
        "good.json"
    ]


def test_scores_still_in_the_spool_count(store: Path, compare: Run) -> None:
    from harness.store import database
    from harness.store.write import spool
    from tests.comparison_store import batch

    database.prepare(store)
    for one in (strict("a", BEFORE), strict("b", AFTER)):
        spool(store, batch(one))
    assert compare("a", "b")[0] == 1


def test_a_store_of_something_else_is_refused(store: Path, compare: Run) -> None:
    assert "no store here yet" in compare("a", "b")[2]
    store.write_bytes(b"not a database" * 100)
    status, _, err = compare("a", "b")
    assert (status, "not a DuckDB database file" in err) == (3, True)


def test_a_crash_is_no_regression(
    store: Path, compare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, strict("a", BEFORE), strict("b", AFTER))

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("harness.regression.compare.judge_pairs", broken)
    status, _, err = compare("a", "b")
    assert status == entry.BUG
    assert "RuntimeError: a bug" in err


def test_other_engines_are_named(store: Path, compare: Run) -> None:
    keep(store, strict("a", BEFORE, engine="vllm 1"), strict("b", BEFORE, engine="vllm 2"))
    page = " ".join(compare("a", "b")[1].split())
    assert "Engines differ, which may move scores too: vllm 1, vllm 2." in page


class Forgetful(ScriptedEngine):
    """Answers B where the question's number ends in one of `forgotten`."""

    forgotten = ("3", "7")

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        wrong = {
            one.key for one in queue if any(f"{d}。" in str(one.prompt) for d in self.forgotten)
        }
        for one in super().generate(queue):
            yield replace(one, text="B") if one.key in wrong and one.text else one


def test_what_evaluations_stored_is_compared(store: Path, compare: Run) -> None:
    items = [letter(number) for number in range(40)]
    later = replace(CHECKPOINT, name="run/step_2", fingerprint="e" * 64, step=2)
    for checkpoint, engine in ((CHECKPOINT, ScriptedEngine()), (later, Forgetful())):
        evaluate(
            checkpoint,
            ShortAnswer("t", choice=True),
            items,
            store=store,
            render=render,
            open_engine=lambda engine=engine: engine,  # type: ignore[misc]
        )
    status, out, _ = compare("run/step_1", "run/step_2", "--json", "--flips", "20")
    (suite,) = json.loads(out)["suites"]
    found = {f"{one['genre']}/{one['metric']}": one for one in suite["metrics"]}
    assert found["reasoning/strict"]["change"] == pytest.approx(-8 / 40)
    assert found["reasoning/strict"]["verdict"] == "regressed"
    assert found["reasoning/format"]["change"] == found["reasoning/choice"]["change"] == 0
    assert status == 1
    assert [flip["item"] for flip in suite["flips"]] == [
        f"t/{number:03d}" for number in (3, 7, 13, 17, 23, 27, 33, 37)
    ]
    assert {(flip["base_answer"], flip["cand_answer"]) for flip in suite["flips"]} == {("A", "B")}
    assert {flip["cand_failure"] for flip in suite["flips"]} == {"knowledge"}
