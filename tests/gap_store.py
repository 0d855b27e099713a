"""Made-up students and targets for tests of gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main as entry
from tests.comparison_store import MadeItem, MadeScores

# Of 40 items the student lost 9 and gained 1: a gap of 20 points.
TARGET = [1] * 9 + [0] + [1] * 20 + [0] * 10
STUDENT = [0] * 9 + [1] + [1] * 20 + [0] * 10
# 40 other items on which both are alike.
SAME = [1] * 20 + [0] * 20
BUY = "1個120円のりんごを8個買いました。代金は何円ですか。"


def graded(
    values: Sequence[float | Sequence[float | None]],
    genre: str = "math",
    skills: Sequence[str] = ("math/buy", "math/share"),
    levels: int = 2,
    **more: Any,
) -> dict[MadeItem, list[float | None]]:
    """Items of several skills and levels in turn; a value, or the values of several samples."""
    found: dict[MadeItem, list[float | None]] = {}
    for number, value in enumerate(values):
        item = MadeItem(
            f"{genre}/{number:03d}",
            genre,
            skill=skills[number % len(skills)] if skills else "",
            level=1 + number // max(1, len(skills)) % levels if levels else None,
            **more,
        )
        found[item] = list(value) if isinstance(value, Sequence) else [value]
    return found


def strict(name: str, *parts: dict[MadeItem, list[float | None]], **more: Any) -> MadeScores:
    """An evaluation of several genres under the strict metric."""
    return MadeScores(name, {"strict": {k: v for part in parts for k, v in part.items()}}, **more)


def pair_of_genres() -> tuple[MadeScores, MadeScores]:
    """(student, target): 20 points apart in math, alike in reasoning."""
    same = graded(SAME, "reasoning", ("reasoning/order",), 0)
    return (
        strict("student", graded(STUDENT), same, run="run", step=300),
        strict("target", graded(TARGET), same),
    )


def command(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs `harness gaps` on a store in this process: (exit status, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "140")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["harness", "gaps", *arguments, "--store", str(store)])
        with pytest.raises(SystemExit) as end:
            entry.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run
