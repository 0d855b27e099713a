"""What flows through synthesis: an order, questions to a teacher, candidates, samples, pairs.

A generator turns an order into candidates and may ask a teacher on the way. It is a function of its
order and of the teacher's replies alone; replies are journalled by content, so a killed round
repeats its generators, finds its replies and goes on exactly where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from harness.engines.types import Message
from harness.gaps.plan import Line
from harness.items.schema import Item, content_hash

# How an answer was shown to be right. `judged` and `unproven` are not proofs.
Method = Literal[
    "solver", "execution", "math-equality", "rules", "agreement", "document", "judged", "unproven"
]


@dataclass(frozen=True)
class Prompt:
    """One question to a teacher. `seed` makes two draws of the same text two questions."""

    messages: tuple[Message, ...]
    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Reply:
    """A teacher's answer; `finish` is "stop", "length" or "error"."""

    text: str
    finish: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


# Answers to prompts, in their order. Batches of thousands are one call.
Ask = Callable[[Sequence[Prompt]], list[Reply]]


@dataclass(frozen=True)
class Order:
    """Candidates `start` to `start + count` of one line of a plan.

    Candidate i of a line depends on the line, the seed and i alone, whatever the chunks in which
    it is ordered.
    """

    line: Line
    seed: int
    start: int
    count: int


@dataclass(frozen=True)
class Proof:
    """How a sample's answer was verified, and with what result; `detail` is one phrase."""

    method: Method
    passed: bool
    detail: str = ""

    @property
    def proven(self) -> bool:
        """Whether the answer is known to be right, not only thought to be."""
        return self.passed and self.method not in ("judged", "unproven")


@dataclass(frozen=True)
class Origin:
    """Where a sample comes from.

    generator  its name and version, "program@1"
    index      the candidate's number within its line
    seed       of the round
    template   the family and template, or the prompt's name and hash
    persona    what was drawn for the prompt: role, temperament, keywords, setting, constraints
    parents    ids of samples or hashes of documents it was made from
    teacher    name of the model that wrote it, "" for a program
    """

    generator: str
    index: int
    seed: int
    template: str = ""
    persona: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    teacher: str = ""


@dataclass(frozen=True)
class Sample:
    """One dialogue to learn from.

    genre, skill, level   as in the plan's line
    messages  turns of user and assistant in turn, after a system message if there is one; the last
              is the assistant's
    answer    the bare answer to the last question where there is one ("42"), else ""
    item      the last question as an item that can be scored, where it can
    proof     how the last answer was verified
    origin    where it comes from
    """

    genre: str
    skill: str
    level: int | None
    messages: tuple[Message, ...]
    answer: str
    proof: Proof
    origin: Origin
    item: Item | None = None

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of the messages: equal dialogues are one sample."""
        return content_hash([(one.role, one.content) for one in self.messages])

    @cached_property
    def prompt(self) -> str:
        """What users ask in it, turn by turn."""
        return "\n".join(one.content for one in self.messages if one.role == "user")

    @cached_property
    def text(self) -> str:
        """All of it, turn by turn."""
        return "\n".join(one.content for one in self.messages)


@dataclass(frozen=True)
class Dropped:
    """A candidate that a generator or a filter turned down.

    stage   the generator's step or the filter, such as "unreadable", "verification", "language"
    reason  one phrase
    text    what was dropped, for the reader of the quality card
    """

    stage: str
    reason: str
    text: str = ""


# A table of these is `training.synthesis.catalogue`.
Generator = Callable[[Order, Ask], Iterator[Sample | Dropped]]

# A filter says why a sample is dropped, or nothing. Each is pure and has a name.
Filter = Callable[[Sample], str | None]


@dataclass(frozen=True)
class Pair:
    """Two answers of the student itself to one question, for preference training.

    messages   the dialogue up to the answer
    chosen, rejected   its own words, unedited
    method     "verifier" or "judge";  margin   score of chosen less that of rejected
    student    fingerprint of the checkpoint that wrote both
    """

    genre: str
    skill: str
    level: int | None
    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    method: str
    margin: float
    student: str
    origin: Origin
