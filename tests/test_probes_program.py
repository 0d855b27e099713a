"""The interpreter of coding probes: equal to Python where it has an opinion, and always finite."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.probes.program import LIMIT, run

PROGRAMS = (
    "x = 3\ny = x\nx += 2\nprint(x, y)",
    "a = [1, 2]\nb = a\nb += [3]\nb = b + [4]\nprint(a)\nprint(b)",
    "a = [5, 1, 4]\na.sort()\nb = sorted(a, reverse=True)\nprint(a, b, a == b[::-1])",
    "x, y = 1, 2\nx, y = y, x + y\nprint(x * 10 + y)",
    "print(-7 // 2, -7 % 2, 2 ** 10, 7 - -3, +4)",
    "print(1 < 2 < 2, 1 < 2 <= 2, not 1 == 1, 3 in [1, 3], 'a' not in 'abc')",
    "print(0 or 'x', 1 and '', None, True, 3 if 0 else 4)",
    "for i in range(9):\n    if i == 2:\n        continue\n"
    "    if i == 5:\n        break\n    print(i)",
    "x = 10\nwhile x > 1:\n    x = x // 2 if x % 2 == 0 else x - 1\n    print(x, end=' ')",
    "def f(n):\n    if n < 2:\n        return n\n    return f(n - 1) + f(n - 2)\nprint(f(10))",
    "x = 5\ndef f(n):\n    x = n + 1\n    return x\nprint(f(1), x)",
    "x = 5\ndef f(n):\n    return n + x\nx = 7\nprint(f(1))",
    "def f():\n    pass\nprint(f())",
    "d = {'a': 1, 'b': 2}\nd['c'] = d['a'] + 4\nfor k, v in d.items():\n    print(k, v)\n"
    "print(d.get('z', 0), sorted(d.keys()), sum(d.values()), d.pop('a'), len(d))",
    "a = [[1, 2], [3, 4]]\na[1][0] = 9\nprint(a, a[0][-1], [r[0] for r in a])",
    "s = 'banana'\nprint(s[1:4], s[::-1], s[-2], s.replace('a', 'o'), s.count('an'), s.find('q'))",
    "print('-'.join('a b c'.split()).upper(), 'xY'.swapcase(), 'ab' * 3, len('あい'))",
    "print([x * y for x, y in zip([1, 2], [3, 4])], [i for i, c in enumerate('abc') if c != 'b'])",
    "print(any(x > 2 for x in [1, 2, 3]), all([]), max([3, 8]), min(2, 1), abs(-4), str(12) + '3')",
    "print(list(reversed([1, 2])), chr(ord('a') + 2), int('42') + 1, bool([]), sum(range(5)))",
    "a = [1, 2, 3, 4]\nfor x in a:\n    if x == 2:\n        a.remove(x)\nprint(a)",
    "a = [1, 2, 3]\nb = a[:]\na.insert(1, 9)\na.extend([7])\nprint(a, b, a.index(9), a.pop(0))",
    "for i in range(3):\n    for j in range(i):\n"
    "        if j == 1:\n            break\n        print(i, j)",
    "a = ['bb', 'a', 'ccc']\na.sort(key=len)\nprint(a)",
    "print([1][3])",
    "x = 1 // 0",
    "print(y)",
    "print('a' + 1)",
    "d = {}\nprint(d['k'])",
    "x = 1\ndef f():\n    print(x)\n    x = 2\nf()",
    "int('x')",
    "a, b = [1, 2, 3]",
)
_PYTHON = """
import contextlib, io, json, sys
found = []
for program in json.load(sys.stdin):
    printed, error = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(program, "program", "exec"), {})
        except Exception as fault:
            error = type(fault).__name__
    found.append([printed.getvalue().removesuffix("\\n"), error])
print(json.dumps(found))
"""


def test_it_does_what_python_does() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PYTHON],
        input=json.dumps(PROGRAMS),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    ours = [run(program) for program in PROGRAMS]
    # A name of a function that has no value yet is a kind of NameError.
    theirs = [
        (printed, "NameError" if error == "UnboundLocalError" else error)
        for printed, error in json.loads(done.stdout)
    ]
    assert [(one.printed, one.error) for one in ours] == theirs


def test_lines_are_counted_and_variables_kept() -> None:
    done = run("x = 0\nfor i in range(4):\n    if i % 2 == 0:\n        x += i\nprint(x)")
    assert done.counts == {1: 1, 2: 1, 3: 4, 4: 2, 5: 1}
    assert done.variables == {"x": 2, "i": 3}
    assert done.printed == "2"


@pytest.mark.parametrize(
    "program",
    [
        "while True:\n    pass",
        "x = 1\nwhile 1:\n    x = x * x + 1",
        "x = 2 ** 10000",
        "s = 'ab'\nfor i in range(99):\n    s = s * 99",
        "a = [1]\nwhile 1:\n    a += a",
        "a = [1]\nfor x in a:\n    a.append(x)",
        "a = [1]\nwhile 1:\n    a = [a, a]",
        "a = []\na.append(a)\na.append([a])\nprint(a)",
        "def f(n):\n    return f(n + 1)\nprint(f(0))",
        "print(sum(range(10 ** 12)))",
        "print(list(range(10 ** 12)))",
        "x = [0] * 10 ** 9",
        "x = (0,) * 10 ** 9",
        "a, b = range(10 ** 12)",
        "a = []\na += range(10 ** 12)",
    ],
)
def test_every_program_ends(program: str) -> None:
    assert run(program).error == LIMIT


@pytest.mark.parametrize(
    "program",
    [
        "import os",
        "open('x')",
        "x = 1.5",
        "x = 3 / 2",
        "x = lambda: 1",
        "''.__class__",
        "x = ().__class__.__bases__",
        "print('{0.__class__}'.format(1))",
        "x = '%9999999999d' % 1",
        "class A:\n    pass",
        "x = 1 <<",
        "eval('1')",
        "exec('1')",
        "getattr(1, 'real')",
        "with x:\n    pass",
        "x = {1, 2}",
        "x = f'{1}'",
        "def f(n=1):\n    return n",
        "def f(*n):\n    return n",
        "def f(n):\n    return n\nprint(f(n=1))",
        "def f(n):\n    return -n\nprint(sorted([1, 2], key=f))",
        "def f():\n    def g():\n        return 1\n    return g()\nf()",
        "for i in [1]:\n    pass\nelse:\n    pass",
        "global x",
        "print(1, file=2)",
        "x = 1 if",
        "\x00",
        "(" * 5000,
    ],
)
def test_what_is_outside_the_subset_never_runs(program: str) -> None:
    try:
        error = run(program).error
    except HarnessError:
        return
    assert error == "NameError"


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["x = ", "x", " += 1", "\n", "print(", ")", "a[", "]", "1", " // ", "0", "if ", ":",
             "\n    ", "while ", "for i in ", "range(", "'s'", "[", ", ", "def f(n):", "return ",
             "f(", "x.append(", "break", " * "]
        ),
        max_size=14,
    ).map("".join)
)  # fmt: skip
def test_any_text_runs_or_is_refused(program: str) -> None:
    try:
        done = run(program)
    except HarnessError:
        return
    assert done.error is None or done.error.isidentifier()


def test_a_watched_run_tells_each_step_and_changes_nothing() -> None:
    program = "x = 1\nfor i in [2, 3]:\n    if i > 2:\n        x += i\nprint(x)"
    told: list[tuple[str, int, object]] = []
    watched = run(program, lambda event: told.append((event.kind, event.node.lineno, event.value)))
    assert watched == run(program)
    assert [one for one in told if one[0] != "begin"] == [
        ("done", 1, None),
        ("entry", 2, 2),
        ("test", 3, False),
        ("entry", 2, 3),
        ("test", 3, True),
        ("done", 4, None),
        ("done", 5, None),
    ]
    assert [line for kind, line, _ in told if kind == "begin"] == [1, 2, 3, 3, 4, 5]
