"""Sums, products and quotients worked out in parts, and expressions one operation a step."""

from __future__ import annotations

import random
import re
from fractions import Fraction

from harness.items.probes.exact import decimal_text

Draw = random.Random
_PLACES = ("一", "十", "百", "千", "一万", "十万", "百万")


def worked(draw: Draw, a: int, sign: str, b: int) -> str:
    """One operation on whole numbers in a sentence or two, ending with `a+b=c`.

    sign is one of + - × ÷; a difference is not negative and a quotient is whole.
    """
    if sign == "+":
        return _sum(draw, a, b)
    if sign == "-":
        return _difference(draw, a, b)
    if sign == "×":
        return _product(draw, a, b)
    return _quotient(draw, a, b)


def result(draw: Draw, subject: str, a: int, sign: str, b: int, unit: str = "") -> str:
    """What `subject` (代金, 1組の合計点) comes to: mostly one equation, at times worked out."""
    value = f"{_apply(Fraction(a), sign, Fraction(b))}"
    if draw.random() < 0.75 or min(a, b) < 10:
        return f"{subject}は、{a}{sign}{b}={value}{f'（{unit}）' if unit else ''}です。"
    return f"{subject}は、{a}{sign}{b}で求められます。{worked(draw, a, sign, b)}"


def plain(a: int, sign: str, b: int) -> str:
    return f"{a}{sign}{b}={_apply(Fraction(a), sign, Fraction(b))}"


def _sum(draw: Draw, a: int, b: int) -> str:
    total = f"{a}+{b}={a + b}"
    if min(a, b) < 10 or draw.random() < 0.2:
        return f"{total}です。"
    if draw.random() < 0.5:
        texts, carry = [], 0
        for place in range(len(str(max(a, b)))):
            x, y = a // 10**place % 10, b // 10**place % 10
            if not x and not y and not carry:
                continue
            column = f"{x}+{y}+{carry}" if carry else f"{x}+{y}"
            value = x + y + carry
            text, carry = f"{_PLACES[place]}の位は{column}={value}", value // 10
            texts.append(f"{text}で、1くり上がります" if carry else f"{text}です")
        return f"{'。'.join(texts)}。したがって、{total}です。"
    tens = b // 10 * 10
    return (
        f"{b}を{tens}と{b - tens}に分けると、{a}+{tens}={a + tens}、"
        f"{a + tens}+{b - tens}={a + b}となり、{total}です。"
        if b - tens
        else f"{total}です。"
    )


def _difference(draw: Draw, a: int, b: int) -> str:
    result = f"{a}-{b}={a - b}"
    if b < 10 or draw.random() < 0.2:
        return f"{result}です。"
    parts = [digit * 10**place for place, digit in enumerate(map(int, str(b)[::-1])) if digit]
    rest, texts = a, []
    for part in parts[::-1]:
        texts.append(f"{rest}-{part}={rest - part}")
        rest -= part
    if len(texts) == 1:
        return f"{result}です。"
    split = "と".join(map(str, parts[::-1]))
    return draw.choice(
        (
            f"{b}を{split}に分けて順に引くと、{'、'.join(texts)}となるので、{result}です。",
            f"大きい位から順に引きます。{'、'.join(texts)}です。よって、{result}です。",
        )
    )


def _product(draw: Draw, a: int, b: int) -> str:
    result = f"{a}×{b}={a * b}"
    # The factor with fewer digits that are not 0 is taken apart.
    large, small = (b, a) if 9 < a < b and b % 10 else (a, b)
    parts = [digit * 10**place for place, digit in enumerate(map(int, str(small)[::-1])) if digit]
    if len(parts) == 1 and len(str(large)) > 1 and draw.random() < 0.6:
        large, small = small, large
        parts = [d * 10**place for place, d in enumerate(map(int, str(small)[::-1])) if d]
    if len(parts) < 2:
        return f"{result}です。"
    texts = [f"{large}×{part}={large * part}" for part in parts[::-1]]
    added = "+".join(str(large * part) for part in parts[::-1])
    split = "と".join(map(str, parts[::-1]))
    return draw.choice(
        (
            f"{small}を{split}に分けて計算します。{'、'.join(texts)}なので、"
            f"合わせると{added}={a * b}です。つまり、{result}です。",
            f"{'、'.join(texts)}を足すと、{added}={a * b}となります。よって、{result}です。",
            f"{small}={'+'.join(map(str, parts[::-1]))}と考えると、{'、'.join(texts)}です。"
            f"これらを足して{added}={a * b}、つまり{result}です。",
        )
    )


def _quotient(draw: Draw, a: int, b: int) -> str:
    result = f"{a}÷{b}={a // b}"
    value = a // b
    tens = value // 10 * 10
    if not tens or tens == value or b < 2:
        return draw.choice((f"{b}×{value}={a}なので、{result}です。", f"{result}です。"))
    rest = a - b * tens
    return draw.choice(
        (
            f"{b}×{tens}={b * tens}で、残りは{a}-{b * tens}={rest}です。{rest}÷{b}={rest // b}"
            f"なので、{tens}+{value - tens}={value}、つまり{result}です。",
            f"まず{b}が{tens}個分で{b}×{tens}={b * tens}です。残りの{rest}には{b}が"
            f"{value - tens}個分あります（{b}×{value - tens}={rest}）。よって、{result}です。",
        )
    )


# An expression: numbers, decimals and fractions, signs and brackets.
_TOKEN = re.compile(r"\d+/\d+|\d+\.\d+|\d+|[-+×÷()]")


def read_number(text: str) -> Fraction:
    return Fraction(text)


def _apply(a: Fraction, sign: str, b: Fraction) -> Fraction:
    return {"+": a + b, "-": a - b, "×": a * b, "÷": a / b if b else Fraction(0)}[sign]


def steps_of(draw: Draw, expression: str) -> tuple[list[str], Fraction]:
    """An expression worked out one operation a step, brackets first, then products, and its value.

    Raises ValueError for what is no expression.
    """
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != expression:
        raise ValueError(expression)
    steps: list[str] = []
    total = sum(token in "+-×÷" for token in tokens)
    while len(tokens) > 1:
        place, why = _next(tokens)
        a, sign, b = tokens[place - 1 : place + 2]
        value = _apply(read_number(a), sign, read_number(b))
        lead = _lead(draw, len(steps), total, why)
        steps.append(lead + _operation(draw, a, sign, b, value))
        tokens[place - 1 : place + 2] = [decimal_text(value)]
        for at in range(len(tokens) - 2):
            if tokens[at] == "(" and tokens[at + 2] == ")":
                tokens[at : at + 3] = [tokens[at + 1]]
                break
        if len(tokens) > 1:
            steps[-1] += draw.choice(
                (f"式は{''.join(tokens)}になります。", f"これで式は{''.join(tokens)}となります。")
            )
    return steps, read_number(tokens[0])


def _next(tokens: list[str]) -> tuple[int, str]:
    """The place of the sign to be worked out next, and why it is."""
    low, high, why = 0, len(tokens), ""
    if "(" in tokens:
        low = max(place for place, token in enumerate(tokens) if token == "(")
        high = tokens.index(")", low)
        why = "かっこの中"
    inside = range(low, high)
    for place in inside:
        if tokens[place] in "×÷":
            name = "かけ算" if tokens[place] == "×" else "わり算"
            mixed = any(tokens[other] in "+-" for other in inside)
            return place, why or (name if mixed else "")
    return next(place for place in inside if tokens[place] in "+-"), why


def _lead(draw: Draw, done: int, total: int, why: str) -> str:
    if total == 1:
        return ""
    if done == 0:
        word = draw.choice(("まず、", "はじめに、", "最初に、"))
    elif done == total - 1:
        word = draw.choice(("最後に、", "最後に、", "そして、"))
    else:
        word = draw.choice(("次に、", "続いて、"))
    return f"{word}{why}を計算します。" if why and done < total - 1 else word


def _operation(draw: Draw, a: str, sign: str, b: str, value: Fraction) -> str:
    if a.isdigit() and b.isdigit() and value.denominator == 1 and value >= 0:
        return worked(draw, int(a), sign, int(b))
    texts = []
    for number in (a, b):
        if "/" in number:
            top, bottom = number.split("/")
            texts.append(f"{number}={top}÷{bottom}={decimal_text(read_number(number))}")
    x, y = decimal_text(read_number(a)), decimal_text(read_number(b))
    shown = decimal_text(value)
    text = f"{'、'.join(texts)}です。" if texts else ""
    return text + _decimal_operation(draw, x, sign, y, shown)


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def _decimal_operation(draw: Draw, x: str, sign: str, y: str, shown: str) -> str:
    result = f"{x}{sign}{y}={shown}"
    places = max(_places(x), _places(y))
    if sign == "×" and _places(x) + _places(y):
        a, b = int(x.replace(".", "")), int(y.replace(".", ""))
        count = _places(x) + _places(y)
        return draw.choice(
            (
                f"小数点を除いて計算すると{a}×{b}={a * b}です。"
                f"小数点より下は合わせて{count}桁なので、{result}です。",
                f"小数点がないものとして{a}×{b}={a * b}を求め、小数点を左へ{count}桁動かすと、"
                f"{result}です。",
            )
        )
    if sign in "+-" and places:
        scale = 10**places
        a, b = (int(Fraction(one) * scale) for one in (x, y))
        value = a + b if sign == "+" else a - b
        unit = decimal_text(Fraction(1, scale))
        return draw.choice(
            (
                f"{unit}を単位にすると{a}{sign}{b}={value}なので、{result}です。",
                f"小数点の位置をそろえて計算すると、{result}です。",
                f"{unit}がいくつ分かで考えると、{a}{sign}{b}={value}です。よって、{result}です。",
            )
        )
    return f"{result}です。"
