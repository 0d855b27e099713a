"""Goals: a score that a genre, dataset or skill is meant to reach, from a YAML file."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from harness.errors import HarnessError
from harness.yaml_file import Check, compose, entries, fault, is_number, mapping, read_text

_PATTERN: Check = (lambda v: isinstance(v, str) and bool(v), "a name, or a pattern with * and ?")
_TOP: dict[str, Check] = {
    "version": (lambda v: v == 1 and not isinstance(v, bool), "1"),
    "goals": (lambda v: isinstance(v, list) and bool(v), "a list of goals"),
}
_GOAL: dict[str, Check] = {
    "suite": _PATTERN,
    "genre": _PATTERN,
    "dataset": _PATTERN,
    "skill": _PATTERN,
    "goal": (
        lambda v: is_number(v) and 0 <= v <= 10,
        "the score to reach, in its own unit: 0 to 1 for shares, 1 to 10 for ratings",
    ),
}


@dataclass(frozen=True)
class Goal:
    """The score that the items matched are meant to reach, in its own unit.

    suite, genre, dataset, skill  patterns with * and ?
    """

    goal: float
    suite: str = "*"
    genre: str = "*"
    dataset: str = "*"
    skill: str = "*"

    def matches(self, suite: str, genre: str, dataset: str, skill: str) -> bool:
        return (
            fnmatchcase(suite, self.suite)
            and fnmatchcase(genre, self.genre)
            and fnmatchcase(dataset, self.dataset)
            and fnmatchcase(skill, self.skill)
        )


@dataclass(frozen=True)
class Goals:
    """Goals in order; of those that match an item, the last counts."""

    goals: tuple[Goal, ...]
    name: str = "goals"

    def goal(self, suite: str, genre: str, dataset: str, skill: str) -> float | None:
        """What an item is meant to reach on average, None where nothing is said of it."""
        for one in reversed(self.goals):
            if one.matches(suite, genre, dataset, skill):
                return one.goal
        return None


def load_goals(path: Path) -> Goals:
    """The goals in a file. Raises HarnessError `PATH:LINE: ...` for the first fault."""
    return read_goals(read_text(path, "the goals", "name another with --target"), str(path))


def read_goals(text: str, name: str) -> Goals:
    """The goals in a YAML text. Raises HarnessError `NAME:LINE: ...` for the first fault."""
    node = compose(text, name)
    if node is None:
        raise HarnessError(f"{name}:1: no goals in it; docs/gaps.md shows a file of goals")
    top = mapping(node, name, _TOP, "a file of goals")
    for owed in ("version", "goals"):
        if owed not in top:
            fault(name, node, f"a file of goals states `{owed}`: add it")
    return Goals(tuple(_goal(entry, name) for entry in entries(node, "goals")), name)


def _goal(node: yaml.Node, name: str) -> Goal:
    found: dict[str, Any] = mapping(node, name, _GOAL, "a goal")
    if "goal" not in found:
        fault(name, node, "a goal says what is to be reached: add `goal: 0.8`")
    return Goal(**found | {"goal": float(found["goal"])})
