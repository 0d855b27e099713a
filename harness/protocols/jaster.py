"""Jaster: few-shot datasets with exact output formats, asked and scored as llm-jp-eval 1.3 or
Nejumi v4 do, and beside that what was lost to format and what the model knows.

`strict` is the protocol's own metric on its own reading of the answer. `format` says whether that
reading obeys the output format, `lenient` is the metric after careful extraction, `choice` the
label of highest log-likelihood. Every metric is stored under its own name too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from harness.engines.types import Message, Sampling
from harness.items.schema import DATASET_METRICS, Item, Metric, content_hash
from harness.protocols.types import Answer, Ask, Reading, drawn
from harness.scoring import (
    SCORING_VERSION,
    Score,
    char_f1,
    char_f1_llmjp,
    classify,
    compare,
    exact_match,
    find_answer,
    float_match,
    format_fault,
    llmjp_prediction,
    nejumi_format,
    nejumi_prediction,
    nfkc,
    score_choice,
    set_f1_llmjp,
    trim,
)

VariantName = Literal["llmjp-1.3", "nejumi-v4"]

# The fixed opening sentences of the two frames, part of what makes a score comparable.
LLMJP_INTRO = (
    "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。"
    "要求を適切に満たす応答を書きなさい。"
)
NEJUMI_INTRO = (
    "以下に、あるタスクを説明する指示があり、それに付随する入力が更なる文脈を提供しています。"
    "リクエストを適切に完了するための回答を記述してください。"
)


def llmjp_prompt(item: Item, shots: int) -> str:
    """One text: the opening sentence, the instruction, each shot, the open question."""
    blocks = [LLMJP_INTRO, f"### 指示:\n{item.instruction}"]
    for given, answer in item.shots[:shots]:
        blocks += [f"### 入力:\n{given}", f"### 応答:\n{answer}"]
    blocks += [f"### 入力:\n{item.turns[0]}", "### 応答:\n"]
    return "\n\n".join(blocks)


def nejumi_messages(item: Item, shots: int) -> tuple[Message, ...]:
    """A conversation: shots as turns already answered; the first user message begins with the
    opening sentence and the instruction."""
    turns = [*item.shots[:shots], (item.turns[0], None)]
    messages: list[Message] = []
    for given, answer in turns:
        head = "" if messages else f"{NEJUMI_INTRO}\n{item.instruction}\n\n"
        messages.append(Message("user", head + given))
        if answer is not None:
            messages.append(Message("assistant", answer))
    return tuple(messages)


@dataclass(frozen=True)
class Variant:
    """What tells one Jaster protocol from another.

    shots      numbers of few-shots that each item is asked with; scores are averaged over them
    prompt     a text as it stands, for a completion; None where messages are sent
    reading    (extracted, normalised) of a raw answer
    items      items of each dataset by default, and of its dev split
    metrics    metric by dataset where it is not that of llm-jp-eval
    categories category by dataset likewise
    """

    shots: tuple[int, ...]
    frame: str
    reading: Callable[[str, Item], tuple[str, str]]
    items: int = 100
    dev_items: int = 0
    metrics: Mapping[str, Metric] | None = None
    categories: Mapping[str, str] | None = None


VARIANTS: dict[VariantName, Variant] = {
    "llmjp-1.3": Variant(
        shots=(4,),
        frame="completion",
        reading=lambda raw, item: llmjp_prediction(raw),
    ),
    "nejumi-v4": Variant(
        shots=(0, 2),
        frame="chat",
        reading=lambda raw, item: nejumi_prediction(raw, item.dataset),
        dev_items=10,
        metrics={"mawps": "float", "mgsm": "float"},
        categories={"mgsm": "MR"},
    ),
}


@dataclass(frozen=True)
class Jaster:
    """One Jaster protocol over one set of datasets.

    suite        what the user named
    variant      "llmjp-1.3" or "nejumi-v4"
    shots        numbers of few-shots that each item is asked with
    choice       whether closed label sets are also scored by log-likelihood
    temperature, top_p   of the samples when more than one is asked for; one is greedy
    """

    suite: str
    variant: VariantName = "llmjp-1.3"
    shots: tuple[int, ...] = (4,)
    choice: bool = True
    version: int = 1
    temperature: float = 0.7
    top_p: float = 0.95

    @property
    def id(self) -> str:
        return f"jaster/{self.variant}"

    @cached_property
    def definition(self) -> Mapping[str, Any]:
        intro = LLMJP_INTRO if self.variant == "llmjp-1.3" else NEJUMI_INTRO
        return {
            "protocol": self.id,
            "suite": self.suite,
            "variant": self.variant,
            # Not `choice`: whether labels are scored too changes no other score.
            "shots": self.shots,
            "version": self.version,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "frame": VARIANTS[self.variant].frame,
            "intro": intro,
            "scoring": SCORING_VERSION,
        }

    @cached_property
    def hash(self) -> str:
        return content_hash(self.definition)

    def requests(self, items: Sequence[Item], samples: int, seed: int) -> Iterator[Ask]:
        for item in items:
            for shots in self.shots:
                for sample in range(samples):
                    yield self._ask(item, shots, sample, samples, seed)
                if self.choice and _is_closed(item):
                    ask = self._ask(item, shots, 0, 1, seed)
                    yield replace(
                        ask,
                        sampling=Sampling(max_tokens=1),
                        kind="choice",
                        continuations=item.format.labels,
                    )

    def _ask(self, item: Item, shots: int, sample: int, samples: int, seed: int) -> Ask:
        identity = (seed, item.hash, sample, shots)
        sampling = drawn(identity, samples, item.max_tokens or 1, self.temperature, self.top_p)
        if VARIANTS[self.variant].frame == "completion":
            return Ask(item, (), sampling, sample, completion=llmjp_prompt(item, shots))
        return Ask(item, nejumi_messages(item, shots), sampling, sample)

    def follow_up(self, ask: Ask, answer: Answer) -> Ask | None:
        return None

    def reading(self, ask: Ask, answer: Answer) -> Reading | None:
        if ask.kind == "choice":
            return None
        extracted, normalised = VARIANTS[self.variant].reading(answer.text, ask.item)
        return Reading(extracted, normalised, _careful(ask.item, extracted, answer.text))

    def scores(self, ask: Ask, answer: Answer) -> tuple[Score, ...]:
        if ask.kind == "choice":
            return score_choice(ask.item, answer.likelihoods)
        reading = self.reading(ask, answer)
        assert reading is not None
        extra: list[Score] = []
        if self.variant == "nejumi-v4":
            obeys = nejumi_format(reading.normalised, ask.item.dataset)
            if obeys is not None:
                extra.append(Score("nejumi_format", obeys))
        return _scores(ask.item, answer, reading, extra)


def _is_closed(item: Item) -> bool:
    golds = {item.answer, *item.accept}
    return item.format.kind == "choice" and golds <= set(item.format.labels)


def _careful(item: Item, extracted: str, raw: str) -> str | None:
    """The answer that a careful reader finds: in what the protocol reads, else in the whole."""
    found = find_answer(extracted, item) if extracted else None
    return find_answer(raw, item) if found is None else found


def _scores(
    item: Item, answer: Answer, reading: Reading, extra: Sequence[Score]
) -> tuple[Score, ...]:
    obeys = format_fault(reading.extracted, item.format, item.turns[-1]) is None
    form = Score("format", float(obeys))
    if item.metric in DATASET_METRICS:
        return (form, *extra)
    golds = [nfkc(gold) for gold in (item.answer, *item.accept)]
    named = {
        name: max(metric(reading.normalised, gold) for gold in golds)
        for name, metric in _NAMED.items()
    }
    strict = named[_STRICT[item.metric]]
    lenient = strict
    if reading.lenient is not None:
        lenient = max(strict, compare(item.metric, reading.lenient, item, lenient=True))
    # What stands behind the protocol's cut is not what the model was stopped in.
    shown = reading.extracted or answer.text
    cut_off = trim(answer.text).endswith(trim(shown))
    reason = answer.finish_reason if cut_off else "stop"
    failure = classify(item, shown, reason, strict, lenient)
    return (
        Score("strict", strict, failure),
        form,
        Score("lenient", lenient),
        *extra,
        *(Score(name, value) for name, value in named.items()),
    )


_NAMED: dict[str, Callable[[str, str], float]] = {
    "exact_match": exact_match,
    "char_f1_llmjp": char_f1_llmjp,
    "char_f1": char_f1,
    "set_f1": set_f1_llmjp,
    "float_match": float_match,
}
_STRICT: dict[Metric, str] = {
    "exact": "exact_match",
    "char_f1_llmjp": "char_f1_llmjp",
    "char_f1": "char_f1",
    "set_f1": "set_f1",
    "float": "float_match",
    "number": "float_match",
}
