"""`harness judge calibrate` over real HTTP: a judge with known habits gets the card it deserves."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from tests.judge_server import JudgeServer, judge_server
from tests.test_mt_bench_cli import board, done, evalset, judged_by

__all__ = ["evalset"]


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        yield running


@pytest.fixture
def evaluated(server: JudgeServer, evalset: Path, tmp_path: Path) -> Path:
    """A store with the answers of two models."""
    store = tmp_path / "r.duckdb"
    for model in ("model-1", "judge-1"):
        target = f"openai:{server.url}#{model}"
        done(["eval", target, "--suite", str(evalset), "--store", str(store), "--quiet"])
    return store


def calibrated(server: JudgeServer, store: Path, *more: str) -> dict[str, Any]:
    ids = [row["evaluation"] for row in board(store)]
    arguments = ["judge", "calibrate", *dict.fromkeys(ids), *judged_by(server)]
    result = CliRunner().invoke(harness, [*arguments, *more, "--store", str(store), "--json"])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    card: dict[str, Any] = json.loads(result.stdout)
    return card


def test_a_judge_that_prefers_the_first_place_and_never_wavers(
    server: JudgeServer, evaluated: Path, tmp_path: Path
) -> None:
    def reply(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        if "verdict" in json.dumps(body["response_format"]["json_schema"]["schema"]):
            return "判定：[[A]]"
        return f"理由です。\n評価：[[{1 + zlib.crc32(text.encode()) % 9}]]"

    server.reply = reply
    page = tmp_path / "card.md"
    card = calibrated(server, evaluated, "--judge-repeats", "3", "--card", str(page))
    assert card["judge"] == "judge-1"
    assert card["failure_rate"] == 0
    assert card["ratings"] == 2 * 32 * 3  # a rule's turns too
    assert card["consistency"]["exact"]["mean"] == 1.0
    assert card["consistency"]["sd"] == 0
    assert card["position"]["first_advantage"]["mean"] == 1.0
    assert card["position"]["changed"]["mean"] == 1.0
    assert "advantage of the first place" in page.read_text(encoding="utf-8")
    # The same again costs nothing.
    paid = sum(server.paid.values())
    assert calibrated(server, evaluated, "--judge-repeats", "3") == card
    assert sum(server.paid.values()) == paid


def test_agreement_with_another_judge_and_with_humans(
    server: JudgeServer, evaluated: Path, tmp_path: Path
) -> None:
    server.reply = lambda body: (
        f"理由です。\n評価：[[{1 + zlib.crc32(str(body['messages']).encode()) % 9}]]"
    )
    calibrated(server, evaluated, "--no-pairs")
    mean = {row["name"]: row for row in board(evaluated) if row["judge"] == "judge-1"}
    assert len(mean) == 2
    name = next(iter(mean))
    shown = ["show", mean[name]["evaluation"], "--store", str(evaluated), "--json"]
    rows = [
        {"checkpoint": name, "item": one["item"], "turn": one["turn"] + 1, "rating": rating}
        for one in json.loads(done(shown))
        for rating in [one["judgments"][0]["rating"]]
    ]
    humans = tmp_path / "humans.jsonl"
    humans.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    card = calibrated(
        server, evaluated, "--no-pairs", "--humans", str(humans), "--against", "judge-1"
    )
    assert set(card["agreement"]) == {"humans", "judge-1"}
    assert card["agreement"]["humans"]["exact"]["value"] == 1.0
    assert card["agreement"]["judge-1"]["weighted_kappa"]["value"] == pytest.approx(1.0)
    # Humans rate half of the items two points lower than the judge: so they would the others.
    items = sorted({row["item"] for row in rows})[::2]
    lower = [row | {"rating": row["rating"] - 2} for row in rows if row["item"] in items]
    humans.write_text("\n".join(map(json.dumps, lower)), encoding="utf-8")
    card = calibrated(server, evaluated, "--no-pairs", "--humans", str(humans))
    (corrected,) = card["corrected"].values()
    assert set(card["corrected"]) == {name}
    assert corrected["low"] < corrected["judge_mean"] - 2 < corrected["high"]
    assert corrected["high"] < corrected["judge_mean"]
    humans.write_text(json.dumps(rows[0] | {"item": "none"}), encoding="utf-8")
    ids = [row["evaluation"] for row in board(evaluated)]
    arguments = ["judge", "calibrate", ids[0], *judged_by(server), "--store", str(evaluated)]
    result = CliRunner().invoke(harness, [*arguments, "--humans", str(humans)])
    assert "humans.jsonl:1: no judged answer" in str(result.exception)
    result = CliRunner().invoke(harness, [*arguments, "--against", "nobody"])
    assert "has rated none of these answers" in str(result.exception)


def test_the_canary_tells_a_changed_judge_from_one_that_held(
    server: JudgeServer, tmp_path: Path
) -> None:
    store = tmp_path / "r.duckdb"

    def rate(lift: int) -> None:
        def reply(body: dict[str, Any]) -> str:
            text = body["messages"][-1]["content"]
            return f"理由です。\n評価：[[{2 + lift + zlib.crc32(text.encode()) % 5}]]"

        server.reply = reply

    arguments = ["judge", "canary", *judged_by(server), "--store", str(store)]
    rate(0)
    assert "nothing to compare with yet" in done(arguments)
    frozen = sum(server.paid.values())
    assert "canary 2: the judge has held, +0.00 points" in done(arguments)
    assert sum(server.paid.values()) == 2 * frozen  # asked anew: the cache would hide a change
    rate(2)
    assert "canary 3: the judge has drifted, +2.00 points" in done(arguments)


def test_an_evaluation_runs_the_canary_only_when_the_judge_is_asked(
    server: JudgeServer,
    evalset: Path,
    tmp_path: Path,
) -> None:
    store = tmp_path / "r.duckdb"
    target = f"openai:{server.url}#model-1"
    arguments = ["eval", target, "--suite", str(evalset), "--store", str(store), *judged_by(server)]
    assert "canary 1: " in done(arguments)
    assert "canary" not in done(arguments)
    assert [row["judgments"] for row in board(store)] == [30]  # frozen answers are on no board
