"""What the tests of probe families share: bounded drawing, and a reading of the format rules that
is independent of the scoring module."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from typing import Any

from harness.items.probes.family import Draw, Family, Problem, Split, in_evaluation
from harness.items.schema import content_hash

SPLITS: tuple[Split, ...] = ("evaluation", "training")
# A quarter of all content is evaluation's: the chance of 150 misses in a row is 2e-19.
MOST_REDRAWS = 150


def accepted(family: Family, level: int, split: Split, count: int) -> Iterator[Problem]:
    """Problems as the generator takes them: redrawn until their content is of the split."""
    draw = Draw(f"{family.name}/{level}/{split}", split)
    for _ in range(count):
        for _ in range(MOST_REDRAWS):
            problem = family.problem(draw, level)
            if in_evaluation(problem.content) == (split == "evaluation"):
                yield problem
                break
        else:
            raise AssertionError(f"{family.name} level {level} has no content for {split}")


def some(family: Family, *levels: int, count: int = 25) -> Iterator[Problem]:
    """Problems of both splits, for solvers that work on the text."""
    for level in levels or range(1, 6):
        for split in SPLITS:
            yield from accepted(family, level, split, count)


def prompts(family: Family, problem: Problem) -> list[str]:
    return [template.format(**problem.slots) for template in family.templates]


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def obeys(answer: str, problem: Problem, prompt: str) -> bool:
    """Whether an answer obeys the problem's format rule, given the prompt that asked for it."""
    rule = problem.format
    if rule.kind == "choice":
        return answer in rule.labels
    if rule.kind == "integer":
        return re.fullmatch(r"-?[0-9]+", answer) is not None
    if rule.kind == "pattern":
        assert rule.pattern is not None
        return re.fullmatch(rule.pattern, answer) is not None
    if rule.kind == "span":
        assert rule.max_chars is not None
        whole = "\n" not in answer and 1 <= len(answer) <= rule.max_chars
        return whole and answer[0] not in "「『\"'" and (not rule.verbatim or answer in prompt)
    if rule.kind == "lines":
        lines = answer.split("\n")
        return all(line and line == line.strip() and line[0] not in "・-*" for line in lines)
    assert rule.kind == "json"
    value = json.loads(answer)
    return (
        answer == json.dumps(value, ensure_ascii=False)
        and list(value) == list(rule.keys)
        and all(_typed(value[key], kind) for key, kind in rule.keys.items())
    )


def _typed(value: Any, kind: str) -> bool:
    if kind in ("strings", "integers"):
        return isinstance(value, list) and all(_typed(one, kind[:-1]) for one in value)
    types: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    return isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool))


def golden(family: Family) -> str:
    """Ten problems of a family in one short hash."""
    problems = [family.problem(Draw(f"golden/{n}", SPLITS[n % 2]), n // 2 + 1) for n in range(10)]
    return content_hash(
        [[dict(p.slots), p.content, p.answer, p.format, p.metric, p.accept] for p in problems]
    )[:16]


def check_family(family: Family, level: int) -> None:
    """What holds of every family: templates, format rule, both splits."""
    assert len(family.templates) == len(set(family.templates)) >= 6
    for split in SPLITS:
        for problem in accepted(family, level, split, 12):
            for template, prompt in zip(family.templates, prompts(family, problem), strict=True):
                assert fields(template) <= set(problem.slots)
                assert obeys(problem.answer, problem, prompt), (problem.answer, prompt)
                assert all(obeys(other, problem, prompt) for other in problem.accept)
                assert "None" not in prompt
                # A program's indentation, behind its line numbers if any, is no slip.
                prose = re.sub(r"^(\d+:)? +", "", prompt, flags=re.MULTILINE)
                assert not re.search(r"。。|、、|、。|だです|  ", prose), prompt
                if problem.format.kind == "choice":  # each label is named, or each character
                    assert all(label in prompt for label in problem.format.labels)
