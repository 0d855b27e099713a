"""Items whose answer is free but for constraints that a rule verifies, in the manner of IFEval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from harness.engines.types import Message
from harness.items.schema import Item, content_hash
from harness.protocols.types import Answer, Ask, Reading, drawn
from harness.scoring import SCORING_VERSION, Score
from harness.scoring.constraints import CONSTRAINTS_VERSION
from harness.scoring.constraints.score import score_constraints


@dataclass(frozen=True)
class InstructionFollowing:
    """The protocol of `if-ja`, of M-IFEval's files and of any evalset of constraints.

    suite        what the user named
    version      raised when asking or scoring changes
    max_tokens   new tokens that an answer may take
    temperature  of the samples when more than one is asked for; a single sample is greedy
    """

    suite: str = "if-ja"
    version: int = 1
    max_tokens: int = 1024
    temperature: float = 0.7
    top_p: float = 0.95

    @property
    def id(self) -> str:
        return f"{self.suite}/harness-{self.version}"

    @cached_property
    def definition(self) -> Mapping[str, Any]:
        return {
            "protocol": "instruction-following",
            **asdict(self),
            "constraints": CONSTRAINTS_VERSION,
            "scoring": SCORING_VERSION,
        }

    @cached_property
    def hash(self) -> str:
        return content_hash(self.definition)

    def requests(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]:
        for item in items:
            messages = (Message("user", item.turns[0]),)
            for sample in range(samples):
                identity = (seed, item.hash, sample)
                sampling = drawn(identity, samples, self.max_tokens, self.temperature, self.top_p)
                yield Ask(item, messages, sampling, sample)

    def follow_up(self, ask: Ask, answer: Answer) -> Ask | None:
        return None

    def reading(self, ask: Ask, answer: Answer) -> Reading | None:
        return None

    def scores(self, ask: Ask, answer: Answer) -> tuple[Score, ...]:
        return score_constraints(ask.item, answer.text, answer.finish_reason)
