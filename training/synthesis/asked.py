"""Questions that a teacher is asked, its answers, and what all generators do with both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from harness.engines.types import Message
from harness.items.code_task import CodeTask
from harness.items.schema import FormatRule, Item, Metric
from harness.scoring.code.extract import own_text
from harness.scoring.normalise import trim
from training.synthesis.draws import line_key, prompt_seed
from training.synthesis.teacher_prompts import TeacherPrompt
from training.synthesis.types import Ask, Dropped, Order, Origin, Prompt, Proof, Reply, Sample

T = TypeVar("T")

# The stage of a candidate whose answer was not proven right.
UNPROVEN = "verification"


@dataclass(frozen=True)
class Question:
    """What is to be answered.

    index        of the candidate
    messages     the dialogue up to the question, as it will be kept; the last is the user's
    template     the prompts that it was made by
    persona      what was drawn for it
    parents      what it was made from
    part         tells apart the answers of one candidate; "" where there is one
    entry_point  coding: the function that is wanted
    passage, keys  extraction: what is read, and what is to be taken from it
    """

    index: int
    messages: tuple[Message, ...]
    template: str = ""
    persona: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    part: str = ""
    entry_point: str = ""
    passage: str = ""
    keys: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.messages[-1].content

    @property
    def turns(self) -> tuple[str, ...]:
        return tuple(one.content for one in self.messages if one.role == "user")


@dataclass(frozen=True)
class Answer:
    """An answer that may be kept.

    text      the assistant's message: the teacher's reply without its thoughts
    bare      the answer alone, "" where there is none
    template  the prompt that it was asked by
    item      the question as an item, where it can be scored
    """

    text: str
    bare: str
    proof: Proof
    template: str
    item: Item | None = None


# Each step of a generator takes the candidates that are left and gives one outcome for each.
Outcome = Answer | Dropped


def draws(
    order: Order, prompt: TeacherPrompt, question: Question, count: int, name: str = ""
) -> list[Prompt]:
    """`count` prompts that ask for an answer to a question, alike but for their seeds."""
    return [
        prompt.ask(
            prompt_seed(order, question.index, question.part, name or prompt.name, number),
            {"question": question.text},
            question.messages[:-1],
        )
        for number in range(count)
    ]


def ask_all(ask: Ask, groups: Sequence[Sequence[Prompt]]) -> list[list[Reply]]:
    """The replies to groups of prompts, group by group, all asked in one call; none, no call.
    Raises ValueError for an `ask` that does not give one reply to each prompt."""
    flat = [prompt for group in groups for prompt in group]
    replies = ask(flat) if flat else []
    if len(replies) != len(flat):
        raise ValueError(f"{len(replies)} replies to {len(flat)} prompts")
    rest = iter(replies)
    return [[next(rest) for _ in group] for group in groups]


def reply_text(reply: Reply) -> str:
    """What is kept of a reply: all but its thoughts and the white space around it."""
    return trim(own_text(reply.text))


def item_of(
    order: Order,
    question: Question,
    answer: str,
    rule: FormatRule,
    metric: Metric,
    code: CodeTask | None = None,
) -> Item:
    """The question as an item that can be scored."""
    line = order.line
    name = f"{line.genre}/{line_key(line)[:12]}/{order.seed}/{question.index}{question.part}"
    return Item(
        id=name,
        genre=line.genre,
        turns=question.turns,
        answer=answer,
        format=rule,
        metric=metric,
        skill=line.skill,
        level=line.level,
        code=code,
    )


def sample(order: Order, generator: str, question: Question, answer: Answer) -> Sample:
    """The sample of an answered question. `Origin.teacher` is left to whoever knows its name."""
    line = order.line
    origin = Origin(
        generator,
        question.index,
        order.seed,
        "+".join(filter(None, (question.template, answer.template))),
        question.persona,
        question.parents,
    )
    return Sample(
        line.genre,
        line.skill,
        line.level,
        (*question.messages, Message("assistant", answer.text)),
        answer.bare,
        answer.proof,
        origin,
        answer.item,
    )


def samples(
    order: Order,
    generator: str,
    questions: Sequence[Question | Dropped],
    answers: Sequence[Outcome],
) -> Iterator[Sample | Dropped]:
    """The sample of each question with its answer, or the drop of either."""
    for question, answer in zip(questions, answers, strict=True):
        if isinstance(question, Dropped):
            yield question
        elif isinstance(answer, Dropped):
            yield answer
        else:
            yield sample(order, generator, question, answer)


def kept(outcomes: Sequence[T | Dropped]) -> list[T]:
    """The candidates that are left, in order."""
    return [one for one in outcomes if not isinstance(one, Dropped)]


def merged(before: Sequence[object | Dropped], after: Sequence[T | Dropped]) -> list[T | Dropped]:
    """Outcomes of a step in the places of the candidates that had been left for it."""
    rest = iter(after)
    return [one if isinstance(one, Dropped) else next(rest) for one in before]
