"""`harness eval`, `score`, `show`, `pairwise` and `leaderboard` with a judge, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import harness
from harness.items.schema import GENRES
from tests.judge_server import JudgeServer, judge_server

HEADER = "---\nname: own-mt\nversion: 1\nlicence: CC0\nmade-by: test\nreviewed: no\n---\n"
ITEMS = 16


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        yield running


@pytest.fixture
def evalset(tmp_path: Path) -> Path:
    """Two questions a genre; the first turn of math is decided by rule (and answered wrongly)."""
    folder = tmp_path / "own-mt"
    folder.mkdir()
    (folder / "card.md").write_text(HEADER, encoding="utf-8")
    lines = []
    for number in range(ITEMS):
        genre = GENRES[number % len(GENRES)]
        item: dict[str, Any] = {
            "id": f"own/{number:02d}",
            "genre": genre,
            "turns": [f"{genre}の問{number}です。", "続きをお願いします。"],
            "answer": "",
            "format": {"kind": "free"},
            "metric": "judge",
        }
        if genre == "math":
            item |= {"references": ["42", "21"], "checks": [{"math": "-1"}, None]}
        lines.append(json.dumps(item, ensure_ascii=False))
    (folder / "items.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def eval_arguments(server: JudgeServer, evalset: Path, store: Path, *more: str) -> list[str]:
    target = f"openai:{server.url}#model-1"
    options = ["--suite", str(evalset), "--store", str(store), "--no-canary"]
    return ["eval", target, *options, *more]


def judged_by(server: JudgeServer) -> list[str]:
    return ["--judge", f"{server.url}#judge-1"]


def call(arguments: Sequence[str]) -> Result:
    return CliRunner().invoke(harness, list(arguments))


def done(arguments: Sequence[str]) -> str:
    result = call(arguments)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


def board(store: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(done(["leaderboard", "--json", "--store", str(store)]))
    return rows


def test_without_a_judge_open_answers_are_unjudged(
    server: JudgeServer, evalset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    output = done(eval_arguments(server, evalset, store))
    assert f"planned {2 * ITEMS} = done {2 * ITEMS}" in output
    (row,) = board(store)
    assert row["judge"] is None
    assert (row["answers"], row["decided"], row["unjudged"]) == (32, 2, 30)
    assert row["verified"] == {"math": [0, 2]}
    assert row["genres"] == {"math": 1.0}  # a wrong answer gets the lowest rating
    assert "no judge" in output
    assert not server.paid


def test_a_judge_rates_what_no_rule_decides_and_is_paid_once(
    server: JudgeServer, evalset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    ratings = iter(range(1000))
    server.reply = lambda body: f"理由。\n評価：[[{1 + next(ratings) % 10}]]"
    price = ["--judge-price", "2,8", "--judge-budget", "1000"]
    output = done(eval_arguments(server, evalset, store, *judged_by(server), *price))
    assert "wanted 30 = reused 0 + asked 30 + left 0" in output
    (row,) = board(store)
    assert row["judge"] == "judge-1"
    assert (row["decided"], row["judged"], row["unjudged"]) == (2, 30, 0)
    assert set(row["genres"]) == set(GENRES)
    assert row["judge_cost"] == pytest.approx(
        (2 * row["judge_prompt_tokens"] + 8 * row["judge_completion_tokens"]) / 1e6
    )
    again = done(eval_arguments(server, evalset, store, *judged_by(server)))
    assert "wanted 30 = reused 30 + asked 0 + left 0" in again
    assert set(server.paid.values()) == {1}
    assert board(store) == [row]


def test_stored_answers_are_judged_later_and_by_another(
    server: JudgeServer, evalset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    done(eval_arguments(server, evalset, store, "--quiet"))
    arguments = ["score", "--store", str(store)]
    assert "asked 30" in done([*arguments, *judged_by(server)])
    assert "reused 30 + asked 0" in done([*arguments, *judged_by(server)])
    other = ["--rejudge", f"{server.url}/model-1"]  # it answers, but rates nothing
    assert "no rating 30" in done([*arguments, *other])
    first, second = sorted(board(store), key=lambda row: str(row["judge"]))
    assert (first["judge"], second["judge"]) == ("judge-1", "model-1")
    assert second["unjudged"] == 30
    assert second["judge_failures"] == {"no rating": 30}
    failing = [*arguments, *other, "--rejudge-failed"]
    assert "asked 30" in done(failing)
    assert [row["judgments"] for row in board(store)] == [30, 30]


def test_a_judge_that_is_down_leaves_answers_and_says_so(
    server: JudgeServer, evalset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    server.plan = lambda number, body: "key"
    result = call(eval_arguments(server, evalset, store, *judged_by(server)))
    assert result.exit_code != 0
    assert "rejects the key" in str(result.exception)
    (row,) = board(store)
    assert (row["done"], row["unjudged"], row["judge"]) == (32, 30, None)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--judge-budget", "1"], "needs --judge-price"),
        (["--rejudge-failed"], "needs the judge"),
        (["--judge-price", "1", "--judge", "x"], "expected two numbers"),
    ],
)
def test_options_that_do_not_go_together(
    server: JudgeServer, evalset: Path, tmp_path: Path, options: list[str], fault: str
) -> None:
    result = call(eval_arguments(server, evalset, tmp_path / "r.duckdb", *options))
    assert fault in str(result.exception)


def test_show_prints_what_the_judge_said(
    server: JudgeServer, evalset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    server.reply = lambda body: "理由があります。\n評価：[[6]]"
    done(eval_arguments(server, evalset, store, "--quiet", *judged_by(server)))
    (row,) = board(store)
    shown = ["show", row["evaluation"], "--store", str(store), "--genre", "math"]
    text = done([*shown, "--limit", "50"])
    assert "rated 6" in text
    assert "理由があります。" in text
    assert "by judge-1" in text
    answers = json.loads(done([*shown, "--json"]))
    assert len(answers) == 4
    decided = [one for one in answers if "verified" in one["scores"]]
    assert len(decided) == 2
    assert all(one["judgments"] == [] for one in decided)
    second = next(one for one in answers if one["turn"] == 1)
    assert second["judgments"][0]["rating"] == 6
    assert "続きをお願いします。" in second["question"]


def test_two_evaluations_are_compared_in_both_orders(
    server: JudgeServer, evalset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"
    for model in ("model-1", "judge-1"):  # the judge's own answers all read 評価：[[7]]
        target = f"openai:{server.url}#{model}"
        done(["eval", target, "--suite", str(evalset), "--store", str(store), "--quiet"])
    server.paid.clear()
    ids = {row["name"].partition("@")[0]: row["evaluation"] for row in board(store)}
    # Prefers whatever is shown first, but in math always the answer of model-1.
    first_of_math = "お答えします。"

    def reply(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        if "mathの問" not in text:
            return "判定：[[A]]"
        own, other = text.rfind(first_of_math), text.rfind("よい回答です。")
        return "判定：[[A]]" if own < other else "判定：[[B]]"

    server.reply = reply
    arguments = ["pairwise", ids["model-1"], ids["judge-1"], *judged_by(server)]
    rows = json.loads(
        CliRunner().invoke(harness, [*arguments, "--store", str(store), "--json"]).stdout
    )
    by_genre = {row["genre"]: row for row in rows}
    assert by_genre["all"]["pairs"] == 2 * ITEMS
    assert by_genre["all"]["unjudged"] == 0
    assert by_genre["math"]["wins"] == 4
    assert by_genre["math"]["win_rate"] == 1.0
    assert (by_genre["stem"]["ties"], by_genre["stem"]["disagreed"]) == (4, 4)
    assert by_genre["stem"]["win_rate"] == 0.5
    assert sum(server.paid.values()) == 4 * ITEMS
    again = done([*arguments, "--store", str(store)])
    assert "asked 0" in again
    assert "(wins +" in again
    assert sum(server.paid.values()) == 4 * ITEMS
    # Comparisons are no ratings.
    assert {row["judge"] for row in board(store)} == {None}


def test_judging_goes_on_while_answers_are_generated(
    server: JudgeServer, evalset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.evaluate.BATCH_SECONDS", 0.05)
    judged = threading.Event()
    waited: list[bool] = []

    def before(body: dict[str, Any]) -> None:
        if body["model"] == "judge-1":
            judged.set()
        elif "問15" in body["messages"][0]["content"]:
            # The last answers are held back until the judge has been asked about earlier ones.
            waited.append(judged.wait(60))

    server.before = before
    done(eval_arguments(server, evalset, tmp_path / "r.duckdb", *judged_by(server)))
    assert waited == [True, True]
