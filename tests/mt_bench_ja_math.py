"""The answers of the genre math of `mt-bench-ja`, worked out anew by trying every case or by sympy:
nothing here follows the solutions that the references write down."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations_with_replacement, count, permutations, product
from math import log
from typing import Any

Answer = tuple[Any, Any]


def garden() -> Answer:
    import sympy

    width = sympy.symbols("w", positive=True)
    outer = (12 + 2 * width) * (18 + 2 * width)
    (found,) = sympy.solve(outer - 2 * 12 * 18, width)
    along = sympy.symbols("x", real=True)
    corner = sympy.integrate(3 - sympy.sqrt(9 - along**2), (along, 0, 3))
    return found, sympy.expand(outer.subs(width, found) - 12 * 18 - 4 * corner)


def trains() -> Answer:
    (speed, length) = next(
        (v, n)
        for v in range(1, 100)
        for n in range(1, 1000)
        if 760 + n == 40 * v and 1560 + n == 72 * v
    )
    total = length + 160
    (slow,) = [
        u for u in range(1, speed) if Fraction(total, speed - u) == 4 * Fraction(total, speed + u)
    ]
    assert (speed * 36, slow * 36) == (900, 540)
    return length, total // (speed - slow)


def lottery() -> Answer:
    draws = list(permutations([1] * 3 + [0] * 7, 3))
    won = [draw for draw in draws if any(draw)]
    first = [
        next(n for n in range(1, 11) if n - 1 in places)
        for places in ({a, b, c} for a in range(10) for b in range(a) for c in range(b))
    ]
    return Fraction(sum(d[2] for d in won), len(won)), Fraction(sum(first), len(first))


def stone_steps() -> Answer:
    (steps,) = [n for n in range(200, 301) if (n % 3, n % 5, n % 7) == (2, 3, 4)]
    walks = 0
    for length in range(1, 11):
        for walk in product("12", repeat=length):
            walks += sum(map(int, walk)) == 10 and "22" not in "".join(walk)
    return steps, walks


def go_stones() -> Answer:
    def distances(figure: int) -> list[int]:
        """Of every cell of a hexagonal grid within the figure, how far it is from the centre."""
        reach = range(1 - figure, figure)
        cells = (max(abs(q), abs(r), abs(q + r)) for q in reach for r in reach)
        return [away for away in cells if away < figure]

    black = (n for n in count(1) if sum(away % 2 == 0 for away in distances(n)) > 500)
    return len(distances(10)), next(black)


def fish_cakes() -> Answer:
    def best(cost: int) -> tuple[int, list[int]]:
        profits = {150 + 10 * x: (150 + 10 * x - cost) * (400 - 20 * x) for x in range(21)}
        most = max(profits.values())
        return most, [price for price, profit in profits.items() if profit == most]

    assert (best(50)[1], best(80)[1]) == ([200], [210, 220])
    return best(50)[0], best(80)[0]


def tower() -> Answer:
    import sympy

    height = sympy.symbols("h", positive=True)
    west, south = height / sympy.tan(sympy.pi / 6), height / sympy.tan(sympy.pi / 3)
    (found,) = sympy.solve(west - height / sympy.tan(sympy.pi / 4) - 200, height)
    top, a, c = sympy.Point3D(0, 0, 1), sympy.Point3D(-west, 0, 0), sympy.Point3D(0, -south, 0)
    assert top.z == 1
    return sympy.radsimp(found), sympy.simplify(a.distance(c) / height)


def buns() -> Answer:
    reached = {5 * a + 8 * b for a in range(50) for b in range(50)}
    cheapest = min(700 * a + 1000 * b for a in range(30) for b in range(30) if 5 * a + 8 * b >= 100)
    return max(n for n in range(200) if n not in reached), cheapest


def marks() -> Answer:
    def variance(points: tuple[int, ...]) -> Fraction:
        mean = Fraction(sum(points), len(points))
        return sum(((p - mean) ** 2 for p in points), Fraction(0)) / len(points)

    groups = []
    for points in combinations_with_replacement(range(11), 5):
        often = max(points.count(p) for p in points)
        modes = {p for p in points if points.count(p) == often}
        if sum(points) == 30 and points[2] == 7 and modes == {8}:
            groups.append(points)
    assert groups == [(1, 6, 7, 8, 8), (2, 5, 7, 8, 8), (3, 4, 7, 8, 8)]
    least = min(groups, key=variance)
    (late,) = [n for n in range(11) if sum(least) + n == 5 * 6]
    ordered = sorted((*least, late))
    assert (ordered[2] + ordered[3]) / 2 == 5.5
    return variance(least), variance((*least, late))


def population() -> Answer:
    """With exact powers, and with the rounded logarithms that the questions give."""
    town = next(n for n in count() if Fraction(96, 100) ** n <= Fraction(1, 2))
    village = next(n for n in count() if Fraction(102, 100) ** n / 2 >= Fraction(96, 100) ** n)
    assert town == next(n for n in count() if n * (5 * 0.3010 + 0.4771 - 2) <= -0.3010)
    assert village == next(
        n for n in count() if n * 0.0086 - 0.3010 >= n * (5 * 0.3010 + 0.4771 - 2)
    )
    assert abs(log(1.02) / log(10) - 0.0086) < 0.00005
    return town, village


def paper_strips() -> Answer:
    rows = set(permutations("RRRBBYY"))
    apart = {row for row in rows if "RR" not in "".join(row)}
    rings = {
        min(min(turned, turned[::-1]) for n in range(7) for turned in [row[n:] + row[:n]])
        for row in apart
        if not (row[0] == row[-1] == "R")
    }
    # The smaller of a turn and its mirror image, over all turns, names a ring.
    return len(apart), len(rings)


def sexagenary() -> Answer:
    stems, branches = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"

    def year(name: str, start: int, after: int, kinds: str) -> int:
        return next(
            n
            for n in count(after)
            if kinds[(n - start) % len(kinds)] + branches[(n - start) % 12] == name
        )

    seen = {(n % 9, n % 12) for n in range(1000)}
    assert 9 * 12 - len(seen) == 72
    return year("己酉", 1924, 2001, stems), year("乙未", 2024, 2025, stems[:9])


MATH: dict[str, Callable[[], Answer]] = {
    f"mt-math-{number:02d}": solve
    for number, solve in enumerate(
        (
            garden,
            trains,
            lottery,
            stone_steps,
            go_stones,
            fish_cakes,
            tower,
            buns,
            marks,
            population,
            paper_strips,
            sexagenary,
        ),
        1,
    )
}
