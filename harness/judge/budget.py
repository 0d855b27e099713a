"""What judging may cost and how fast it may go: prices, a spend cap that holds, a pace."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from harness.engines.types import Generation, Request

# A byte-level tokenizer makes at most one token of a byte; a chat template adds a few.
_TEMPLATE_TOKENS = 64


@dataclass(frozen=True)
class Price:
    """What a million tokens cost, of prompts and of replies, in one currency."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6

    def most(self, request: Request) -> float:
        """What a request costs at the most, known before it is asked."""
        text = "".join(one if isinstance(one, str) else one.content for one in request.prompt)
        size = len(text.encode("utf-8", "replace")) + _TEMPLATE_TOKENS
        return self.of(size, request.sampling.max_tokens)


class Budget:
    """A cap on spending that holds whatever is in flight: each call reserves the most it can cost
    and settles what it did cost. Waits while others' reservations stand in the way; refuses when
    the call does not fit what is really left."""

    def __init__(self, limit: float | None, price: Price | None) -> None:
        self.limit = limit
        self.price = price
        self.spent = 0.0
        self._reserved = 0.0
        self._changed = threading.Condition()

    def reserve(self, request: Request) -> float | None:
        """The amount set aside, or None where the call does not fit."""
        if self.price is None:
            return 0.0
        most = self.price.most(request)
        if self.limit is None:
            return most
        with self._changed:
            while self.spent + self._reserved + most > self.limit:
                if self.spent + most > self.limit:
                    return None
                self._changed.wait()
            self._reserved += most
        return most

    def settle(self, reserved: float, reply: Generation) -> float | None:
        """Gives a reservation back; returns what the reply cost, None without a price. A server
        that counts no tokens is taken to have used all that was set aside."""
        cost = self.price.of(reply.prompt_tokens, reply.completion_tokens) if self.price else None
        if cost is not None and not reply.prompt_tokens and reply.finish_reason != "error":
            cost = reserved
        with self._changed:
            if self.limit is not None:
                self._reserved -= reserved
            self.spent += cost or 0.0
            self._changed.notify_all()
        return cost


class Pace:
    """At most `per_minute` calls in a minute, evenly spaced; no limit when None."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + self._gap
        time.sleep(max(0.0, at - now))
