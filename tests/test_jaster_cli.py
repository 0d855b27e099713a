"""Jaster from the command line: import, evaluate with both engines, read what format costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.store import queries
from tests.test_cli import harness
from tests.test_jaster_items import GOOD, directory, write


def test_import_reports_what_is_found_and_what_is_missing(tmp_path: Path) -> None:
    directory(tmp_path / "data")
    done = harness("items", "import", "llm-jp-eval", "data", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["dataset"]: row for row in json.loads(done.stdout)}
    assert rows["jcommonsenseqa"]["state"] == "found"
    assert (rows["jcommonsenseqa"]["items"], rows["jcommonsenseqa"]["train"]) == (2, 2)
    assert rows["jnli"]["state"] == "missing"
    assert len(rows) == 25
    recorded = queries.imported(tmp_path / "results.duckdb", "jaster")
    assert recorded is not None
    assert recorded[0] == tmp_path / "data"
    shown = harness("items", "import", "llm-jp-eval", "data", cwd=tmp_path)
    assert "1 datasets" in shown.stdout
    assert "missing" in shown.stdout


def test_a_malformed_dataset_is_not_imported(tmp_path: Path) -> None:
    directory(tmp_path / "data")
    write(tmp_path / "data", "test", "jnli", b'{"samples": [}')
    done = harness("items", "import", "llm-jp-eval", "data", cwd=tmp_path)
    assert done.returncode == 3
    assert "jnli.json:1: broken JSON at column 14" in done.stdout
    assert "1 malformed dataset(s) (jnli); mend" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results.duckdb").exists()


def test_our_own_set_is_sound(tmp_path: Path) -> None:
    done = harness("items", "check", "jaster-ja", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "jaster-ja: 14 datasets" in done.stdout
    assert "break" not in done.stdout
    directory(tmp_path / "data" / "evaluation")
    done = harness("items", "check", "data", cwd=tmp_path)
    assert "jcommonsenseqa: 2 items, 2 examples" in done.stdout, done.stderr


def test_format_of_an_unknown_checkpoint(tmp_path: Path) -> None:
    done = harness("format", "nobody", cwd=tmp_path)
    assert done.returncode == 3
    assert "no store here yet" in done.stderr


@pytest.mark.slow
def test_both_engines_give_the_same_scores(tmp_path: Path, tiny_base_checkpoint: Path) -> None:
    pytest.importorskip("vllm")
    directory(tmp_path / "data")
    rows = [{"input": f"文章：東京の{n}年。\n質問：何年？", "output": f"{n}年"} for n in range(20)]
    write(tmp_path / "data", "test", "jsquad", GOOD, samples=rows, output_length=12)
    found = {}
    for engine in ("vllm", "transformers"):
        command = [sys.executable, "-m", "harness", "eval", str(tiny_base_checkpoint)]
        command += ["--suite", f"jaster:{tmp_path / 'data'}", "--shots", "0", "--quiet"]
        command += ["--engine", engine, "--store", str(tmp_path / f"{engine}.duckdb")]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        store = tmp_path / f"{engine}.duckdb"
        (evaluation,) = queries.evaluations(store)
        assert (evaluation.planned, evaluation.done) == (24, 24)
        found[engine] = (
            [answer.text for answer in queries.answers(store, evaluation.id)],
            {
                (one.item_hash, one.metric): one.value
                for one in queries.item_scores(store, [evaluation.id])
            },
        )
    assert found["vllm"] == found["transformers"]
