"""Small steps on lists, strings and numbers from which coding problems are put together: in
Japanese, in Python, and as a function of our own that says what must come out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

Draw = random.Random


@dataclass(frozen=True)
class Step:
    """One step of a problem.

    name   of the operation, without its numbers
    what   Japanese up to the verb: 3の倍数だけを
    verb   plain and polite: 残す, 残します
    lines  Python that changes `x` in place of the value, or, of a last step, ends in a return
    apply  the same by other means
    """

    name: str
    what: str
    verb: tuple[str, str]
    lines: tuple[str, ...]
    apply: Callable[[Any], Any]

    @property
    def plain(self) -> str:
        return self.what + self.verb[0]

    @property
    def polite(self) -> str:
        return self.what + self.verb[1]


_LEAVE, _REMOVE = ("残す", "残します"), ("取り除く", "取り除きます")
_MAKE, _SORT = ("する", "します"), ("並べかえる", "並べかえます")
_TURN, _RETURN = ("置きかえる", "置きかえます"), ("返す", "返します")


def _loop(test: str, entry: str = "one") -> tuple[str, ...]:
    """A loop that collects entries in a new list."""
    body = f"    if {test}:\n        kept.append({entry})" if test else f"    kept.append({entry})"
    return ("kept = []", "for one in x:", *body.split("\n"), "x = kept")


def list_steps(draw: Draw) -> list[Step]:
    """Steps from a list of whole numbers of 0 or more to another, with numbers drawn."""
    k, m, n = draw.randint(2, 5), draw.randint(5, 40), draw.randint(2, 4)
    by_loop = draw.random() < 0.4

    def kept(test: str, entry: str = "one") -> tuple[str, ...]:
        if by_loop:
            return _loop(test, entry)
        return (f"x = [{entry} for one in x{f' if {test}' if test else ''}]",)

    return [
        Step("multiples", f"{k}の倍数だけを", _LEAVE, kept(f"one % {k} == 0"),
             lambda x: list(filter(lambda one: not one % k, x))),
        Step("no multiples", f"{k}の倍数を", _REMOVE, kept(f"one % {k} != 0"),
             lambda x: list(filter(lambda one: one % k, x))),
        Step("at least", f"{m}以上の数だけを", _LEAVE, kept(f"one >= {m}"),
             lambda x: list(filter(lambda one: not one < m, x))),
        Step("below", f"{m}以上の数を", _REMOVE, kept(f"one < {m}"),
             lambda x: list(filter(lambda one: one < m, x))),
        Step("times", f"それぞれの数を{k}倍に", _MAKE, kept("", f"one * {k}"),
             lambda x: list(map(k.__mul__, x))),
        Step("plus", f"それぞれの数に{m}を", ("足す", "足します"), kept("", f"one + {m}"),
             lambda x: list(map(m.__add__, x))),
        Step("squares", "それぞれの数を2乗", _MAKE, kept("", "one * one"),
             lambda x: [pow(one, 2) for one in x]),
        Step("remainders", f"それぞれの数を、{k + 1}で割った余りに", _TURN,
             kept("", f"one % {k + 1}"),
             lambda x: [divmod(one, k + 1)[1] for one in x]),
        Step("cap", f"{m}より大きい数を{m}に", _TURN, kept("", f"min(one, {m})"),
             lambda x: [m if one > m else one for one in x]),
        Step("reverse", "順番を逆に", _MAKE, ("x = x[::-1]",), lambda x: list(reversed(x))),
        Step("rising", "小さい順に", _SORT, ("x = sorted(x)",), lambda x: _sorted(x)),
        Step("falling", "大きい順に", _SORT, ("x = sorted(x, reverse=True)",),
             lambda x: _sorted(x)[::-1]),
        Step("once", "2回目以降に出てくる同じ数を", _REMOVE, _loop("one not in kept"),
             lambda x: list(dict.fromkeys(x))),
        Step("differences", "隣り合う2つの数の差（後の数から前の数を引いたもの）のリストに", _TURN,
             ("x = [x[i + 1] - x[i] for i in range(len(x) - 1)]",),
             lambda x: [b - a for a, b in pairwise(x)]),
        Step("running", "それぞれの数を、先頭からその数までの合計に", _TURN,
             ("total = 0", "kept = []", "for one in x:", "    total += one",
              "    kept.append(total)", "x = kept"), lambda x: list(accumulate(x))),
        Step("odd places", "1番目、3番目、5番目のように奇数番目の数だけを", _LEAVE, ("x = x[::2]",),
             lambda x: [one for at, one in enumerate(x) if at % 2 == 0]),
        Step("first", f"先頭の{n}個だけを（{n}個より少なければ全部を）", _LEAVE, (f"x = x[:{n}]",),
             lambda x: [one for at, one in enumerate(x) if at < n]),
        Step("behind", f"先頭の{n - 1}個を（あるだけ）", _REMOVE, (f"x = x[{n - 1}:]",),
             lambda x: [one for at, one in enumerate(x) if at >= n - 1]),
        Step("rotate", "先頭の数を末尾に（空ならそのまま）", ("移す", "移します"),
             ("x = x[1:] + x[:1]",),
             lambda x: [*x[1:], x[0]] if x else []),
    ]  # fmt: skip


def _sorted(x: list[int]) -> list[int]:
    """By insertion, so that two ways must agree."""
    result: list[int] = []
    for one in x:
        at = next((at for at, other in enumerate(result) if other > one), len(result))
        result.insert(at, one)
    return result


def list_ends(draw: Draw) -> list[Step]:
    """Last steps from a list of whole numbers to what is returned."""
    k, mark = draw.randint(3, 9), draw.choice("-,/:")
    return [
        Step("sum", "合計を", _RETURN, ("return sum(x)",), lambda x: _total(x)),
        Step("count", "残った数の個数を", _RETURN,
             ("return len(x)",), lambda x: _total([1] * len(x))),
        Step("list", "できたリストを", _RETURN, ("return x",), lambda x: list(x)),
        Step("largest", "最大の数を（空のときは0を）", _RETURN, ("return max(x, default=0)",),
             lambda x: _sorted(x)[-1] if x else 0),
        Step("smallest", "最小の数を（空のときは0を）", _RETURN, ("return min(x, default=0)",),
             lambda x: _sorted(x)[0] if x else 0),
        Step("range", "最大の数と最小の数の差を（空のときは0を）", _RETURN,
             ("if not x:", "    return 0", "return max(x) - min(x)"),
             lambda x: _sorted(x)[-1] - _sorted(x)[0] if x else 0),
        Step("rest", f"合計を{k}で割った余りを", _RETURN, (f"return sum(x) % {k}",),
             lambda x: divmod(_total(x), k)[1]),
        Step("joined", f"すべての数を「{mark}」でつないだ文字列を", _RETURN,
             (f'return "{mark}".join(str(one) for one in x)',),
             lambda x: "".join(f"{mark if at else ''}{one}" for at, one in enumerate(x))),
        Step("even", "偶数の個数を", _RETURN, ("return sum(one % 2 == 0 for one in x)",),
             lambda x: len([one for one in x if not one & 1])),
        Step("rising pairs", "すぐ前の数より大きい数の個数を", _RETURN,
             ("return sum(x[i] > x[i - 1] for i in range(1, len(x)))",),
             lambda x: len([1 for a, b in pairwise(x) if a < b])),
        Step("often", "最も多く出てくる数を（同じ回数なら小さいほうを、空なら0を）", _RETURN,
             ("if not x:", "    return 0", "return min(x, key=lambda one: (-x.count(one), one))"),
             lambda x: _commonest(x)),
    ]  # fmt: skip


def _total(x: list[int]) -> int:
    return [0, *accumulate(x)][-1]


def _commonest(x: list[int]) -> int:
    counts: dict[int, int] = {}
    for one in x:
        counts[one] = counts.get(one, 0) + 1
    best = max(counts.values(), default=0)
    return min((one for one, count in counts.items() if count == best), default=0)


_VOWELS = "aeiou"


def string_steps(draw: Draw) -> list[Step]:
    """Steps from a string of small letters, digits and spaces to another."""
    old, new = draw.sample("abcdestmn", 2)
    k, n = draw.randint(2, 3), draw.randint(1, 3)
    return [
        Step("no vowels", "小文字の母音（a、i、u、e、o）を", _REMOVE,
             ('x = "".join(one for one in x if one not in "aiueo")',),
             lambda x: "".join(filter(lambda one: one not in _VOWELS, x))),
        Step("letters", "英字だけを", _LEAVE, ('x = "".join(one for one in x if one.isalpha())',),
             lambda x: "".join(one for one in x if "a" <= one.lower() <= "z")),
        Step("no digits", "数字を", _REMOVE,
             ('x = "".join(one for one in x if not one.isdigit())',),
             lambda x: "".join(one for one in x if one not in "0123456789")),
        Step("replace", f"「{old}」をすべて「{new}」に", _TURN,
             (f'x = x.replace("{old}", "{new}")',),
             lambda x: new.join(x.split(old))),
        Step("reverse", "文字の順番を逆に", _MAKE,
             ("x = x[::-1]",), lambda x: "".join(reversed(x))),
        Step("upper", "英小文字を大文字に", _MAKE, ("x = x.upper()",),
             lambda x: "".join(chr(ord(one) - 32) if "a" <= one <= "z" else one for one in x)),
        Step("times", f"それぞれの文字を{k}回ずつ", ("繰り返す", "繰り返します"),
             (f'x = "".join(one * {k} for one in x)',),
             lambda x: "".join("".join([one] * k) for one in x)),
        Step("words back", "空白で区切った単語の順番を逆に（単語の間は半角空白1つに）", _MAKE,
             ('x = " ".join(x.split()[::-1])',), lambda x: " ".join(reversed(x.split()))),
        Step("squeeze", "同じ文字が続くところを1文字に", _MAKE,
             ('kept = ""', "for one in x:", "    if not kept.endswith(one):",
              "        kept += one", "x = kept"),
             lambda x: "".join(one for at, one in enumerate(x) if not at or x[at - 1] != one)),
        Step("odd places", "1文字目、3文字目のように奇数番目の文字だけを", _LEAVE, ("x = x[::2]",),
             lambda x: "".join(one for at, one in enumerate(x) if at % 2 == 0)),
        Step("front", f"先頭の{n}文字を末尾に（短ければそのまま並べて）", ("移す", "移します"),
             (f"x = x[{n}:] + x[:{n}]",),
             lambda x: "".join([*list(x)[n:], *list(x)[:n]])),
        Step("sorted", "文字を文字コードの小さい順に", _SORT, ('x = "".join(sorted(x))',),
             lambda x: "".join(map(chr, _sorted(list(map(ord, x)))))),
    ]  # fmt: skip


def string_ends(draw: Draw) -> list[Step]:
    """Last steps from a string to what is returned."""
    letter = draw.choice("aeiost")
    return [
        Step("string", "できた文字列を", _RETURN, ("return x",), lambda x: "".join(x)),
        Step("length", "文字数を", _RETURN, ("return len(x)",), lambda x: _total([1 for _ in x])),
        Step("different", "出てくる文字の種類の数を", _RETURN, ("return len(set(x))",),
             lambda x: len(dict.fromkeys(x))),
        Step("count", f"「{letter}」の個数を", _RETURN, (f'return x.count("{letter}")',),
             lambda x: len([one for one in x if one == letter])),
        Step("palindrome", "前から読んでも後ろから読んでも同じならTrueを、そうでなければFalseを",
             _RETURN, ("return x == x[::-1]",),
             lambda x: all(x[at] == x[-1 - at] for at in range(len(x) // 2))),
        Step("lengths", "空白で区切った単語の長さのリストを", _RETURN,
             ("return [len(one) for one in x.split()]",), lambda x: list(map(len, x.split()))),
        Step("counts", "それぞれの文字の個数を、出てきた順の辞書で", _RETURN,
             ("counts = {}", "for one in x:", "    counts[one] = counts.get(one, 0) + 1",
              "return counts"), lambda x: {one: x.count(one) for one in dict.fromkeys(x)}),
    ]  # fmt: skip


def number_steps(draw: Draw) -> list[Step]:
    """Steps from a whole number of 0 or more to another."""
    k, m = draw.randint(2, 9), draw.randint(3, 60)
    return [
        Step("digit sum", "各桁の数字の和に", _TURN,
             ("x = sum(int(one) for one in str(x))",), lambda x: _digit_sum(x)),
        Step("backwards", "数字を逆の順に並べた数に（先頭の0は除いて）", _TURN,
             ("x = int(str(x)[::-1])",),
             lambda x: _backwards(x)),
        Step("times", f"{k}倍に", _MAKE, (f"x = x * {k}",), lambda x: _total([x] * k)),
        Step("plus", f"{m}を", ("足す", "足します"), (f"x = x + {m}",), lambda x: x - (-m)),
        Step("quotient", f"{k}で割った商（小数点以下は切り捨て）に", _TURN, (f"x = x // {k}",),
             lambda x: divmod(x, k)[0]),
        Step("halve", "偶数なら2で割り、奇数なら3倍して1を足した数に", _TURN,
             ("x = x // 2 if x % 2 == 0 else x * 3 + 1",),
             lambda x: x * 3 + 1 if x & 1 else x >> 1),
        Step("distance", f"{m}との差（大きいほうから小さいほうを引いたもの）に", _TURN,
             (f"x = abs(x - {m})",), lambda x: x - m if x > m else m - x),
        Step("square", "2乗", _MAKE, ("x = x * x",), lambda x: x**2),
    ]  # fmt: skip


def number_ends(draw: Draw) -> list[Step]:
    """Last steps from a whole number to what is returned."""
    k = draw.randint(2, 9)
    return [
        Step("number", "できた数を", _RETURN, ("return x",), lambda x: x),
        Step("divides", f"{k}で割り切れればTrueを、そうでなければFalseを", _RETURN,
             (f"return x % {k} == 0",), lambda x: not divmod(x, k)[1]),
        Step("digits", "桁数を（0は1桁として）", _RETURN, ("return len(str(x))",),
             lambda x: max(1, len([d for d in range(80) if 10**d <= x]))),
        Step("binary", "2進数で表したときの1の個数を", _RETURN, ('return bin(x).count("1")',),
             lambda x: _ones(x)),
        Step("base", f"{k}進数で表した文字列を（0は「0」として）" if k < 9 else "10進数の文字列を",
             _RETURN, _base(k), lambda x: _in_base(x, k if k < 9 else 10)),
        Step("digit list", "各桁の数字を上の位から順に並べたリストを", _RETURN,
             ("return [int(one) for one in str(x)]",),
             lambda x: [ord(one) - 48 for one in f"{x}"]),
    ]  # fmt: skip


def _base(k: int) -> tuple[str, ...]:
    if k >= 9:
        return ("return str(x)",)
    return (
        "if x == 0:", '    return "0"', 'text = ""', "while x > 0:",
        f"    text = str(x % {k}) + text", f"    x //= {k}", "return text",
    )  # fmt: skip


def _in_base(x: int, k: int) -> str:
    return (_in_base(x // k, k) if x >= k else "") + str(x % k)


def _digit_sum(x: int) -> int:
    return x % 10 + _digit_sum(x // 10) if x else 0


def _backwards(x: int) -> int:
    result = 0
    while x:
        x, digit = divmod(x, 10)
        result = result * 10 + digit
    return result


def _ones(x: int) -> int:
    return (x & 1) + _ones(x >> 1) if x else 0
