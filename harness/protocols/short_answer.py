"""Items with one right answer in an exact output format: asked plainly, scored without a judge.

Three metrics tell format from knowledge: `strict` is the item's own metric on the raw answer,
`format` whether the raw answer obeys the format asked for, `lenient` the metric after careful
extraction. Where the label set is closed, `choice` is the label of highest log-likelihood: what
the model knows without being asked to format it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from harness.engines.types import Message, Sampling
from harness.items.schema import Item, content_hash
from harness.protocols.types import Answer, Ask, Reading, drawn
from harness.scoring import SCORING_VERSION, Score, score_answer, score_choice

# Room for a byte-level tokenizer's three tokens a character and a few to say that it is over;
# what comes after the gold answer's length is a format fault anyway.
_TOKENS_PER_CHARACTER = 3
_SPARE_TOKENS = 8
_STEP = 16


def max_tokens(item: Item) -> int:
    """New tokens that an answer may take: enough for the longest right one, in steps of 16."""
    longest = max(map(len, (item.answer, *item.accept)))
    return _STEP * math.ceil((_SPARE_TOKENS + _TOKENS_PER_CHARACTER * longest) / _STEP)


@dataclass(frozen=True)
class ShortAnswer:
    """The protocol of `probes`, `basics` and any evalset of that schema.

    suite        what the user named
    version      raised when asking or scoring changes
    temperature  of the samples when more than one is asked for; a single sample is greedy
    choice       whether closed label sets are also scored by log-likelihood
    """

    suite: str
    version: int = 1
    temperature: float = 0.7
    top_p: float = 0.95
    choice: bool = False

    @property
    def id(self) -> str:
        return f"{self.suite}/harness-{self.version}"

    @cached_property
    def definition(self) -> Mapping[str, Any]:
        return {
            "protocol": "short-answer",
            **asdict(self),
            "max_tokens": [_SPARE_TOKENS, _TOKENS_PER_CHARACTER, _STEP],
            "scoring": SCORING_VERSION,
        }

    @cached_property
    def hash(self) -> str:
        return content_hash(self.definition)

    def requests(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]:
        for item in items:
            messages = (Message("user", item.turns[0]),)
            limit = max_tokens(item)
            for sample in range(samples):
                identity = (seed, item.hash, sample)
                sampling = drawn(identity, samples, limit, self.temperature, self.top_p)
                yield Ask(item, messages, sampling, sample)
            if self.choice and item.format.kind == "choice" and len(item.turns) == 1:
                yield Ask(
                    item,
                    messages,
                    Sampling(max_tokens=1),
                    kind="choice",
                    continuations=item.format.labels,
                )

    def follow_up(self, ask: Ask, answer: Answer) -> Ask | None:
        turn = ask.turn + 1
        if ask.kind != "answer" or turn >= len(ask.item.turns):
            return None
        messages = (
            *ask.messages,
            Message("assistant", answer.text),
            Message("user", ask.item.turns[turn]),
        )
        return replace(ask, messages=messages, turn=turn)

    def reading(self, ask: Ask, answer: Answer) -> Reading | None:
        return None

    def scores(self, ask: Ask, answer: Answer) -> tuple[Score, ...]:
        if ask.kind == "choice":
            return score_choice(ask.item, answer.likelihoods)
        if ask.turn + 1 < len(ask.item.turns):
            return ()
        return score_answer(ask.item, answer.text, answer.finish_reason)
