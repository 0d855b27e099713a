"""Yield of one generator with a local model as the teacher (or student), and what it said.

python benchmarks/small_teacher.py models/smollm2 written --genre writing --count 40 --tokens 200
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.engines.prompt import load_renderer
from harness.engines.select import open_engine
from harness.engines.types import Request, Sampling
from harness.gaps.plan import Line
from training.synthesis.back_translate import back_translate
from training.synthesis.dialogues import dialogue
from training.synthesis.evolve import evolve
from training.synthesis.pairs import preference_pairs
from training.synthesis.rewrite import rewrite
from training.synthesis.types import Dropped, Order, Pair, Prompt, Reply, Sample
from training.synthesis.written import written

GENERATORS: dict[str, Callable[..., Iterator[Sample | Pair | Dropped]]] = {
    "written": written,
    "dialogue": dialogue,
    "evolve": evolve,
    "back_translate": back_translate,
    "rewrite": rewrite,
    "pairs": partial(preference_pairs, student=""),
}


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("generator", type=click.Choice(list(GENERATORS)))
@click.option("--genre", default="writing")
@click.option("--skill", default="")
@click.option("--level", type=int, default=None)
@click.option("--setting", "settings", multiple=True, help="NAME=VALUE of the line.")
@click.option("--count", default=40, help="Candidates.")
@click.option("--tokens", default=200, help="New tokens of a reply at most.")
@click.option("--seed", default=7)
@click.option("--shown", default=8, help="Replies printed.")
def main(
    checkpoint: Path,
    generator: str,
    genre: str,
    skill: str,
    level: int | None,
    settings: Sequence[str],
    count: int,
    tokens: int,
    seed: int,
    shown: int,
) -> None:
    engine = open_engine("auto", path=checkpoint, max_length=2048).engine
    render = load_renderer(checkpoint)
    replies: list[Reply] = []

    def request(key: str, one: Prompt) -> Request:
        made = render(one.messages)
        most = min(tokens, one.max_tokens)
        sampling = Sampling(one.temperature, one.top_p, most, made.stop, one.seed)
        return Request(key, made.prompt, sampling, made.special_tokens)

    def ask(prompts: Sequence[Prompt]) -> list[Reply]:
        queue = deque(request(str(place), one) for place, one in enumerate(prompts))
        found = {one.key: Reply(one.text, one.finish_reason) for one in engine.generate(queue)}
        replies.extend(found[str(place)] for place in range(len(prompts)))
        return replies[-len(prompts) :]

    named: dict[str, str] = dict(one.split("=", 1) for one in settings)
    line = Line(genre, skill, level, count, settings=named)
    outcomes: list[Any] = list(GENERATORS[generator](Order(line, seed, 0, count), ask))
    engine.close()
    for reply in replies[:shown]:
        print(f"--- {reply.finish}\n{reply.text}")
    print(f"\n{generator} {genre}: {len(outcomes)} candidates, {len(replies)} replies")
    why = (f"{one.stage}: {one.reason}" if isinstance(one, Dropped) else "kept" for one in outcomes)
    for reason, times in Counter(why).most_common():
        print(f"{times:6} {reason}")


if __name__ == "__main__":
    main()
