"""Runs short Python programs of a small subset by walking their syntax tree: nothing is ever given
to exec or eval, and every run ends."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import HarnessError
from harness.items.probes.program_operations import (
    COMPARE,
    FUNCTIONS,
    METHODS,
    UNARY,
    LimitExceededError,
    operate,
    outside,
    within_limits,
)

# Statements begun and expressions evaluated, far more than any probe needs.
MOST_STEPS = 20_000
_MOST_CALLS = 40
# Name of the error that a run has when one of these limits stopped it.
LIMIT = "LimitExceeded"

_KEYWORDS = frozenset({"reverse", "key", "sep", "end"})
# What a faulty program can raise by itself.
_OWN_ERRORS = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError)


@dataclass(frozen=True)
class Run:
    """What a program did.

    printed    its output without the newline at the end
    variables  global variables at the end, functions aside
    counts     how often a statement began, by its 1-based line
    error      name of the exception that stopped it ("IndexError", or LIMIT); None when it ended
    """

    printed: str
    variables: Mapping[str, Any]
    counts: Mapping[int, int]
    error: str | None = None


@dataclass(frozen=True)
class Event:
    """What a watched run has just done.

    kind    begin: a statement begins; done: an assignment or a bare expression is over; test: an
            if or while was decided; entry: a for loop took its next entry; return: a call ends
    node    the statement
    before  the values of its frame before it (of an entry or a test: at that moment)
    after   the values after it
    value   the test's truth, the entry, the value returned
    depth   calls of the program's own functions around it
    """

    kind: str
    node: ast.stmt
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    value: Any = None
    depth: int = 0


class _BreakError(Exception):
    pass


class _ContinueError(Exception):
    pass


class _ReturnError(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True)
class _Function:
    """A function of the program; `own` names are local even before they have a value."""

    parameters: tuple[str, ...]
    body: Sequence[ast.stmt]
    own: frozenset[str]


@dataclass(frozen=True)
class _Frame:
    """Where names are looked up: its own values, and behind them the global ones."""

    values: dict[str, Any]
    shared: dict[str, Any]
    own: frozenset[str] = frozenset()

    def look_up(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        if name not in self.own and name in self.shared:
            return self.shared[name]
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        raise NameError(name)


@dataclass
class _Machine:
    """The state of one run."""

    printed: list[str] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    steps: int = 0
    depth: int = 0
    watch: Callable[[Event], None] | None = None

    def block(self, body: Iterable[ast.stmt], frame: _Frame) -> None:
        for statement in body:
            self.counts[statement.lineno] += 1
            before = self.saw("begin", statement, frame)
            self.statement(statement, frame)
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr):
                self.saw("done", statement, frame, before=before)

    def saw(
        self,
        kind: str,
        node: ast.stmt,
        frame: _Frame,
        value: Any = None,
        before: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Tells who watches, if anybody, and returns the frame's values as they are."""
        if self.watch is None:
            return {}
        now = {name: _snapshot(one) for name, one in frame.values.items()}
        self.watch(Event(kind, node, before or now, now, _snapshot(value), self.depth))
        return now

    def statement(self, node: ast.stmt, frame: _Frame) -> None:
        self.tick()
        match node:
            case ast.Expr(value=value):
                self.value(value, frame)
            case ast.Assign(targets=targets, value=value):
                result = self.value(value, frame)
                for target in targets:
                    self.assign(target, result, frame)
            case ast.AugAssign(target=target, op=op, value=value):
                old, new = self.value(target, frame), self.value(value, frame)
                if isinstance(old, list) and isinstance(op, ast.Add):
                    old.extend(new)  # in place, as every other name of the list sees
                    self.assign(target, within_limits(old), frame)
                else:
                    self.assign(target, operate(op, old, new), frame)
            case ast.If(test=test, body=body, orelse=orelse):
                taken = bool(self.value(test, frame))
                self.saw("test", node, frame, taken)
                self.block(body if taken else orelse, frame)
            case ast.While(test=test, body=body, orelse=[]):
                while True:
                    taken = bool(self.value(test, frame))
                    self.saw("test", node, frame, taken)
                    if not taken or not self.loop_body(body, frame):
                        break
            case ast.For(target=target, iter=source, body=body, orelse=[]):
                for entry in self.value(source, frame):
                    self.tick()
                    self.assign(target, entry, frame)
                    self.saw("entry", node, frame, entry)
                    if not self.loop_body(body, frame):
                        break
            case ast.FunctionDef(name=name, body=body) if frame.values is frame.shared:
                frame.values[name] = _Function(_parameters(node), body, _assigned(node))
            case ast.Return(value=returned):
                result = None if returned is None else self.value(returned, frame)
                self.saw("return", node, frame, result)
                raise _ReturnError(result)
            case ast.Break():
                raise _BreakError
            case ast.Continue():
                raise _ContinueError
            case ast.Pass():
                pass
            case _:
                raise outside(node)

    def loop_body(self, body: Sequence[ast.stmt], frame: _Frame) -> bool:
        """One round of a loop; whether the loop goes on."""
        try:
            self.block(body, frame)
        except _ContinueError:
            return True
        except _BreakError:
            return False
        return True

    def assign(self, target: ast.expr, value: Any, frame: _Frame) -> None:
        match target:
            case ast.Name(id=name):
                frame.values[name] = value
            case ast.Tuple(elts=parts):
                entries = list(value)
                if len(entries) != len(parts):
                    raise ValueError("unpacking")
                for part, entry in zip(parts, entries, strict=True):
                    self.assign(part, entry, frame)
            case ast.Subscript(value=holder, slice=index):
                owner = self.value(holder, frame)
                owner[self.value(index, frame)] = value
                within_limits(owner)
            case _:
                raise outside(target)

    def value(self, node: ast.expr, frame: _Frame) -> Any:
        self.tick()
        match node:
            case ast.Constant(value=int() | str() | None as constant):
                return constant
            case ast.Name(id=name):
                return frame.look_up(name)
            case ast.BinOp(left=left, op=op, right=right):
                return operate(op, self.value(left, frame), self.value(right, frame))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in UNARY:
                return UNARY[type(sign)](self.value(operand, frame))
            case ast.BoolOp(op=junction, values=parts):
                result: Any = None
                for part in parts:
                    result = self.value(part, frame)
                    if bool(result) is isinstance(junction, ast.Or):
                        break
                return result
            case ast.Compare(left=first, ops=signs, comparators=others):
                return self.compare(first, signs, others, frame)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test, frame) else orelse, frame)
            case ast.Subscript(value=holder, slice=index):
                return self.value(holder, frame)[self.value(index, frame)]
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(one and self.value(one, frame) for one in (lower, upper, step)))
            case ast.List(elts=entries):
                return within_limits([self.value(entry, frame) for entry in entries])
            case ast.Tuple(elts=entries):
                return within_limits(tuple(self.value(entry, frame) for entry in entries))
            case ast.Dict(keys=keys, values=values) if None not in keys:
                pairs = zip(filter(None, keys), values, strict=True)
                return within_limits(
                    {self.value(key, frame): self.value(entry, frame) for key, entry in pairs}
                )
            case (
                ast.ListComp(elt=element, generators=[loop])
                | ast.GeneratorExp(elt=element, generators=[loop])
            ):
                return self.collect(element, loop, frame)
            case ast.Call():
                return within_limits(self.call(node, frame))
            case _:
                raise outside(node)

    def compare(
        self, left: ast.expr, signs: list[ast.cmpop], others: list[ast.expr], frame: _Frame
    ) -> bool:
        before = self.value(left, frame)
        for sign, other in zip(signs, others, strict=True):
            if type(sign) not in COMPARE:
                raise outside(sign)
            after = self.value(other, frame)
            if not COMPARE[type(sign)](before, after):
                return False
            before = after
        return True

    def collect(self, element: ast.expr, loop: ast.comprehension, frame: _Frame) -> list[Any]:
        inner = _Frame(dict(frame.values), frame.shared, frame.own)
        found: list[Any] = []
        for entry in self.value(loop.iter, frame):
            self.assign(loop.target, entry, inner)
            if all(self.value(test, inner) for test in loop.ifs):
                found.append(self.value(element, inner))
        within_limits(found)
        return found

    def call(self, node: ast.Call, frame: _Frame) -> Any:
        arguments = [self.value(each, frame) for each in node.args]
        options = {each.arg or "": self.value(each.value, frame) for each in node.keywords}
        given = (*arguments, *options.values())
        if not options.keys() <= _KEYWORDS or any(isinstance(one, _Function) for one in given):
            raise outside(node)
        match node.func:
            case ast.Name(id="print"):
                separator, end = options.get("sep", " "), options.get("end", "\n")
                self.printed.append(separator.join(map(str, arguments)) + end)
                return None
            case ast.Name(id=name):
                function = frame.look_up(name)
                if isinstance(function, _Function) and not options:
                    return self.call_own(function, arguments, frame)
                if function in FUNCTIONS.values():
                    return function(*arguments, **options)
                raise TypeError("not callable")
            case ast.Attribute(value=holder, attr=name):
                owner = self.value(holder, frame)
                if name not in METHODS.get(type(owner), ()):
                    raise outside(node)
                result = getattr(owner, name)(*arguments, **options)
                within_limits(owner)
                return result
            case _:
                raise outside(node)

    def call_own(self, function: _Function, arguments: list[Any], frame: _Frame) -> Any:
        if len(arguments) != len(function.parameters):
            raise TypeError("arguments")
        self.depth += 1
        if self.depth > _MOST_CALLS:
            raise LimitExceededError
        values = dict(zip(function.parameters, arguments, strict=True))
        try:
            self.block(function.body, _Frame(values, frame.shared, function.own))
        except _ReturnError as returned:
            return returned.value
        finally:
            self.depth -= 1
        return None

    def tick(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise LimitExceededError


def run(program: str, watch: Callable[[Event], None] | None = None) -> Run:
    """What a program does: integers, strings, lists, tuples, dicts; assignments, if, while, for,
    functions, comprehensions of one loop, and the functions and methods of the tables above.

    `watch` is told of every step as it is done. A fault of the program's own (an index out of
    range) is a `Run.error`, as is an endless loop. Raises HarnessError for text that is no Python,
    and for Python outside the subset.
    """
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise HarnessError(
            f"program {program[:60]!r} is not Python, expected what a coding probe shows"
        ) from None
    machine, values = _Machine(watch=watch), dict[str, Any]()
    error = None
    try:
        machine.block(tree.body, _Frame(values, values))
    except (LimitExceededError, RecursionError):
        error = LIMIT
    except _OWN_ERRORS as fault:
        error = type(fault).__name__
    except (_BreakError, _ContinueError, _ReturnError):
        error = "SyntaxError"
    variables = {name: one for name, one in values.items() if not isinstance(one, _Function)}
    return Run("".join(machine.printed).removesuffix("\n"), variables, machine.counts, error)


def _snapshot(value: Any) -> Any:
    """A value as it is now, whatever becomes of it."""
    if isinstance(value, list):
        return [_snapshot(one) for one in value]
    return dict(value) if isinstance(value, dict) else value


def _parameters(node: ast.FunctionDef) -> tuple[str, ...]:
    """Names of a function's parameters; only plain ones, without defaults, are in the subset."""
    plain = [each.arg for each in node.args.args]
    if ast.unparse(node.args) != ", ".join(plain) or node.decorator_list:
        raise outside(node)
    return tuple(plain)


def _assigned(node: ast.FunctionDef) -> frozenset[str]:
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    return frozenset(each.id for each in names if isinstance(each.ctx, ast.Store))
