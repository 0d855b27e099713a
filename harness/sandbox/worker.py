"""One running sandbox: started once, given program after program, replaced when it is worn."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.sandbox.languages import job
from harness.sandbox.levels import HAS_ROOT, INSIDE, filter_hex, launch
from harness.sandbox.reading import execution
from harness.sandbox.types import Execution, Level, Program

_START_SECONDS = 60.0
# Beyond a step's own wall time: for the zygote to kill, reap and report on a crowded machine.
_GRACE_SECONDS = 30.0
_END_SECONDS = 10.0
_MAX_LINE = 64 * 1024 * 1024


class LostError(Exception):
    """The sandbox ended, or no longer answers; it has said nothing about the program."""


class Worker:
    """A sandbox and the pipes to it. Use from one thread at a time.

    Raises HarnessError when made where its level does not work.
    """

    def __init__(self, level: Level) -> None:
        self._lent = None if level in HAS_ROOT else _lend()
        # A file and no pipe: nobody need read it for the sandbox to go on.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                launch(level, self._lent or Path("/")),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                cwd=self._lent / "work" if self._lent else "/",
                env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONHASHSEED": "0"},
                start_new_session=True,
            )
        except HarnessError:
            self._take_back()
            raise
        except OSError as error:
            self._take_back()
            raise HarnessError(f"level {level} cannot be started here ({error})") from error
        self.pid = self._process.pid
        self._pending = bytearray()
        self._others = _own_processes() if level == "limited" else 0
        try:
            self._send({"filter": filter_hex(), "private": level != "limited"})
            hello = self._receive(_START_SECONDS)
            if not hello.get("ready"):
                raise LostError(str(hello.get("why")))
        except LostError as error:
            said = self._last_words()
            self.close()
            raise HarnessError(f"level {level} does not start here ({said or error})") from error
        except BaseException:
            self.close()
            raise

    def execute(self, program: Program) -> tuple[list[Execution], bool]:
        """Executions of the program's first steps, all of them as a rule, and whether the sandbox
        is fit for another program. It stops early, and is not fit, where a step left its directory
        in a state that cannot be mended: the other steps want another sandbox.

        Raises LostError when it ends or falls silent in between; the program may be tried again
        in another sandbox.
        """
        task = job(program, self._others)
        self._send(task)
        patience = program.limits.wall + _GRACE_SECONDS
        compiling = task.get("compile_limits", {}).get("wall", 0.0)
        found: list[Execution] = []
        for step in program.steps:
            row = self._receive(patience + compiling)
            if row.get("worn"):
                return found, False
            found.append(execution(row, program, step))
        return found, bool(self._receive(_GRACE_SECONDS).get("clean"))

    def close(self) -> None:
        """Ends the sandbox and everything in it; may be called again."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            # The inner side ends, and all that runs there with it, when nobody talks to it.
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in _family(self._process.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
        self._words.close()
        self._take_back()

    def _take_back(self) -> None:
        if self._lent:
            shutil.rmtree(self._lent, ignore_errors=True)

    def _send(self, row: dict[str, Any]) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write((json.dumps(row) + "\n").encode())
            self._process.stdin.flush()
        except OSError as error:
            raise LostError(f"it ended ({error})") from error

    def _receive(self, seconds: float) -> dict[str, Any]:
        """The next line from the zygote."""
        assert self._process.stdout
        fd = self._process.stdout.fileno()
        watched = select.poll()
        watched.register(fd, select.POLLIN)
        deadline = time.monotonic() + seconds
        while (end := self._pending.find(b"\n")) < 0:
            left = deadline - time.monotonic()
            if left <= 0 or len(self._pending) > _MAX_LINE:
                raise LostError(f"it did not answer within {seconds:.0f} s")
            if not watched.poll(left * 1000):
                continue
            piece = os.read(fd, 1 << 16)
            if not piece:
                raise LostError("it ended")
            self._pending += piece
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LostError(f"it said something that is no report ({error})") from error
        if not isinstance(row, dict):
            raise LostError("it said something that is no report")
        return row

    def _last_words(self) -> str:
        """The last line of what it wrote to its standard error."""
        self._words.seek(0)
        lines = self._words.read(4096).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


def _family(pid: int) -> list[int]:
    """A process and all that came of it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = (entry / "stat").read_bytes()
            parents[int(entry.name)] = int(stat.rpartition(b")")[2].split()[1])
    found, more = {pid}, {pid}
    while more:
        more = {one for one, parent in parents.items() if parent in found} - found
        found |= more
    return sorted(found)


def _lend() -> Path:
    """A directory for levels without a root of their own: the inner code and a place to work."""
    lent = Path(tempfile.mkdtemp(prefix="harness-sandbox-"))
    shutil.copytree(INSIDE, lent / "inside")
    (lent / "work").mkdir()
    if os.getuid() == 0:  # Nobody works there in root's stead.
        lent.chmod(0o755)
        (lent / "work").chmod(0o777)
    return lent


def _own_processes() -> int:
    """How many threads the user who runs programs has here: where the kernel counts them all
    against RLIMIT_NPROC, a program's own come on top."""
    user = 65534 if os.getuid() == 0 else os.getuid()
    count = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == user:
                count += sum(1 for _ in (entry / "task").iterdir())
    return count
