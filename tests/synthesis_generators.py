"""Generators for tests of the round: what they make is a function of the order, as of real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest import mock

from harness.engines.types import Message
from harness.items.load import find_evalset, load_evalset
from training.synthesis import catalogue
from training.synthesis.catalogue import GENERATORS, Entry
from training.synthesis.decontaminate import Decontamination
from training.synthesis.screening import Screen, screen_against
from training.synthesis.types import Ask, Dropped, Order, Origin, Prompt, Proof, Sample

WORDS = tuple("海山川町森空雪風花鳥橋駅店庭港畑")


def _open(order: Order, index: int, question: str, answer: str, proof: Proof) -> Sample:
    messages = (Message("user", question), Message("assistant", answer))
    line = order.line
    persona = {"role": WORDS[index % 5], "mood": WORDS[index % 3]}
    origin = Origin("test@1", index, order.seed, persona=persona)
    return Sample(line.genre, line.skill, line.level, messages, "", proof, origin)


def words(seed: str, count: int) -> str:
    """Words that are unlike those of any other seed."""
    digest = hashlib.sha256(seed.encode()).digest() + hashlib.sha512(seed.encode()).digest()
    return "と".join(WORDS[byte % len(WORDS)] for byte in digest[:count])


def _question(order: Order, index: int) -> str:
    return f"{words(f'question/{order.line.skill}/{order.seed}/{index}', 24)}とは何ですか。"


def _reply(order: Order, index: int) -> str:
    return f"はい。{words(f'reply/{order.line.skill}/{order.seed}/{index}', 24)}の話をいたします。"


def mixed(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """Of ten candidates one is dropped by the generator, one unproven, one in plain style, one an
    evaluation item, one a copy of an earlier one; the rest is good."""
    items = load_evalset(find_evalset("basics")).items
    good = Proof("document", True)
    for index in range(order.start, order.start + order.count):
        told, reply = _question(order, index), _reply(order, index)
        match index % 10:
            case 1:
                yield Dropped("unreadable", "no answer in it", told)
            case 3:
                yield _open(order, index, told, reply, Proof("agreement", False, "1 of 5 agree"))
            case 5:
                plain = reply.replace("いたします", "する")
                yield _open(order, index, told, plain, good)
            case 7:
                asked = items[index // 10 % len(items)].turns[0]
                yield _open(order, index, asked, reply, good)
            case 9:
                yield _open(order, index, _question(order, 0), _reply(order, 0), good)
            case _:
                yield _open(order, index, told, reply, good)


def asked(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """A teacher's answer to a question of its own for each candidate; two calls."""
    indices = range(order.start, order.start + order.count)
    first = [_prompt(order, index, "題を1つ") for index in indices]
    topics = ask(first)
    second = [
        _prompt(order, index, f"{topic.text[:20]}を説明")
        for index, topic in zip(indices, topics, strict=True)
    ]
    for index, prompt, reply in zip(indices, second, ask(second), strict=True):
        if reply.finish != "stop":
            yield Dropped("unreadable", reply.finish, reply.text)
        else:
            question = prompt.messages[-1].content
            yield _open(order, index, question, reply.text, Proof("unproven", True))


def retold(order: Order, ask: Ask) -> Iterator[Sample]:
    """Good samples that hang on each word of a teacher's replies, however they end."""
    indices = range(order.start, order.start + order.count)
    replies = ask([_prompt(order, index, "話を1つ") for index in indices])
    for index, reply in zip(indices, replies, strict=True):
        answer = f"はい。{words(reply.text, 24)}の話をいたします。"
        yield _open(order, index, _question(order, index), answer, Proof("document", True))


def _prompt(order: Order, index: int, text: str) -> Prompt:
    message = Message("user", f"{order.line.skill}{index}番目。{text}してください。")
    return Prompt((message,), max_tokens=16, seed=index)


TEST_GENERATORS = {
    one.name: one
    for one in (
        Entry("mixed", 1, "tests.synthesis_generators:mixed", False, "a little of everything"),
        Entry("asked", 1, "tests.synthesis_generators:asked", True, "what a teacher says"),
        Entry("retold", 1, "tests.synthesis_generators:retold", True, "made of what it says"),
    )
}


@cache
def _evaluations() -> Decontamination:
    return Decontamination.build()


def open_screen() -> Screen:
    """As the command opens it, but for the evaluation items, which are read once."""
    return screen_against(_evaluations())


@contextmanager
def in_catalogue() -> Iterator[None]:
    """While open, the test's generators have names that a plan can use (in this process)."""
    with mock.patch.object(catalogue, "GENERATORS", {**GENERATORS, **TEST_GENERATORS}):
        yield
