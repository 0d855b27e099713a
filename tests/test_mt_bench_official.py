"""The official protocols end to end, with the published questions and prompts, over real HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from tests.judge_server import JudgeServer, judge_server
from tests.shared_data import shared
from tests.test_mt_bench_cli import board, call, done, judged_by

PROMPTS = {
    "lm-sys": "judge_prompts.jsonl",
    "stability-2023": "judge_ja_prompts.jsonl",
    "nejumi-v3": "llmjpjudge_mt_bench_ja_prompt_v1.yaml",
    "nejumi-v4": "llmjpjudge_mt_bench_ja_prompt_v1.yaml",
    "swallow-2025": "swallow_judge_prompts.jsonl",
}
QUESTIONS = {"lm-sys": "mt_bench_en_question.jsonl"}
REFERENCES = {
    "lm-sys": ("mt_bench_en_reference_gpt-4.jsonl",),
    "swallow-2025": ("reference_answer", "swallow_gpt-4o-2024-08-06.jsonl"),
}


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        yield running


def prepared(store: Path, name: str) -> None:
    questions = shared(
        "jmt-bench", QUESTIONS.get(name, "llmjpjudge_question_question_full-v4.jsonl")
    )
    references = shared("jmt-bench", *REFERENCES.get(name, ("reference_answer", "gpt-4.jsonl")))
    done(
        [
            *("items", "import", "fastchat", str(questions), "--protocol", name),
            *("--references", str(references), "--store", str(store)),
            *("--judge-prompts", str(shared("jmt-bench", PROMPTS[name]))),
        ]
    )


def measured(server: JudgeServer, store: Path, name: str, *more: str) -> dict[str, Any]:
    target = f"openai:{server.url}#model-1"
    options = ["--suite", f"mt-bench:{name}", "--limit", "8", "--store", str(store)]
    done(["eval", target, *options, *judged_by(server), "--no-canary", *more])
    (row,) = board(store)
    return row


def ratings_of(server: JudgeServer) -> list[float]:
    """In turn 3, 4, ... 10, 3, ...: what the judge has said so far."""
    return [3.0 + number % 8 for number in range(sum(server.paid.values()))]


@pytest.fixture
def counting(server: JudgeServer) -> JudgeServer:
    said = iter(range(10_000))
    server.reply = lambda body: f"Some reasons.\n\nRating: [[{3 + next(said) % 8}]]"
    return server


@pytest.mark.parametrize("name", ["lm-sys", "nejumi-v3"])
def test_every_turn_of_every_question_is_judged_once(
    counting: JudgeServer, tmp_path: Path, name: str
) -> None:
    store = tmp_path / "r.duckdb"
    prepared(store, name)
    row = measured(counting, store, name)
    assert (row["answers"], row["judged"], row["judge_calls"]) == (16, 16, 16)
    shown = 10 if name == "nejumi-v3" else 1
    assert row["score"] == pytest.approx(fmean(ratings_of(counting)) / shown)
    bodies = [body for body in counting.bodies if body["model"] == "judge-1"]
    assert all(body["temperature"] == 0 and body["max_tokens"] == 2048 for body in bodies)
    assert all("response_format" not in body for body in bodies)
    # Half of them are multi-turn: the instruction is in the system message, both turns are shown.
    assert sum("### User" in body["messages"][-1]["content"] for body in bodies) == 8
    # Math, reasoning and coding are shown their reference answers.
    assert sum("eference" in body["messages"][-1]["content"] for body in bodies) >= 6


def test_stability_judges_one_turn_of_six_genres_in_japanese(
    counting: JudgeServer, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    prepared(store, "stability-2023")
    row = measured(counting, store, "stability-2023")
    assert row["answers"] == 8
    assert not {"math", "coding"} & set(row["genres"])
    bodies = [body for body in counting.bodies if body["model"] == "model-1"]
    assert all(body["max_tokens"] == 512 and body["top_p"] == 0.9 for body in bodies)
    assert all(body["repetition_penalty"] == 1.1 for body in bodies)


def test_nejumi_4_asks_for_json_allows_zero_and_averages_repeats(
    server: JudgeServer, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    prepared(store, "nejumi-v4")
    server.reply = lambda body: '{"explanation": "wrong", "rating": 0}'
    row = measured(server, store, "nejumi-v4", "--judge-repeats", "3")
    assert (row["answers"], row["judgments"], row["judge_calls"]) == (16, 48, 48)
    assert (row["score"], row["judge_failures"]) == (0.0, {})
    assert row["noise"] == {"questions": 0.0, "judge": 0.0}
    bodies = [body for body in server.bodies if body["model"] == "judge-1"]
    assert all(body["response_format"]["type"] == "json_schema" for body in bodies)


def test_swallow_draws_five_answers_and_reports_their_spread(
    server: JudgeServer, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    prepared(store, "swallow-2025")
    said = iter(range(10_000))
    server.reply = lambda body: f"Rating: [[{3 + next(said) % 8}]]"
    row = measured(server, store, "swallow-2025")
    assert row["samples"] == 5
    # Equal answers (the server's are) are judged apart: five of each question and turn.
    assert (row["answers"], row["judge_calls"]) == (80, 80)
    shown = json.loads(done(["show", row["evaluation"], "--store", str(store), "--json"]))
    means = [
        fmean(one["judgments"][0]["rating"] for one in shown if one["sample"] == sample)
        for sample in range(5)
    ]
    assert row["score"] == pytest.approx(fmean(means) / 10)
    assert row["sd"] == pytest.approx(stdev(means) / 10)
    assert set(row["noise"]) == {"questions", "generation"}
    assert row["noise"]["generation"] > 0
    assert set(row["style_by_genre"]) == set(row["genres"])
    assert all("japanese" in style for style in row["style_by_genre"].values())


def test_official_questions_without_prompts_are_refused_before_anything_is_asked(
    server: JudgeServer, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    questions = shared("jmt-bench", "question_full.jsonl")
    arguments = ["items", "import", "fastchat", str(questions), "--protocol", "nejumi-v3"]
    done([*arguments, "--store", str(store)])
    target = f"openai:{server.url}#model-1"
    options = ["--suite", "mt-bench:nejumi-v3", "--store", str(store), *judged_by(server)]
    result = call(["eval", target, *options])
    assert re.search("is judged by its official prompts", str(result.exception))
    assert server.bodies == []
