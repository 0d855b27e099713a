"""Extraction probes that normalise what they find: dates to YYYY-MM-DD, amounts to plain digits."""

from __future__ import annotations

from datetime import date, timedelta

from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import COMPANIES, EVENTS
from harness.items.schema import FormatRule

FULL_WIDTH = str.maketrans("0123456789,", "０１２３４５６７８９，")
KANJI_DIGITS = "〇一二三四五六七八九"


def era_date(day: date) -> str:
    """The date with its Japanese era year (Heisei from 1989-01-08, Reiwa from 2019-05-01)."""
    era, first = ("令和", 2019) if day >= date(2019, 5, 1) else ("平成", 1989)
    year = day.year - first + 1
    return f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日"


def written_date(draw: Draw, day: date, level: int) -> str:
    """A date in one of the notations of a level."""
    plain = f"{day.year}年{day.month}月{day.day}日"
    if level == 1:
        return plain
    notations = [
        plain,
        plain.translate(FULL_WIDTH),
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}.{day.month:02}.{day.day:02}",
        f"{day.year}年{day.month}月{day.day}日（{'月火水木金土日'[day.weekday()]}）",
    ]
    if level >= 3:
        notations += [era_date(day)] * (6 if level == 3 else 3)
    return draw.choice(notations)


def random_date(draw: Draw) -> date:
    return date(2010, 1, 1) + timedelta(days=draw.randrange(365 * 25))


DATE_LABELS = (
    ("申込締切", "お申し込みの締切は{}です。"),
    ("開催日", "開催日は{}となりました。"),
    ("契約日", "契約を結んだのは{}です。"),
    ("発行日", "この文書は{}に発行されました。"),
    ("納品日", "納品は{}を予定しています。"),
    ("支払期限", "お支払いは{}までにお願いします。"),
    ("説明会の日", "説明会は{}に行います。"),
    ("点検日", "設備の点検は{}です。"),
)
SHIFTS = (
    ("の10日後", 10),
    ("の3日前", -3),
    ("の翌日", 1),
    ("の前日", -1),
    ("の1週間後", 7),
    ("の2週間前", -14),
    ("の30日後", 30),
    ("の100日後", 100),
)


def _date(draw: Draw, level: int) -> Problem:
    labels = draw.sample(DATE_LABELS, (1, 1, 1, 3, 4)[level - 1])
    days = [random_date(draw)]
    while len(days) < len(labels):  # the other dates are near
        day = days[0] + timedelta(days=draw.randrange(-200, 200))
        if day not in days:
            days.append(day)
    asked, answer, relative = labels[0][0], days[0], ""
    if level == 1:
        label = draw.choice(("日付", "作成日", "登録日", "発行日", "受付日", "期限"))
        text, asked = f"{label}：{written_date(draw, answer, level)}", label
        told = {label: str(answer)}
    else:
        sentences = [
            sentence.format(written_date(draw, day, level))
            for (_, sentence), day in zip(labels, days, strict=True)
        ]
        if level == 5:  # the asked date is only told relative to another one
            words, shift = draw.choice(SHIFTS)
            base = draw.randrange(1, len(labels))
            answer = days[base] + timedelta(days=shift)
            relative = labels[base][0] + words
            sentences[0] = labels[0][1].format(relative)
        draw.shuffle(sentences)
        company, event = draw.entity(COMPANIES), draw.entity(EVENTS)
        opening = draw.choice(
            (
                f"{company}からのお知らせです。",
                f"{event}についてご案内します。",
                f"{company}より、{event}の件でご連絡します。",
                "",
            )
        )
        text = opening + "".join(sentences)
        told = {label: str(day) for (label, _), day in zip(labels, days, strict=True)}
        told[asked] = relative or told[asked]
    facts = sorted(f"{label}={day}" for label, day in told.items())
    return Problem(
        slots={"text": text, "asked": asked},
        content=f"date|{'|'.join(facts)}|{asked}",
        answer=answer.isoformat(),
        format=FormatRule(kind="pattern", pattern=r"\d{4}-\d{2}-\d{2}"),
        metric="exact",
    )


DATE = Family(
    name="extraction/date",
    version=1,
    templates=(
        "{text}\n{asked}をYYYY-MM-DDの形で答えてください。",
        "{text}\n{asked}を「YYYY-MM-DD」形式に直し、それだけを書いてください。",
        "次の文から{asked}を探し、YYYY-MM-DDの形式だけで答えてください。\n{text}",
        "{asked}はいつですか。YYYY-MM-DDの形だけで答えてください。\n{text}",
        "【文】{text}\n【問い】{asked}\n【答え方】西暦4桁-月2桁-日2桁（YYYY-MM-DD）のみ",
        "{text}\nこの{asked}をYYYY-MM-DD（月日は2桁）で出力してください。説明は不要です。",
        "データベースに{asked}を登録します。{text}\n登録する値をYYYY-MM-DD形式で一つだけ書くこと。",
        "{text}\n{asked}（YYYY-MM-DD）：",
        "{text}\n上の{asked}を、年は西暦4桁、月と日は2桁ずつ、ハイフン区切りで書いてください。"
        "YYYY-MM-DD以外は何も書かないでください。",
    ),
    problem=_date,
)


def kanji_number(value: int) -> str:
    """A number from 1 to 99,999,999 in kanji, e.g. 二万三千五百."""
    text = ""
    for unit, name in ((10_000, "万"), (1, "")):
        part = value // unit % 10_000
        if not part:
            continue
        for power, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit = part // power % 10
            if digit:
                text += ("" if digit == 1 and power > 1 else KANJI_DIGITS[digit]) + word
        text += name
    return text


def written_amount(draw: Draw, value: int, level: int) -> str:
    """An amount of yen in one of the notations of a level."""
    comma = f"{value:,}"
    if level == 1:
        return f"{comma}円"
    notations = [f"{comma}円", f"{value}円", f"¥{comma}", f"{comma.translate(FULL_WIDTH)}円"]
    if value >= 10_000:
        rest = value % 10_000
        mixed = f"{value // 10_000}万" + (f"{rest:,}" if rest else "")
        notations += [f"{mixed}円"] * 2
    if level >= 3 and value % 100 == 0:
        notations += [f"{kanji_number(value)}円"] * 2
    return draw.choice(notations)


AMOUNTS = (
    ("交通費", "交通費は{}でした。"),
    ("宿泊費", "宿泊費として{}かかりました。"),
    ("会場費", "会場費に{}を支払いました。"),
    ("印刷費", "印刷費は{}です。"),
    ("通信費", "通信費が{}となりました。"),
    ("材料費", "材料費は{}かかっています。"),
    ("修理費", "修理費は{}と請求されました。"),
    ("広告費", "広告費には{}を使いました。"),
    ("謝礼", "謝礼は{}をお渡ししました。"),
    ("送料", "送料は{}です。"),
)


def _amount(draw: Draw, level: int) -> Problem:
    labels = draw.sample(AMOUNTS, (1, 1, 2, 4, 3)[level - 1])
    periods = [""]
    if level == 5:
        periods = [f"{month}月の" for month in sorted(draw.sample(range(1, 13), 2))]
    step = draw.choice((1, 10, 100)) if level <= 2 else draw.choice((10, 100, 500))
    low, high = 1_000 // step, (20_000 if level == 1 else 400_000) // step
    values = [v * step for v in draw.sample(range(low, high), len(labels) * len(periods))]
    told = {}
    paragraphs = []
    for period in periods:
        sentences = []
        for label, sentence in labels:
            told[period + label] = value = values.pop()
            sentences.append(sentence.format(written_amount(draw, value, level)))
        draw.shuffle(sentences)
        company = draw.entity(COMPANIES)
        opening = draw.choice((f"{company}の報告です。", f"{company}の経費をまとめます。", ""))
        if period:
            opening = draw.choice(
                (
                    f"{period}{company}の経費を報告します。",
                    f"{period}支出（{company}）は次のとおりです。",
                )
            )
        paragraphs.append(opening + "".join(sentences))
    asked = draw.choice(list(told))
    text = "\n".join(paragraphs)
    if level == 1:
        asked = draw.choice(("合計", "代金", "会費", "売上", "予算", "家賃"))
        told = dict.fromkeys([asked], next(iter(told.values())))
        text = f"{asked}：{written_amount(draw, told[asked], 1)}"
    facts = sorted(f"{label}={value}" for label, value in told.items())
    return Problem(
        slots={"text": text, "asked": asked},
        content=f"amount|{'|'.join(facts)}|{asked}",
        answer=str(told[asked]),
        format=FormatRule(kind="integer"),
        metric="number",
    )


AMOUNT = Family(
    name="extraction/amount",
    version=1,
    templates=(
        "{text}\n{asked}は何円ですか。半角数字だけで答えてください。",
        "{text}\n{asked}の金額を、区切りも単位も付けずに半角数字だけで書いてください。",
        "次の文から{asked}を探し、円の値を数字だけで答えてください（カンマなし）。\n{text}",
        "{asked}は何円ですか。カンマや「円」を付けず、半角数字のみで答えてください。\n{text}",
        "【文】{text}\n【問い】{asked}は何円か\n【答え方】半角の整数だけ（例の形：12345）",
        "{text}\nこのうち{asked}をカンマなしの整数で出力してください。",
        "表計算に入力します。{text}\n{asked}のセルに入れる整数（半角、カンマなし）だけを書くこと。",
        "{text}\n{asked}（円、半角数字のみ）：",
        "{text}\n{asked}はいくらでしたか。単位や記号のない算用数字だけで返してください。",
    ),
    problem=_amount,
)
