"""Preference pairs of a plan's lines, from the student's own answers: a round of its own, which
finds its replies in the journal where it was stopped."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import HarnessError
from harness.gaps.plan import Line, Plan
from harness.items.schema import content_hash
from training.synthesis.asking import Asking, BudgetSpentError
from training.synthesis.lineage import Round, read_round
from training.synthesis.pairs import NAME, length_bias, preference_pairs
from training.synthesis.screening import CONTAMINATION, DUPLICATES, Screen
from training.synthesis.shards import LINEAGE, file_hash, replace_text, write_pairs
from training.synthesis.types import Ask, Dropped, Order, Pair

GENERATOR = "pairs"
SHARD = "pairs-00000.parquet"

# Pairs kept, pairs wanted.
Report = Callable[[int, int], None]


def pairs_home(output: Path, plan: Plan) -> Path:
    """The directory of a plan's pairs."""
    return output / f"pairs-{plan.round:04d}-{content_hash(plan)[:8]}"


def make_pairs(
    plan: Plan,
    output: Path,
    open_screen: Callable[[], Screen],
    asking: Asking,
    judge: Ask | None = None,
    chunk: int = 500,
    attempts: float = 10.0,
    report: Report = lambda kept, wanted: None,
) -> Round:
    """Makes as many pairs of each line as it wants samples, or as its attempts give. A line of the
    generator `pairs` or of none is made; others are for `synthesize`.

    asking  the student, whose own answers are chosen and rejected, never edited
    judge   rates answers to the `questions` of a line's settings

    No question of a pair may hold an evaluation item, and no question is taken twice. Answers are
    neither filtered nor compared: a bad one is what a pair is for. Raises HarnessError where no
    line is for pairs, and as `preference_pairs` does.
    """
    lines = [line for line in plan.lines if line.generator in ("", GENERATOR) and line.samples]
    if not lines:
        raise HarnessError(
            f"the plan of round {plan.round} has no line for pairs; give one `generator: pairs`"
        )
    home = pairs_home(output, plan)
    if (home / LINEAGE).is_file() and (found := read_round(home)).complete:
        return found
    home.mkdir(parents=True, exist_ok=True)
    screen = open_screen()
    pairs: list[Pair] = []
    rows: list[dict[str, Any]] = []
    stopped = ""
    wanted = sum(line.samples for line in lines)
    for line in lines:
        done: list[Pair] = []
        dropped: Counter[str] = Counter()
        start, limit = 0, math.ceil(attempts * line.samples)
        while len(done) < line.samples and start < limit and not stopped:
            count = min(chunk, limit - start, max(16, 2 * (line.samples - len(done))))
            order = Order(line, plan.seed, start, count)
            student = asking.teacher.about.identity
            try:
                made = list(preference_pairs(order, asking, student, judge))
            except BudgetSpentError as spent:
                stopped = str(spent)
                break
            for one in _screened(screen, made, line.samples - len(done)):
                if isinstance(one, Pair):
                    done.append(one)
                else:
                    dropped[one.stage] += 1
            start += count
            report(len(pairs) + len(done), wanted)
        pairs += done
        rows.append(_row(line, done, dropped))
    return _write(home, plan, asking, screen, pairs, rows, stopped)


def _screened(screen: Screen, made: Sequence[Pair | Dropped], wanted: int) -> list[Pair | Dropped]:
    """The fates of candidates up to the last pair that is wanted."""
    questions = ["\n".join(one.content for one in pair.messages) for pair in _pairs(made)]
    reasons = iter(screen.decontaminate(questions) if questions else ())
    texts = iter(questions)
    fates: list[Pair | Dropped] = []
    kept = 0
    for one in made:
        if kept == wanted:
            break
        if isinstance(one, Pair):
            reason, text = next(reasons), next(texts)
            if reason is not None:
                one = Dropped(CONTAMINATION, reason, text)
            elif screen.index.admit([text], [1.0])[0] is not None:
                one = Dropped(DUPLICATES, "asked before", text)
            else:
                kept += 1
        fates.append(one)
    return fates


def _pairs(made: Sequence[Pair | Dropped]) -> list[Pair]:
    return [one for one in made if isinstance(one, Pair)]


def _row(line: Line, done: Sequence[Pair], dropped: Counter[str]) -> dict[str, Any]:
    tried = len(done) + dropped.total()
    return {
        "genre": line.genre,
        "skill": line.skill,
        "level": line.level,
        "generator": NAME,
        "wanted": line.samples,
        "tried": tried,
        "kept": len(done),
        "dropped": dict(sorted(dropped.items())),
    }


def _write(
    home: Path,
    plan: Plan,
    asking: Asking,
    screen: Screen,
    pairs: Sequence[Pair],
    rows: Sequence[dict[str, Any]],
    stopped: str,
) -> Round:
    student = asking.teacher.about
    about = {
        "round": plan.round,
        "seed": plan.seed,
        "plan": content_hash(plan),
        "student": student.to_dict(),
        "policy": plan.policy,
        "harness": __version__,
        "generators": [NAME],
        "evalsets": dict(screen.evalsets),
        "counts": {
            "wanted": sum(row["wanted"] for row in rows),
            "tried": sum(row["tried"] for row in rows),
            "kept": len(pairs),
        },
        "length_bias": asdict(length_bias(pairs)),
    }
    write_pairs(home / SHARD, pairs, about)
    lineage = {
        **about,
        "lines": list(rows),
        "complete": not stopped,
        "stopped": stopped,
        "spent": asdict(asking.spent),
        "shards": [
            {"file": SHARD, "rows": len(pairs), "sha256": file_hash(home / SHARD)},
        ],
    }
    text = json.dumps(lineage, ensure_ascii=False, indent=2)
    replace_text(home / LINEAGE, text + "\n")
    return Round(home, json.loads(text))
