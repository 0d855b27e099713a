"""Dialogues of two turns, whose second question changes a premise of the first: `dialogue`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.engines.types import Message
from harness.scoring.normalise import normalise
from training.synthesis.answering import answered
from training.synthesis.asked import (
    UNPROVEN,
    Answer,
    Outcome,
    Question,
    ask_all,
    kept,
    merged,
    samples,
)
from training.synthesis.draws import candidate, prompt_seed
from training.synthesis.reading import read
from training.synthesis.teacher_prompts import TeacherPrompt, prompt_file, teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Reply, Sample
from training.synthesis.written import personas_questions

NAME = "dialogue@1"

# The first question and its answer.
Turn = tuple[Question, Answer]


def dialogue(order: Order, ask: Ask, judge: Ask | None = None) -> Iterator[Sample | Dropped]:
    """One sample or drop for each candidate, in order. Four calls of `ask`: the first question, its
    answer, a second question that changes a premise, its answer. Both answers are proven (or
    judged) as `answering.answered` says, for both are learnt from; the sample's proof is that of
    the last.

    The teacher has to name the premise that it changes in the first question's own words: one that
    does not stand there is dropped, and so is a second answer that equals the first, which no
    premise has changed.
    """
    questions = personas_questions(order, ask)
    firsts = kept(questions)
    answers = answered(order, ask, firsts, judge)
    turns = merged(questions, [_turn(*pair) for pair in zip(firsts, answers, strict=True)])
    seconds = merged(turns, _second_questions(order, ask, kept(turns)))
    first_answers = {question.index: answer for question, answer in kept(turns)}
    asked = kept(seconds)
    outcomes = [
        _changed(first_answers[question.index], outcome)
        for question, outcome in zip(asked, answered(order, ask, asked, judge), strict=True)
    ]
    yield from samples(order, NAME, seconds, merged(seconds, outcomes))


def _turn(question: Question, answer: Outcome) -> Turn | Dropped:
    return answer if isinstance(answer, Dropped) else (question, answer)


def _second_questions(order: Order, ask: Ask, turns: Sequence[Turn]) -> list[Question | Dropped]:
    prompt = teacher_prompt("questions", "change")
    changes = prompt_file("questions")["changes"]
    prompts = [
        prompt.ask(
            prompt_seed(order, question.index, "change"),
            {
                "question": question.text,
                "answer": answer.text,
                "change": candidate(order, question.index, "change").choice(changes),
            },
        )
        for question, answer in turns
    ]
    (replies,) = ask_all(ask, [prompts])
    return [_second(prompt, *turn, reply) for turn, reply in zip(turns, replies, strict=True)]


def _second(
    prompt: TeacherPrompt, first: Question, answer: Answer, reply: Reply
) -> Question | Dropped:
    found = read(prompt, reply)
    if isinstance(found, Dropped):
        return found
    premise, text = found["premise"], found["question"]
    if normalise(premise) not in normalise(first.text):
        return Dropped(UNPROVEN, "the premise does not stand in the first question", reply.text)
    if normalise(text) == normalise(first.text):
        return Dropped(UNPROVEN, "the second question repeats the first", reply.text)
    messages = (*first.messages, Message("assistant", answer.text), Message("user", text))
    template = "+".join((first.template, answer.template, prompt.label))
    # What the second question says may be taken from it as well.
    passage = f"{first.passage}\n{text}" if first.passage else ""
    return replace(first, messages=messages, template=template, part="second", passage=passage)


def _changed(first: Answer, second: Outcome) -> Outcome:
    if isinstance(second, Dropped):
        return second
    same_text = normalise(first.text) == normalise(second.text)
    same_answer = bool(first.bare) and normalise(first.bare) == normalise(second.bare)
    if same_text or same_answer:
        return Dropped(UNPROVEN, "the changed premise leaves the answer as it was", second.text)
    return second
