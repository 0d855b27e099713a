"""Questions that a teacher writes as someone else, and its answers: `written`, one to a persona."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.engines.types import Message
from harness.scoring.format import BULLET
from harness.scoring.normalise import normalise
from training.synthesis.answering import answered
from training.synthesis.asked import Question, ask_all, kept, merged, samples
from training.synthesis.draws import candidate, phase, prompt_seed
from training.synthesis.personas import draw, instruction, topic
from training.synthesis.reading import STAGE, read
from training.synthesis.teacher_prompts import prompt_file, teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Reply, Sample

NAME = "written@1"

# What a question consists of, where it is more than a text.
FORMS = {"coding": "problem", "extraction": "passage"}


def written(order: Order, ask: Ask, judge: Ask | None = None) -> Iterator[Sample | Dropped]:
    """One sample or drop for each candidate, in order: a question written from a persona, then
    its answer, proven as `answering.answered` says. Two calls of `ask`.

    The persona steers the teacher; the sample holds question and answer only. Raises HarnessError
    for a genre that teachers do not write, such as "format".
    """
    questions = personas_questions(order, ask)
    outcomes = merged(questions, answered(order, ask, kept(questions), judge))
    yield from samples(order, NAME, questions, outcomes)


def personas_questions(order: Order, ask: Ask) -> list[Question | Dropped]:
    """A question for each candidate of an order, from its persona."""
    line = order.line
    prompt = teacher_prompt("questions", "persona", FORMS.get(line.genre, "question"))
    start, about = phase(order), topic(line.skill, line.level)
    indices = range(order.start, order.start + order.count)
    personas = [draw(start + index, order.seed).fields() for index in indices]
    prompts = [
        prompt.ask(
            prompt_seed(order, index, "question"),
            persona
            | {
                "topic": about,
                "instruction": instruction(line.genre, start + index, order.seed),
            },
        )
        for index, persona in zip(indices, personas, strict=True)
    ]
    (replies,) = ask_all(ask, [prompts])
    return [
        question_of(order, index, read(prompt, reply), reply, prompt.label, persona)
        for index, reply, persona in zip(indices, replies, personas, strict=True)
    ]


def question_of(
    order: Order,
    index: int,
    fields: Mapping[str, str] | Dropped,
    reply: Reply,
    template: str,
    persona: Mapping[str, str],
    parents: Sequence[str] = (),
) -> Question | Dropped:
    """The question of a reply's fields, as it will be asked and kept."""
    if isinstance(fields, Dropped):
        return fields
    passage, name = fields.get("passage", ""), fields.get("name", "")
    keys: tuple[str, ...] = ()
    if passage:
        found = keys_of(fields["keys"])
        if isinstance(found, str):
            return Dropped(STAGE, found, reply.text)
        keys = found
        frame = candidate(order, index, "frame").choice(prompt_file("questions")["extraction"])
        text = frame.format(keys="、".join(f"「{key}」" for key in keys), passage=passage)
    else:
        text = fields["question"]
        if name and name not in text:
            text = f"{text}\n\n関数名は `{name}` としてください。"
    messages = (Message("user", text),)
    return Question(index, messages, template, persona, tuple(parents), "", name, passage, keys)


def keys_of(text: str) -> tuple[str, ...] | str:
    """Names of fields, one a line, list signs aside; or a phrase that says what is wrong."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    keys = tuple(normalise(BULLET.sub("", line, count=1)) for line in lines)
    if not 2 <= len(keys) <= 5:
        return f"{len(keys)} keys, expected 2 to 5"
    if len(set(keys)) < len(keys) or not all(0 < len(key) <= 20 for key in keys):
        return "keys that are no short, different names"
    return keys
