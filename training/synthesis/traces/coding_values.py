"""Worked solutions of coding problems about values: variables, conditions, strings, lists,
pseudo-code."""

from __future__ import annotations

import ast
import random

from harness.items.probes.family import Problem
from harness.items.probes.program import Event, run
from harness.items.probes.pseudocode import python_of
from training.synthesis.traces.running import filled, shown, story, value_of
from training.synthesis.traces.trace import Trace, Tracer

Draw = random.Random
_LEADS = (
    "上から順に値を追います。",
    "プログラムを1行ずつたどります。",
    "変数の値の変化を順に見ていきます。",
)


def _variable(draw: Draw, problem: Problem) -> Trace:
    program, asked = problem.slots["program"], problem.slots["asked"]
    value = run(program).variables[asked]
    last = f"実行が終わったとき、{asked}の値は{value}です。"
    return Trace((draw.choice(_LEADS), *story(program), last), str(value))


def _condition(draw: Draw, problem: Problem) -> Trace:
    program = problem.slots["program"]
    *_, last = ast.parse(program).body
    call = last.value if isinstance(last, ast.Expr) else None
    if not isinstance(call, ast.Call):
        raise ValueError(program)
    values = dict(run(program.rpartition("\n")[0]).variables) if "\n" in program else {}
    head = program.rpartition("\n")[0]
    steps: list[str] = []
    for leaf in _leaves(call.args[0]):
        text, truth = ast.unparse(leaf), _printed(head, leaf)
        inner = filled(leaf, values)
        same = inner == text
        detail = _called(head, leaf) if "(" in text and not isinstance(leaf, ast.Compare) else ""
        steps.append(
            f"{text}は{'' if same else f'、値を入れると{inner}なので、'}{detail}{truth}です。"
        )
    whole = program.rpartition("\n")[2].removeprefix("print(").removesuffix(")")
    answer = run(program).printed
    if len(steps) > 1 or not isinstance(call.args[0], ast.Compare):
        note = ""
        if " and " in whole and " or " in whole:
            note = draw.choice(
                ("andはorより先に計算します。", "andのほうがorより結び付きが強いです。")
            )
        steps.append(f"{note}これらを合わせると、{whole}は{answer}です。")
    lead = draw.choice(("条件を一つずつ調べます。", "それぞれの式の真偽を確かめます。"))
    return Trace((lead, *steps), answer)


def _leaves(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BoolOp(values=values):
            return [leaf for one in values for leaf in _leaves(one)]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _leaves(operand)
        case ast.Compare(left=ast.Call() as left, comparators=[ast.Call() as right]):
            return [left, right]
    return [node]


def _printed(head: str, node: ast.expr) -> str:
    return run(f"{head}\nprint({ast.unparse(node)})").printed


def _called(head: str, node: ast.expr) -> str:
    """How a call of the program's own function comes out, or any() and all() of a list."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.GeneratorExp):
        loop = node.args[0].generators[0]
        entries = value_of(loop.iter, run(head).variables)
        marks = [
            f"{entry}は{_mark(value_of(node.args[0].elt, {ast.unparse(loop.target): entry}))}"
            for entry in entries
        ]
        return f"条件に合うかを順に見ると{'、'.join(marks)}となるため、"
    if isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant):
        found: list[str] = []

        def watch(event: Event) -> None:
            if event.kind == "test" and isinstance(event.node, ast.If):
                truth = "成り立つ" if event.value else "成り立たない"
                found.append(f"{filled(event.node.test, event.after)}が{truth}ので")
            if event.kind == "return" and isinstance(event.node, ast.Return) and event.node.value:
                found.append(f"{filled(event.node.value, event.after)}の値、")

        run(f"{head}\nprint({ast.unparse(node)})", watch)
        return f"引数が{node.args[0].value!r}で、{'、'.join(found)}"
    return ""


def _mark(truth: bool) -> str:
    return "○" if truth else "×"


def _string(draw: Draw, problem: Problem) -> Trace:
    return _output(draw, problem.slots["program"])


def _output(draw: Draw, program: str) -> Trace:
    """What a program prints: its story, then the printed expression part by part."""
    printed = run(program).printed
    *_, last = ast.parse(program).body
    if not (isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)):
        raise ValueError(program)
    argument = last.value.args[0]
    head = program.split("\n")[: last.lineno - 1]
    steps = story("\n".join(head))
    values = run("\n".join(head)).variables
    texts = []
    for part in _parts(argument):
        if isinstance(part, ast.Name | ast.Constant):
            continue
        texts.append(f"{ast.unparse(part)}は{shown(value_of(part, values))}".replace("'", '"'))
    steps += _letters(draw, argument, dict(values))
    if isinstance(argument, ast.ListComp):
        steps += _comprehended(argument, dict(values))
    elif texts:
        steps.append(f"{'、'.join(texts)}です。")
    if any(isinstance(one, ast.Subscript) for one in ast.walk(argument)):
        note = draw.choice(("添字は0から数えます。", "先頭の文字や要素は0番目です。", ""))
        steps.insert(0, note or draw.choice(_LEADS))
    else:
        steps.insert(0, draw.choice(_LEADS))
    steps.append(
        draw.choice((f"これで、{printed}が表示されます。", f"出力は{printed}となります。"))
    )
    return Trace(tuple(steps), printed)


def _letters(draw: Draw, argument: ast.expr, values: dict[str, object]) -> list[str]:
    """The numbered letters of the words that an expression indexes, now and then."""
    used = [
        one.value.id
        for one in ast.walk(argument)
        if isinstance(one, ast.Subscript) and isinstance(one.value, ast.Name)
    ]
    steps = []
    for name in dict.fromkeys(used):
        word = values.get(name)
        if isinstance(word, str) and draw.random() < 0.6:
            listed = "、".join(f"{at}番目が{letter}" for at, letter in enumerate(word))
            steps.append(f"{name}の文字は、{listed}です。")
    return steps


def _parts(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_parts(node.left), *_parts(node.right)]
    return [node]


def _comprehended(node: ast.ListComp, values: dict[str, object]) -> list[str]:
    """Each entry of a list comprehension, kept or not, and what it becomes."""
    loop = node.generators[0]
    steps = []
    for entry in value_of(loop.iter, values):
        names = ast.unparse(loop.target).strip("()").split(", ")
        parts = entry if len(names) > 1 else (entry,)
        inner = {**values, **dict(zip(names, parts, strict=True))}
        lead = "、".join(f"{name}={part}" for name, part in zip(names, parts, strict=True))
        if not all(value_of(test, inner) for test in loop.ifs):
            steps.append(f"{lead}は、条件に合わないので除きます。")
            continue
        text, value = filled(node.elt, inner), value_of(node.elt, inner)
        equal = f"{text} = {value}" if isinstance(node.elt, ast.BinOp) else str(value)
        steps.append(f"{lead}のとき、{equal}です。")
    return steps


def _pseudocode(draw: Draw, problem: Problem) -> Trace:
    program = python_of(problem.slots["program"])
    answer = run(program).printed
    lines = [_in_signs(line) for line in story(program)]
    *_, printing = ast.parse(program).body
    last = f"最後に、{answer}が表示されます。"
    if isinstance(printing, ast.Expr) and isinstance(printing.value, ast.Call):
        argument = printing.value.args[0]
        if isinstance(argument, ast.BinOp):
            numbers = filled(argument, run(program).variables)
            last = _in_signs(f"{ast.unparse(argument)} = {numbers} = {answer}が表示されます。")
    lead = draw.choice(
        ("手順を上から順にたどります。", "値の変化を順に追います。", "1行ずつ実行していきます。")
    )
    return Trace((lead, *lines, last), answer)


def _in_signs(line: str) -> str:
    """Python's operators in the signs of the pseudo-code."""
    for operator, sign in (
        *(("//", "÷"), ("==", "＝"), ("!=", "≠"), (">=", "≧")),
        *(("%", "％"), ("*", "×"), (" or ", " または ")),
    ):
        line = line.replace(operator, sign)
    return line


VALUES: dict[str, Tracer] = {
    "coding/variable": _variable,
    "coding/condition": _condition,
    "coding/string": _string,
    "coding/list": _string,
    "coding/pseudocode": _pseudocode,
}
