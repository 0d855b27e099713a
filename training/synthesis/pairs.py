"""Preference pairs from a student's own answers: its best and its worst by verifier or judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.load import find_home, list_evalsets, load_evalset, load_items
from harness.items.schema import FormatRule, Item
from harness.sandbox.pool import Pool
from harness.sandbox.runner import sandbox_runner
from harness.scoring.code.score import score_code
from harness.scoring.code.types import code_run
from harness.scoring.constraints import verdicts
from harness.scoring.normalise import normalise
from harness.scoring.score import score_answer
from training.synthesis import options
from training.synthesis.asked import ask_all
from training.synthesis.draws import prompt_seed
from training.synthesis.judged import STAGE as JUDGE
from training.synthesis.judged import ratings_of
from training.synthesis.seeds import seeds_of, training_item
from training.synthesis.types import Ask, Dropped, Order, Origin, Pair, Prompt, Reply

NAME = "pairs@1"
# The stage of a question that the student answers equally well each time.
TIE = "tie"

# One answer of the student and its score.
Scored = tuple[str, float]


def preference_pairs(
    order: Order, ask: Ask, student: str, judge: Ask | None = None
) -> Iterator[Pair | Dropped]:
    """One pair or drop for each candidate, in order: a question, which the student answers
    `samples` (8) times through `ask`; its best answer is chosen and its worst rejected, both as it
    wrote them. One call of `ask`, and one of `judge`.

    student  fingerprint of the checkpoint behind `ask`

    Questions are generated problems of the line's skill and level from the training split; or the
    items of a JSONL file, setting `items`; both are scored by rule, strictly. Or the questions of
    a shard or JSONL file, setting `questions`, which `judge` rates; there the ratings have to be
    `margin` (2) apart, by rule any difference counts. Answers that score alike make no pair.
    Of several best and worst answers those are taken whose lengths are closest, so that the pair
    teaches as little about length as it can (`length_bias` says what is left).

    Raises HarnessError for an item of an evaluation, which must never be trained on, for answers
    stored by an evaluation, and for questions without a judge.
    """
    line = order.line
    for name in ("store", "evaluation"):
        if name in line.settings:
            raise HarnessError(
                f"plan line {line.genre}/{line.skill}: setting {name} asks for answers to "
                "evaluation items, which are never trained on; ask the student for answers to "
                "items of the training split instead"
            )
    by_judge = "questions" in line.settings
    if by_judge and judge is None:
        raise HarnessError(
            f"plan line {line.genre}/{line.skill}: `questions` have no verifier and no judge is "
            "given; name one, or use `items`"
        )
    indices = range(order.start, order.start + order.count)
    items = [_item(order, index) for index in indices]
    count = options.integer(line, "samples", 8, 2, 1000)
    tokens = options.integer(line, "tokens", 512)
    prompts = [
        [
            Prompt(
                (Message("user", item.turns[0]),),
                tokens,
                temperature=0.8,
                seed=prompt_seed(order, index, "student", number),
            )
            for number in range(count)
        ]
        for index, item in zip(indices, items, strict=True)
    ]
    groups = ask_all(ask, prompts)
    least = float(options.integer(line, "margin", 2, 1, 9)) if by_judge else 0.0
    scored = (
        _rated(judge, items, groups) if judge is not None and by_judge else _verified(items, groups)
    )
    for index, item, answers in zip(indices, items, scored, strict=True):
        best = _apart(answers, least) if not isinstance(answers, Dropped) else answers
        if isinstance(best, Dropped):
            yield best
            continue
        (chosen, high), (rejected, low) = best
        yield Pair(
            line.genre,
            line.skill,
            line.level,
            (Message("user", item.turns[0]),),
            chosen,
            rejected,
            "judge" if by_judge else "verifier",
            high - low,
            student,
            Origin(NAME, index, order.seed, item.template or "", {}, (item.hash,)),
        )


@dataclass(frozen=True)
class LengthBias:
    """What pairs teach about length, in characters.

    longer      share of pairs whose chosen answer is the longer one; .5 is none, equal ones halved
    difference  mean length of the chosen less that of the rejected
    """

    pairs: int
    longer: float
    difference: float


def length_bias(pairs: Iterable[Pair]) -> LengthBias:
    """How chosen and rejected answers differ in length; of no pair, no bias."""
    differences = [len(one.chosen) - len(one.rejected) for one in pairs]
    count = len(differences)
    if not count:
        return LengthBias(0, 0.5, 0.0)
    longer = sum(1.0 if one > 0 else 0.5 if one == 0 else 0.0 for one in differences)
    return LengthBias(count, longer / count, sum(differences) / count)


def _item(order: Order, index: int) -> Item:
    settings = order.line.settings
    if "items" in settings:
        items = _training_items(Path(settings["items"]))
        return items[index % len(items)]
    if "questions" in settings:
        seeds = seeds_of(Path(settings["questions"]))
        seed = seeds[index % len(seeds)]
        rule = FormatRule("free")
        item = Item(seed.id, order.line.genre, (seed.question,), "", rule, "judge")
        _refuse_evaluated((item,), settings["questions"])
        return item
    return training_item(order.line, prompt_seed(order, index, "item"))


def _training_items(path: Path) -> tuple[Item, ...]:
    items = load_items(path)
    _refuse_evaluated(items, str(path))
    for item in items:
        if len(item.turns) > 1 or item.metric == "judge":
            raise HarnessError(
                f"{path}: item {item.id} has no rule that decides one answer to one turn; give "
                "such items as `questions`, with a judge"
            )
    return items


def _refuse_evaluated(items: Sequence[Item], path: str) -> None:
    """Raises HarnessError for a probe of the evaluation split, and for an item that asks what an
    evalset asks, typography aside."""
    for item in items:
        # Generated items of the training split say so in their id (`items.probes.generate`).
        if item.seen is not None and "/train/" not in item.id:
            raise HarnessError(
                f"{path}: {item.id} is a probe of the evaluation split, and evaluation items are "
                "never trained on; leave `items` out, and training ones are generated"
            )
        for turn in item.turns:
            if (name := _evaluated().get(normalise(turn))) is not None:
                raise HarnessError(
                    f"{path}: {item.id} is a question of the evalset {name}, and evaluation items "
                    "are never trained on; remove it"
                )


@lru_cache(maxsize=1)
def _evaluated() -> dict[str, str]:
    """The evalset of each question that comes with the harness."""
    return {
        normalise(turn): name
        for name in list_evalsets()
        for item in load_evalset(find_home(name)).items
        for turn in item.turns
    }


def _verified(
    items: Sequence[Item], groups: Sequence[Sequence[Reply]]
) -> list[list[Scored] | Dropped]:
    if not any(item.code for item in items):
        return [
            [(text, _strict(item, text, finish)) for text, finish in _usable(group)]
            for item, group in zip(items, groups, strict=True)
        ]
    with Pool() as pool:
        runner = sandbox_runner(pool)

        def score(item: Item, text: str, finish: str) -> float:
            task = item.code
            if task is None:
                return _strict(item, text, finish)
            scores = score_code(
                task, text, finish, lambda source: runner([code_run(task, source)])[0], item.id
            )
            return next(one.value for one in scores if one.metric == "strict")

        return [
            [(text, score(item, text, finish)) for text, finish in _usable(group)]
            for item, group in zip(items, groups, strict=True)
        ]


def _strict(item: Item, text: str, finish: str) -> float:
    if item.constraints:
        return float(all(one.strict for one in verdicts(item.constraints, text)))
    return next(one.value for one in score_answer(item, text, finish) if one.metric == "strict")


def _rated(
    judge: Ask, items: Sequence[Item], groups: Sequence[Sequence[Reply]]
) -> list[list[Scored] | Dropped]:
    texts = [[text for text, _ in _usable(group)] for group in groups]
    asked = [(item.turns, [text]) for item, each in zip(items, texts, strict=True) for text in each]
    ratings = iter(ratings_of(judge, asked))
    scored: list[list[Scored] | Dropped] = []
    for each in texts:
        pairs = [(text, next(ratings)) for text in each]
        readable = [(text, rating) for text, rating in pairs if rating is not None]
        if len(readable) < 2:
            scored.append(Dropped(JUDGE, "fewer than two verdicts can be read", "\n".join(each)))
        else:
            scored.append(readable)
    return scored


def _usable(replies: Sequence[Reply]) -> list[tuple[str, str]]:
    """Texts and how they ended, those aside that failed or say nothing."""
    return [(one.text, one.finish) for one in replies if one.finish != "error" and one.text.strip()]


def _apart(answers: Sequence[Scored], least: float) -> tuple[Scored, Scored] | Dropped:
    """The best and the worst answer, of several those whose lengths are closest."""
    if len(answers) < 2:
        return Dropped(TIE, "fewer than two answers")
    high = max(score for _, score in answers)
    low = min(score for _, score in answers)
    if high - low <= 0 or high - low < least:
        reason = f"all answers score {high:g}" if high == low else f"scores {low:g} to {high:g}"
        return Dropped(TIE, reason, answers[0][0])
    best = [one for one in answers if one[1] == high]
    worst = [one for one in answers if one[1] == low]
    return min(product(best, worst), key=lambda pair: abs(len(pair[0][0]) - len(pair[1][0])))
