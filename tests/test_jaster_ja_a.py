"""Seven tasks of the evalset `jaster-ja`: enough samples, golds that obey their rules, and golds
of nli_time and order_sets derived anew from the text that a model sees."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from math import ceil
from typing import Any

import pytest

from harness.items.load import find_evalset
from harness.items.schema import FormatRule
from harness.scoring.format import format_fault

FOLDER = find_evalset("basics").parent / "jaster-ja" / "evaluation"
CATEGORIES = {
    "nli_everyday": "NLI",
    "nli_time": "NLI",
    "qa_facts": "QA",
    "rc_notices": "RC",
    "mc_commonsense": "MC",
    "knowledge_exam": "HE",
    "order_sets": "FA",
}
KEYS = {
    "instruction",
    "output_length",
    "metrics",
    "category",
    "format",
    "few_shots",
    "samples",
}
Task = dict[str, Any]


def read(split: str, name: str) -> Task:
    task: Task = json.loads((FOLDER / split / f"{name}.json").read_text(encoding="utf-8"))
    return task


TASKS = {name: (read("train", name), read("test", name)) for name in CATEGORIES}
EACH = pytest.mark.parametrize("name", CATEGORIES)


def samples(name: str) -> list[dict[str, Any]]:
    return [sample for task in TASKS[name] for sample in task["samples"]]


def rule_of(task: Task) -> FormatRule:
    fields = dict(task["format"])
    if "labels" in fields:
        fields["labels"] = tuple(fields["labels"])
    return FormatRule(**fields)


@EACH
def test_layout(name: str) -> None:
    train, test = TASKS[name]
    assert len(train["samples"]) >= 8
    assert len(test["samples"]) >= 40
    for split, task in (("train", train), ("test", test)):
        assert set(task) == KEYS
        text = json.dumps(task, ensure_ascii=False, indent=1) + "\n"
        assert (FOLDER / split / f"{name}.json").read_bytes() == text.encode()
    for key in KEYS - {"samples"}:
        assert train[key] == test[key]
    assert test["category"] == CATEGORIES[name]
    assert test["few_shots"] == []
    assert test["metrics"] in (["exact_match"], ["char_f1"], ["set_f1"])


@EACH
def test_golds_obey_the_format(name: str) -> None:
    rule = rule_of(TASKS[name][1])
    longest = 0
    for sample in samples(name):
        assert set(sample) in ({"input", "output"}, {"input", "output", "accept"})
        answers = [sample["output"], *sample.get("accept", [])]
        assert len(set(answers)) == len(answers)
        for answer in answers:
            assert answer.strip() == answer
            assert format_fault(answer, rule, sample["input"]) is None, answer
            longest = max(longest, len(answer))
    assert TASKS[name][1]["output_length"] == 16 * ceil((8 + 3 * longest) / 16)


@EACH
def test_no_input_occurs_twice(name: str) -> None:
    counts = Counter(sample["input"] for sample in samples(name))
    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(
    "name", [name for name in CATEGORIES if TASKS[name][1]["format"]["kind"] == "choice"]
)
def test_labels_are_balanced(name: str) -> None:
    train, test = TASKS[name]
    labels = test["format"]["labels"]
    counts = Counter(sample["output"] for sample in test["samples"])
    assert set(counts) == set(labels)
    assert max(counts.values()) - min(counts.values()) <= 1
    first = {sample["output"] for sample in train["samples"][:4]}
    assert len(first) == min(4, len(labels))
    for label in labels:
        assert label in test["instruction"]


@pytest.mark.parametrize("name", ["mc_commonsense", "knowledge_exam"])
def test_options_are_the_labels_in_order(name: str) -> None:
    labels = TASKS[name][1]["format"]["labels"]
    for sample in samples(name):
        question, options = sample["input"].split("\n")
        assert question.startswith("質問：")
        found = options.removeprefix("選択肢：").split(",")
        assert [option[:2] for option in found] == [f"{label}." for label in labels]
        assert len({option[2:] for option in found}) == len(labels)


def test_rc_notices_answers_stand_in_the_passage() -> None:
    for sample in samples("rc_notices"):
        passage, question = sample["input"].split("\n質問：")
        passage = passage.removeprefix("文章：")
        assert 80 <= len(passage) <= 200
        assert "\n" not in passage + question
        for answer in [sample["output"], *sample.get("accept", [])]:
            assert answer in passage
            assert answer not in question or len(answer) <= 2


# nli_time: premises become constraints x - y <= c between points in time (in minutes, days or
# years); a hypothesis follows when each of its own constraints lies on a shortest path.

Constraint = tuple[str, str, int]
ZERO = "zero"
TIME = r"(正午|(?:午前|午後)\d+時(?:\d+分)?)"
SPAN = r"((?:\d+時間)?(?:\d+分)?)"
DAY = r"(\d+月\d+日)"
WHO = r"([^、。0-9]+?)"
WEEKDAYS = "月火水木金土日"


def minutes(text: str) -> int:
    if text == "正午":
        return 720
    hours, rest = text[2:].split("時")
    assert 1 <= int(hours) <= 11
    return 60 * int(hours) + int(rest.removesuffix("分") or 0) + 720 * text.startswith("午後")


def length(text: str) -> int:
    hours, rest = text.split("時間") if "時間" in text else ("0", text)
    return 60 * int(hours) + int(rest.removesuffix("分") or 0)


def ordinal(text: str) -> int:
    month, day = text.removesuffix("日").split("月")
    assert int(month) > 2  # so that no leap day lies between two dates
    return date(2023, int(month), int(day)).toordinal()


def equal(x: str, y: str, c: int) -> list[Constraint]:
    return [(x, y, c), (y, x, -c)]


def apart(x: str, y: str, c: int, word: str) -> list[Constraint]:
    """x lies `word` (前 or 後) of y + c, strictly."""
    return [(x, y, c - 1)] if word in ("前", "短い") else [(y, x, -c - 1)]


def signed(count: str, word: str) -> int:
    return int(count) if word == "後" else -int(count)


PREMISES: list[tuple[str, Callable[..., list[Constraint]]]] = [
    (
        rf"{WHO}は{TIME}に始まり、{SPAN}後に終わった。",
        lambda _, t, d: equal("end", ZERO, minutes(t) + length(d)),
    ),
    (
        rf"{TIME}に始まった{WHO}は、{SPAN}続いて終わった。",
        lambda t, _, d: equal("end", ZERO, minutes(t) + length(d)),
    ),
    (
        rf"{WHO}は、{TIME}から{TIME}までの間に(?:届いた|来た|起きた)。",
        lambda w, a, b: [(ZERO, w, -minutes(a)), (w, ZERO, minutes(b))],
    ),
    (
        rf"{WHO}が(?:届いた|来た|起きた)のは、{TIME}以降、{TIME}以前だった。",
        lambda w, a, b: [(ZERO, w, -minutes(a)), (w, ZERO, minutes(b))],
    ),
    (
        rf"{WHO}は{WHO}より(先|後)に[^0-9]*?(?:着いた|出た|終えた|来た)。",
        lambda a, b, w: apart(a, b, 0, w.replace("先", "前")),
    ),
    (
        rf"{WHO}は毎日、{TIME}に開き、{TIME}に閉まる。",
        lambda _, a, b: equal("open", ZERO, minutes(a)) + equal("close", ZERO, minutes(b)),
    ),
    (r"それ以外の時間に開くことはない。", lambda: []),
    (
        rf"{WHO}が開いているのは、毎日{TIME}から{TIME}までの間だけで、"
        r"その間は一度も閉まらない。",
        lambda _, a, b: equal("open", ZERO, minutes(a)) + equal("close", ZERO, minutes(b)),
    ),
    (
        rf"{WHO}は{SPAN}で、{WHO}は{SPAN}である。",
        lambda a, d, b, e: equal(a, ZERO, length(d)) + equal(b, ZERO, length(e)),
    ),
    (
        rf"{WHO}は{TIME}に家を出て、(\d+)分歩いて駅に着いた。",
        lambda _, t, n: equal("station", ZERO, minutes(t) + int(n)),
    ),
    (
        r"駅で(\d+)分待ってから電車に乗り、乗ってから(\d+)分後に電車を降りた。",
        lambda a, b: equal("train", "station", int(a)) + equal("off", "train", int(b)),
    ),
    (rf"{WHO}は{TIME}に家を出た。", lambda _, t: equal("home", ZERO, minutes(t))),
    (
        r"(\d+)分後に駅に着き、(\d+)分待って電車に乗り、(\d+)分乗って電車を降りた。",
        lambda a, b, c: equal("off", "home", int(a) + int(b) + int(c)),
    ),
    (rf"作文の締め切りは{DAY}だった。", lambda d: equal("due", ZERO, ordinal(d))),
    (rf"{WHO}は締め切りの(\d+)日前に作文を出した。", lambda w, n: equal(w, "due", -int(n))),
    (
        rf"{WHO}は締め切りの(\d+)日前に作文を出し、{WHO}は{WHO}が出した日の(\d+)日後に出した。",
        lambda w, n, v, u, m: equal(w, "due", -int(n)) + equal(v, u, int(m)),
    ),
    (
        rf"{WHO}は{DAY}から{DAY}まで、一日も休まずに行われた。",
        lambda _, a, b: equal("last", "first", ordinal(b) - ordinal(a)),
    ),
    # The first day of a week that starts on Monday lies at a multiple of 7.
    (
        rf"ある年の{DAY}は(.)曜日だった。",
        lambda d, w: equal("monday", ZERO, ordinal(d) - WEEKDAYS.index(w)),
    ),
    (rf"{WHO}は(\d+)年に完成した。", lambda w, y: equal(w, ZERO, int(y))),
    (
        rf"{WHO}はその(\d+)年(前|後)に完成し、{WHO}は{WHO}の(\d+)年(前|後)に完成した。",
        lambda v, n, a, w, u, m, b: equal(v, "before", signed(n, a)) + equal(w, u, signed(m, b)),
    ),
    (
        rf"{WHO}は{TIME}に{WHO}を始め、始めてから{SPAN}以内に終えた。",
        lambda _, t, w, d: [
            ("done", ZERO, minutes(t) + length(d)),
            (ZERO, "done", -minutes(t)),
        ],
    ),
    (
        rf"{WHO}は{TIME}に{WHO}を始め、終えるまでに{SPAN}以上かかった。",
        lambda _, t, w, d: [(ZERO, "done", -minutes(t) - length(d))],
    ),
    (
        rf"{WHO}が{WHO}を始めたのは{TIME}で、始めてから終えるまでの時間は{SPAN}(以上|以内)だった。",
        lambda _, w, t, d, how: (
            [(ZERO, "done", -minutes(t) - length(d))]
            if how == "以上"
            else [("done", ZERO, minutes(t) + length(d)), (ZERO, "done", -minutes(t))]
        ),
    ),
    (
        rf"{WHO}は{TIME}に眠りにつき、一度も目を覚まさず、翌日の{TIME}に起きた。",
        lambda _, a, b: equal("sleep", ZERO, minutes(b) + 1440 - minutes(a)),
    ),
    (
        rf"{WHO}が眠ったのは{TIME}で、目を覚ましたのは次の日の{TIME}だった。",
        lambda _, a, b: equal("sleep", ZERO, minutes(b) + 1440 - minutes(a)),
    ),
    (r"途中では一度も目を覚まさなかった。", lambda: []),
    (
        rf"{WHO}は{TIME}に始まり、休憩なしに{SPAN}続いて終わった。",
        lambda _, t, d: equal("begin", ZERO, minutes(t)) + equal("end", "begin", length(d)),
    ),
    (
        rf"{WHO}に電話がかかってきたのは同じ日の{TIME}で、その日の電話はこの一回だけだった。",
        lambda _, t: equal("call", ZERO, minutes(t)),
    ),
]
HYPOTHESES: list[tuple[str, Callable[..., list[Constraint]]]] = [
    (
        rf"{WHO}は{TIME}より(前)に終わった。",
        lambda _, t, w: apart("end", ZERO, minutes(t), w),
    ),
    (
        rf"{WHO}が終わったのは{TIME}より(後)だった。",
        lambda _, t, w: apart("end", ZERO, minutes(t), w),
    ),
    (rf"{WHO}が終わった時刻は{TIME}だった。", lambda _, t: equal("end", ZERO, minutes(t))),
    (
        rf"{WHO}は{TIME}より(前|後)に(?:届いた|来た|起きた)。",
        lambda a, t, w: apart(a, ZERO, minutes(t), w),
    ),
    (
        rf"{WHO}は{WHO}より(先|後)に[^0-9]*?(?:着いた|出た|終えた|来た)。",
        lambda a, b, w: apart(a, b, 0, w.replace("先", "前")),
    ),
    (
        rf"{TIME}には、{WHO}は開いている。",
        lambda t, _: apart("open", ZERO, minutes(t), "前") + apart("close", ZERO, minutes(t), "後"),
    ),
    (rf"{WHO}のほうが{WHO}より(長い|短い)。", lambda a, b, w: apart(a, b, 0, w)),
    (
        rf"{WHO}が電車を降りたのは{TIME}より(前|後)だった。",
        lambda _, t, w: apart("off", ZERO, minutes(t), w),
    ),
    (rf"{WHO}が電車を降りた時刻は{TIME}だった。", lambda _, t: equal("off", ZERO, minutes(t))),
    (rf"{WHO}が作文を出したのは{DAY}だった。", lambda a, d: equal(a, ZERO, ordinal(d))),
    (
        rf"{WHO}が作文を出したのは{DAY}より(前|後)だった。",
        lambda a, d, w: apart(a, ZERO, ordinal(d), w),
    ),
    (
        rf"{WHO}が行われた日数は、初日と最終日を含めて(\d+)日だった。",
        lambda _, n: equal("last", "first", int(n) - 1),
    ),
    (rf"{WHO}は{WHO}より(前|後)に完成した。", lambda a, b, w: apart(a, b, 0, w)),
    (rf"{WHO}が完成したのは(\d+)年だった。", lambda a, y: equal(a, ZERO, int(y))),
    (
        rf"{WHO}が{WHO}を終えたのは{TIME}より(前|後)だった。",
        lambda _, a, t, w: apart("done", ZERO, minutes(t), w),
    ),
    (
        rf"{WHO}が眠っていた時間は{SPAN}より(長い|短い)。",
        lambda _, d, w: apart("sleep", ZERO, length(d), w),
    ),
    (
        rf"{WHO}が眠っていた時間はちょうど{SPAN}だった。",
        lambda _, d: equal("sleep", ZERO, length(d)),
    ),
    (
        rf"電話がかかってきたとき、{WHO}はまだ始まっていなかった。",
        lambda _: apart("call", "begin", 0, "前"),
    ),
    (
        rf"電話がかかってきたとき、{WHO}はもう終わっていた。",
        lambda _: apart("call", "end", 0, "後"),
    ),
    (
        rf"{WHO}の最中に電話がかかってきた。",
        lambda _: apart("call", "begin", 0, "後") + apart("call", "end", 0, "前"),
    ),
]


def parse(
    text: str, table: list[tuple[str, Callable[..., list[Constraint]]]]
) -> tuple[list[Constraint], str]:
    """The constraints of the one row of a table that matches all of a sentence, and its first
    group."""
    found = [(match, act) for row, act in table if (match := re.fullmatch(row, text))]
    assert len(found) == 1, (text, len(found))
    match, act = found[0]
    return act(*match.groups()), match[1] if match.groups() else ""


def shortest(constraints: Iterable[Constraint]) -> dict[tuple[str, str], int]:
    """The least upper bound of x - y that follows, for each pair (x, y) that has one."""
    bound: dict[tuple[str, str], int] = {}
    for x, y, c in constraints:
        bound[x, y] = min(c, bound.get((x, y), c))
    names = {name for pair in bound for name in pair}
    for k in names:
        for i in names:
            for j in names:
                if (i, k) in bound and (k, j) in bound:
                    way = bound[i, k] + bound[k, j]
                    bound[i, j] = min(way, bound.get((i, j), way))
    assert all(bound[name, name] >= 0 for name in names if (name, name) in bound)
    return bound


def follows(text: str) -> bool:
    premise, hypothesis = text.removeprefix("前提：").split("\n仮説：")
    constraints: list[Constraint] = []
    subject = ""
    for sentence in re.findall(r"[^。]+。", premise):
        found, first = parse(sentence, PREMISES)
        # その～年前 counts from the building of the sentence before.
        constraints += [
            (subject if x == "before" else x, subject if y == "before" else y, c)
            for x, y, c in found
        ]
        subject = first or subject
    bound = shortest(constraints)
    if weekday := re.fullmatch(rf"同じ年の{DAY}は(.)曜日だった。", hypothesis):
        return (ordinal(weekday[1]) - bound["monday", ZERO]) % 7 == WEEKDAYS.index(weekday[2])
    if closed := re.fullmatch(rf"{TIME}には、{WHO}は閉まっている。", hypothesis):
        time = minutes(closed[1])
        opens, closes = bound["open", ZERO], bound["close", ZERO]
        assert time not in (opens, closes)
        return not opens < time < closes
    wanted, _ = parse(hypothesis, HYPOTHESES)
    return all((x, y) in bound and bound[x, y] <= c for x, y, c in wanted)


def test_nli_time_golds_follow_from_the_premises() -> None:
    for sample in samples("nli_time"):
        assert follows(sample["input"]) == (sample["output"] == "はい"), sample["input"]


# order_sets: facts are read from the text by patterns, then the question picks from them.


def group(pattern: str, text: str) -> list[str]:
    match = re.search(pattern, text)
    assert match is not None, (pattern, text)
    return list(match.groups())


def words(text: str) -> list[str]:
    return text.split("、")


def bought(text: str, question: str) -> list[str]:
    owners = {who: words(what) for who, what in re.findall(r"([^。]+?)は([^。]+?)を買った。", text)}
    if gift := re.search(r"([^。、]+)は買った物のうち(.+?)だけを(.+?)にあげた。", text):
        owners[gift[1]].remove(gift[2])
        owners[gift[3]].append(gift[2])
        (who,) = group(
            r"^店で買った物のうち、やり取りの後に(.+)が持っている物は何ですか。$", question
        )
        return owners[who]
    who, other = group(r"^(.+)は買い、(.+)は買わなかった物は何ですか。$", question)
    return [thing for thing in owners[who] if thing not in owners[other]]


def stops(text: str, question: str) -> list[str]:
    stations = words(group(r"始発駅から順に(.+?)である。", text)[0])
    passed = words(group(r"急行列車は([^。]+)を通過し", text)[0])
    assert set(passed) <= set(stations)
    express = [station for station in stations if station not in passed]
    if after := re.search(
        r"^急行列車が停車する駅のうち、(.+)より後にある駅はどこですか。$", question
    ):
        later = stations[stations.index(after[1]) + 1 :]
        return [station for station in express if station in later]
    if question == "特急列車が停車する駅はどこですか。":
        (skipped,) = group(r"急行列車が停車する駅のうち(.+?)だけを通過し", text)
        assert skipped in express
        return [station for station in express if station != skipped]
    assert question == "急行列車が停車する駅はどこですか。"
    return express


def within(text: str, question: str) -> list[str]:
    (listed,) = group(r"^(?:駅からの道のり|食堂の値段)は、(.+)である。$", text)
    pairs = [group(r"^(.+)が(\d+)(?:メートル|円)$", part) for part in words(listed)]
    values = {name: int(value) for name, value in pairs}
    bounds: list[tuple[str, Callable[..., bool]]] = [
        (r"が(\d+)メートル以下の", lambda value, a: value <= a),
        (r"が(\d+)メートルより長い", lambda value, a: value > a),
        (r"^(\d+)円以下の", lambda value, a: value <= a),
        (r"^(\d+)円以上の", lambda value, a: value >= a),
        (r"^(\d+)円より高く、(\d+)円より安い", lambda value, a, b: a < value < b),
    ]
    ((match, holds),) = [
        (match, holds) for row, holds in bounds if (match := re.search(row, question))
    ]
    return [name for name, value in values.items() if holds(value, *map(int, match.groups()))]


def members(text: str, question: str) -> list[str]:
    clubs = {
        club: words(people)
        for club, people in re.findall(r"([^。]+?)の部員は([^。]+?)で全員である。", text)
    }
    assert len(clubs) == 2
    if both := re.search(r"^(.+)と(.+)の両方に入っている人は誰ですか。$", question):
        return [person for person in clubs[both[1]] if person in clubs[both[2]]]
    (only,) = group(r"^(.+)だけに入っている人は誰ですか。$", question)
    (other,) = clubs.keys() - {only}
    return [person for person in clubs[only] if person not in clubs[other]]


def lacking(text: str, question: str) -> list[str]:
    needed = words(group(r"要る物は、(.+?)である。", text)[0])
    ready = words(group(r"このうち(.+?)を用意した。", text)[0])
    assert set(ready) < set(needed)
    if thrown := re.search(r"用意した物のうち(.+?)は古くて使えない", text):
        ready.remove(thrown[1])
    assert "用意していない" in question or "用意しなければならない" in question
    return [thing for thing in needed if thing not in ready]


def opened(text: str, question: str) -> list[str]:
    rows = re.findall(r"(?:^商店街の|、)([^、]+?)は毎週([^、]+?)が休みで", text)
    assert len(rows) == 2
    closed = {shop: days.split("と") for shop, days in rows}
    week = [f"{day}曜日" for day in WEEKDAYS]
    if both := re.search(r"^(.+)と(.+)の両方が開いているのは何曜日ですか。$", question):
        return [day for day in week if day not in closed[both[1]] + closed[both[2]]]
    first, second = group(r"^(.+)が開いていて(.+)が休みなのは何曜日ですか。$", question)
    return [day for day in week if day not in closed[first] and day in closed[second]]


def basket(text: str, question: str) -> list[str]:
    assert question == "最後にかごに入っている物は何ですか。"
    inside: list[str] = []
    told = re.sub("次に|最後に(?:、思い直してもう一度)?", "", text.split("かごに")[1])
    steps = re.findall(r"([^。]+?)を(棚に戻し|入れ)(?:、|た。)", told)
    assert len(steps) == told.count("棚に戻し") + told.count("入れた")
    for things, step in steps:
        for thing in words(things):
            if step == "入れ":
                assert thing not in inside
                inside.append(thing)
            else:
                inside.remove(thing)
    return inside


def pupils(text: str, question: str) -> list[str]:
    rows = re.findall(r"([^。]+?)は(\d)年生で、([^。]+?)通学している。", text)
    assert len(rows) == 5
    if either := re.search(r"^(\d)年生か、(.+)通学しているか、少なくとも一方に", question):
        return [who for who, grade, way in rows if grade == either[1] or way == either[2]]
    way, verb = group(r"^(.+)通学して(いる|いない)人は誰ですか。$", question)
    return [who for who, _, mine in rows if (mine == way) == (verb == "いる")]


def events(text: str, question: str) -> list[str]:
    (listed,) = group(r"^文化会館の催しが始まる時刻は、(.+)である。$", text)
    pairs = [group(rf"^(.+)が{TIME}$", part) for part in words(listed)]
    starts = {event: minutes(time) for event, time in pairs}
    if question == "午前に始まる催しは何ですか。":
        return [event for event, start in starts.items() if start < 720]
    time, word = group(rf"^{TIME}より(前|後)に始まる催しは何ですか。$", question)
    border = minutes(time)
    return [
        event
        for event, start in starts.items()
        if (start < border if word == "前" else start > border)
    ]


READERS: list[tuple[str, Callable[[str, str], list[str]]]] = [
    ("を買った。", bought),
    ("この路線の駅", stops),
    ("駅からの道のり", within),
    ("食堂の値段", within),
    ("の部員は", members),
    ("キャンプに要る物", lacking),
    ("商店街の", opened),
    ("買い物かごに", basket),
    ("通学している", pupils),
    ("文化会館の催し", events),
]


def test_order_sets_golds_are_read_from_the_text() -> None:
    for sample in samples("order_sets"):
        text, question = sample["input"].removeprefix("文章：").split("\n質問：")
        (reader,) = [reader for sign, reader in READERS if sign in text]
        wanted = reader(text, question)
        gold = sample["output"].split("\n")
        assert len(set(gold)) == len(gold)
        assert sorted(gold) == sorted(wanted), sample["input"]
        assert all(entry in text or entry.endswith("曜日") for entry in gold)
