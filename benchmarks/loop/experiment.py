"""What the loop's experiments share: items for steering and for proof, asking them, raw results."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.loop.student import RARE, SUITE, UNTOUCHED, families
from harness.checkpoint import Checkpoint, discover
from harness.errors import HarnessError
from harness.gaps.goals import load_goals
from harness.gaps.measure import Gaps, measure_gaps
from harness.gaps.target import find_sides
from harness.items.probes.generate import evaluation_draw
from harness.items.schema import Item, content_hash
from harness.protocols.short_answer import ShortAnswer

STEERING, PROOF = "loop-steering", "loop-proof"
# Redraws that find a problem which no set holds yet.
_TRIES = 400


@dataclass(frozen=True)
class Sets:
    """The two sets of a seed; no problem, in whatever words, is in both."""

    steering: tuple[Item, ...]
    proof: tuple[Item, ...]


def draw_sets(seed: int, steering: int, proof: int) -> Sets:
    """`steering` items of each skill that steers, `proof` of each that is proven on, the untouched
    ones too; of rare skills, where gains are looked for, twice as many to prove on.

    Both come from the evaluation split, which shares no content with anything trained on, in
    templates that training may show. A problem is known by the canonical content of its draw (equal
    for 2+3 and 3+2), and each is used once.
    """
    used: set[str] = set()
    return Sets(
        tuple(_fresh(SUITE, f"{STEERING}/{seed}", {}, steering, used)),
        tuple(
            _fresh(
                (*SUITE, *UNTOUCHED),
                f"{PROOF}/{seed}",
                dict.fromkeys(RARE, 2 * proof),
                proof,
                used,
            )
        ),
    )


def _fresh(
    skills: Sequence[str], key: str, counts: Mapping[str, int], count: int, used: set[str]
) -> Iterator[Item]:
    """Items whose problems are not in `used`, into which they go. The templates are all that
    training shows and no sample of any others, so items of one are no cluster."""
    for family in families(skills):
        for index in range(counts.get(family.name, count)):
            for attempt in range(_TRIES):
                item, problem = evaluation_draw(family, 1, f"{key}/{index}/{attempt}")
                content = f"{family.name}: {problem.content}"
                if content not in used:
                    break
            else:
                raise HarnessError(f"{family.name} has only {index} problems left; ask for fewer")
            used.add(content)
            yield replace(item, id=f"{family.name}/{key}/{index}", cluster=None)


@dataclass(frozen=True)
class Asked:
    """An evaluation: by skill, the score of each item in the order of the set (mean over samples).

    strict   the answer as it stands is right;  lenient: the right answer is in it
    """

    checkpoint: Checkpoint
    strict: dict[str, list[float]]
    lenient: dict[str, list[float]]


def ask(
    path: Path, suite: str, items: Sequence[Item], store: Path, *, samples: int = 1, seed: int = 0
) -> Asked:
    """Evaluates a checkpoint as `harness eval` does, into a store, through transformers."""
    from harness.engines.prompt import load_renderer
    from harness.engines.select import open_engine
    from harness.engines.types import Engine
    from harness.evaluate import evaluate
    from harness.store.queries import item_scores

    (checkpoint,) = discover(str(path))
    opened: list[Engine] = []

    def engine() -> Engine:
        opened.append(open_engine("transformers", path=path, batch_size=128).engine)
        return opened[0]

    try:
        result = evaluate(
            checkpoint,
            ShortAnswer(suite),
            items,
            store=store,
            render=load_renderer(path),
            open_engine=engine,
            samples=samples,
            seed=seed,
        )
    finally:
        for one in opened:
            one.close()
    if result.progress.failed:
        raise HarnessError(f"{path}: {result.progress.failed} requests failed; repeat the command")
    found = {
        (one.item_hash, one.metric): one.value for one in item_scores(store, [result.evaluation])
    }
    scores: dict[str, dict[str, list[float]]] = {"strict": {}, "lenient": {}}
    for item in items:
        for metric, by_skill in scores.items():
            by_skill.setdefault(item.skill, []).append(found[item.hash, metric])
    return Asked(checkpoint, scores["strict"], scores["lenient"])


def steer(student: Checkpoint, store: Path, goal: float) -> Gaps:
    """The gaps of an evaluated student to one goal for everything, from the steering store."""
    goals = store.with_name("goals.yaml")
    goals.write_text(f"version: 1\ngoals:\n  - goal: {goal}\n", encoding="utf-8")
    load_goals(goals)
    return measure_gaps(store, find_sides(store, student.fingerprint, str(goals), [STEERING]))


# Raw results: one line of JSON for each finished run.


@dataclass(frozen=True)
class Results:
    """A file of raw results; a run that it holds is not made again.

    settings  what decides a run besides its seed and arm; lines of other settings are left alone
    """

    path: Path
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        return content_hash(dict(self.settings))[:12]

    def lines(self) -> list[dict[str, Any]]:
        return [one for one in read_lines(self.path) if one["settings_key"] == self.key]

    def find(self, seed: int, arm: str) -> dict[str, Any] | None:
        for one in self.lines():
            if (one["seed"], one["arm"]) == (seed, arm):
                return one
        return None

    def add(self, seed: int, arm: str, **rest: Any) -> dict[str, Any]:
        line = {"seed": seed, "arm": arm, **rest}
        line |= {"settings_key": self.key, "settings": dict(self.settings)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return line


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of raw results; none where there is no file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def marks(scores: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Right and wrong as 1 and 0, item by item; a share of partial credit is an error here."""
    told = {}
    for skill, values in scores.items():
        if set(values) - {0.0, 1.0}:
            raise ValueError(f"{skill} has scores between right and wrong")
        told[skill] = "".join(str(int(value)) for value in values)
    return told


@contextmanager
def timed(what: str) -> Iterator[dict[str, float]]:
    """Seconds of a step, by the clock and by the processor."""
    spent: dict[str, float] = {}
    wall, busy = time.monotonic(), time.process_time()
    yield spent
    spent["wall"] = round(time.monotonic() - wall, 1)
    spent["processor"] = round(time.process_time() - busy, 1)
    print(f"{what}: {spent['wall']:.0f} s", flush=True)
