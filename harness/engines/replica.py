"""One engine of several on a cluster: what runs in a Ray actor, and how it opens its checkpoint."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.engines.serving import EngineThread
from harness.engines.types import Engine, Generation, Request
from harness.errors import HarnessError


class Replica:
    """An engine asked by batches, several of them in flight, which it computes together.

    open_engine  called once, at the first call of `ready`
    """

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._engine = EngineThread(open_engine, "replica")

    async def ready(self) -> str:
        """Opens the engine and describes it. Raises as `open_engine` does."""
        engine = await asyncio.wrap_future(self._engine.open())
        return engine.description

    async def answer(self, requests: Sequence[Request]) -> list[Generation]:
        """Generations in the order of their requests."""
        submitted = [self._engine.submit(partial(_itself, one)) for one in requests]
        return list(await asyncio.gather(*map(asyncio.wrap_future, submitted)))

    async def withdraw(self) -> None:
        """Gives up what the engine has not begun."""
        self._engine.withdraw()


def _itself(request: Request) -> Request:
    return request


def open_same(path: Path, fingerprint: str, **options: Any) -> Engine:
    """The engine of a checkpoint on this node, options as of `open_engine`.

    Raises HarnessError where the checkpoint is not here or is another one: rows of two
    checkpoints must never stand under one name.
    """
    from harness.checkpoint import discover
    from harness.engines.select import open_engine

    here = f"on node {socket.gethostname()}"
    if not path.is_dir():
        raise HarnessError(
            f"{path} is not there {here}; put checkpoints on a file system that all nodes share"
        )
    (found,) = discover(str(path), allow_pickle=True)
    if found.fingerprint != fingerprint:
        raise HarnessError(
            f"{path} {here} is another checkpoint than where the command runs (fingerprint "
            f"{found.fingerprint[:12]}, expected {fingerprint[:12]}); copy it again"
        )
    return open_engine(path=path, **options).engine
