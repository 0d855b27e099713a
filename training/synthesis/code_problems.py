"""Coding problems put together from small steps: a Japanese description, a right program, hidden
tests that it passes in the sandbox, and the program explained."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from harness.engines.types import Message
from harness.errors import HarnessError
from harness.gaps.plan import Line
from harness.items.code_task import CodeKind, CodeTask, CodeTest
from harness.items.probes.family import in_evaluation
from harness.items.probes.generate import LEVELS
from harness.items.probes.words import ENGLISH
from harness.items.schema import FormatRule, Item
from harness.sandbox.shared import shared_runner
from harness.scoring.code.extract import well_formed
from harness.scoring.code.types import code_run
from training.synthesis.candidates import candidate_draw, share
from training.synthesis.code_steps import (
    Step,
    list_ends,
    list_steps,
    number_ends,
    number_steps,
    string_ends,
    string_steps,
)
from training.synthesis.types import Ask, Dropped, Order, Origin, Proof, Sample

NAME = "code_program@1"
Draw = random.Random
TESTS = 10
# Problems drawn for one candidate until one is not dull.
_TRIES = 10
_WORDS = [word for word in ENGLISH if not in_evaluation(word)]
# The share of problems that ask for an explanation before the program.
EXPLAINED = 0.5


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a function is given: in words, the parameter's names and type, how to draw it, and the
    steps that can be taken."""

    skill: str
    words: tuple[tuple[str, str], ...]
    kind: str
    value: Callable[[Draw], Any]
    edges: tuple[Any, ...]
    steps: Callable[[Draw], list[Step]]
    ends: Callable[[Draw], list[Step]]


def _numbers(draw: Draw) -> list[int]:
    high = draw.choice((9, 30, 60))
    return [draw.randint(0, high) for _ in range(draw.randint(3, 9))]


def _text(draw: Draw) -> str:
    words = draw.sample(_WORDS, draw.randint(1, 3))
    if draw.random() < 0.4:
        words.append(str(draw.randint(1, 999)))
    if draw.random() < 0.3:
        words[0] = words[0] + words[0][-1]
    return " ".join(words)


SUBJECTS = (
    Subject(
        "coding/list",
        (
            ("0以上の整数のリスト", "numbers"),
            ("点数（0以上の整数）のリスト", "scores"),
            ("1日ごとの来客数（0以上の整数）のリスト", "visitors"),
            ("品物の重さ（0以上の整数、グラム）のリスト", "weights"),
        ),
        "list[int]",
        _numbers,
        ([], [0], [7], [5, 5, 5]),
        list_steps,
        list_ends,
    ),
    Subject(
        "coding/string",
        (
            ("英小文字、数字、空白からなる文字列", "text"),
            ("英語の短い文（英小文字、数字、空白）", "line"),
            ("ファイルの見出し（英小文字、数字、空白）", "title"),
        ),
        "str",
        _text,
        ("", "a", "level"),
        string_steps,
        string_ends,
    ),
    Subject(
        "coding/number",
        (("0以上の整数", "number"), ("受付番号（0以上の整数）", "ticket"), ("0以上の整数", "n")),
        "int",
        lambda draw: draw.randint(0, draw.choice((20, 999, 99_999))),
        (0, 1, 10, 100),
        number_steps,
        number_ends,
    ),
)
# Steps before the last, by level; on level 5 some of them are undone by a condition first.
_STEPS = (0, 1, 2, 3, 4)
_NAMES = ("solve", "convert", "process", "summarize", "transform", "compute", "tidy", "arrange")
_FUNCTION_ORDERS = (
    "関数の定義だけを、```python のコードブロック1つで示してください。",
    "コードは```python のコードブロック1つにまとめ、ほかの文章は付けないでください。",
)
_EXPLAIN_ORDERS = (
    "はじめに解き方を文章で説明し、続けて関数全体を```python のコードブロック1つで示してください。",
    "どのように処理するかを先に述べてから、```python のコードブロック1つで関数を書いてください。",
)


@dataclasses.dataclass(frozen=True)
class Made:
    """A problem with its program, before it is proven."""

    subject: Subject
    level: int
    question: str
    reply: str
    task: CodeTask


def code_program(order: Order, ask: Ask) -> Iterator[Sample | Dropped]:
    """Candidates of a line of coding problems; `ask` is not used.

    The programs of an order are run together in the sandbox; each must return for every hidden
    test what the steps' own functions do. Settings: `trace`, the share that explains, 0 to 1.

    Raises HarnessError where no sandbox works, and for a skill that no subject has.
    """
    pool = _subjects(order.line)
    explained = share(order.line, "trace", EXPLAINED)
    made: dict[int, Made | Dropped] = {}
    for index in range(order.start, order.start + order.count):
        draw = candidate_draw(NAME, order, index)
        level = order.line.level or draw.choice(LEVELS)
        subject = draw.choice(pool)
        for _ in range(_TRIES):
            made[index] = found = problem(draw, subject, level, explained)
            if isinstance(found, Made):
                break
    whole = [one for one in made.values() if isinstance(one, Made)]
    runs = [code_run(one.task, one.task.reference) for one in whole]
    outcomes = iter(shared_runner()(runs)) if runs else iter(())
    for index, one in made.items():
        if isinstance(one, Dropped):
            yield one
            continue
        outcome = next(outcomes)
        if outcome.verdict != "passed":
            yield Dropped("verification", f"{outcome.verdict} {outcome.detail}", one.reply)
            continue
        yield _sample(order, index, one)


def serves(line: Line) -> bool:
    """Whether there is a subject for a line."""
    return line.genre == "coding" and line.skill in ("", *(one.skill for one in SUBJECTS))


def _subjects(line: Line) -> list[Subject]:
    found = [one for one in SUBJECTS if line.skill in ("", one.skill)]
    if not found or line.genre != "coding":
        raise HarnessError(
            f"no coding problem of genre {line.genre!r} and skill {line.skill!r} can be made, "
            f"expected coding and one of {', '.join(one.skill for one in SUBJECTS)}"
        )
    return found


def problem(draw: Draw, subject: Subject, level: int, explained: float) -> Made | Dropped:
    """One problem: some steps in a row and a last one, and what they make of ten values."""
    steps = draw.sample(subject.steps(draw), _STEPS[level - 1])
    steps.append(draw.choice(subject.ends(draw)))
    values = [*subject.edges, *(subject.value(draw) for _ in range(TESTS - len(subject.edges)))]
    results = [_through(steps, value) for value in values]
    if len({repr(one) for one in results}) < 4:
        return Dropped("dull", "most values give the same result", steps[-1].plain)
    for at, step in enumerate(steps[:-1]):
        rest = steps[:at] + steps[at + 1 :]
        if [_through(rest, value) for value in values] == results:
            return Dropped("dull", "a step changes nothing", step.plain)
    words, parameter = draw.choice(subject.words)
    name = draw.choice(_NAMES)
    code = _program(draw, name, parameter, subject.kind, steps, results)
    kind: CodeKind = "explain" if draw.random() < explained else "function"
    examples = draw.sample(range(len(subject.edges), len(values)), 2)
    shown = "\n".join(
        f"{name}({values[at]!r}) → {results[at]!r}".replace("'", '"') for at in examples
    )
    question = "\n".join(
        (
            draw.choice(
                (
                    f"{words}{parameter}を受け取るPythonの関数{name}を書いてください。",
                    f"次の仕様を満たすPythonの関数{name}({parameter})を作ってください。"
                    f"{parameter}は{words}です。",
                    f"Pythonで関数{name}を実装してください。引数は{words}{parameter}です。",
                )
            ),
            _described(draw, steps),
            f"{draw.choice(('例', '呼び出しの例', '使用例'))}：\n{shown}",
            draw.choice(_EXPLAIN_ORDERS if kind == "explain" else _FUNCTION_ORDERS),
        )
    )
    block = f"```python\n{code}\n```"
    value = values[examples[0]]
    reply = f"{_explained(draw, steps, value)}\n\n{block}" if kind == "explain" else block
    tests = tuple(CodeTest(args=(v,), expected=r) for v, r in zip(values, results, strict=True))
    task = CodeTask(kind, name, "calls", tests, reference=code)
    return Made(subject, level, question, reply, task)


def _through(steps: list[Step], value: Any) -> Any:
    for step in steps:
        value = step.apply(value)
    return value


# What the steps' own names may be called: by the value's type, and whatever it is.
_CALLED: dict[str, dict[str, tuple[str, ...]]] = {
    "list[int]": {"x": ("values", "result", "data"), "one": ("n", "value", "v", "item")},
    "str": {"x": ("result", "s", "work"), "one": ("c", "ch", "char")},
    "int": {"x": ("value", "result", "m"), "one": ("digit", "d")},
}
_KEPT = {"kept": ("kept", "found", "picked"), "total": ("total", "so_far")}


def _program(
    draw: Draw, name: str, parameter: str, kind: str, steps: list[Step], results: list[Any]
) -> str:
    """The program's text. Steps call the value x; the first takes it from the parameter."""
    returned = type(results[-1]).__name__
    returned = {"list": "list[int]", "dict": "dict[str, int]"}.get(returned, returned)
    called = {old: draw.choice(new) for old, new in (_CALLED[kind] | _KEPT).items()}
    lines = [line for step in steps for line in step.lines]
    if len(steps) == 1 or draw.random() < 0.5:
        called["x"] = parameter
    else:
        lines = [f"x = {parameter}", *lines]
    if called["one"] == called["x"]:
        called["one"] = "each"
    names = re.compile(rf"\b(?:{'|'.join(called)})\b")
    body = "\n".join(f"    {names.sub(lambda old: called[old[0]], line)}" for line in lines)
    return f"def {name}({parameter}: {kind}) -> {returned}:\n{body}"


def _described(draw: Draw, steps: list[Step]) -> str:
    """What the function does, as a list or as sentences."""
    if len(steps) == 1:
        return f"この関数は、{steps[0].polite}。"
    if draw.random() < 0.6:
        lines = [f"{at}. {step.plain}。" for at, step in enumerate(steps, 1)]
        return "\n".join(("次の処理を順に行います。", *lines))
    words = ["まず、", *["次に、", "続いて、", "さらに、"][: len(steps) - 2], "最後に、"]
    return "".join(f"{word}{step.polite}。" for word, step in zip(words, steps, strict=True))


def _explained(draw: Draw, steps: list[Step], value: Any) -> str:
    """The program in words: what each step does, with which means of Python, and what becomes of
    one value."""
    leads = ["考え方を説明します。", "処理の流れは次のとおりです。"]
    if len(steps) > 1:
        leads.append("仕様の順に、値を少しずつ変えていきます。")
    lead = draw.choice(leads)
    texts = []
    for at, step in enumerate(steps):
        word = ("最後に" if at == len(steps) - 1 else "まず" if at == 0 else "次に") + "、"
        means = _means(step)
        texts.append(f"{word if len(steps) > 1 else ''}{step.polite}。{means}")
    if draw.random() < 0.6:
        path = [value]
        for step in steps:
            path.append(step.apply(path[-1]))
        shown = [repr(one).replace("'", '"') for one in path]
        shown = shown[:-1] if shown[-1:] == shown[-2:-1] and len(shown) > 2 else shown
        between = f"{'、'.join(shown[1:-1])}と変わり、" if len(shown) > 2 else ""
        texts.append(f"たとえば{shown[0]}を渡すと、{between}{shown[-1]}が返ります。")
    return "\n".join((lead, *texts))


_MEANS = (
    ("for one in x if", "条件の付いた内包表記で選び出せます。"),
    ("[::-1]", "スライスの刻みを-1にすると逆順になります。"),
    ("sorted(", "sorted関数で並べかえます。"),
    ("for one in x]", "内包表記で全体に同じ計算をします。"),
    (".join(", "joinで文字列をつなぎます。"),
    ("default=0", "default=0を指定すると、空のリストでもエラーになりません。"),
    ("kept = []", "空のリストを用意し、1つずつ調べて加えていきます。"),
    (".get(one, 0)", "辞書のgetで、まだない文字は0から数えます。"),
    ("sum(", "sum関数を使います。"),
    (".replace(", "replaceメソッドで一度に置きかえられます。"),
    ("//", "切り捨ての割り算には//を使います。"),
    ("%", "余りは%で求めます。"),
    ("[::2]", "スライスの刻みを2にすると、一つおきに取り出せます。"),
    ("set(", "集合にすると重複がなくなります。"),
)


def _means(step: Step) -> str:
    text = "\n".join(step.lines)
    return next((said for sign, said in _MEANS if sign in text), "")


def _sample(order: Order, index: int, made: Made) -> Sample | Dropped:
    if well_formed(made.reply, made.task) is None:
        return Dropped("verification", "the answer has not the form asked for", made.reply)
    item = Item(
        id="",
        genre="coding",
        turns=(made.question,),
        answer="",
        format=FormatRule("free"),
        metric="code",
        skill=made.subject.skill,
        level=made.level,
        code=made.task,
    )
    item = dataclasses.replace(item, id=f"{made.subject.skill}/synthesis/{item.hash[:16]}")
    return Sample(
        genre="coding",
        skill=made.subject.skill,
        level=made.level,
        messages=(Message("user", made.question), Message("assistant", made.reply)),
        answer="",
        proof=Proof("execution", True, f"{len(made.task.tests)} tests passed in the sandbox"),
        origin=Origin(NAME, index, order.seed, template=f"{made.subject.skill} steps"),
        item=item,
    )
