"""Runs the loop's heavy stages as commands that a person could have typed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.errors import HarnessError

# Linux: the signal that a child gets when its parent dies.
_PDEATHSIG = 1
# Seconds that an earlier loop's trainer is waited for, which saves its state first.
_WAIT = 600.0
_LOOK = 0.5

HARNESS = (sys.executable, "-m", "harness.cli.main")


def launched(launch: str, command: Sequence[str]) -> list[str]:
    """A command behind what starts it, in which $NAMES are those of the environment."""
    return [*shlex.split(os.path.expandvars(launch)), *command]


def run_command(what: str, command: Sequence[str], fine: Sequence[int] = (0,)) -> int:
    """Runs a command to its end, its output where ours goes; returns its status, one of `fine`.

    It gets SIGTERM when this process dies, so that no trainer goes on alone. An interrupt is the
    command's to handle; it is then ours too.

    Raises HarnessError for another status.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            close_fds=False,  # the lock goes with it
            preexec_fn=_die_with_parent,
        )
    except OSError as error:
        raise HarnessError(f"{what}: cannot start {command[0]} ({error.strerror})") from None
    try:
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status not in fine:
        raise HarnessError(
            f"{what} ended with status {status}, whose reason is above (the command was: "
            f"{shlex.join(command)}); mend it and repeat `harness loop`, which goes on from here"
        )
    return status


def _die_with_parent() -> None:
    # Where the system is no Linux, the lock alone keeps a second trainer away.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def alone(home: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds the loop's lock, which its commands hold too for as long as they live.

    Raises HarnessError where another loop of the same run goes on holding it.
    """
    import fcntl

    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.set_inheritable(descriptor, True)
        until = time.monotonic() + _WAIT
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise HarnessError(
                        f"{home}: another `harness loop` of this run, or a command that it "
                        "started, is still at work; wait for it or end it"
                    ) from None
                if not told:
                    say("waiting for another loop of this run, or for a command that it started")
                    told = True
                time.sleep(_LOOK)
        yield
    finally:
        os.close(descriptor)
