"""The levels of the sandbox: what each needs, and the command line that starts one here."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import HarnessError
from harness.sandbox.seccomp import bpf_filter
from harness.sandbox.types import LEVELS, Level

INSIDE = Path(__file__).with_name("inside")
# The image that the container level runs; it needs Python 3.11 or later on its PATH.
IMAGE_VARIABLE = "HARNESS_SANDBOX_IMAGE"
DEFAULT_IMAGE = "python:3.11-slim"

_SCRATCH_BYTES = 64 * 1024 * 1024
_SHM_BYTES = 16 * 1024 * 1024
_NOBODY = 65534
# Fixed, so that a program gets the same verdict each time: the order of a set depends on it.
_SETTINGS = {"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
_FLAGS = ("-s", "-S", "-P", "-B")
_START = "import sys; sys.path.insert(0, sys.argv[1]); from inside.zygote import main; main()"


@dataclass(frozen=True)
class Support:
    """Whether a level works here: why not, and the command that mends it."""

    level: Level
    works: bool
    reason: str
    fix: str = ""


# These have a file system of their own; the others are lent a directory of the host's.
HAS_ROOT: tuple[Level, ...] = ("strict", "container")


def launch(level: Level, lent: Path) -> tuple[str, ...]:
    """The command that starts the sandbox's inner side at a level.

    lent  a directory that holds a copy of `INSIDE`, for levels without a root of their own; an
          unprivileged user can read it

    Raises HarnessError where the level cannot work here, with what would mend it.
    """
    return _LAUNCHES[level](lent)


@cache
def support(level: Level) -> Support:
    """Whether a level works here, found out by running a program in it."""
    from harness.sandbox.worker import Worker

    try:
        worker = Worker(level)
    except HarnessError as error:
        reason, _, fix = str(error).partition("; ")
        return Support(level, False, reason, fix)
    worker.close()
    return Support(level, True, _DESCRIPTIONS[level])


def best_level(least: Level = LEVELS[-1]) -> Level:
    """The strongest level that works here.

    Raises HarnessError where none as strong as `least` does, with what would mend it.
    """
    tried = []
    for level in LEVELS[: LEVELS.index(least) + 1]:
        if level == "container" and IMAGE_VARIABLE not in os.environ:
            continue  # An image is fetched by nobody's leave but the user's.
        found = support(level)
        if found.works:
            return level
        tried.append(found)
    first = tried[0]
    raise HarnessError(
        f"no sandbox of level {least} or stronger works here ({first.level}: {first.reason}); "
        f"{first.fix or '`harness doctor` says what each level needs'}"
    )


def _strict(lent: Path) -> tuple[str, ...]:
    """Bubblewrap: a root of its own with nothing in it but /usr and Python, read-only."""
    bwrap = _need("bwrap", "apt-get install bubblewrap")
    root = os.getuid() == 0
    prefix, binary, binds = _python_view()
    # A Python that is shown elsewhere would find the system's library in place of its own.
    settings = _SETTINGS | (
        {} if prefix.startswith("/usr") else {"LD_LIBRARY_PATH": f"{prefix}/lib"}
    )
    inner = [
        *(bwrap, "--unshare-all", "--unshare-user", "--disable-userns"),
        *("--new-session", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *("--clearenv", *_flatten("--setenv", settings)),
        *_view(binds if not root else [(target, target) for _, target in binds]),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(_SHM_BYTES), "--tmpfs", "/dev/shm"),
        *("--size", str(_SCRATCH_BYTES), "--tmpfs", "/tmp"),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"),
        *("--", binary, *_FLAGS, "-c", _START, "/opt"),
    ]
    if not root:
        return tuple(inner)
    # Root's own limits are not enforced by the kernel, so root first becomes nobody, within a view
    # in which nobody can read what the inner sandbox is made of.
    outer = [
        *(bwrap, *_view(binds), "--bind", "/proc", "/proc"),
        *("--dev", "/dev", "--tmpfs", "/tmp", "--", *_as_nobody()),
    ]
    return (*outer, *inner)


def _namespaces(lent: Path) -> tuple[str, ...]:
    """util-linux: namespaces of its own, but the host's files as the user sees them."""
    unshare = _need("unshare", "apt-get install util-linux")
    setpriv = _need("setpriv", "apt-get install util-linux")
    mounts = (
        f'mount -t tmpfs -o size={_SCRATCH_BYTES},mode=0700 none "$PWD" && '
        f"mount -t tmpfs -o size={_SHM_BYTES},mode=0700 none /dev/shm && "
        'cd "$PWD" && exec "$@"'
    )
    return (
        *(_as_nobody() if os.getuid() == 0 else ()),
        *(unshare, "--user", "--map-root-user", "--pid", "--net", "--ipc", "--uts", "--mount"),
        *("--mount-proc", "--fork", "sh", "-c", mounts, "sh"),
        *(setpriv, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
        *_plain_python(lent),
    )


def _limited(lent: Path) -> tuple[str, ...]:
    """A child process with limits and the filter of system calls, and nothing more."""
    return (*(_as_nobody() if os.getuid() == 0 else ()), *_plain_python(lent))


def _container(lent: Path) -> tuple[str, ...]:
    """A container without network, read-only but for its scratch directory."""
    image = os.environ.get(IMAGE_VARIABLE, DEFAULT_IMAGE)
    start = (image, "python3", *_FLAGS, "-c", _START, "/opt")
    settings = [f"--env={name}={value}" for name, value in _SETTINGS.items()]
    for engine in ("docker", "podman"):
        if path := shutil.which(engine):
            return (
                *(path, "run", "--rm", "--interactive", "--network", "none", "--read-only"),
                *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--ipc", "private"),
                *("--user", f"{_NOBODY}:{_NOBODY}", "--pids-limit", "256", "--memory", "4g"),
                *("--shm-size", str(_SHM_BYTES), "--workdir", "/tmp"),
                *("--tmpfs", f"/tmp:rw,exec,mode=1777,size={_SCRATCH_BYTES}"),
                *("--volume", f"{INSIDE}:/opt/inside:ro", *settings, *start),
            )
    if path := shutil.which("apptainer"):
        return (
            *(path, "--silent", "exec", "--containall", "--net", "--network", "none"),
            *("--no-privs", "--pwd", "/tmp", "--bind", f"{INSIDE}:/opt/inside:ro"),
            *(*settings, *start),
        )
    raise HarnessError(
        "neither docker, podman nor apptainer is installed; install one, and name an image that "
        f"has Python: export {IMAGE_VARIABLE}={DEFAULT_IMAGE}"
    )


_LAUNCHES: dict[Level, Callable[[Path], tuple[str, ...]]] = {
    "strict": _strict,
    "container": _container,
    "namespaces": _namespaces,
    "limited": _limited,
}
_DESCRIPTIONS: dict[Level, str] = {
    "strict": "bubblewrap, seccomp, limits: no network, no sight of the host",
    "container": "a container without network, seccomp, limits",
    "namespaces": "unshare, seccomp, limits: no network, but the host's files can be read",
    "limited": "seccomp and limits: no network, but the host's files and processes can be seen",
}


def filter_hex() -> str:
    """The system call filter as the zygote takes it."""
    return bpf_filter().hex()


def _need(program: str, fix: str) -> str:
    if platform.system() != "Linux":
        raise HarnessError(f"this is {platform.system()}; the sandbox needs Linux")
    if (path := shutil.which(program)) is None:
        raise HarnessError(f"{program} is not installed; {fix}")
    return path


def _as_nobody() -> tuple[str, ...]:
    setpriv = _need("setpriv", "apt-get install util-linux")
    # `env` because setpriv itself may still execute what nobody cannot read.
    return (
        *(setpriv, "--reuid", str(_NOBODY), "--regid", str(_NOBODY)),
        *("--clear-groups", "--no-new-privs", "env"),
    )


def _python_view() -> tuple[str, str, list[tuple[str, str]]]:
    """This Python as the sandbox sees it: prefix, interpreter, and (source, target) binds. What
    lies outside /usr, often in somebody's home, is shown elsewhere."""
    prefix = os.path.realpath(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binds = [(str(INSIDE), "/opt/inside")]
    if prefix == "/usr" or prefix.startswith("/usr/"):
        return prefix, f"{prefix}/bin/{name}", binds
    return "/opt/python", f"/opt/python/bin/{name}", [(prefix, "/opt/python"), *binds]


def _plain_python(lent: Path) -> tuple[str, ...]:
    """An interpreter that the user, or nobody in root's stead, can read."""
    for binary in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        probe = (binary, "-c", "import sys; sys.exit(sys.version_info < (3, 11))")
        before = _as_nobody() if os.getuid() == 0 else ()
        try:
            if subprocess.run((*before, *probe), capture_output=True).returncode == 0:
                return binary, *_FLAGS, "-c", _START, str(lent)
        except OSError:
            continue
    raise HarnessError(
        "no Python 3.11 or later here can be run by an unprivileged user; run harness as a user "
        "that is not root, or: apt-get install python3"
    )


def _view(binds: list[tuple[str, str]]) -> list[str]:
    """Bubblewrap's arguments for the read-only part of the sandbox's root."""
    words = ["--dir", "/etc", "--dir", "/opt", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    # What the dynamic linker, compilers and clocks read; no file of it is secret.
    for name in ("ld.so.cache", "alternatives", "localtime"):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for source, target in binds:
        words += ["--ro-bind", source, target]
    return words


def _flatten(flag: str, pairs: dict[str, str]) -> list[str]:
    return [word for name, value in pairs.items() for word in (flag, name, value)]
