"""A local checkpoint as judge, through an engine that batches what several threads ask."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from harness.engines.prompt import Renderer
from harness.engines.types import Engine, Generation, Request
from harness.judge.calls import JudgeDownError


class LocalJudge:
    """A checkpoint that rates, asked like a served one.

    name         what its judgments are known by
    place        its directory, for the record
    render       turns messages into its chat format
    open_engine  called at the first call
    concurrency  calls that wait at once, for the engine to batch

    Its verdicts are read by pattern: engines are not asked for structured output. It does not
    overlap with generation, whose engine may need all the memory there is.
    """

    structured = False
    overlaps = False

    def __init__(
        self,
        name: str,
        place: str,
        render: Renderer,
        open_engine: Callable[[], Engine],
        concurrency: int = 64,
    ) -> None:
        self.name = name
        self.place = place
        self.concurrency = concurrency
        self._render = render
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._queue: deque[Request] = deque()
        self._waiting: dict[str, Future[Generation]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def ask(self, request: Request, schema: Mapping[str, Any] | None = None) -> Generation:
        """The reply, whose key is the request's. Raises JudgeDownError where the engine fails."""
        messages = tuple(one for one in request.prompt if not isinstance(one, str))
        future: Future[Generation] = Future()
        # One at a time: rendering and the engine both import libraries that bear no race.
        with self._changed:
            made = self._render(messages)
            sampling = replace(request.sampling, stop=(*request.sampling.stop, *made.stop))
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, daemon=True, name="judge")
                self._thread.start()
            self._waiting[request.key] = future
            self._queue.append(Request(request.key, made.prompt, sampling, made.special_tokens))
            self._changed.notify_all()
        return future.result()

    def _serve(self) -> None:
        try:
            with self._changed:
                self._engine = self._open_engine()
            while True:
                with self._changed:
                    while not self._queue and not self._closed:
                        self._changed.wait()
                    if not self._queue:
                        return
                for generation in self._engine.generate(self._queue):
                    self._waiting.pop(generation.key).set_result(generation)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Tells all who wait, and whoever asks later, that there is no engine."""
        down = JudgeDownError(f"{self.place}: the judge's engine failed ({error})")
        with self._changed:
            while True:
                waiting, self._waiting = self._waiting, {}
                for future in waiting.values():
                    future.set_exception(down)
                if self._closed:
                    return
                self._changed.wait()

    def close(self) -> None:
        """Ends the engine; nobody may be waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._engine is not None:
            self._engine.close()
