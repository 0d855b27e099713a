"""An engine of its own thread, which batches what several threads ask."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from harness.engines.types import Engine, Generation, Request


class EngineThread:
    """Takes requests from any thread and hands them to an engine as it has room.

    open_engine  called at the first request or `open`, in the engine's own thread

    Where the engine fails, its exception is that of every request that waits or comes later.
    """

    def __init__(self, open_engine: Callable[[], Engine], name: str = "engine") -> None:
        self._open_engine = open_engine
        self._name = name
        self._engine: Engine | None = None
        self._opened: Future[Engine] = Future()
        self._queue: deque[Request] = deque()
        # Equal requests have equal keys: each gets a generation of its own.
        self._waiting: dict[str, list[Future[Generation]]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def open(self) -> Future[Engine]:
        """The engine, opened without a request."""
        with self._changed:
            self._start()
        return self._opened

    def submit(self, make: Callable[[], Request]) -> Future[Generation]:
        """The generation to come of the request that `make` returns.

        One `make` is called at a time, and none while the engine opens: rendering and engines
        import libraries that bear no race.
        """
        future: Future[Generation] = Future()
        with self._changed:
            request = make()
            self._start()
            self._waiting.setdefault(request.key, []).append(future)
            self._queue.append(request)
            self._changed.notify_all()
        return future

    def withdraw(self) -> None:
        """Cancels every request that the engine has not taken yet."""
        with self._changed:
            while self._queue:
                try:
                    request = self._queue.pop()
                except IndexError:  # the engine took the last one
                    return
                self._next(request.key, -1).cancel()

    def close(self) -> None:
        """Ends the engine; nobody may be waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._engine is not None:
            self._engine.close()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True, name=self._name)
            self._thread.start()

    def _serve(self) -> None:
        try:
            with self._changed:
                self._engine = self._open_engine()
            self._opened.set_result(self._engine)
            while True:
                with self._changed:
                    while not self._queue and not self._closed:
                        self._changed.wait()
                    if not self._queue:
                        return
                for generation in self._engine.generate(self._queue):
                    self._next(generation.key).set_result(generation)
        except BaseException as error:
            self._fail(error)

    def _next(self, key: str, place: int = 0) -> Future[Generation]:
        """Takes one of those who wait for a key out of the books; the lock is reentrant."""
        with self._changed:
            waiting = self._waiting[key]
            future = waiting.pop(place)
            if not waiting:
                del self._waiting[key]
        return future

    def _fail(self, error: BaseException) -> None:
        """Tells all who wait, and whoever asks later, that there is no engine."""
        if not self._opened.done():
            self._opened.set_exception(error)
        with self._changed:
            while True:
                waiting, self._waiting = self._waiting, {}
                self._queue.clear()
                for future in (one for futures in waiting.values() for one in futures):
                    future.set_exception(error)
                if self._closed:
                    return
                self._changed.wait()
