"""The one directory that a program may write to: emptied between two steps."""

import contextlib
import os
import shutil
from typing import Any

HERE = os.getcwd()
# Whether that directory and /dev/shm are file systems of the sandbox's own.
private = True
# To delete more files than this takes longer than a fresh sandbox.
_WORN_FILES = 2000


def clean() -> bool:
    """Empties what a program may write to, and makes it as it was; all its processes are dead, so
    nothing changes under this. False where that would take long, or failed: then the sandbox is
    worn."""
    for place in (HERE, "/dev/shm") if private else (HERE,):
        try:
            if private and os.stat(place).st_uid == os.getuid():
                _restore(place)  # Of a directory that is not its own a program can change nothing.
            names = os.listdir(place)
            space = os.statvfs(place)
            if private and names and space.f_files - space.f_ffree > _WORN_FILES:
                return False
            for name in names:
                path = os.path.join(place, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
        except (OSError, RecursionError):
            return False
    return True


def _restore(place: str) -> None:
    """The directory itself: mode, attributes, access lists, times."""
    for name in os.listxattr(place):
        os.removexattr(place, name)
    os.chmod(place, 0o700)
    os.utime(place, (0, 0))
    with contextlib.suppress(OSError):  # Only where it is the sandbox's own.
        os.chmod("/dev/pts", 0o755)


def unnamed(content: bytes) -> int:
    """A descriptor of a file without a name that holds the content, at its beginning."""
    try:
        fd = os.open(HERE, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:  # Not every file system has such files.
        path = os.path.join(HERE, ".stdin")
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        os.unlink(path)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def place(job: dict[str, Any], step: dict[str, Any], token: str) -> None:
    """Puts a program of another language into the clean directory: the last step may have changed
    it."""
    if "built" in job:
        _write(job["binary"], job["built"])
        os.chmod(os.path.join(HERE, job["binary"]), 0o700)
    elif "file" in job:
        text = job["source"] + step.get("append", "").replace("@DONE@", token)
        _write(job["file"], text.encode("utf-8", "surrogatepass"))


def read(name: str) -> bytes:
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


def _write(name: str, content: bytes) -> None:
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(content)
