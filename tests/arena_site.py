"""The voting page over models of a test's own making, and a visitor who fills in its forms."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from harness.checkpoint import discover
from harness.store.database import connect
from harness.voting.app import Settings
from harness.voting.draw import Pool, open_pool
from harness.voting.serve import build, make_speakers
from harness.voting.sessions import Session, from_cookie
from harness.voting.stage import Stage, Terms
from tests.arena_models import ModelServer, model_server

_pool: Callable[[tuple[str, ...]], Pool] = lru_cache(open_pool)
HOME = "http://127.0.0.1"


NAMES = ("akane-model", "midori-model")


@contextmanager
def two_models() -> Iterator[ModelServer]:
    """Two that can be told apart by what they say; the second says how many messages it got."""
    say = {
        NAMES[0]: lambda messages: f"# 赤\n\n**{messages[-1]['content']}** への回答です。",
        NAMES[1]: lambda messages: f"- 緑の{len(messages)}つ目の回答です。",
    }
    with model_server(**say) as server:
        yield server


@contextmanager
def site(
    models: ModelServer,
    store: Path,
    *,
    terms: Terms | None = None,
    settings: Settings | None = None,
    items: tuple[str, ...] = ("mt-bench-ja",),
) -> Iterator[tuple[TestClient, Stage]]:
    found = [discover(models.target(name))[0] for name in models.say]
    speakers = make_speakers(found, "auto")
    app, stage = build(speakers, _pool(items), store, terms or Terms(), settings or Settings())
    with TestClient(app, base_url=HOME, follow_redirects=False) as client:
        yield client, stage


def launch(models: ModelServer, store: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """`harness arena serve` in a process of its own, and its URL."""
    targets = [models.target(name) for name in models.say]
    command = [sys.executable, "-m", "harness", "arena", "serve", *targets, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--store", str(store), *options],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found, "the server did not start"
    return process, found[0].rstrip("/")


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name} in the page"
    return found[1]


class Visitor:
    """A browser as far as forms go: it sends along the origin and what hidden fields hold."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def post(self, path: str, fields: dict[str, Any], **headers: str) -> Any:
        return self.client.post(path, data=fields, headers={"origin": HOME} | headers)

    def start(self, prompt: str = "春の手紙を書いてください。", **fields: str) -> str:
        """Begins a battle; returns its path."""
        page = self.client.get("/").text
        begun = {"id": field(page, "id"), "ticket": field(page, "ticket"), "prompt": prompt}
        reply = self.post("/battle", begun | fields)
        assert reply.status_code == 303, reply.text
        return str(reply.headers["location"])

    def wait(self, path: str, state: str = "answered") -> str:
        """The page of a battle once it is in this state."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            page = self.client.get(path).text
            if f'data-state="{state}"' in page:
                return page
            time.sleep(0.02)
        raise AssertionError(f"{path} never was {state}: {page}")

    def vote(self, path: str, outcome: str = "a", **fields: Any) -> Any:
        page = self.client.get(path).text
        given = {"ticket": field(page, "ticket"), "vote": outcome} | fields
        return self.post(f"{path}/vote", given)


def session_of(client: TestClient) -> Session:
    """What the server makes of the visitor's cookie: for tests that forge forms."""
    found = from_cookie(client.cookies["arena"], None)
    assert found is not None
    return found


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    with connect(store, read_only=True) as connection:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found
