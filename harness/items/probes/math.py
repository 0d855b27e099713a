"""Math probes on bare numbers (arithmetic, decimals, equations, sequences), and the table of all
math families."""

from __future__ import annotations

import math
from fractions import Fraction

from harness.items.probes.exact import decimal_text, integer_problem, number_problem
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.math_calendar import CALENDAR
from harness.items.probes.math_quantities import QUANTITIES
from harness.items.probes.math_stories import STORIES
from harness.items.probes.math_units import UNITS


def _arithmetic(draw: Draw, level: int) -> Problem:
    """1: a+b up to 99. 2: a+b and a-b of three digits. 3: one product or exact quotient.
    4: two operations. 5: three or more operations. The result is never negative."""
    if level == 1:
        low, high = sorted((a := draw.randint(0, 99), b := draw.randint(0, 99)))
        return integer_problem({"e": f"{a}+{b}"}, f"{low}+{high}", a + b)
    if level == 2:
        low, high = sorted((a := draw.randint(100, 999), b := draw.randint(100, 999)))
        if draw.random() < 0.5:
            return integer_problem({"e": f"{a}+{b}"}, f"{low}+{high}", a + b)
        return integer_problem({"e": f"{high}-{low}"}, f"{high}-{low}", high - low)
    if level == 3:
        low, high = sorted((a := draw.randint(12, 99), b := draw.randint(3, 99)))
        # The quotient is the same fact as the product, so both have one content.
        if draw.random() < 0.5:
            return integer_problem({"e": f"{a}×{b}"}, f"{low}×{high}", a * b)
        return integer_problem({"e": f"{a * b}÷{b}"}, f"{low}×{high}", a)
    low, high = sorted((a := draw.randint(11, 99), b := draw.randint(11, 99)))
    c, d = draw.randint(3, 19), draw.randint(2, 12)
    if level == 4:
        text, value = draw.choice(
            [
                (f"({a}+{b})×{c}", (a + b) * c),
                (f"({high}-{low})×{c}", (high - low) * c),
                (f"{a}+{b}×{c}", a + b * c),
                (f"{high}×{c}-{low}", high * c - low),
                (f"{a * c}÷{c}+{b}", a + b),
            ]
        )
        return integer_problem({"e": text}, f"two {low} {high} {c}", value)
    text, value = draw.choice(
        [
            (f"({a}+{b})×{c + d}-{d}×{low}", (a + b) * (c + d) - d * low),
            (f"{a}×{c}+{b}×{d}", a * c + b * d),
            (f"({high}-{low})×({c}+{d})", (high - low) * (c + d)),
            (f"{a * c * d}÷({c}×{d})+{b}", a + b),
            (f"{high}+({b}×{c}-{b})÷{b}×{d}", high + (c - 1) * d),
        ]
    )
    return integer_problem({"e": text}, f"three {low} {high} {c} {d}", value)


def _decimal(draw: Draw, level: int) -> Problem:
    """1: sum of tenths. 2: sum or difference with hundredths. 3: product. 4: sum or difference of
    fractions that terminate. 5: two fractions and a decimal."""
    if level == 1:
        low, high = sorted((a := _tenths(draw, 1, 99), b := _tenths(draw, 1, 99)))
        return _value(f"{decimal_text(a)}+{decimal_text(b)}", f"{low}+{high}", a + b)
    if level == 2:
        low, high = sorted(Fraction(n, 100) for n in draw.sample(range(101, 3000), 2))
        if draw.random() < 0.5:
            return _value(f"{decimal_text(low)}+{decimal_text(high)}", f"{low}+{high}", low + high)
        return _value(f"{decimal_text(high)}-{decimal_text(low)}", f"{high}-{low}", high - low)
    if level == 3:
        low, high = sorted((a := _tenths(draw, 11, 199), b := _tenths(draw, 2, 99)))
        return _value(f"{decimal_text(a)}×{decimal_text(b)}", f"{low}×{high}", a * b)
    low, high = sorted((a := _fraction(draw), b := _fraction(draw)))
    while low == high:
        low, high = sorted((a, b := _fraction(draw)))
    if level == 4:
        if draw.random() < 0.5:
            return _value(f"{a}+{b}", f"{low}+{high}", a + b)
        return _value(f"{high}-{low}", f"{high}-{low}", high - low)
    c = _tenths(draw, 2, 49)
    text, value = draw.choice(
        [
            (f"({a}+{b})×{decimal_text(c)}", (a + b) * c),
            (f"({high}-{low})×{decimal_text(c)}", (high - low) * c),
            (f"{a}×{decimal_text(c)}+{b}", a * c + b),
        ]
    )
    return _value(text, f"mixed {low} {high} {c}", value)


def _tenths(draw: Draw, low: int, high: int) -> Fraction:
    return Fraction(draw.randint(low, high), 10)


def _fraction(draw: Draw) -> Fraction:
    """A fraction in lowest terms, not whole, whose decimal expansion ends."""
    denominator = draw.choice([2, 4, 5, 8, 20, 25])
    numerators = [n for n in range(1, 3 * denominator) if math.gcd(n, denominator) == 1]
    return Fraction(draw.choice(numerators), denominator)


def _value(expression: str, content: str, value: Fraction) -> Problem:
    return number_problem({"e": expression}, content, value)


def _equation(draw: Draw, level: int) -> Problem:
    """Solve for x, a whole number of 1 or more. 1: x+a=b. 2: ax=b, x-a=b, x÷a=b. 3: ax±b=c.
    4: x on both sides. 5: two equations in x and y."""
    x = draw.randint(1, 60)
    if level == 1:
        a = draw.randint(1, 60)
        text = draw.choice([f"x+{a}={x + a}", f"{a}+x={x + a}"])
        return integer_problem({"e": text}, f"x+{a}={x + a}", x)
    if level == 2:
        a = draw.randint(2, 30)
        text, root = draw.choice(
            [(f"{a}x={a * x}", x), (f"x-{a}={x}", x + a), (f"x÷{a}={x}", x * a)]
        )
        return integer_problem({"e": text}, f"one step {a} {x}", root)
    if level == 3:
        a, b = draw.randint(2, 20), draw.randint(1, 90)
        minus = a * x > b and draw.random() < 0.5
        text = f"{a}x-{b}={a * x - b}" if minus else f"{a}x+{b}={a * x + b}"
        return integer_problem({"e": text}, f"two steps {a} {b} {x}", x)
    if level == 4:
        c, b = draw.randint(2, 9), draw.randint(1, 40)
        a = c + draw.randint(1, 9)
        text = draw.choice(
            [
                f"{a}x+{b}={c}x+{(a - c) * x + b}",
                f"{a}(x+{b})={c}x+{(a - c) * x + a * b}",
            ]
        )
        return integer_problem({"e": text}, f"both sides {a} {b} {c} {x}", x)
    y, (a, b, c) = draw.randint(1, 30), (draw.randint(1, 9) for _ in range(3))
    # The second equation keeps a right side of 0 or more; +b and -d make the pair independent.
    d = draw.randint(1, max(1, min(9, c * x // y)))
    while c * x < d * y:
        c += 1
    first = f"{_term(a, 'x')}+{_term(b, 'y')}={a * x + b * y}"
    second = f"{_term(c, 'x')}-{_term(d, 'y')}={c * x - d * y}"
    return integer_problem({"e": f"{first}、{second}"}, f"pair {a} {b} {c} {d} {x} {y}", x)


def _term(factor: int, letter: str) -> str:
    return letter if factor == 1 else f"{factor}{letter}"


def _sequence(draw: Draw, level: int) -> Problem:
    """The next number. 1: a constant step up. 2: a constant step down. 3: a constant factor.
    4: a step that itself grows by a constant. 5: two steps in turn, or each the sum of two."""
    a = draw.randint(1, 60)
    if level == 1:
        step = draw.randint(1, 12)
        terms = [a + step * k for k in range(5)]
    elif level == 2:
        step = draw.randint(3, 25)
        terms = [a + step * (5 - k) for k in range(5)]
    elif level == 3:
        factor = draw.randint(2, 5)
        terms = [a * factor**k for k in range(5)]
    elif level == 4:
        step, growth = draw.randint(1, 9), draw.randint(1, 6)
        terms = [a + step * k + growth * k * (k - 1) // 2 for k in range(6)]
    elif draw.random() < 0.5:
        step, factor = draw.randint(1, 9), draw.randint(2, 3)
        terms = [a]
        for k in range(6):
            terms.append(terms[-1] * factor if k % 2 else terms[-1] + step)
    else:
        terms = [a, draw.randint(1, 30)]
        while len(terms) < 7:
            terms.append(terms[-1] + terms[-2])
    shown = ", ".join(map(str, terms[:-1]))
    return integer_problem({"s": shown}, f"sequence {shown}", terms[-1])


_NUMBERS = (
    Family(
        "math/arithmetic",
        1,
        (
            "{e}はいくつですか。数字だけを書いてください。",
            "{e}=? 数字だけで答えてください。",
            "計算: {e}\n答えは数字のみ。",
            "{e}を計算し、答えの数字だけを書いてください。",
            "次の計算をしなさい。答えは数字だけ。\n{e}",
            "{e}の答えを数字だけで書いて。",
            "{e}の値を求めてください。数字以外は書かないでください。",
            "{e}=\n（数字だけで答える）",
            "{e}を計算すると？数字だけ返してください。",
        ),
        _arithmetic,
    ),
    Family(
        "math/decimal",
        1,
        (
            "{e}を計算してください。答えは整数か小数の数字だけを書いてください。",
            "{e}=? 分数は使わず、整数か小数だけで答えてください。",
            "次の計算の答えを、整数または小数の数字だけで書きなさい。\n{e}",
            "計算: {e}\n答え（整数か小数、数字のみ）:",
            "{e}はいくつですか。小数で表せるときは小数で、数字だけを書いてください。",
            "{e}の結果を教えてください。分数ではなく小数か整数で、数字以外は書かないでください。",
            "{e}の値を小数（整数になるときは整数）で求め、数字だけを返してください。",
            "途中の式は要りません。{e}の答えの数字だけを、小数か整数で書いてください。",
            "{e}\nこの計算の結果だけを半角数字で書いてください（分数は不可、小数は可）。",
        ),
        _decimal,
    ),
    Family(
        "math/equation",
        1,
        (
            "{e}のとき、xはいくつですか。数字だけを書いてください。",
            "次の式を満たすxを求め、数字だけで答えてください。\n{e}",
            "方程式: {e}\nxの値（数字のみ）:",
            "{e}が成り立つとき、xの値を数字だけで書いてください。「x=」は付けません。",
            "xを求めなさい。解答欄には数字だけを書くこと。\n{e}",
            "{e}を解いて、xの値を表す数字だけを返してください。",
            "{e}となるxの値は何ですか。途中の計算は書かず、数字だけを書いてください。",
            "「{e}」のxに当てはまる数だけを半角数字で答えてください。",
            "xは{e}を満たす数です。xの値だけを数字で書いてください。",
        ),
        _equation,
    ),
    Family(
        "math/sequence",
        1,
        (
            "{s}の次に来る数は何ですか。数字だけを書いてください。",
            "数列 {s}, ? の「?」に入る数を数字だけで答えてください。",
            "次の数は、あるきまりで並んでいます。\n{s}\n次に来る数だけを書いてください。",
            "{s}と続く数列があります。次の数を数字だけで書いてください。",
            "規則を見つけて、続きの数を1つだけ書きなさい。数字のみ。\n{s}",
            "数列: {s}\n次の項（数字のみ）:",
            "{s}、さてその次は？数字だけで答えてください。",
            "同じきまりで数が並んでいます。{s}のすぐ後の数を、数字だけで返してください。",
            "{s}\nこの並びの続きとして正しい数を1つ、説明なしで数字だけ書いてください。",
        ),
        _sequence,
    ),
)

MATH: tuple[Family, ...] = (*_NUMBERS, *QUANTITIES, *UNITS, *STORIES, *CALENDAR)
