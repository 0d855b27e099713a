"""Asks a teacher: replies from the journal first, the rest within a budget, each kept at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Any

from harness.engines.types import Generation, Request, Sampling
from harness.errors import HarnessError
from harness.judge.budget import Budget, Price
from training.synthesis.journal import Journal, prompt_key
from training.synthesis.teachers import Teacher
from training.synthesis.types import Prompt, Reply

# A teacher that fails so many questions in a row is asked no more.
MOST_FAILURES = 8
# A price at which a million tokens cost a million: what is spent is counted in tokens.
_EACH = Price(1e6, 1e6)


class BudgetSpentError(Exception):
    """No more questions are paid for; what was answered is in the journal."""


@dataclass(frozen=True)
class Limits:
    """What a round may take: the teacher's tokens, prompts and replies together; money, in the
    currency of `price`; hours of this run. None: as much as it needs."""

    tokens: int | None = None
    cost: float | None = None
    price: Price | None = None
    hours: float | None = None


@dataclass(frozen=True)
class Spent:
    """What a round has paid for, over all runs; `reused` replies were in the journal when this run
    asked for them."""

    replies: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    reused: int


class Asking:
    """The `Ask` of generators; one for a round, called from several threads.

    round  its name in the journal

    Invariants: a reply is in the journal before anyone sees it, and whoever asks the same later
    gets that one. A question that failed is owed again. A question that could take the spending
    beyond the budget is not asked.
    """

    def __init__(
        self, teacher: Teacher, journal: Journal, round: str, limits: Limits = Limits()
    ) -> None:
        self.teacher = teacher
        self._journal = journal
        self._round = round
        self._limits = limits
        self._deadline = None if limits.hours is None else time.monotonic() + 3600 * limits.hours
        _, prompts, completions = journal.spent(round)
        self._tokens = Budget(limits.tokens, _EACH)
        self._money = Budget(limits.cost, limits.price)
        self._tokens.spent = float(prompts + completions)
        self._money.spent = limits.price.of(prompts, completions) if limits.price else 0.0
        self._lock = threading.Lock()
        self._flying: dict[str, Future[Reply]] = {}
        self._reused = 0
        self._in_a_row = 0
        self._stopped = ""

    @property
    def spent(self) -> Spent:
        replies, prompts, completions = self._journal.spent(self._round)
        cost = self._limits.price.of(prompts, completions) if self._limits.price else None
        return Spent(replies, prompts, completions, cost, self._reused)

    @property
    def tokens(self) -> int:
        """Tokens paid for so far, for a progress bar."""
        return int(self._tokens.spent)

    def out_of_time(self) -> str:
        """Why the round has to stop by the clock, or ""."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return f"{self._limits.hours:g} hours are over"
        return ""

    def withdraw(self) -> None:
        """Gives up what was asked and not begun."""
        self._stopped = self._stopped or "interrupted"
        self.teacher.withdraw()

    def known(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """As a call, of the journal alone. Raises BudgetSpentError where a reply is not in it."""
        keys = [self._key(prompt) for prompt in prompts]
        found = self._journal.find(keys)
        if any(key not in found for key in keys):
            raise BudgetSpentError("not in the journal")
        return [found[key] for key in keys]

    def __call__(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Replies in the order of their prompts.

        Raises BudgetSpentError, when all that was begun has arrived, where the budget did not
        suffice for all; HarnessError where the teacher fails for good.
        """
        keys = [self._key(prompt) for prompt in prompts]
        found = self._journal.find(list(dict.fromkeys(keys)))
        self._reused += len(found)
        begun: dict[str, Future[Reply]] = {}
        spent = ""
        for key, prompt in zip(keys, prompts, strict=True):
            if key in found or key in begun:
                continue
            future = self._begin(key, prompt)
            if isinstance(future, str):
                spent = future
                break
            begun[key] = future
        spent = self._wait(begun) or spent
        replies = {**found, **{key: one.result() for key, one in begun.items() if _came(one)}}
        if any(key not in replies for key in keys):
            raise BudgetSpentError(self._stopped or spent or "withdrawn")
        return [replies[key] for key in keys]

    def _wait(self, begun: dict[str, Future[Reply]]) -> str:
        """Until all have arrived; at the deadline what has not begun is withdrawn."""
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        _, late = wait_for(begun.values(), timeout=left)
        if not late:
            return ""
        self.teacher.withdraw()
        wait_for(late)
        return self.out_of_time()

    def _begin(self, key: str, prompt: Prompt) -> Future[Reply] | str:
        """The reply to come, or why it is not asked for."""
        if stopped := self._stopped or self.out_of_time():
            return stopped
        request = Request(
            key, tuple(prompt.messages), Sampling(prompt.temperature, max_tokens=prompt.max_tokens)
        )
        amounts = self._reserve(request)
        if isinstance(amounts, str):
            return amounts
        with self._lock:
            flying = self._flying.get(key)
            if flying is None:
                arrived: Future[Reply] = Future()
                self._flying[key] = arrived
        if flying is not None:  # another line asks the same at this moment
            self._settle(amounts, _nothing(key))
            return flying
        asked = self.teacher.submit(key, prompt)
        asked.add_done_callback(lambda done: self._arrive(key, prompt, amounts, done, arrived))
        return arrived

    def _reserve(self, request: Request) -> tuple[float, float] | str:
        tokens = self._tokens.reserve(request)
        if tokens is None:
            return f"{self._limits.tokens:,} tokens are spent"
        money = self._money.reserve(request)
        if money is None:
            self._tokens.settle(tokens, _nothing(request.key))
            return f"{self._limits.cost:g} is spent"
        return tokens, money

    def _settle(self, amounts: tuple[float, float], generation: Generation) -> None:
        self._tokens.settle(amounts[0], generation)
        self._money.settle(amounts[1], generation)

    def _arrive(
        self,
        key: str,
        prompt: Prompt,
        amounts: tuple[float, float],
        done: Future[Generation],
        arrived: Future[Reply],
    ) -> None:
        """Keeps a reply and gives it to whoever waits."""
        try:
            generation = done.result()
        except CancelledError:
            self._settle(amounts, _nothing(key))
            # Not cancelled: who waits for several futures waits for ever for a cancelled one.
            self._land(key, arrived, lambda: arrived.set_exception(BudgetSpentError("withdrawn")))
            return
        except Exception as error:
            self._settle(amounts, _nothing(key))
            fault = error if isinstance(error, HarnessError) else _broken(self.teacher, error)
            self._land(key, arrived, lambda: arrived.set_exception(fault))
            return
        self._settle(amounts, generation)
        reply = Reply(
            generation.text,
            generation.finish_reason,
            generation.prompt_tokens,
            generation.completion_tokens,
        )
        try:
            reply = self._booked(key, prompt, reply, generation.error)
        except Exception as error:
            unkept = error
            self._land(key, arrived, lambda: arrived.set_exception(unkept))
            return
        self._land(key, arrived, lambda: arrived.set_result(reply))

    def _booked(self, key: str, prompt: Prompt, reply: Reply, error: str | None) -> Reply:
        """A reply as it is in the journal. Raises HarnessError where too many failed in a row."""
        if reply.finish != "error":
            self._in_a_row = 0
            return self._journal.keep(key, self.teacher.about.name, prompt, reply, self._round)
        self._in_a_row += 1
        if self._in_a_row >= MOST_FAILURES:
            raise HarnessError(
                f"{self.teacher.about.place}: {self._in_a_row} questions to the teacher in a row "
                f"failed (the last: {error}); mend that and repeat the command"
            )
        return reply

    def _land(self, key: str, arrived: Future[Reply], tell: Callable[[], Any]) -> None:
        with self._lock:
            self._flying.pop(key, None)
        tell()

    def _key(self, prompt: Prompt) -> str:
        return prompt_key(self.teacher.about.identity, prompt)


def _came(future: Future[Reply]) -> bool:
    return not isinstance(future.exception(), BudgetSpentError)


def _nothing(key: str) -> Generation:
    return Generation(key, "", "error")


def _broken(teacher: Teacher, error: BaseException) -> HarnessError:
    return HarnessError(
        f"{teacher.about.place}: the teacher's engine failed ({error}); mend that and repeat the "
        "command"
    )
