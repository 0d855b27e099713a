"""Proves the answers of samples anew, whatever the generator says of them.

A claim that cannot be repeated here is no proof: a question of a probe family is drawn again and
solved, a program is run, constraints are checked, and the reply must come to the answer. What only
a teacher could confirm (agreement, a document, a judge) is kept as the claim it is, after the same
check that the reply says what the sample says it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.code_task import CodeTask
from harness.items.schema import Item
from harness.scoring import (
    extract_math_answer,
    find_answer,
    format_fault,
    math_equal,
    score_answer,
)
from harness.scoring.code.score import score_code
from harness.scoring.code.types import CodeOutcome, Runner, code_run
from harness.scoring.constraints import verdicts
from training.synthesis.types import Method, Proof, Sample
from training.synthesis.verify_drawn import BY_NAME, prove_drawn

# What a teacher, or its program, alone could confirm: the claim stands as a claim.
_CLAIMS: tuple[Method, ...] = ("math-equality", "agreement", "document", "judged", "unproven")


def prove(sample: Sample, line: Line | None = None, runner: Runner | None = None) -> Proof:
    """The proof of a sample's last answer, made here.

    line    of the plan that it was made for: a program's candidate is drawn anew from it
    runner  runs programs; a sample that needs one is an error without

    In turn: the item must be the last question that is asked; the reply must come to the item's
    answer, and so must the bare answer; and that answer must be right. A sample without an item
    keeps its claim where that is no proof by program, and is otherwise unproven.

    Raises HarnessError where a program could not be tried, or sympy is needed and missing.
    """
    claim = sample.proof
    if not claim.passed:
        return claim
    item = sample.item
    if not sample.messages or sample.messages[-1].role != "assistant":
        return Proof(claim.method, False, "the last turn is not the assistant's")
    if item is None:
        if claim.method in _CLAIMS:
            return claim
        return Proof("unproven", True, f"claimed {claim.method}, with nothing to repeat it by")
    asked = [one.content for one in sample.messages if one.role == "user"]
    if not asked or asked[-1] != item.turns[-1]:
        return Proof(claim.method, False, "the item is not the question that is asked")
    reply = sample.messages[-1].content
    if item.code is not None:
        return prove_code(item.code, reply, runner, item.id)
    if item.constraints:
        return prove_rules(item, reply)
    if item.metric == "judge":
        return claim if claim.method in _CLAIMS else Proof("unproven", True, "open question")
    if (fault := _reply_fault(sample, item, reply)) is not None:
        return Proof(claim.method, False, fault)
    if item.skill in BY_NAME and not sample.origin.teacher:
        return prove_drawn(sample, item, line)
    if claim.method in _CLAIMS:
        return claim
    return Proof(claim.method, False, f"nothing here repeats a proof by {claim.method}")


def prove_code(task: CodeTask, reply: str, runner: Runner | None, name: str = "") -> Proof:
    """Whether the program in a reply passes every hidden test of a task in the sandbox."""
    if runner is None:
        raise HarnessError(
            "programs cannot be tried, because no sandbox works here; `harness doctor` says what "
            "is missing"
        )

    def run(source: str) -> CodeOutcome:
        (outcome,) = runner([code_run(task, source)])
        details.append(outcome.detail or outcome.verdict)
        return outcome

    details: list[str] = []
    scores = score_code(task, reply, "stop", run, name)
    passed = next(one.value for one in scores if one.metric == "lenient") == 1.0
    count = len(task.tests)
    detail = f"{count} tests passed" if passed else (details or ["no program in it"])[-1]
    return Proof("execution", passed, detail)


def prove_math(reply: str, gold: str, prompt: str = "") -> Proof:
    """Whether what a reply comes to equals a known value mathematically."""
    found = extract_math_answer(reply, prompt)
    if found is None:
        return Proof("math-equality", False, "no answer in it")
    verdict = math_equal(found, gold)
    detail = f"{found} = {gold}" if verdict.equal else f"{found}, expected {gold}"
    return Proof("math-equality", verdict.equal, detail)


def prove_rules(item: Item, reply: str) -> Proof:
    """Whether a reply keeps every constraint of an item, or its format where it has none."""
    broken = [one.id for one in verdicts(item.constraints, reply) if not one.strict]
    if broken:
        return Proof("rules", False, f"breaks {broken[0]}")
    fault = format_fault(reply, item.format, item.turns[-1])
    return Proof("rules", fault is None, fault or f"{max(1, len(item.constraints))} rules kept")


def agreement(item: Item, answer: str, replies: Sequence[str], least: float = 0.75) -> Proof:
    """Whether at least a share `least` of k independent replies come to an answer.

    Replies are read leniently and compared under the item's own metric with `answer` as its gold;
    one from which nothing can be read disagrees. Two replies are the fewest that can agree.
    """
    asked = replace(item, answer=answer, accept=())
    agreeing = sum(_lenient(asked, reply) == 1.0 for reply in replies)
    enough = len(replies) >= 2 and agreeing >= least * len(replies)
    return Proof("agreement", enough, f"{agreeing} of {len(replies)} replies agree")


def _lenient(item: Item, reply: str) -> float:
    scores = score_answer(item, reply, "stop")
    return next(one.value for one in scores if one.metric == "lenient")


def _reply_fault(sample: Sample, item: Item, reply: str) -> str | None:
    if sample.answer:
        strict = score_answer(item, sample.answer, "stop")[0]
        if strict.value < 1.0:
            return f"the bare answer {sample.answer[:40]!r} is not the item's {item.answer[:40]!r}"
    if _lenient(item, reply) < 1.0:
        return f"the reply does not come to {item.answer[:40]!r}"
    # A careful reader takes the first clear answer; a reply to learn from has no second one.
    end = reply.rstrip().rsplit("\n", 1)[-1]
    short = item.format.kind in ("choice", "integer", "number")
    tells = "答え" in end or (short and find_answer(end, item) is not None)
    if tells and _lenient(item, end) < 1.0:
        return f"the reply ends on another answer than {item.answer[:40]!r}"
    return None
