"""The table of generators: what each is called, its version, and which one makes a line."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.schema import PROBE_GENRES
from training.synthesis.types import Generator


@dataclass(frozen=True)
class Entry:
    """One generator.

    version  raised whenever it can make another sample of the same order
    place    "module:function", imported when it is first used
    teacher  whether it asks one
    says     what it makes, one phrase
    """

    name: str
    version: int
    place: str
    teacher: bool
    says: str

    @property
    def id(self) -> str:
        return f"{self.name}@{self.version}"


GENERATORS: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "program",
            1,
            "training.synthesis.program:program",
            False,
            "problems of the probe families, from training templates and contents",
        ),
    )
}


def choose(line: Line, teacher: bool) -> Entry:
    """The generator of a line: the one that it names, else `program` where the genre has probe
    families. `teacher`: whether there is one.

    Raises HarnessError for an unknown name, a generator that needs the teacher there is not, and a
    line that nothing can make.
    """
    what = f"{line.genre} {line.skill}".strip()
    if line.generator and line.generator not in GENERATORS:
        raise HarnessError(
            f"the plan's line {what}: no generator {line.generator!r}; there are "
            f"{', '.join(GENERATORS)}"
        )
    entry = GENERATORS[line.generator] if line.generator else _fitting(line, teacher)
    if entry is None:
        raise HarnessError(
            f"the plan's line {what}: no program makes samples of this genre; name a teacher with "
            "--teacher, or take the line out"
        )
    if entry.teacher and not teacher:
        raise HarnessError(
            f"the plan's line {what}: generator {entry.name} needs a teacher; name one with "
            "--teacher"
        )
    return entry


def _fitting(line: Line, teacher: bool) -> Entry | None:
    return GENERATORS["program"] if line.genre in PROBE_GENRES else None


@cache
def generator(name: str) -> Generator:
    """The function behind a name of the table."""
    module, _, function = GENERATORS[name].place.partition(":")
    return cast(Generator, getattr(importlib.import_module(module), function))
