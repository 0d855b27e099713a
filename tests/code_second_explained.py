"""The part of `code_second_solutions` for problems of the kind explain."""

from __future__ import annotations

EXPLAINED: dict[str, str] = {
    "explain/001": """
def bath_cost(visits):
    return min(520 * max(visits - 10 * books, 0) + 4500 * books for books in range(visits + 1))
""",
    "explain/002": """
def janken_wins(mine, yours):
    order = "グチパ"
    return sum((order.index(b) - order.index(a)) % 3 == 1 for a, b in zip(mine, yours))
""",
    "explain/003": """
def stamp_card(payments):
    coupons = stamps = 0
    for payment in payments:
        while payment >= 500:
            payment -= 500
            stamps += 1
            if stamps == 10:
                coupons, stamps = coupons + 1, 0
    return [coupons, stamps]
""",
    "explain/004": """
from itertools import cycle, islice
def eto(year):
    names = [a + b for a, b in islice(zip(cycle("甲乙丙丁戊己庚辛壬癸"),
                                          cycle("子丑寅卯辰巳午未申酉戌亥")), 60)]
    while year < 1984:
        year += 60
    return names[(year - 1984) % 60]
""",
    "explain/005": """
import re
def shiritori_loser(words):
    heads, tails = [w[0] for w in words], []
    for w in words:
        last = re.fullmatch("(?s).*?(.)ー?", w)[1]
        tails.append(last.translate(str.maketrans("ゃゅょ", "やゆよ")))
    broken = [k for k, w in enumerate(words) if tails[k] == "ん" or words.index(w) < k]
    broken += [k for k in range(1, len(words)) if heads[k] != tails[k - 1]]
    return min(broken, default=-1) + 1
""",
    "explain/006": """
def with_substitutes(holidays, first_sunday, last):
    out, waiting = [], False
    for day in range(1, last + 1):
        if day in holidays:
            out.append(day)
            waiting = waiting or day in range(first_sunday, last + 1, 7)
        elif waiting:
            out.append(day)
            waiting = False
    return out
""",
    "explain/007": """
def tategaki(text, height):
    while len(text) % height:
        text += "□"
    return [text[row::height][::-1] for row in range(height)]
""",
    "explain/008": """
def sento_peak(visits):
    counts = [(sum(a <= t < b for a, b in visits), -t) for t, _ in visits]
    most, when = max(counts, default=(0, 0))
    return [most, -when]
""",
    "explain/009": """
def shortest_walk(stamps):
    n, want = len(stamps), set(stamps)
    for size in range(1, n + 1):
        for first in range(n - size + 1):
            if set(stamps[first:first + size]) == want:
                return [first + 1, first + size]
""",
    "explain/010": """
def tie_ropes(lengths):
    total, ropes = 0, sorted(lengths, reverse=True)
    while ropes[1:]:
        a, b = ropes.pop(), ropes.pop()
        total += a + b
        ropes = sorted([*ropes, a + b], reverse=True)
    return total
""",
    "explain/011": """
from functools import lru_cache
def ferry_capacity(weights, trips):
    @lru_cache(None)
    def least(start, left):
        if start == len(weights):
            return 0
        if left == 0:
            return float("inf")
        return min(max(sum(weights[start:end]), least(end, left - 1))
                   for end in range(start + 1, len(weights) + 1))
    return least(0, trips)
""",
    "explain/012": """
def search_pages(query, pages):
    python = {"否": "not", "かつ": "and", "または": "or", "（": "(", "）": ")"}
    text = " ".join(python.get(word, f"{word!r} in page") for word in query.split())
    return [at for at, page in enumerate(pages) if eval(text, {"page": page})]
""",
    "explain/013": """
def tatami_layouts(height, width):
    cells = [(y, x) for y in range(height) for x in range(width)]
    found = []
    def fill(mat):
        free = next((c for c in cells if c not in mat), None)
        if free is None:
            found.append(mat)
            return
        y, x = free
        for other in ((y, x + 1), (y + 1, x)):
            if other in cells and other not in mat:
                fill({**mat, free: free, other: free})
    fill({})
    def meet(mat, y, x):
        return len({mat[y, x], mat[y + 1, x], mat[y, x + 1], mat[y + 1, x + 1]}) == 4
    return sum(not any(meet(m, y, x) for y in range(height - 1) for x in range(width - 1))
               for m in found)
""",
    "explain/014": """
from functools import lru_cache
def fill_roles(wishes):
    roles = sorted({role for wish in wishes for role in wish})
    @lru_cache(None)
    def most(person, taken):
        if person == len(wishes):
            return 0
        best = most(person + 1, taken)
        for role in wishes[person]:
            if role not in taken:
                best = max(best, 1 + most(person + 1, taken | {role}))
        return best
    return most(0, frozenset())
""",
}
