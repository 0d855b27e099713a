"""A finished round: its shards, and `lineage.json`, which says where every sample comes from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import HarnessError
from harness.gaps.plan import Plan
from harness.items.schema import content_hash
from training.synthesis.asking import Spent
from training.synthesis.screening import Close
from training.synthesis.shards import LINEAGE, Row, file_hash, replace_text, write_shard
from training.synthesis.teachers import About
from training.synthesis.work import EXAMPLES, LineState, Work

# Rows of one shard: some 50 MB of dialogues.
ROWS = 50_000
PROGRAM = "program"


@dataclass(frozen=True)
class Made:
    """What a run has made of a plan.

    states      how far each line is;  generators  of each line
    filters     what every kept sample has passed, in order
    evalsets    items of each evalset that samples were compared with
    earlier     rounds whose samples the near-duplicates were looked for in, too
    closest     kept samples most like another, or like an evaluation item, as far as this run saw
    stopped     why it ended before its time; "" where it did not
    """

    plan: Plan
    states: tuple[LineState, ...]
    generators: tuple[str, ...]
    filters: tuple[str, ...]
    evalsets: Mapping[str, int]
    earlier: tuple[str, ...]
    teacher: About | None
    spent: Spent | None
    closest: tuple[Close, ...]
    stopped: str


@dataclass(frozen=True)
class Round:
    """A round that stands in its directory; `lineage` is what its lineage.json says."""

    home: Path
    lineage: Mapping[str, Any]

    @property
    def complete(self) -> bool:
        """Whether all lines are over; else the same command goes on."""
        return bool(self.lineage["complete"])

    @property
    def shards(self) -> tuple[Path, ...]:
        return tuple(self.home / one["file"] for one in self.lineage["shards"])


def read_round(home: Path) -> Round:
    """Raises HarnessError where the directory holds no round."""
    path = home / LINEAGE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HarnessError(
            f"{home}: no {LINEAGE}; expected the directory of a round that "
            "`harness synthesize` has made"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{path}: cannot be read ({error}); make the round again") from None
    if not isinstance(found, dict):
        raise HarnessError(f"{path}: says nothing of a round; make the round again")
    return Round(home, found)


def write_round(home: Path, made: Made, work: Work) -> Round:
    """Writes shards, one or more for each teacher and for programs, then `lineage.json`; removes
    the unfinished work where no line is owed any more."""
    about = _about(made)
    shards = []
    teachers = [""] if made.teacher is None else ["", made.teacher.name]
    for teacher in teachers:
        rows = (row for row in work.rows() if row.sample.origin.teacher == teacher)
        shards += _write_shards(home, teacher, rows, about)
    for path in home.glob("*.parquet"):  # of a run that stopped before
        if path.name not in {one["file"] for one in shards}:
            path.unlink()
    lineage = {
        **about,
        "lines": [
            {
                "genre": line.genre,
                "skill": line.skill,
                "level": line.level,
                "purpose": line.purpose,
                "generator": generator,
                "wanted": line.samples,
                "tried": state.tried,
                "kept": state.kept,
                "dropped": dict(sorted(state.dropped.items())),
                "ended": state.ended or ("stopped" if line.samples else "met"),
            }
            for line, state, generator in zip(
                made.plan.lines, made.states, made.generators, strict=True
            )
        ],
        "examples": _examples(made),
        "closest": [asdict(one) for one in made.closest],
        "complete": not made.stopped,
        "stopped": made.stopped,
        "seconds": round(sum(state.seconds for state in made.states), 3),
        "spent": None if made.spent is None else asdict(made.spent),
        "shards": shards,
    }
    text = json.dumps(lineage, ensure_ascii=False, indent=2)
    replace_text(home / LINEAGE, text + "\n")
    if not made.stopped:
        work.remove()
    return Round(home, json.loads(text))


def _about(made: Made) -> dict[str, Any]:
    """What every shard of the round carries: all of it decided by what was made, none by when."""
    plan, teacher = made.plan, made.teacher
    dropped: Counter[str] = Counter()
    for state in made.states:
        dropped.update(state.dropped)
    return {
        "round": plan.round,
        "seed": plan.seed,
        "plan": content_hash(plan),
        "student": plan.student,
        "fingerprint": plan.fingerprint,
        "target": plan.target,
        "policy": plan.policy,
        "harness": __version__,
        "generators": sorted(set(made.generators)),
        "filters": list(made.filters),
        "evalsets": dict(made.evalsets),
        "earlier": list(made.earlier),
        "teacher": None if teacher is None else teacher.to_dict(),
        "counts": {
            "wanted": plan.samples,
            "tried": sum(state.tried for state in made.states),
            "kept": sum(state.kept for state in made.states),
            "dropped": dict(sorted(dropped.items())),
        },
    }


def _examples(made: Made) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for state in made.states:
        for stage, shown in state.examples.items():
            found.setdefault(stage, []).extend(shown)
    return {stage: found[stage][:EXAMPLES] for stage in sorted(found)}


def _write_shards(
    home: Path, teacher: str, rows: Iterator[Row], about: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Shards of one teacher ("" for programs), each with its licence in its own file too."""
    licence = about["teacher"]["licence"] if teacher else None
    kind = "teacher" if teacher else PROGRAM
    shards: list[dict[str, Any]] = []
    while batch := list(islice(rows, ROWS)):
        path = home / f"{kind}-{len(shards):05d}.parquet"
        own = {"rows": len(batch), "written-by": teacher or PROGRAM, "licence": licence}
        write_shard(path, batch, {**about, **own})
        shards.append({"file": path.name, "sha256": file_hash(path), **own})
    return shards
