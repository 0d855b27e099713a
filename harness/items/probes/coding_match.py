"""Coding probes that ask which of four programs prints a given text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.items.probes.coding_program import renamed, renaming
from harness.items.probes.family import Draw, Family, Problem
from harness.items.schema import FormatRule

LABELS = ("A", "B", "C", "D")
# A program in canonical names and what it prints, computed from the drawn numbers.
Option = tuple[str, str]


def _sums(draw: Draw) -> Iterator[Option]:
    a, b, c = draw.sample(range(2, 13), 3)
    for text, value in (
        (f"{a} + {b} * {c}", a + b * c),
        (f"({a} + {b}) * {c}", (a + b) * c),
        (f"{a} * {b} + {c}", a * b + c),
        (f"{a} * ({b} - {c})", a * (b - c)),
        (f"{a} - {b} * {c}", a - b * c),
        (f"{a} * {b} - {c}", a * b - c),
    ):
        yield f"print({text})", str(value)


def _quotients(draw: Draw) -> Iterator[Option]:
    x, k, c = draw.randint(20, 90), draw.randint(3, 9), draw.randint(2, 6)
    values = draw.sample(range(1, 30), 4)
    i, j = draw.sample(range(4), 2)
    for text, value in (
        (f"{x} // {k}", x // k),
        (f"{x} % {k}", x % k),
        (f"{x} // {k} * {c}", x // k * c),
        (f"{x} % {k} + {c}", x % k + c),
        (f"{values}[{i}]", values[i]),
        (f"{values}[-{j + 1}] - {c}", values[3 - j] - c),
        (f"len({values}[{min(i, j)}:]) + {k}", 4 - min(i, j) + k),
        (f"max({values}) - min({values})", max(values) - min(values)),
        (f"sum({values}[:{i + 1}])", sum(values[: i + 1])),
    ):
        yield f"print({text})", str(value)


def _loops(draw: Draw) -> Iterator[Option]:
    x, high, k = draw.randint(0, 9), draw.randint(4, 8), draw.randint(2, 4)
    for span, numbers in (
        (f"range({high})", range(high)),
        (f"range(1, {high})", range(1, high)),
        (f"range({high + 1})", range(high + 1)),
        (f"range({k}, {high})", range(k, high)),
        (f"range(0, {high}, {k})", range(0, high, k)),
    ):
        for body, value in (
            ("x += i", x + sum(numbers)),
            (f"x += i * {k}", x + k * sum(numbers)),
            ("x -= i", x - sum(numbers)),
            (f"x += {k}", x + k * len(numbers)),
        ):
            yield f"x = {x}\nfor i in {span}:\n    {body}\nprint(x)", str(value)


def _filtered_loops(draw: Draw) -> Iterator[Option]:
    values = draw.sample(range(1, 30), 6)
    k, bound = draw.randint(2, 4), draw.choice(values)
    for test, kept in (
        (f"i % {k} == 0", [i for i in values if i % k == 0]),
        (f"i % {k} != 0", [i for i in values if i % k != 0]),
        (f"i > {bound}", [i for i in values if i > bound]),
        (f"i <= {bound}", [i for i in values if i <= bound]),
        (f"i > {bound} or i % {k} == 0", [i for i in values if i > bound or i % k == 0]),
        (f"i > {bound} and i % {k} != 0", [i for i in values if i > bound and i % k != 0]),
    ):
        for body, value in (
            ("x += i", sum(kept)),
            ("x += 1", len(kept)),
            (f"x += i // {k}", sum(i // k for i in kept)),
        ):
            program = f"x = 0\nfor i in {values}:\n    if {test}:\n        {body}\nprint(x)"
            yield program, str(value)


def _functions(draw: Draw) -> Iterator[Option]:
    n, a, c = draw.randint(4, 7), draw.randint(1, 4), draw.randint(2, 5)
    one_by_one, two_by_two = range(1, n + 1), range(n, 1, -2)[::-1]
    for base, before, chain in (("n == 0", "n - 1", one_by_one), ("n <= 1", "n - 2", two_by_two)):
        steps: dict[str, Callable[[int, int], int]] = {
            f"f({before}) + n": lambda old, k: old + k,
            f"f({before}) * 2 + {c}": lambda old, _: old * 2 + c,
            f"n * {c} - f({before})": lambda old, k: k * c - old,
            f"f({before}) + n * n": lambda old, k: old + k * k,
        }
        for last, step in steps.items():
            result = a
            for argument in chain:
                result = step(result, argument)
            yield (
                f"def f(n):\n    if {base}:\n        return {a}\n    return {last}\nprint(f({n}))",
                str(result),
            )


_OPTIONS = (_sums, _quotients, _loops, _filtered_loops, _functions)


def _match(draw: Draw, level: int) -> Problem:
    """1: sums. 2: quotients, remainders, lists. 3: loops. 4: loops with a condition. 5: recursive
    functions. The four outputs differ; which one is asked for is drawn last."""
    while True:
        options = list(_OPTIONS[level - 1](draw))
        draw.shuffle(options)
        by_output = {printed: program for program, printed in options}
        if len(by_output) >= 4:
            break
    four = draw.sample(sorted(by_output.items()), 4)
    right = draw.randrange(4)
    names = renaming(draw)
    separator = ": " if level <= 2 else ":\n"
    shown = [
        f"{label}{separator}{renamed(program, names)}"
        for label, (_, program) in zip(LABELS, four, strict=True)
    ]
    return Problem(
        slots={"options": "\n".join(shown), "wanted": four[right][0]},
        # The order of the options makes no other problem.
        content=f"match|{four[right][0]}|{sorted(program for _, program in four)}",
        answer=LABELS[right],
        format=FormatRule("choice", labels=LABELS),
        metric="exact",
    )


MATCH = Family(
    "coding/match",
    1,
    (
        "「{wanted}」と表示するコードはどれですか。A〜Dの1文字で答えて。\n{options}",
        "{options}\n上のコードのうち「{wanted}」と表示するものを1つ選び、A、B、C、Dの1文字だけを書いてください。",
        "次の4つのPythonプログラムから、「{wanted}」と表示するものを選んでください。\n{options}\n"
        "答え（A・B・C・Dのどれか1文字）：",
        "実行すると「{wanted}」と表示されるのはどれですか。記号（A、B、C、D）だけを答えてください。\n"
        "{options}",
        "【選択肢】\n{options}\n【問い】「{wanted}」と表示するプログラム\n【答え方】A、B、C、Dの1文字のみ",
        "出力を見比べる問題です。\n{options}\n「{wanted}」と表示するのは（A/B/C/D）：",
        "画面に「{wanted}」と表示されました。動かしたのは次のA、B、C、Dのうちどのコードでしょうか。"
        "記号1文字だけを返してください。\n{options}",
        "{options}\nこのA、B、C、Dの中に「{wanted}」と表示するものが1つだけあります。"
        "その記号だけを答えること。",
        "選択問題です（言語はPython）。「{wanted}」と表示するものはどれか、"
        "A、B、C、Dから1文字だけ書きなさい。\n\n{options}",
    ),
    _match,
)
