"""Summed-up scores of other harnesses: what is read, what is refused, and that nothing doubles."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import harness
from harness.errors import HarnessError
from harness.import_scores import import_scores, read_scores
from harness.store.summaries import imported_runs, summaries
from tests.shared_data import shared

HEADER = ["run", "step", "task", "metric", "value", "stderr"]


def write_csv(path: Path, rows: list[list[Any]], header: list[str] | None = None) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header or HEADER, *rows])
    return path


def results(folder: Path, name: str, **more: Any) -> Path:
    """A results file as lm-eval 0.4 writes it, cut to what it says about one task."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "results": {
            "jcommonsenseqa": {
                "alias": "jcommonsenseqa",
                "acc,none": 0.5,
                "acc_stderr,none": 0.015,
                "exact_match,strict": 0.25,
                "exact_match_stderr,strict": "N/A",
            }
        },
        "versions": {"jcommonsenseqa": 1.1},
        "n-shot": {"jcommonsenseqa": 3},
        "n-samples": {"jcommonsenseqa": {"original": 1119, "effective": 1000}},
        "higher_is_better": {"jcommonsenseqa": {"acc": True}},
        "config": {"model": "hf", "model_args": "pretrained=/ckpt/tiger/step_2000,dtype=float32"},
        "model_name": "/ckpt/tiger/step_2000",
        **more,
    }
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def command(*arguments: object) -> Result:
    return CliRunner().invoke(harness, ["import", "scores", *map(str, arguments)])


def test_a_csv_lands_in_the_store_and_a_second_import_adds_nothing(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    file = write_csv(
        tmp_path / "scores.csv",
        [["a", 100, "niah", "acc", 0.5, 0.01], ["a", 200, "niah", "acc", 0.25, ""]],
    )
    first = command(file, "--store", store)
    assert first.exit_code == 0, first.output
    assert "2 scores, 2 of them new, of a (2 steps)" in first.output
    assert "2 scores, 0 of them new" in command(file, "--store", store).output
    found = summaries(store, "a")
    assert [(row.step, row.value, row.stderr) for row in found] == [
        (100, 0.5, 0.01),
        (200, 0.25, None),
    ]
    assert found[0].place == f"{file}:2"
    assert imported_runs(store) == {"a": 2}


def test_a_changed_value_is_refused_and_both_are_named(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    rows = [["a", 100, "niah", "acc", 0.5, 0.01], ["a", 200, "niah", "acc", 0.25, 0.01]]
    first = write_csv(tmp_path / "first.csv", rows)
    import_scores(first, store=store)
    rows[1][4] = 0.75
    second = write_csv(tmp_path / "second.csv", [*rows, ["a", 300, "niah", "acc", 0.5, 0.01]])
    with pytest.raises(HarnessError) as error:
        import_scores(second, store=store)
    assert f"{second}:3: a step 200 has niah acc 0.75 ± 0.01, but {first}:3 gave 0.25" in str(
        error.value
    )
    assert [row.step for row in summaries(store, "a")] == [100, 200]


def test_one_key_with_two_values_in_one_file_is_refused(tmp_path: Path) -> None:
    rows = [["a", 1, "t", "acc", 0.5, ""], ["a", 1, "t", "acc", 0.5, ""]]
    file = write_csv(tmp_path / "scores.csv", rows)
    assert len(read_scores(file)[0]) == 1
    file = write_csv(tmp_path / "scores.csv", [*rows, ["a", 1, "t", "acc", 0.6, ""]])
    with pytest.raises(HarnessError, match=r"scores.csv:4: .* has t acc 0.6, but .*csv:2 gave 0.5"):
        read_scores(file)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (["a", "x", "t", "acc", 0.5, ""], "`step` is 'x', expected a whole number, 0 or more"),
        (["a", -1, "t", "acc", 0.5, ""], "`step` is '-1', expected a whole number, 0 or more"),
        (["a", 1, "t", "acc", "nan", ""], "`value` is 'nan', expected a number"),
        (["a", 1, "t", "acc", "", ""], "`value` is '', expected a number"),
        (["a", 1, "t", "acc", 0.5, -0.1], "`stderr` is '-0.1', expected a number, 0 or more"),
        (["", 1, "t", "acc", 0.5, ""], "`run` is empty, expected a name"),
        (["a", 1, "t", "acc", 0.5], "5 cells for 6 columns"),
    ],
)
def test_a_faulty_row_is_told_by_file_and_line(tmp_path: Path, row: list[Any], fault: str) -> None:
    file = write_csv(tmp_path / "scores.csv", [["a", 0, "t", "acc", 0.5, ""], row])
    with pytest.raises(HarnessError) as error:
        read_scores(file)
    assert str(error.value) == f"{file}:3: {fault}"


def test_other_column_names_are_given_by_the_user(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "s.csv", [["a", "0-shot", 1, "t", "acc", 0.5]],
                     ["model", "shots", "step", "task", "metric", "value"])  # fmt: skip
    with pytest.raises(HarnessError, match=r"s.csv:1: no column 'run' .* --column run=THEIRS"):
        read_scores(file)
    (row,), _ = read_scores(file, columns={"run": "model", "protocol": "shots"})
    assert (row.run, row.protocol) == ("a", "0-shot")
    (row,), _ = read_scores(file, run="b")
    assert (row.run, row.protocol) == ("b", "")
    assert command(file, "--column", "run").exit_code != 0


def test_a_tree_of_lm_eval_results(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    tree = tmp_path / "out"
    results(tree / "x", "results_2026-11-29T10-00-00.json")
    results(tree / "y" / "step_3000", "results_2026-11-29T11-00-00.json", config={}, model_name="")
    results(
        tree / "z",
        "results_1.json",
        config={"model_args": {"pretrained": "org/tiger", "revision": "step4000"}},
    )
    (tree / "notes.json").write_text("[]")
    (tree / "settings.json").write_text("// not JSON")
    shown = command(tree, "--store", store)
    assert "6 scores, 6 of them new" in shown.output, shown.output
    assert "2 JSON files hold no results" in shown.output
    assert imported_runs(store) == {"tiger": 2, "y": 1}
    exact, accuracy = (
        next(row for row in summaries(store, "tiger") if row.metric == metric and row.step == 2000)
        for metric in ("exact_match (strict)", "acc")
    )
    assert (accuracy.value, accuracy.stderr, accuracy.n) == (0.5, 0.015, 1000)
    assert (accuracy.protocol, accuracy.higher_is_better) == ("3-shot, version 1.1", True)
    assert (exact.value, exact.stderr, exact.higher_is_better) == (0.25, None, None)


def test_a_results_file_that_names_no_step_wants_it_said(tmp_path: Path) -> None:
    file = results(tmp_path / "x", "results_1.json", config={}, model_name="tiger")
    with pytest.raises(HarnessError, match="say it with --step"):
        read_scores(file)
    rows, _ = read_scores(file, step=7)
    assert {(row.run, row.step) for row in rows} == {("tiger", 7)}


def test_broken_and_foreign_files(tmp_path: Path) -> None:
    broken = tmp_path / "results_1.json"
    broken.write_text('{"results":\n {')
    with pytest.raises(HarnessError, match=r"results_1.json:2: broken JSON"):
        read_scores(broken)
    broken.write_text("{}")
    with pytest.raises(HarnessError, match="no `results` in it"):
        read_scores(broken)
    with pytest.raises(HarnessError, match=r"expected a \.csv"):
        read_scores(tmp_path / "scores.parquet")
    with pytest.raises(HarnessError, match="no such file"):
        read_scores(tmp_path / "scores.csv")


@given(
    st.lists(
        st.tuples(
            st.text('abあ, "', min_size=1).map(str.strip).filter(bool),
            st.integers(0, 10**12),
            st.floats(-1e9, 1e9),
            st.none() | st.floats(0, 1e6),
        ),
        unique_by=lambda row: row[:2],
        min_size=1,
    )
)
def test_what_csv_holds_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, float, float | None]]
) -> None:
    file = tmp_path_factory.mktemp("csv") / "scores.csv"
    write_csv(file, [["run", step, task, "m", value, sd] for task, step, value, sd in rows])
    read, _ = read_scores(file)
    assert [(row.task, row.step, row.value, row.stderr) for row in read] == rows


def test_published_trajectories() -> None:
    pythia = shared("trajectories", "pythia-v1-1.4b-and-12b-deduped.csv")
    rows, _ = read_scores(pythia, columns={"run": "model", "protocol": "shots"})
    assert {row.run for row in rows} == {"pythia-1.4b", "pythia-12b-deduped"}
    assert {row.protocol for row in rows} == {"zero-shot", "five-shot"}
    rows, _ = read_scores(shared("trajectories", "tr3m-1B3-pile-checkpoints_agg.json"), run="tr3m")
    assert len({row.step for row in rows}) == 63
    boolq = [row for row in rows if row.task == "boolq"]
    assert all(row.stderr is not None and 0 < row.stderr < 0.02 for row in boolq)
