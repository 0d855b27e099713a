"""Makes the data of the tiny examples: chats of training probes, pairs of a model's own answers,
and an evalset of the same families.

    python docs/examples/tiny_data.py evalset runs/tiny
    python docs/examples/tiny_data.py chat runs/chat.jsonl
    python docs/examples/tiny_data.py pairs runs/sft/step_000300 runs/pairs.jsonl

Chats and pairs are drawn from the training split of the probe families, the evalset from the other:
they share no number and no name. A pair is on-policy: two answers that the model itself gave to one
question, of which the verifier calls one right and the other wrong.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict, deque
from pathlib import Path

import click

from harness.engines.prompt import load_renderer
from harness.engines.select import open_engine
from harness.engines.types import Message, Request, Sampling
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes, training_samples
from harness.items.schema import Item
from harness.items.write import write_evalset
from harness.scoring.score import score_answer

# What the base of the examples has seen, and what it has not.
OLD = ("math/arithmetic", "extraction/field", "reasoning/direction")
NEW = ("format/bracket", "format/times", "format/lines", "format/bare_number")


def items(count: int, seed: int) -> list[Item]:
    """`count` training items of level 1, half of them of new families, in a drawn order."""
    found: list[Item] = []
    for names in (OLD, NEW):
        families = [one for one in FAMILIES if one.name in names]
        found += training_samples(families, levels=(1,), count=count // 2, seed=seed)
    random.Random(seed).shuffle(found)
    return found


@click.group()
def main() -> None:
    """Data of the tiny examples."""


@main.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--count", default=4000, show_default=True)
def chat(output: Path, count: int) -> None:
    """Chats of training probes with their right answers."""
    with output.open("w", encoding="utf-8") as file:
        for item in items(count, seed=0):
            row = {"messages": _turns(item, item.answer), "genre": item.genre}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    click.echo(f"{output}: {count:,} chats")


@main.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--per-family", default=24, show_default=True)
def evalset(output: Path, per_family: int) -> None:
    """Evaluation items of the same families, of level 1."""
    families = [one for one in FAMILIES if one.name in (*OLD, *NEW)]
    found = probes(families, levels=(1,), per_level=per_family)
    write_evalset(output, found, "Evaluation probes of the tiny examples.")
    click.echo(f"{output}: {len(found)} items of {len(families)} families")


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--questions", default=1000, show_default=True)
@click.option("--samples", default=4, show_default=True, help="Answers a question.")
def pairs(checkpoint: Path, output: Path, questions: int, samples: int) -> None:
    """Pairs of CHECKPOINT's own answers, a right and a wrong one to the same question."""
    asked = items(questions, seed=1)
    render = load_renderer(checkpoint)
    requests = deque[Request]()
    for number, item in enumerate(asked):
        prompt = render([Message("user", item.turns[0])]).prompt
        for sample in range(samples):
            sampling = Sampling(temperature=1.0, max_tokens=48, seed=number * samples + sample)
            requests.append(Request(f"{number}/{sample}", prompt, sampling))
    engine = open_engine("transformers", path=checkpoint).engine
    right, wrong = defaultdict[int, list[str]](list), defaultdict[int, list[str]](list)
    for generation in engine.generate(requests):
        number = int(generation.key.split("/")[0])
        strict = score_answer(asked[number], generation.text, generation.finish_reason)[0].value
        if generation.text and generation.finish_reason == "stop":
            (right if strict == 1 else wrong)[number].append(generation.text)
    engine.close()
    both = sorted(right.keys() & wrong.keys())
    with output.open("w", encoding="utf-8") as file:
        for number in both:
            item = asked[number]
            row = {
                "prompt": _turns(item),
                "chosen": [{"role": "assistant", "content": right[number][0]}],
                "rejected": [{"role": "assistant", "content": wrong[number][0]}],
                "genre": item.genre,
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    click.echo(f"{output}: {len(both):,} pairs from {questions:,} questions")


def _turns(item: Item, answer: str = "") -> list[dict[str, str]]:
    turns = [{"role": "user", "content": item.turns[0]}]
    return [*turns, {"role": "assistant", "content": answer}] if answer else turns


if __name__ == "__main__":
    main()
