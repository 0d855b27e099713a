"""Killing the server loses no vote, and a battle that was answered can still be voted on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("openai")

import httpx

from harness.store import conversations
from harness.store.write import ingest
from tests.arena_site import field, launch, rows, two_models


def answered(client: httpx.Client) -> str:
    """A battle whose answers have ended."""
    page = client.get("/").text
    begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": "春の手紙"}
    path: str = client.post("/battle", data=begun).headers["location"]
    with client.stream("GET", f"{path}/events") as events:
        assert '"state": "answered"' in "".join(events.iter_text())
    return path


def vote(client: httpx.Client, path: str, outcome: str) -> int:
    ballot = {"ticket": field(client.get(path).text, "ticket"), "vote": outcome}
    return client.post(f"{path}/vote", data=ballot).status_code


def test_a_killed_server_has_lost_no_vote(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    with two_models() as models:
        process, url = launch(models, store)
        with httpx.Client(base_url=url, headers={"origin": url}, timeout=60) as client:
            paths = [answered(client) for _ in range(5)]
            models.gate.clear()
            page = client.get("/").text
            begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": "途中"}
            broken = client.post("/battle", data=begun).headers["location"]
            assert [vote(client, path, "b") for path in paths[:4]] == [303] * 4
            process.kill()
            process.wait(10)
            cookie = client.cookies["arena"]
        models.gate.set()
        ingest(store)
        states = Counter(one.state for one in conversations.conversations(store))
        assert states == {"voted": 4, "answered": 1, "answering": 1}
        assert rows(store, "SELECT outcome, count(*) FROM battles GROUP BY ALL") == [("b", 4)]

        process, url = launch(models, store)
        try:
            with httpx.Client(
                base_url=url, headers={"origin": url}, timeout=60, cookies={"arena": cookie}
            ) as client:
                assert vote(client, paths[4], "tie") == 303
                assert 'data-state="failed"' in client.get(broken).text
                assert 'data-state="voted"' in client.get(paths[0]).text
        finally:
            process.terminate()
            assert process.wait(30) == 0
    assert rows(store, "SELECT outcome, count(*) FROM battles GROUP BY ALL ORDER BY ALL") == [
        ("b", 4),
        ("tie", 1),
    ]
