"""Samples that start from others: `evolve` makes a question harder, narrower, rarer or concrete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.scoring.normalise import normalise
from training.synthesis.answering import answered
from training.synthesis.asked import UNPROVEN, Question, ask_all, kept, merged, samples
from training.synthesis.draws import phase, prompt_seed
from training.synthesis.personas import draw, topic
from training.synthesis.reading import read
from training.synthesis.seeds import Seed, seeds_of, training_item
from training.synthesis.teacher_prompts import prompt_file, teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Sample
from training.synthesis.written import FORMS, question_of

NAME = "evolve@1"

# Questions that are this alike (Indel similarity, 0 to 1) are one question.
TOO_ALIKE = 0.95


def evolve(order: Order, ask: Ask, judge: Ask | None = None) -> Iterator[Sample | Dropped]:
    """One sample or drop for each candidate, in order: a seed, made into another question by one
    of the operations of questions.yaml, each in turn, then answered and proven as
    `answering.answered` says. Two calls of `ask`.

    The setting `seeds` names a shard or JSONL file (`seeds.seeds_of`); without it, seeds are
    generated problems of the line's skill and level from the training split. A question that is
    all but its seed is dropped. `Origin.parents` names the seed.
    """
    line = order.line
    operations: dict[str, str] = prompt_file("questions")["operations"]
    names = list(operations)
    prompt = teacher_prompt("questions", "evolve", FORMS.get(line.genre, "question"))
    start, about = phase(order), topic(line.skill, line.level)
    indices = range(order.start, order.start + order.count)
    seeds, turns = _seeds(order, indices)
    drawn, prompts = [], []
    for index, seed, turn in zip(indices, seeds, turns, strict=True):
        persona = draw(start + index, order.seed)
        name = names[(start + turn) % len(names)]
        fields = {"keyword": persona.keyword, "setting": persona.setting}
        used = {key: value for key, value in fields.items() if f"{{{key}}}" in operations[name]}
        operation = operations[name].format(**fields)
        drawn.append({"operation": name, **used})
        wanted = {"seed": seed.question, "operation": operation, "topic": about}
        prompts.append(prompt.ask(prompt_seed(order, index, "evolve"), wanted))
    (replies,) = ask_all(ask, [prompts])
    questions = []
    for index, seed, reply, how in zip(indices, seeds, replies, drawn, strict=True):
        found = read(prompt, reply)
        made = question_of(order, index, found, reply, prompt.label, how, (seed.id,))
        questions.append(_apart(seed, made))
    outcomes = merged(questions, answered(order, ask, kept(questions), judge))
    yield from samples(order, NAME, questions, outcomes)


def _seeds(order: Order, indices: Sequence[int]) -> tuple[list[Seed], list[int]]:
    """The seed of each candidate, and which operation's turn it is: each seed of a file meets one
    after the other."""
    line = order.line
    if line.settings.get("seeds"):
        pool = seeds_of(Path(line.settings["seeds"]))
        turns = [index + index // len(pool) for index in indices]
        return [pool[index % len(pool)] for index in indices], turns
    items = [training_item(line, prompt_seed(order, index, "seed")) for index in indices]
    return [Seed(item.hash, item.turns[0]) for item in items], list(indices)


def _apart(seed: Seed, question: Question | Dropped) -> Question | Dropped:
    if isinstance(question, Dropped):
        return question
    from rapidfuzz.distance import Indel

    alike = Indel.normalized_similarity(normalise(seed.question), normalise(question.text))
    if alike >= TOO_ALIKE:
        return Dropped(UNPROVEN, "the question is its seed again", question.text)
    return question
