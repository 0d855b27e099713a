"""What goes into an engine and what comes out: requests, sampling settings, generations."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

FinishReason = Literal["stop", "length", "error"]


@dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn. temperature 0 is greedy, and then `top_p` and `seed` are void.

    max_tokens          new tokens at most
    stop                strings that end the answer and are not part of it
    seed                of this one request, so that a batch's order cannot change its answer
    repetition_penalty  1.0 is none
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    seed: int | None = None
    repetition_penalty: float = 1.0


@dataclass(frozen=True)
class Request:
    """One thing to ask an engine.

    key            content key; the generation carries it back
    prompt         text, rendered by the checkpoint's chat template or as a plain completion; or
                   messages, for a served model that applies its own template
    special_tokens whether the tokenizer adds its own (BOS) to a text prompt: true for a plain
                   completion, false where the chat template already wrote them
    continuations  when given, nothing is generated: the engine returns the log-likelihood of
                   each of these texts as the direct continuation of the prompt
    """

    key: str
    prompt: str | tuple[Message, ...]
    sampling: Sampling = Sampling()
    special_tokens: bool = False
    continuations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Likelihood:
    """log p(continuation | prompt): the sum over its tokens, natural log, and their number."""

    logprob: float
    tokens: int


@dataclass(frozen=True)
class Generation:
    """One answer, raw.

    text           without the stop string and without special tokens, otherwise untouched
    cached_tokens  prompt tokens that a prefix cache supplied
    latency        seconds from submission to the end of this answer (in a batch: of the batch)
    token_ids      ids of the new tokens where the engine knows them, the end token left out
    error          one sentence when finish_reason is "error", e.g. a prompt beyond the context
    """

    key: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    latency: float = 0.0
    token_ids: tuple[int, ...] = ()
    likelihoods: tuple[Likelihood, ...] = ()
    error: str | None = None


# Hears an answer grow: the request's key and the text that is new. False: no more is wanted.
Hear = Callable[[str, str], bool]
UNWANTED = "the answer was no longer wanted"


class Engine(Protocol):
    """What generates text.

    `generate` takes requests from the left of the queue whenever it has room and yields each
    generation as it finishes, in no promised order. The caller may append to the queue between
    two generations (a second turn, say); the iterator ends when queue and engine are empty.
    Every request taken yields exactly one generation; one that cannot be answered (prompt beyond
    the context) yields finish_reason "error", it does not raise.

    hear  called with each piece of an answer as it is generated, from whatever thread generates
          it. A stop string may be heard that the generation then lacks; its text is what counts.
          An answer of which no more is wanted ends as an error soon after
    """

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    def generate(self, queue: deque[Request], hear: Hear | None = None) -> Iterator[Generation]: ...

    def close(self) -> None: ...
