"""Solves reasoning probes anew from their content alone, and coding probes from the text of the
question, and so proves that one answer exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from harness.errors import HarnessError
from harness.items.probes.arrangement import (
    HOLDS,
    THINGS,
    Clue,
    Space,
    World,
    holding,
    verdict,
    worlds,
)
from harness.items.probes.coding import CODING
from harness.items.probes.family import Problem
from harness.items.probes.reasoning_compound import Formula
from harness.items.probes.reasoning_logic import (
    CERTAINTY,
    FORMS,
    ROLES,
    Categorical,
    Premises,
    Said,
    honesty,
)
from harness.items.probes.reasoning_order import UNSURE
from harness.items.probes.reasoning_state import COMPASS, Fact, kinship, predictions
from harness.items.probes.verify_coding import solve_question

__all__ = ["is_proven", "is_unique", "solve", "solve_question"]

# Stands for people that no clue names: some puzzles fix them by what is left.
UNNAMED = "（その他）"
# To the left of the leftmost seat.
NOBODY = "（だれもいない）"
_CLUE = re.compile(r"([a-z_0-9]+)\(([^()]*)\)([0-9]*)")
_FACT = re.compile(r"(\S+?)は(\S+?)の(父|母|息子|娘|兄|姉|弟|妹)だ。")
# The sentence that opens an arrangement: 葵、蓮、凛の3人が..., 葵、蓮、凛が月曜日から...
_PEOPLE = re.compile(r"([^。]+?、[^。]+?)(?:の[0-9]人|が)")
_HOLDER = "を持っている人"


def solve(family: str, content: str, people: Sequence[str] = ()) -> tuple[str, ...]:
    """Every answer that some world allowed by the problem's content gives, each once, sorted.

    family   a reasoning family's name, e.g. "reasoning/seating"
    content  a `Problem.content` of that family
    people   everyone in an arrangement; without it, whom no clue names is UNNAMED

    A sound problem has exactly one answer; none means that its statements contradict each other.
    Raises HarnessError for an unknown family and for content of another form.
    """
    solver = _SOLVERS.get(family)
    if solver is None:
        raise HarnessError(f"no solver for {family!r}, expected one of {', '.join(_SOLVERS)}")
    name, *parts = content.split("|")
    try:
        if name != _HEADS.get(family, family.partition("/")[2]):
            raise ValueError
        if family in _ARRANGEMENTS:
            return tuple(sorted(set(solver(*parts, people=people))))
        return tuple(sorted(set(solver(*parts))))
    except (ValueError, TypeError, KeyError, IndexError, StopIteration):
        raise HarnessError(
            f"content {content[:60]!r} is none of {family}, expected `Problem.content`"
        ) from None


def is_unique(family: str, content: str) -> bool:
    """Whether exactly one answer exists."""
    return len(solve(family, content)) == 1


def is_proven(family: str, problem: Problem) -> bool:
    """Whether a problem's answer is its only one: of a coding problem, in the words of each of its
    family's templates."""
    templates = [text for one in CODING if one.name == family for text in one.templates]
    if templates:
        questions = [template.format_map(problem.slots) for template in templates]
        return {solve_question(family, one) for one in questions} == {(problem.answer,)}
    people: list[str] = []
    if family in _ARRANGEMENTS and (named := _PEOPLE.match(problem.slots["clues"])) is not None:
        people = named[1].split("、")
    return solve(family, problem.content, people) == (problem.answer,)


def _clues(text: str) -> list[tuple[str, list[str], list[int]]]:
    """Canonical clues as (kind, names, positions)."""
    found = []
    for piece in text.split(";"):
        match = _CLUE.fullmatch(piece)
        if match is None or match[1] not in HOLDS:
            raise ValueError(piece)
        arguments = match[2].split(",")
        count = THINGS.get(match[1], 2)
        found.append((match[1], arguments[:count], [int(one) for one in arguments[count:]]))
    return found


def _numbered(
    clues: Iterable[tuple[str, list[str], list[int]]], names: Sequence[str]
) -> list[Clue]:
    return [Clue(kind, (*map(names.index, who), *rest)) for kind, who, rest in clues]


def _named(clues: Iterable[tuple[str, list[str], list[int]]]) -> list[str]:
    return sorted({name for _, who, _ in clues for name in who})


def _padded(names: list[str], n: int) -> list[str]:
    if len(names) > n:
        raise ValueError(names)
    return names + [UNNAMED] * (n - len(names))


def _allowed(space: Space, n: int, clues: Sequence[Clue]) -> list[World]:
    left = holding(space, n, clues)
    return [world for index, world in enumerate(worlds(space, n)) if left >> index & 1]


def _ordering(_scale: str, text: str, n: str, position: str, people: Sequence[str]) -> list[str]:
    clues = _clues(text)
    names = _padded(sorted({*_named(clues), *people}), int(n))
    found = _allowed("line", int(n), _numbered(clues, names))
    return [names[world.index(int(position))] for world in found]


def _transitivity(_scale: str, text: str, claim: str) -> list[str]:
    clues, claimed = _clues(text), _clues(claim)
    names = _named([*clues, *claimed])
    numbered = _numbered(clues, names)
    if not _allowed("line", len(names), numbered):
        return []
    truth = verdict("line", len(names), numbered, _numbered(claimed, names)[0])
    return [UNSURE[(True, False, None).index(truth)]]


def _seating(space: str, n: str, text: str, key: str, people: Sequence[str]) -> list[str]:
    shape: Space = "ring" if space == "ring" else "line"
    clues = _clues(text)
    asked = re.fullmatch(r"at([0-9])|(right|left|1|3)\((\S+)\)", key)
    if asked is None:
        raise ValueError(key)
    names = _padded(sorted({*_named(clues), *people, *filter(None, [asked[3]])}), int(n))
    answers = []
    for world in _allowed(shape, int(n), _numbered(clues, names)):
        if asked[1]:
            seat = int(asked[1])
        else:
            steps = {"right": 1, "left": -1, "1": 1, "3": 3}[asked[2]]
            seat = world[names.index(asked[3])] + steps
            seat = seat % int(n) if shape == "ring" else seat
        answers.append(names[world.index(seat)] if seat in world else NOBODY)
    return answers


def _schedule(_first_day: str, n: str, text: str, key: str, people: Sequence[str]) -> list[str]:
    count = int(n)
    clues = _clues(text)
    duties = sorted({name for name in [*_named(clues), key] if name.endswith("係")})
    staff = _padded(sorted({*_named(clues), *people} - set(duties)), count)
    names = staff + _padded(duties, count) if duties else staff
    space: Space = "grid" if duties else "line"
    answers = []
    for world in _allowed(space, count, _numbered(clues, names)):
        day = world[names.index(key)] if key in duties else int(key.removeprefix("day"))
        answers.append(staff[world[:count].index(day)])
    return answers


def _truth_tellers(n: str, facts: str, asked: str) -> list[str]:
    parsed = []
    for fact in facts.split(";"):
        speaker, _, said = fact.partition(":")
        match = _CLUE.fullmatch(said)
        if match is None:
            raise ValueError(fact)
        about = match[2].split(",") if match[2] else []
        parsed.append((speaker, match[1], about, int(match[3])))
    names = sorted({name for who, _, about, _ in parsed for name in (who, *about) if name})
    names = _padded(names, int(n))
    statements = [
        Said(
            names.index(who) if who else None,
            kind,
            tuple(names.index(one) for one in about),
            number,
        )
        for who, kind, about, number in parsed
    ]
    person = names.index(asked)
    return [ROLES[0] if roles[person] else ROLES[1] for roles in honesty(statements, len(names))]


def _syllogism(text: str, claim: str) -> list[str]:
    parsed = []
    for piece in [*text.split(";"), claim]:
        match = _CLUE.fullmatch(piece)
        if match is None or match[1] not in FORMS:
            raise ValueError(piece)
        a, b = match[2].split(",")
        parsed.append((match[1], a, b))
    terms = sorted({term for _, *pair in parsed for term in pair})
    *premises, claimed = (Categorical(f, terms.index(a), terms.index(b)) for f, a, b in parsed)
    answers = []
    for existence in (True, False):  # "all A are B" may or may not say that there are A
        try:
            reading = Premises.of(premises, len(terms), existence)
        except ValueError:
            continue
        answers.append(CERTAINTY[(True, False, None).index(reading.entail(claimed))])
    return answers


def _compound(counted: str, text: str) -> list[str]:
    counts = {name: int(count) for name, count in (one.split("=") for one in counted.split(";"))}
    values: list[bool] = []

    def parsed(position: int) -> tuple[Formula, int]:
        match = re.compile(r"(not|and|or|implies)\(").match(text, position)
        if match is None:
            end = min(n for n in (*map(text.find, ",)", [position] * 2), len(text)) if n >= 0)
            values.append(_leaf_holds(text[position:end], counts))
            return Formula("leaf", leaf=len(values) - 1), end
        parts, position = [], match.end() - 1
        while text[position] != ")":
            part, position = parsed(position + 1)
            parts.append(part)
        return Formula(match[1], tuple(parts)), position + 1

    formula, end = parsed(0)
    if end != len(text):
        raise ValueError(text)
    return ["正しい" if formula.holds(values) else "誤り"]


def _leaf_holds(leaf: str, counts: dict[str, int]) -> bool:
    match = re.fullmatch(r"([^<>=]+)(>=|<=|>)([^<>=]+)", leaf)
    if match is None:
        raise ValueError(leaf)
    left, sign = counts[match[1]], match[2]
    if sign == ">":
        return left > counts[match[3]]
    return left >= int(match[3]) if sign == ">=" else left <= int(match[3])


def _tracking(thing: str, text: str) -> list[str]:
    steps = text.split(";")
    if "=" not in text:  # one thing, passed along a path of people
        return [steps[-1]]
    holds = dict(step.split("=") for step in steps if "=" in step)
    for step in steps[len(holds) :]:
        if "<>" in step:
            first, second = (_holder(who, holds) for who in step.split("<>"))
            holds[first], holds[second] = holds[second], holds[first]
        else:
            ring = step.split(">")
            received = dict(zip(ring[1:] + ring[:1], [holds[who] for who in ring], strict=True))
            holds |= received
    return [name for name, held in holds.items() if held == thing]


def _holder(who: str, holds: dict[str, str]) -> str:
    if not who.endswith(_HOLDER):
        return who
    return next(name for name, thing in holds.items() if thing == who.removesuffix(_HOLDER))


def _direction(_names: str, start: str, steps: str) -> list[str]:
    return [COMPASS[(int(start) + sum(int(turn) for turn in steps.replace("/", ""))) % 4]]


def _kinship(lines: str, question: str) -> list[str]:
    facts = _FACT.findall(lines)
    if "".join(f"{a}は{b}の{word}だ。" for a, b, word in facts) != lines:
        raise ValueError(lines)
    of, _, word = question.rpartition("の")
    names = sorted({name for a, b, _ in facts for name in (a, b)})
    numbered = [Fact(names.index(a), word, names.index(b)) for a, b, word in facts]
    pairs = kinship(numbered)[word]
    return [names[person] for person, other in pairs if other == names.index(of)]


def _rule(text: str, query: str) -> list[str]:
    examples = [(before, after) for before, after in (one.split("→") for one in text.split(";"))]
    return list(predictions(examples, query))


_SOLVERS: dict[str, Callable[..., Iterable[str]]] = {
    "reasoning/ordering": _ordering,
    "reasoning/transitivity": _transitivity,
    "reasoning/seating": _seating,
    "reasoning/schedule": _schedule,
    "reasoning/truth-tellers": _truth_tellers,
    "reasoning/syllogism": _syllogism,
    "reasoning/compound": _compound,
    "reasoning/tracking": _tracking,
    "reasoning/direction": _direction,
    "reasoning/kinship": _kinship,
    "reasoning/rule": _rule,
}
_ARRANGEMENTS = ("reasoning/ordering", "reasoning/seating", "reasoning/schedule")
# With what a family's content starts, where that is not its name.
_HEADS = {"reasoning/truth-tellers": "truth"}
