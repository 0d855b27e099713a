"""Which checkpoints of a run's directory are complete and at rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from harness.checkpoint import Checkpoint, discover, step_children
from harness.errors import HarnessError

# (name, bytes, time of the last change in ns) of each file.
Signature = tuple[tuple[str, int, int], ...]


def complete_checkpoints(
    run: Path,
    *,
    settle: float = 5.0,
    allow_pickle: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[Checkpoint], dict[Path, str]]:
    """The run's complete checkpoints by step, and why each other one is not.

    Complete means: every check of `discover` passes (no tensor is cut off, index and shards agree,
    the tokenizer is there and fits), and no file changed its name, size or time within `settle`
    seconds.

    Raises HarnessError where the directory is missing or a file.
    """
    if not run.is_dir():
        raise HarnessError(f"{run}: no such directory; give a run's directory")
    children = step_children(run.resolve())
    before = {directory: signature(directory) for _, directory in children}
    found: list[Checkpoint] = []
    waiting: dict[Path, str] = {}
    for _, directory in children:
        try:
            (checkpoint,) = discover(str(directory), allow_pickle=allow_pickle)
            if checkpoint.step is not None:
                found.append(checkpoint)
        except HarnessError as error:
            waiting[directory] = str(error)
        except (OSError, ValueError) as error:
            # It was moved or written while it was read.
            waiting[directory] = str(error)
    fresh = [one for one in found if one.path is not None and _age(before[one.path]) < settle]
    if fresh:
        sleep(settle)
        for one in fresh:
            assert one.path is not None
            if signature(one.path) != before[one.path]:
                found.remove(one)
                waiting[one.path] = "it is still being written"
    return sorted(found, key=lambda one: one.step or 0), waiting


def signature(directory: Path) -> Signature:
    """(name, bytes, time of change in ns) of every file below a directory."""
    rows = []
    for path in sorted(directory.rglob("*")):
        try:
            status = path.stat()
        except OSError:
            continue
        if path.is_file():
            # The change time too: a copy may set the modification time back.
            changed = max(status.st_mtime_ns, status.st_ctime_ns)
            rows.append((str(path.relative_to(directory)), status.st_size, changed))
    return tuple(rows)


def _age(files: Signature) -> float:
    """Seconds since the last change."""
    return time.time() - max((changed for _, _, changed in files), default=0) / 1e9
