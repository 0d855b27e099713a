"""Knowledge in both directions: recall of facts from either side as they are rewritten in k styles.

    python -m benchmarks.loop.directions --scratch DIR --seeds 3    # repeat it to go on
    python -m benchmarks.loop.directions --table                    # from the raw results alone

A student, trained from nothing, learns invented facts: a person, one of four relations, and what it
is to that person, each name once. All facts are stated as "A's r is B", as plain text. A fifth of
them is only stated (k = 0); the others are also rewritten k = 1, 2, 4 or 8 times by
`training.synthesis.facts` (questions, gaps, choices, claims, dialogues; forward and backward in
turn; no teacher), the half of a fact's rows. Every fact of every k is seen in as many rows. The k
are dealt to the facts by the seed.

It is asked in two questions of this module, for B given A and for A given B, which no target fact
is ever trained in (the forward one begins as the statement does, the backward one is close to a
wording of the generator). Other facts, stated and rewritten as well and never asked, are trained in
both: a student that fails a target knows how such a question is answered, from either side, and
fails for want of the fact. Asked through `harness eval`'s path, greedily; right is the bare name
(`strict`). Names are single characters, which a student this small can look up.

Fixed before the first counted run: recall by k and direction, with intervals over facts and the
range of seeds; k = 1 apart by the direction of its one rewriting. The reversal finding is that the
backward recall at k = 0 is near 0 while the forward is not.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchmarks.loop.asked import ask, scores_by_id
from benchmarks.loop.raw_results import RESULTS, markdown, mean_interval, read_lines, run_owed
from harness.gaps.plan import Line
from harness.items.schema import FormatRule, Item
from harness.items.write import write_evalset
from training.synthesis.facts import Triple, facts
from training.synthesis.types import Order, Sample

FILE = RESULTS / "directions.jsonl"
TIMES = (0, 1, 2, 4, 8)
FACTS = 20
OTHERS = 200
# Rewritings of each of the other facts.
TAUGHT = 8
# Rows of a fact in one round over all of them; half are statements where there is anything else.
ROWS = 16
STATEMENT = "{0.subject}の{0.relation}は{0.object}である。"
FORWARD = "{0.subject}の{0.relation}は？"
BACKWARD = "{0.object}を{0.relation}とする人は？"
RELATIONS = (("師匠", "誰"), ("相棒", "誰"), ("故郷", "どこ"), ("愛読書", "何"))
# Of the common ideographs by code point: far more than are needed.
IDEOGRAPHS = [chr(code) for code in range(0x4E00, 0x9FA0, 7)]
STEPS = 1000


def invented(seed: int) -> tuple[dict[int, list[Triple]], list[Triple]]:
    """(target facts by k, the other facts), no name twice."""
    draw = random.Random(f"facts/{seed}")
    count = FACTS * len(TIMES) + OTHERS
    names = draw.sample(IDEOGRAPHS, 2 * count)
    people, things = names[:count], names[count:]
    triples = [
        Triple(person, *_related(RELATIONS[place % len(RELATIONS)], thing))
        for place, (person, thing) in enumerate(zip(people, things, strict=True))
    ]
    targets = {k: triples[at * FACTS : (at + 1) * FACTS] for at, k in enumerate(TIMES)}
    return targets, triples[-OTHERS:]


def _related(relation: tuple[str, str], thing: str) -> tuple[str, str, str, str]:
    name, what = relation
    return name, thing, "誰", what


def rewritten(triples: Sequence[Triple], k: int, seed: int, folder: Path) -> dict[str, list[Any]]:
    """k samples of each fact, by its subject."""
    path = folder / f"triples-{k}.jsonl"
    path.write_text("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in triples))
    line = Line("stem", "", None, 0, settings={"triples": str(path), "per_fact": str(k)})
    found: dict[str, list[Any]] = {one.subject: [] for one in triples}
    order = Order(line, seed, 0, k * len(triples))
    for index, sample in enumerate(facts(order, lambda prompts: [])):
        assert isinstance(sample, Sample)
        found[triples[index % len(triples)].subject].append(sample)
    return found


def rows(seed: int, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(one round of training rows, what is to be known of each target fact)"""
    targets, others = invented(seed)
    made: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    for k, triples in targets.items():
        samples = rewritten(triples, k, seed, folder) if k else {}
        for one in triples:
            told = [chat(sample) for sample in samples.get(one.subject, ())]
            half = ROWS // 2 if told else 0
            made += [stated(one)] * (ROWS - half)
            made += [told[at % k] for at in range(half)]
            how = [sample.origin.persona for sample in samples.get(one.subject, ())]
            known.append({"k": k, "triple": one, "told": [each["direction"] for each in how]})
    samples = rewritten(others, TAUGHT, seed, folder)
    for one in others:
        asked = [asks(one, *way) for way in ((FORWARD, one.object), (BACKWARD, one.subject))]
        made += [stated(one), *asked] * 2 + [chat(sample) for sample in samples[one.subject]]
    return made, known


def stated(one: Triple) -> dict[str, Any]:
    return {"genre": "stem", "text": STATEMENT.format(one)}


def asks(one: Triple, question: str, answer: str) -> dict[str, Any]:
    turns = (("user", question.format(one)), ("assistant", answer))
    return {"genre": "stem", "messages": [{"role": r, "content": text} for r, text in turns]}


def chat(sample: Sample) -> dict[str, Any]:
    return {
        "genre": "stem",
        "messages": [{"role": m.role, "content": m.content} for m in sample.messages],
    }


def items(known: Sequence[dict[str, Any]]) -> Iterator[Item]:
    """Both questions on every target fact; the id says which."""
    for number, one in enumerate(known):
        triple = one["triple"]
        for way, question, answer in (
            ("forward", FORWARD, triple.object),
            ("backward", BACKWARD, triple.subject),
        ):
            yield Item(
                id=f"{way}/{number}",
                genre="stem",
                turns=(question.format(triple),),
                answer=answer,
                format=FormatRule("span"),
                metric="exact",
                max_tokens=12,
            )


def one_seed(seed: int, folder: Path) -> dict[str, Any]:
    """Trains a student and asks it; the raw line holds every answer's score."""
    import yaml

    from training.pretrain import load_pretrain_config, pretrain

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made, known = rows(seed, folder)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made)
    (folder / "facts.jsonl").write_text(text, encoding="utf-8")
    run = {
        "output": str(folder / "student"),
        "mixture": {str(folder / "facts.jsonl"): 1.0},
        "steps": STEPS,
        "save_every": STEPS,
        "batch_size": 32,
        "learning_rate": 3e-3,
        "held_out": 0,
        "seed": seed,
    }
    (folder / "pretrain.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    clock = time.process_time()
    student = pretrain(load_pretrain_config(folder / "pretrain.yaml"))[-1]
    suite = write_evalset(folder / "recall", items(known), "Facts asked from either side.")
    store = folder / "results.duckdb"
    scores = scores_by_id(store, ask(student, str(suite), store))
    answers = [
        {"k": one["k"], "told": one["told"]}
        | {way: scores[f"{way}/{number}"] for way in ("forward", "backward")}
        for number, one in enumerate(known)
    ]
    cpu = round(time.process_time() - clock, 1)
    return {"seed": seed, "steps": STEPS, "cpu_seconds": cpu, "facts": answers}


def tables(lines: Sequence[dict[str, Any]]) -> str:
    """The curve as Markdown: recall by k and direction; k = 1 once more by its one rewriting."""
    facts_by_seed = [line["facts"] for line in lines]
    parts = [
        (str(k), [[one for one in facts if one["k"] == k] for facts in facts_by_seed])
        for k in TIMES
    ]
    for way in ("forward", "backward"):
        told = [
            [one for one in facts if one["k"] == 1 and one["told"] == [way]]
            for facts in facts_by_seed
        ]
        parts.append((f"1, told {way}", told))
    rows = [
        (name, sum(map(len, groups)), recall(groups, "forward"), recall(groups, "backward"))
        for name, groups in parts
    ]
    return markdown(("k", "facts", "B given A, %", "A given B, %"), rows)


def recall(groups: Sequence[Sequence[dict[str, Any]]], way: str) -> str:
    """Mean recall in points with its 95 % interval over facts, and the range of seeds."""
    return mean_interval([[one[way] for one in group] for group in groups])


@click.command()
@click.option("--scratch", type=click.Path(path_type=Path), help="Where students are trained.")
@click.option("--seeds", default=3, show_default=True, help="Students, of seeds 1 and on.")
@click.option("--results", default=FILE, type=click.Path(path_type=Path))
@click.option("--table", is_flag=True, help="Print the table of the results and train nothing.")
def main(scratch: Path | None, seeds: int, results: Path, table: bool) -> None:
    """Train the students that the results lack, then print the table."""
    if not table:
        run_owed(results, seeds, scratch, "directions", one_seed)
    click.echo(tables(read_lines(results)))


if __name__ == "__main__":
    main()
