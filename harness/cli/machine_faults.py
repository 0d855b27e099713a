"""Faults of the machine, which any command may meet, as one sentence each."""

from __future__ import annotations

import errno

_CURES = {
    errno.ENOSPC: "make room and repeat the command: what was committed before is safe",
    errno.EDQUOT: "make room and repeat the command: what was committed before is safe",
    errno.EFBIG: "raise the limit on the size of files, or name another place",
    errno.EROFS: "name a place that can be written, for the store with --store",
    errno.EACCES: "name a place that you may read and write",
    errno.EPERM: "name a place that you may read and write",
    errno.EIO: "the disk fails: copy the store away and name the copy with --store",
    errno.ENOLCK: "its file system has no locks: keep the store on a local disk",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENAMETOOLONG: "choose a shorter name",
}
# DuckDB says these in words only.
_WORDS = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
    "Read-only file system": errno.EROFS,
    "Permission denied": errno.EACCES,
    "No locks available": errno.ENOLCK,
    "Input/output error": errno.EIO,
}
_MEMORY = "out of memory; end other programs, or ask for less at once"


def machine_fault(error: BaseException) -> str | None:
    """What is wrong with the machine and what mends it; None where the fault is the program's."""
    if isinstance(error, MemoryError):
        return _MEMORY
    if isinstance(error, OSError) and error.errno in _CURES:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}; {_CURES[error.errno]}"
    if not type(error).__module__.startswith(("duckdb", "_duckdb")):
        return None
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    for words, number in _WORDS.items():
        if words in text:
            return f"the store: {text}; {_CURES[number]}"
    if type(error).__name__ == "OutOfMemoryException":
        return f"the store: {text}; {_MEMORY}"
    return None
