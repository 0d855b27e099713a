"""Math probes on quantities: averages, counting, ratios and percentages."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from harness.items.probes.exact import integer_problem, number_problem
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.words import GOODS


def _asked(situation: str, target: str, unit: str) -> dict[str, str]:
    """Slots of the templates that ask "TARGETは何UNITですか" after a situation."""
    return {"situation": situation, "target": target, "unit": unit}


def _average(draw: Draw, level: int) -> Problem:
    """1: of two or three whole scores. 2: of four to six. 3: of four or five, not whole. 4: one
    score from the average of all. 5: the average of two classes together."""
    if level == 5:
        n, m, a, b = 1, 2, 0, 1
        while a == b or (n * a + m * b) % (n + m):
            n, m = draw.randint(10, 35), draw.randint(10, 35)
            a, b = draw.randint(40, 90), draw.randint(40, 90)
        return integer_problem(
            _asked(
                f"1組は{n}人で平均点が{a}点、2組は{m}人で平均点が{b}点でした。",
                "2つの組を合わせた全員の平均点",
                "点",
            ),
            f"classes {sorted([(n, a), (m, b)])}",
            (n * a + m * b) // (n + m),
        )
    count = draw.choice({1: [2, 3], 2: [4, 5, 6], 3: [4, 5], 4: [4, 5, 6]}[level])
    scores = [draw.randint(40, 99) for _ in range(count)]
    while (sum(scores) % count != 0) != (level == 3):
        scores[-1] = draw.randint(40, 99)
    mean = Fraction(sum(scores), count)
    listed = "、".join(f"{score}点" for score in scores[: count - (level == 4)])
    if level < 4:
        return number_problem(
            _asked(f"{count}回のテストの点数は{listed}でした。", "平均点", "点"),
            f"mean {sorted(scores)}",
            mean,
        )
    return integer_problem(
        _asked(
            f"{count}回のテストの平均点は{mean}点で、{count - 1}回目までの点数は{listed}でした。",
            f"{count}回目の点数",
            "点",
        ),
        f"missing {sorted(scores[:-1])} {mean}",
        scores[-1],
    )


def _counting(draw: Draw, level: int) -> Problem:
    """1: whole numbers in a range. 2: multiples up to a number. 3: independent choices.
    4: committees of two groups. 5: numbers divisible by one or both of two."""
    if level == 1:
        a, b = draw.randint(1, 40), draw.randint(45, 99)
        return integer_problem(
            _asked(f"{a}以上{b}以下の整数を考えます。", "このような整数", "個"),
            f"range {a} {b}",
            b - a + 1,
        )
    if level == 2:
        n, k = draw.randint(30, 500), draw.randint(3, 12)
        return integer_problem(
            _asked(f"1から{n}までの整数を考えます。", f"{k}の倍数", "個"),
            f"multiples {n} {k}",
            n // k,
        )
    if level == 3:
        a, b, c = (draw.randint(2, 12) for _ in range(3))
        return integer_problem(
            _asked(
                f"主食が{a}種類、おかずが{b}種類、飲み物が{c}種類あり、"
                "それぞれから1種類ずつ選びます。",
                "選び方",
                "通り",
            ),
            f"product {sorted((a, b, c))}",
            a * b * c,
        )
    if level == 4:
        n, m = draw.randint(4, 10), draw.randint(4, 10)
        r, s = draw.randint(1, 3), draw.randint(1, 3)
        return integer_problem(
            _asked(
                f"1年生{n}人から{r}人、2年生{m}人から{s}人の委員を選びます。"
                "選ぶ順番は区別しません。",
                "委員の選び方",
                "通り",
            ),
            f"committee {sorted([(n, r), (m, s)])}",
            math.comb(n, r) * math.comb(m, s),
        )
    n, (a, b) = draw.randint(100, 600), sorted(draw.sample(range(3, 16), 2))
    either = n // a + n // b - n // math.lcm(a, b)
    both = n // math.lcm(a, b)
    target, value = draw.choice(
        [
            (f"{a}または{b}で割り切れる数", either),
            (f"{a}でも{b}でも割り切れない数", n - either),
            (f"{a}では割り切れるが{b}では割り切れない数", n // a - both),
        ]
    )
    return integer_problem(
        _asked(f"1から{n}までの整数を考えます。", target, "個"), f"divisible {n} {a} {b}", value
    )


def _ratio(draw: Draw, level: int) -> Problem:
    return draw.choice(_RATIOS[level])(draw)


def _part(draw: Draw) -> Problem:
    percent, unit = 5 * draw.randint(1, 19), draw.choice(["円", "g", "m", "L"])
    whole = 20 * draw.randint(2, 60)
    return integer_problem(
        _asked("", f"{whole}{unit}の{percent}%", unit),
        f"part {whole} {percent}",
        whole * percent // 100,
    )


def _discount(draw: Draw) -> Problem:
    good, price, tenths = draw.entity(list(GOODS)), 10 * draw.randint(10, 120), draw.randint(1, 6)
    off = draw.choice([f"{tenths}割引き", f"{tenths * 10}%引き"])
    return integer_problem(
        _asked(f"定価{price}円の{good}のセットを{off}で買います。", "代金", "円"),
        f"off {price} {tenths}",
        price * (10 - tenths) // 10,
    )


def _increase(draw: Draw) -> Problem:
    before, percent = 20 * draw.randint(5, 100), 5 * draw.randint(1, 12)
    return integer_problem(
        _asked(
            f"ある図書館の先月の利用者は{before}人で、今月は先月より{percent}%増えました。",
            "今月の利用者の数",
            "人",
        ),
        f"increase {before} {percent}",
        before * (100 + percent) // 100,
    )


def _share_of(draw: Draw) -> Problem:
    whole, percent = 20 * draw.randint(2, 30), 5 * draw.randint(1, 19)
    return integer_problem(
        _asked(
            f"{whole}人の生徒のうち、{whole * percent // 100}人が自転車で通っています。",
            "自転車で通う生徒の割合",
            "%",
        ),
        f"share {whole} {percent}",
        percent,
    )


def _whole_from_part(draw: Draw) -> Problem:
    whole, percent = 20 * draw.randint(3, 60), 5 * draw.randint(1, 19)
    return integer_problem(
        _asked(
            f"ある本を{whole * percent // 100}ページ読みました。"
            f"これは本全体の{percent}%にあたります。",
            "本全体のページ数",
            "ページ",
        ),
        f"whole {whole} {percent}",
        whole,
    )


# Ratios of small whole numbers in lowest terms, 1:1 left out.
_RATIO_PAIRS = [
    (a, b) for a in range(1, 10) for b in range(1, 10) if a != b and math.gcd(a, b) == 1
]


def _split(draw: Draw) -> Problem:
    (a, b), part = draw.choice(_RATIO_PAIRS), 10 * draw.randint(3, 40)
    return integer_problem(
        _asked(
            f"{part * (a + b)}円を、兄と弟で{a}:{b}の比になるように分けます。",
            "兄がもらう金額",
            "円",
        ),
        f"split {part} {sorted((a, b))}",
        part * a,
    )


def _twice_off(draw: Draw) -> Problem:
    good, price = draw.entity(list(GOODS)), 100 * draw.randint(5, 80)
    first, second = draw.randint(1, 5), draw.randint(1, 4)
    return integer_problem(
        _asked(
            f"定価{price}円の{good}のセットが{first}割引きになり、"
            f"その値段からさらに{second}割引きになりました。",
            "最後の値段",
            "円",
        ),
        f"twice {price} {sorted((first, second))}",
        price * (10 - first) * (10 - second) // 100,
    )


def _profit(draw: Draw) -> Problem:
    cost, up, off = 100 * draw.randint(5, 60), draw.randint(3, 6), draw.randint(1, 2)
    return integer_problem(
        _asked(
            f"原価{cost}円の品物に{up}割の利益を見込んで定価を付け、"
            f"定価の{off}割引きで売りました。",
            "利益",
            "円",
        ),
        f"profit {cost} {up} {off}",
        cost * (10 + up) * (10 - off) // 100 - cost,
    )


def _brine(draw: Draw) -> Problem:
    a, b, x, y = 1, 1, 100, 100
    # The mixture's strength has at most one decimal place.
    while a == b or (a * x + b * y) * 10 % (x + y):
        a, b = draw.randint(2, 20), draw.randint(2, 20)
        x, y = 50 * draw.randint(2, 12), 50 * draw.randint(2, 12)
    return number_problem(
        _asked(f"{a}%の食塩水{x}gと{b}%の食塩水{y}gを混ぜました。", "できた食塩水の濃さ", "%"),
        f"brine {sorted([(a, x), (b, y)])}",
        Fraction(a * x + b * y, x + y),
    )


def _chain_split(draw: Draw) -> Problem:
    """a:b and b':c with b and b' different, so that the ratios must be joined first."""
    (a, b), (d, c) = draw.choices(_RATIO_PAIRS, k=2)
    while b == d:
        d, c = draw.choice(_RATIO_PAIRS)
    parts = [a * d, b * d, b * c]
    shared = math.gcd(*parts)
    parts = [part // shared for part in parts]
    part = 10 * draw.randint(1, 12)
    return integer_problem(
        _asked(
            f"A、B、Cの3人で{part * sum(parts)}円を分けます。"
            f"AとBの金額の比は{a}:{b}、BとCの金額の比は{d}:{c}です。",
            "Cの金額",
            "円",
        ),
        f"chain {parts} {part}",
        part * parts[2],
    )


_RATIOS: dict[int, tuple[Callable[[Draw], Problem], ...]] = {
    1: (_part,),
    2: (_discount, _increase),
    3: (_share_of, _whole_from_part, _split),
    4: (_twice_off, _profit),
    5: (_brine, _chain_split),
}

QUANTITIES: tuple[Family, ...] = (
    Family(
        "math/average",
        1,
        (
            "{situation}{target}は何{unit}ですか。数字だけを書いてください。",
            "{situation}{target}を計算し、「{unit}」を付けずに数字だけで答えてください。",
            "次の問題の答えを数字だけで書きなさい。\n{situation}{target}は何{unit}か。",
            "{situation}このとき、{target}は何{unit}になりますか。答えの数字だけを返してください。",
            "問題: {situation}{target}を求めよ。\n答え（単位なし、数字のみ）:",
            "成績を調べています。{situation}{target}を数字だけで教えてください。",
            "{situation}さて、{target}は何{unit}でしょう。式は書かず、数字だけ書いてください。",
            "{situation}\n{target}だけを半角数字で書いてください。単位は不要です。",
            "テストの記録があります。{situation}{target}がいくつになるか、数字だけを出力してください。",
        ),
        _average,
    ),
    Family(
        "math/counting",
        1,
        (
            "{situation}{target}は全部で何{unit}ですか。数字だけを書いてください。",
            "{situation}{target}は何{unit}ありますか。単位を付けず、数字だけで答えてください。",
            "数え上げの問題です。{situation}{target}は何{unit}になりますか。答えは数字のみ。",
            "次の問いに数字だけで答えなさい。\n{situation}{target}は何{unit}か。",
            "{situation}{target}が何{unit}あるかを求め、数字だけを返してください。",
            "問題: {situation}{target}は何{unit}？\n答え（数字のみ）:",
            "{situation}では、{target}は合わせて何{unit}でしょうか。数字以外は書かないでください。",
            "{situation}{target}を数え、「{unit}」を付けずに半角数字だけで書いてください。",
            "もれなく数えてください。{situation}{target}は何{unit}ですか。結果の数字だけ書くこと。",
        ),
        _counting,
    ),
    Family(
        "math/ratio",
        1,
        (
            "{situation}{target}は何{unit}ですか。数字だけを書いてください。",
            "{situation}{target}を求め、「{unit}」を付けずに数字だけで答えてください。",
            "割合の問題です。{situation}{target}は何{unit}になりますか。答えは数字のみ。",
            "次の問題を解き、答えの数字だけを書きなさい。\n{situation}{target}は何{unit}か。",
            "問題: {situation}{target}は何{unit}？\n答え（単位なし、数字のみ）:",
            "{situation}{target}が何{unit}になるかを計算し、数字だけを返してください。",
            "{situation}それでは、{target}は何{unit}でしょうか。説明を省き、数字だけを書いてください。",
            "{situation}{target}（単位は{unit}）を半角数字だけで答えてください。",
            "計算を手伝ってください。{situation}{target}は何{unit}ですか。数字だけ教えてください。",
        ),
        _ratio,
    ),
)
