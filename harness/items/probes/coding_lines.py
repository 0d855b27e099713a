"""Coding probes about the lines of a program: how often one is executed, and which one is wrong."""

from __future__ import annotations

from harness.items.probes.coding_program import (
    INTEGER,
    Traced,
    numbered,
    renamed,
    renaming,
    traced_problem,
)
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.program import run


def _plain_loop(draw: Draw) -> Traced:
    low, rounds, step = draw.randint(0, 15), draw.randint(2, 9), draw.choice((1, 1, 2, 3))
    high = low + rounds * step - draw.randrange(step)
    span = f"{low}, {high}, {step}" if step > 1 else f"{low}, {high}" if low else str(high)
    shown = draw.choice(("i", "i * 2", "i + 1"))
    return Traced(f"for i in range({span}):\n    print({shown})", rounds, "2")


def _two_loops(draw: Draw) -> Traced:
    n, m, low = draw.randint(2, 7), draw.randint(2, 7), draw.randint(0, 4)
    if draw.random() < 0.5:
        program = (
            f"x = 0\nfor i in range({n}):\n    for j in range({low}, {low + m}):\n"
            "        x += i * j"
        )
        return Traced(program, n * m, "4")
    program = (
        f"x = 0\nfor i in range({n}):\n    x += i\n    for j in range({m}):\n        x += j\n"
        f"for i in range({low + 1}):\n    x += 1"
    )
    return Traced(program, *draw.choice([(n, "3"), (n * m, "5"), (low + 1, "7")]))


def _loop_with_if(draw: Draw) -> Traced:
    low, high, k = draw.randint(0, 6), draw.randint(14, 26), draw.randint(2, 5)
    rest = draw.randrange(k)
    hits = sum(i % k == rest for i in range(low, high))
    if draw.random() < 0.5:
        bound = draw.randint(9, 13)
        more = sum(i % k == rest and i > bound for i in range(low, high))
        program = (
            f"x = 0\nfor i in range({low}, {high}):\n    if i % {k} == {rest}:\n        x += 1\n"
            f"        if i > {bound}:\n            x += i"
        )
        return Traced(program, *draw.choice([(hits, "4"), (more, "6")]))
    program = (
        f"x = 0\ny = 0\nfor i in range({low}, {high}):\n    if i % {k} == {rest}:\n        x += i\n"
        "    else:\n        y += i"
    )
    return Traced(program, *draw.choice([(hits, "5"), (high - low - hits, "7")]))


def _triangle_or_while(draw: Draw) -> Traced:
    kind = draw.randrange(3)
    n, k = draw.randint(5, 10), draw.randint(2, 3)
    if kind == 0:
        start = draw.randint(1, 3)
        span, count = draw.choice(
            [
                ("i", sum(range(start, n))),
                (f"i, {n}", sum(n - i for i in range(start, n))),
                (f"i + {k}", sum(i + k for i in range(start, n))),
            ]
        )
        program = (
            f"x = 0\nfor i in range({start}, {n}):\n    for j in range({span}):\n        x += 1"
        )
        return Traced(program, count, "4")
    if kind == 1:
        first, rounds = draw.randint(20, 9999), 0
        rest = first
        while rest > k:
            rest, rounds = rest // k, rounds + 1
        return Traced(f"x = {first}\nwhile x > {k}:\n    x //= {k}", rounds, "3")
    first, limit = draw.randint(1, 9), draw.randint(90, 300)
    c = draw.choice((1, 2, 4, 5, 7, 8))  # no multiple of 3, so that x becomes one again and again
    value, doubled, rounds = first, 0, 0
    while value < limit:
        doubled += value % 3 == 0
        value = value * 2 + c if value % 3 == 0 else value + c
        rounds += 1
    program = (
        f"x = {first}\nwhile x < {limit}:\n    if x % 3 == 0:\n        x = x * 2 + {c}\n"
        f"    else:\n        x = x + {c}"
    )
    return Traced(program, *draw.choice([(doubled, "4"), (rounds - doubled, "6")]))


def _break_or_continue(draw: Draw) -> Traced:
    n, m, k = draw.randint(4, 9), draw.randint(5, 9), draw.randint(3, 6)
    rest = draw.randrange(k)
    if draw.random() < 0.5:
        reached = after = 0
        for i in range(n):
            for j in range(m):
                reached += 1
                if (i * j) % k == rest and j > 0:
                    break
                after += 1
        program = (
            f"x = 0\nfor i in range({n}):\n    for j in range({m}):\n        x += 1\n"
            f"        if i * j % {k} == {rest} and j > 0:\n            break\n        x += j"
        )
        return Traced(program, *draw.choice([(reached, "4"), (after, "7")]))
    kept = inner = 0
    for i in range(1, n + 4):
        if i % k == rest:
            continue
        kept += 1
        inner += sum((i + j) % 2 == 0 for j in range(i))
    program = (
        f"x = 0\nfor i in range(1, {n + 4}):\n    if i % {k} == {rest}:\n        continue\n"
        "    x += i\n    for j in range(i):\n        if (i + j) % 2 == 0:\n            x -= 1"
    )
    return Traced(program, *draw.choice([(kept, "5"), (inner, "8")]))


_COUNTS = (_plain_loop, _two_loops, _loop_with_if, _triangle_or_while, _break_or_continue)


def _count(draw: Draw, level: int) -> Problem:
    """1: one loop. 2: nested loops. 3: a condition inside. 4: a bound that changes, or while.
    5: break and continue. A line that never runs is rare, not impossible."""
    return traced_problem(draw, "count", _COUNTS[level - 1](draw), INTEGER, lines=True)


def _steps(draw: Draw, level: int) -> list[list[str]]:
    """The lines of a correct program, each with what a slip could have made of it."""
    a, b, c = (draw.randint(2, 12) for _ in range(3))
    near = [a + draw.choice((-1, 1, 2)), b + draw.choice((-1, 1, 2))]
    if level == 1:
        op, other = draw.sample("+-*", 2)
        return [
            [f"x = {a}", f"x = {near[0]}"],
            [f"y = x {op} {b}", f"y = x {other} {b}", f"y = x {op} {near[1]}"],
            ["print(y)", f"print(y {draw.choice('+-')} 1)"],
        ]
    if level == 2:
        op, other = draw.sample("+-*", 2)
        return [
            [f"x = {a}", f"x = {near[0]}"],
            [f"y = {b}", f"y = {near[1]}"],
            [f"x = x {op} y", f"x = x {other} y", f"y = x {op} y"],
            [f"print(x * {c} - y)", f"print(x * {c + 1} - y)", f"print(y * {c} - x)"],
        ]
    k, high = draw.randint(2, 4), draw.randint(6, 11)
    if level == 3:
        low = draw.randint(1, 3)
        return [
            [f"x = {a}", f"x = {near[0]}", f"x = -{a}"],
            [
                f"for i in range({low}, {high}):",
                f"for i in range({low}, {high + 1}):",
                f"for i in range({low + 1}, {high}):",
            ],
            [f"    x += i * {k}", f"    x += i + {k}", f"    x -= i * {k}"],
            [f"print(x - {b})", f"print(x + {b})", f"print(x - {near[1]})"],
        ]
    rest = draw.randrange(k)
    if level == 4:
        return [
            [f"x = {a}", f"x = {near[0]}"],
            [f"for i in range(1, {high}):", f"for i in range(1, {high + 1}):",
             f"for i in range({high}):"],
            [f"    if i % {k} == {rest}:", f"    if i % {k} != {rest}:",
             f"    if i % {k + 1} == {rest}:"],
            [f"        x += i * {b}", f"        x += i + {b}", "        x += i"],
            [f"    x -= {c}", f"    x += {c}", "    x -= i"],
            ["print(x)", "print(x + i)"],
        ]  # fmt: skip
    return [
        ["def f(n):"],
        [f"    x = {a}", f"    x = {near[0]}"],
        ["    for i in range(1, n + 1):", "    for i in range(n):", "    for i in range(1, n):"],
        [f"        if i % {k} == {rest}:", f"        if i % {k} != {rest}:"],
        [f"            x += i * {b}", f"            x += {b}", f"            x -= i * {b}"],
        ["        else:"],
        [f"            x -= {c}", f"            x += {c}", "            x -= i"],
        ["    return x", f"    return x + {k}"],
        [f"print(f({high}))", f"print(f({high + 1}))", f"print(f({high - 1}))"],
    ]


# Lines for which a change is offered, by level.
_CHANGES = (3, 4, 4, 5, 6)


def _faulty(
    draw: Draw, level: int, place: int
) -> tuple[list[str], dict[int, str], int, str] | None:
    """A program with one wrong line, a new text for each of several lines (by index), the wrong
    line, which is the `place`-th of them, and the output that is wanted; None where another change
    would do as well."""
    lines = _steps(draw, level)
    right = [texts[0] for texts in lines]
    wanted = run("\n".join(right))
    open_to_change = [n for n, texts in enumerate(lines) if len(texts) > 1]
    chosen = sorted(draw.sample(open_to_change, _CHANGES[level - 1]))
    wrong = chosen[place]
    shown = [*right]
    shown[wrong] = draw.choice(lines[wrong][1:])
    mends = {n: right[n] if n == wrong else draw.choice(lines[n][1:]) for n in chosen}

    def output(change: int | None) -> str:
        program = [mends[n] if n == change else line for n, line in enumerate(shown)]
        return run("\n".join(program)).printed

    others = {output(n) for n in (None, *chosen) if n != wrong}
    if wanted.error is not None or wanted.printed in others:
        return None
    return shown, mends, wrong, wanted.printed


def _fault(draw: Draw, level: int) -> Problem:
    """Which of several changes of one line makes the output right. 1: three lines. 2: four, three
    variables. 3: a loop. 4: a condition in it. 5: a function."""
    place = draw.randrange(_CHANGES[level - 1])
    while (found := _faulty(draw, level, place)) is None:
        pass
    shown, mends, wrong, wanted = found
    names = renaming(draw)
    program = "\n".join(shown)
    changes = [(n + 1, text.strip()) for n, text in sorted(mends.items())]
    return Problem(
        slots={
            "program": numbered(renamed(program, names)),
            "wanted": wanted,
            "changes": "\n".join(
                f"{n}行目を「{renamed(text, names)}」に直す" for n, text in changes
            ),
        },
        content=f"fault|{wanted}|{program}|{changes}",
        answer=str(wrong + 1),
        format=INTEGER,
        metric="number",
    )


COUNT = Family(
    "coding/count",
    1,
    (
        "次のPythonプログラムで、{asked}行目は何回実行されますか。数字だけを答えて。\n{program}",
        "{program}\nこのPythonプログラムを実行すると、{asked}行目は何回実行されますか。"
        "数字だけを書いてください。",
        "```\n{program}\n```\n{asked}行目の文が実行される回数を、数字だけで答えてください。",
        "左端は行番号です。{asked}行目が実行される回数（数字のみ）を書いてください。\n```\n{program}\n```",
        "【行番号付きのプログラム】\n{program}\n【問い】{asked}行目の実行回数\n【答え方】数字のみ",
        "繰り返しの回数を数えましょう。\n{program}\n{asked}行目は何回（数字のみ）：",
        "このPythonのコードが終わるまでに、{asked}行目は何度実行されますか。"
        "数字だけを返してください。\n```\n{program}\n```",
        "{program}\n上のプログラム（数字は行番号）で、{asked}行目を通る回数はいくつでしょうか。"
        "単位を付けず、数字だけで答えること。",
        "実行回数の問題です（言語はPython、左は行番号）。\n\n{program}\n\n"
        "{asked}行目が実行された回数を半角数字だけで書きなさい。",
    ),
    _count,
)

FAULT = Family(
    "coding/fault",
    1,
    (
        "次のプログラムは「{wanted}」と表示するはずですが、1行だけ間違っています。\n{program}\n"
        "次のどれか1つで正しくなります。\n{changes}\n直す行の番号だけを答えてください。",
        "{program}\nこのプログラムは本来「{wanted}」と表示します。間違いは1行だけです。"
        "直す案は次のとおりです。\n{changes}\n正しい案の行番号だけを書いてください。",
        "```\n{program}\n```\n「{wanted}」と表示させたいのに、そうなりません。"
        "次の案のうち1つだけが正解です。\n{changes}\n何行目を直せばよいですか。番号だけで答えてください。",
        "間違いが1行あるPythonのプログラムです。正しければ「{wanted}」と表示します。\n"
        "```\n{program}\n```\n修正の案：\n{changes}\n間違いのある行の番号だけを書いてください。",
        "【プログラム】\n{program}\n【正しい出力】「{wanted}」と表示\n【修正案】\n{changes}\n"
        "【答え方】正しくなる案の行番号だけ",
        "デバッグの問題です。\n{program}\n望む動作は「{wanted}」と表示することです。"
        "1行だけ直します。\n{changes}\n直すべき行（番号のみ）：",
        "あるPythonコードを動かしても「{wanted}」と表示されません。\n```\n{program}\n```\n"
        "どれか1つの修正で解決します。\n{changes}\nその行の番号だけを返してください。",
        "{program}\n期待どおりなら上のコードは「{wanted}」と表示しますが、1行にバグがあります。\n"
        "{changes}\nこのうち1つだけを行うとき、どの行の修正が正しいでしょうか。"
        "行番号の数字だけで答えること。",
        "バグ探しです（言語はPython、左は行番号）。正しいプログラムなら「{wanted}」と表示します。\n\n"
        "{program}\n\n考えられる修正は次のとおりで、正しいのは1つだけです。\n{changes}\n"
        "バグのある行の番号を半角数字だけで書きなさい。",
    ),
    _fault,
)
