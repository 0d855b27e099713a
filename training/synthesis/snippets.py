"""Functions to write problems for: those of a file, or generated ones with inputs that try them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.items.jsonl import LineError, decode, json_object, numbered_lines, raise_faults
from harness.items.schema import content_hash
from training.synthesis.personas import data

# Calls that a generated function is tried with.
INPUTS = 10
_LETTERS = "abcdeghiklmnorstu"


@dataclass(frozen=True)
class Snippet:
    """A function, and the arguments of the calls by which its behaviour is known."""

    code: str
    entry_point: str
    inputs: tuple[tuple[Any, ...], ...]

    @cached_property
    def id(self) -> str:
        return content_hash([self.code, self.entry_point, self.inputs])


def generated(draw: random.Random) -> Snippet:
    """One of the functions of data/snippets.yaml, with numbers and inputs drawn."""
    raw = data("snippets")
    chosen = draw.choice(raw["snippets"])
    numbers = {name: draw.randint(*bounds) for name, bounds in raw["numbers"].items()}
    drawers = [_ARGUMENTS[kind] for kind in chosen["arguments"]]
    # The smallest inputs first: what a problem must say of empty lists is seen there.
    sizes = [0, 1, *(draw.randint(2, 8) for _ in range(INPUTS - 2))]
    inputs = tuple(tuple(one(draw, size) for one in drawers) for size in sizes)
    return Snippet(chosen["code"].format(**numbers), "solve", inputs)


def snippets_of(path: Path) -> tuple[Snippet, ...]:
    """The functions of a JSONL file with `code`, `entry_point` and `inputs` (a list of lists of
    arguments, three or more). Raises HarnessError that names the line of a fault."""
    return _load(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _load(path: Path, stamp: int) -> tuple[Snippet, ...]:
    found, faults = [], []
    for number, line in numbered_lines(path):
        try:
            found.append(_snippet(json_object(decode(line, number))))
        except LineError as fault:
            faults.append(f"{path}:{number}: {fault}")
    raise_faults(faults)
    if not found:
        raise HarnessError(f"{path}: holds no function, expected one JSON object a line")
    return tuple(found)


def _snippet(raw: dict[str, Any]) -> Snippet:
    code, name, inputs = raw.get("code"), raw.get("entry_point"), raw.get("inputs")
    if not isinstance(code, str) or not isinstance(name, str) or f"def {name}(" not in code:
        raise LineError("`code` does not define `entry_point`, expected a function and its name")
    if not isinstance(inputs, list) or not all(isinstance(one, list) for one in inputs):
        raise LineError("`inputs` is no list of lists, expected the arguments of each call")
    if len(inputs) < 3:
        raise LineError(f"{len(inputs)} `inputs`, expected the arguments of three calls or more")
    return Snippet(code, name, tuple(map(tuple, inputs)))


def _integers(draw: random.Random, size: int) -> list[int]:
    return [draw.randint(-5, 30) for _ in range(size)]


def _integer(draw: random.Random, size: int) -> int:
    return draw.randint(1, 60) if size else 0


def _text(draw: random.Random, size: int) -> str:
    return "".join(draw.choices(_LETTERS, k=2 * size))


def _words(draw: random.Random, size: int) -> list[str]:
    return ["".join(draw.choices(_LETTERS, k=draw.randint(1, 7))) for _ in range(size)]


def _pairs(draw: random.Random, size: int) -> list[list[Any]]:
    names = _words(draw, 3)
    return [[draw.choice(names), draw.randint(1, 30)] for _ in range(size)]


_ARGUMENTS: dict[str, Callable[[random.Random, int], Any]] = {
    "integers": _integers,
    "integer": _integer,
    "text": _text,
    "words": _words,
    "pairs": _pairs,
}
