"""Runs short Python programs of a small subset by walking their syntax tree: nothing is ever given
to exec or eval, and every run ends."""

from __future__ import annotations

import ast
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import HarnessError

# Statements begun and expressions evaluated, far more than any probe needs.
MOST_STEPS = 20_000
_MOST_CALLS = 40
_LONGEST = 10_000
_MOST_BITS = 256
# Name of the error that a run has when one of these limits stopped it.
LIMIT = "LimitExceeded"

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        *(abs, all, any, bool, chr, enumerate, int, len, list, max, min, ord, range, reversed),
        *(sorted, str, sum, zip),
    )
}
_METHODS: dict[type[Any], tuple[str, ...]] = {
    str: (
        *("capitalize", "count", "endswith", "find", "index", "isdigit", "isupper", "join"),
        *("lower", "replace", "split", "startswith", "swapcase", "upper"),
    ),
    list: (
        *("append", "copy", "count", "extend", "index", "insert", "pop", "remove"),
        *("reverse", "sort"),
    ),
    dict: ("get", "items", "keys", "pop", "values"),
}
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


class _LimitExceededError(Exception):
    """Too many steps, calls, characters or bits."""


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
        if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        raise NameError(name)


@dataclass
class _Machine:
    """The state of one run."""

    printed: list[str] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    steps: int = 0
    depth: int = 0

    def block(self, body: Iterable[ast.stmt], frame: _Frame) -> None:
        for statement in body:
            self.counts[statement.lineno] += 1
            self.statement(statement, frame)

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
                    self.assign(target, _within_limits(old), frame)
                else:
                    self.assign(target, _operate(op, old, new), frame)
            case ast.If(test=test, body=body, orelse=orelse):
                self.block(body if self.value(test, frame) else orelse, frame)
            case ast.While(test=test, body=body, orelse=[]):
                while self.value(test, frame) and self.loop_body(body, frame):
                    pass
            case ast.For(target=target, iter=source, body=body, orelse=[]):
                for entry in self.value(source, frame):
                    self.tick()
                    self.assign(target, entry, frame)
                    if not self.loop_body(body, frame):
                        break
            case ast.FunctionDef(name=name, args=arguments, body=body):
                inner = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
                own = {each.id for each in inner if isinstance(each.ctx, ast.Store)}
                parameters = tuple(each.arg for each in arguments.args)
                frame.values[name] = _Function(parameters, body, frozenset(own))
            case ast.Return(value=returned):
                raise _ReturnError(None if returned is None else self.value(returned, frame))
            case ast.Break():
                raise _BreakError
            case ast.Continue():
                raise _ContinueError
            case ast.Pass():
                pass
            case _:
                raise _outside(node)

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
                _within_limits(owner)
            case _:
                raise _outside(target)

    def value(self, node: ast.expr, frame: _Frame) -> Any:
        self.tick()
        match node:
            case ast.Constant(value=int() | str() | None as constant):
                return constant
            case ast.Name(id=name):
                return frame.look_up(name)
            case ast.BinOp(left=left, op=op, right=right):
                return _operate(op, self.value(left, frame), self.value(right, frame))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
                return _UNARY[type(sign)](self.value(operand, frame))
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
                return _within_limits([self.value(entry, frame) for entry in entries])
            case ast.Tuple(elts=entries):
                return _within_limits(tuple(self.value(entry, frame) for entry in entries))
            case ast.Dict(keys=keys, values=values) if None not in keys:
                pairs = zip(filter(None, keys), values, strict=True)
                return _within_limits(
                    {self.value(key, frame): self.value(entry, frame) for key, entry in pairs}
                )
            case ast.ListComp(elt=element, generators=[loop]):
                return self.collect(element, loop, frame)
            case ast.GeneratorExp(elt=element, generators=[loop]):
                return self.collect(element, loop, frame)
            case ast.Call():
                return _within_limits(self.call(node, frame))
            case _:
                raise _outside(node)

    def compare(
        self, left: ast.expr, signs: list[ast.cmpop], others: list[ast.expr], frame: _Frame
    ) -> bool:
        before = self.value(left, frame)
        for sign, other in zip(signs, others, strict=True):
            if type(sign) not in _COMPARE:
                raise _outside(sign)
            after = self.value(other, frame)
            if not _COMPARE[type(sign)](before, after):
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
        _within_limits(found)
        return found

    def call(self, node: ast.Call, frame: _Frame) -> Any:
        arguments = [self.value(each, frame) for each in node.args]
        options = {
            each.arg: self.value(each.value, frame)
            for each in node.keywords
            if each.arg in _KEYWORDS
        }
        if len(options) != len(node.keywords):
            raise _outside(node)
        for each in arguments:
            if isinstance(each, range) and len(each) > _LONGEST:
                raise _LimitExceededError
        match node.func:
            case ast.Name(id="print"):
                separator, end = options.get("sep", " "), options.get("end", "\n")
                self.printed.append(separator.join(map(str, arguments)) + end)
                return None
            case ast.Name(id=name):
                function = frame.look_up(name)
                if isinstance(function, _Function):
                    return self.call_own(function, arguments, frame)
                if function in _FUNCTIONS.values():
                    return function(*arguments, **options)
                raise TypeError("not callable")
            case ast.Attribute(value=holder, attr=name):
                owner = self.value(holder, frame)
                if name not in _METHODS.get(type(owner), ()):
                    raise _outside(node)
                result = getattr(owner, name)(*arguments, **options)
                _within_limits(owner)
                return result
            case _:
                raise _outside(node)

    def call_own(self, function: _Function, arguments: list[Any], frame: _Frame) -> Any:
        if len(arguments) != len(function.parameters):
            raise TypeError("arguments")
        self.depth += 1
        if self.depth > _MOST_CALLS:
            raise _LimitExceededError
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
            raise _LimitExceededError


def run(program: str) -> Run:
    """What a program does: integers, strings, lists, tuples, dicts; assignments, if, while, for,
    functions, comprehensions of one loop, and the functions and methods of the tables above.

    A fault of the program's own (an index out of range) is a `Run.error`, as is an endless loop.
    Raises HarnessError for text that is no Python, and for Python outside the subset.
    """
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise HarnessError(
            f"program {program[:60]!r} is not Python, expected what a coding probe shows"
        ) from None
    machine, values = _Machine(), dict[str, Any]()
    error = None
    try:
        machine.block(tree.body, _Frame(values, values))
    except (_LimitExceededError, RecursionError):
        error = LIMIT
    except _OWN_ERRORS as fault:
        error = type(fault).__name__
    except (_BreakError, _ContinueError, _ReturnError):
        error = "SyntaxError"
    variables = {name: one for name, one in values.items() if not isinstance(one, _Function)}
    return Run("".join(machine.printed).removesuffix("\n"), variables, machine.counts, error)


def _operate(op: ast.operator, left: Any, right: Any) -> Any:
    """An operator's result; what would grow beyond all measure is stopped before."""
    if type(op) not in _BINARY:
        raise _outside(op)
    if isinstance(op, ast.Mod) and isinstance(left, str):
        raise _outside(op)
    if isinstance(op, ast.Pow) and not (
        isinstance(left, int) and isinstance(right, int) and 0 <= right <= 64
    ):
        raise _LimitExceededError
    if isinstance(op, ast.Mult):
        size = max((len(one) for one in (left, right) if isinstance(one, str | list)), default=0)
        times = max((one for one in (left, right) if isinstance(one, int)), default=0)
        if size * times > _LONGEST:
            raise _LimitExceededError
    return _within_limits(_BINARY[type(op)](left, right))


def _within_limits(value: Any) -> Any:
    """The value itself; numbers and texts stay short, and containers hold containers of plain
    values at most, for to print deeper ones could take for ever."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise _LimitExceededError
    if isinstance(value, str | list) and len(value) > _LONGEST:
        raise _LimitExceededError
    for entry in _entries(value):
        if any(_entries(inner) for inner in _entries(entry)):
            raise _LimitExceededError
    return value


def _entries(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list | tuple) else ()


def _outside(node: ast.AST) -> HarnessError:
    line = getattr(node, "lineno", None)
    return HarnessError(
        f"line {line or 'unknown'} of the program has {type(node).__name__}, which is outside the "
        "subset of Python that coding probes use"
    )
