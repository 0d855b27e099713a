"""Which answers of an MT-Bench evaluation a judge rates, as they come or from the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import HarnessError
from harness.evaluation_rows import Planned, Told
from harness.items.schema import Item
from harness.judge.judging import Judging
from harness.judge.prompts import PromptSet, load_official_prompts, load_prompts
from harness.judge.types import Shown
from harness.protocols.mt_bench import MtBench
from harness.protocols.types import Answer
from harness.store import queries
from harness.store.queries import EvaluationRow

# What a structured verdict looks like where the official texts say nothing of JSON.
_SCHEMA = {
    "type": "object",
    "properties": {"explanation": {"type": "string"}, "rating": {"type": "integer"}},
    "required": ["explanation", "rating"],
    "additionalProperties": False,
}


def prompts_for(protocol: MtBench, official: Path | None) -> PromptSet:
    """The judge prompts of a protocol: our own, or those of the user's official file with the
    protocol's scale, and read as JSON where the protocol has structured verdicts.

    Raises HarnessError where official prompts are needed and no file is given, or the file lacks
    one that the protocol asks with.
    """
    if protocol.is_ours and official is None:
        return load_prompts()
    if official is None:
        raise HarnessError(
            f"{protocol.id} is judged by its official prompts; name their file (FastChat's "
            "judge_prompts.jsonl, or llm-jp-judge's YAML) with --judge-prompts FILE, here or when "
            "the questions are imported"
        )
    loaded = load_official_prompts(official)
    for turn in range(protocol.variant.turns):
        for reference in (False, True):
            loaded.prompt(turn, reference)
    scale = (float(protocol.variant.lowest), 10.0)
    prompts = {}
    for key, prompt in loaded.prompts.items():
        if not prompt.is_pairwise:
            rule = replace(prompt.verdict, scale=scale)
            if protocol.variant.structured:
                rule = replace(rule, reader="harness-1", pattern=None, schema=_SCHEMA)
            prompt = replace(prompt, verdict=rule)
        prompts[key] = prompt
    return replace(loaded, prompts=prompts)


def teller(judging: Judging, protocol: MtBench) -> Told:
    """What `evaluate` tells each answer to, so that judging goes on beside generation."""

    def told(evaluation: str, entry: Planned, answer: Answer, scores: Mapping[str, float]) -> None:
        ask = entry.ask
        if is_decided(protocol, scores):
            return
        shown = protocol.judged_text(ask, answer)
        reference = protocol.against_reference(ask.item, ask.turn)
        draw = protocol.draw(ask.sample)
        judging.offer(evaluation, entry.request.key, ask.item, shown, reference, draw)

    return told


def is_decided(protocol: MtBench, scores: Mapping[str, float]) -> bool:
    """Whether a rule has settled what an answer is worth, so that no judge is asked. The official
    protocols have every answer judged."""
    return protocol.is_ours and "verified" in scores


def judge_stored(
    store: Path,
    evaluation: EvaluationRow,
    protocol: MtBench,
    judging: Judging,
    *,
    every: bool = False,
) -> None:
    """Offers the stored answers of an evaluation that have ended without error.

    every  those too that a rule has decided, to learn of the judge
    """
    for answer in stored(store, evaluation, protocol):
        if every or not is_decided(protocol, answer.scores):
            shown, item = answer.shown, answer.item
            reference = protocol.against_reference(item, answer.turn)
            draw = protocol.draw(answer.sample)
            judging.offer(shown.evaluation, shown.answer, item, shown.texts, reference, draw)


def judge_pairs(
    store: Path,
    first: EvaluationRow,
    second: EvaluationRow,
    protocol: MtBench,
    judging: Judging,
) -> int:
    """Offers the answers of two evaluations to the same item, sample and turn; returns how many
    pairs there are."""
    others = {(one.item.hash, one.sample, one.turn): one for one in stored(store, second, protocol)}
    pairs = 0
    for one in stored(store, first, protocol):
        other = others.get((one.item.hash, one.sample, one.turn))
        if other is not None:
            reference = protocol.against_reference(one.item, one.turn)
            judging.offer_pair(one.item, one.shown, other.shown, reference)
            pairs += 1
    return pairs


@dataclass(frozen=True)
class StoredAnswer:
    """An answer in the store as a judge is shown it, with its scores by metric."""

    item: Item
    sample: int
    shown: Shown
    scores: Mapping[str, float]

    @property
    def turn(self) -> int:
        return len(self.shown.texts) - 1


def stored(store: Path, evaluation: EvaluationRow, protocol: MtBench) -> Iterator[StoredAnswer]:
    """The answers of an evaluation that ended without error, and whose earlier turns did."""
    items = queries.items_of(store, evaluation.id)
    answers = {
        (one.item_hash, one.sample, one.turn): one
        for one in queries.stored_answers(store, evaluation.id)
        if one.finish_reason != "error"
    }
    scores = queries.scores_by_key(
        store,
        evaluation.fingerprint,
        [one.key for one in answers.values()],
        evaluation.protocol_hash,
    )
    for (item_hash, sample, turn), answer in answers.items():
        earlier = [answers.get((item_hash, sample, before)) for before in range(turn)]
        if None in earlier:
            continue
        carried = [protocol.carried(one.text) for one in earlier if one is not None]
        last = protocol.shown(answer.text) if turn else protocol.carried(answer.text)
        shown = Shown(evaluation.id, answer.key, (*carried, last))
        yield StoredAnswer(items[item_hash], sample, shown, scores.get(answer.key, {}))
