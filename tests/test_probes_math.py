"""Math probes: every answer worked out again from the question's text alone."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction

import pytest

from harness.items import Item
from harness.items.probes.exact import decimal_text
from harness.items.probes.generate import LEVELS, probes
from harness.items.probes.math import MATH

ITEMS = [item for seed in range(4) for item in probes(MATH, per_level=6, seed=seed)]


def of(skill: str, *levels: int) -> list[Item]:
    found = [item for item in ITEMS if item.skill == skill and item.level in (levels or LEVELS)]
    assert found
    return found


def numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def evaluate(expression: str, **names: Fraction) -> Fraction:
    """A formula in ×, ÷ and implied products, exactly."""
    text = expression.replace("×", "*").replace("÷", "/")
    text = re.sub(r"(?<=[0-9])(?=[xy(])", "*", text)

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant):
            return Fraction(str(node.value))
        if isinstance(node, ast.Name):
            return names[node.id]
        assert isinstance(node, ast.BinOp)
        left, right = value(node.left), value(node.right)
        return {
            ast.Add: lambda: left + right,
            ast.Sub: lambda: left - right,
            ast.Mult: lambda: left * right,
            ast.Div: lambda: left / right,
        }[type(node.op)]()

    return value(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize(
    ("value", "text"),
    [("3/4", "0.75"), ("6/2", "3"), ("-1/8", "-0.125"), ("1/50", "0.02"), ("0", "0")],
)
def test_decimal_text(value: str, text: str) -> None:
    assert decimal_text(Fraction(value)) == text


def test_a_decimal_that_never_ends_is_an_error() -> None:
    with pytest.raises(ValueError, match="no short decimal"):
        decimal_text(Fraction(1, 3))


@pytest.mark.parametrize("skill", ["math/arithmetic", "math/decimal"])
def test_arithmetic(skill: str) -> None:
    for item in of(skill):
        (expression,) = re.findall(r"[0-9(][0-9.()+\-×÷/]*[0-9)]", item.turns[0])
        assert evaluate(expression) == Fraction(item.answer)
        if skill == "math/arithmetic" and item.level == 1:
            assert re.fullmatch(r"\d{1,2}\+\d{1,2}", expression)


def test_equations_have_the_answer_as_their_only_solution() -> None:
    for item in of("math/equation"):
        x = Fraction(item.answer)
        sides = [
            equation.split("=")
            for equation in re.findall(r"[0-9xy()+\-÷]+=[0-9xy()+\-÷]+", item.turns[0])
        ]

        def gap(sides: list[str], x: Fraction, y: Fraction) -> Fraction:
            return evaluate(sides[0], x=x, y=y) - evaluate(sides[1], x=x, y=y)

        zero, one = Fraction(0), Fraction(1)
        if item.level == 5:
            first, second = sides
            slope = gap(first, x, one) - gap(first, x, zero)
            y = -gap(first, x, zero) / slope
            assert gap(first, x, y) == gap(second, x, y) == 0
            (a, b), (c, d) = (
                (gap(s, one, zero) - gap(s, zero, zero), gap(s, zero, one) - gap(s, zero, zero))
                for s in sides
            )
            assert a * d != b * c
        else:
            (only,) = sides
            assert gap(only, x, zero) == 0
            assert gap(only, x + 1, zero) != 0


def test_sequences_go_on_by_the_rule_of_their_level() -> None:
    for item in of("math/sequence"):
        (shown,) = re.findall(r"\d+(?:, \d+)+", item.turns[0])
        terms = [*numbers(shown), int(item.answer)]
        steps = [b - a for a, b in itertools.pairwise(terms)]
        if item.level in (1, 2):
            assert len(set(steps)) == 1
            assert (steps[0] > 0) == (item.level == 1)
        elif item.level == 3:
            assert len({Fraction(b, a) for a, b in itertools.pairwise(terms)}) == 1
        elif item.level == 4:
            assert len({b - a for a, b in itertools.pairwise(steps)}) == 1
        else:
            summed = all(terms[k] == terms[k - 1] + terms[k - 2] for k in range(2, 7))
            odd = {Fraction(terms[k + 1], terms[k]) for k in (1, 3, 5)}
            assert summed or (len(set(steps[::2])) == 1 and len(odd) == 1)


def test_averages() -> None:
    for item in of("math/average"):
        given = numbers(item.turns[0])
        answer = Fraction(item.answer)
        if item.level <= 3:
            count, *scores = given
            assert len(scores) == count
            assert answer * count == sum(scores)
            assert (answer.denominator == 1) == (item.level != 3)
        elif item.level == 4:
            count, mean, before, *scores, last = given
            assert before == last - 1 == count - 1 == len(scores)
            assert sum(scores) + answer == count * mean
        else:
            _, n, a, _, m, b, _ = given
            assert answer * (n + m) == n * a + m * b


def test_counting_by_listing_all_cases() -> None:
    for item in of("math/counting"):
        text, given = item.turns[0], numbers(item.turns[0])
        if item.level == 1:
            expected = len(range(given[0], given[1] + 1))
        elif item.level == 2:
            expected = sum(n % given[2] == 0 for n in range(1, given[1] + 1))
        elif item.level == 3:
            expected = len(list(itertools.product(*map(range, given[:3]))))
        elif item.level == 4:
            _, n, r, _, m, s = given
            groups = (itertools.combinations(range(n), r), itertools.combinations(range(m), s))
            expected = len(list(itertools.product(*groups)))
        else:
            _, n, a, b = given
            by_a, by_b = set(range(a, n + 1, a)), set(range(b, n + 1, b))
            expected = {
                "または": len(by_a | by_b),
                "でも": n - len(by_a | by_b),
                "では": len(by_a - by_b),
            }[re.findall(rf"{a}(または|でも|では)", text)[0]]
        assert int(item.answer) == expected, text


def test_ratios() -> None:
    for item in of("math/ratio"):
        text, answer = item.turns[0], Fraction(item.answer)
        given = [Fraction(n) for n in re.findall(r"\d+", text)]
        if item.level == 1:
            assert answer / given[0] == given[1] / 100
        elif "引きで買います" in text:
            off = given[1] / (10 if "割引き" in text else 100)
            assert answer == given[0] - given[0] * off
        elif "図書館" in text:
            assert (answer - given[0]) / given[0] == given[1] / 100
        elif "自転車" in text:
            assert answer / 100 * given[0] == given[1]
        elif "ページ読みました" in text:
            assert answer * given[1] / 100 == given[0]
        elif "兄と弟" in text:
            assert answer / (given[0] - answer) == given[1] / given[2]
        elif "さらに" in text:
            assert answer / given[0] == (1 - given[1] / 10) * (1 - given[2] / 10)
        elif "原価" in text:
            assert answer + given[0] == given[0] * (1 + given[1] / 10) * (1 - given[2] / 10)
        elif "食塩水" in text:
            a, x, b, y = given
            assert answer * (x + y) == a * x + b * y
        else:
            _, total, a, b, c, d = given
            second = answer * c / d
            assert second * a / b + second + answer == total


UNITS = {
    "分": 60, "秒": 1, "時間": 3600, "日": 86400, "週間": 604800,
    "mm": 1, "cm": 10, "m": 1000, "km": 10**6,
    "g": 1, "kg": 1000, "t": 10**6, "mL": 1, "dL": 100, "L": 1000, "kL": 10**6,
    "mm²": 1, "cm²": 100, "m²": 10**6, "a": 10**8, "ha": 10**10, "km²": 10**12,
}  # fmt: skip
UNIT_NAMES = "|".join(sorted([*UNITS, "m³"], key=len, reverse=True))


def test_units_by_going_through_the_smallest_unit() -> None:
    for item in of("math/unit"):
        text, answer = item.turns[0], Fraction(item.answer)
        (asked,) = re.findall(rf"(?:[時分秒]速)?何(?:{UNIT_NAMES})", text)
        if asked[1] == "速":
            metres = {"時": Fraction(1, 3600), "分": Fraction(1, 60), "秒": Fraction(1)}
            ((per, number, unit),) = re.findall(r"([時分秒])速([\d.]+)(km|m)", text)
            speed = Fraction(number) * (1000 if unit == "km" else 1) * metres[per]
            assert answer * (1000 if asked.endswith("km") else 1) * metres[asked[0]] == speed
            continue
        sizes = UNITS | ({"m³": 10**6} if "m³" in text else {})
        parts = re.findall(rf"([\d.]+)({UNIT_NAMES})", text)
        given = sum(Fraction(number) * sizes[unit] for number, unit in parts)
        assert answer * sizes[asked[1:]] == given, text


# Each story as a condition on its numbers n and the answer x; the first that fits is taken.
STORIES: dict[str, Callable[[list[int], int], bool]] = {
    "友だちにあげました": lambda n, x: x + n[1] == n[0],
    "同じ数ずつ分けます": lambda n, x: x * n[1] == n[0],
    "[個本枚冊]と、": lambda n, x: x == n[1] * n[2] + n[4] * n[5],
    "割引券": lambda n, x: n[4] - x == n[1] * n[2] - n[3],
    "円札": lambda n, x: x + n[1] * n[2] == n[3],
    "ずつ配りました": lambda n, x: x + n[1] * n[2] == n[0],
    "そのあと時速": lambda n, x: x == n[0] * n[1] + n[2] * n[3],
    "買ったところ": lambda n, x: n[1] * (n[4] - x) + n[3] * x == n[5],
    "向かい合って": lambda n, x: n[2] * x + n[3] * x == n[0],
    "追いかけました": lambda n, x: n[0] * (n[1] + x) == n[2] * x,
    "足りません": lambda n, x: (x - n[2]) * n[4] == (x + n[5]) * n[1],
    "渡り終わる": lambda n, x: n[1] * 1000 * x == 3600 * (n[0] + n[2]),
    "お母さん": lambda n, x: n[1] + x == n[2] * (n[0] + x),
    "栓を開けて": lambda n, x: n[0] * x - n[2] * (x - n[1]) == n[3],
    "が持っている": lambda n, x: x in ((n[0] + n[1]) // 2, (n[0] - n[1]) // 2),
    "買いました": lambda n, x: x == n[1] * n[2],
}


def test_word_problems_by_trying_every_answer() -> None:
    met = set()
    for item in of("math/word_problem"):
        text = item.turns[0].replace("文章題を1問", "")
        story = next(story for story in STORIES if re.search(story, text))
        met.add(story)
        given = numbers(text)
        solutions = [x for x in range(6000) if STORIES[story](given, x)]
        if story == "が持っている":
            # Who holds more is named first.
            (asked,) = re.findall(r"。([^。]+さん)が持っている", text.replace("\n", "。"))[-1:]
            more = re.findall(r"(\w+さん)は\w+さんより", text)[0]
            solutions = [max(solutions) if asked.endswith(more) else min(solutions)]
        assert solutions == [int(item.answer)], text
    assert met == set(STORIES)


def days_of(text: str) -> list[date]:
    """All dates written in a text; those without a year in 2023."""
    found = re.findall(r"(?:(\d+)年|(同じ年の))?(\d+)月(\d+)日", text)
    years = [int(year) for year, *_ in found if year]
    return [
        date(int(year) if year else years[0] if years else 2023, int(month), int(day))
        for year, _, month, day in found
    ]


def test_days_between_dates() -> None:
    for item in of("math/days"):
        first, second = sorted(days_of(item.turns[0]))
        assert first + timedelta(days=int(item.answer)) == second
        assert int(item.answer) > 0


def test_weekdays() -> None:
    names = "月火水木金土日"
    for item in of("math/weekday"):
        text = item.turns[0]
        (known,) = re.findall(r"(?:今日は|\d日は)(.)曜日です。", text)
        if item.level <= 3:
            ((days, direction),) = re.findall(r"(\d+)日([後前])", text)
            # 1 January 2024 was a Monday.
            today = date(2024, 1, 1) + timedelta(names.index(known))
            asked = today + timedelta(int(days) * (1 if direction == "後" else -1))
        else:
            given, asked = days_of(text)
            assert names[given.weekday()] == known
        assert item.answer == f"{names[asked.weekday()]}曜日"


def test_eras() -> None:
    first = {"明治": 1868, "大正": 1912, "昭和": 1926, "平成": 1989, "令和": 2019}
    for item in of("math/era"):
        text = item.turns[0].replace("元年", "1年")
        western = [
            first[era] + int(number) - 1
            for era, number in re.findall(rf"({'|'.join(first)})(\d+)年", text)
        ]
        answer = int(item.answer)
        if item.level == 4:
            assert max(western) - min(western) == answer
        elif item.level == 5:
            (born,), (age,) = western, re.findall(r"満(\d+)歳", text)
            (era,) = re.findall(rf"({'|'.join(first)})(?:何年|で表)", text)
            assert first[era] + answer - 1 == born + int(age)
        elif western:
            assert [answer] == western
        else:
            (year,) = re.findall(r"西暦(\d+)年", text)
            (era,) = re.findall(rf"({'|'.join(first)})(?:何年|で表)", text)
            assert first[era] + answer - 1 == int(year)
