"""The parent's side of a fork: watches one program, kills all that it started, says what was."""

import contextlib
import json
import os
import resource
import selectors
import signal
import time
from collections.abc import Sequence
from typing import Any

from . import scratch
from .child import become_program

Report = dict[str, Any]

_WATCH_SECONDS = 0.05
_STDERR_KEPT = 8192
_SAID = ("value", "type", "error", "text", "done")


def is_init() -> bool:
    """Whether this is the first process of its namespace: then it takes no signal from within, and
    the kernel finds all others for it."""
    return os.getpid() == 1


class HostGoneError(Exception):
    """Nobody waits for the answer any more."""


def run_step(job: dict[str, Any], step: dict[str, Any], token: str, host: int) -> Report:
    """Runs one step to its end, and leaves no process of it behind. All but `said` are facts that
    the program could not make up.

    host  the descriptor that jobs come by. The host is silent during a step: when there is
          something to read, it is the end
    """
    stdin = scratch.unnamed((step["stdin"] or "").encode("utf-8", "surrogatepass"))
    pipes = [os.pipe() for _ in range(3)]
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        become_program(job, step, [stdin, *(write for _, write in pipes)], token)
    for fd in (stdin, *(write for _, write in pipes)):
        os.close(fd)
    limits = job["limits"]
    readers = out, err, result = [_Reader(read, limits["output"]) for read, _ in pipes]
    try:
        stopped = _watch(pid, readers, limits, started, host)
        status, cpu = _kill_all(pid)
        for reader in readers:
            reader.drain()
    finally:
        for reader in readers:
            os.close(reader.fd)
    if not stopped and sum(reader.seen for reader in readers) > limits["output"]:
        stopped = "output limit"
    said = _parse(bytes(result.data))
    return {
        "stopped": stopped,
        "status": status,
        "said": said,
        "done": said.get("done") == token,
        "stdout": out.data[: limits["output"]].decode("utf-8", "replace"),
        "stderr": err.data[-_STDERR_KEPT:].decode("utf-8", "replace"),
        "seconds": time.monotonic() - started,
        "cpu": cpu,
    }


class _Reader:
    """One pipe from the child; keeps a little more than `most` bytes and counts all."""

    def __init__(self, fd: int, most: int) -> None:
        self.fd, self.most, self.data, self.seen, self.open = fd, most, bytearray(), 0, True
        os.set_blocking(fd, False)

    def read(self) -> bool:
        """Takes what is there; false where nothing is, for now or for ever."""
        try:
            piece = os.read(self.fd, 65536)
        except BlockingIOError:
            return False
        self.seen += len(piece)
        if len(self.data) <= self.most:
            self.data += piece
        self.open = bool(piece)
        return self.open

    def drain(self) -> None:
        """Takes what the dead have left. The end of the pipe need not come: a descriptor may still
        be on its way in a message that nobody can receive any more."""
        while self.open and self.seen <= self.most + (1 << 20) and self.read():
            pass


def _watch(
    pid: int, readers: Sequence[_Reader], limits: dict[str, Any], started: float, host: int
) -> str | None:
    """Waits for the child to end, or for the first limit that it breaks, which it names. Where the
    host has gone, kills everything and raises HostGoneError."""
    ended = os.pidfd_open(pid)
    looked = started
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        selector.register(host, selectors.EVENT_READ)
        for reader in readers:
            selector.register(reader.fd, selectors.EVENT_READ, reader)
        try:
            while (left := started + limits["wall"] - time.monotonic()) > 0:
                for key, _ in selector.select(min(_WATCH_SECONDS, left)):
                    if key.fd == host:
                        _kill_all(pid)
                        raise HostGoneError
                    if key.fd == ended:
                        return None
                    if not key.data.read() and not key.data.open:
                        selector.unregister(key.fd)
                if sum(reader.seen for reader in readers) > limits["output"]:
                    return "output limit"
                if time.monotonic() - looked >= _WATCH_SECONDS:
                    looked = time.monotonic()
                    if broken := _look(limits):
                        return broken
            return "timeout"
        finally:
            os.close(ended)


def _look(limits: dict[str, Any]) -> str | None:
    """The limit that all processes together break, if any."""
    ticks = threads = pages = 0
    for pid in _descendants():
        fields = _stat(pid)
        ticks += sum(map(int, fields[11:15]))
        threads += int(fields[17]) if fields else 0
        pages += int(fields[21]) if fields else 0
    resident = pages * resource.getpagesize()
    # Pages that processes share are resident in each: only their shares tell, which cost more.
    if resident > limits["memory"] and _shares() > limits["memory"]:
        return "memory"
    if ticks / os.sysconf("SC_CLK_TCK") > limits["cpu"]:
        return "timeout"
    return "processes" if threads > 2 * limits["processes"] else None


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third, the state, on (proc(5)); none when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _shares() -> int:
    """Bytes of memory of all that came of the child, shared pages counted once."""
    total = 0
    for pid in _descendants():
        with (
            contextlib.suppress(OSError),
            open(f"/proc/{pid}/smaps_rollup", encoding="latin-1") as file,
        ):
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total * 1024


def _descendants() -> set[int]:
    """Process ids of all that came of the child: everybody else where this is the first process,
    else whoever has this one among its ancestors."""
    others = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {os.getpid()}
    if is_init():
        return others
    parents = {pid: int(fields[1]) for pid in others if (fields := _stat(pid))}
    found, more = {os.getpid()}, {0}
    while more:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
    return found - {os.getpid()}


def _kill_all(child: int) -> tuple[int, float]:
    """Kills and reaps every process but this one: the child's status and its processor time."""
    status, cpu = 0, 0.0
    while True:
        # Of the first process -1 means the whole namespace, in one sweep of the kernel's that no
        # fork slips through. Of any other it would mean the user's whole session.
        for pid in [-1] if is_init() else _descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while True:
                pid, ended, usage = os.wait4(-1, 0 if is_init() else os.WNOHANG)
                if pid == child:
                    status, cpu = ended, usage.ru_utime + usage.ru_stime
                if pid == 0:
                    time.sleep(0.002)
                    break
        except ChildProcessError:
            return status, cpu


def _parse(result: bytes) -> dict[str, Any]:
    try:
        said = json.loads(result.split(b"\n", 1)[0] or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(said, dict):
        return {}
    # Flat and of the types that are expected, whatever the program's process wrote.
    found = {key: said[key] for key in _SAID if isinstance(said.get(key), str)}
    number = said.get("errno")
    return found | ({"errno": number} if type(number) is int else {})
