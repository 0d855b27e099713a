"""Japanese MT-Bench: two turns in eight genres, in each of the protocols that go by that name.

The answers are generated here and, where an item has a check, decided by rule. Ratings are a
judge's (`harness.judge`); what neither a rule nor a judge has decided is unjudged, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

from harness.engines.types import Message, Sampling
from harness.errors import HarnessError
from harness.items.fastchat import REFERENCE_GENRES
from harness.items.schema import Item, content_hash
from harness.protocols.types import Answer, Ask, Reading, drawn
from harness.scoring import SCORING_VERSION, Score
from harness.scoring.code.extract import own_text
from harness.scoring.code.score import CODE_VERSION, HarnessFaultError
from harness.scoring.code.types import CodeOutcome, CodeRun, Runner
from harness.scoring.constraints import CONSTRAINTS_VERSION
from harness.scoring.style import STYLE_VERSION, style_measures
from harness.scoring.verify import VERIFY_VERSION, verify
from harness.statistics.ratings import Aggregation

MtBenchName = Literal[
    "lm-sys",
    "stability-2023",
    "stability-2023-full",
    "nejumi-v3",
    "nejumi-v4",
    "swallow-2025",
    "harness-1",
]

_LM_SYS = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}
_STABILITY = {
    "writing": 0.5,
    "roleplay": 0.5,
    "extraction": 0.2,
    "math": 0.1,
    "coding": 0.1,
    "reasoning": 0.1,
    "stem": 0.2,
    "humanities": 0.2,
}


@dataclass(frozen=True)
class Variant:
    """What one protocol prescribes.

    suite         "mt-bench" for the English questions, else "mt-bench-ja"
    temperatures  by genre; empty: one answer is greedy, several are drawn at 0.7
    max_tokens    new tokens that an answer may take
    top_p, repetition_penalty  of every answer
    turns         how many turns are asked and judged
    answers       answers per question
    carried       characters of the turn-1 answer that turn 2 and the judge of turn 2 see; the
                  answer is then without its thoughts
    dropped       genres that are not asked
    judge         the judge of record: scores by another one are not this protocol's
    lowest        of the rating scale, whose highest is 10
    shown         what ratings are divided by where the protocol shows them
    aggregation   rows: the mean over all readable rows. genres: repeats are averaged by question
                  and turn, these by genre, and genres weigh alike. repeats: the mean over the
                  valid questions of each repeat, then over repeats, with their sd (ddof 1)
    structured    whether the verdict is asked for as JSON where the server can
    """

    suite: str = "mt-bench-ja"
    temperatures: Mapping[str, float] = field(default_factory=lambda: dict(_LM_SYS))
    max_tokens: int = 1024
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    turns: int = 2
    answers: int = 1
    carried: int | None = None
    dropped: tuple[str, ...] = ()
    judge: str | None = None
    lowest: int = 1
    shown: int = 1
    aggregation: Aggregation = "rows"
    structured: bool = False


_STABILITY_2023 = Variant(
    temperatures=_STABILITY,
    max_tokens=512,
    top_p=0.9,
    repetition_penalty=1.1,
    turns=1,
    dropped=("math", "coding"),
    judge="gpt-4",
)
VARIANTS: Mapping[MtBenchName, Variant] = {
    "lm-sys": Variant("mt-bench", judge="gpt-4"),
    "stability-2023": _STABILITY_2023,
    "stability-2023-full": replace(_STABILITY_2023, dropped=()),
    "nejumi-v3": Variant(judge="gpt-4o-2024-05-13", shown=10),
    "nejumi-v4": Variant(
        judge="gpt-4.1-2025-04-14", lowest=0, aggregation="genres", structured=True
    ),
    "swallow-2025": Variant(
        answers=5, carried=8192, judge="gpt-4o-2024-08-06", shown=10, aggregation="repeats"
    ),
    "harness-1": Variant(temperatures={}, max_tokens=2048, aggregation="genres", structured=True),
}
NAMES: tuple[MtBenchName, ...] = get_args(MtBenchName)


@dataclass(frozen=True)
class MtBench:
    """The protocol of `mt-bench-ja` (harness-1) and of `mt-bench:NAME`.

    name     which of VARIANTS; everything that it prescribes is part of the hash
    evalset  of harness-1: the set whose items are asked
    runner   runs the programs of code checks; how it does is no part of the protocol
    """

    name: MtBenchName = "harness-1"
    evalset: str = "mt-bench-ja"
    runner: Runner | None = field(default=None, compare=False, repr=False)

    @property
    def variant(self) -> Variant:
        return VARIANTS[self.name]

    @property
    def suite(self) -> str:
        """The evalset for items of our own kind; else as the user names it, `mt-bench:NAME`."""
        return self.evalset if self.is_ours else f"mt-bench:{self.name}"

    @property
    def is_ours(self) -> bool:
        return self.name == "harness-1"

    @property
    def id(self) -> str:
        return f"{self.evalset if self.is_ours else self.variant.suite}/{self.name}"

    @cached_property
    def definition(self) -> Mapping[str, Any]:
        return {
            "protocol": "mt-bench",
            "name": self.name,
            **({"evalset": self.evalset} if self.is_ours else {}),
            **asdict(self.variant),
            "scoring": [
                SCORING_VERSION,
                VERIFY_VERSION,
                CODE_VERSION,
                CONSTRAINTS_VERSION,
                STYLE_VERSION,
            ],
        }

    @cached_property
    def hash(self) -> str:
        return content_hash(self.definition)

    def requests(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]:
        for item in items:
            messages = (Message("user", item.turns[0]),)
            for sample in range(samples):
                sampling = self._sampling(item, sample, samples, seed)
                yield Ask(item, messages, sampling, sample)

    def _sampling(self, item: Item, sample: int, samples: int, seed: int) -> Sampling:
        variant = self.variant
        # As with greedy answers, a single one does not depend on the user's seed.
        identity = (seed if samples > 1 else 0, item.hash, sample)
        if not variant.temperatures:
            return drawn(identity, samples, variant.max_tokens, 0.7, 0.95)
        temperature = variant.temperatures[item.genre]
        own = int(content_hash(list(identity))[:8], 16) & 0x7FFFFFFF
        return Sampling(
            temperature,
            variant.top_p,
            variant.max_tokens,
            seed=own if temperature > 0 else None,
            repetition_penalty=variant.repetition_penalty,
        )

    def follow_up(self, ask: Ask, answer: Answer) -> Ask | None:
        turn = ask.turn + 1
        if turn >= min(len(ask.item.turns), self.variant.turns):
            return None
        messages = (
            *ask.messages,
            Message("assistant", self.carried(answer.text)),
            Message("user", ask.item.turns[turn]),
        )
        return replace(ask, messages=messages, turn=turn)

    def carried(self, answer: str) -> str:
        """What the next turn, and a judge, see of a first answer: our own protocol and Swallow's
        leave its thoughts out, and Swallow's cuts it."""
        limit = self.variant.carried
        return self.shown(answer) if limit is None else self.shown(answer)[:limit]

    def shown(self, answer: str) -> str:
        """An answer as its judge sees it."""
        if self.is_ours:
            return own_text(answer).strip()
        return answer if self.variant.carried is None else own_text(answer)

    def judged_text(self, ask: Ask, answer: Answer) -> tuple[str, ...]:
        """The answers that a judge is shown, by turn; the last one is to be rated."""
        earlier = tuple(one.content for one in ask.messages if one.role == "assistant")
        text = self.shown(answer.text) if ask.turn else self.carried(answer.text)
        return (*earlier, text)

    def draw(self, sample: int) -> int:
        """0 where equal answers share their judgment; where the spread between repeats is reported,
        each has one of its own, and this is its number."""
        return sample if self.variant.aggregation == "repeats" else 0

    def against_reference(self, item: Item, turn: int) -> bool:
        """Whether a judge compares with a reference: ours wherever there is one, the others in
        three genres."""
        if self.is_ours:
            return turn < len(item.references) and bool(item.references[turn].strip())
        return item.genre in REFERENCE_GENRES

    def reading(self, ask: Ask, answer: Answer) -> Reading | None:
        return None

    def scores(self, ask: Ask, answer: Answer) -> tuple[Score, ...]:
        """`verified` where the turn has a check that can tell whether it is right; `followed` where
        the check is of constraints, which say what an answer must keep to and not how good it is.
        Beside them, of every answer, the measures of its language and style.
        """
        measures = style_measures(self.shown(answer.text), answer.finish_reason)
        style = tuple(Score(one.metric, one.value) for one in measures if one.value is not None)
        check = ask.item.checks[ask.turn] if ask.item.checks else None
        if check is None:
            return style
        prompt = ask.item.turns[ask.turn]
        run = self._run if self.runner is not None else None
        verified = verify(check, answer.text, prompt, run, ask.item.id)
        metric = "followed" if check.constraints else "verified"
        return style if verified is None else (Score(metric, verified), *style)

    def _run(self, program: CodeRun) -> CodeOutcome:
        if self.runner is None:
            raise HarnessFaultError(f"suite {self.suite}: nothing here runs untrusted programs")
        (outcome,) = self.runner([program])
        return outcome


def require_judged(name: str, items: Sequence[Item]) -> None:
    """Raises HarnessError for a suite in which some items are for a judge and some are not."""
    plain = [item.id for item in items if item.metric != "judge"]
    if plain:
        raise HarnessError(
            f"--suite {name}: {len(plain)} of {len(items)} items are not for a judge (the first is "
            f"{plain[0]}); keep items with `metric` judge in an evalset of their own"
        )
