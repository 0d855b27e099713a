"""Identity by content: the SHA-256 of a checkpoint, with large files hashed once and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.checkpoint_files import CheckpointFiles, read_json
from harness.errors import HarnessError
from harness.items.schema import content_hash

# (file, bytes hashed so far, bytes in all)
Progress = Callable[[Path, int, int], None]

_CHUNK = 8 * 1024 * 1024
_REMEMBERED = 10_000
# Entries of JSON files that say where or by what a model was saved, not what it computes.
_VOLATILE = {"_name_or_path", "name_or_path", "transformers_version", "_from_model_config"}
_ALSO = ("generation_config.json", "chat_template.jinja", "chat_template.json")


def default_cache() -> Path:
    """`fingerprints.json` in the user's cache directory (XDG_CACHE_HOME or ~/.cache)."""
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "harness" / "fingerprints.json"


def fingerprint(
    files: CheckpointFiles, *, cache: Path | None = None, progress: Progress | None = None
) -> str:
    """SHA-256 (hex) of all that decides a checkpoint's answers: config and generation config
    (without `_name_or_path` and library versions), tokenizer, chat template and weights, each
    under its file name. Place, directory name and time do not count, so a copy is the same
    checkpoint.

    Weight files are remembered in `cache` by (real path, size, mtime in ns): a file whose bytes
    were changed while all three were put back is the one change that goes unseen.
    """
    content: dict[str, Any] = {"config.json": _lasting(files.config)}
    for name, path in _small(files).items():
        if path.name in ("generation_config.json", "tokenizer_config.json"):
            content[name] = _lasting(read_json(path))
        else:
            content[name] = _sha256(path, None)
    digests = file_digests(files.weights, cache=cache, progress=progress)
    content |= {path.name: digest for path, digest in digests.items()}
    return content_hash(content)


def covered(files: CheckpointFiles) -> list[Path]:
    """The files whose content a fingerprint covers."""
    return [files.directory / "config.json", *_small(files).values(), *files.weights]


def _small(files: CheckpointFiles) -> dict[str, Path]:
    """Everything but config and weights, by the name under which it counts."""
    directory = files.directory
    small = {path.name: path for path in files.tokenizer}
    small |= {name: directory / name for name in _ALSO if (directory / name).is_file()}
    extra_templates = directory / "additional_chat_templates"
    if extra_templates.is_dir():
        small |= {f"{extra_templates.name}/{p.name}": p for p in extra_templates.glob("*.jinja")}
    return small


def file_digests(
    paths: Iterable[Path], *, cache: Path | None = None, progress: Progress | None = None
) -> dict[Path, str]:
    """SHA-256 (hex) of each file, read only where the cache does not know it.

    The cache is a convenience: when it is damaged, cannot be written, or another process replaces
    it at the same moment, a file is hashed once more and nothing else happens.
    """
    cache = cache or default_cache()
    known = _read_cache(cache)
    digests: dict[Path, str] = {}
    fresh: dict[str, list[Any]] = {}
    for path in paths:
        place = str(path.resolve())
        before = path.stat()
        entry = known.get(place)
        if entry is not None and entry[:2] == [before.st_size, before.st_mtime_ns]:
            digests[path] = entry[2]
            continue
        digests[path] = _sha256(path, progress)
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise HarnessError(f"{path} changed while it was read; wait until it is written")
        # A write within the clock's grain of the last one would leave mtime as it is, so a file
        # that was just written is not remembered yet.
        if time.time_ns() - after.st_mtime_ns > 2_000_000_000:
            fresh[place] = [after.st_size, after.st_mtime_ns, digests[path]]
    if fresh:
        _write_cache(cache, fresh)
    return digests


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(entry) for key, entry in value.items() if key not in _VOLATILE}
    return [_lasting(entry) for entry in value] if isinstance(value, list) else value


def _sha256(path: Path, progress: Progress | None) -> str:
    digest = hashlib.sha256()
    try:
        total = path.stat().st_size
        done = 0
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(path, done, total)
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _read_cache(cache: Path) -> dict[str, list[Any]]:
    try:
        stored = json.loads(cache.read_bytes())
        entries = stored["sha256"] if stored["version"] == 1 else {}
        return {
            place: entry
            for place, entry in entries.items()
            if len(entry) == 3
            and isinstance(entry[2], str)
            and len(entry[2]) == 64
            and isinstance(entry[0], int)
            and isinstance(entry[1], int)
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write_cache(cache: Path, fresh: dict[str, list[Any]]) -> None:
    # Read again at the last moment to keep what another process added meanwhile.
    entries = {**_read_cache(cache), **fresh}
    entries = dict(list(entries.items())[-_REMEMBERED:])
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache.parent, prefix=f".{cache.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"version": 1, "sha256": entries}, file)
            Path(name).replace(cache)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
