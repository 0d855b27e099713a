"""Log-likelihoods from an engine that returns log-probabilities of chosen tokens at the end of a
prompt, cheaply and with its prefix cache."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.engines.task import Task
from harness.engines.types import Generation, Likelihood

# vLLM returns so many chosen tokens a request (its MAX_LOGPROB_TOKEN_IDS).
MOST_TOKENS = 128


@dataclass(frozen=True)
class Piece:
    """One question to the engine: prompt and `head`, then the log-probability of each of
    `tokens` as the next one.

    uncached   compute every position, take none from the prefix cache
    """

    head: tuple[int, ...]
    tokens: tuple[int, ...]
    uncached: bool = False

    @property
    def needs_prompt(self) -> bool:
        """Whether log-probabilities inside the head are wanted too. That of its first token is
        known from the piece without a head."""
        return len(self.head) > 1


@dataclass
class Scoring:
    """The state of one request with continuations.

    First the prompt alone gives the first token of every continuation: for single-token ones
    that is all, and the prompt is in the prefix cache now. Then prompt and continuation without
    its last token give the rest; the engine computes the vocabulary for the few positions behind
    the cached prompt instead of for all of it. Exact in every case.
    """

    task: Task
    firsts: dict[int, float] = field(default_factory=dict)
    rests: dict[tuple[int, ...], dict[int, float]] = field(default_factory=dict)
    waiting: int = 0
    cached: int = 0
    pending_heads: list[Piece] = field(default_factory=list)

    def first_pieces(self) -> list[Piece]:
        wanted = list(dict.fromkeys(tokens[0] for tokens in self.task.continuations if tokens))
        lasts: dict[tuple[int, ...], dict[int, None]] = {}
        for tokens in self.task.continuations:
            if len(tokens) > 1:
                lasts.setdefault(tuple(tokens[:-1]), {})[tokens[-1]] = None
        self.pending_heads = [
            piece for head, last in lasts.items() for piece in _pieces(head, list(last))
        ]
        pieces = _pieces((), wanted)
        self.waiting = len(pieces)
        return pieces

    def take(
        self,
        piece: Piece,
        logprobs: Mapping[int, float],
        head_logprobs: Sequence[Mapping[int, float]],
        cached: int,
    ) -> list[Piece]:
        """Takes the answer to a piece and returns the pieces to ask next.

        logprobs       by token, of the position behind the head
        head_logprobs  by token, one mapping for each head token, when the piece needs them
        cached         positions that the prefix cache supplied
        """
        if piece.needs_prompt and cached > len(self.task.prompt):
            return [Piece(piece.head, piece.tokens, uncached=True)]
        self.waiting -= 1
        if not piece.head:
            self.cached = cached
            self.firsts.update((token, logprobs[token]) for token in piece.tokens)
            if self.waiting:
                return []
            pieces, self.pending_heads = self.pending_heads, []
            self.waiting = len(pieces)
            return pieces
        inside = sum(
            entry[token] for token, entry in zip(piece.head[1:], head_logprobs[1:], strict=True)
        )
        self.rests.setdefault(piece.head, {}).update(
            (token, inside + logprobs[token]) for token in piece.tokens
        )
        return []

    @property
    def done(self) -> bool:
        return self.waiting == 0 and not self.pending_heads

    def generation(self) -> Generation:
        return Generation(
            key=self.task.request.key,
            text="",
            finish_reason="stop",
            prompt_tokens=len(self.task.prompt),
            cached_tokens=self.cached,
            latency=time.monotonic() - self.task.started,
            likelihoods=tuple(self._likelihood(tokens) for tokens in self.task.continuations),
        )

    def _likelihood(self, tokens: Sequence[int]) -> Likelihood:
        if not tokens:
            return Likelihood(0.0, 0)
        logprob = self.firsts[tokens[0]]
        if len(tokens) > 1:
            logprob += self.rests[tuple(tokens[:-1])][tokens[-1]]
        return Likelihood(logprob, len(tokens))


def _pieces(head: tuple[int, ...], tokens: Sequence[int]) -> list[Piece]:
    return [
        Piece(head, tuple(tokens[start : start + MOST_TOKENS]))
        for start in range(0, len(tokens), MOST_TOKENS)
    ]
