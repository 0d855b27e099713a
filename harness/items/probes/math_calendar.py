"""Math probes on the calendar: weekdays, days between dates, Japanese eras."""

from __future__ import annotations

from datetime import date, timedelta

from harness.items.probes.exact import integer_problem
from harness.items.probes.family import Draw, Family, Problem
from harness.items.schema import FormatRule

WEEKDAYS = ("月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日")

# Era: the Western year before its first year, its last year in the Western calendar.
_ERAS = {
    "明治": (1867, 1912),
    "大正": (1911, 1926),
    "昭和": (1925, 1989),
    "平成": (1988, 2019),
    "令和": (2018, 2026),
}


def _weekday(draw: Draw, level: int) -> Problem:
    """From a known weekday. 1: up to 10 days later or earlier. 2: up to 99. 3: up to 999.
    4: another date of the same year. 5: a date of another year."""
    if level <= 3:
        start = draw.randrange(7)
        low, high = {1: (1, 10), 2: (11, 99), 3: (100, 999)}[level]
        days, later = draw.randint(low, high), draw.random() < 0.5
        return _on_weekday(
            f"今日は{WEEKDAYS[start]}です。",
            f"今日から{days}日{'後' if later else '前'}",
            f"weekday {start} {days if later else -days}",
            start + (days if later else -days),
        )
    year = draw.randint(1990, 2040)
    if level == 4:
        first, other = (
            date(year, 1, 1) + timedelta(days) for days in sorted(draw.sample(range(365), 2))
        )
        named = f"同じ年の{other.month}月{other.day}日"
    else:
        first = date(year, 1, 1) + timedelta(draw.randrange(365))
        other = date(year + draw.randint(1, 6), 1, 1) + timedelta(draw.randrange(365))
        named = _written(other)
    return _on_weekday(
        f"{_written(first)}は{WEEKDAYS[first.weekday()]}です。",
        named,
        f"weekday {first} {other}",
        other.weekday(),
    )


def _on_weekday(situation: str, target: str, content: str, weekday: int) -> Problem:
    return Problem(
        {"situation": situation, "target": target},
        content,
        WEEKDAYS[weekday % 7],
        FormatRule("choice", labels=WEEKDAYS),
        "exact",
    )


def _written(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _days(draw: Draw, level: int) -> Problem:
    """Days from one date to a later one. 1: in one month. 2: into the next month. 3: in one year.
    4: into the next year. 5: over two to six years."""
    if level <= 2:
        # Dates without a year: no span may touch the end of February. 2023 stands for any year.
        month = draw.choice([1, 3, 4, 5, 6, 7, 8, 9, 10, 11] if level == 2 else range(1, 13))
        length = 28 if month == 2 else (date(2023, month % 12 + 1, 1) - timedelta(1)).day
        if level == 1:
            first, last = sorted(draw.sample(range(1, length + 1), 2))
            start, end = date(2023, month, first), date(2023, month, last)
        else:
            start = date(2023, month, draw.randint(1, length))
            end = date(2023, month + 1, draw.randint(1, 28))
        texts = [f"{day.month}月{day.day}日" for day in (start, end)]
        content = f"days {start:%m-%d} {end:%m-%d}"
    else:
        year = draw.randint(1990, 2040)
        if level == 3:
            offsets = sorted(draw.sample(range(365), 2))
            start, end = (date(year, 1, 1) + timedelta(days) for days in offsets)
        else:
            years = 1 if level == 4 else draw.randint(2, 6)
            start = date(year, 1, 1) + timedelta(draw.randrange(365))
            end = date(year + years, 1, 1) + timedelta(draw.randrange(365))
        texts = [_written(start), _written(end)]
        content = f"days {start} {end}"
    return integer_problem({"start": texts[0], "end": texts[1]}, content, (end - start).days)


def _era(draw: Draw, level: int) -> Problem:
    """1: an era year in the Western calendar. 2: the other way. 3: either, in 明治 and 大正.
    4: years between years of two eras. 5: the era year in which somebody turns an age."""
    if level <= 3:
        era = draw.choice(["明治", "大正"] if level == 3 else ["昭和", "平成", "令和"])
        before, last = _ERAS[era]
        to_western = level == 1 or (level == 3 and draw.random() < 0.5)
        # "昭和何年" for a first year would be answered 元年, not a number.
        number = draw.randint(1 if to_western else 2, last - before)
        content = f"{era}{number}={before + number}"
        if to_western:
            return _years(
                f"{_era_year(era, number)}は西暦何年ですか",
                f"{_era_year(era, number)}にあたる西暦の年",
                content,
                before + number,
            )
        return _years(
            f"西暦{before + number}年は{era}何年ですか",
            f"西暦{before + number}年を{era}で表したときの年",
            content,
            number,
        )
    names = list(_ERAS)
    longest = 150 if level == 4 else 100
    gap = longest + 1
    while gap > longest:
        first, second = sorted(draw.sample(range(len(names)), 2))
        (before, last), (later_before, later_last) = _ERAS[names[first]], _ERAS[names[second]]
        start = draw.randint(2, last - before - 1)
        end = draw.randint(2, later_last - later_before - 1)
        gap = later_before + end - before - start
    older, newer, era = _era_year(names[first], start), _era_year(names[second], end), names[second]
    if level == 4:
        return _years(
            f"{newer}は{older}の何年後ですか",
            f"{older}から{newer}までの経過年数",
            f"era gap {older} {newer}",
            gap,
        )
    return _years(
        f"{older}生まれの人が満{gap}歳になる年は{era}何年ですか",
        f"{older}生まれの人が満{gap}歳になる年を{era}で表したときの年",
        f"era age {older} {newer}",
        end,
    )


def _era_year(era: str, number: int) -> str:
    return f"{era}{'元' if number == 1 else number}年"


def _years(question: str, noun: str, content: str, answer: int) -> Problem:
    return integer_problem({"q": question, "n": noun}, content, answer)


CALENDAR: tuple[Family, ...] = (
    Family(
        "math/weekday",
        1,
        (
            "{situation}{target}は何曜日ですか。「月曜日」のように曜日だけを書いてください。",
            "{situation}{target}の曜日を「○曜日」の形で、それだけ答えてください。",
            "次の問いに曜日の名前だけで答えなさい（例: 日曜日）。\n{situation}{target}は何曜日か。",
            "{situation}では、{target}は何曜日でしょうか。曜日名のみ、「曜日」まで書いてください。",
            "{situation}\n{target}の曜日（「○曜日」の形で、ほかの言葉は書かない）:",
            "カレンダーの問題です。{situation}{target}は何曜日になりますか。"
            "「火曜日」のように3文字で答えてください。",
            "{situation}このとき、{target}の曜日を求め、「○曜日」という3文字だけを返してください。",
            "{situation}{target}が何曜日か教えてください。答えは曜日名だけ（例: 金曜日）。",
            "予定を立てています。{situation}{target}は何曜日ですか。"
            "説明はせず「○曜日」とだけ書いてください。",
        ),
        _weekday,
    ),
    Family(
        "math/days",
        1,
        (
            "{end}は{start}の何日後ですか。数字だけを書いてください。",
            "{start}の何日後が{end}ですか。答えは数字だけで書いてください。",
            "今日は{start}です。{end}は今日の何日後ですか。数字だけで答えてください。",
            "{start}を0日目とすると、{end}は何日目ですか。数字だけを書いてください。",
            "{start}に何日を足すと{end}になりますか。「日」は付けず、数字だけを返してください。",
            "日数の計算です。{start}から{end}まで、日付は何回変わりますか。数字のみで答えなさい。",
            "今日は{start}です。{end}まであと何日ですか。単位を付けずに数字だけ書いてください。",
            "{start}と{end}は何日離れていますか。数字だけで答えてください。",
            "カレンダーを{start}から{end}まで進めるには、何日進めればよいですか。"
            "数字だけを書いてください。",
        ),
        _days,
    ),
    Family(
        "math/era",
        1,
        (
            "{q}。数字だけを書いてください。",
            "{n}を数字だけで答えてください。",
            "元号の問題です。{q}。「年」は付けず、数字だけで答えてください。",
            "次の問いに数字だけで答えなさい。\n{q}。",
            "{n}を求め、半角数字だけを書いてください。",
            "{n}は何年ですか。答えは数字のみとします。",
            "教えてください。{q}。返事は数字だけでお願いします。",
            "{n}（数字のみ）:",
            "{q}。説明や単位は書かず、数字だけを返してください。",
        ),
        _era,
    ),
)
