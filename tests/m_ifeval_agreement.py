"""Compares our verdicts with those that M-IFEval published for six models' answers.

`python -m tests.m_ifeval_agreement` prints the agreement and every disagreement.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.items.m_ifeval import load_m_ifeval
from harness.scoring.constraints import verdicts
from tests.shared_data import find_shared

Mode = Literal["strict", "loose"]


@dataclass(frozen=True)
class Comparison:
    """One published verdict on one instruction, and ours."""

    model: str
    mode: Mode
    item: str
    id: str
    published: bool
    ours: bool


def compare_all(folder: Path) -> list[Comparison]:
    items = load_m_ifeval(folder / "ja_input_data.jsonl")
    found: list[Comparison] = []
    for path in sorted((folder / "ja_responses").glob("*.jsonl")):
        answers = {row["prompt"]: row["response"] for row in _rows(path)}
        published: dict[Mode, list[Any]] = {
            "strict": _rows(folder / "ja_verdicts" / f"{path.stem}.strict.jsonl"),
            "loose": _rows(folder / "ja_verdicts" / f"{path.stem}.loose.jsonl"),
        }
        for position, item in enumerate(items):
            ours = verdicts(item.constraints, answers[item.turns[0]])
            for mode, rows in published.items():
                row = rows[position]
                assert row["instruction_id_list"] == [one.id for one in ours]
                for verdict, theirs in zip(ours, row["follow_instruction_list"], strict=True):
                    mine = verdict.strict if mode == "strict" else verdict.loose
                    found.append(Comparison(path.stem, mode, item.id, verdict.id, theirs, mine))
    return found


def agreement(found: list[Comparison], mode: Mode) -> tuple[int, int]:
    """How many verdicts of a mode agree, and how many there are."""
    chosen = [one for one in found if one.mode == mode]
    return sum(one.ours == one.published for one in chosen), len(chosen)


def _rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> int:
    folder = find_shared("m-ifeval")
    if folder is None:
        print("no m-ifeval here; HARNESS_SHARED_DATA names the folder that holds it")
        return 3
    found = compare_all(folder)
    modes: tuple[Mode, ...] = ("strict", "loose")
    for mode in modes:
        agree, every = agreement(found, mode)
        print(f"{mode}: {agree} of {every} instructions agree, {agree / every:.2%}")
    for one in found:
        if one.ours != one.published:
            print(
                f"{one.mode}: {one.model} {one.item} {one.id}: published {one.published}, "
                f"ours {one.ours}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
