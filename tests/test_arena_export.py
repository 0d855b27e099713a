"""Battles go from one store to another and are the same there; whole conversations come along."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arena.conversation import Ballot, Conversation, Reply, Turn, battle_of
from harness.arena.exchange import from_record, to_record
from harness.arena.logs import read_log
from harness.arena.types import ORDERS, OUTCOMES, Battle, Style
from harness.cli.main import harness
from harness.errors import HarnessError
from harness.store import battles, conversations, database
from harness.store.write import ingest

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
HELD = Conversation(
    id="A" * 22,
    session="0123456789abcdef",
    model_a="run/step_1000",
    model_b="other@host:8000",
    fingerprint_a="a" * 64,
    fingerprint_b="b" * 64,
    prompt="p",
    turns=(Turn("質問", Reply("# 答え", "stop", seed=1), Reply("答え", "length", seed=2)),),
    began_at=NOW,
    genre="writing",
    sampling={"temperature": 0.7},
    language="ja",
    answered_at=NOW + timedelta(seconds=5),
    ballot=Ballot("both_bad", ("natural",), (), "ひとこと"),
    voted_at=NOW + timedelta(seconds=17.5),
)

_styles = st.one_of(st.none(), st.builds(Style, *[st.floats(0, 1e6)] * 4))
_battles = st.builds(
    Battle,
    id=st.text(min_size=1, max_size=8),
    kind=st.sampled_from(["people", "judge", "verifier", "import:x"]),
    model_a=st.text(min_size=1, max_size=5),
    model_b=st.text(min_size=1, max_size=5),
    outcome=st.sampled_from(OUTCOMES),
    prompt=st.text(max_size=5),
    source=st.text(max_size=5),
    sequence=st.integers(0, 2**40),
    genre=st.text(max_size=5),
    item_hash=st.one_of(st.none(), st.text(max_size=5)),
    match=st.one_of(st.none(), st.text(max_size=5)),
    order=st.sampled_from(ORDERS),
    session=st.one_of(st.none(), st.text(max_size=5)),
    latency=st.one_of(st.none(), st.floats(0, 1e6)),
    time=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
    weight=st.floats(1e-3, 1e3),
    style_a=_styles,
    style_b=_styles,
)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(harness, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@given(_battles)
@settings(deadline=None)
def test_a_record_is_the_battle(battle: Battle) -> None:
    assert from_record(json.loads(json.dumps(to_record(battle)))) == battle


def test_exported_votes_are_imported_as_the_same_battles(tmp_path: Path) -> None:
    first, second = tmp_path / "first.duckdb", tmp_path / "second.duckdb"
    database.prepare(first)
    conversations.save(first, HELD)
    plain = Battle("x", "judge", "m1", "m2", "a", "q", "s", 3, match="both", weight=2.0)
    battles.add(first, [plain])
    votes = tmp_path / "votes.jsonl"
    assert "1 battles" in run("arena", "export", "-o", votes, "--store", first)
    said = run("arena", "import", votes, "--store", second)
    assert "1 battles of kind people, 1 of them new" in said
    assert battles.listed(second) == battles.listed(first, ("people",)) == [battle_of(HELD)]
    assert "0 of them new" in run("arena", "import", votes, "--store", second)
    assert "0 of them new" in run("arena", "import", votes, "--store", first)
    run("arena", "export", "--kind", "all", "-o", votes, "--store", first)
    said = run("arena", "import", votes, "--store", second)
    assert "2 battles of kind judge, people, 1 of them new" in said
    assert battles.listed(second) == battles.listed(first)
    # Under a name they are others' battles.
    run("arena", "import", votes, "--name", "team-b", "--store", second)
    named = battles.listed(second, ("import:team-b",))
    assert {replace(one, kind="", id="") for one in named} == {
        replace(one, kind="", id="") for one in battles.listed(first)
    }


def test_whole_conversations_are_exported(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    database.prepare(store)
    conversations.save(store, HELD)
    conversations.save(store, replace(HELD, id="B" * 22, ballot=None, voted_at=None))
    ingest(store)
    assert next(iter(conversations.conversations(store))) == HELD
    lines = run("arena", "export", "--conversations", "--store", store).splitlines()
    voted, open_ = map(json.loads, lines)
    assert (voted["state"], open_["state"]) == ("voted", "answered")
    assert voted["turns"][0]["b"]["text"] == "答え"
    assert voted["ballot"] == {
        "outcome": "both_bad",
        "tags_a": ["natural"],
        "tags_b": [],
        "comment": "ひとこと",
    }
    assert (voted["latency"], open_["latency"]) == (12.5, None)


def test_what_is_no_battle_of_ours_is_named(tmp_path: Path) -> None:
    good = to_record(battle_of(HELD))
    lines = [
        good | {"harness_battle": 2},
        good | {"winner": "c"},
        {key: value for key, value in good.items() if key != "id"},
        good | {"time": "2026-05-01T09:30:00"},
        good | {"model_b": good["model_a"]},
        good | {"kind": "nobody"},
        good,
    ]
    log = tmp_path / "x.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(HarnessError) as caught:
        read_log(log)
    message = str(caught.value)
    for number, words in enumerate(
        (
            "upgrade harness",
            "winner",
            "missing required field `id`",
            "zone",
            "meets itself",
            "kind",
        ),
        1,
    ):
        assert f"{log}:{number}: " in message
        assert words in message
    assert f"{log}:7" not in message


def test_an_export_of_nothing_says_what_there_is(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    battles.add(store, [Battle("x", "judge", "m1", "m2", "a", "q", "s", 3)])
    with pytest.raises(HarnessError, match="judge"):
        CliRunner().invoke(
            harness, ["arena", "export", "--store", str(store)], catch_exceptions=False
        )
