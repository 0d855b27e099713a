"""Makes small mistakes in the references of `code-ja` and counts how many its hidden tests notice;
`python -m tests.code_mutants` prints the table of the card."""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Iterator

from harness.items.load import find_evalset, load_evalset
from harness.items.schema import Item
from harness.scoring.code.types import code_run
from tests.code_equivalent import EQUIVALENT
from tests.code_runner import run_trusted

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}


def mutants(source: str) -> list[tuple[str, str]]:
    """(label, program) for every single mistake: comparisons, arithmetic, integers one off,
    conditions negated, and/or swapped, a return without its value, ends of ranges and slices one
    off. Equal programs are given once."""
    tree = ast.parse(source)
    skipped = {id(n) for node in ast.walk(tree) for part in _hints(node) for n in ast.walk(part)}
    count = sum(1 for _ in ast.walk(tree))
    made: dict[str, str] = {}
    whole = ast.unparse(tree)
    originals = list(ast.walk(tree))
    for index in range(count):
        if id(originals[index]) in skipped:
            continue
        for variant in range(8):
            changed = copy.deepcopy(tree)
            label = _mutate(list(ast.walk(changed))[index], variant)
            if label is None:
                break
            text = ast.unparse(ast.fix_missing_locations(changed))
            if label and text != whole:
                made.setdefault(text, f"{_place(originals[index])}: {label}")
    return [(label, text) for text, label in made.items()]


def _place(node: ast.AST) -> str:
    """Line and column in the reference, both from 1."""
    return f"{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', -1) + 1}"


def _hints(node: ast.AST) -> Iterator[ast.AST]:
    """Annotations: changing them changes nothing."""
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
        yield node.annotation
    if isinstance(node, ast.FunctionDef) and node.returns is not None:
        yield node.returns


def _mutate(node: ast.AST, variant: int) -> str | None:
    """Changes a node in place and says how; "" where nothing was changed, None after the last."""
    steps = list(_changes(node))
    if variant >= len(steps):
        return None
    label, attribute, value, position = steps[variant]
    if position is None:
        setattr(node, attribute, value)
    else:
        getattr(node, attribute)[position] = value
    return label


def _changes(node: ast.AST) -> list[tuple[str, str, object, int | None]]:
    found: list[tuple[str, str, object, int | None]] = []
    if isinstance(node, ast.Compare):
        for at, sign in enumerate(node.ops):
            new = _COMPARE[type(sign)]()
            found.append((f"{type(sign).__name__} → {type(new).__name__}", "ops", new, at))
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _ARITHMETIC:
        new_op = _ARITHMETIC[type(node.op)]()
        found.append((f"{type(node.op).__name__} → {type(new_op).__name__}", "op", new_op, None))
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        found.append(("and ↔ or", "op", other, None))
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            found.append((f"{node.value} → {not node.value}", "value", not node.value, None))
        elif isinstance(node.value, int):
            found += [(f"{node.value} {d:+d}", "value", node.value + d, None) for d in (1, -1)]
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        found.append(("not condition", "test", ast.UnaryOp(ast.Not(), node.test), None))
    elif isinstance(node, ast.Return) and node.value is not None:
        found.append(("return None", "value", ast.Constant(None), None))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        for at, one in enumerate(node.args[:2]):
            found += [(f"range argument {at} {d:+d}", "args", _off(one, d), at) for d in (1, -1)]
    elif isinstance(node, ast.Slice):
        for name in ("lower", "upper"):
            if (end := getattr(node, name)) is not None:
                found += [(f"slice {name} {d:+d}", name, _off(end, d), None) for d in (1, -1)]
    return found


def _off(node: ast.expr, by: int) -> ast.expr:
    if isinstance(node, ast.Constant):
        return ast.Constant(node.value + by)  # type: ignore[operator]
    return ast.BinOp(node, ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))


def survivors(item: Item, seconds: float = 0.25) -> tuple[int, list[str]]:
    """How many mutants an item's reference has, and those that pass every hidden test."""
    assert item.code is not None
    made = mutants(item.code.reference)
    runs = [code_run(item.code, text) for _, text in made]
    outcomes = run_trusted(runs, stop_early=True, seconds=seconds)
    alive = [
        label for (label, _), one in zip(made, outcomes, strict=True) if one.verdict == "passed"
    ]
    return len(made), alive


def table(verbose: bool = False) -> list[str]:
    """Mutants, killed ones and equivalent ones, by kind and in all."""
    totals: dict[str, list[int]] = {}
    weakest = 1.0
    for item in load_evalset(find_evalset("code-ja")).items:
        assert item.code is not None
        made, alive = survivors(item)
        equivalent = [
            label
            for label in alive
            if label in EQUIVALENT.get(item.id.removeprefix("code-ja/"), ("", ()))[1]
        ]
        share = 1 - (len(alive) - len(equivalent)) / (made - len(equivalent))
        weakest = min(weakest, share)
        for row in (item.code.kind, "all"):
            counts = totals.setdefault(row, [0, 0, 0, 0])
            for at, n in enumerate((1, made, made - len(alive), len(equivalent))):
                counts[at] += n
        if verbose:
            print(f"{item.id} {made - len(alive)}/{made} {share:.0%}", file=sys.stderr)
            for label in alive:
                known = "equivalent" if label in equivalent else "ALIVE"
                print(f"    {known} {label}", file=sys.stderr)
    lines = ["| kind | problems | mutants | killed | equivalent | killed of the others |"]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for row in ("function", "complete", "fix", "explain", "program", "all"):
        n, made, killed, same = totals[row]
        lines.append(f"| {row} | {n} | {made} | {killed} | {same} | {killed / (made - same):.1%} |")
    lines += [
        "",
        f"The weakest problem kills {weakest:.0%} of its mutants that are not equivalent.",
    ]
    return lines


if __name__ == "__main__":
    print("\n".join(table(verbose="-v" in sys.argv)))
