"""Extraction probes on tables: look up a cell, list the rows that meet a condition."""

from __future__ import annotations

from dataclasses import dataclass

from harness.items.probes.extraction_fields import FIELDS, full_names
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import CITIES, COMPANIES, DEPARTMENTS, GOODS, LETTERS, SURNAMES
from harness.items.schema import FormatRule

Rows = list[dict[str, str]]


def table(rows: Rows, style: int) -> str:
    """The rows as text with a heading line, in one of six styles."""
    header = list(rows[0])
    lines = [header, *([row[key] for key in header] for row in rows)]
    if style == 1:
        lines.insert(1, ["---"] * len(header))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    separator = {0: ",", 2: "\t", 3: "｜", 4: " / ", 5: "　"}[style]
    return "\n".join(separator.join(line) for line in lines)


def _rows_key(rows: Rows) -> str:
    """Rows as text that depends on the order of neither rows nor columns."""
    return "|".join(sorted(";".join(f"{k}={v}" for k, v in sorted(row.items())) for row in rows))


GOODS_COLUMNS = {
    "値段": (80, 980),
    "在庫": (3, 79),
    "棚番号": (1001, 2000),
    "注文数": (2001, 3000),
}


COMPARABLE = ("値段", "在庫", "注文数", "年齢", "身長")


def _cell(draw: Draw, level: int) -> Problem:
    count, columns = ((2, 1), (3, 2), (5, 3), (6, 4), (7, 4))[level - 1]
    if draw.random() < 0.5 or level == 1:
        key = "品名"
        names = draw.entities(tuple(GOODS), count)
        headings = draw.sample(list(GOODS_COLUMNS), min(columns, 3))
        values = {
            heading: [str(v) for v in draw.sample(range(*GOODS_COLUMNS[heading]), count)]
            for heading in headings
        }
        if columns == 4:
            headings.append("産地")
            values["産地"] = draw.entities(CITIES, count)
    else:
        key = "氏名"
        names = full_names(draw, count)
        headings = draw.sample([heading for heading in FIELDS if "番号" not in heading], columns)
        values = {heading: FIELDS[heading](draw, count) for heading in headings}
    rows = [
        {key: name, **{heading: values[heading][row] for heading in headings}}
        for row, name in enumerate(names)
    ]
    row, target = draw.randrange(count), draw.choice(headings)
    asked = f"{names[row]}の{target}"
    if level >= 4:  # by another column than the name
        given = draw.choice([heading for heading in headings if heading != target])
        target = draw.choice([key, target])
        asked = f"{given}が{values[given][row]}の行の{target}"
    if level == 5:
        numeric = [heading for heading in headings if heading in COMPARABLE]
        if numeric and draw.random() < 0.7:
            given = draw.choice(numeric)
            target = draw.choice([heading for heading in (key, *headings) if heading != given])
            best = draw.choice((max, min))
            row = best(range(count), key=lambda index: int(values[given][index]))
            asked = f"{given}の値が最も{'大きい' if best is max else '小さい'}行の{target}"
    style = draw.choice((0, 3)) if level == 1 else draw.randrange(6)
    return Problem(
        slots={"table": table(rows, style), "asked": asked},
        content=f"table-cell|{_rows_key(rows)}|{asked}",
        answer=rows[row][target],
        format=FormatRule(kind="span", max_chars=20, verbatim=True),
        metric="exact",
    )


TABLE_CELL = Family(
    name="extraction/table-cell",
    version=1,
    templates=(
        "{table}\n{asked}だけを書き抜いてください。",
        "{table}\n\n{asked}は何ですか。表の値だけを答えてください。",
        "次の表から{asked}を探し、その値だけを答えてください。\n{table}",
        "{asked}を答えてください。値だけを書くこと。\n\n{table}",
        "【表】\n{table}\n【問い】{asked}\n【答え方】表の中の値をそのまま一つ",
        "{table}\n\n表を見て、{asked}を抜き出してください。説明は不要です。",
        "担当者から一覧を受け取りました。\n{table}\n{asked}を、書かれているとおりに返してください。",
        "{table}\n{asked}＝？（値のみ）",
        "{table}\n\n上の一覧で{asked}に当たる欄を読み、その中身だけを出力してください。",
    ),
    problem=_cell,
)


@dataclass(frozen=True)
class Condition:
    """A condition on a row: in words, and as a predicate over the row's cells."""

    words: str
    column: str
    low: int | None = None
    high: int | None = None
    equal: str | None = None
    negated: bool = False

    def met(self, row: dict[str, str]) -> bool:
        value = row[self.column]
        if self.equal is not None:
            return (value == self.equal) is not self.negated
        assert self.low is not None or self.high is not None
        above = self.low is None or int(value) >= self.low
        return above and (self.high is None or int(value) <= self.high)


def number_condition(draw: Draw, column: str, values: list[int], unit: str) -> Condition:
    """A bound on a numeric column that lies within its values."""
    bound = draw.choice(values)
    if draw.random() < 0.5:
        return Condition(f"{column}が{bound}{unit}以上", column, low=bound)
    return Condition(f"{column}が{bound}{unit}以下", column, high=bound)


def _rows(draw: Draw, level: int) -> Problem:
    count = (3, 4, 6, 8, 8)[level - 1]
    while True:
        key, unit = "名前", "点"
        if level == 1:
            names = draw.sample(LETTERS, count)
            rows: Rows = [
                {"名前": name, "点数": str(value)}
                for name, value in zip(names, draw.sample(range(1, 100), count), strict=True)
            ]
            number, word = "点数", None
        elif draw.random() < 0.5:
            key, number, word, unit = "氏名", "年齢", "部署", "歳"
            names = full_names(draw, count)
            groups = draw.entities(DEPARTMENTS, 3)
            ages = draw.sample(range(20, 66), count)
            rows = [
                {"氏名": name, "部署": draw.choice(groups), "年齢": str(age)}
                for name, age in zip(names, ages, strict=True)
            ]
        else:
            key, number, word, unit = "品名", "値段", "仕入先", "円"
            names = draw.entities(tuple(GOODS), count)
            groups = draw.entities(COMPANIES, 3)
            prices = draw.sample(range(80, 990, 10), count)
            rows = [
                {"品名": name, "仕入先": draw.choice(groups), "値段": str(price)}
                for name, price in zip(names, prices, strict=True)
            ]
        draw.shuffle(rows)
        values = [int(row[number]) for row in rows]
        conditions = []
        if level != 3 or word is None:
            conditions.append(number_condition(draw, number, values, unit))
        if word is not None and level >= 3:
            group = draw.choice(groups)
            negated = level == 5 and draw.random() < 0.5
            words = f"{word}が{group}{'以外' if negated else ''}"
            conditions.append(Condition(words, word, equal=group, negated=negated))
        chosen = [row for row in rows if all(condition.met(row) for condition in conditions)]
        if len(conditions) == 2 and any(
            sum(condition.met(row) for row in rows) == len(chosen) for condition in conditions
        ):
            continue  # one of the two conditions would do
        if (2 if level == 5 else 1) <= len(chosen) < count:
            break
    order = "表の上から順に"
    if level == 5:
        falling = draw.random() < 0.5
        chosen.sort(key=lambda row: int(row[number]), reverse=falling)
        order = f"{number}の{'高い' if falling else '安い' if number == '値段' else '低い'}順に"
    style = draw.choice((0, 3)) if level == 1 else draw.randrange(6)
    whose = "商品" if key == "品名" else "人"
    asked = f"{'で、'.join(condition.words for condition in conditions)}の{whose}の{key}"
    return Problem(
        slots={"table": table(rows, style), "asked": asked, "order": order},
        content="|".join(
            ("table-rows", ">".join(row[key] for row in rows), _rows_key(rows), asked, order)
        ),
        answer="\n".join(row[key] for row in chosen),
        format=FormatRule(kind="lines"),
        metric="exact",
    )


TABLE_ROWS = Family(
    name="extraction/table-rows",
    version=1,
    templates=(
        "{table}\n{asked}を{order}一行に一つずつ書いてください。",
        "{table}\n\n{asked}をすべて、{order}一行に一つ挙げてください。記号は付けません。",
        "次の表から{asked}をすべて選び、{order}一行に一つずつ書いてください。\n{table}",
        "{asked}だけを、{order}一行一つで答えてください。\n\n{table}",
        "【表】\n{table}\n【問い】{asked}をすべて\n【答え方】{order}、一行に一つ。ほかは書かない",
        "{table}\n\n表の中で{asked}を全部、{order}改行で区切って答えてください。",
        "一覧表です。\n{table}\n{asked}を抜き出し、{order}一つにつき一行で出力すること。",
        "{table}\n抽出条件：{asked}\n出力：{order}一行一件、番号や記号なし",
        "{table}\n\n必要なのは{asked}です。漏れなく{order}、一行に一つ返してください。",
    ),
    problem=_rows,
)


def _people(draw: Draw, level: int) -> Problem:
    count = (3, 4, 5, 6, 8)[level - 1]
    while True:
        names = draw.sample(LETTERS, count) if level == 1 else draw.entities(SURNAMES, count)
        ages = draw.sample(range(1, 30) if level == 1 else range(20, 80), count)
        label, pool = draw.choice((("出身", CITIES), ("部署", DEPARTMENTS), ("勤務先", COMPANIES)))
        groups = draw.entities(pool, 2 if level <= 3 else 3)
        rows = [
            {"名前": name, "年齢": str(age), label: draw.choice(groups)}
            for name, age in zip(names, ages, strict=True)
        ]
        by_age = number_condition(draw, "年齢", ages, "歳")
        group = draw.choice(groups)
        negated = level == 5 and draw.random() < 0.5
        words = f"{label}が{group}{'以外' if negated else ''}"
        by_group = Condition(words, label, equal=group, negated=negated)
        conditions = [by_age] if level == 1 else [draw.choice((by_age, by_group))]
        if level >= 4:
            conditions = [by_group, by_age]
        chosen = [row for row in rows if all(condition.met(row) for condition in conditions)]
        if len(conditions) == 2 and any(
            sum(condition.met(row) for row in rows) == len(chosen) for condition in conditions
        ):
            continue
        if 1 <= len(chosen) < count:
            break
    sentences = []
    before: dict[str, str] = {}  # group -> the last person told to be of it
    for row in rows:
        name, age, place = row["名前"], row["年齢"], row[label]
        if level == 1:
            sentences.append(f"{name}は{age}歳。")
            continue
        if level >= 4 and place in before and draw.random() < 0.5:
            same = f"{name}さんは{before[place]}さんと{label}が同じで、{age}歳です。"
            sentences.append(same)
        else:
            texts = {
                "出身": (
                    f"{name}さんは{place}の出身で、{age}歳です。",
                    f"{place}で生まれ育った{name}さんは、今{age}歳です。",
                    f"{name}さん（{age}歳）の出身は{place}です。",
                ),
                "部署": (
                    f"{name}さんは{place}に所属する{age}歳です。",
                    f"{place}の{name}さんは{age}歳です。",
                    f"{name}さん（{age}歳）の部署は{place}です。",
                ),
                "勤務先": (
                    f"{name}さんは{place}に勤める{age}歳です。",
                    f"{place}で働く{name}さんは{age}歳です。",
                    f"{name}さん（{age}歳）の勤務先は{place}です。",
                ),
            }[label]
            sentences.append(draw.choice(texts))
        before[place] = name
    if level == 1:
        rows = [{"名前": row["名前"], "年齢": row["年齢"]} for row in rows]
    asked = f"{'で、'.join(condition.words for condition in conditions)}の人"
    return Problem(
        slots={"text": "".join(sentences), "asked": asked},
        content=f"people|{_rows_key(rows)}|{asked}",
        answer="\n".join(row["名前"] for row in chosen),
        format=FormatRule(kind="lines"),
        metric="set_f1",
    )


PEOPLE = Family(
    name="extraction/people",
    version=1,
    templates=(
        "{text}\n{asked}の名前を一行に一人ずつ書いてください。",
        "{text}\n{asked}をすべて挙げてください。名前だけを一行に一つ、敬称なしで書くこと。",
        "次の文から{asked}を全員選び、名前だけを一行に一人ずつ書いてください（敬称なし）。\n{text}",
        "{asked}はだれですか。名前だけを一行に一人、敬称を付けずに答えてください。\n{text}",
        "【文章】{text}\n【問い】{asked}をすべて\n【答え方】名前のみ、一行に一人、敬称や記号なし",
        "{text}\nこのうち{asked}の名前を、改行で区切って並べてください。「さん」は不要です。",
        "名簿を作ります。{text}\n{asked}だけを、一人一行、敬称抜きで出力すること。",
        "{text}\n対象：{asked}\n対象者の名前（一行に一人、敬称略）：",
        "{text}\n{asked}に招待状を送ります。あて先の名前だけを、敬称なしで一行に一人ずつ返してください。",
    ),
    problem=_people,
)
