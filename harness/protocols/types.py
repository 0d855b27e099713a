"""What a protocol is: a named, versioned way to ask and score items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from typing import Protocol as TypingProtocol

from harness.engines.types import Message, Sampling
from harness.items.schema import Item, content_hash
from harness.scoring import Score

AskKind = Literal["answer", "choice"]


@dataclass(frozen=True)
class Ask:
    """One request in a protocol's terms, before a checkpoint's template renders it.

    kind           answer: text is generated; choice: log-likelihoods of the item's labels
    continuations  the labels, for kind choice
    completion     the prompt as it stands, where a protocol prescribes the very text; then no
                   template renders `messages`
    """

    item: Item
    messages: tuple[Message, ...]
    sampling: Sampling
    sample: int = 0
    turn: int = 0
    kind: AskKind = "answer"
    continuations: tuple[str, ...] = ()
    completion: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back for an ask, as far as scoring looks at it."""

    text: str
    finish_reason: str
    likelihoods: tuple[tuple[float, int], ...] = ()


def drawn(
    identity: Sequence[Any], samples: int, max_tokens: int, temperature: float, top_p: float
) -> Sampling:
    """How one of `samples` answers is drawn: greedy when it is the only one; else tempered, with a
    seed of its own made of `identity` (the user's seed, the item, the sample's number), so that
    neither order nor batch matters."""
    if samples == 1:
        return Sampling(max_tokens=max_tokens)
    own = int(content_hash(list(identity))[:8], 16) & 0x7FFFFFFF
    return Sampling(temperature, top_p, max_tokens, seed=own)


@dataclass(frozen=True)
class Reading:
    """What a protocol takes a raw answer for; stored beside it.

    extracted   the part of the raw text that the protocol reads
    normalised  that part as its metric compares it
    lenient     the answer that a careful reader finds, None without one
    """

    extracted: str
    normalised: str
    lenient: str | None


class Protocol(TypingProtocol):
    """How items are asked and scored.

    id          "suite/name-version"; hash covers everything that can change a score
    requests    the first turns of every item and sample
    follow_up   the next turn, once its own turn before is answered; None after the last
    reading     what an answer is taken for, where that is worth storing; pure
    scores      what one answer is worth; pure
    definition  what the hash is made of, for the store
    """

    @property
    def id(self) -> str: ...

    @property
    def suite(self) -> str: ...

    @property
    def hash(self) -> str: ...

    @property
    def definition(self) -> Mapping[str, Any]: ...

    def requests(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]: ...

    def follow_up(self, ask: Ask, answer: Answer) -> Ask | None: ...

    def reading(self, ask: Ask, answer: Answer) -> Reading | None: ...

    def scores(self, ask: Ask, answer: Answer) -> tuple[Score, ...]: ...
