"""The part of `code_second_solutions` for problems of the kinds fix and program."""

from __future__ import annotations

MENDS: dict[str, str] = {
    "fix/002": """
import re
def is_palindrome_kana(text):
    t = re.sub("[、。 　]", "", text)
    return t == t[::-1]
""",
    "fix/006": """
import unicodedata
def normalize_postcode(text):
    d = [str(unicodedata.digit(c)) for c in text if c.isdigit()]
    return "".join(d[:3]) + "-" + "".join(d[3:]) if len(d) == 7 else ""
""",
    "fix/008": """
def tatami_price(rooms, unit):
    return sum(r * unit - (r * unit // 10 if r >= 8 else 0) for r in rooms)
""",
    "fix/009": """
import re
def parse_duration(text):
    m = re.fullmatch(r"(?:(\\d+)時間)?(?:(\\d+)分)?(?:(\\d+)秒)?", text)
    h, n, s = (int(g or 0) for g in m.groups())
    return (h * 60 + n) * 60 + s
""",
    "fix/010": """
def merge_reservations(slots):
    out = [list(s) for s in slots]
    while True:
        pair = next(((a, b) for a in out for b in out
                     if a is not b and a[0] <= b[1] and b[0] <= a[1]), None)
        if pair is None:
            return sorted(out)
        a, b = pair
        out = [s for s in out if s is not a and s is not b]
        out.append([min(a[0], b[0]), max(a[1], b[1])])
""",
    "fix/011": """
def count_stairs(steps, broken):
    def up(at):
        if at > steps or at in broken:
            return 0
        return 1 if at == steps else up(at + 1) + up(at + 2)
    return up(0)
""",
    "fix/012": """
import re
def wrap_lines(text, width):
    return re.findall(r"(?s).{%d}[、。」]*|.+" % width, text)
""",
    "fix/013": """
from bisect import bisect_left
def longest_rising(heights):
    tails = []
    for h in heights:
        k = bisect_left(tails, h)
        tails[k:k + 1] = [h]
    return len(tails)
""",
    "fix/014": """
def friend_groups(n, pairs):
    groups = [{x} for x in range(n)]
    for a, b in pairs:
        both = set().union(*(g for g in groups if a in g or b in g))
        groups = [g for g in groups if not g & both] + [both]
    return sorted(map(len, groups), reverse=True)
""",
    "fix/015": """
import re
def romaji_to_hiragana(text):
    rows = dict(zip(["", "k", "s", "t", "n", "h", "m", "r"],
                    ["あいうえお", "かきくけこ", "さしすせそ", "たちつてと", "なにぬねの",
                     "はひふへほ", "まみむめも", "らりるれろ"]))
    def one(m):
        c, y, v = m["c"] or "", m["y"], m["v"]
        if v is None:
            return "ん" if m[0] == "n" else "っ" if m["d"] else m[0]
        if y:
            return rows[c][1] + {"a": "ゃ", "u": "ゅ", "o": "ょ"}[v]
        return rows[c]["aiueo".index(v)]
    return re.sub(r"(?P<c>[kstnhmr])?(?P<y>(?<=[kstnhmr])y(?=[auo]))?(?P<v>[aiueo])"
                  r"|(?P<d>(?P<q>.)(?=(?P=q)))|.", one, text)
""",
    "fix/016": """
def ways_to_pay(amount, coins, limit):
    ways = {(0, 0): 1}
    for coin in coins:
        new = {}
        for (total, used), n in ways.items():
            k = 0
            while total + k * coin <= amount and used + k <= limit:
                key = (total + k * coin, used + k)
                new[key] = new.get(key, 0) + n
                k += 1
        ways = new
    return sum(n for (total, _), n in ways.items() if total == amount)
""",
    "program/004": """
h, m = input().split(":")
h, m = int(h), int(m)
print(("午前", "午後")[h > 11] + f"{h % 12}時{m}分")
""",
    "program/006": """
n, k = map(int, input().split())
r = 0
for size in range(2, n + 1):
    r = (r + k) % size
print(r + 1)
""",
    "program/008": """
a, b = [sum(int(x) * y for x, y in zip(t.split(":"), (60, 1))) for t in input().split()]
if b < a:
    b += 24 * 60
h, m = divmod(b - a, 60)
print("%d時間%02d分" % (h, m))
""",
    "program/009": """
words = input().split()[::-1]
def read(ws):
    w = ws.pop(0)
    if w in ("足す", "引く", "掛ける"):
        right = read(ws)
        left = read(ws)
        return left + right if w == "足す" else left - right if w == "引く" else left * right
    return int(w)
print(read(words))
""",
    "program/010": """
h, w = map(int, input().split())
g = ["空" * (w + 2)] + ["空" + input() + "空" for _ in range(h)] + ["空" * (w + 2)]
for y in range(1, h + 1):
    print("".join("雷" if g[y][x] == "雷" else
                  "〇一二三四五六七八"[(g[y - 1][x - 1:x + 2] + g[y][x - 1:x + 2]
                                   + g[y + 1][x - 1:x + 2]).count("雷")]
                  for x in range(1, w + 1)))
""",
    "program/011": """
teams = []
for _ in range(int(input())):
    t, a, b, c = input().split()
    teams.append([-3 * int(a) - int(c), int(b), t])
for i, (p, _, t) in enumerate(sorted(teams)):
    print(i + 1, t, -p)
""",
    "program/012": """
import sys, re
from collections import Counter
c = Counter()
for l in sys.stdin.read().splitlines():
    m = re.fullmatch(r"\\s*([a-z]+)\\s*,\\s*(-?\\d+)\\s*円?\\s*", l)
    if m:
        c[m[1]] += int(m[2])
for k, v in sorted(c.items()):
    if v:
        print(k, v, sep="\\t")
""",
    "program/013": """
h, w = map(int, input().split())
g = {(y, x): c for y in range(h) for x, c in enumerate(input())}
def walk(sources, open_door):
    dist, front = dict.fromkeys(sources, 0), list(sources)
    for y, x in front:
        for q in ((y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)):
            c = g.get(q, "壁")
            if q not in dist and c != "壁" and (open_door or c != "扉"):
                dist[q] = dist[y, x] + 1
                front.append(q)
    return dist
s, = [p for p in g if g[p] == "始"]
e, = [p for p in g if g[p] == "終"]
first = walk([s], False)
options = [first[e]] if e in first else []
for k in g:
    if g[k] == "鍵" and k in first:
        then = walk([k], True)
        if e in then:
            options.append(first[k] + then[e])
print(min(options) if options else "脱出不能")
""",
    "program/014": """
from functools import lru_cache
words = [input() for _ in range(int(input()))]
text = input()
@lru_cache(None)
def best(rest):
    if not rest:
        return (0, ())
    found = [best(rest[len(w):]) + (w,) for w in words if rest.startswith(w)]
    found = [(n + 1, (w,) + t) for n, t, w in found if n < 999]
    return min(found, default=(999, ()))
n, split = best(text)
print("／".join(split) if n < 999 else "分割できません")
""",
    "program/015": """
from functools import lru_cache
def clock(t):
    return int(t.split(":")[0]) * 60 + int(t.split(":")[1])
shows = []
for _ in range(int(input())):
    a, b, s = input().split()
    shows.append((clock(a), clock(b), int(s)))
@lru_cache(None)
def best(now):
    return max([s + best(b) for a, b, s in shows if a >= now], default=0)
print(best(0))
""",
    "program/016": """
log = []
def balance(name):
    return sum(n for move in log for who, n in move if who == name)
for _ in range(int(input())):
    c = input().split()
    if c[0] == "残高":
        print(balance(c[1]))
    elif c[0] == "入金":
        log.append([(c[1], int(c[2]))])
    elif c[0] == "取消":
        if log:
            log.pop()
        else:
            print("取消不可")
    elif balance(c[1]) >= int(c[3]):
        log.append([(c[1], -int(c[3])), (c[2], int(c[3]))])
    else:
        print("残高不足")
""",
}
