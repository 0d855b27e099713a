"""Runs the page: models, items and settings put together behind uvicorn, until a signal ends it."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from harness.checkpoint import Checkpoint
from harness.engines.prompt import load_renderer, render_served
from harness.engines.select import EngineName, open_engine
from harness.engines.types import Engine
from harness.errors import HarnessError
from harness.evaluation_rows import checkpoint_row
from harness.store import database, write
from harness.voting.app import Settings, make_app
from harness.voting.draw import Pool
from harness.voting.guard import LOOPBACK
from harness.voting.speakers import Speaker
from harness.voting.stage import Stage, Terms

# A shorter token could be guessed by whoever got hold of a signed cookie.
SHORTEST_TOKEN = 12
# Seconds that requests in flight get to end after a signal.
GRACE = 10


@dataclass(frozen=True)
class Place:
    """Where the page is served.

    host, port   address to bind; port 0 takes a free one
    names        further names that it is reached by
    proxy        address of a reverse proxy whose X-Forwarded headers are believed
    open_door    serve everybody on an address that others reach, without a token
    """

    host: str = "127.0.0.1"
    port: int = 8420
    names: tuple[str, ...] = ()
    proxy: str | None = None
    open_door: bool = False


def check_place(place: Place, token: str | None) -> None:
    """Raises HarnessError for an address that others reach where no token is wanted, or a token
    that is too short."""
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise HarnessError(
            f"the token has {len(token)} characters, expected {SHORTEST_TOKEN} or more; "
            "`openssl rand -hex 16` makes one"
        )
    reached = not _is_loopback(place.host) or place.names or place.proxy
    if reached and token is None and not place.open_door:
        raise HarnessError(
            f"{place.host} may be reached by others, and no token is wanted: set --token (or "
            "HARNESS_ARENA_TOKEN), or --no-token to let everybody vote"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def make_speakers(checkpoints: Sequence[Checkpoint], engine: EngineName) -> list[Speaker]:
    """A speaker of each checkpoint.

    Raises HarnessError for fewer than two, for two of one name, and for several local ones with
    vLLM, which holds one model in a process.
    """
    names = [one.name for one in checkpoints]
    if len(names) < 2:
        raise HarnessError("a battle takes two: name two or more checkpoints or served models")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise HarnessError(f"{', '.join(twice)} is named twice; a model cannot meet itself")
    local = [one for one in checkpoints if one.path]
    if len(local) > 1:
        if engine == "vllm":
            raise HarnessError(
                f"vLLM holds one model in a process and {len(local)} checkpoints are local: serve "
                "them with `vllm serve` and name them openai:URL#MODEL, or use --engine "
                "transformers"
            )
        engine = "transformers"
    return [
        Speaker(
            one,
            load_renderer(one.path) if one.path else render_served,
            _opener(one, engine if one.path else "openai"),
        )
        for one in checkpoints
    ]


def _opener(checkpoint: Checkpoint, engine: EngineName) -> Callable[[], Engine]:
    return lambda: (
        open_engine(engine, path=checkpoint.path, url=checkpoint.url, model=checkpoint.model).engine
    )


def build(
    speakers: Sequence[Speaker], pool: Pool, store: Path, terms: Terms, settings: Settings
) -> tuple[Starlette, Stage]:
    """The application and its stage; the store is ready, and knows the models."""
    database.prepare(store)
    write.spool(store, {"checkpoints": [checkpoint_row(one.checkpoint) for one in speakers]})
    stage = Stage(speakers, store, terms)
    return make_app(stage, pool, settings), stage


def serve(
    speakers: Sequence[Speaker],
    pool: Pool,
    store: Path,
    terms: Terms,
    settings: Settings,
    place: Place,
    ready: Callable[[str], None],
) -> None:
    """Serves until SIGINT or SIGTERM; requests in flight end first, and every battle is in the
    store. ready: told the URL.

    Raises HarnessError where the address cannot be bound.
    """
    import uvicorn

    app, stage = build(speakers, pool, store, terms, settings)
    bound = _bind(place)
    host, port = bound.getsockname()[:2]
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=place.proxy is not None,
        forwarded_allow_ips=place.proxy,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    # Pages that listen would keep the server waiting: they are told when it wants to end.
    stage.is_ending = lambda: server.should_exit
    # uvicorn raises the signal again once it has shut down; both end the command the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shown = f"[{host}]" if ":" in host else host
    ready(f"http://{shown}:{port}/")
    try:
        server.run(sockets=[bound])
    except KeyboardInterrupt:
        pass
    finally:
        bound.close()


def hosts(place: Place) -> tuple[str, ...]:
    """The names that requests may be for."""
    unspecified = place.host in ("0.0.0.0", "::", "")
    return tuple(dict.fromkeys((*LOOPBACK, *(() if unspecified else (place.host,)), *place.names)))


def _bind(place: Place) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        return socket.create_server((place.host, place.port), family=family, backlog=256)
    except OSError as error:
        raise HarnessError(
            f"cannot serve on {place.host} port {place.port} ({error.strerror or error}); choose "
            "another with --host and --port (0 takes a free one)"
        ) from error
