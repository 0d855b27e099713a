"""The published answers and GPT-4 judgments in the store, every one of them read again."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from harness.errors import HarnessError
from harness.import_fastchat import import_fastchat
from harness.judge.reading import Variant, read_rating
from harness.protocols.mt_bench import MtBench
from harness.store import database
from tests.shared_data import shared

ROWS = 564


@pytest.fixture(scope="module")
def logged() -> list[dict[str, Any]]:
    text = shared("jmt-bench", "gpt-4_single.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("variant", ["fastchat", "harness-1"])
def test_every_stored_text_reads_as_its_stored_score(
    logged: list[dict[str, Any]], variant: Variant
) -> None:
    assert len(logged) == ROWS
    for row in logged:
        assert read_rating(row["judgment"], (1, 10), variant).rating == row["score"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fastchat") / "r.duckdb"
    call("import", "fastchat", str(shared("jmt-bench")), *PROTOCOL, "--store", str(path))
    return path


PROTOCOL = ("--protocol", "stability-2023-full")


def call(*arguments: str) -> str:
    result = CliRunner().invoke(harness, list(arguments))
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


def count(store: Path, query: str) -> int:
    with database.connect(store, read_only=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_all_rows_are_in_the_store_and_a_second_import_changes_nothing(
    store: Path, logged: list[dict[str, Any]]
) -> None:
    assert count(store, "SELECT count(*) FROM judgments") == ROWS
    assert count(store, "SELECT count(*) FROM judgments WHERE value IS NULL") == 0
    assert count(store, "SELECT count(*) FROM judged WHERE repeat > 0") == 4
    assert count(store, "SELECT count(*) FROM evaluations") == 9
    assert count(store, "SELECT count(*) FROM generations") == 9 * 80
    output = call("import", "fastchat", str(shared("jmt-bench")), *PROTOCOL, "--store", str(store))
    assert f"720 answers of 9 models and {ROWS} judgments (4 of them" in output
    assert "160 answers to turns that stability-2023-full does not ask" in output
    assert count(store, "SELECT count(*) FROM judgments") == ROWS
    assert count(store, "SELECT count(*) FROM judged") == ROWS
    assert count(store, "SELECT count(*) FROM generations") == 9 * 80


def test_each_judged_answer_is_the_one_that_the_judge_was_shown(store: Path) -> None:
    with database.connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT g.text, j.messages FROM judged d JOIN judgments j USING (key) "
            "JOIN generations g ON g.key = d.answer"
        ).fetchall()
    assert len(rows) == ROWS
    for text, messages in rows:
        assert text in json.loads(messages)[0]["content"]


def test_the_leaderboard_prints_the_means_of_models_and_genres(
    store: Path, logged: list[dict[str, Any]]
) -> None:
    questions = {
        str(row["question_id"]): row["category"]
        for line in shared("jmt-bench", "question_full.jsonl").read_text("utf-8").splitlines()
        for row in [json.loads(line)]
    }
    by_model: dict[str, list[float]] = defaultdict(list)
    by_genre: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in logged:
        by_model[row["model"]].append(row["score"])
        by_genre[row["model"], questions[row["question_id"]]].append(row["score"])
    rows = json.loads(call("leaderboard", "--json", "--store", str(store)))
    judged = {row["name"]: row for row in rows if row["judge"] == "gpt-4"}
    assert set(judged) == set(by_model)
    for model, row in judged.items():
        assert row["score"] == pytest.approx(fmean(by_model[model]), abs=1e-12)
        assert row["low"] < row["score"] < row["high"]
        assert len(row["genres"]) == 8
        for genre, mean in row["genres"].items():
            assert mean == pytest.approx(fmean(by_genre[model, genre]), abs=1e-12)
            low, high = row["genre_intervals"][genre]
            assert 1 <= low <= mean <= high <= 10
        assert (row["unjudged"], row["judge_failures"]) == (0, {})
    unjudged = {row["name"] for row in rows if row["judge"] is None}
    assert unjudged == {"gpt-4", "gpt-4o"}
    printed = call("leaderboard", "--store", str(store))
    assert "judge gpt-4" in printed
    assert "mt-bench-ja/stability-2023-full" in printed


def write_lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")


def judgment(**changes: Any) -> dict[str, Any]:
    row = {
        "question_id": "1",
        "model": "m",
        "judge": ["j", "single-v1"],
        "user_prompt": "評価してください。はい。",
        "judgment": "よい。[[7]]",
        "score": 7,
        "turn": 1,
    }
    return row | changes


def directory(tmp_path: Path, *judgments: dict[str, Any]) -> Path:
    write_lines(
        tmp_path / "question.jsonl",
        {"question_id": 1, "category": "writing", "turns": ["書いてください。", "続きを。"]},
    )
    answer = {
        "question_id": 1,
        "model_id": "x",
        "choices": [{"index": 0, "turns": ["はい。", "え。"]}],
    }
    write_lines(tmp_path / "model_answer" / "m.jsonl", answer)
    write_lines(tmp_path / "model_judgment" / "j_single.jsonl", *judgments)
    return tmp_path


def test_both_turns_and_unreadable_judgments(tmp_path: Path) -> None:
    rows = [judgment(), judgment(turn=2, judgment="うーん。", score=-1)]
    store = tmp_path / "r.duckdb"
    result = import_fastchat(directory(tmp_path / "d", *rows), MtBench("nejumi-v3"), store=store)
    assert (result.answers, result.judgments, result.unreadable, result.differing) == (2, 2, 1, ())
    assert count(store, "SELECT count(*) FROM judgments WHERE failure = 'no rating'") == 1
    (row,) = json.loads(call("leaderboard", "--json", "--store", str(store)))
    assert (row["score"], row["judged"], row["unjudged"]) == (pytest.approx(0.7), 1, 1)
    assert row["judge_failures"] == {"no rating": 1}


def test_a_score_that_its_text_does_not_say_is_told(tmp_path: Path) -> None:
    folder = directory(tmp_path / "d", judgment(score=8))
    result = import_fastchat(folder, MtBench("nejumi-v3"), store=tmp_path / "r.duckdb")
    assert len(result.differing) == 1
    assert "j_single.jsonl:1" in result.differing[0]


def test_a_judgment_without_its_answer_is_a_fault(tmp_path: Path) -> None:
    folder = directory(tmp_path / "d", judgment(model="other"))
    with pytest.raises(HarnessError, match=r"j_single.jsonl:1: other has no answer"):
        import_fastchat(folder, MtBench("nejumi-v3"), store=tmp_path / "r.duckdb")


def test_official_questions_are_imported_and_asked(tmp_path: Path) -> None:
    from harness.protocols.catalogue import open_suite
    from harness.protocols.mt_bench_suite import import_name
    from harness.store.queries import imported

    store = tmp_path / "r.duckdb"
    questions = shared("jmt-bench", "llmjpjudge_question_question_full-v4.jsonl")
    references = shared("jmt-bench", "reference_answer", "base-gpt4o-with-human-annotation.jsonl")
    prompts = shared("jmt-bench", "llmjpjudge_mt_bench_ja_prompt_v1.yaml")
    output = call(
        *("items", "import", "fastchat", str(questions), "--references", str(references)),
        *("--judge-prompts", str(prompts), "--protocol", "nejumi-v4"),
        *("--protocol", "stability-2023", "--store", str(store)),
    )
    assert "80 questions" in output
    for name, items in (("nejumi-v4", 80), ("stability-2023", 60)):
        parts = ("questions", "references", "judge-prompts")
        records = {part: imported(store, import_name(name, part)) for part in parts}
        official = {part: record for part, record in records.items() if record is not None}
        suite = open_suite(f"mt-bench:{name}", official=official)
        assert len(suite.items) == items
        wanted = [one for one in suite.items if one.genre in ("math", "reasoning", "coding")]
        assert all(len(one.references) == 2 for one in wanted)
    with pytest.raises(HarnessError, match="import your copy"):
        open_suite("mt-bench:lm-sys")
    with pytest.raises(HarnessError, match="no MT-Bench protocol 'v9'"):
        open_suite("mt-bench:v9")
    moved = {"questions": (questions, "0" * 64)}
    with pytest.raises(HarnessError, match="changed since they were imported"):
        open_suite("mt-bench:nejumi-v4", official=moved)
