"""Three tasks of the evalset `jaster-ja`: layout, golds that obey their rules, and golds of
math_steps and table_lookup worked out anew from the text that a model sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

import pytest

from harness.items.jaster import Found, read_directory, require_sound
from harness.items.jaster_file import Sample
from harness.items.load import find_home
from harness.protocols.jaster_suite import gold_notes

NAMES = ("entity_polarity", "math_steps", "table_lookup")
READ = {one.name: one for one in read_directory(find_home("jaster-ja"), NAMES).found}


def samples(name: str) -> list[Sample]:
    found = READ[name]
    assert found.asked is not None
    assert found.train is not None
    return [*found.asked.samples, *found.train.samples]


@pytest.mark.parametrize("name", NAMES)
def test_layout(name: str) -> None:
    found: Found = READ[name]
    require_sound(read_directory(find_home("jaster-ja"), [name]))
    assert found.asked is not None
    assert found.train is not None
    assert len(found.asked.samples) >= 40
    assert len(found.train.samples) >= 8
    assert len({one.input for one in samples(name)}) == len(samples(name))
    assert len({one.output for one in found.train.samples[:4]}) > 1
    assert found.asked.instruction == found.train.instruction
    assert found.asked.format == found.train.format
    assert gold_notes(found) == []
    longest = max(len(text) for one in samples(name) for text in (one.output, *one.accept))
    assert found.asked.output_length == 16 * -(-(8 + 3 * longest) // 16)


def test_targets_of_entity_polarity_stand_in_the_text() -> None:
    both = set()
    for one in samples("entity_polarity"):
        targets = [line.split(" ") for line in one.output.split("\n")]
        for target, polarity in targets:
            assert target in one.input, one
            both.add(polarity)
        assert len({target for target, _ in targets}) == len(targets)
    assert both == {"肯定", "否定"}


# A pattern for each template of math_steps, and its answer from the numbers in their order.
Solver = Callable[..., Fraction | int]
MATH: tuple[tuple[str, Solver], ...] = (
    (r"1.{1}#円の\D+を#.と、1.{1}#円の\D+を#.買い、#円を出しました。おつり",
     lambda a, m, b, n, paid: paid - (a * m + b * n)),
    (r"時速#kmで走る自動車が、休まずに#時間#分走り",
     lambda speed, hours, minutes: speed * (hours + Fraction(minutes, 60))),
    (r"は今#歳で、\D*お母さんは#歳です。\D*ちょうど#倍になる",
     lambda child, mother, k: next(x for x in range(99) if mother + x == k * (child + x))),
    (r"定価#円の商品が#割引きで売られています。さらに#円引き",
     lambda price, tenths, off: price - Fraction(price * tenths, 10) - off),
    (r"1クラス#人の学級が#クラス\D*全部で#人が欠席し、出席した人を#人ずつの班",
     lambda size, count, absent, group: Fraction(size * count - absent, group)),
    (r"1分間に#Lの水が出る管と1分間に#Lの水が出る管の両方を使って#分間\D*#Lをくみ出し",
     lambda a, b, minutes, out: a * minutes + b * minutes - out),
    (r"#枚の色紙を、姉と妹で#対#の割合\D*妹の分は何枚",
     lambda total, a, b: Fraction(total * b, a + b)),
    (r"去年借りられた辞典は#冊\D*#%増え、そのうち#冊がまだ返されて",
     lambda before, percent, out: before + Fraction(before * percent, 100) - out),
    (r"の#回のテストの平均点は#点\D*、#回の平均点は#点になりました。#回目",
     lambda k, mean, more, new, last: more * new - k * mean if more == last == k + 1 else -1),
    (r"1列に#席ずつの座席が#列\D*前の#列は来賓\D*座っていない席が#席",
     lambda per, rows, front, empty: per * rows - per * front - empty),
    (r"鶴と亀が合わせて#匹いて、足の数は全部で#本です。亀は",
     lambda heads, legs: next(t for t in range(heads + 1) if 4 * t + 2 * (heads - t) == legs)),
    (r"端から端まで#mおきに木が植えてあり、両端にも\D*道の長さが#m",
     lambda gap, length: len(range(0, length + 1, gap))),
    (r"一人ですると#日、もう一人がすると#日かかり",
     lambda a, b: 1 / (Fraction(1, a) + Fraction(1, b))),
    (r"午前#時#分に家を出て、駅まで#分歩き、電車を#分待ち、電車に#分乗って.*待ち時間を除いて",
     lambda hour, minute, walk, wait, ride: walk + ride),
    (r"みかんのうち#個を近所の家にあげ、残りを#人の子どもに#個ずつ配ったところ、#個余り",
     lambda given, children, each, left: given + children * each + left),
    (r"縦#cm、横#cm、高さ#cmの直方体の箱に、1辺10cmの\D*この箱が#個",
     lambda a, b, c, boxes: Fraction(a * b * c, 1000) * boxes),
)  # fmt: skip


def test_golds_of_math_steps() -> None:
    used = set()
    for one in samples("math_steps"):
        solved = []
        for pattern, solve in MATH:
            found = re.search(pattern.replace("#", "([0-9]+)"), one.input)
            if found:
                solved.append(solve(*map(int, found.groups())))
                used.add(pattern)
        assert [Fraction(answer) for answer in solved] == [Fraction(one.output)], one
        assert Fraction(one.output) > 0
    assert len(used) == len(MATH)


def solve_table(text: str) -> str:
    """The answer to a question about a table, from the text alone."""
    table, _, question = text.partition("\n質問：")
    lines = [line.split(" | ") for line in table.split("\n") if " | " in line]
    head, rows = lines[0], lines[1:]

    def number(cell: str) -> int:
        return int(re.sub(r"[^0-9-]", "", cell))

    def minutes(cell: str) -> int:
        hour, minute = map(int, re.findall(r"[0-9]+", cell))
        return 60 * hour + minute

    if found := re.match(r"(.+)が(.+)に着く時刻は", question):
        row = next(row for row in rows if row[0] == found[1])
        return row[head.index(found[2])]
    if found := re.match(r"(.+)から(.+)で待つとき、最初に乗れる便", question):
        column = head.index(found[2])
        later = [row for row in rows if minutes(row[column]) >= minutes(found[1])]
        return min(later, key=lambda row: minutes(row[column]))[0]
    if found := re.match(r"(.+)が最も(安い|高い)店は", question):
        row = next(row for row in rows if row[0] == found[1])
        costs = [number(cell) for cell in row[1:]]
        assert len(set(costs)) == len(costs)
        best = min(costs) if found[2] == "安い" else max(costs)
        return head[1 + costs.index(best)]
    if found := re.match(r"(.+)の(.+)の値段は", question):
        row = next(row for row in rows if row[0] == found[2])
        return row[head.index(found[1])]
    superlatives = {
        "最高気温が最も高い": ("最高気温", max),
        "最も新しい本": ("発行年", max),
        "ページ数が最も少ない": ("ページ数", min),
    }
    for words, (name, choose) in superlatives.items():
        if question.startswith(words):
            column = head.index(name)
            values = [number(row[column]) for row in rows]
            row = rows[values.index(choose(values))]
            assert values.count(choose(values)) == 1
            return row[1 if "発行年は" in question else 0]
    for pattern, key, wanted in CELLS:
        if found := re.match(pattern, question):
            (row,) = (row for row in rows if row[head.index(key)] == found[1])
            return row[head.index(wanted)]
    raise AssertionError(question)


# A pattern that catches the cell which names the row, the column of that cell, and the wanted one.
CELLS = (
    (r"(.+)さんの部は何", "名前", "部"),
    (r"(.+)の部員の名前は", "部", "名前"),
    (r"(.+)の部員の当番の日は", "部", "当番の日"),
    (r"(.+)の最高気温は", "都市", "最高気温"),
    (r"最高気温が(.+)の都市の天気は", "最高気温", "天気"),
    (r"(.+)までの子どもの運賃は", "行き先", "子ども"),
    (r"(.+)で着く駅は", "所要時間", "行き先"),
    (r"大人の運賃が(.+)の駅までの所要時間は", "大人", "所要時間"),
    (r"『(.+)』はどの棚", "書名", "置き場所"),
    (r"(.+)にある本のページ数は", "置き場所", "ページ数"),
)


def test_golds_of_table_lookup() -> None:
    for one in samples("table_lookup"):
        assert solve_table(one.input) == one.output, one
