"""Coding items: one program is asked for in chat, and run against hidden tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from harness.engines.types import Message, Sampling
from harness.errors import HarnessError
from harness.items.schema import Item, content_hash
from harness.protocols.types import Answer, Ask, Reading
from harness.scoring import Score
from harness.scoring.code.score import CODE_VERSION, HarnessFaultError, score_code
from harness.scoring.code.types import CodeLimits, CodeOutcome, Runner, code_run


@dataclass(frozen=True)
class Code:
    """The protocol of `code-ja`, of files of HumanEval's kind and of any evalset of code.

    suite        what the user named
    version      raised when asking or scoring changes
    max_tokens   new tokens that an answer may take
    temperature  of the samples when more than one is asked for; a single sample is greedy
    seconds, memory, output  what one hidden test may use (see `CodeLimits`)
    runner       runs programs; how it does is no part of the protocol, so neither of its hash
    """

    suite: str = "code-ja"
    version: int = 1
    max_tokens: int = 1024
    temperature: float = 0.8
    top_p: float = 0.95
    seconds: float = 5.0
    memory: int = 512 * 1024 * 1024
    output: int = 1024 * 1024
    runner: Runner | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        return f"{self.suite}/harness-{self.version}"

    @cached_property
    def definition(self) -> Mapping[str, Any]:
        settings = {one.name: getattr(self, one.name) for one in fields(self)}
        del settings["runner"]
        return {"protocol": "code", **settings, "code": CODE_VERSION}

    @cached_property
    def hash(self) -> str:
        return content_hash(self.definition)

    def requests(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]:
        # Before anything is generated: an answer that cannot be scored is time lost.
        self._need_runner()
        return self._asks(items, samples, seed)

    def _asks(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]:
        for item in items:
            messages = (Message("user", item.turns[0]),)
            for sample in range(samples):
                yield Ask(item, messages, self._sampling(item, sample, samples, seed), sample)

    def _sampling(self, item: Item, sample: int, samples: int, seed: int) -> Sampling:
        if samples == 1:
            return Sampling(max_tokens=self.max_tokens)
        # Its own seed for each sample of each item, so that neither order nor batch matters.
        own = int(content_hash([seed, item.hash, sample])[:8], 16) & 0x7FFFFFFF
        return Sampling(self.temperature, self.top_p, self.max_tokens, seed=own)

    def follow_up(self, ask: Ask, answer: Answer) -> Ask | None:
        return None

    def reading(self, ask: Ask, answer: Answer) -> Reading | None:
        return None

    def scores(self, ask: Ask, answer: Answer) -> tuple[Score, ...]:
        """As `score_code`. Pure but for the runner: the same program gets the same scores.

        Raises HarnessFaultError where the program could not be run; the request then counts as
        failed, never as wrong."""
        task = ask.item.code
        if task is None:
            raise ValueError(f"item {ask.item.id}: has no `code` to score by")
        runner = self._need_runner()

        def run(source: str) -> CodeOutcome:
            (outcome,) = runner([code_run(task, source, self._limits)])
            return outcome

        return score_code(task, answer.text, answer.finish_reason, run, ask.item.id)

    @property
    def _limits(self) -> CodeLimits:
        return CodeLimits(self.seconds, self.memory, self.output)

    def _need_runner(self) -> Runner:
        if self.runner is None:
            raise HarnessFaultError(
                f"suite {self.suite}: nothing here runs untrusted programs, so its answers cannot "
                "be scored; leave the suite out, or install the sandbox (`harness doctor`)"
            )
        return self.runner


def require_code(name: str, items: Sequence[Item]) -> None:
    """Raises HarnessError for a suite in which some items have code and some have none."""
    plain = [item.id for item in items if item.code is None]
    if plain:
        raise HarnessError(
            f"--suite {name}: {len(plain)} of {len(items)} items have no `code` (the first is "
            f"{plain[0]}); keep items with and without in evalsets of their own"
        )
