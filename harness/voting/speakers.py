"""The models that answer on the page, each with its engine in threads of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.checkpoint import Checkpoint
from harness.engines.prompt import Renderer, first_line
from harness.engines.types import Engine, Generation, Message, Request, Sampling

log = logging.getLogger(__name__)

# Requests in flight at once to a server.
LANES = 16
# Seconds that threads get to end.
_PATIENCE = 3.0
# Rendering and opening engines import libraries that bear no race.
importing = threading.Lock()


@dataclass(frozen=True)
class Listener:
    """Who waits for an answer. hear: told of new text, says whether more is wanted; done: told of
    the end. Both are called from a thread of the speaker's."""

    hear: Callable[[str], bool]
    done: Callable[[Generation], None]


class Speaker:
    """A checkpoint that answers.

    render       turns messages into the text that it reads
    open_engine  called at its first answer, and again at the next one after it failed; under
                 `importing` if it opens one in this process

    A local engine has one thread and batches what waits for it; a server gets each request in a
    thread of its own, up to LANES.
    """

    def __init__(
        self, checkpoint: Checkpoint, render: Renderer, open_engine: Callable[[], Engine]
    ) -> None:
        self.checkpoint = checkpoint
        self._render = render
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._queue: deque[Request] = deque()
        self._listeners: dict[str, Listener] = {}
        self._changed = threading.Condition()
        self._opening = threading.Lock()
        self._closed = False
        self._served = checkpoint.url is not None
        self._threads: list[threading.Thread] = []
        self._idle = 0

    @property
    def name(self) -> str:
        return self.checkpoint.name

    def say(
        self, key: str, messages: Sequence[Message], sampling: Sampling, listener: Listener
    ) -> None:
        """Has the model answer; `key` is unique. Returns once the prompt is rendered, which takes
        seconds the first time."""
        try:
            with importing:
                made = self._render(messages)
        except Exception as error:  # a template or tokenizer may raise anything
            listener.done(_failure(key, error))
            return
        stop = (*sampling.stop, *made.stop)
        request = Request(key, made.prompt, replace(sampling, stop=stop), made.special_tokens)
        with self._changed:
            self._listeners[key] = listener
            self._queue.append(request)
            lacking = len(self._queue) > self._idle
            if lacking and len(self._threads) < (LANES if self._served else 1):
                name = f"{self.name} {len(self._threads)}"
                thread = threading.Thread(target=self._work, daemon=True, name=name)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Ends the engine once its threads are idle; a thread that still generates ends with the
        process."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._engine is not None and not any(thread.is_alive() for thread in self._threads):
            self._engine.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._queue and not self._closed:
                    self._changed.wait()
                self._idle -= 1
                if self._closed:
                    return
                taken = deque([self._queue.popleft()]) if self._served else self._queue
                keys = {request.key for request in taken}
            try:
                for generation in self._opened().generate(taken, self._hear):
                    self._end(generation)
            except Exception as error:  # whatever an engine raises: the page goes on
                log.exception("%s failed", self.name)
                self._fail(keys if self._served else None, error)

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = self._open_engine()
            return self._engine

    def _hear(self, key: str, new: str) -> bool:
        listener = self._listeners.get(key)
        return listener is not None and not self._closed and listener.hear(new)

    def _end(self, generation: Generation) -> None:
        with self._changed:
            listener = self._listeners.pop(generation.key, None)
        if listener is not None:
            listener.done(generation)

    def _fail(self, keys: set[str] | None, error: Exception) -> None:
        """Ends these answers, or all; what comes next gets an engine opened anew."""
        with self._changed:
            keys = set(self._listeners) if keys is None else keys
            if not self._served:
                self._queue.clear()
                self._engine = None
        for key in keys:
            self._end(_failure(key, error))


def _failure(key: str, error: Exception) -> Generation:
    return Generation(key, "", "error", error=first_line(error))
