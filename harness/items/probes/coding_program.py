"""What coding probes share: programs written in canonical names, how those are renamed, and the
formats of their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.items.probes.family import Draw, Problem
from harness.items.schema import FormatRule, Metric

# Canonical names by what they hold, and what a program may call them. The pools share no name.
_POOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("xyz", ("x", "y", "z", "p", "q", "r", "total", "score", "price", "point", "result", "num")),
    ("st", ("s", "t", "word", "text", "msg", "label")),
    ("ab", ("a", "b", "nums", "data", "items", "values")),
    ("d", ("d", "stock", "table", "memo")),
    ("fg", ("f", "g", "calc", "func", "step", "solve")),
    ("nm", ("n", "m", "k", "u", "v")),
    ("ij", ("i", "j")),
    ("c", ("c", "ch")),
)
# A text in quotes is no name, whatever it holds.
_NAME = re.compile(r'"[^"\n]*"|\b[xyzstabdfgnmijc]\b')

INTEGER = FormatRule("integer")
# What a program prints on one line, without blanks: ASCII signs or kana.
PRINTED = FormatRule("pattern", pattern="[!-~ぁ-ゖー]+")
# A list as Python prints it, or without the blanks. Brackets are no part of what a pattern finds
# in a sentence, so it is a span.
PRINTED_LIST = FormatRule("span", max_chars=40)
TRUTH = FormatRule("choice", labels=("True", "False"))


@dataclass(frozen=True)
class Traced:
    """A program in canonical names, and what is asked about it.

    answer  computed from the drawn numbers, not by running the program
    asked   the variable whose value is asked, or the 1-based line; empty for the output
    """

    program: str
    answer: str | int | bool | list[int]
    asked: str = ""


def renaming(draw: Draw) -> dict[str, str]:
    """A name for every canonical one, different ones for different ones."""
    names: dict[str, str] = {}
    for canonical, pool in _POOLS:
        names |= zip(canonical, draw.sample(pool, len(canonical)), strict=True)
    return names


def renamed(program: str, names: Mapping[str, str]) -> str:
    return _NAME.sub(lambda match: names.get(match[0], match[0]), program)


def numbered(program: str) -> str:
    """The program with its line numbers: `1: x = 3`."""
    return "\n".join(f"{n}: {line}" for n, line in enumerate(program.split("\n"), 1))


def traced_problem(
    draw: Draw, kind: str, traced: Traced, rule: FormatRule, *, lines: bool = False
) -> Problem:
    """The problem of a traced program. Its content is the program in canonical names, so that
    other names make no other problem. `lines` shows line numbers."""
    names = renaming(draw)
    program = renamed(traced.program, names)
    metric: Metric = "number" if rule.kind == "integer" else "exact"
    answer = str(traced.answer)
    narrow = answer.replace(" ", "") if rule is PRINTED_LIST else answer
    return Problem(
        slots={
            "program": numbered(program) if lines else program,
            "asked": names.get(traced.asked, traced.asked),
        },
        content=f"{kind}|{traced.asked}|{traced.program}",
        answer=answer,
        format=rule,
        metric=metric,
        accept=(narrow,) if narrow != answer else (),
    )
