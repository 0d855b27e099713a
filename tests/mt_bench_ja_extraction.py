"""Golds of the genre extraction of `mt-bench-ja` that follow from the texts by a computation,
computed anew; most numbers are read from the turns themselves."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

Fields = dict[str, Any]
# Both turns of an item, as they are asked.
Turns = list[str]


def numbers(pattern: str, text: str) -> list[Fraction]:
    """The groups of the one place where a pattern matches, as numbers."""
    (found,) = re.finditer(pattern, text)
    return [Fraction(group) for group in found.groups()]


def rice_cakes(turns: Turns) -> tuple[Fields, Fields]:
    day = date(2024, 12, 14)
    assert day.weekday() == 5
    moved = day + timedelta(weeks=1)
    (fee, more) = numbers(r"参加費は一人(\d+)円.*参加費を(\d+)円上げ", turns[0].replace("\n", ""))
    first = {"開催日": str(moved), "開始時刻": "10:30", "大人の参加費": fee + more}
    second = {"開催日": str(moved + timedelta(days=1)), "開始時刻": f"{12 + 1}:00"}
    return first | {"小学生の参加費": fee}, second | {"中学生の参加費": fee}


def stew(turns: Turns) -> tuple[Fields, Fields]:
    taro, konnyaku, leeks, boiled, water, soy = numbers(
        r"むいて(\d+)g.*一枚(\d+)gのものを一枚.*長ねぎは(\d+)本.*うち(\d+)本は煮て"
        r".*1kgに対して([\d.]+)L.*しょうゆが大さじ(\d+)",
        turns[0],
    )
    wine, more = soy / 2, Fraction(10, 4)
    four = {
        "里芋_g": taro,
        "牛肉_g": taro / 2,
        "こんにゃく_g": konnyaku,
        "煮る長ねぎ_本": boiled,
        "水_mL": taro * water,
        "しょうゆ_大さじ": soy,
        "酒_大さじ": wine,
        "砂糖_大さじ": wine,
    }
    ten = {
        "里芋_g": taro * more,
        "豚肉_g": taro / 2 * more * Fraction(8, 10),
        "長ねぎの合計_本": boiled * more + (leeks - boiled),
        "水_mL": taro * water * more,
        "しょうゆ_mL": soy * more * 15,
        "酒_mL": wine * more * 15 * Fraction(2, 3),
    }
    return four, ten


def trains(turns: Turns) -> tuple[Fields, Fields]:
    head, *rows = csv.reader(re.findall(r"^(?:列車|\d{3}),.*$", turns[0], re.M))
    stations = head[2:]

    def minutes(text: str) -> int:
        hour, minute = text.split(":")
        return int(hour) * 60 + int(minute)

    # Per train and station the minutes of arrival and of departure.
    calls = {
        row[0]: {
            station: (minutes(text), minutes(text))
            for station, text in zip(stations, row[2:], strict=True)
            if ":" in text
        }
        for row in rows
    }

    def journeys(
        calls: Any, left: tuple[str, ...], station: str, ready: int, done: tuple[int, ...]
    ) -> list[Any]:
        """All ways on from a station reached at `ready`; boarding takes three minutes."""
        train = calls[left[0]]
        if station not in train or train[station][1] < ready + 3:
            return []
        leaves = (*done, train[station][1])
        after = [s for s in stations[stations.index(station) + 1 :] if s in train]
        if len(left) == 1:
            used = len(leaves) - 1
            return [(train["港町"][0], used, leaves[0])] if "港町" in after else []
        return [way for s in after for way in journeys(calls, left[1:], s, train[s][0], leaves)]

    def named(calls: Any) -> Fields:
        ways = [
            (arrival, used, chain, start)
            for size in (1, 2, 3)
            for chain in permutations(calls, size)
            for arrival, used, start in journeys(calls, chain, "若葉", 8 * 60 + 19, ())
        ]
        arrival, used, chain, start = min(ways)
        assert [way for way in ways if way[:2] == (arrival, used)] == [
            (arrival, used, chain, start)
        ]
        clock = "{:02d}:{:02d}".format
        return {
            "列車": list(chain),
            "若葉発": clock(*divmod(start, 60)),
            "港町着": clock(*divmod(arrival, 60)),
            "乗り換え回数": used,
        }

    late = {train: dict(stops) for train, stops in calls.items()}
    late["101"]["浜口"] = (late["101"]["浜口"][0], late["101"]["浜口"][1] + 5)
    late["101"]["港町"] = (late["101"]["港町"][0] + 5,) * 2
    return named(calls), named(late)


def pond(turns: Turns) -> tuple[Fields, Fields]:
    a8, w8, a_more, w_less, noon_more, seen, dead, a12, a15, w15 = numbers(
        r"気温([\d.]+)度、水温([\d.]+)度。メダカは0匹.*朝より([\d.]+)度高い.*気温より([\d.]+)度低い"
        r".*朝より([\d.]+)度高い.*メダカは(\d+)匹、ただしそのうち(\d+)匹.*雨。気温([\d.]+)度"
        r".*気温([\d.]+)度、水温([\d.]+)度。メダカは、10日",
        turns[0].replace("\n", ""),
    )
    air = {8: a8, 10: a8 + a_more, 12: a12, 15: a15}
    shown = {8: w8, 10: a8 + a_more - w_less, 12: w8, 15: w15}
    noon = shown[10] + noon_more
    wrong = numbers(r"本当の水温より([\d.]+)度高い", turns[1])[0]
    true = {day: value - (wrong if day <= 10 else 0) for day, value in shown.items()}

    def warmer(water: dict[int, Fraction]) -> list[int]:
        return [day for day in air if water[day] > air[day]]

    first = {
        "10日朝の気温": air[10],
        "10日朝の水温": shown[10],
        "10日午後の水温": noon,
        "15日のメダカ": 2 * (seen - dead),
        "水温が高かった朝": warmer(shown),
    }
    second = {
        "8日朝の水温": true[8],
        "10日朝の水温": true[10],
        "10日午後の水温": noon,
        "12日朝の水温": true[12],
        "10日の水温の上昇": noon - true[10],
        "水温が高かった朝": warmer(true),
    }
    return first, second


def inn(turns: Turns) -> tuple[Fields, Fields]:
    """From a hand-made reading of each comment: M meals, B bath, S service; + and -."""
    readings = {1: "M+ S-", 2: "B+", 3: "M- S+", 4: "B- M+", 5: "", 6: "B- M-", 7: "S+ B+", 8: "S+"}
    assert len(re.findall(r"^\d　", turns[0], re.M)) == len(readings)
    names = {"M": "食事", "B": "風呂", "S": "接客"}
    signs = {"+": "満足", "-": "不満"}
    everything = " ".join(readings.values()).split()
    counts = {
        f"{name}の{sign}": everything.count(letter + mark)
        for letter, name in names.items()
        for mark, sign in signs.items()
    }
    second = {
        "二つ以上の観点": [n for n, said in readings.items() if len(said.split()) > 1],
        "満足と不満の両方": [n for n, said in readings.items() if "+" in said and "-" in said],
        "どの観点にも触れない": [n for n, said in readings.items() if not said],
        "差が最大の観点": max(
            names.values(), key=lambda name: counts[f"{name}の満足"] - counts[f"{name}の不満"]
        ),
    }
    return counts, second


def pool(turns: Turns) -> tuple[Fields, Fields]:
    people = {
        "父": (500, False, False),
        "長男": (300, True, False),
        "長女": (200, False, False),
        "祖母": (200, True, True),
        "次男": (0, False, False),
    }

    def fees(stay: dict[str, int], caps: set[str], wednesday: bool) -> Fields:
        paid: Fields = {}
        for name, (base, local, old) in people.items():
            hours = max(0, -(-(stay[name] - 120) // 60))
            fee = Fraction(base) + hours * Fraction(base, 2)
            fee *= Fraction(8, 10) if local else 1
            fee = Fraction(0) if wednesday and old else fee
            paid[name] = fee + (100 if name in caps else 0)
        return paid | {"合計": sum(paid.values())}

    first = dict(zip(people, (210, 120, 130, 180, 120), strict=True))
    return fees(first, {"長男"}, False), fees(dict.fromkeys(people, 180), {"祖母"}, True)


def school(turns: Turns) -> tuple[Fields, Fields]:
    starts = {
        "明治": date(1868, 1, 25),
        "大正": date(1912, 7, 30),
        "昭和": date(1926, 12, 25),
        "平成": date(1989, 1, 8),
    }

    def era(day: date) -> str:
        name = [one for one, start in starts.items() if start <= day][-1]
        year = day.year - starts[name].year + 1
        return f"{name}{'元' if year == 1 else year}年"

    def western(name: str, year: int) -> int:
        return starts[name].year + year - 1

    opened, quake = western("明治", 41), western("大正", 12)
    building = western("昭和", 46)
    first = {
        "開校": opened,
        "現在地への移転": opened + 4,
        "校舎の再建": quake + 2,
        "校歌の制定": opened + 50,
        "体育館の完成": building - 3,
        "新校舎の完成": building,
        "統合": western("平成", 16),
    }
    years = [*first.values(), western("昭和", 20)]
    second = {
        "現在地への移転": era(date(first["現在地への移転"], 10, 1)),
        "校舎の再建": era(date(first["校舎の再建"], 3, 1)),
        "校歌の制定": era(date(first["校歌の制定"], 4, 1)),
        "体育館の完成": era(date(first["体育館の完成"], 6, 1)),
        "移転から新校舎まで": building - opened - 4,
        "昭和の出来事の数": sum(1926 < year < 1989 for year in years),
    }
    return first, second


def committee(turns: Turns) -> tuple[Fields, Fields]:
    today = date(2025, 6, 12)
    assert today.weekday() == 3
    monday = today - timedelta(days=3)

    def day(weeks: int, weekday: str) -> date:
        return monday + timedelta(days=7 * weeks + "月火水木金土日".index(weekday))

    draft, meeting = day(1, "火"), day(2, "木")
    last = day(1, "月") + timedelta(days=13)
    assert last.weekday() == 6
    printed = draft + timedelta(days=3)
    assert (printed.month, printed.day) == (6, 20)
    first = {
        "ポスターの下書き": str(draft),
        "入稿": str(printed),
        "会場図": str(date(2025, 7, 1) - timedelta(days=1)),
        "予算案": str(meeting - timedelta(days=1)),
        "出演者の募集": str(last - timedelta(days=2)),
    }
    sooner = meeting - timedelta(days=2)
    second = {
        "入稿": str(printed - timedelta(days=1)),
        "予算案": str(sooner - timedelta(days=1)),
        "永井の最初の締め切り": str(sooner - timedelta(days=1)),
        "次の委員会": str(sooner),
    }
    return first, second


def apples(turns: Turns) -> tuple[Fields, Fields]:
    price = {"ふじ": 3800, "王林": 3500}

    def total(boxes: dict[str, tuple[str, int]]) -> int:
        sent = [one for one in boxes.values() if one[1]]
        return sum(price[kind] * count for kind, count in sent) + 900 * len(sent)

    first = {"実家": ("ふじ", 2 - 1), "自宅": ("ふじ", 1), "職場": ("王林", 1)}
    second = first | {"実家": ("ふじ", 2), "自宅": ("ふじ", 0), "職場": ("ふじ", 1)}
    return tuple(  # type: ignore[return-value]
        {"実家の箱数": b["実家"][1], "自宅の箱数": b["自宅"][1], "合計金額": total(b)}
        for b in (first, second)
    )


def as_json(value: Any) -> Any:
    """Exact numbers as the golds write them."""
    if isinstance(value, Fraction):
        return (
            int(value)
            if value.denominator == 1
            else float(Decimal(value.numerator) / value.denominator)
        )
    return value


EXTRACTION: dict[str, Callable[[Turns], tuple[Fields, Fields]]] = {
    "mt-extraction-01": rice_cakes,
    "mt-extraction-02": stew,
    "mt-extraction-03": trains,
    "mt-extraction-05": pond,
    "mt-extraction-06": inn,
    "mt-extraction-07": pool,
    "mt-extraction-08": school,
    "mt-extraction-09": committee,
    "mt-extraction-11": apples,
}
