"""Coding probes on recursive functions: the value that one call gives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from harness.items.probes.coding_program import INTEGER, Traced, traced_problem
from harness.items.probes.family import Draw, Family, Problem


def _recursive(
    parameters: str, cases: list[tuple[str, str]], last: str, call: tuple[int, ...]
) -> str:
    """A function f with its early returns, the last return, and a print of one call."""
    early = "".join(f"    if {test}:\n        return {value}\n" for test, value in cases)
    arguments = ", ".join(map(str, call))
    return f"def f({parameters}):\n{early}    return {last}\nprint(f({arguments}))"


def _one_call(draw: Draw, level: int) -> Traced:
    base, k, c = draw.randint(1, 14), draw.randint(2, 3), draw.randint(2, 12)
    n = draw.randint(2, 4) if level == 1 else draw.randint(4, 6)
    steps: list[tuple[str, Callable[[int, int], int]]] = [
        (f"f(n - 1) + {c}", lambda before, n: before + c),
        (f"f(n - 1) * {k}", lambda before, n: before * k),
    ]
    if level == 2:
        steps = [
            ("f(n - 1) + n", lambda before, n: before + n),
            (f"f(n - 1) * {k} - {c}", lambda before, n: before * k - c),
            (f"n * {c} - f(n - 1)", lambda before, n: n * c - before),
            ("f(n - 1) + n * n", lambda before, n: before + n * n),
        ]
    last, step = draw.choice(steps)
    value = base
    for argument in range(1, n + 1):
        value = step(value, argument)
    return Traced(_recursive("n", [("n == 0", str(base))], last, (n,)), value)


def _shrinking(draw: Draw) -> Traced:
    kind = draw.randrange(3)
    if kind == 0:
        n = draw.randint(10_000, 9_999_999)
        c = draw.randint(0, 5)
        value = sum(int(digit) + c for digit in str(n)[1:]) + int(str(n)[0])
        last = "f(n // 10) + n % 10" + (f" + {c}" if c else "")
        return Traced(_recursive("n", [("n < 10", "n")], last, (n,)), value)
    if kind == 1:
        n, c, k = draw.randint(100, 3000), draw.randint(1, 6), draw.randint(2, 3)
        rounds, rest = 0, n
        while rest >= k:
            rest, rounds = rest // k, rounds + 1
        program = _recursive("n", [(f"n < {k}", "n")], f"f(n // {k}) + {c}", (n,))
        return Traced(program, rest + rounds * c)
    step, n, c = draw.randint(2, 4), draw.randint(17, 40), draw.randint(1, 9)
    value = sum(range(n, 0, -step)) + c
    return Traced(_recursive("n", [("n <= 0", str(c))], f"n + f(n - {step})", (n,)), value)


def _branching(draw: Draw) -> Traced:
    kind = draw.randrange(3)
    a, b, k, c = (draw.randint(1, 4) for _ in range(4))
    if kind == 0:
        n, terms = draw.randint(4, 7), [a, b]
        for _ in range(n - 1):
            terms.append(terms[-1] + k * terms[-2])
        times = f"{k} * " if k > 1 else ""
        cases = [("n == 0", str(a)), ("n == 1", str(b))]
        return Traced(_recursive("n", cases, f"f(n - 1) + {times}f(n - 2)", (n,)), terms[n])
    n = draw.randint(11, 40)
    if kind == 1:

        def halved(n: int) -> int:
            if n <= 1:
                return a
            return halved(n // 2) * 2 + c if n % 2 == 0 else halved(n - 1) + b

        cases = [("n <= 1", str(a)), ("n % 2 == 0", f"f(n // 2) * 2 + {c}")]
        return Traced(_recursive("n", cases, f"f(n - 1) + {b}", (n,)), halved(n))

    def thirds(n: int) -> int:
        if n < 3:
            return n + a
        return thirds(n // 3) + thirds(n // 2) + c

    cases = [("n < 3", f"n + {a}")]
    return Traced(_recursive("n", cases, f"f(n // 3) + f(n // 2) + {c}", (n,)), thirds(n))


def _two_arguments(draw: Draw) -> Traced:
    kind = draw.randrange(3)
    a, b = draw.randint(1, 6), draw.randint(2, 7)
    if kind == 0:
        n, m = draw.randint(2, 4), draw.randint(2, 4)

        @cache
        def paths(n: int, m: int) -> int:
            if n == 0:
                return a
            if m == 0:
                return b
            return paths(n - 1, m) + paths(n, m - 1)

        cases = [("n == 0", str(a)), ("m == 0", str(b))]
        return Traced(_recursive("n, m", cases, "f(n - 1, m) + f(n, m - 1)", (n, m)), paths(n, m))
    if kind == 1:
        n, m = draw.randint(5, 11), draw.randint(2, 4)

        @cache
        def ways(n: int, m: int) -> int:
            if n == 0:
                return a
            if n < 0 or m == 0:
                return 0
            return ways(n - m, m) + ways(n, m - 1)

        cases = [("n == 0", str(a)), ("n < 0 or m == 0", "0")]
        return Traced(_recursive("n, m", cases, "f(n - m, m) + f(n, m - 1)", (n, m)), ways(n, m))
    n = draw.randint(7, 14)

    def first(n: int) -> int:
        return a if n <= 0 else second(n - 1) + n

    def second(n: int) -> int:
        return b if n <= 0 else first(n - 2) * 2

    program = (
        f"def f(n):\n    if n <= 0:\n        return {a}\n    return g(n - 1) + n\n"
        f"def g(n):\n    if n <= 0:\n        return {b}\n    return f(n - 2) * 2\nprint(f({n}))"
    )
    return Traced(program, first(n))


def _recursion(draw: Draw, level: int) -> Problem:
    """1, 2: one call of n-1, few and more times. 3: the argument shrinks by division or in steps.
    4: two calls or two branches. 5: two arguments, or two functions in turn."""
    if level <= 2:
        traced = _one_call(draw, level)
    else:
        traced = (_shrinking, _branching, _two_arguments)[level - 3](draw)
    return traced_problem(draw, "recursion", traced, INTEGER)


RECURSION = Family(
    "coding/recursion",
    1,
    (
        "次のPythonプログラムが表示する数だけを書いてください。\n{program}",
        "{program}\nこの再帰のプログラムは何を表示しますか。数字だけを答えてください。",
        "```python\n{program}\n```\n出力される整数を、数字だけで書いてください。",
        "再帰関数の値を求め、表示される数だけを答えてください。\n```python\n{program}\n```",
        "【プログラム】\n{program}\n【問い】表示される整数\n【答え方】数字のみ",
        "関数が自分自身を呼び出します。順に追ってください。\n{program}\n表示（数字のみ）：",
        "このコードを実行すると、どんな整数が表示されますか。数字だけ返してください。\n"
        "```\n{program}\n```",
        "{program}\n上のPythonコードの出力はいくつでしょうか。途中の計算は書かず、数字だけを答えること。",
        "再帰の練習問題です（Python）。\n\n{program}\n\n画面に出る整数を半角数字だけで書きなさい。",
    ),
    _recursion,
)
