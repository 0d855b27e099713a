"""Answers that no rule can prove: kept as they are, or rated by a judge that is asked in bulk."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.prompts import load_prompts, render
from harness.judge.prompts import read as read_verdict
from harness.judge.reading import Reading
from harness.judge.types import SAMPLING
from training.synthesis import options
from training.synthesis.asked import (
    Answer,
    Outcome,
    Question,
    ask_all,
    draws,
    kept,
    merged,
    reply_text,
)
from training.synthesis.reading import read
from training.synthesis.teacher_prompts import teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Prompt, Proof

STAGE = "judge"

# What a judge is shown: questions by turn, and the answers to them.
Shown = tuple[Sequence[str], Sequence[str]]


def free(order: Order, ask: Ask, questions: Sequence[Question], judge: Ask | None) -> list[Outcome]:
    """One answer to each question, with the proof "judged" where `judge` is given and rates it
    `rating` (7) of 10 or better, else "unproven"; lower ones are dropped."""
    prompt = teacher_prompt("answers", order.line.genre)
    least = options.integer(order.line, "rating", 7, 1, 10)
    groups = ask_all(ask, [draws(order, prompt, one, 1) for one in questions])
    outcomes: list[Outcome] = []
    for (reply,) in groups:
        found = read(prompt, reply)
        if isinstance(found, Dropped):
            outcomes.append(found)
        else:
            proof = Proof("unproven", True)
            outcomes.append(Answer(reply_text(reply), "", proof, prompt.label))
    if judge is None:
        return outcomes
    pairs = zip(questions, outcomes, strict=True)
    left = [(question, one) for question, one in pairs if isinstance(one, Answer)]
    ratings = ratings_of(judge, [_shown(*one) for one in left])
    return merged(
        outcomes,
        [_judged(one, rating, least) for one, rating in zip(kept(outcomes), ratings, strict=True)],
    )


def ratings_of(judge: Ask, shown: Sequence[Shown]) -> list[float | None]:
    """A judge's ratings (1 to 10) of the last answers of dialogues of one or two turns, by the
    project's own judge prompts; None for a verdict that cannot be read."""
    prompts = load_prompts()
    chosen = [prompts.prompt(len(questions) - 1) for questions, _ in shown]
    rendered = [
        render(prompt, questions, [answers])
        for prompt, (questions, answers) in zip(chosen, shown, strict=True)
    ]
    asked = [Prompt(one.messages, SAMPLING.max_tokens, SAMPLING.temperature) for one in rendered]
    replies = judge(asked) if asked else []
    ratings: list[float | None] = []
    for prompt, one, reply in zip(chosen, rendered, replies, strict=True):
        found = read_verdict(prompt, one, reply.text, reply.finish)
        ratings.append(found.rating if isinstance(found, Reading) else None)
    return ratings


def _shown(question: Question, answer: Answer) -> Shown:
    said = [one.content for one in question.messages if one.role == "assistant"]
    return question.turns, (*said, answer.text)


def _judged(answer: Answer, rating: float | None, least: int) -> Outcome:
    if rating is None:
        return Dropped(STAGE, "the verdict cannot be read", answer.text)
    if rating < least:
        return Dropped(STAGE, f"rated {rating:g}, below {least}", answer.text)
    proof = Proof("judged", True, f"rated {rating:g} of 10")
    return Answer(answer.text, answer.bare, proof, answer.template, answer.item)
