"""Tells what a short program does, step by step: each assignment with its numbers put in, each test
with its outcome, each round of a loop on a line of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.items.probes.program import Event, run

# What a reader still follows: longer stories are not told.
MOST_LINES = 36
MOST_CLAUSES = 110


@dataclass(frozen=True)
class Clause:
    """A piece of a line: head (i=3), after (a loop), test, act or jump; as it stands within a
    sentence and at its end."""

    kind: str
    inner: str
    end: str
    line: int = 0
    truth: bool = True
    has_else: bool = False


@dataclass
class Story:
    """Collects the clauses of a run, grouped in lines: one for each statement outside loops and
    one for each round."""

    lines: list[list[Clause]] = field(default_factory=list)
    # First and last lines of the loops that are being run, outermost first.
    loops: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if event.depth:
            return
        node = event.node
        inside = bool(self.loops) and node.lineno <= self.loops[0][1]
        clause = _clause(event, inside)
        if clause is None:
            return
        while self.loops and not self.loops[-1][0] <= node.lineno <= self.loops[-1][1]:
            self.loops.pop()
            if self.loops and self.loops[-1][0] < node.lineno <= self.loops[-1][1]:
                self.lines.append([Clause("after", "内側の繰り返しの後、", "")])
        span = node.lineno, node.end_lineno or node.lineno
        is_round = isinstance(node, ast.For | ast.While)
        if is_round and span not in self.loops:
            self.loops.append(span)
        if is_round or not self.loops or not self.lines:
            self.lines.append([clause])
        else:
            self.lines[-1].append(clause)


def story(program: str) -> list[str]:
    """The lines of a run from begin to end. Raises ValueError when it would be too long."""
    told = Story()
    run(program, told)
    if len(told.lines) > MOST_LINES or sum(map(len, told.lines)) > MOST_CLAUSES:
        raise ValueError("too long a story")
    return [_line(clauses) for clauses in told.lines]


def _line(clauses: list[Clause]) -> str:
    """Clauses as one line of one or more sentences."""
    first = clauses[0]
    text = f"{first.line}行目：" if first.kind == "act" else ""
    for at, clause in enumerate(clauses):
        following = clauses[at + 1] if at + 1 < len(clauses) else None
        if clause.kind == "head":
            text += f"{clause.inner}のとき、"
            if following is None:
                text += "内側の繰り返しに入ります。"
        elif clause.kind == "after":
            text += clause.inner
        elif clause.kind == "test":
            if following is None:
                text += clause.end
            elif clause.truth:
                more = "成り立ち" if following.kind == "test" else "成り立つので"
                text += f"{clause.inner}は{more}、"
            else:
                why = "ので、" if clause.has_else else "ので何もせず、"
                text += f"{clause.inner}は成り立たない{why}"
        elif following is None or following.kind == "test":
            text += f"{clause.end}。"
        else:
            text += f"{clause.inner}、"
    return text


def _clause(event: Event, inside: bool) -> Clause | None:
    node = event.node
    if event.kind == "begin":
        if isinstance(node, ast.Continue):
            return Clause("jump", "次の回に進み", "次の回に進みます")
        if isinstance(node, ast.Break):
            return Clause("jump", "繰り返しを終え", "繰り返しを終えます")
        return None
    match node:
        case ast.Assign(targets=[target], value=value):
            return _act(*_assigned(target, value, event), node.lineno)
        case ast.AugAssign(target=target, op=op, value=value):
            if isinstance(event.after.get(ast.unparse(target)), list):
                return _act(*_changed(ast.unparse(node), event), node.lineno)
            return _act(*_assigned(target, ast.BinOp(_load(target), op, value), event), node.lineno)
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[argument])) if inside:
            text = f"{shown(value_of(argument, event.after))}を表示"
            return Clause("act", f"{text}し", f"{text}します", node.lineno)
        case ast.Expr(value=ast.Call(func=ast.Attribute())):
            return _act(*_changed(ast.unparse(node.value), event), node.lineno)
        case ast.For(target=target):
            return Clause("head", f"{ast.unparse(target)}={shown(event.value)}", "")
        case ast.While(test=test) | ast.If(test=test):
            return _test(test, event, node)
    return None


def _act(inner: str, end: str, line: int) -> Clause:
    return Clause("act", inner, end, line)


def _test(test: ast.expr, event: Event, node: ast.While | ast.If) -> Clause:
    text, source = filled(test, event.after), ast.unparse(test).replace("'", '"')
    said = source if text == source else f"{source}（{text}）"
    if isinstance(node, ast.While):
        end = f"{said}は成り立たないので、繰り返しを終えます。"
        return Clause("test", said, end, truth=event.value, has_else=True)
    end = f"{said}は成り立たないので、何もしません。"
    return Clause("test", said, end, truth=event.value, has_else=bool(node.orelse))


def _changed(source: str, event: Event) -> tuple[str, str]:
    """What a method or an assignment in place has done to a list, under all of its names."""
    names = [
        name
        for name, value in event.after.items()
        if isinstance(value, list | dict) and value != event.before.get(name)
    ]
    source = source.replace("'", '"')
    if not names:
        return f"{source}では何も変わらず", f"{source}では何も変わりません"
    text = f"{source}で、{'と'.join(names)}は{shown(event.after[names[0]])}に"
    return f"{text}なり", f"{text}なります"


def _assigned(target: ast.expr, value: ast.expr, event: Event) -> tuple[str, str]:
    match target, value:
        case ast.Tuple(elts=names), ast.Tuple(elts=parts) if len(names) == len(parts):
            if any(isinstance(name, ast.Subscript) for name in names):
                return _changed(f"{ast.unparse(target).strip('()')}の入れかえ", event)
            both = "、".join(
                _equal(ast.unparse(name), part, event.before, value_of(name, event.after))
                for name, part in zip(names, parts, strict=True)
            )
            return f"同時に{both}", f"同時に{both}となります"
        case ast.Name(id=name), ast.Name(id=other) if isinstance(event.after[name], list):
            text = f"{name}は{other}と同じリストを指"
            return f"{text}し", f"{text}します"
        case ast.Subscript(value=ast.Name(id=name)), _:
            text = _equal(ast.unparse(target), value, event.before, value_of(target, event.after))
            inner, end = _changed(text.replace("'", '"'), event)
            return inner, end
    name = ast.unparse(target)
    text = _equal(name, value, event.before, event.after[name])
    return text, f"{text}です"


def _equal(name: str, value: ast.expr, before: Mapping[str, Any], result: Any) -> str:
    """`x = 3 + 4 = 7`, or `x = 7` where nothing is worked out."""
    text, end = filled(value, before), shown(result)
    if text == end or not isinstance(value, ast.BinOp | ast.Call | ast.Compare | ast.IfExp):
        return f"{name} = {end}"
    return f"{name} = {text} = {end}"


def value_of(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """An expression's value, found by the probes' interpreter."""
    head = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return run(f"{head}_ = {ast.unparse(node)}").variables["_"]


def shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')


class _Filled(ast.NodeTransformer):
    """Puts the values of plain variables in their names' places; of what is indexed or called, the
    whole."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.values.get(node.id)
        if isinstance(value, bool) or not isinstance(value, int | str):
            return node
        return ast.Constant(value)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.slice, ast.Slice):
            return node
        value = value_of(node, self.values)
        return ast.Constant(value) if isinstance(value, int | str) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return node


def filled(node: ast.expr, values: Mapping[str, Any]) -> str:
    """An expression with its numbers put in."""
    copy = ast.parse(ast.unparse(node), mode="eval").body
    text = ast.unparse(_Filled(values).visit(copy)).replace("'", '"')
    return re.sub(r"(?<=[-+*/%] )-(\d+)", r"(-\1)", text)


def _load(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body
