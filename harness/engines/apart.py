"""An engine in a process of its own, so that several local models can answer side by side.

vLLM holds one model in a process, and two engines in threads would take turns at the interpreter.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from harness.engines.prompt import first_line
from harness.engines.types import Engine, Generation, Hear, Request
from harness.errors import HarnessError

# Seconds between two looks at the queue, which others may fill meanwhile.
_BEAT = 0.02
# Seconds that the process gets to end by itself.
_PATIENCE = 10.0


@dataclass(frozen=True)
class _Opened:
    name: str
    description: str


@dataclass(frozen=True)
class _Failed:
    """Why an engine could not be opened, or broke; `known` where it is a sentence for the user."""

    reason: str
    known: bool


@dataclass(frozen=True)
class _Piece:
    key: str
    new: str


@dataclass(frozen=True)
class _Unwanted:
    key: str


class ApartEngine:
    """An engine that `open_engine` opens in a new process; the function and its arguments must be
    picklable, as a module's functions and `functools.partial` are.

    A process that dies ends `generate` with HarnessError. Raises HarnessError, as the engine would,
    where it cannot be opened.
    """

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        # Not forked: threads and accelerators do not survive that.
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, open_engine), daemon=True)
        self._process.start()
        theirs.close()
        answer = self._receive()
        if not isinstance(answer, _Opened):
            self.close()
            raise _error(answer)
        self._opened = answer

    @property
    def name(self) -> str:
        return self._opened.name

    @property
    def description(self) -> str:
        return f"{self._opened.description}, in a process of its own"

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]:
        live: set[str] = set()
        try:
            while queue or live:
                while queue:
                    request = queue.popleft()
                    live.add(request.key)
                    self._send(request)
                if not self._ours.poll(_BEAT):
                    continue
                answer = self._receive()
                if isinstance(answer, Generation):
                    # An abandoned run's answers may still come.
                    if answer.key in live:
                        live.remove(answer.key)
                        yield answer
                elif isinstance(answer, _Piece):
                    if answer.key in live and hear and not hear(answer.key, answer.new):
                        self._send(_Unwanted(answer.key))
                else:
                    raise _error(answer)
        finally:
            # The caller may stop early; what it no longer wants must not run on.
            for key in live:
                self._send(_Unwanted(key))

    def close(self) -> None:
        """Ends the process."""
        self._ours.close()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _send(self, message: object) -> None:
        # A process that has ended is noticed where an answer is awaited.
        with contextlib.suppress(OSError):
            self._ours.send(message)

    def _receive(self) -> object:
        try:
            return self._ours.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE)
            status = self._process.exitcode
            return _Failed(f"the engine's process ended with status {status}", True)


def _error(answer: object) -> Exception:
    if isinstance(answer, _Failed):
        return HarnessError(answer.reason) if answer.known else RuntimeError(answer.reason)
    return RuntimeError(f"an engine's process said {answer!r}")


def _work(connection: Connection, open_engine: Callable[[], Engine]) -> None:
    """The process: opens the engine and answers requests until the other end closes."""
    try:
        engine = open_engine()
    except Exception as error:  # whatever an engine raises at its start
        connection.send(_Failed(first_line(error), isinstance(error, HarnessError)))
        return
    connection.send(_Opened(engine.name, engine.description))
    queue: deque[Request] = deque()
    unwanted: set[str] = set()
    changed = threading.Condition()
    ended = False

    def listen() -> None:
        nonlocal ended
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                message = None
            with changed:
                if isinstance(message, Request):
                    queue.append(message)
                elif isinstance(message, _Unwanted):
                    unwanted.add(message.key)
                else:
                    ended = True
                changed.notify()
            if message is None:
                return

    def hear(key: str, new: str) -> bool:
        connection.send(_Piece(key, new))
        return key not in unwanted and not ended

    threading.Thread(target=listen, daemon=True).start()
    try:
        while True:
            with changed:
                while not queue and not ended:
                    changed.wait()
                if ended:
                    return
            for generation in engine.generate(queue, hear):
                unwanted.discard(generation.key)
                connection.send(generation)
    except OSError:  # the other end has gone
        return
    except Exception as error:
        connection.send(_Failed(first_line(error), isinstance(error, HarnessError)))
    finally:
        engine.close()
