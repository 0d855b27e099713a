"""A process that answers lines of JSON with lines of JSON, under limits, and is killed when it is
late: for work whose time and memory strangers decide."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

# Imports take seconds on a busy machine; that is no question's fault.
_START_LIMIT = 120.0


class LineWorker:
    """A started process; `module` is run as a program and calls `serve`.

    asked  questions so far;  alive  false once it was killed or ended
    """

    def __init__(self, module: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.asked = 0
        self.alive = True
        self._ready = False

    def ask(self, question: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The reply, or {"reason": "timeout" or "crashed"}, after which the worker is dead."""
        if not self._ready:
            # It starts while its owner does other things.
            self._ready = self.alive and self._line(_START_LIMIT) is not None
            self.alive = self._ready
        if not self.alive:
            return {"reason": "crashed"}
        self.asked += 1
        assert self.process.stdin is not None
        try:
            line = json.dumps({**question, "seconds": timeout}).encode() + b"\n"
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except OSError:
            self.kill()
            return {"reason": "crashed"}
        start = time.monotonic()
        answer = self._line(timeout)
        if answer is not None:
            try:
                reply: dict[str, Any] = json.loads(answer)
            except ValueError:
                reply = {"reason": "crashed"}
            return reply
        late = time.monotonic() - start >= 0.95 * timeout
        self.kill()
        return {"reason": "timeout" if late else "crashed"}

    def _line(self, timeout: float) -> bytes | None:
        """The next line, or None when it does not come in time or the process ends."""
        assert self.process.stdout is not None
        end = time.monotonic() + timeout
        handle, read = self.process.stdout.fileno(), bytearray()
        # Not select(), which takes no descriptor beyond 1023: a program may have many files open.
        ready = select.poll()
        ready.register(handle, select.POLLIN)
        while not read.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not ready.poll(1000 * left):
                return None
            piece = os.read(handle, 65536)
            if not piece:
                return None
            read += piece
        return bytes(read)

    def kill(self) -> None:
        """Ends the process."""
        self.alive = False
        with contextlib.suppress(OSError):
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()


def serve(
    reply: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    memory: int,
    first: Callable[[], object] = lambda: None,
) -> None:
    """The process's side: answers questions until its input ends.

    memory  bytes of address space at most; it writes no file and dumps no core
    first   done before the clock of the first question runs: the imports
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # What libraries print must not come between the replies.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    logging.disable(logging.CRITICAL)
    first()
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        _limit_time(question.pop("seconds"))
        print(json.dumps(reply(question)), file=replies, flush=True)


def _limit_time(seconds: float) -> None:
    """Ends this process when it computes for much longer, even if nobody is left to kill it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))
