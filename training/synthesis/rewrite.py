"""A document's facts in many styles and in both directions: `rewrite`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.engines.types import Message
from harness.scoring.normalise import normalise, unify
from training.synthesis import options
from training.synthesis.asked import UNPROVEN, ask_all
from training.synthesis.documents import Fact, facts_in, numbers_of
from training.synthesis.draws import candidate, phase, prompt_seed
from training.synthesis.facts import facts
from training.synthesis.personas import draw
from training.synthesis.reading import read
from training.synthesis.teacher_prompts import TeacherPrompt, prompt_file, teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Origin, Prompt, Proof, Sample

NAME = "rewrite@1"

DIRECTIONS = ("forward", "backward")
# A text that is this alike to its document (Indel similarity, 0 to 1) is no rewriting.
TOO_ALIKE = 0.95


@dataclass(frozen=True)
class Turn:
    """What one candidate is to be: a fact in a direction and a style."""

    fact: Fact
    direction: str
    style: str


def rewrite(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """One sample or drop for each candidate, in order, up to `per_fact` (8) for each fact of the
    setting `documents` (`documents.facts_in`); about 1,000 are the reference for knowledge that is
    to stay. Beyond them nothing is left to do, and nothing is yielded. One call of `ask`.

    Facts take turns; each is told forward and backward in turn, and in each direction in one style
    after another, so `per_fact` of two or more gives both directions, and any beginning of a line
    is balanced. A persona lends its voice.

    What comes back is checked by rule (`check`): forward, all names and numbers of the fact stand
    in it and the question alone does not tell them; backward, the question holds one of them and
    not the title, which the answer names. No number stands in it that the document lacks (numbers
    in kanji are not looked at).

    With the setting `triples` instead, `facts.facts` makes the samples without a teacher.
    """
    line = order.line
    if "triples" in line.settings:
        yield from facts(order, ask)
        return
    known = facts_in(options.path(line, "documents", "a file of documents"))
    per_fact = options.integer(line, "per_fact", 8)
    indices = range(order.start, min(order.start + order.count, len(known) * per_fact))
    turns = [turn(known, index) for index in indices]
    voices = [_voice(order, known, index, per_fact) for index in indices]
    prompts = [_prompt(order, *one) for one in zip(indices, turns, voices, strict=True)]
    (replies,) = ask_all(ask, [[prompt for _, prompt in prompts]])
    for index, one, voice, (prompt, _), reply in zip(
        indices, turns, voices, prompts, replies, strict=True
    ):
        found = read(prompt, reply)
        if isinstance(found, Dropped):
            yield found
            continue
        question = found.get("question") or _request(order, index, one)
        fault = check(one, question, found["answer"], asked_by_us="question" not in found)
        if fault is not None:
            yield Dropped(UNPROVEN, fault, reply.text)
            continue
        how = {"style": one.style, "direction": one.direction, **voice}
        origin = Origin(NAME, index, order.seed, prompt.label, how, (one.fact.document.id,))
        proof = Proof("document", True, "names and numbers of the fact, and no other number")
        messages = (Message("user", question), Message("assistant", found["answer"]))
        bare = one.fact.document.title if one.direction == "backward" else ""
        yield Sample(line.genre, line.skill, line.level, messages, bare, proof, origin)


def turn(known: tuple[Fact, ...], index: int) -> Turn:
    """The fact, direction and style of a candidate."""
    place, round_ = index % len(known), index // len(known)
    direction = DIRECTIONS[(place + round_) % 2]
    names = list(styles(direction))
    return Turn(known[place], direction, names[(place + round_ // 2) % len(names)])


def styles(direction: str) -> Mapping[str, Mapping[str, Any]]:
    """The styles of a direction by name, as rewriting.yaml has them."""
    found: Mapping[str, Mapping[str, Any]] = prompt_file("rewriting")["styles"][direction]
    return found


def check(one: Turn, question: str, answer: str, asked_by_us: bool) -> str | None:
    """What is wrong with a rewriting, as a phrase, or None.

    asked_by_us  whether the question is one of our own requests, which need no check
    """
    fact, title = one.fact, unify(one.fact.document.title)
    said = answer if asked_by_us else f"{question}\n{answer}"
    if foreign := sorted(numbers_of(said) - fact.document.numbers):
        return f"the number {foreign[0]} does not stand in the document"
    # Choices show the right answer among others, so the question may tell anything.
    choices = bool(styles(one.direction)[one.style].get("choices"))
    if one.direction == "backward":
        if title in unify(question) and not choices:
            return "the question names the subject"
        if not fact.told_by(question):
            return "the question holds nothing of the fact"
        return None if title in unify(answer) else "the answer does not name the subject"
    if (lost := fact.missing(said)) is not None:
        return f"it lacks {lost}"
    if not asked_by_us:
        if not fact.told_by(answer):
            return "the answer holds nothing of the fact"
        if title not in unify(question):
            return "the question does not name the subject"
        if fact.missing(question) is None and not choices:
            return "the question tells the fact"
    from rapidfuzz.distance import Indel

    alike = Indel.normalized_similarity(normalise(fact.document.text), normalise(answer))
    return "the document again" if alike >= TOO_ALIKE else None


def _voice(order: Order, known: tuple[Fact, ...], index: int, per_fact: int) -> dict[str, str]:
    """Who tells it. One fact's candidates draw one persona after another, and so meet all of them
    and every pair of persona and style, whatever the number of facts."""
    place, round_ = index % len(known), index // len(known)
    persona = draw(phase(order) + place * per_fact + round_, order.seed)
    return {"role": persona.role, "temperament": persona.temperament}


def _prompt(
    order: Order, index: int, one: Turn, voice: Mapping[str, str]
) -> tuple[TeacherPrompt, Prompt]:
    style, document = styles(one.direction)[one.style], one.fact.document
    prompt = teacher_prompt("rewriting", style["prompt"])
    way = f"{one.direction}_choices" if style.get("choices") else one.direction
    direction = prompt_file("rewriting")["directions"][way]
    fields = {
        "title": document.title,
        "text": document.text,
        "fact": one.fact.text,
        "instruction": style["instruction"],
        "direction": direction.format(title=document.title),
        **voice,
    }
    return prompt, prompt.ask(prompt_seed(order, index, "rewrite"), fields)


def _request(order: Order, index: int, one: Turn) -> str:
    requests: list[str] = styles(one.direction)[one.style]["requests"]
    wording = candidate(order, index, "request").choice(requests)
    return wording.format(title=one.fact.document.title)
