"""A request as token ids that fit the context: the step the local engines share, so they agree."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.engines.types import Generation, Request

# Text before a continuation whose tokens are dropped again; see encode_continuation.
ANCHOR = "\n"


@dataclass(frozen=True)
class Task:
    """A request that fits.

    prompt         token ids, at least one
    continuations  token ids of each continuation, in the request's order; may be empty
    max_tokens     new tokens at most, lowered where the context ends earlier
    stop           the request's stop strings without empty ones
    started        monotonic seconds at which the engine took the request
    """

    request: Request
    prompt: list[int]
    continuations: tuple[tuple[int, ...], ...]
    max_tokens: int
    stop: tuple[str, ...]
    started: float


def prepare(request: Request, tokenizer: Any, context: int) -> Task | Generation:
    """Tokenises a request, or says as an error generation why it cannot be answered.

    `context` is the longest sequence of prompt and new tokens together. A continuation is
    tokenised apart from its prompt (encode_continuation), so its tokens never depend on how the
    prompt ends.
    """
    started = time.monotonic()
    if not isinstance(request.prompt, str):
        return failed(request, "the prompt is messages, but a local engine takes rendered text")
    prompt = tokenizer.encode(
        request.prompt, add_special_tokens=request.special_tokens, verbose=False
    )
    size = len(prompt)
    if not size:
        return failed(request, "the prompt has no tokens")
    continuations = tuple(encode_continuation(tokenizer, text) for text in request.continuations)
    if continuations:
        longest = size + max(map(len, continuations))
        if longest > context:
            return failed(
                request,
                f"prompt and longest continuation have {longest} tokens, "
                f"the context holds {context}",
                size,
            )
    elif size >= context:
        return failed(request, f"the prompt has {size} tokens, the context holds {context}", size)
    elif request.sampling.max_tokens < 1:
        return failed(request, f"max_tokens is {request.sampling.max_tokens}, expected 1 or more")
    return Task(
        request=request,
        prompt=prompt,
        continuations=continuations,
        max_tokens=min(request.sampling.max_tokens, context - size),
        stop=tuple(text for text in request.sampling.stop if text),
        started=started,
    )


@lru_cache(maxsize=4096)
def encode_continuation(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of `text` as it reads inside a document; remembered, for labels recur.

    Some tokenizers put a blank before whatever they encode; that blank belongs to the beginning
    of a document, not to a continuation. Encoding a line break before the text and dropping its
    tokens avoids it. Where line break and text fuse into one token, the text is encoded alone.
    """
    anchor = tokenizer.encode(ANCHOR, add_special_tokens=False)
    joined = tokenizer.encode(ANCHOR + text, add_special_tokens=False, verbose=False)
    if anchor and joined[: len(anchor)] == anchor:
        return tuple(joined[len(anchor) :])
    return tuple(tokenizer.encode(text, add_special_tokens=False, verbose=False))


def failed(request: Request, reason: str, prompt_tokens: int = 0) -> Generation:
    """The generation of a request that could not be answered; `reason` is one sentence."""
    return Generation(
        key=request.key,
        text="",
        finish_reason="error",
        prompt_tokens=prompt_tokens,
        error=reason,
    )
