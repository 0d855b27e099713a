"""Format or knowledge? Strict scores before and after N format samples a task, beside what the
student knows.

    python -m benchmarks.loop.format --scratch DIR --seeds 3    # repeat it to go on
    python -m benchmarks.loop.format --table                    # from the raw results alone

A student, trained from nothing, learns four probe families in a shape of its own: the question
without any order as to its form, the answer within a sentence. Then it is asked the families'
evaluation probes, which demand the bare answer. What it loses to that is format, not knowledge:
`lenient` reads the answer out of its sentences, `choice` (closed labels) compares the labels'
log-likelihoods.

From that student on, for each N of 0, 50, 100, 200 and 400 apart: 100 more steps in which half of
the rows are N samples a task of `training.synthesis.drills` (without shown examples, which are
longer than a student this small can read), the others the shape that it knew. N = 0 has as many
steps of that shape alone. The numbers are those of `harness format`
(`harness.report.formats.format_report`), one task a dataset.

Fixed before the first counted run: by N, strict, format, lenient and choice as means over tasks,
over items and seeds; the finding would be that a few hundred samples a task bring strict near
choice. The check is that choice itself, the knowledge, moves little.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from benchmarks.loop.asked import ask
from benchmarks.loop.raw_results import RESULTS, markdown, read_lines, run_owed
from harness.gaps.plan import Line
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes, training_draw
from harness.items.write import write_evalset
from training.synthesis.drills import drill
from training.synthesis.questions import STATEMENTS
from training.synthesis.types import Order, Sample

FILE = RESULTS / "format.jsonl"
TASKS = (
    "reasoning/truth-tellers",
    "reasoning/tracking",
    "extraction/field",
    "extraction/amount",
)
CLOSED = TASKS[:1]
METRICS = ("strict", "format", "lenient", "choice", "lost")
SAMPLES = (0, 50, 100, 200, 400)
ITEMS = 40
KNOWN_STEPS = 1000
STEPS = 100
# The answer within a sentence; some begin with it, as a student that knows would.
SENTENCES = (
    "{}です。",
    "{}だと思います。",
    "{}になります。",
    "答えは{}です。",
    "考えてみると、{}ですね。",
    "それは{}でしょう。",
)


def known_shape(seed: int, count: int) -> list[dict[str, Any]]:
    """`count` rows a task in the student's own shape."""
    rows = []
    for family in (one for one in FAMILIES if one.name in TASKS):
        for number in range(count):
            draw = random.Random(f"{family.name}/{seed}/{number}")
            _, problem = training_draw(family, 1, f"known/{seed}/{number}")
            question = draw.choice(STATEMENTS[family.name]).format_map(problem.slots)
            rows.append(chat(family.genre, question, draw.choice(SENTENCES).format(problem.answer)))
    return rows


def drills(seed: int, count: int) -> list[dict[str, Any]]:
    """`count` format samples a task."""
    rows = []
    for task in TASKS:
        line = Line(task.partition("/")[0], task, 1, count, settings={"shots": "0"})
        made = drill(Order(line, seed, 0, 2 * count + 10), lambda prompts: [])
        found = [sample for sample in made if isinstance(sample, Sample)][:count]
        rows += [
            chat(one.genre, one.messages[0].content, one.messages[-1].content) for one in found
        ]
    return rows


def chat(genre: str, question: str, answer: str) -> dict[str, Any]:
    turns = (("user", question), ("assistant", answer))
    return {"genre": genre, "messages": [{"role": r, "content": text} for r, text in turns]}


def one_seed(seed: int, folder: Path) -> dict[str, Any]:
    """Trains a student, drills copies of it, asks them; the raw line has their format gaps."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clock = time.process_time()
    known = write_rows(folder / "known.jsonl", known_shape(seed, 3000))
    # Of a weight that no row is drawn with: they lend the tokenizer their characters and phrases.
    unread = write_rows(folder / "unread.jsonl", drills(seed + 100, 20))
    mixture = {str(known): 1.0, **dict.fromkeys((str(unread), *TASKS), 1e-9)}
    base = train(folder / "student", mixture, KNOWN_STEPS, seed)
    families = [one for one in FAMILIES if one.name in TASKS]
    items = [
        replace(item, dataset=item.skill)
        for item in probes(families, levels=(1,), per_level=ITEMS, seed=seed)
    ]
    suite = write_evalset(folder / "asked", items, "Probes, one family a dataset.")
    store = folder / "results.duckdb"
    found = {"before": gaps(store, ask(base, str(suite), store))}
    for count in SAMPLES:
        mixture = {str(known): 1.0}
        if count:
            path = write_rows(folder / f"drills-{count}.jsonl", drills(seed, count))
            mixture = {str(known): 0.5, str(path): 0.5}
        drilled = train(folder / f"drilled-{count}", mixture, STEPS, seed, start=base)
        found[str(count)] = gaps(store, ask(drilled, str(suite), store))
    return {"seed": seed, "cpu_seconds": round(time.process_time() - clock, 1), "gaps": found}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def train(
    output: Path, mixture: dict[str, float], steps: int, seed: int, start: Path | None = None
) -> Path:
    """A student's last checkpoint."""
    from training.pretrain import PretrainConfig, pretrain

    rate: dict[str, Any] = {} if start is None else {"learning_rate": 1e-3, "warmup": 10}
    config = PretrainConfig(
        output=output,
        start=start,
        mixture=mixture,
        steps=steps,
        save_every=steps,
        batch_size=32,
        held_out=0,
        seed=seed,
        **({"learning_rate": 3e-3} | rate),
    )
    return pretrain(config)[-1]


def gaps(store: Path, evaluation: str) -> list[dict[str, Any]]:
    """What `harness format` says of an evaluation, a row a task."""
    from harness.report.formats import format_report
    from harness.store.queries import evaluations

    (row,) = evaluations(store, "e.id = ?", [evaluation])
    rows = [gap.to_dict() for gap in format_report(store, row).gaps]
    for one in rows:
        one["shapes"] = {shape["shape"]: shape["count"] for shape in one["shapes"]}
    return rows


def tables(lines: Sequence[dict[str, Any]]) -> str:
    """The gap by N over tasks and seeds, and by task before any drill and after the most."""
    names = ("before", *map(str, SAMPLES))
    rows = [(name, *(points(lines, name, TASKS, metric) for metric in METRICS)) for name in names]
    closed = [
        (name, *(points(lines, name, CLOSED, metric) for metric in METRICS)) for name in names
    ]
    tasks = [
        (f"{task}, {name}", *(points(lines, name, (task,), metric) for metric in METRICS))
        for task in TASKS
        for name in ("before", str(SAMPLES[-1]))
    ]
    shapes = Counter[str]()
    for line in lines:
        for gap in line["gaps"]["before"]:
            shapes.update(gap["shapes"])
    seen = "; ".join(f"{shape} {count}" for shape, count in shapes.most_common(4))
    return "\n\n".join(
        [
            markdown(("samples a task, all tasks", *METRICS), rows),
            markdown(("samples a task, closed labels", *METRICS), closed),
            markdown(("task, samples", *METRICS), tasks),
            f"Wrong shapes before: {seen}",
        ]
    )


def points(lines: Sequence[dict[str, Any]], name: str, tasks: Sequence[str], metric: str) -> str:
    """The mean over tasks and seeds in points, and the range of seeds."""
    means = []
    for line in lines:
        found = [gap[metric] for gap in line["gaps"][name] if gap["dataset"] in tasks]
        if found and None not in found:
            means.append(100 * sum(found) / len(found))
    if not means:
        return "–"
    return f"{sum(means) / len(means):.1f} ({min(means):.1f} to {max(means):.1f})"


@click.command()
@click.option("--scratch", type=click.Path(path_type=Path), help="Where students are trained.")
@click.option("--seeds", default=3, show_default=True, help="Students, of seeds 1 and on.")
@click.option("--results", default=FILE, type=click.Path(path_type=Path))
@click.option("--table", is_flag=True, help="Print the tables of the results and train nothing.")
def main(scratch: Path | None, seeds: int, results: Path, table: bool) -> None:
    """Train the students that the results lack, then print the tables."""
    if not table:
        run_owed(results, seeds, scratch, "format", one_seed)
    click.echo(tables(read_lines(results)))


if __name__ == "__main__":
    main()
