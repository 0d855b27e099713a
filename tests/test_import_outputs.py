"""Other harnesses' answers in our store: equal scores, no double rows, a place for every fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.import_outputs import import_outputs
from harness.store import database, queries
from tests.shared_data import shared
from tests.test_cli import harness

ROW = {"dataset": "jnli", "input": "前提：あ\n仮説：い", "prediction": "neutral", "gold": "neutral"}


def jsonl(path: Path, *rows: Any) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def scores(store: Path) -> dict[tuple[str, str], float]:
    """Value by (item id, metric)."""
    with database.connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.id, s.metric, s.value FROM requests r JOIN items i ON i.hash = r.item_hash "
            "JOIN scores s USING (key)"
        ).fetchall()
    return {(name, metric): value for name, metric, value in rows}


def test_every_row_of_a_logged_run_is_scored_as_it_was(tmp_path: Path) -> None:
    file = shared("jaster-outputs-sample", "dev-135-rows.json")
    store = tmp_path / "results.duckdb"
    result = import_outputs(file, "llm-jp-eval-table", store=store)
    assert result.rows == 135
    assert queries.evaluations(store)[0].checkpoint == "test/test1"
    table = json.loads(file.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    found = scores(store)
    for number, row in enumerate(rows, 1):
        name = f"{row['target_dataset']}/{number:05d}"
        assert found[(name, "exact_match")] == row["exact"], row
        assert found[(name, "char_f1_llmjp")] == row["char_f1"], row
        assert found[(name, "set_f1")] == pytest.approx(row["set_f1"], abs=1e-12), row


def test_the_same_log_twice_changes_nothing(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    file = jsonl(tmp_path / "log.jsonl", ROW, ROW, ROW | {"input": "別", "prediction": "。"})
    first = import_outputs(file, "jsonl", store=store, checkpoint="rival")
    before = (scores(store), queries.summary(store))
    again = import_outputs(file, "jsonl", store=store, checkpoint="rival")
    assert again == first
    assert (scores(store), queries.summary(store)) == before
    # A question that a benchmark asks twice counts twice.
    assert queries.summary(store)["generations"] == 3
    (row,) = queries.evaluations(store)
    assert (row.planned, row.done, row.failed, row.failures) == (3, 3, 0, {"format": 1})


def test_another_answer_of_the_same_model_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    import_outputs(jsonl(tmp_path / "a", ROW), "jsonl", store=store, checkpoint="rival")
    changed = jsonl(tmp_path / "b", ROW | {"prediction": "entailment"})
    with pytest.raises(HarnessError, match=r"b:1: rival has another answer .* --checkpoint name"):
        import_outputs(changed, "jsonl", store=store, checkpoint="rival")
    import_outputs(changed, "jsonl", store=store, checkpoint="another")
    assert len(queries.evaluations(store)) == 2


def test_samples_of_lm_eval(tmp_path: Path) -> None:
    rows = [
        {
            "doc_id": 0,
            "doc": {"question": "一たす一は？"},
            "target": "2",
            "arguments": {"gen_args_0": {"arg_0": "問：一たす一は？\n答：", "arg_1": {}}},
            "resps": [["2"]],
            "filtered_resps": ["2"],
        },
        {
            "doc_id": 1,
            "doc": {},
            "target": "3",
            "arguments": [["問：一たす二は？\n答：", {}]],
            "resps": [["3です"]],
        },
        {"doc_id": 2, "target": 0, "arguments": [["問", "A"]], "resps": [[[-0.5, True]]]},
    ]
    file = jsonl(tmp_path / "samples_mawps_2026-11-25T01-02-03.456.jsonl", *rows)
    store = tmp_path / "results.duckdb"
    result = import_outputs(file, "lm-eval-samples", store=store, checkpoint="m")
    assert (result.rows, result.left_out) == (2, 1)
    found = scores(store)
    assert found[("mawps/00001", "strict")] == 1.0
    assert (found[("mawps/00002", "strict")], found[("mawps/00002", "lenient")]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("layout", "text", "message"),
    [
        ("jsonl", "", r"log:1: the file is empty"),
        ("jsonl", "{", r"log:1: broken JSON"),
        ("jsonl", "\n[1]", r"log:2: a JSON list, expected one object a line"),
        ("jsonl", json.dumps(ROW | {"gold": None}), r"log:1: `gold` is missing"),
        ("jsonl", json.dumps(ROW | {"prediction": 3}), r"log:1: `prediction` is '3'"),
        ("jsonl", json.dumps(ROW | {"metric": "x"}), r"log:1: unknown metric 'x', expected one"),
        ("jsonl", json.dumps(ROW | {"input": "\ud800"}), r"log:1: `input` holds half of a surr"),
        ("jsonl", json.dumps(ROW), r"names 1 models|--checkpoint NAME"),
        ("llm-jp-eval-table", "{\n]", r"log:2: broken JSON"),
        ("llm-jp-eval-table", "{}", r"no table \('columns'\)"),
        ("llm-jp-eval-table", '{"columns": ["a"], "data": [[1, 2]]}', r"no table"),
        (
            "llm-jp-eval-table",
            '{"columns": ["a"], "data": [[1]]}',
            r"row 1: `target_dataset` is missing",
        ),
        ("lm-eval-samples", "{}", r"log:1: no lm-eval sample"),
    ],
)
def test_faults_name_their_place_and_write_nothing(
    tmp_path: Path, layout: Any, text: str, message: str
) -> None:
    file = tmp_path / "log"
    file.write_text(text, encoding="utf-8")
    store = tmp_path / "results.duckdb"
    with pytest.raises(HarnessError, match=message):
        import_outputs(file, layout, store=store)
    assert not store.exists() or queries.summary(store)["generations"] == 0


def test_garbage_bytes(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"ok\n" + "答え".encode("cp932"))
    with pytest.raises(HarnessError, match=r"log:2: not UTF-8"):
        import_outputs(file, "jsonl", store=tmp_path / "results.duckdb")
    file.write_text(json.dumps(ROW | {"prediction": "あ\x00\x1b" * 100_000}), encoding="utf-8")
    import_outputs(file, "jsonl", store=tmp_path / "results.duckdb", checkpoint="m")


def test_from_the_command_line(tmp_path: Path) -> None:
    jsonl(tmp_path / "log.jsonl", ROW, ROW | {"input": "別の", "prediction": "neutralです。"})
    done = harness(
        "import", "outputs", "log.jsonl", "--format", "jsonl", "--checkpoint", "m", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "2 answers in 1 evaluation" in done.stdout
    scored = harness("score", cwd=tmp_path)
    assert "2 answers, 0 scores changed" in scored.stdout, scored.stderr
    report = harness("format", "m", "--json", cwd=tmp_path)
    (gap,) = json.loads(report.stdout)[0]["datasets"]
    assert (gap["dataset"], gap["strict"], gap["lenient"], gap["lost"]) == ("jnli", 0.5, 1.0, 0.5)
    shown = harness("format", "m", cwd=tmp_path)
    assert "neutralです。" in shown.stdout
    assert "500 examples" in shown.stdout
