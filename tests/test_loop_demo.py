"""The data of the demo: a loop that can be run, whose proof shares nothing with what steers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("transformers")

from harness.items.load import load_items
from training.loop.config import load_loop
from training.loop.suites import check_apart


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    write(made)
    return made


def write(folder: Path, *options: str) -> None:
    source = Path("docs/examples/loop_demo.py")
    spec = importlib.util.spec_from_file_location("loop_demo", source)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    CliRunner().invoke(module.main, [str(folder), *options], catch_exceptions=False)


def test_it_is_a_loop_whose_proof_is_apart(folder: Path) -> None:
    loop = load_loop(folder / "loop.yaml", folder / "results.duckdb")
    check_apart(loop)
    assert [phase.name for phase in loop.given.phases] == ["web", "crawl"]


def test_what_proves_shares_neither_question_nor_problem_with_what_steers(folder: Path) -> None:
    steer, proof = (load_items(folder / name / "items.jsonl") for name in ("steer", "proof"))
    assert {item.genre for item in proof} == {
        *("math", "reasoning", "extraction", "coding", "format"),
    }
    assert not {item.hash for item in steer} & {item.hash for item in proof}
    assert not {item.turns for item in steer} & {item.turns for item in proof}
    counts = [sum(item.skill == skill for item in proof) for skill in {one.skill for one in proof}]
    assert min(counts) >= 24


def test_no_corpus_holds_a_question_that_is_asked(folder: Path) -> None:
    asked = {
        item.turns[0]
        for name in ("steer", "proof")
        for item in load_items(folder / name / "items.jsonl")
    }
    for path in folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert rows
        assert not asked & {row["messages"][0]["content"] for row in rows}


def test_another_seed_is_another_corpus_and_the_same_items(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, "--seed", "1")
    same = folder / "proof" / "items.jsonl"
    assert (tmp_path / "proof" / "items.jsonl").read_bytes() == same.read_bytes()
    assert (tmp_path / "crawl.jsonl").read_bytes() != (folder / "crawl.jsonl").read_bytes()
