"""The voting page from its forms' point of view: a battle from prompt to record, and what
faults do to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("openai")

from starlette.testclient import TestClient

from harness.arena.conversation import Conversation
from harness.checkpoint import discover
from harness.engines.types import Sampling
from harness.errors import HarnessError
from harness.items.load import find_evalset, load_evalset
from harness.store import conversations
from harness.voting.app import Settings
from harness.voting.draw import Pool
from harness.voting.serve import build, make_speakers
from harness.voting.stage import Terms
from tests.arena_models import ModelServer
from tests.arena_site import HOME, NAMES, Visitor, field, rows, session_of, site, two_models


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with two_models() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.duckdb"


def test_a_battle_over_two_turns_is_in_the_store_as_it_was_held(
    models: ModelServer, store: Path
) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start("夏の俳句を詠んでください。", genre="writing")
        page = visitor.wait(path)
        asked = {"ticket": field(page, "ticket"), "number": "2", "prompt": "冬も。\r\nどうぞ"}
        assert visitor.post(f"{path}/turn", asked).headers["location"] == f"{path}#latest"
        page = visitor.wait(path)
        assert page.count('class="turn"') == 2
        voted = visitor.vote(
            path, "b", tag_a="natural", tag_b=["helpful", "correct"], comment="よい"
        )
        assert (voted.status_code, voted.headers["location"]) == (303, path)
        page = client.get(path).text
        assert all(name in page for name in NAMES)
    (held,) = conversations.conversations(store)
    assert [turn.prompt for turn in held.turns] == ["夏の俳句を詠んでください。", "冬も。\nどうぞ"]
    assert held.ballot is not None
    assert (held.ballot.tags_a, held.ballot.tags_b) == (("natural",), ("correct", "helpful"))
    assert (held.ballot.comment, held.genre, held.language) == ("よい", "writing", "ja")
    red = "a" if held.model_a.startswith("akane") else "b"
    reply = held.turns[1].reply(red)  # type: ignore[arg-type]
    assert reply is not None
    assert reply.text == "# 赤\n\n**冬も。\nどうぞ** への回答です。"
    # The second turn's prompt carried the model's own first answer.
    bodies = [body for body in models.bodies if len(body["messages"]) == 3]
    assert {body["model"] for body in bodies} == set(NAMES)
    for body in bodies:
        assert ("赤" in body["messages"][1]["content"]) == (body["model"] == "akane-model")
    (row,) = rows(
        store,
        "SELECT kind, model_a, model_b, outcome, first, genre, item_hash, latency, session, "
        "prompt, style_a[1] > 0, time IS NOT NULL, source FROM battles",
    )
    assert row[:7] == ("people", held.model_a, held.model_b, "b", "a", "writing", None)
    assert row[7] == held.latency
    assert row[7] > 0
    assert row[8:] == (held.session, held.prompt, True, True, held.id)


def test_an_item_is_asked_as_it_stands_and_its_next_turn_is_at_hand(
    models: ModelServer, store: Path
) -> None:
    with site(models, store) as (client, _):
        page = client.get("/?suite=mt-bench-ja&genre=math").text
        chosen = field(page, "item")
        items = load_evalset(find_evalset("mt-bench-ja")).items
        item = next(one for one in items if one.hash == chosen)
        assert item.genre == "math"
        visitor = Visitor(client)
        # What a visitor writes beside an item is not asked.
        path = visitor.start("別の質問", item=chosen)
        page = visitor.wait(path)
        assert item.turns[0].split("。")[0] in page
        following = re.search(r'<textarea id="more"[^>]*>([^<]*)', page)
        assert following
        assert following[1].startswith(item.turns[1][:10])
        visitor.vote(path, "tie")
    assert rows(store, "SELECT genre, item_hash, prompt, outcome FROM battles") == [
        ("math", item.hash, item.cluster or item.hash, "tie")
    ]
    assert {body["messages"][0]["content"] for body in models.bodies} == {item.turns[0]}


def test_names_are_nowhere_before_the_vote(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start("こんにちは")
        with client.stream("GET", f"{path}/events") as stream:
            seen = stream.read().decode() + str(stream.headers)
        page = visitor.wait(path)
        reply = client.get(path)
        seen += page + str(reply.headers)
        assert '"state": "answered"' in seen
        for secret in (*NAMES, "akane", "midori", models.url, str(models.server_address[1])):
            assert secret not in seen
        visitor.vote(path)
        assert all(name in client.get(path).text for name in NAMES)


@pytest.mark.parametrize("fault", ["breaks", "refuses"])
def test_a_model_that_fails_ends_the_battle_in_plain_words(
    models: ModelServer, store: Path, fault: str
) -> None:
    getattr(models, fault).add("midori-model")
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        page = visitor.wait(path, "failed")
        assert "この対戦は続けられません" in page
        assert "別の対戦を始める" in page
        assert not any(name in page for name in NAMES)
        ticket = session_of(client).ticket(path.split("/")[-1])
        for outcome in ("a", "b", "tie", "both_bad"):
            refused = visitor.post(f"{path}/vote", {"ticket": ticket, "vote": outcome})
            assert refused.status_code == 409
        asked = {"ticket": ticket, "number": "2", "prompt": "続き"}
        assert visitor.post(f"{path}/turn", asked).status_code == 409
    assert rows(store, "SELECT count(*) FROM battles") == [(0,)]
    (held,) = conversations.conversations(store)
    assert held.state == "failed"
    replies = [reply for reply in (held.turns[0].a, held.turns[0].b) if reply is not None]
    assert any(reply.error for reply in replies)


def test_an_answer_without_end_fails(models: ModelServer, store: Path) -> None:
    models.gate.clear()
    with site(models, store, terms=Terms(seconds=0.2)) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        visitor.wait(path, "failed")
    (held,) = conversations.conversations(store)
    assert held.turns[0].a is not None
    assert "no end after 0.2 s" in str(held.turns[0])


def test_a_voter_goes_on_after_the_server_was_started_again(
    models: ModelServer, store: Path
) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        visitor.wait(path)
        cookie = client.cookies["arena"]
        models.gate.clear()
        broken = visitor.start("途中で止まる")
    models.gate.set()
    with site(models, store) as (client, _):
        client.cookies.set("arena", cookie)
        visitor = Visitor(client)
        assert visitor.vote(path, "b").status_code == 303
        visitor.wait(broken, "failed")
    assert rows(store, "SELECT outcome FROM battles") == [("b",)]


def test_a_vote_that_could_not_be_saved_can_be_cast_again(
    models: ModelServer, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        visitor.wait(path)
        saving = conversations.save

        def full(*_: object) -> None:
            raise HarnessError("no space left on device")

        monkeypatch.setattr(conversations, "save", full)
        refused = visitor.vote(path)
        assert refused.status_code == 503
        assert "no space" not in refused.text
        monkeypatch.setattr(conversations, "save", saving)
        assert visitor.vote(path).status_code == 303
    assert rows(store, "SELECT outcome FROM battles") == [("a",)]


def test_both_models_are_asked_alike(models: ModelServer, store: Path) -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=77)
    with site(models, store, terms=Terms(sampling=sampling)) as (client, _):
        visitor = Visitor(client)
        visitor.wait(visitor.start())
    first, second = models.bodies
    for name in ("temperature", "top_p", "max_tokens", "messages", "stream"):
        assert first[name] == second[name]
    assert (first["temperature"], first["max_tokens"], first["stream"]) == (0.5, 77, True)
    (held,) = conversations.conversations(store)
    seeds = {reply.seed for reply in (held.turns[0].a, held.turns[0].b) if reply}
    assert seeds == {first["seed"], second["seed"]}
    assert held.sampling["top_p"] == 0.9


def test_the_page_speaks_japanese_and_english(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        assert '<html lang="ja">' in client.get("/").text
        english = client.get("/", headers={"accept-language": "fr, en;q=0.8, ja;q=0.2"}).text
        assert '<html lang="en">' in english
        assert "Ask two models" in english
        assert '<html lang="en">' in client.get("/?lang=en").text
        assert '<html lang="en">' in client.get("/board").text  # remembered
        assert '<html lang="ja">' in client.get("/?lang=ja").text
        assert client.get("/?lang=xx").status_code == 200


def hold(store: Path, targets: Sequence[str]) -> Conversation:
    """A battle over two turns between two checkpoints."""
    speakers = make_speakers([discover(one)[0] for one in targets], "transformers")
    terms = Terms(sampling=Sampling(temperature=0.7, max_tokens=24))
    app, _ = build(speakers, Pool({}), store, terms, Settings())
    with TestClient(app, base_url=HOME, follow_redirects=False) as client:
        visitor = Visitor(client)
        path = visitor.start("日本の文章")
        with client.stream("GET", f"{path}/events") as stream:
            events = stream.read().decode()
        page = visitor.wait(path)
        asked = {"ticket": field(page, "ticket"), "number": "2", "prompt": "世界の文章"}
        assert visitor.post(f"{path}/turn", asked).status_code == 303
        with client.stream("GET", f"{path}/events") as stream:
            stream.read()
        visitor.wait(path)
        assert visitor.vote(path, "tie").status_code == 303
    assert all(f'{{"side": "{side}", "from": 0, "text": ' in events for side in ("a", "b"))
    (held,) = conversations.conversations(store)
    assert {held.model_a, held.model_b} == {one.name for one in speakers}
    return held


def test_a_local_checkpoint_answers_through_its_own_engine(
    models: ModelServer, tiny_checkpoint: Path, store: Path
) -> None:
    """Real weights, rendered by their own chat template."""
    held = hold(store, [str(tiny_checkpoint), models.target(NAMES[0])])
    for turn in held.turns:
        reply = turn.a if held.model_a == tiny_checkpoint.name else turn.b
        assert reply is not None
        assert reply.tokens > 0
        assert reply.finish_reason in ("stop", "length")


@pytest.mark.slow
def test_two_local_checkpoints_answer_side_by_side(
    tiny_checkpoint: Path, tiny_base_checkpoint: Path, store: Path
) -> None:
    held = hold(store, [str(tiny_checkpoint), str(tiny_base_checkpoint)])
    for turn in held.turns:
        assert turn.a is not None
        assert turn.b is not None
        assert min(turn.a.tokens, turn.b.tokens) > 0
