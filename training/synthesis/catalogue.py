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
            "problems of the probe families, bare or worked out",
        ),
        Entry(
            "drill",
            1,
            "training.synthesis.drills:drill",
            False,
            "answers in exactly the form that is asked for",
        ),
        Entry(
            "premise_change",
            1,
            "training.synthesis.premises:premise_change",
            False,
            "two turns of a family, of which the second changes a premise",
        ),
        Entry(
            "code_program",
            1,
            "training.synthesis.code_problems:code_program",
            False,
            "small functions to write, with hidden tests",
        ),
        Entry(
            "facts",
            1,
            "training.synthesis.facts:facts",
            False,
            "triples asked from either side",
        ),
        Entry(
            "written",
            1,
            "training.synthesis.written:written",
            True,
            "questions from personas, and their answers",
        ),
        Entry(
            "dialogue",
            1,
            "training.synthesis.dialogues:dialogue",
            True,
            "two turns, of which the second changes a premise",
        ),
        Entry(
            "evolve",
            1,
            "training.synthesis.evolve:evolve",
            True,
            "questions made harder, narrower or rarer",
        ),
        Entry(
            "back_translate",
            1,
            "training.synthesis.back_translate:back_translate",
            True,
            "the problem that a function solves, solved anew",
        ),
        Entry(
            "rewrite",
            1,
            "training.synthesis.rewrite:rewrite",
            True,
            "a document's facts in many styles and both directions",
        ),
    )
}

# Skills of `code_program` that no probe family has.
_WRITTEN_PROGRAMS = ("coding/number",)
# Settings that one generator alone has a use for.
_TOLD_BY = {
    "shapes": "drill",
    "triples": "facts",
    "documents": "rewrite",
    "code": "back_translate",
    "seeds": "evolve",
}


def choose(line: Line, teacher: bool) -> Entry:
    """The generator of a line. `teacher`: whether there is one.

    The one that the line names; else the one that its settings are for; else `program`, where a
    probe family has its skill or genre; else `written`.

    Raises HarnessError for an unknown name, a generator that needs the teacher there is not, and a
    line that nothing can make.
    """
    what = f"{line.genre} {line.skill}".strip()
    if line.generator == "pairs":
        raise HarnessError(
            f"the plan's line {what}: pairs are answers of the student; `harness synthesize pairs "
            "PLAN.yaml --student CHECKPOINT` makes them"
        )
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
    for setting, name in _TOLD_BY.items():
        if setting in line.settings:
            return GENERATORS[name]
    if line.genre in PROBE_GENRES and line.skill in ("", *_families()):
        return GENERATORS["program"]
    if line.skill in _WRITTEN_PROGRAMS:
        return GENERATORS["code_program"]
    return GENERATORS["written"] if teacher else None


@cache
def _families() -> frozenset[str]:
    from harness.items.probes.catalogue import FAMILIES

    return frozenset(family.name for family in FAMILIES)


@cache
def generator(name: str) -> Generator:
    """The function behind a name of the table."""
    module, _, function = GENERATORS[name].place.partition(":")
    return cast(Generator, getattr(importlib.import_module(module), function))
