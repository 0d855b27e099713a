"""The one directory that a program may write to: emptied between two steps."""

import os
import shutil
from typing import Any

HERE = os.getcwd()
# Whether that directory and /dev/shm are file systems of the sandbox's own.
private = True
# To delete more files than this takes longer than a fresh sandbox.
_WORN_FILES = 2000


def clean() -> bool:
    """Empties what a program may write to; all its processes are dead, so nothing changes under
    this. False where that would take long, or failed: then the sandbox is worn."""
    for place in (HERE, "/dev/shm") if private else (HERE,):
        try:
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
