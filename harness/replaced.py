"""Notices that a checkpoint's files were replaced after it was given its fingerprint."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.checkpoint_files import INDEX, CheckpointFiles, inspect
from harness.errors import HarnessError
from harness.fingerprint import covered, fingerprint

# Name below the directory, size in bytes, mtime in ns, inode; _ABSENT where there is no such file.
Place = tuple[str, int, int, int]
Stamp = tuple[Place, ...]

_ABSENT = (-1, 0, 0)
# Files that count where they are there.
_MAY_COME = (INDEX, "generation_config.json", "chat_template.jinja", "tokenizer_config.json")


def stamp(files: CheckpointFiles) -> Stamp:
    """How the files that a fingerprint covers lie on the disk; taken before they are hashed."""
    names = {str(one.relative_to(files.directory)) for one in covered(files)}
    return _stamp(files.directory, sorted({*names, *_MAY_COME}))


def replaced(directory: Path, before: Stamp, identity: str) -> str | None:
    """The file that is another one now, where the directory's fingerprint is no longer `identity`.

    Looks at sizes, times and inodes; only where these differ is anything read, so that a copy or
    a touch of the same bytes is no replacement. Files that are gone were removed, not replaced:
    what was loaded of them was right.
    """
    now = _stamp(directory, [name for name, *_ in before])
    differing = [
        new[0] for old, new in zip(before, now, strict=True) if old != new and new[1:] != _ABSENT
    ]
    if not differing:
        return None
    try:
        # Whether pickles are wanted was decided when it was found.
        same = fingerprint(inspect(directory, allow_pickle=True)) == identity
    except HarnessError:
        same = False
    return None if same else differing[0]


def _stamp(directory: Path, names: Iterable[str]) -> Stamp:
    return tuple((name, *_place(directory / name)) for name in names)


def _place(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return _ABSENT
    return status.st_size, status.st_mtime_ns, status.st_ino
