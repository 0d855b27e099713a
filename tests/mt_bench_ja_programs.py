"""Programs for the genre coding of `mt-bench-ja`: a second solution to each turn, written another
way and mostly by brute force, and wrong ones that its hidden tests must refuse."""

from __future__ import annotations

Turn = tuple[str, int]

SECOND: dict[Turn, str] = {
    ("mt-coding-01", 0): """
def count_mora(text):
    full = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろ"
    full += "わゐゑをんがぎぐげござじずぜぞだぢづでどばびぶべぼぱぴぷぺぽっゔ"
    katakana = "".join(chr(ord(kana) + 96) for kana in full)
    return sum(text.count(kana) for kana in full + katakana + "ー")
""",
    ("mt-coding-02", 0): """
def build_rosters(clubs):
    return [list(names) for names in clubs]
""",
    ("mt-coding-02", 1): """
def seat_chart(rows, columns, taken):
    return [
        "".join("済" if [r, c] in taken else "空" for c in range(columns)) for r in range(rows)
    ]
""",
    ("mt-coding-03", 0): """
def longest_stable(temps, k):
    for days in range(len(temps), 0, -1):
        for start in range(len(temps) - days + 1):
            part = sorted(temps[start:start + days])
            if part[-1] - part[0] <= k:
                return days
    return 0
""",
    ("mt-coding-03", 1): """
def longest_stable_span(temps, k):
    for days in range(len(temps), 0, -1):
        for start in range(len(temps) - days + 1):
            part = temps[start:start + days]
            if None not in part and max(part) - min(part) <= k:
                return [start, days]
    return [-1, 0]
""",
    ("mt-coding-04", 0): """
import calendar


def nth_weekday(year, month, weekday, n):
    column = "月火水木金土日".index(weekday)
    days = [week[column] for week in calendar.monthcalendar(year, month) if week[column]]
    return "%04d-%02d-%02d" % (year, month, days[n - 1]) if n <= len(days) else None
""",
    ("mt-coding-04", 1): """
import datetime


def substitute_days(holidays):
    numbers = [datetime.datetime.strptime(day, "%Y-%m-%d").toordinal() for day in holidays]
    free = []
    for sunday in sorted(number for number in numbers if number % 7 == 0):
        free.append(min(set(range(sunday + 1, sunday + 400)) - set(numbers) - set(free)))
    return [str(datetime.date.fromordinal(number)) for number in sorted(free)]
""",
    ("mt-coding-05", 0): """
def edit(commands):
    kept = []
    for command in commands:
        if command != ["戻す"]:
            kept.append(command)
        else:
            kept = kept[:-1]
    letters = []
    for name, what in kept:
        if name == "書く":
            letters.extend(what)
        else:
            for _ in range(min(what, len(letters))):
                letters.pop()
    return "".join(letters)
""",
    ("mt-coding-05", 1): """
def edit(commands):
    done, length = [], 0
    for command in commands:
        if command == ["戻す"]:
            length = max(0, length - 1)
        elif command == ["やり直す"]:
            length = min(len(done), length + 1)
        else:
            done = done[:length] + [command]
            length += 1
    letters = []
    for name, what in done[:length]:
        if name == "書く":
            letters.extend(what)
        else:
            for _ in range(min(what, len(letters))):
                letters.pop()
    return "".join(letters)
""",
    ("mt-coding-06", 0): """
def least_snow(grid):
    cells = {(r, c): int(x) for r, row in enumerate(grid) for c, x in enumerate(row) if x != "#"}
    far = 10**9
    total = {cell: far for cell in cells}
    if (0, 0) in cells:
        total[0, 0] = cells[0, 0]
    for _ in cells:
        for (r, c), depth in cells.items():
            for near in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                total[r, c] = min(total[r, c], total.get(near, far) + depth)
    found = total.get((len(grid) - 1, len(grid[0]) - 1), far)
    return found if found < far else -1
""",
    ("mt-coding-06", 1): """
def least_snow_with_plow(grid):
    far = 10**9

    def least(cells):
        total = {cell: far for cell in cells}
        total[0, 0] = cells[0, 0]
        changed = True
        while changed:
            changed = False
            for (r, c), depth in cells.items():
                for near in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                    if total.get(near, far) + depth < total[r, c]:
                        total[r, c] = total[near] + depth
                        changed = True
        return total.get((len(grid) - 1, len(grid[0]) - 1), far)

    cells = {(r, c): int(x) for r, row in enumerate(grid) for c, x in enumerate(row) if x != "#"}
    if (0, 0) not in cells:
        return -1
    found = min(least({**cells, cell: 0}) for cell in cells)
    return found if found < far else -1
""",
    ("mt-coding-07", 0): """
def sort_readings(words):
    rows = "あぁ いぃ うぅ えぇ おぉ かが きぎ くぐ けげ こご さざ しじ すず せぜ そぞ ただ "
    rows += "ちぢ つづっ てで とど な に ぬ ね の はばぱ ひびぴ ふぶぷ へべぺ ほぼぽ ま み む "
    rows = (rows + "め も やゃ ゆゅ よょ ら り る れ ろ わゎ ゐ ゑ を ん").split()
    place = {kana: number for number, row in enumerate(rows) for kana in row}
    order = []
    for word in words:
        at = len(order)
        while at and [place[k] for k in order[at - 1]] > [place[k] for k in word]:
            at -= 1
        order.insert(at, word)
    return order
""",
    ("mt-coding-07", 1): """
def sort_readings(words):
    rows = "あぁ いぃ うぅ えぇ おぉ かが きぎ くぐ けげ こご さざ しじ すず せぜ そぞ ただ "
    rows += "ちぢ つづっ てで とど な に ぬ ね の はばぱ ひびぴ ふぶぷ へべぺ ほぼぽ ま み む "
    rows = (rows + "め も やゃ ゆゅ よょ ら り る れ ろ わゎ ゐ ゑ を ん").split()
    vowels = "あいうえお" * 7 + "あうお" + "あいうえお" + "あいえおん"
    place = {kana: number for number, row in enumerate(rows) for kana in row}
    voiced = {kana: 1 for kana in "がぎぐげござじずぜぞだぢづでどばびぶべぼ"}
    voiced.update({kana: 2 for kana in "ぱぴぷぺぽ"})

    def spelt(word):
        out = ""
        for kana in word:
            out += vowels[place[out[-1]]] if kana == "ー" else kana
        return out

    def before(a, b):
        a, b = spelt(a), spelt(b)
        for sort in (place, voiced):
            left = [sort.get(kana, 0) for kana in a]
            right = [sort.get(kana, 0) for kana in b]
            if left != right:
                return left < right
        return False

    order = []
    for word in words:
        at = len(order)
        while at and before(word, order[at - 1]):
            at -= 1
        order.insert(at, word)
    return order
""",
    ("mt-coding-08", 0): """
def number_outline(items):
    lines = []
    for position, (level, title) in enumerate(items):
        numbers = []
        for depth in range(1, level + 1):
            start = max([i for i in range(position) if items[i][0] < depth], default=-1)
            numbers.append(sum(items[i][0] == depth for i in range(start + 1, position + 1)))
        lines.append(".".join(str(n) for n in numbers) + " " + title)
    return lines
""",
    ("mt-coding-08", 1): """
def number_outline(items):
    lines, start, letters = [], 0, False
    for position, (level, title) in enumerate(items):
        if level == 0:
            start, letters = position + 1, True
            lines.append(title)
            continue
        part = items[start:position + 1]
        numbers = []
        for depth in range(1, level + 1):
            since = max([i for i, one in enumerate(part) if one[0] < depth], default=-1)
            numbers.append(sum(one[0] == depth for one in part[since + 1:]))
        first = " ABCDEFGHIJKLMNOPQRSTUVWXYZ"[numbers[0]] if letters else str(numbers[0])
        first = "0" if numbers[0] == 0 else first
        lines.append(".".join([first, *map(str, numbers[1:])]) + " " + title)
    return lines
""",
    ("mt-coding-09", 0): """
from itertools import combinations


def best_points(shows):
    best = 0
    for size in range(len(shows) + 1):
        for chosen in combinations(sorted(shows), size):
            if all(a[1] <= b[0] for a, b in zip(chosen, chosen[1:])):
                best = max(best, sum(show[2] for show in chosen))
    return best
""",
    ("mt-coding-09", 1): """
from itertools import combinations


def best_points_with_walk(shows, walk):
    best = 0
    for size in range(len(shows) + 1):
        for chosen in combinations(sorted(shows), size):
            steps = zip(chosen, chosen[1:])
            if all(a[1] + walk * (a[3] != b[3]) <= b[0] for a, b in steps):
                best = max(best, sum(show[2] for show in chosen))
    return best
""",
    ("mt-coding-10", 1): """
def prices(price, rates):
    return [(price * 100 - price * rate) // 100 for rate in rates]
""",
    ("mt-coding-12", 0): """
import sys

lines = [line.split() for line in sys.stdin]
for end, (kind, number, time) in enumerate(lines):
    if kind == "出":
        start = max(i for i in range(end) if lines[i][1] == number)
        (h0, m0), (h1, m1) = (map(int, lines[i][2].split(":")) for i in (start, end))
        stay, fee = (h1 - h0) * 60 + m1 - m0, 0
        while stay > 60 and fee < 500:
            stay, fee = stay - 30, fee + 50
        print(f"{number} {fee}")
""",
    ("mt-coding-12", 1): """
import sys

now, inside = 0, {}
for line in sys.stdin.read().splitlines():
    kind, number, time = line.split(" ")
    while "%02d:%02d" % (now // 60 % 24, now % 60) != time:
        now += 1
    if kind == "入" and number not in inside:
        inside[number] = now
    elif kind == "出" and number in inside:
        stay, fee = now - inside.pop(number), 0
        while stay > 60 and fee < 500:
            stay, fee = stay - 30, fee + 50
        print(number, fee)
    else:
        print(number, "エラー")
print(f"残り {len(inside)}")
""",
}
SECOND["mt-coding-01", 1] = (
    SECOND["mt-coding-01", 0]
    + """

def classify_haiku(lines):
    first, second, third = (count_mora(line) for line in lines)
    if (first, second, third) == (5, 7, 5):
        return "定型"
    over = first + second + third - 17
    return "字余り" if over > 0 else "字足らず" if over else "句またがり"
"""
)

# What is changed in the reference to make a mistake that people make.
WRONG: dict[Turn, list[tuple[str, str]]] = {
    ("mt-coding-01", 0): [
        ('"ぁぃぅぇぉゃゅょゎァ', '"ぁぃぅぇぉっゃゅょゎァ'),
        (' or letter == "ー"', ""),
        ("is_kana and letter", "letter"),
    ],
    ("mt-coding-01", 1): [
        ("counts == [5, 7, 5]", "sum(counts) == 17"),
        ("total > 17", "total >= 17"),
    ],
    ("mt-coding-02", 0): [("roster=None", "roster=[]")],
    ("mt-coding-02", 1): [("chart[row][column]", "chart[column][row]")],
    ("mt-coding-03", 0): [
        ("> k", ">= k"),
        ("            if highs[0] < start:\n                highs.popleft()\n", ""),
    ],
    ("mt-coding-03", 1): [
        ("start + 1 > best_length", "start + 1 >= best_length"),
        ("            start = end + 1\n", ""),
        ("            lows.clear()\n", ""),
    ],
    ("mt-coding-04", 0): [("7 * (n - 1)", "7 * n"), (" % 7", "")],
    ("mt-coding-04", 1): [
        ("while day in taken", "if day in taken"),
        ("        taken.add(day)\n", ""),
        ("!= 6", "!= 5"),
    ],
    ("mt-coding-05", 0): [
        ("text[: max(0, len(text) - command[1])]", "text[: -command[1]]"),
        ("            if history:\n                text", "            text"),
    ],
    ("mt-coding-05", 1): [
        ("            undone.clear()\n", ""),
        ("history.append(text)\n                text = undone", "text = undone"),
    ],
    ("mt-coding-06", 0): [
        ("((row - 1, column), (row + 1, column), (row, column - 1), ", "((row + 1, column), "),
        ("int(grid[0][0])}", "0}"),
    ],
    ("mt-coding-06", 1): [
        (", (0, 0, True): 0}", "}"),
        ("if not used:", "if True:"),
    ],
    ("mt-coding-07", 0): [
        ("key=plain", "key=lambda word: (plain(word), word)"),
        ("kept.translate(SMALL)", "kept"),
    ],
    ("mt-coding-07", 1): [
        ("return bases, marks", "return list(zip(bases, marks))"),
        ("return bases, marks", "return bases"),
        ("VOWEL[bases[-1]], 0", '"ー", 0'),
    ],
    ("mt-coding-08", 0): [("        del counters[level:]\n", "")],
    ("mt-coding-08", 1): [
        (' if counters[0] else "0"', ""),
        ("            counters = []\n", ""),
    ],
    ("mt-coding-09", 0): [
        ("bisect_right(", "bisect_left("),
        ("lambda show: show[1]", "lambda show: show[0]"),
    ],
    ("mt-coding-09", 1): [
        ("0 if other_venue == venue else walk", "walk"),
        ("max(best, default=0)", "best[-1] if best else 0"),
    ],
    ("mt-coding-10", 1): [("make_one(rate) for", "make_one(rates[-1]) for")],
    ("mt-coding-12", 0): [
        ("(over + 29) // 30", "over // 30"),
        ("min(500, (over + 29) // 30 * 50)", "(over + 29) // 30 * 50"),
        (" - 60)", ")"),
    ],
    ("mt-coding-12", 1): [
        ("    last = clock\n", ""),
        ("        day += 1\n", "        day = 1\n"),
        ('print("残り", len(entered))\n', 'if entered:\n    print("残り", len(entered))\n'),
    ],
}

# Mutants of a reference (see `code_mutants`) that do what it does for every input allowed.
EQUIVALENT: dict[Turn, set[str]] = {
    # ぁ and ァ are small and not counted anyway.
    ("mt-coding-01", 0): {"7:19: LtE → Lt", "7:47: LtE → Lt"},
    ("mt-coding-01", 1): {"7:19: LtE → Lt", "7:47: LtE → Lt"},
    # The first member then joins a list that the loop has just made.
    ("mt-coding-02", 0): {"14:28: 0 -1"},
    # Of equal values the earlier may stay in the queue.
    ("mt-coding-03", 0): {"8:25: LtE → Lt", "11:24: GtE → Gt"},
    ("mt-coding-03", 1): {"14:25: LtE → Lt", "17:24: GtE → Gt"},
    # The holiday itself is taken, so the search goes on to the next day.
    ("mt-coding-04", 1): {"10:40: 1 -1"},
    # A command's name is all that is left of it, or stands at the same place from behind.
    ("mt-coding-05", 0): {"5:20: 0 -1"},
    ("mt-coding-05", 1): {"6:20: 0 -1", "10:22: 0 -1"},
    # All rows are equally long; an equal way may be kept as well.
    ("mt-coding-06", 0): {"5:41: 0 -1", "20:49: 1 +1"},
    ("mt-coding-06", 1): {"5:41: 0 -1", "24:63: 1 +1"},
    # Any number above 1 will do.
    ("mt-coding-07", 1): {"12:33: 2 +1"},
    # A show does not end before it begins.
    ("mt-coding-09", 1): {"6:24: range argument 0 +1"},
    # Less than one step of 30 minutes; days and times shifted alike.
    ("mt-coding-12", 0): {"17:16: 0 -1"},
    ("mt-coding-12", 1): {
        "10:13: 0 +1",
        "10:13: 0 -1",
        "10:16: 0 +1",
        "10:16: 0 -1",
        "25:20: 0 -1",
    },
}
