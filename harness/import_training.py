"""Takes a run's `training_log.jsonl` into the store: again and again, as the run goes on.

Each line is one JSON object with a `step`. Neighbouring lines of one step are read together; of two
entries of one name the later counts. A line of an earlier step than the line before it takes back
what was said of that step and later ones: the run was resumed or rolled back. What a kill left torn
is passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.store.training import LogLine, TrainingCurves, put_curves

NAME = "training_log.jsonl"
_WHOLE, _TEXT = {"step", "tokens_seen"}, {"phase", "event"}
_KNOWN = {one.name for one in fields(LogLine)}


@dataclass(frozen=True)
class ImportedLog:
    """What was taken in: lines by step, how many were new or changed, and torn lines."""

    run: str
    lines: int
    new: int
    torn: int


def import_training(directory: Path, *, store: Path, run: str | None = None) -> ImportedLog:
    """Takes in the log of the run at `directory`; importing it again adds what is new.

    run  whose log it is [the directory's name]

    Raises HarnessError where there is no log, or a line is complete and no entry of one.
    """
    path = directory / NAME
    if not path.is_file():
        raise HarnessError(
            f"{directory}: holds no {NAME}, which a run of `harness train` writes; name its "
            "directory"
        )
    name = run or directory.resolve().name
    curves, torn = read_log(path, name)
    return ImportedLog(name, len(curves.lines), put_curves(store, curves), torn)


def read_log(path: Path, run: str) -> tuple[TrainingCurves, int]:
    """A log's curves, and how many torn lines it holds."""
    entries: list[tuple[int, dict[str, Any]]] = []
    torn = 0
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            json.dumps(entry, ensure_ascii=False).encode()  # whole characters
        except (ValueError, RecursionError):
            torn += 1
            continue
        entries.append((number, _checked(entry, f"{path}:{number}")))
    return _curves(run, (entry for _, entry in entries)), torn


def _curves(run: str, entries: Iterable[Mapping[str, Any]]) -> TrainingCurves:
    merged: list[dict[str, Any]] = []
    for entry in entries:
        step = entry["step"]
        while merged and merged[-1]["step"] > step:
            merged.pop()
        if merged and merged[-1]["step"] == step:
            losses = {**merged[-1].get("genre_losses", {}), **entry.get("genre_losses", {})}
            merged[-1] |= {**entry, "genre_losses": losses}
        else:
            merged.append(dict(entry))
    by_genre: dict[str, list[tuple[int, float]]] = {}
    for entry in merged:
        for genre, loss in entry.get("genre_losses", {}).items():
            by_genre.setdefault(genre, []).append((entry["step"], loss))
    lines = (
        LogLine(**{name: value for name, value in entry.items() if name in _KNOWN})
        for entry in merged
    )
    return TrainingCurves(run, tuple(lines), {name: tuple(one) for name, one in by_genre.items()})


# Of the store's integers.
_LARGEST = 2**63 - 1


def _checked(entry: Any, place: str) -> dict[str, Any]:
    """The entry's known parts, each of its type; what is no finite number is left out."""
    if not isinstance(entry, dict) or not _is_whole(entry.get("step")):
        raise HarnessError(
            f"{place}: expected an object with a whole `step`, 0 or more; the log was changed by "
            "hand"
        )
    found: dict[str, Any] = {}
    for name in _KNOWN:
        value = entry.get(name)
        if value is None:
            continue
        fits = (
            _is_whole(value)
            if name in _WHOLE
            else isinstance(value, str)
            if name in _TEXT
            else _is_number(value)
        )
        if not fits:
            raise HarnessError(f"{place}: {name} is {value!r}; the log was changed by hand")
        if name in _WHOLE or name in _TEXT or math.isfinite(value):
            found[name] = value if name in _WHOLE or name in _TEXT else float(value)
    losses = entry.get("genre_losses") or {}
    if not isinstance(losses, dict) or not all(map(_is_number, losses.values())):
        raise HarnessError(f"{place}: genre_losses is no object of numbers; correct it")
    known = {str(name): float(loss) for name, loss in losses.items() if math.isfinite(loss)}
    return {**found, "genre_losses": known} if known else found


def _is_number(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, float) or (whole and abs(value) <= _LARGEST)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
