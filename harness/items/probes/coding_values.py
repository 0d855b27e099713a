"""Coding probes whose answer is one value: a variable after assignments and loops, a condition."""

from __future__ import annotations

from harness.items.probes.coding_program import INTEGER, TRUTH, Traced, traced_problem
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import KANA_WORDS


def _two_or_three_lines(draw: Draw) -> Traced:
    x, k, m = draw.randint(2, 20), draw.randint(2, 9), draw.randint(2, 9)
    op, y = draw.choice([("+", x + k), ("-", x - k), ("*", x * k)])
    program = f"x = {x}\ny = x {op} {k}"
    if draw.random() < 0.4:
        return Traced(program, y, "y")
    op, result = draw.choice([("+", y + m), ("-", y - m), ("*", y * m)])
    # That y keeps its value when x changes is the other thing to know.
    return Traced(f"{program}\nx = y {op} {m}", *draw.choice([(result, "x"), (y, "y")]))


def _straight_line(draw: Draw) -> Traced:
    values = {name: draw.randint(2, 15) for name in "xyz"}
    lines = [f"{name} = {value}" for name, value in values.items()]
    target = ""
    for _ in range(draw.randint(4, 5)):
        target, left, right = draw.sample("xyz", 3)
        k = draw.randint(2, 5)
        line, value = draw.choice(
            [
                (f"{target} = {left} + {right}", values[left] + values[right]),
                (f"{target} = {left} - {right}", values[left] - values[right]),
                (f"{target} = {left} * {k}", values[left] * k),
                (f"{target} += {left}", values[target] + values[left]),
                (f"{target} -= {k}", values[target] - k),
                (f"{target}, {left} = {left}, {target}", None),
            ]
        )
        lines.append(line)
        if value is None:
            values[target], values[left] = values[left], values[target]
        else:
            values[target] = value
    return Traced("\n".join(lines), values[target], target)


def _simple_loop(draw: Draw) -> Traced:
    x, y, k = draw.randint(0, 12), draw.randint(1, 9), draw.randint(2, 5)
    low, rounds = draw.randint(0, 6), draw.randint(4, 7)
    kind = draw.randrange(5)
    if kind == 0:  # each the sum of the two before
        program = f"x = {x}\ny = {y}\nfor i in range({rounds}):\n    x, y = y, x + y"
        for _ in range(rounds):
            x, y = y, x + y
        return Traced(program, x, "x")
    if kind == 1:
        numbers = range(k + rounds * k, k, -k)
        span, body = f"range({numbers.start}, {k}, -{k})", "x = i - x"
        answer = x
        for number in numbers:
            answer = number - answer
    elif kind == 2:
        span, body = f"range({rounds})", f"x = x * 2 - {k}"
        answer = x * 2**rounds - k * (2**rounds - 1)
    else:
        factor = 1 if kind == 3 else k
        span = f"range({low}, {low + rounds})" if low else f"range({rounds})"
        body = "x += i" if kind == 3 else f"x += i * {k}"
        answer = x + factor * sum(range(low, low + rounds))
    return Traced(f"x = {x}\nfor i in {span}:\n    {body}", answer, "x")


def _prices(draw: Draw) -> Traced:
    """A dict of words: changed, added to, and two of its values together."""
    (one, two, three), k = draw.entities(KANA_WORDS, 3), draw.randint(2, 5)
    first, second, more = (draw.randint(2, 20) for _ in range(3))
    program = (
        f'd = {{"{one}": {first}, "{two}": {second}}}\nd["{two}"] += {more}\n'
        f'd["{three}"] = d["{one}"] * {k}\nx = d["{three}"] - d["{two}"]\ny = sum(d.values())'
    )
    last, changed = first * k, second + more
    return Traced(program, *draw.choice([(last - changed, "x"), (first + changed + last, "y")]))


def _tally(draw: Draw) -> Traced:
    """How often each number of a list occurs, in a dict."""
    kinds, k = draw.sample(range(1, 10), 3), draw.randint(2, 5)
    numbers = [*kinds, *draw.choices(kinds, k=4)]
    draw.shuffle(numbers)
    one, two = draw.sample(kinds, 2)
    program = (
        f"d = {{}}\nfor i in {numbers}:\n    if i in d:\n        d[i] += i\n    else:\n"
        f"        d[i] = {k}\nx = d[{one}] * 10 + d[{two}]"
    )
    totals = {number: k + number * (numbers.count(number) - 1) for number in kinds}
    return Traced(program, totals[one] * 10 + totals[two], "x")


def _loop_with_condition(draw: Draw) -> Traced:
    x, y, k = draw.randint(1, 9), draw.randint(2, 9), draw.randint(2, 4)
    kind = draw.randrange(5)
    if kind == 4:
        return _prices(draw)
    if kind == 0:
        low, high, rest = draw.randint(1, 5), draw.randint(8, 13), draw.randrange(k)
        program = (
            f"x = {x}\nfor i in range({low}, {high}):\n    if i % {k} == {rest}:\n"
            f"        x += i\n    else:\n        x -= {y}"
        )
        return Traced(program, x + sum(i if i % k == rest else -y for i in range(low, high)), "x")
    if kind == 1:
        limit, rounds, value = draw.randint(60, 300), 0, x
        while value < limit:
            value, rounds = value * k + y, rounds + 1
        program = f"x = {x}\ny = 0\nwhile x < {limit}:\n    x = x * {k} + {y}\n    y += 1"
        return Traced(program, *draw.choice([(value, "x"), (rounds, "y")]))
    if kind == 2:
        value = draw.randint(1000, 99_999)
        digits = [int(digit) for digit in str(value)]
        even = sum(digit for digit in digits if digit % 2 == 0)
        program = (
            f"x = {value}\ny = {y}\nwhile x > 0:\n    if x % 10 % 2 == 0:\n"
            "        y += x % 10\n    x //= 10"
        )
        return Traced(program, y + even, "y")
    high, start = draw.randint(6, 10), draw.randint(1, 4)
    below = above = 0
    for i in range(start, high):
        below, above = (below + i, above) if i * k < 2 * high else (below, above + i * i)
    program = (
        f"x = 0\ny = 0\nfor i in range({start}, {high}):\n    if i * {k} < {2 * high}:\n"
        "        x += i\n    else:\n        y += i * i"
    )
    return Traced(program, *draw.choice([(below, "x"), (above, "y")]))


def _nested_or_broken_loop(draw: Draw) -> Traced:
    kind = draw.randrange(6)
    if kind == 5:
        return _tally(draw)
    k, rest = draw.randint(2, 4), draw.randint(0, 1)
    if kind == 0:
        high, start = draw.randint(4, 6), draw.randint(0, 9)
        total = start
        for i in range(1, high):
            total += sum(i * j for j in range(i, high) if (i + j) % k == rest)
        program = (
            f"x = {start}\nfor i in range(1, {high}):\n    for j in range(i, {high}):\n"
            f"        if (i + j) % {k} == {rest}:\n            x += i * j"
        )
        return Traced(program, total, "x")
    if kind == 1:
        value = first = draw.randint(5, 60)
        rounds = 0
        while value != 1 and rounds < 25:
            value, rounds = value // 2 if value % 2 == 0 else 3 * value + 1, rounds + 1
        program = (
            f"x = {first}\ny = 0\nwhile x != 1 and y < 25:\n    if x % 2 == 0:\n"
            "        x //= 2\n    else:\n        x = 3 * x + 1\n    y += 1"
        )
        return Traced(program, rounds, "y")
    if kind == 2:
        step, limit = draw.randint(2, 6), draw.randint(40, 160)
        rest = 1 if step % k == 0 else rest  # else every round would be skipped
        total = rounds = 0
        for i in range(step, 200, step):
            if i % k == rest:
                continue
            total, rounds = total + i, rounds + 1
            if total > limit:
                break
        program = (
            f"x = 0\ny = 0\nfor i in range({step}, 200, {step}):\n    if i % {k} == {rest}:\n"
            f"        continue\n    x += i\n    y += 1\n    if x > {limit}:\n        break"
        )
        return Traced(program, *draw.choice([(total, "x"), (rounds, "y")]))
    if kind == 3:
        factor = draw.randint(2, 12)
        x, y = factor * draw.randint(20, 60), factor * draw.randint(5, 19)
        a, b, rounds = x, y, 0
        while b:
            a, b, rounds = b, a % b, rounds + 1
        program = f"x = {x}\ny = {y}\nz = 0\nwhile y > 0:\n    x, y = y, x % y\n    z += 1"
        return Traced(program, *draw.choice([(a, "x"), (rounds, "z")]))
    a, high = draw.randint(1, 5), draw.randint(4, 7)
    x, y = a, 0
    for i in range(1, high):
        for _ in range(i):
            x += k
        if x % 2 == rest:
            y += x
    program = (
        f"x = {a}\ny = 0\nfor i in range(1, {high}):\n    for j in range(i):\n        x += {k}\n"
        f"    if x % 2 == {rest}:\n        y += x"
    )
    return Traced(program, *draw.choice([(x, "x"), (y, "y")]))


_VARIABLES = (
    _two_or_three_lines,
    _straight_line,
    _simple_loop,
    _loop_with_condition,
    _nested_or_broken_loop,
)


def _variable(draw: Draw, level: int) -> Problem:
    """1: two or three assignments. 2: seven to eight, with swaps. 3: a loop. 4: a condition in it,
    while, or a dict. 5: nested loops, break and continue, a tally."""
    return traced_problem(draw, "variable", _VARIABLES[level - 1](draw), INTEGER)


def _comparison(draw: Draw, values: dict[str, int], level: int) -> tuple[str, bool]:
    """A comparison of the variables and its truth. The bound is near, so that it must be worked
    out."""
    name, other = draw.sample(sorted(values), 2)
    x, y = values[name], values[other]
    k, near = draw.randint(2, 5), draw.randint(-2, 2)
    rest = draw.randrange(k)
    choices = [
        (f"{name} < {x + near}", near > 0),
        (f"{name} >= {x + near}", near <= 0),
        (f"{name} + {other} == {x + y + near // 2}", near // 2 == 0),
        (f"{name} > {other}", x > y),
    ]
    if level >= 2:
        choices += [
            (f"{name} % {k} == {rest}", x % k == rest),
            (f"{name} * {k} != {x * k + near // 2}", near // 2 != 0),
            (f"{name} - {other} > {x - y + near}", near < 0),
        ]
    if level >= 3:
        low, high = x - draw.randint(0, 3), x + draw.randint(0, 3)
        choices += [
            (f"{low} < {name} <= {high}", low < x),
            (f"not {name} <= {x + near}", near < 0),
            (f"{name} in [{x + near}, {x + 3}, {y}]", near == 0 or x == y),
        ]
    return draw.choice(choices)


def _junction(draw: Draw, values: dict[str, int], level: int, count: int) -> tuple[str, bool]:
    """Comparisons joined by and and or, `and` binding tighter, and their truth."""
    leaves = [_comparison(draw, values, level) for _ in range(count)]
    if level >= 4 and count >= 3 and draw.random() < 0.5:
        (a, first), (b, second), *rest = leaves
        word = draw.choice(("and", "or"))
        inner = (first and second) if word == "and" else (first or second)
        leaves = [(f"not ({a} {word} {b})", not inner), *rest]
        draw.shuffle(leaves)
    text, groups = leaves[0][0], [[leaves[0][1]]]
    for leaf, truth in leaves[1:]:
        if draw.random() < 0.5:
            text += f" and {leaf}"
            groups[-1].append(truth)
        else:
            text += f" or {leaf}"
            groups.append([truth])
    return text, any(map(all, groups))


def _condition_of(draw: Draw, level: int) -> Traced:
    values = {name: draw.randint(2, 20) for name in ("xy" if level < 3 else "xyz")}
    if level < 5:
        text, truth = _junction(draw, values, level, (1, 2, 2, 4)[level - 1])
        lines = [f"{name} = {value}" for name, value in values.items()]
        used = [line for line in lines if line[0] in text]
        return Traced("\n".join([*used, f"print({text})"]), truth)
    if draw.random() < 0.5:
        k, low, high = draw.choice((3, 5)), draw.randint(5, 9), draw.randint(10, 14)

        def holds(n: int) -> bool:
            if n % k == 0:
                return n > high
            return n < low or n % 2 == 1

        one, two = draw.sample(range(2, 20), 2)
        word, truth = draw.choice(
            [
                ("and", holds(one) and holds(two)),
                ("or", holds(one) or holds(two)),
                ("and not", holds(one) and not holds(two)),
                ("==", holds(one) == holds(two)),
            ]
        )
        program = (
            f"def f(n):\n    if n % {k} == 0:\n        return n > {high}\n"
            f"    return n < {low} or n % 2 == 1\nprint(f({one}) {word} f({two}))"
        )
        return Traced(program, truth)
    numbers = draw.sample(range(1, 30), 5)
    k, rest, bound = draw.randint(3, 5), draw.randint(0, 2), draw.choice(numbers)
    some = any(n % k == rest for n in numbers)
    every = all(n >= bound for n in numbers)
    text, truth = draw.choice(
        [
            (f"any(n % {k} == {rest} for n in a) and all(n >= {bound} for n in a)", some and every),
            (f"all(n >= {bound} for n in a) or not any(n % {k} == {rest} for n in a)",
             every or not some),
            (f"any(n % {k} == {rest} for n in a) and not all(n >= {bound} for n in a)",
             some and not every),
        ]
    )  # fmt: skip
    return Traced(f"a = {numbers}\nprint({text})", truth)


def _condition(draw: Draw, level: int) -> Problem:
    """1: one comparison. 2: two joined by and or or. 3: with not, chains and in. 4: four, with
    brackets and the precedence of and. 5: a function of truth values, or any and all."""
    wanted = draw.random() < 0.5
    while (traced := _condition_of(draw, level)).answer is not wanted:
        pass
    return traced_problem(draw, "condition", traced, TRUTH)


VARIABLE = Family(
    "coding/variable",
    1,
    (
        "次のPythonプログラムの実行後、変数{asked}の値は何ですか。数字だけを答えてください。\n{program}",
        "{program}\nこのPythonのコードを実行した後の変数{asked}の値を、数字だけで書いてください。",
        "```python\n{program}\n```\n実行が終わったとき、変数{asked}の値はいくつですか。数字のみ。",
        "変数{asked}の最後の値を求め、数字だけを書いてください。\n```python\n{program}\n```",
        "【Pythonのプログラム】\n{program}\n【問い】終了時の変数{asked}の値\n【答え方】数字のみ",
        "プログラムを1行ずつ追ってください。\n{program}\n最後の変数{asked}の値（数字のみ）：",
        "次のコードが最後まで動いた時点で、変数{asked}には何が入っていますか。"
        "整数を数字だけで返してください。\n```\n{program}\n```",
        "{program}\n上のプログラムが終わると変数{asked}の値はいくつになるでしょうか。"
        "説明は書かず、数字だけを答えること。",
        "動作を手でたどる問題です（言語はPython）。\n\n{program}\n\n"
        "終わった後の変数{asked}の値を半角数字だけで書きなさい。",
    ),
    _variable,
)

CONDITION = Family(
    "coding/condition",
    1,
    (
        "次のコードが表示するのはTrueとFalseのどちらですか。一語で答えて。\n{program}",
        "{program}\nこのPythonプログラムの出力は「True」と「False」のどちらですか。その語だけを書いてください。",
        "```python\n{program}\n```\n表示されるのはTrue、Falseのどちらですか。一語だけで答えてください。",
        "何が表示されますか。True か False だけを書いてください。\n```python\n{program}\n```",
        "【プログラム】\n{program}\n【問い】表示される値\n【答え方】True または False",
        "条件式を評価する問題です。\n{program}\n出力（TrueかFalse）：",
        "このコードを動かすと、画面にはTrueとFalseのうちどちらが出ますか。"
        "出るほうだけを返してください。\n```\n{program}\n```",
        "{program}\n上のPythonコードの出力を、True・Falseのいずれか一語だけで書くこと。",
        "真偽値を判定してください（Python）。\n\n{program}\n\n"
        "真なら True、偽なら False とだけ書きなさい。",
    ),
    _condition,
)
