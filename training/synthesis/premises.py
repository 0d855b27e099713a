"""Dialogues of two turns whose second changes a premise, a number or a condition, and asks for what
then follows; both answers are proven."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Draw as SplitDraw
from harness.items.probes.family import Family, Problem, in_evaluation
from harness.items.probes.generate import LEVELS, seen_templates
from harness.items.schema import Item
from harness.scoring.score import score_answer
from training.synthesis.candidates import candidate_draw, candidate_key, share
from training.synthesis.program import proof_of, work_out
from training.synthesis.questions import WORKING, Closing, closings, traced_answer, traced_question
from training.synthesis.traces.catalogue import TRACERS
from training.synthesis.types import Ask, Dropped, Order, Origin, Proof, Sample

NAME = "premise_change@1"
Draw = random.Random
GENRES = ("math", "reasoning", "extraction")
# Whose text changes as a whole when one draw of theirs changes.
_LEFT_OUT = (
    *("math/sequence", "math/era", "reasoning/ordering", "reasoning/seating", "reasoning/schedule"),
    *("reasoning/kinship", "reasoning/rule", "extraction/event", "extraction/order"),
)
_TRIES, _CHANGES = 12, 60
# The share of changes after which the answer may stay as it was.
_UNCHANGED = 0.15
TRACED = {"math": 0.5, "reasoning": 0.5, "extraction": 0.2}

_UNITS = (
    "円|個|本|枚|冊|人|点|回|分|秒|時間|km|kg|mL|dL|cm|mm|m|g|L|t|a|ha|歳|%|割|日|ページ|年|通り|"
    "種類|台|箱|度|番"
)
_PIECES = re.compile(rf"\d+(?:[.,万]\d+)*(?:{_UNITS})?|[^\d]")
# Slots that are no premise but what is asked, or in which form.
_ASKED = {
    *("asked", "question", "name", "thing", "target", "q", "n", "query", "order", "ask", "unit"),
    *("schema", "shape", "notes"),
}
# A longer sentence is not repeated.
_LONGEST = 60


class _Changed(SplitDraw):
    """A draw of training content in which one draw comes out otherwise: the `place`-th, by `shift`.

    All of a generator's methods draw through `_randbelow`, so that what is drawn before and, but
    for rejected draws, after it stays the same.
    """

    def __init__(self, seed: str, place: int = -1, shift: int = 1) -> None:
        super().__init__(seed, "training")
        self.place, self.shift, self.count = place, shift, 0

    def _randbelow(self, n: int) -> int:
        value: int = self._randbelow_with_getrandbits(n)  # type: ignore[attr-defined]
        self.count += 1
        return (value + self.shift) % n if self.count - 1 == self.place else value


@dataclasses.dataclass(frozen=True)
class Change:
    """What differs between two problems: the slot, its text, the numbers and their sentences."""

    slot: str
    old: str
    new: str
    old_sentence: str
    new_sentence: str
    text: str


def premise_change(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """Candidates of a line of dialogues about math, reasoning or extraction; `ask` is not used.

    Settings: `trace`, the share whose answers are worked out, 0 to 1.
    """
    pool = families(order.line)
    traced = share(order.line, "trace", TRACED[order.line.genre])
    for index in range(order.start, order.start + order.count):
        draw = candidate_draw(NAME, order, index)
        family = draw.choice(pool)
        level = order.line.level or draw.choice(LEVELS)
        found = changed(draw, family, level, candidate_key(NAME, order, index))
        if found is None:
            yield Dropped("premise", f"no single premise of {family.name} could be changed")
            continue
        origin = Origin(NAME, index, order.seed, template=f"premise of {family.name}")
        wanted = draw.random() < traced
        yield _sample(draw, family, level, *found, origin=origin, traced=wanted)


def serves(line: Line) -> bool:
    """Whether there is a family for a line."""
    return any(
        one.genre == line.genre and line.skill in ("", one.name) and one.name not in _LEFT_OUT
        for one in FAMILIES
        if one.genre in GENRES
    )


def families(line: Line) -> tuple[Family, ...]:
    """The families of a line. Raises HarnessError where there is none."""
    if not serves(line):
        raise HarnessError(
            f"no dialogue of genre {line.genre!r} and skill {line.skill!r} can change a premise, "
            f"expected a family of {', '.join(GENRES)} but {', '.join(_LEFT_OUT)}"
        )
    return tuple(
        one
        for one in FAMILIES
        if one.genre == line.genre and line.skill in ("", one.name) and one.name not in _LEFT_OUT
    )


def changed(
    draw: Draw, family: Family, level: int, key: str
) -> tuple[Problem, Problem, Change] | None:
    """Two problems of the training split that differ in one place, and the difference; None where
    none was found."""
    for attempt in range(_TRIES):
        seed = f"premise/{family.name}@{family.version}/L{level}/{key}/{attempt}"
        first = _Changed(seed)
        problem = family.problem(first, level)
        if in_evaluation(problem.content):
            continue
        same_allowed = draw.random() < _UNCHANGED
        for _ in range(_CHANGES):
            place, shift = draw.randrange(first.count), draw.randint(1, 40)
            try:
                other = family.problem(_Changed(seed, place, shift), level)
            except (ValueError, IndexError, AssertionError):  # a draw that it relies on is gone
                continue
            if in_evaluation(other.content) or other.content == problem.content:
                continue
            if other.answer == problem.answer and not same_allowed:
                continue
            if (change := _difference(problem, other)) is not None:
                return problem, other, change
    return None


def _difference(problem: Problem, other: Problem) -> Change | None:
    """The one place in which two problems differ; None where there are several or none."""
    differing = [name for name in problem.slots if problem.slots[name] != other.slots[name]]
    if problem.slots.keys() != other.slots.keys() or len(differing) != 1:
        return None
    slot = differing[0]
    if slot in _ASKED or problem.format != other.format:
        return None
    text, later = problem.slots[slot], other.slots[slot]
    before, after = _sentences(text), _sentences(later)
    if len(before) != len(after):
        return None
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    if len(pairs) != 1:
        return None
    a, b = pairs[0]
    old, new = _piece(a, b)
    if len(a) > _LONGEST and not old:
        return None
    return Change(slot, old, new, _bare(a), _bare(b), text)


def _sentences(text: str) -> list[str]:
    return [one for one in re.split(r"[。\n]", text) if one]


def _bare(sentence: str) -> str:
    """A sentence without quotes around the whole."""
    text = sentence.strip()
    return text[1:-1] if re.fullmatch(r"「[^「」]*」", text) else text


def _piece(a: str, b: str) -> tuple[str, str]:
    """The number, with its unit, in which two sentences differ; both empty where there is more."""
    first, second = _PIECES.findall(a), _PIECES.findall(b)
    if len(first) != len(second):
        return "", ""
    pairs = [(x, y) for x, y in zip(first, second, strict=True) if x != y]
    if len(pairs) != 1 or not all(one[0].isdigit() for one in pairs[0]):
        return "", ""
    return pairs[0]


def _follow_up(draw: Draw, genre: str, change: Change, traced: bool) -> str:
    """The second turn's question."""
    old, new = change.old, change.new
    if change.slot == "claim":
        text = draw.choice(
            (
                f"では、「{change.new_sentence}」はどうですか。",
                f"それでは、「{change.new_sentence}」についてはどうでしょうか。",
            )
        )
    elif old and len(re.findall(rf"(?<!\d){re.escape(old)}", change.text)) == 1:
        text = draw.choice(
            (
                f"では、{old}が{new}だった場合はどうなりますか。",
                f"{old}ではなく{new}だったとしたら、答えはどうなりますか。",
                f"条件を一つ変えます。{old}を{new}に変えると、どうなりますか。",
                f"すみません、{old}は{new}の間違いでした。もう一度答えてください。",
                f"もし{old}のところが{new}なら、どうでしょうか。",
            )
        )
    elif genre == "extraction":
        text = draw.choice(
            (
                f"「{change.old_sentence}」は「{change.new_sentence}」の誤りでした。"
                "訂正後の内容で答えてください。",
                f"「{change.old_sentence}」の部分が「{change.new_sentence}」に変わりました。"
                "答えはどうなりますか。",
            )
        )
    else:
        text = draw.choice(
            (
                f"では、「{change.old_sentence}」を「{change.new_sentence}」に変えると、"
                "どうなりますか。",
                f"「{change.old_sentence}」ではなく「{change.new_sentence}」だったら、"
                "答えはどうなりますか。",
            )
        )
    if traced:
        return text + draw.choice(
            ("先ほどと同じように説明してください。", draw.choice(WORKING[genre]), "")
        )
    return text + draw.choice(
        ("答え方は先ほどと同じです。", "同じ形式で答えてください。", "同じ書き方でお願いします。")
    )


def _sample(
    draw: Draw,
    family: Family,
    level: int,
    problem: Problem,
    other: Problem,
    change: Change,
    *,
    origin: Origin,
    traced: bool,
) -> Sample | Dropped:
    solved = [work_out(draw, family.name, one) for one in (problem, other)]
    for one, trace in zip((problem, other), solved, strict=True):
        item = _item(family, level, ("",), one)
        if trace is None and family.genre != "reasoning" and family.name in TRACERS:
            return Dropped("verification", "no solution could be worked out", change.text)
        if not proof_of(family.name, item, one, trace).passed:
            return Dropped("verification", "an answer was not found anew", change.text)
    first, second = solved
    answers = problem.answer, other.answer
    question = family.templates[draw.choice(seen_templates(family))].format_map(problem.slots)
    if traced and first is not None and second is not None:
        closing: Closing = draw.choice(closings(problem, first))
        question = traced_question(draw, family.name, problem, closing)
        answers = traced_answer(draw, first, closing), traced_answer(draw, second, closing)
    told = answers != (problem.answer, other.answer)
    follow = _follow_up(draw, family.genre, change, told)
    item = _item(family, level, (question, follow), other)
    if score_answer(item, answers[1], "stop")[2].value < 1:
        return Dropped("verification", "the second answer is not read as its answer", answers[1])
    item = dataclasses.replace(item, id=f"{family.name}/premise/{item.hash[:16]}")
    messages = (
        *(Message("user", question), Message("assistant", answers[0])),
        *(Message("user", follow), Message("assistant", answers[1])),
    )
    return Sample(
        genre=family.genre,
        skill=family.name,
        level=level,
        messages=messages,
        answer=other.answer,
        proof=Proof("solver", True, "both answers found anew, before and after the change"),
        origin=origin,
        item=item,
    )


def _item(family: Family, level: int, turns: tuple[str, ...], problem: Problem) -> Item:
    # What is copied stands in the first turn, or in neither.
    rule = dataclasses.replace(problem.format, verbatim=False)
    return Item(
        id="",
        genre=family.genre,
        turns=turns,
        answer=problem.answer,
        format=rule,
        metric=problem.metric,
        accept=problem.accept,
        skill=family.name,
        level=level,
    )
