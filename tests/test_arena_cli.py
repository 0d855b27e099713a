"""`harness arena` from end to end: import, play, rate, matrix, next, correlate."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.special import expit

from harness.arena.play import play
from harness.arena.verifier import decide
from harness.cli.main import harness
from harness.errors import HarnessError
from harness.evaluate import evaluate
from harness.protocols.short_answer import ShortAnswer
from harness.store.battles import Selection, load_counts
from tests.shared_data import shared
from tests.test_evaluate import CHECKPOINT, ScriptedEngine, letter, render

GENRES = ("math", "reasoning")


def run(*arguments: object) -> str:
    done = CliRunner().invoke(harness, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def rows(*arguments: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*arguments, "--json"))
    return found


def measure(store: Path, name: str, wrong: set[int], items: int = 20) -> None:
    """An evaluation in which all answers are right but those to the items of `wrong`."""

    class Engine(ScriptedEngine):
        def generate(self, queue: Any) -> Any:
            for answer in super().generate(queue):
                asked = next(one for one in self.asked if one.key == answer.key)
                is_wrong = any(f"問{number}。" in str(asked.prompt) for number in wrong)
                yield replace(answer, text="B") if is_wrong else answer

    asked = [replace(letter(n), genre=GENRES[n % 2]) for n in range(items)]
    checkpoint = replace(CHECKPOINT, name=name, fingerprint=name.ljust(64, "0"), run=None)
    evaluate(checkpoint, ShortAnswer("t"), asked, store=store, render=render, open_engine=Engine)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    store = tmp_path / "results.duckdb"
    measure(store, "good", {0, 1})
    measure(store, "fair", {1, 2, 3, 4, 5})
    measure(store, "poor", set(range(3, 16)))
    return store


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 600 votes on 60 prompts between four models of known strength."""
    folder = tmp_path_factory.mktemp("voted")
    rng = np.random.default_rng(0)
    strength = {"a/1": 1.0, "b/1": 0.5, "c/1": 0.0, "d|1": -1.0}
    lines = ["model_a,model_b,winner,prompt,genre,session"]
    for n in range(600):
        one, other = rng.choice(list(strength), 2, replace=False)
        chance = expit(strength[one] - strength[other])
        winner = "model_a" if rng.random() < chance else "model_b"
        winner = "tie" if rng.random() < 0.1 else winner
        prompt = n % 60
        lines.append(f"{one},{other},{winner},q{prompt},{GENRES[prompt % 2]},v{n % 7}")
    log = folder / "votes.csv"
    log.write_text("\n".join(lines) + "\n")
    store = folder / "results.duckdb"
    assert "600 battles of kind import:votes, 600 of them new" in run(
        "arena", "import", log, "--store", store
    )
    assert "600 battles of kind import:votes, 0 of them new" in run(
        "arena", "import", log, "--store", store
    )
    return store


def test_ratings_in_every_form(voted: Path) -> None:
    page = run("arena", "ratings", "--store", voted)
    assert "import:votes" in page
    assert "600 battles on 60 prompts" in page
    found = rows("arena", "ratings", "--store", voted)
    assert [row["model"] for row in found] == ["a/1", "b/1", "c/1", "d|1"]
    assert sum(row["rating"] for row in found) == pytest.approx(4000)
    assert set(found[0]["genres"]) == set(GENRES)
    assert all(row["low"] < row["rating"] < row["high"] for row in found)
    table = list(csv.DictReader(io.StringIO(run("arena", "ratings", "--store", voted, "--csv"))))
    assert float(table[0]["rating"]) == pytest.approx(found[0]["rating"], abs=1e-4)
    assert "d\\|1" in run("arena", "ratings", "--store", voted, "--markdown")


def test_ratings_by_every_method(voted: Path) -> None:
    plain = rows("arena", "ratings", "--store", voted, "--no-genres")
    for more in (
        ["--method", "elo", "--draws", "100"],
        ["--interval", "multinomial", "--draws", "200"],
        ["--interval", "poisson"],
        ["--position"],
        ["--prior", "2"],
        ["--anchor", "c/1", "--anchor-points", "1200"],
    ):
        found = rows("arena", "ratings", "--store", voted, "--no-genres", *more)
        assert [row["model"] for row in found] == [row["model"] for row in plain], more
        assert found[0]["method"] == {"--method": "elo", "--position": "bt+position"}.get(
            more[0], "bt"
        )
    pinned = rows("arena", "ratings", "--store", voted, "--anchor", "c/1", "--anchor-points", 1200)
    assert pinned[2]["rating"] == pytest.approx(1200)
    assert pinned[2]["low"] == pytest.approx(1200)
    assert "seen first" in run("arena", "ratings", "--store", voted, "--position")


def test_leaderboard_of_the_arena(voted: Path) -> None:
    assert rows("leaderboard", "--suite", "arena", "--store", voted) == rows(
        "arena", "ratings", "--store", voted
    )
    assert "import:votes" in run("leaderboard", "--suite", "arena", "--store", voted)


def test_matrix_adds_up(voted: Path) -> None:
    found = rows("arena", "matrix", "--store", voted)
    assert len(found) == 12
    assert sum(row["battles"] for row in found) == 1200
    by_pair = {(row["model"], row["opponent"]): row for row in found}
    for (one, other), row in by_pair.items():
        turned = by_pair[other, one]
        assert row["wins"] == turned["losses"]
        assert row["adjusted_win_rate"] + turned["adjusted_win_rate"] == pytest.approx(1)
        assert row["predicted"] + turned["predicted"] == pytest.approx(1)
        assert row["low"] - 0.1 < row["predicted"] < row["high"] + 0.1
    assert "win matrix" in run("arena", "matrix", "--store", voted)
    assert "against d|1" in run("arena", "matrix", "--store", voted, "--against", "d|1")


def test_next_battles_are_where_doubt_is(voted: Path) -> None:
    found = rows("arena", "next", "--store", voted, "--count", 3)
    assert len(found) == 3
    assert "d|1" not in (found[0]["model_a"], found[0]["model_b"])
    placed = rows("arena", "next", "--store", voted, "--count", 4, "--model", "new/1")
    assert all("new/1" in (row["model_a"], row["model_b"]) for row in placed)
    assert "to separate" in run("arena", "next", "--store", voted)


def test_verified_answers_meet(measured: Path) -> None:
    said = run("arena", "play", "good", "fair", "poor", "--store", measured)
    assert "60 battles of kind verifier between 3 models, 60 of them new" in said
    again = run("arena", "play", "fair", "poor", "good", "--store", measured)
    assert "60 battles of kind verifier between 3 models, 0 of them new" in again
    by_pair = {
        (row["model"], row["opponent"]): row for row in rows("arena", "matrix", "--store", measured)
    }
    # good lacks 0 and 1, fair 1 to 5: good alone is right on 2 to 5, fair alone on 0.
    row = by_pair["good", "fair"]
    assert (row["wins"], row["losses"], row["ties"]) == (4, 1, 15)
    found = rows("arena", "ratings", "--store", measured, "--kind", "verifier")
    assert [row["model"] for row in found] == ["good", "fair", "poor"]
    # Its answers differ in nothing but a letter: style has no say.
    styled = rows("arena", "ratings", "--store", measured, "--style", "plain", "--no-genres")
    assert [round(row["rating"], 3) for row in styled] == [round(row["rating"], 3) for row in found]


def test_a_score_computed_again_changes_its_battle(measured: Path) -> None:
    play(measured, ["good", "fair"], "t")
    before = load_counts(measured, Selection(("verifier",)))
    from harness.store import database

    with database.connect(measured) as connection:
        connection.execute("UPDATE scores SET value = 1.0 WHERE metric = 'strict'")
    assert play(measured, ["good", "fair"], "t").new == 0
    after = load_counts(measured, Selection(("verifier",)))
    assert before.wins.sum() == 5
    assert after.wins.sum() == 0
    assert after.battles == before.battles == 20


def test_both_right_and_both_wrong_are_no_win() -> None:
    assert [decide(*pair) for pair in ((True, False), (False, True))] == ["a", "b"]
    assert [decide(*pair) for pair in ((True, True), (False, False))] == ["tie", "both_bad"]


def test_ratings_agree_with_the_benchmark_they_come_from(measured: Path) -> None:
    run("arena", "play", "good", "fair", "poor", "--store", measured)
    found = rows("arena", "correlate", "--suite", "t", "--store", measured)
    assert [row["genre"] for row in found] == ["all genres", "reasoning", "math"]
    assert found[0]["spearman"] == pytest.approx(1.0)
    assert (found[0]["models"], found[0]["spearman_low"]) == (3, None)
    assert "Kendall" in run("arena", "correlate", "--suite", "t", "--store", measured)


def test_kinds_are_named_where_there_are_several(measured: Path, tmp_path: Path) -> None:
    log = tmp_path / "votes.csv"
    log.write_text("model_a,model_b,winner\ngood,poor,model_a\npoor,good,model_a\n")
    run("arena", "import", log, "--store", measured)
    run("arena", "play", "good", "fair", "poor", "--store", measured)
    with pytest.raises(HarnessError, match="several kinds"):
        run("arena", "matrix", "--store", measured)
    combined = rows("arena", "ratings", "--store", measured, "--kind", "all")
    assert sum(row["battles"] for row in combined) == 2 * 62
    assert {row["kind"] for row in combined} == {"import:votes+verifier"}
    apart = rows("arena", "ratings", "--store", measured)
    assert {row["kind"] for row in apart} == {"import:votes", "verifier"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ratings", "--kind", "judge"], "no battles of kind judge; there are import:votes"),
        (["ratings", "--style", "plain"], "style is known"),
        (["ratings", "--method", "elo", "--position"], "variants of Bradley-Terry"),
        (["ratings", "--method", "elo", "--prior", "1"], "neither --prior nor --anchor"),
        (["ratings", "--anchor", "nobody"], "nobody has no battles"),
        (["ratings", "--genre", "stem"], "no battles of that choice"),
        (["matrix", "--against", "nobody"], "nobody has no battles"),
        (["next", "--anchors", "a/1"], "name it too"),
        (["correlate", "--suite", "probes"], "no evaluation of probes"),
        (["play", "a/1", "b/1"], "no evaluations yet"),
        (["import", "nowhere.csv"], "no such file"),
    ],
)
def test_faults_are_one_sentence(voted: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(HarnessError) as raised:
        run("arena", *arguments, "--store", voted)
    assert words in str(raised.value)


def test_play_refuses_what_cannot_meet(measured: Path) -> None:
    with pytest.raises(HarnessError, match="takes two"):
        play(measured, ["good"], None)
    with pytest.raises(HarnessError, match="named twice"):
        play(measured, ["good", "good"], None)
    with pytest.raises(HarnessError, match="nobody"):
        play(measured, ["good", "nobody"], None)
    other = [replace(letter(n), answer="C") for n in range(50, 55)]
    checkpoint = replace(CHECKPOINT, name="elsewhere", fingerprint="e" * 64, run=None)
    evaluate(
        checkpoint,
        ShortAnswer("t"),
        other,
        store=measured,
        render=render,
        open_engine=ScriptedEngine,
    )
    with pytest.raises(HarnessError, match="no item with a strict score in common"):
        play(measured, ["good", "elsewhere"], None)


def test_ja_vicuna_in_both_orders_gives_an_adjusted_table(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    bench = ("battles", "ja-vicuna", "data", "jp_bench")
    run(
        *("arena", "import", shared(*bench, "model_judgment"), "--name", "ja-vicuna"),
        *("--questions", shared(*bench, "question.jsonl"), "--store", store),
    )
    reference = "openai--text-davinci-003"
    found = rows("arena", "matrix", "--against", reference, "--store", store)
    assert len(found) == 6
    # Counted by hand from the files: wins and losses are those that both orders agree on.
    for row in found:
        wins = losses = 0
        for file in shared(*bench, "model_judgment").rglob("*.jsonl"):
            for line in file.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                if row["model"] in (record["model_1"], record["model_2"]):
                    mine = "model_1" if record["model_1"] == row["model"] else "model_2"
                    if record["g1_winner"] == record["g2_winner"] != "tie":
                        wins += record["g1_winner"] == mine
                        losses += record["g1_winner"] != mine
        assert (row["wins"], row["losses"], row["battles"]) == (wins, losses, 80)
        assert row["adjusted_win_rate"] == pytest.approx((wins + (80 - wins - losses) / 2) / 80)
    ratings = rows("arena", "ratings", "--position", "--store", store, "--no-genres")
    bias = ratings[0]["terms"]["first position"]
    assert bias[1] < bias[0] < bias[2] < 0  # this judge leans towards the second answer
