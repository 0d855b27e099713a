"""Second solutions to problems of `code-ja`, written from the prompt in another way than the
reference; where the two disagree, the prompt or the reference is wrong."""

from __future__ import annotations

from tests.code_second_explained import EXPLAINED
from tests.code_second_mends import MENDS

FUNCTIONS: dict[str, str] = {
    "function/001": """
from fractions import Fraction
def price_with_tax(price, reduced):
    return int(price + price * Fraction(8 if reduced else 10, 100))
""",
    "function/003": """
def count_even_floors(lowest, highest):
    return sum(f % 2 == 0 for f in set(range(lowest, highest + 1)) - {0})
""",
    "function/005": """
def to_wareki(year):
    era, start = max([("昭和", 1925), ("平成", 1988), ("令和", 2018)],
                     key=lambda e: (year > e[1], e[1]))
    n = year - start
    return f"{era}{n}年".replace(f"{era}1年", f"{era}元年")
""",
    "function/006": """
def to_halfwidth_digits(text):
    return text.translate(str.maketrans("０１２３４５６７８９－", "0123456789-"))
""",
    "function/007": """
def next_train(timetable, now):
    return min([t for t in timetable if t >= now], default="終電後")
""",
    "function/008": """
def abbreviate(text, limit):
    return text if not text[limit:] else text[:limit][:-1] + "…"
""",
    "function/009": """
import re
def parse_kanji_number(text):
    def small(t):
        total = 0
        for mark, size in (("千", 1000), ("百", 100), ("十", 10)):
            if mark in t:
                head, t = t.split(mark)
                total += size * ("一二三四五六七八九".index(head) + 1 if head else 1)
        return total + ("〇一二三四五六七八九".index(t) if t else 0)
    if "万" in text:
        a, b = text.split("万")
        return small(a) * 10000 + small(b)
    return small(text)
""",
    "function/010": """
def best_consecutive(sales, days):
    sums = [(sum(sales[i:i + days]), -i) for i in range(len(sales) - days + 1)]
    best, at = max(sums)
    return [1 - at, best]
""",
    "function/011": """
def rook_moves(file, rank, own, enemy):
    own, enemy = set(map(tuple, own)), set(map(tuple, enemy))
    rays = [[(f, rank) for f in range(file + 1, 10)], [(f, rank) for f in range(file - 1, 0, -1)],
            [(file, r) for r in range(rank + 1, 10)], [(file, r) for r in range(rank - 1, 0, -1)]]
    total = 0
    for ray in rays:
        hit = next((k for k, p in enumerate(ray) if p in own | enemy), None)
        total += len(ray) if hit is None else hit + (ray[hit] in enemy)
    return total
""",
    "function/012": """
import re
def run_length(text):
    return re.sub(r"(.)\\1{2,}", lambda m: m[1] + str(len(m[0])), text, flags=re.S)
""",
    "function/013": """
import re
def calculate(text):
    class N(int):
        def __add__(s, o): return N(int(s) + int(o))
        def __sub__(s, o): return N(int(s) - int(o))
        def __mul__(s, o): return N(int(s) * int(o))
        def __floordiv__(s, o): return N(int(s) // int(o))
    for a, b in zip("＋−×÷（）", ["+", "-", "*", "//", "(", ")"]):
        text = text.replace(a, b)
    return int(eval(re.sub(r"\\d+", lambda m: f"N({int(m[0])})", text), {"N": N}))
""",
    "function/014": """
from functools import lru_cache
def edit_distance_kana(first, second):
    big = dict(zip("ぁぃぅぇぉっゃゅょゎ", "あいうえおつやゆよわ"))
    @lru_cache(None)
    def d(i, j):
        if i == 0 or j == 0:
            return 2 * (i + j)
        a, b = first[i - 1], second[j - 1]
        swap = 0 if a == b else 1 if big.get(a) == b or big.get(b) == a else 2
        return min(d(i - 1, j) + 2, d(i, j - 1) + 2, d(i - 1, j - 1) + swap)
    return d(len(first), len(second))
""",
    "function/015": """
def min_transfer_time(routes, start, goal, transfer):
    best = {(start, None): 0}
    changed = True
    while changed:
        changed = False
        for line, p, q, minutes in routes:
            for a, b in ((p, q), (q, p)):
                for (s, l), t in list(best.items()):
                    if s == a:
                        new = t + minutes + (transfer if l not in (None, line) else 0)
                        if new < best.get((b, line), 10 ** 9):
                            best[b, line] = new
                            changed = True
    return min((t for (s, _), t in best.items() if s == goal), default=-1)
""",
    "function/016": """
def to_kanji_number(n):
    def four(k, one):
        s = ""
        for d, u in zip(f"{k:04d}", ["千", "百", "十", ""]):
            if d != "0":
                bare = d == "1" and (u in ("十", "百") or (u == "千" and not one))
                s += ("" if bare else "〇一二三四五六七八九"[int(d)]) + u
        return s
    a, b, c = n // 10 ** 8, n // 10 ** 4 % 10 ** 4, n % 10 ** 4
    high = four(a, True) + "億" if a else ""
    middle = four(b, True) + "万" if b else ""
    return high + middle + four(c, False) or "〇"
""",
    "complete/005": """
from collections import Counter
def most_common_kana(text):
    c = Counter(x for x in text if 0x3041 <= ord(x) <= 0x3093)
    return sorted(c, key=lambda x: (-c[x], x))[0] if c else ""
""",
    "complete/006": """
def split_bill(total, people):
    return [(total + people - 1 - i) // people for i in range(people)]
""",
    "complete/008": """
import calendar
def days_in_month(year, month):
    return calendar.monthrange(year, month)[1]
""",
    "complete/009": """
import bisect
def first_arrival(times, target):
    return bisect.bisect_left(times, target)
""",
    "complete/010": """
def brackets_ok(text):
    t = "".join(c for c in text if c in "「」『』（）")
    while True:
        n = t.replace("「」", "").replace("『』", "").replace("（）", "")
        if n == t:
            return not t
        t = n
""",
    "complete/011": """
import datetime
def weekday(year, month, day):
    return "月火水木金土日"[datetime.date(year, month, day).weekday()]
""",
    "complete/012": """
def count_islands(rows):
    land = {(y, x) for y, r in enumerate(rows) for x, c in enumerate(r) if c == "島"}
    group = {p: p for p in land}
    changed = True
    while changed:
        changed = False
        for y, x in land:
            for q in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if q in land and group[q] < group[y, x]:
                    group[y, x] = group[q]
                    changed = True
    return len(set(group.values()))
""",
    "complete/013": """
from itertools import combinations
def max_souvenirs(budget, items):
    return max(sum(j for _, j in c) for k in range(len(items) + 1)
               for c in combinations(items, k) if sum(p for p, _ in c) <= budget)
""",
    "complete/014": """
def work_order(tasks, rules):
    left, done = set(tasks), []
    while left:
        free = [t for t in left if not any(b == t and a in left for a, b in rules)]
        if not free:
            return []
        done.append(min(free))
        left.remove(done[-1])
    return done
""",
    "complete/015": """
from functools import lru_cache
def longest_common(first, second):
    @lru_cache(None)
    def size(a, b):
        if not a or not b:
            return 0
        if a[0] == b[0]:
            return 1 + size(a[1:], b[1:])
        return max(size(a[1:], b), size(a, b[1:]))
    out, a, b = "", first, second
    while a and b:
        if a[0] == b[0]:
            out, a, b = out + a[0], a[1:], b[1:]
        elif size(a[1:], b) == size(a, b):
            a = a[1:]
        else:
            b = b[1:]
    return out
""",
    "complete/016": """
def knight_steps(board, start, goal):
    here, seen, steps = {tuple(start)}, set(), 0
    while here:
        if tuple(goal) in here:
            return steps
        seen |= here
        moved = {(r + a, c + b) for r, c in here
                 for a, b in ((-2, 1), (-2, -1), (1, 0), (0, 1), (0, -1))}
        here = {(r, c) for r, c in moved - seen
                if 0 <= r < len(board) and 0 <= c < len(board[0]) and board[r][c] != "壁"}
        steps += 1
    return -1
""",
}

SECOND = {**FUNCTIONS, **MENDS, **EXPLAINED}
