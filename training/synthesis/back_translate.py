"""Code first, problem after: `back_translate` has a teacher write the problem that a function
solves, and keeps it when a solution written from the problem alone behaves as the function does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.items.code_task import CodeTask, CodeTest
from harness.items.schema import FormatRule
from harness.scoring.code.extract import extract_code
from harness.scoring.code.types import CodeRun, code_run
from training.synthesis.asked import (
    UNPROVEN,
    Answer,
    Outcome,
    Question,
    ask_all,
    draws,
    item_of,
    kept,
    merged,
    samples,
)
from training.synthesis.draws import candidate, phase, prompt_seed
from training.synthesis.personas import draw
from training.synthesis.programs import passed_blindly, returned, run_all, task_of
from training.synthesis.reading import STAGE, read
from training.synthesis.snippets import Snippet, generated, snippets_of
from training.synthesis.teacher_prompts import teacher_prompt
from training.synthesis.types import Ask, Dropped, Order, Proof, Sample

NAME = "back_translate@1"
# The stage of a function that no problem can be made of.
SEED = "seed"

# A line of code in a problem gives the solution away.
_CODE = re.compile(r"(?m)^[ \t]*(?:def |return |for .+ in .+:|while .+:|import )|```|lambda ")

# A function, and the tests that its own values make.
Known = tuple[Snippet, CodeTask]


def back_translate(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """One sample or drop for each candidate, in order. Two calls of `ask`: the problem, then a
    solution that sees the problem alone. Kept is the problem with that solution, when in the
    sandbox it returns what the function returns for every input.

    The setting `code` names a JSONL file of functions (`snippets.snippets_of`); without it they
    are generated. A function that fails, or whose values a constant would give, is dropped before
    the teacher is asked; a problem that shows code is dropped. Raises HarnessError for a line of
    another genre than coding.
    """
    if order.line.genre != "coding":
        raise HarnessError(
            f"plan line {order.line.genre}/{order.line.skill}: back_translate makes coding "
            "problems; give the line the genre coding, or another generator"
        )
    indices = range(order.start, order.start + order.count)
    functions = _known([_snippet(order, index) for index in indices])
    numbered = [
        one if isinstance(one, Dropped) else (index, one)
        for index, one in zip(indices, functions, strict=True)
    ]
    questions = merged(numbered, _problems(order, ask, kept(numbered)))
    tasks = {index: task for index, (_, task) in kept(numbered)}
    outcomes = merged(questions, _solved(order, ask, kept(questions), tasks))
    yield from samples(order, NAME, questions, outcomes)


def _snippet(order: Order, index: int) -> Snippet:
    if order.line.settings.get("code"):
        found = snippets_of(Path(order.line.settings["code"]))
        return found[index % len(found)]
    return generated(candidate(order, index, "snippet"))


def _known(snippets: Sequence[Snippet]) -> list[Known | Dropped]:
    """Each function with the values that it returns in the sandbox."""
    runs = [
        CodeRun(
            one.code,
            "calls",
            tuple(CodeTest(args=args) for args in one.inputs),
            entry_point=one.entry_point,
        )
        for one in snippets
    ]
    found: list[Known | Dropped] = []
    for snippet, values in zip(snippets, returned(runs), strict=True):
        texts = [value for value in values or () if value is not None]
        if len(texts) < len(snippet.inputs):
            found.append(Dropped(SEED, "the function returns no value", snippet.code))
            continue
        tests = [
            CodeTest(args=args, expected=json.loads(text))
            for args, text in zip(snippet.inputs, texts, strict=True)
        ]
        if (blind := passed_blindly(tests)) is not None:
            found.append(Dropped(SEED, f"its values are those of {blind}", snippet.code))
        else:
            found.append((snippet, task_of(snippet.entry_point, tests)))
    return found


def _problems(
    order: Order, ask: Ask, functions: Sequence[tuple[int, Known]]
) -> list[Question | Dropped]:
    prompt = teacher_prompt("questions", "describe")
    settings = [draw(phase(order) + index, order.seed).setting for index, _ in functions]
    prompts = [
        prompt.ask(
            prompt_seed(order, index, "describe"),
            {"code": snippet.code, "scene": f"題材の場面は「{setting}」とします。"},
        )
        for (index, (snippet, _)), setting in zip(functions, settings, strict=True)
    ]
    (replies,) = ask_all(ask, [prompts])
    questions: list[Question | Dropped] = []
    for (index, (snippet, _)), setting, reply in zip(functions, settings, replies, strict=True):
        fields = read(prompt, reply)
        if isinstance(fields, Dropped):
            questions.append(fields)
            continue
        text = fields["question"]
        if _CODE.search(text):
            questions.append(Dropped(STAGE, "the problem shows code", reply.text))
            continue
        arity = len(snippet.inputs[0])
        text = f"{text}\n\n関数名は `{snippet.entry_point}`、引数は{arity}個とします。"
        questions.append(
            Question(
                index,
                (Message("user", text),),
                prompt.label,
                {"setting": setting},
                (snippet.id,),
                entry_point=snippet.entry_point,
            )
        )
    return questions


def _solved(
    order: Order, ask: Ask, questions: Sequence[Question], tasks: Mapping[int, CodeTask]
) -> list[Outcome]:
    prompt = teacher_prompt("answers", "coding", "solution")
    groups = ask_all(ask, [draws(order, prompt, one, 1) for one in questions])
    outcomes: list[Outcome] = []
    runs: list[CodeRun] = []
    for question, (reply,) in zip(questions, groups, strict=True):
        task, found = tasks[question.index], read(prompt, reply)
        if isinstance(found, Dropped):
            outcomes.append(found)
        elif (source := extract_code(found["answer"], task)) is None:
            outcomes.append(Dropped(STAGE, "no program that defines the function", reply.text))
        else:
            proof = Proof("execution", True, f"as the function for {len(task.tests)} inputs")
            item = item_of(order, question, "", FormatRule("free"), "code", task)
            outcomes.append(Answer(found["answer"], "", proof, prompt.label, item))
            runs.append(code_run(task, source))
    checked = [
        answer
        if got.verdict == "passed"
        else Dropped(UNPROVEN, f"the solution: {got.verdict}", answer.text)
        for answer, got in zip(kept(outcomes), run_all(runs), strict=True)
    ]
    return merged(outcomes, checked)
