"""Runs the page: models, items and settings put together behind uvicorn, until a signal ends it."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.applications import Starlette

from harness.checkpoint import Checkpoint
from harness.engines.apart import ApartEngine
from harness.engines.hardware import gpu_count
from harness.engines.prompt import load_renderer, render_served
from harness.engines.select import EngineName, open_engine
from harness.engines.types import Engine
from harness.errors import HarnessError
from harness.evaluation_rows import checkpoint_row
from harness.store import database, write
from harness.voting.app import Settings, make_app
from harness.voting.draw import Pool
from harness.voting.guard import LOOPBACK
from harness.voting.speakers import Speaker, importing
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

    Several local ones get a process each. Where there is no GPU "auto" is transformers for them:
    it starts at once, and several models of vLLM's would each take all cores.

    Raises HarnessError for fewer than two, or for two of one name.
    """
    names = [one.name for one in checkpoints]
    if len(names) < 2:
        raise HarnessError("a battle takes two: name two or more checkpoints or served models")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise HarnessError(f"{', '.join(twice)} is named twice; a model cannot meet itself")
    local = sum(one.path is not None for one in checkpoints)
    if local > 1 and engine == "auto" and not gpu_count():
        engine = "transformers"
    return [
        Speaker(one, load_renderer(one.path), _opener(one.path, engine, local))
        if one.path
        else Speaker(one, render_served, partial(_open_served, one.url, one.model))
        for one in checkpoints
    ]


def _opener(path: Path, engine: EngineName, local: int) -> Callable[[], Engine]:
    opener = partial(_open_local, engine, path, 1 / local)
    return partial(_open_here, opener) if local == 1 else partial(ApartEngine, opener)


def _open_here(opener: Callable[[], Engine]) -> Engine:
    with importing:
        return opener()


def _open_local(engine: EngineName, path: Path, memory_share: float) -> Engine:
    return open_engine(engine, path=path, memory_share=memory_share).engine


def _open_served(url: str | None, model: str | None) -> Engine:
    with importing:
        return open_engine("openai", url=url, model=model).engine


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

    bound = bind(place)
    app, stage = build(speakers, pool, store, terms, settings)
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


def bind(place: Place) -> socket.socket:
    """A socket that listens there. Raises HarnessError where that cannot be."""
    try:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        return socket.create_server((place.host, place.port), family=family, backlog=256)
    except OSError as error:
        raise HarnessError(
            f"cannot serve on {place.host} port {place.port} ({error.strerror or error}); choose "
            "another with --host and --port (0 takes a free one)"
        ) from error
