"""Worked solutions of problems on the calendar: weekdays, days between dates, Japanese eras."""

from __future__ import annotations

import calendar
import random
import re
from datetime import date

from harness.items.probes.family import Problem
from training.synthesis.traces.trace import Trace, Tracer, numbers_in

Draw = random.Random
_WEEKDAYS = "月火水木金土日"
# The Western year of an era's first year, less one.
_BEFORE = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}


def _is_leap(year: int) -> bool:
    return calendar.isleap(year)


def _length(month: int, year: int | None) -> int:
    return calendar.monthrange(year or 2023, month)[1]


def _days_between(
    start: tuple[int, int], end: tuple[int, int], year: int | None
) -> tuple[str, int]:
    """Sentences that count the days from one (month, day) to a later one of a year."""
    (a, first), (b, last) = start, end
    if a == b:
        return f"同じ月なので、{last}-{first}={last - first}（日）です。", last - first
    rest = _length(a, year) - first
    parts = [rest]
    texts = [f"{a}月の残りは{_length(a, year)}-{first}={rest}（日）"]
    for month in range(a + 1, b):
        parts.append(_length(month, year))
        texts.append(f"{month}月は{parts[-1]}日")
    parts.append(last)
    texts.append(f"{b}月は{last}日まで")
    note = ""
    if year and a <= 2 < b:
        note = f"{year}年は{'うるう年です' if _is_leap(year) else 'うるう年ではありません'}。"
    total = sum(parts)
    return (
        f"{note}{'、'.join(texts)}なので、合わせて{'+'.join(map(str, parts))}={total}（日）です。",
        total,
    )


def _years_apart(start: date, end: date) -> tuple[list[str], int]:
    """Steps that count the days between dates of any years."""
    if start.year == end.year:
        text, total = _days_between((start.month, start.day), (end.month, end.day), start.year)
        return [text], total
    whole = list(range(start.year, end.year))
    steps = []
    same_day = (start.month, start.day)
    if same_day == (2, 29):
        raise ValueError("a leap day has no anniversary")
    anniversary = date(end.year, *same_day)
    days = [(date(year + 1, *same_day) - date(year, *same_day)).days for year in whole]
    leaps = [at for at, count in enumerate(days) if count == 366]
    plain = len(days) - len(leaps)
    when = f"{start.month}月{start.day}日"
    if len(days) == 1:
        text = f"{when}から翌年の{when}までは{days[0]}日です"
        text += "（間に2月29日があります）。" if leaps else "（間に2月29日はありません）。"
        steps.append(text)
        spent = days[0]
    else:
        spent = sum(days)
        if leaps:
            steps.append(
                f"{start.year}年{when}から{end.year}年{when}までの{len(days)}年間には、2月29日が"
                f"{len(leaps)}回あります。365×{len(days)}+{len(leaps)}={spent}（日）です。"
            )
        else:
            steps.append(
                f"{start.year}年{when}から{end.year}年{when}までの{plain}年間に2月29日はないので、"
                f"365×{plain}={spent}（日）です。"
            )
    target = (end.month, end.day)
    if target == same_day:
        return steps, spent
    if anniversary < end:
        text, more = _days_between(same_day, target, end.year)
        steps.append(f"そこから{end.month}月{end.day}日までを数えます。{text}")
        steps.append(f"全部で{spent}+{more}={spent + more}（日）です。")
        return steps, spent + more
    text, less = _days_between(target, same_day, end.year)
    steps.append(f"{end.year}年{end.month}月{end.day}日は{end.year}年{when}より前です。{text}")
    steps.append(f"よって、{spent}-{less}={spent - less}（日）です。")
    return steps, spent - less


def _dates(text: str) -> list[date]:
    return [
        date(int(year), int(month), int(day))
        for year, month, day in re.findall(r"(\d+)年(\d+)月(\d+)日", text)
    ]


def _shift(draw: Draw, start: int, days: int) -> tuple[list[str], int]:
    """From weekday `start`, so many days later (or, below 0, earlier)."""
    weeks, rest = divmod(abs(days), 7)
    way = "後" if days >= 0 else "前"
    value = (start + days) % 7
    steps: list[str] = []
    name = f"{_WEEKDAYS[start]}曜日"
    if rest == 0:
        return [f"{abs(days)}=7×{weeks}で、ちょうど{weeks}週間なので、同じ{name}です。"], value
    if weeks:
        steps.append(
            draw.choice(
                ("曜日は7日ごとに同じになります。", "1週間は7日なので、7で割った余りを考えます。")
            )
            + f"{abs(days)}=7×{weeks}+{rest}なので、{rest}日{way}の曜日と同じです。"
        )
    step = 1 if days >= 0 else -1
    path = [f"{_WEEKDAYS[(start + step * k) % 7]}" for k in range(1, rest + 1)]
    steps.append(
        draw.choice((f"{name}から{rest}日", f"{name}を起点に{rest}日"))
        + f"{'進めると' if days >= 0 else 'さかのぼると'}、{'→'.join([_WEEKDAYS[start], *path])}"
        f"となり、{_WEEKDAYS[value]}曜日です。"
    )
    return steps, value


def _weekday(draw: Draw, problem: Problem) -> Trace:
    situation, target = problem.slots["situation"], problem.slots["target"]
    found = re.search(r"は(.)曜日です", situation)
    if found is None:
        raise ValueError(situation)
    start = _WEEKDAYS.index(found[1])
    if target.startswith("今日から"):
        (days,) = numbers_in(target)
        steps, value = _shift(draw, start, days if target.endswith("後") else -days)
    else:
        (first,) = _dates(situation)
        if target.startswith("同じ年の"):
            month, day = numbers_in(target)
            other = date(first.year, month, day)
        else:
            (other,) = _dates(target)
        if other >= first:
            count, days = _years_apart(first, other)
        else:
            count, back = _years_apart(other, first)
            days = -back
        steps, value = _shift(draw, start, days)
        steps = ["まず、2つの日付の間の日数を数えます。", *count, *steps]
    answer = f"{_WEEKDAYS[value]}曜日"
    return Trace(tuple(steps), answer, f"{target}は{answer}")


def _days(draw: Draw, problem: Problem) -> Trace:
    start, end = problem.slots["start"], problem.slots["end"]
    if "年" in start:
        (first,), (last,) = _dates(start), _dates(end)
        steps, value = _years_apart(first, last)
    else:
        (a, b), (c, d) = numbers_in(start), numbers_in(end)
        text, value = _days_between((a, b), (c, d), None)
        steps = [text]
    lead = draw.choice((f"{start}の翌日を1日目として数えます。", "月ごとに日数を数えます。", ""))
    if "年" not in start and start.split("月")[0] == end.split("月")[0]:
        lead = ""
    elif steps[0].split("。")[0].endswith(("うるう年です", "うるう年ではありません")):
        lead = lead or "途中の月の日数を順に足します。"
    return Trace((*([lead] if lead else []), *steps), str(value), f"{end}は{start}の{value}日後")


_ERA_YEAR = re.compile(r"(明治|大正|昭和|平成|令和)(元|\d+)年")


def _western(era: str, year: str) -> tuple[str, int]:
    """The sentence that turns an era year into a Western one, and that year."""
    number = 1 if year == "元" else int(year)
    before = _BEFORE[era]
    lead = f"{era}元年は西暦{before + 1}年なので、"
    if number == 1:
        return f"{era}元年は、西暦{before + 1}年です。", before + 1
    return (
        f"{lead}{era}{number}年は{before}+{number}={before + number}より"
        f"西暦{before + number}年です。",
        before + number,
    )


def _era(draw: Draw, problem: Problem) -> Trace:
    question = problem.slots["q"]
    eras = _ERA_YEAR.findall(question)
    if "の何年後" in question:
        (late, late_year), (early, early_year) = eras
        (one, first), (two, last) = _western(early, early_year), _western(late, late_year)
        lead = draw.choice(("西暦に直して差を求めます。", "両方を西暦に直します。"))
        value = last - first
        steps = [lead, one, two, f"差は{last}-{first}={value}（年）です。"]
        return Trace(tuple(steps), str(value), f"経過年数は{value}年")
    if "生まれの人が" in question:
        age = numbers_in(question.split("満")[1])[0]
        text, born = _western(*eras[0])
        target = question.split("年は")[1][:2]
        value = born + age - _BEFORE[target]
        steps = [
            text,
            f"満{age}歳になる年は、{born}+{age}={born + age}より西暦{born + age}年です。",
            f"{target}元年は西暦{_BEFORE[target] + 1}年なので、"
            f"{born + age}-{_BEFORE[target]}={value}より、{target}{value}年です。",
        ]
        return Trace(tuple(steps), str(value), f"その年は{target}{value}年")
    if eras:
        text, year = _western(*eras[0])
        return Trace((text,), str(year), f"西暦では{year}年")
    year = numbers_in(question)[0]
    target = question.split("年は")[1][:2]
    value = year - _BEFORE[target]
    steps = [
        f"{target}元年は西暦{_BEFORE[target] + 1}年です。",
        draw.choice(
            (
                f"西暦から{_BEFORE[target]}を引くと{target}の年数になります。",
                f"{target}の年数は、西暦から{_BEFORE[target]}を引いて求めます。",
            )
        )
        + f"{year}-{_BEFORE[target]}={value}です。",
    ]
    return Trace(tuple(steps), str(value), f"{target}では{value}年")


CALENDAR: dict[str, Tracer] = {
    "math/weekday": _weekday,
    "math/days": _days,
    "math/era": _era,
}
