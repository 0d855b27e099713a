"""Math probes told as stories: shopping, sharing, journeys, tanks and ages."""

from __future__ import annotations

from collections.abc import Callable

from harness.items.probes.exact import integer_problem
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.words import GOODS, PEOPLE


def _told(situation: str, target: str, unit: str, content: str, answer: int) -> Problem:
    return integer_problem(
        {"situation": situation, "target": target, "unit": unit}, content, answer
    )


def _person(draw: Draw) -> str:
    return f"{draw.entity(PEOPLE)}さん"


def _good(draw: Draw) -> tuple[str, str]:
    """A thing and its counter."""
    good = draw.entity(list(GOODS))
    return good, GOODS[good]


# Level 1: one step.


def _buy(draw: Draw) -> Problem:
    (good, counter), price, count = _good(draw), 10 * draw.randint(3, 30), draw.randint(2, 9)
    return _told(
        f"{_person(draw)}は1{counter}{price}円の{good}を{count}{counter}買いました。",
        "代金",
        "円",
        f"buy {price} {count}",
        price * count,
    )


def _give(draw: Draw) -> Problem:
    (good, counter), had = _good(draw), draw.randint(12, 99)
    given = draw.randint(3, had - 2)
    return _told(
        f"{_person(draw)}は{good}を{had}{counter}持っていました。"
        f"そのうち{given}{counter}を友だちにあげました。",
        f"残った{good}",
        counter,
        f"give {had} {given}",
        had - given,
    )


def _share(draw: Draw) -> Problem:
    (good, counter), people, each = _good(draw), draw.randint(2, 12), draw.randint(3, 20)
    return _told(
        f"{good}が{people * each}{counter}あります。{people}人で同じ数ずつ分けます。",
        f"1人がもらう{good}",
        counter,
        f"share {people} {each}",
        each,
    )


# Level 2: two steps.


def _buy_two_kinds(draw: Draw) -> Problem:
    first, second = draw.entities(list(GOODS), 2)
    p, q = 10 * draw.randint(3, 30), 10 * draw.randint(3, 30)
    n, m = draw.randint(2, 9), draw.randint(2, 9)
    c, d = GOODS[first], GOODS[second]
    return _told(
        f"{_person(draw)}は1{c}{p}円の{first}を{n}{c}と、1{d}{q}円の{second}を{m}{d}買いました。",
        "代金の合計",
        "円",
        f"buy {sorted([(p, n), (q, m)])}",
        p * n + q * m,
    )


def _change(draw: Draw) -> Problem:
    (good, counter), price, count = _good(draw), 10 * draw.randint(3, 30), draw.randint(2, 9)
    paid = 1000 if price * count < 1000 else 5000
    return _told(
        f"{_person(draw)}は1{counter}{price}円の{good}を{count}{counter}買い、"
        f"{paid}円札を1枚出しました。",
        "おつり",
        "円",
        f"change {price} {count}",
        paid - price * count,
    )


def _hand_out(draw: Draw) -> Problem:
    (good, counter), people, each = _good(draw), draw.randint(3, 30), draw.randint(2, 9)
    left = draw.randint(1, 20)
    return _told(
        f"{good}が{people * each + left}{counter}あります。{people}人の子どもに"
        f"{each}{counter}ずつ配りました。",
        f"残った{good}",
        counter,
        f"hand out {people} {each} {left}",
        left,
    )


# Level 3: three steps, or two that must be found.


def _two_legs(draw: Draw) -> Problem:
    v, w = (5 * speed for speed in draw.sample(range(8, 25), 2))
    t, u = draw.randint(2, 6), draw.randint(2, 6)
    return _told(
        f"電車が時速{v}kmで{t}時間走り、そのあと時速{w}kmで{u}時間走りました。",
        "電車が走った道のりの合計",
        "km",
        f"legs {sorted([(v, t), (w, u)])}",
        v * t + w * u,
    )


def _sum_and_difference(draw: Draw) -> Problem:
    good, counter = _good(draw)
    older, younger = (f"{name}さん" for name in draw.entities(PEOPLE, 2))
    less, more = draw.randint(5, 80), draw.randint(2, 30)
    asked_for_more = draw.random() < 0.5
    return _told(
        f"{older}と{younger}は、合わせて{2 * less + more}{counter}の{good}を持っています。"
        f"{older}は{younger}より{more}{counter}多く持っています。",
        f"{older if asked_for_more else younger}が持っている{good}",
        counter,
        f"sum {2 * less + more} difference {more}",
        less + more if asked_for_more else less,
    )


def _set_and_coupon(draw: Draw) -> Problem:
    (good, counter), price, count = _good(draw), 10 * draw.randint(8, 30), draw.randint(3, 9)
    off, paid = 10 * draw.randint(2, 12), 1000 * draw.randint(3, 5)
    return _told(
        f"{_person(draw)}は1{counter}{price}円の{good}を{count}{counter}買いました。"
        f"割引券で合計から{off}円引いてもらい、{paid}円を出しました。",
        "おつり",
        "円",
        f"coupon {price} {count} {off} {paid}",
        paid - (price * count - off),
    )


# Level 4: two unknowns, or relative speed.


def _two_kinds(draw: Draw) -> Problem:
    """Tsurukame: two kinds of one counter at two prices; count and total are given."""
    counter = draw.choice(["個", "本", "枚"])
    first, second = draw.entities([good for good in GOODS if GOODS[good] == counter], 2)
    p = 10 * draw.randint(4, 15)
    q = p + 10 * draw.randint(1, 15)
    n, m = draw.randint(2, 15), draw.randint(2, 15)
    return _told(
        f"1{counter}{p}円の{first}と1{counter}{q}円の{second}を、合わせて{n + m}{counter}"
        f"買ったところ、代金は{p * n + q * m}円でした。",
        f"買った{second}",
        counter,
        f"kinds {p} {n} {q} {m}",
        m,
    )


def _meet(draw: Draw) -> Problem:
    a, b = (f"{name}さん" for name in draw.entities(PEOPLE, 2))
    v, w, minutes = 5 * draw.randint(10, 18), 5 * draw.randint(10, 18), draw.randint(4, 30)
    return _told(
        f"{(v + w) * minutes}m離れた2つの地点から、{a}は分速{v}m、{b}は分速{w}mで、"
        "向かい合って同時に歩き始めました。",
        "2人が出会うまでの時間",
        "分",
        f"meet {sorted((v, w))} {minutes}",
        minutes,
    )


def _catch_up(draw: Draw) -> Problem:
    name = _person(draw)
    factor, minutes, slow = draw.randint(2, 4), draw.randint(3, 15), 5 * draw.randint(10, 16)
    # fast * minutes = slow * (head + minutes), with fast = factor * slow
    head = (factor - 1) * minutes
    return _told(
        f"{name}は分速{slow}mで家を出ました。その{head}分後に、兄が分速{slow * factor}mで"
        "同じ道を追いかけました。",
        "兄が家を出てから追いつくまでの時間",
        "分",
        f"catch {slow} {factor} {minutes}",
        minutes,
    )


# Level 5: conditions that must be turned into equations.


def _surplus(draw: Draw) -> Problem:
    (good, counter), people = _good(draw), draw.randint(6, 40)
    few = draw.randint(2, 9)
    many = few + draw.randint(1, 4)
    left = draw.randint(1, (many - few) * people - 1)
    short = (many - few) * people - left
    return _told(
        f"用意した{good}を子どもたちに配ります。1人に{few}{counter}ずつ配ると{left}{counter}余り、"
        f"1人に{many}{counter}ずつ配ると{short}{counter}足りません。",
        f"用意した{good}",
        counter,
        f"surplus {few} {many} {people} {left}",
        few * people + left,
    )


def _bridge(draw: Draw) -> Problem:
    metres, seconds = 5 * draw.randint(2, 7), draw.randint(12, 60)
    train = 20 * draw.randint(3, 10)
    while train >= metres * seconds:
        seconds += 10
    return _told(
        f"長さ{train}mの電車が時速{metres * 36 // 10}kmで走っています。"
        f"この電車が長さ{metres * seconds - train}mの橋を渡り始めてから渡り終わるまでの時間を"
        "考えます。",
        "その時間",
        "秒",
        f"bridge {train} {metres} {seconds}",
        seconds,
    )


def _ages(draw: Draw) -> Problem:
    name = _person(draw)
    child, years, times = draw.randint(3, 14), draw.randint(2, 15), draw.choice([2, 3])
    parent = times * (child + years) - years
    while parent - child < 20 or parent - child > 45:
        child, years = draw.randint(3, 14), draw.randint(2, 15)
        parent = times * (child + years) - years
    return _told(
        f"今、{name}は{child}歳、{name}のお母さんは{parent}歳です。"
        f"何年か後に、お母さんの年齢が{name}の年齢のちょうど{times}倍になります。",
        "今からそれまでの年数",
        "年",
        f"ages {parent} {child} {times}",
        years,
    )


def _tank(draw: Draw) -> Problem:
    fill, drain, alone = draw.randint(8, 40), draw.randint(2, 7), draw.randint(3, 15)
    together = draw.randint(4, 30)
    return _told(
        f"空の水そうに毎分{fill}Lの水を入れ始め、{alone}分後からは底の栓を開けて"
        f"毎分{drain}Lの水を抜きながら入れ続けると、"
        f"容積{fill * alone + (fill - drain) * together}Lの水そうがいっぱいになりました。",
        "水を入れ始めてからいっぱいになるまでの時間",
        "分",
        f"tank {fill} {drain} {alone} {together}",
        alone + together,
    )


_STORIES: dict[int, tuple[Callable[[Draw], Problem], ...]] = {
    1: (_buy, _give, _share),
    2: (_buy_two_kinds, _change, _hand_out),
    3: (_two_legs, _sum_and_difference, _set_and_coupon),
    4: (_two_kinds, _meet, _catch_up),
    5: (_surplus, _bridge, _ages, _tank),
}


def _story(draw: Draw, level: int) -> Problem:
    return draw.choice(_STORIES[level])(draw)


STORIES: tuple[Family, ...] = (
    Family(
        "math/word_problem",
        1,
        (
            "{situation}{target}は何{unit}ですか。答えは数字だけを書いてください。",
            "次の問題を解いてください。\n{situation}{target}は何{unit}でしょうか。\n"
            "数字だけを出力してください。",
            "問題: {situation}{target}は何{unit}？\n答え（数字のみ、単位なし）:",
            "{situation}では、{target}は何{unit}になりますか。"
            "途中の式は書かず、答えの数字だけを書いてください。",
            "{situation}{target}が何{unit}かを計算し、半角数字だけで答えてください。",
            "算数の問題です。{situation}{target}は何{unit}ですか。"
            "「{unit}」は付けないで、数字だけ書いてください。",
            "文章題を1問出します。{situation}{target}は何{unit}ですか。説明は要りません。"
            "数字だけを返してください。",
            "{situation}このとき、{target}は何{unit}か。解答には数字だけを書くこと。",
            "宿題を手伝ってください。{situation}{target}は何{unit}になりますか。"
            "単位を付けずに、数字だけ教えてください。",
        ),
        _story,
    ),
)
