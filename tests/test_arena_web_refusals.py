"""What the voting page refuses: votes twice, early or of others, forms that are forged or replayed,
other hosts, and whoever is too fast or too long."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("openai")


from harness.store import conversations
from harness.voting.app import Settings
from harness.voting.rates import Rate
from harness.voting.stage import Terms
from tests.arena_models import ModelServer
from tests.arena_site import HOME, Visitor, field, rows, session_of, site, two_models


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with two_models() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "results.duckdb"


def test_a_vote_is_cast_once_however_many_come_at_once(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        ticket = field(visitor.wait(path), "ticket")
        with ThreadPoolExecutor(20) as pool:
            replies = list(
                pool.map(
                    lambda n: (
                        visitor.post(
                            f"{path}/vote", {"ticket": ticket, "vote": ("a", "b")[n % 2]}
                        ).status_code
                    ),
                    range(20),
                )
            )
        assert sorted(replies) == [303, *[409] * 19]
        # Replayed later, it is still refused.
        again = visitor.post(f"{path}/vote", {"ticket": ticket, "vote": "b"})
        assert again.status_code == 409
        assert "すでに投票しました" in again.text
    assert rows(store, "SELECT count(*) FROM battles") == [(1,)]


def test_no_vote_before_both_answers_have_ended(models: ModelServer, store: Path) -> None:
    models.gate.clear()
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        page = client.get(path).text
        assert "ticket" not in page
        # Even with the right ticket, which only a look at another state would give away.
        session = session_of(client)
        early = visitor.post(
            f"{path}/vote", {"ticket": session.ticket(path.split("/")[-1]), "vote": "a"}
        )
        assert early.status_code == 409
        assert "終わっていません" in early.text
        models.gate.set()
        visitor.wait(path)
        assert visitor.vote(path).status_code == 303


def test_a_battle_is_there_for_its_own_session_alone(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        page = visitor.wait(path)
        mine = client.cookies["arena"]
        client.cookies.clear()
        client.get("/")
        assert client.cookies["arena"] != mine
        assert client.get(path).status_code == 404
        assert client.get(f"{path}/events").status_code == 404
        for ticket in (field(page, "ticket"), session_of(client).ticket(path.split("/")[-1])):
            stolen = visitor.post(f"{path}/vote", {"ticket": ticket, "vote": "a"})
            assert stolen.status_code == 404
        for unseen in ("/battle/AAAAAAAAAAAAAAAAAAAAAA", "/battle/x", "/battle/..%2f"):
            assert client.get(unseen).status_code == 404
            assert visitor.post(f"{unseen}/vote", {"vote": "a"}).status_code == 404


def test_forms_without_our_ticket_are_refused(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        first, second = visitor.start("一つ目"), visitor.start("二つ目")
        other = field(visitor.wait(first), "ticket")
        visitor.wait(second)
        for ticket in ({}, {"ticket": ""}, {"ticket": "0" * 64}, {"ticket": other}):
            reply = visitor.post(f"{second}/vote", {"vote": "a"} | ticket)
            assert reply.status_code == 403
            turn = {"number": "2", "prompt": "続き"} | ticket
            assert visitor.post(f"{second}/turn", turn).status_code == 403
        page = client.get("/").text
        begun = {"id": field(page, "id"), "ticket": "f" * 64, "prompt": "x"}
        assert visitor.post("/battle", begun).status_code == 403
        # A ticket for one new battle is none for another.
        begun = {"id": "B" * 22, "ticket": field(page, "ticket"), "prompt": "x"}
        assert visitor.post("/battle", begun).status_code == 403
        assert visitor.post("/battle", begun | {"id": "../../x"}).status_code == 403
    assert rows(store, "SELECT count(*) FROM battles") == [(0,)]


def test_replayed_forms_are_refused(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        visitor = Visitor(client)
        page = client.get("/").text
        begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": "x"}
        path = visitor.post("/battle", begun).headers["location"]
        assert visitor.post("/battle", begun).status_code == 409
        asked = {"ticket": field(visitor.wait(path), "ticket"), "number": "2", "prompt": "続き"}
        assert visitor.post(f"{path}/turn", asked).status_code == 303
        visitor.wait(path)
        assert visitor.post(f"{path}/turn", asked).status_code == 409
        assert visitor.post(f"{path}/turn", asked | {"number": "4"}).status_code == 409
        assert visitor.post(f"{path}/turn", asked | {"number": "²"}).status_code == 409
    assert len(models.bodies) == 4
    assert len(list(conversations.conversations(store))) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://127.0.0.1"}, 403),
        ({"origin": "http://127.0.0.1:81"}, 403),
        ({}, 403),
        ({"referer": "http://evil.example/127.0.0.1"}, 403),
        ({"origin": HOME, "sec-fetch-site": "cross-site"}, 403),
        ({"origin": HOME, "sec-fetch-site": "same-site"}, 403),
        ({"origin": HOME, "sec-fetch-site": "same-origin"}, 303),
        ({"referer": f"{HOME}/"}, 303),
        ({"sec-fetch-site": "same-origin"}, 303),
    ],
)
def test_forms_come_from_our_own_pages(
    models: ModelServer, store: Path, headers: dict[str, str], status: int
) -> None:
    with site(models, store) as (client, _):
        page = client.get("/").text
        begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": "x"}
        assert client.post("/battle", data=begun, headers=headers).status_code == status


def test_other_hosts_and_methods_are_not_served(models: ModelServer, store: Path) -> None:
    with site(models, store, settings=Settings(hosts=("127.0.0.1", "arena.team"))) as (client, _):
        for host, status in (
            ("evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("", 421),
            ("[", 421),
            ("127.0.0.1:8420", 200),
            ("ARENA.team", 200),
        ):
            assert client.get("/", headers={"host": host}).status_code == status
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert client.request(method, "/", headers={"origin": HOME}).status_code == 405
        assert client.get("/battle").status_code == 405
        assert client.get("/nowhere").status_code == 404
        assert client.get("//evil.example/x").status_code == 404
        assert "evil.example" not in client.get("//evil.example/x").text


def test_every_reply_carries_the_headers(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        path = Visitor(client).start()
        for place in ("/", path, "/board", "/login", "/x", "/static/arena.js", "/static/../app.py"):
            reply = client.get(place)
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["x-frame-options"] == "DENY"
            assert reply.headers["cache-control"] == "no-store"
        refused = client.get("/", headers={"host": "evil.example"})
        assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]
        page = client.get("/").text
        assert "<script>" not in page
        assert "style=" not in page


def test_members_alone_come_in_where_a_token_is_wanted(models: ModelServer, store: Path) -> None:
    token = "sakura-0123456789"
    with site(models, store, settings=Settings(token=token)) as (client, _):
        visitor = Visitor(client)
        for place in ("/", "/board", "/battle/AAAAAAAAAAAAAAAAAAAAAA"):
            assert client.get(place).headers["location"] == "/login"
        assert visitor.post("/battle", {"prompt": "x"}).status_code == 403
        ticket = field(client.get("/login").text, "ticket")
        before = client.cookies["arena"]
        assert visitor.post("/login", {"token": token}).status_code == 403  # no ticket
        assert visitor.post("/login", {"ticket": ticket, "token": "x"}).status_code == 403
        assert visitor.post("/login", {"ticket": ticket, "token": "日本"}).status_code == 403
        entered = visitor.post("/login", {"ticket": ticket, "token": token})
        assert entered.headers["location"] == "/"
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        # A new session: the visitor's cookie is worth nothing.
        mine = client.cookies["arena"]
        assert mine.split(".")[1] != before.split(".")[1]
        path = visitor.start()
        visitor.wait(path)
        assert visitor.vote(path).status_code == 303
        for forged in (before.replace("v.", "m.", 1), mine[:-1] + "x", "m.x.y", mine.split(".")[1]):
            client.cookies.clear()
            client.cookies.set("arena", forged)
            assert client.get("/").headers.get("location") == "/login"
    with site(models, store, settings=Settings(token="another-token-1")) as (client, _):
        client.cookies.set("arena", mine)
        assert client.get("/").headers.get("location") == "/login"


def test_guessing_the_token_is_slow(models: ModelServer, store: Path) -> None:
    settings = Settings(token="sakura-0123456789", logins=Rate(3, 6))
    with site(models, store, settings=settings) as (client, _):
        visitor = Visitor(client)
        ticket = field(client.get("/login").text, "ticket")
        tries = [visitor.post("/login", {"ticket": ticket, "token": "x"}) for _ in range(5)]
        assert [reply.status_code for reply in tries] == [403, 403, 403, 429, 429]


def test_who_is_too_fast_waits(models: ModelServer, store: Path) -> None:
    settings = Settings(asks=Rate(2, 6))
    with site(models, store, settings=settings, terms=Terms(most_answering_each=9)) as (client, _):
        visitor = Visitor(client)
        visitor.start(), visitor.start()
        page = client.get("/").text
        begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": "x"}
        reply = visitor.post("/battle", begun)
        assert reply.status_code == 429
        assert 1 <= int(reply.headers["retry-after"]) <= 10
    with site(models, store, settings=Settings(requests=Rate(3, 60))) as (client, _):
        assert [client.get("/").status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def test_no_more_battles_than_there_is_room_for(models: ModelServer, store: Path) -> None:
    models.gate.clear()
    with site(models, store, terms=Terms(most_answering_each=1)) as (client, _):
        visitor = Visitor(client)
        path = visitor.start()
        page = client.get("/").text
        begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": "x"}
        assert visitor.post("/battle", begun).status_code == 503
        models.gate.set()
        visitor.wait(path)
        assert visitor.post("/battle", begun).status_code == 303


def test_what_is_too_long_or_malformed_is_refused(models: ModelServer, store: Path) -> None:
    terms = Terms(most_turns=2, most_characters=50)
    with site(models, store, terms=terms) as (client, _):
        visitor = Visitor(client)

        def begin(prompt: str) -> int:
            page = client.get("/").text
            begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": prompt}
            return int(visitor.post("/battle", begun).status_code)

        assert [begin(text) for text in ("", " \r\n", "あ" * 51, "あ" * 9000)] == [
            400,
            400,
            413,
            413,
        ]
        path = visitor.start("あ" * 50)
        ticket = field(visitor.wait(path), "ticket")
        long = {"ticket": ticket, "number": "2", "prompt": "あ" * 51}
        assert visitor.post(f"{path}/turn", long).status_code == 413
        assert visitor.post(f"{path}/turn", long | {"prompt": "続き"}).status_code == 303
        page = visitor.wait(path)
        assert "続けて質問する" not in page
        third = {"ticket": ticket, "number": "3", "prompt": "まだ"}
        assert visitor.post(f"{path}/turn", third).status_code == 409
        for ballot in ({"vote": "c"}, {}, {"vote": "a", "tag_a": "nice"}):
            assert visitor.post(f"{path}/vote", {"ticket": ticket} | ballot).status_code == 400
        body = {"ticket": ticket, "vote": "a"}
        headers = {"origin": HOME}
        reply = client.post(f"{path}/vote", json=body, headers=headers)
        assert reply.status_code == 415
        many = {f"x{n}": "1" for n in range(50)}
        assert visitor.post(f"{path}/vote", body | many).status_code == 400
        assert visitor.vote(path, "both_bad").status_code == 303
    assert rows(store, "SELECT outcome FROM battles") == [("both_bad",)]


def test_a_link_from_elsewhere_keeps_the_session(models: ModelServer, store: Path) -> None:
    with site(models, store) as (client, _):
        # The browser leaves the cookie out of a navigation from another site.
        reply = client.get("/", headers={"sec-fetch-site": "cross-site"})
        assert "set-cookie" not in reply.headers
        assert 'http-equiv="refresh"' in reply.text
