"""The plan as a YAML file that a person reads, edits and approves before anything is generated."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import yaml

from harness.errors import HarnessError
from harness.gaps.plan import Line, Plan, Purpose
from harness.yaml_file import Check, compose, entries, fault, is_whole, mapping, read_text

VERSION = 1
# The last column of a comment.
_WIDE = 98

_TEXT: Check = (lambda v: isinstance(v, str), "a text, quoted where it looks like a number")
_NAME: Check = (lambda v: isinstance(v, str) and bool(v.strip()), "a text that is not empty")
_TOP: dict[str, Check] = {
    "version": (lambda v: v == VERSION and not isinstance(v, bool), str(VERSION)),
    "student": _NAME,
    "fingerprint": _NAME,
    "target": _TEXT,
    "policy": _NAME,
    "round": (lambda v: is_whole(v, 1), "a whole number, 1 or more"),
    "seed": (is_whole, "a whole number, 0 or more"),
    "advice": (
        lambda v: isinstance(v, list) and all(isinstance(one, str) for one in v),
        "a list of sentences",
    ),
    "lines": (lambda v: isinstance(v, list), "a list of lines"),
}
_LINE: dict[str, Check] = {
    "genre": _NAME,
    "skill": _TEXT,
    "level": (
        lambda v: v is None or (is_whole(v, 1) and v <= 5),
        "a whole number from 1 to 5, or null for a skill that is not graded",
    ),
    "samples": (is_whole, "a whole number, 0 or more"),
    "purpose": (lambda v: v in get_args(Purpose), f"one of {', '.join(get_args(Purpose))}"),
    "generator": _TEXT,
    "settings": (
        lambda v: (
            isinstance(v, dict)
            and all(isinstance(part, str) for entry in v.items() for part in entry)
        ),
        "a mapping from names to texts, quoted where they look like numbers",
    ),
    "why": _TEXT,
}
_OWED = {"student", "fingerprint", "policy", "round", "seed", "lines"}

_HEADER = """\
Demand of round {round}: {samples:,} verified samples for {student},
measured against {target}; policy {policy}.

To be read before anything is generated. Change `samples`, add or remove lines (0 samples leave
a line out), name a `generator` or its `settings` where the choice should not be left to
synthesis. `samples` count what is left after all filters. `level` is 1 to 5, null for a skill
that is not graded; `skill: ""` is the whole genre. `why` and `advice` are for the reader only."""


def write_plan(path: Path, plan: Plan, *, replace: bool = False) -> None:
    """Writes a plan; the file appears whole or not at all.

    Raises HarnessError where the file is there already, unless `replace`, or can't be written.
    """
    try:
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(plan_text(plan))
            handle.flush()
            os.fsync(handle.fileno())
        Path(draft).chmod(0o644)
        if replace:
            Path(draft).replace(path)
        else:
            # A link, unlike a rename, never takes the place of a file.
            os.link(draft, path)
    except FileExistsError:
        raise HarnessError(
            f"{path}: is there already and may have been edited; name another file, or replace it "
            "with --force"
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        Path(draft).unlink(missing_ok=True)


def plan_text(plan: Plan) -> str:
    """A plan as YAML; `read_plan` gives the same plan back."""
    about = {
        "round": plan.round,
        "samples": plan.samples,
        "student": plan.student,
        "target": plan.target or "no target",
        "policy": plan.policy,
    }
    rows = [_comment(line) for line in _HEADER.format(**about).split("\n")]
    rows.append(f"version: {VERSION}")
    about_it = ("student", "fingerprint", "target", "policy", "round", "seed")
    rows += [f"{name}: {_scalar(getattr(plan, name))}" for name in about_it]
    rows.append("advice:" if plan.advice else "advice: []")
    rows += [f"  - {_scalar(sentence)}" for sentence in plan.advice]
    rows.append("lines:" if plan.lines else "lines: []")
    for line in plan.lines:
        rows += ["", *_line_rows(line)]
    return "\n".join(rows) + "\n"


def load_plan(path: Path) -> Plan:
    """The plan in a file. Raises HarnessError `PATH:LINE: ...` for the first fault."""
    text = read_text(path, "the plan", "`harness gaps CHECKPOINT --plan FILE` writes one")
    return read_plan(text, str(path))


def read_plan(text: str, name: str) -> Plan:
    """The plan in a YAML text. Raises HarnessError `NAME:LINE: ...` for the first fault: what is
    not YAML, an unknown or repeated setting, a value of another kind, a negative number of samples,
    a missing setting, two lines of the same demand."""
    node = compose(text, name)
    if node is None:
        raise HarnessError(f"{name}:1: an empty plan; `harness gaps CHECKPOINT --plan` writes one")
    top = mapping(node, name, _TOP, "a plan")
    if "version" not in top:
        fault(name, node, f"a plan states its version: add `version: {VERSION}`")
    if lacking := sorted(_OWED - set(top)):
        fault(name, node, f"the plan lacks {', '.join(lacking)}; add it")
    lines: list[Line] = []
    for entry in entries(node, "lines"):
        line = _line(entry, name)
        if any(_demand(line) == _demand(other) for other in lines):
            fault(name, entry, f"{_named(line)} stands twice; add their samples up in one line")
        lines.append(line)
    return Plan(
        student=top["student"],
        fingerprint=top["fingerprint"],
        target=top.get("target", ""),
        policy=top["policy"],
        round=top["round"],
        seed=top["seed"],
        lines=tuple(lines),
        advice=tuple(top.get("advice", ())),
    )


def _line(node: yaml.Node, name: str) -> Line:
    found = mapping(node, name, _LINE, "a line")
    for owed in ("genre", "samples"):
        if owed not in found:
            fault(name, node, f"a line says its {owed}: add `{owed}:`")
    return Line(
        genre=found["genre"],
        skill=found.get("skill", ""),
        level=found.get("level"),
        samples=found["samples"],
        purpose=found.get("purpose", "gap"),
        generator=found.get("generator", ""),
        settings=found.get("settings", {}),
        why=found.get("why", ""),
    )


def _demand(line: Line) -> tuple[object, ...]:
    """What makes two lines the same demand."""
    settings = tuple(sorted(line.settings.items()))
    return line.genre, line.skill, line.level, line.purpose, line.generator, settings


def _named(line: Line) -> str:
    level = "" if line.level is None else f" level {line.level}"
    return f"{line.skill or line.genre}{level} ({line.purpose})"


def _line_rows(line: Line) -> list[str]:
    rows = [f"genre: {_scalar(line.genre)}", f"skill: {_scalar(line.skill)}"]
    rows.append(f"level: {'null' if line.level is None else line.level}")
    rows.append(f"samples: {line.samples}")
    rows.append(f"purpose: {line.purpose}")
    if line.generator:
        rows.append(f"generator: {_scalar(line.generator)}")
    if line.settings:
        rows.append(f"settings: {_flow(line.settings)}")
    if line.why:
        rows.append(f"why: {_scalar(line.why)}")
    return [f"  - {rows[0]}", *(f"    {row}" for row in rows[1:])]


def _comment(line: str) -> str:
    return f"# {_printable(line)[: _WIDE - 2]}".rstrip()


def _printable(text: str) -> str:
    """A text that may stand in a comment: on one line, of characters that YAML allows."""
    return "".join(one if one.isprintable() else " " for one in text)


def _scalar(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    text: str = yaml.safe_dump(value, allow_unicode=True, default_style='"', width=float("inf"))
    return text.removesuffix("\n")


def _flow(settings: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_scalar(k)}: {_scalar(v)}" for k, v in settings.items()) + "}"


def _unwritable(path: Path, error: OSError) -> HarnessError:
    return HarnessError(
        f"{path}: cannot write the plan ({error.strerror or error}); name a file that can be "
        "written"
    )


def plan_values(plan: Plan) -> dict[str, Any]:
    """A plan as plain values, for JSON and for the store."""
    return asdict(plan) | {"samples": plan.samples}
