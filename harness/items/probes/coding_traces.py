"""Coding probes without Python: operations on stacks, queues and tables, and Japanese
pseudo-code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.items.probes.coding_program import INTEGER, Traced
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import KANA_WORDS


@dataclass(frozen=True)
class Operations:
    """A list of operations in Japanese, what is asked at the end, and its value."""

    text: str
    asked: str
    answer: int


_LAST_TAKEN = "最後に取り出された値"
_NEXT = "次に1個取り出すときに出てくる値"
_TOTAL = "残っている値の合計"


def _stack_or_queue(draw: Draw, level: int) -> Operations:
    """Putting in and taking out; what is taken is the last put in (stack) or the first (queue)."""
    is_stack = draw.random() < 0.5
    name, put = ("スタック", "積む") if is_stack else ("キュー", "入れる")
    held = draw.sample(range(1, 100), (2, 3, 3)[level - 1])
    text = f"空の{name}に{'、'.join(map(str, held))}の順に{put}。"
    taken = 0
    for number in range((1, 3, 6)[level - 1]):
        if held and (number == 0 or draw.random() < 0.5):
            count = 1 if level < 3 or len(held) < 3 else draw.randint(1, 2)
            for _ in range(count):
                taken = held.pop() if is_stack else held.pop(0)
            text += f"{count}個取り出す。"
        else:
            new = draw.randint(1, 99)
            held.append(new)
            text += f"{new}を{put}。"
    asked = [(_LAST_TAKEN, taken)]
    if held:
        asked.append((_NEXT, held[-1] if is_stack else held[0]))
    if len(held) > 1:
        asked.append((_TOTAL, sum(held)))
    return Operations(text, *draw.choice(asked))


def _two_holders(draw: Draw) -> Operations:
    """A stack S and a queue Q; values also go from one to the other."""
    stack, queue = draw.sample(range(1, 50), 3), draw.sample(range(50, 100), 3)
    text = (
        f"空のスタックSに{'、'.join(map(str, stack))}の順に積む。"
        f"空のキューQに{'、'.join(map(str, queue))}の順に入れる。"
    )
    for _ in range(5):
        kind = draw.choice(("S→Q", "Q→S", "S", "Q"))
        if kind == "S→Q" and stack:
            queue.append(stack.pop())
            text += "Sから1個取り出し、それをQに入れる。"
        elif kind == "Q→S" and queue:
            stack.append(queue.pop(0))
            text += "Qから1個取り出し、それをSに積む。"
        elif kind == "S":
            stack.append(new := draw.randint(1, 99))
            text += f"Sに{new}を積む。"
        else:
            queue.append(new := draw.randint(1, 99))
            text += f"Qに{new}を入れる。"
    asked = [("Sに残っている値の合計", sum(stack)), ("Qに残っている値の合計", sum(queue))]
    if stack:
        asked.append(("次にSから1個取り出すときに出てくる値", stack[-1]))
    if queue:
        asked.append(("次にQから1個取り出すときに出てくる値", queue[0]))
    return Operations(text, *draw.choice(asked))


def _table(draw: Draw) -> Operations:
    """A table of words (a dict): values are set, changed, copied and removed."""
    words = draw.entities(KANA_WORDS, 4)
    table: dict[str, int] = {}
    text = "空の辞書がある（同じ語には上書きする）。"
    for word in words[:3]:
        table[word] = draw.randint(2, 30)
        text += f"「{word}」に{table[word]}を登録する。"
    for _ in range(6):
        word, other = draw.sample(words, 2)
        k = draw.randint(2, 9)
        kind = draw.choice(("add", "times", "copy", "remove", "absent"))
        if kind == "add" and word in table:
            table[word] += k
            text += f"「{word}」の値を{k}増やす。"
        elif kind == "times" and word in table:
            table[word] *= 2
            text += f"「{word}」の値を2倍にする。"
        elif kind == "copy" and other in table:
            table[word] = table[other]
            text += f"「{word}」に「{other}」と同じ値を登録する。"
        elif kind == "remove" and word in table and len(table) > 2:
            del table[word]
            text += f"「{word}」を削除する。"
        else:
            table.setdefault(word, k)
            text += f"「{word}」が未登録なら{k}を登録する。"
    asked = [("登録されている値の合計", sum(table.values()))]
    asked += [(f"「{word}」の値", value) for word, value in table.items()]
    return Operations(text, *draw.choice(asked))


def _structure(draw: Draw, level: int) -> Problem:
    """1 to 3: a stack or a queue, ever more operations. 4: a stack and a queue. 5: a table."""
    if level <= 3:
        operations = _stack_or_queue(draw, level)
    else:
        operations = _two_holders(draw) if level == 4 else _table(draw)
    return Problem(
        slots={"operations": operations.text, "asked": operations.asked},
        content=f"structure|{operations.text}|{operations.asked}",
        answer=str(operations.answer),
        format=INTEGER,
        metric="number",
    )


_NAMES = (
    ("x", ("kei", "goukei", "kekka", "atai", "x")),
    ("y", ("kazu", "kaisu", "hosu", "y", "w")),
    ("a", ("Data", "Tensu", "Kakaku", "Hairetsu")),
)
# What a sign means, where a procedure has it.
_NOTES = {
    "÷": "÷は割り算の商（整数）を表す。",
    "％": "％は割り算の余りを表す。",
    "[": "配列の添字は0から始まる。",
}


def _repeat(low: int | str, high: int | str, step: int = 1, name: str = "i") -> str:
    """The head of a counting loop; a negative step counts down."""
    way = "減らし" if step < 0 else "増やし"
    return f"{name} を {low} から {high} まで {abs(step)} ずつ{way}ながら繰り返す："


def _counting(draw: Draw) -> Traced:
    x, low, rounds, k = (
        draw.randint(0, 9),
        draw.randint(1, 5),
        draw.randint(2, 4),
        draw.randint(2, 5),
    )
    step = draw.choice((1, 1, 2))
    numbers = range(low, low + rounds * step + 1, step)
    text, add = draw.choice([("x + i", 1), (f"x + i × {k}", k), ("x - i", -1)])
    program = f"x ← {x}\n{_repeat(low, numbers[-1], step)}\n｜ x ← {text}\n表示する(x)"
    return Traced(program, x + add * sum(numbers))


def _counting_with_condition(draw: Draw) -> Traced:
    x, k = draw.randint(0, 9), draw.randint(2, 4)
    low, high, rest = draw.randint(1, 3), draw.randint(7, 12), draw.randrange(k)
    if draw.random() < 0.5:
        total = x + sum(i if i % k == rest else 0 for i in range(low, high + 1))
        inner = f"｜ もし i ％ {k} ＝ {rest} ならば：\n｜ ｜ x ← x + i"
        head = _repeat(low, high)
    else:
        bound = draw.randint(4, 6)
        total = x
        for i in range(high, low - 1, -1):
            total = total + i if i > bound else total - k
        inner = (
            f"｜ もし i > {bound} ならば：\n｜ ｜ x ← x + i\n｜ そうでなければ：\n｜ ｜ x ← x - {k}"
        )
        head = _repeat(high, low, -1)
    return Traced(f"x ← {x}\n{head}\n{inner}\n表示する(x)", total)


def _while(draw: Draw) -> Traced:
    kind = draw.randrange(3)
    if kind == 0:
        x, k, c, limit = (
            draw.randint(low, high) for low, high in ((1, 6), (2, 3), (1, 9), (50, 250))
        )
        value, rounds = x, 0
        while value < limit:
            value, rounds = value * k + c, rounds + 1
        body = f"x ← {x}\ny ← 0\nx < {limit} の間、繰り返す：\n｜ x ← x × {k} + {c}\n｜ y ← y + 1"
        name, answer = draw.choice([("x", value), ("y", rounds)])
        return Traced(f"{body}\n表示する({name})", answer)
    x, k = draw.randint(50, 999), draw.randint(2, 9)
    if kind == 1:
        rest, digits = x, 0
        while rest > 0:
            rest, digits = rest // k, digits + rest % k
        body = f"x ← {x}\ny ← 0\nx > 0 の間、繰り返す：\n｜ y ← y + x ％ {k}\n｜ x ← x ÷ {k}"
        return Traced(f"{body}\n表示する(y)", digits)
    factor = draw.randint(2, 12)
    x, y = factor * draw.randint(5, 20), factor * draw.randint(2, 9)
    first, second = x, y
    while first != second:
        first, second = (first - second, second) if first > second else (first, second - first)
    body = (
        f"x ← {x}\ny ← {y}\nx ≠ y の間、繰り返す：\n｜ もし x > y ならば：\n｜ ｜ x ← x - y\n"
        "｜ そうでなければ：\n｜ ｜ y ← y - x"
    )
    return Traced(f"{body}\n表示する(x)", first)


def _array(draw: Draw) -> Traced:
    values = draw.sample(range(1, 60), 6)
    kind, k = draw.randrange(3), draw.randint(2, 4)
    start = f"a ← {values}\n"
    if kind == 0:
        program = (
            f"{start}x ← a[0]\ny ← 0\n{_repeat(1, 5)}\n｜ もし a[i] > x ならば：\n"
            "｜ ｜ x ← a[i]\n｜ ｜ y ← y + 1\n"
        )
        records = sum(value > max(values[:i]) for i, value in enumerate(values) if i)
        return Traced(program + "表示する(x + y)", max(values) + records)
    if kind == 1:
        bound = draw.choice(values)
        program = (
            f"{start}x ← 0\n{_repeat(0, 5)}\n"
            f"｜ もし a[i] ≧ {bound} または a[i] ％ {k} ＝ 0 ならば：\n"
            "｜ ｜ x ← x + a[i] - i\n表示する(x)"
        )
        kept = [value - i for i, value in enumerate(values) if value >= bound or value % k == 0]
        return Traced(program, sum(kept))
    answer, n = list(values), draw.randint(3, 5)
    for i in range(1, 6):
        answer[i] = answer[i - 1] + answer[i] if answer[i] % 2 else answer[i] - answer[i - 1]
    program = (
        f"{start}{_repeat(1, 5)}\n｜ もし a[i] ％ 2 ＝ 1 ならば：\n｜ ｜ a[i] ← a[i - 1] + a[i]\n"
        f"｜ そうでなければ：\n｜ ｜ a[i] ← a[i] - a[i - 1]\n表示する(a[{n}])"
    )
    return Traced(program, answer[n])


def _nested(draw: Draw) -> Traced:
    kind, k = draw.randrange(3), draw.randint(2, 3)
    values = draw.sample(range(1, 40), 5)
    if kind == 0:  # inversions
        program = (
            f"a ← {values}\nx ← 0\n{_repeat(0, 3)}\n｜ {_repeat('i + 1', 4, name='j')}\n"
            "｜ ｜ もし a[i] > a[j] ならば：\n｜ ｜ ｜ x ← x + 1\n表示する(x)"
        )
        pairs = [(i, j) for i in range(4) for j in range(i + 1, 5)]
        return Traced(program, sum(values[i] > values[j] for i, j in pairs))
    if kind == 1:  # the first round or two of sorting by exchange
        rounds, answer = draw.randint(1, 2), list(values)
        for _ in range(rounds):
            for j in range(4):
                if answer[j] > answer[j + 1]:
                    answer[j], answer[j + 1] = answer[j + 1], answer[j]
        place = draw.randint(0, 3)
        program = (
            f"a ← {values}\n{_repeat(1, rounds)}\n｜ {_repeat(0, 3, name='j')}\n"
            "｜ ｜ もし a[j] > a[j + 1] ならば：\n｜ ｜ ｜ x ← a[j]\n｜ ｜ ｜ a[j] ← a[j + 1]\n"
            f"｜ ｜ ｜ a[j + 1] ← x\n表示する(a[{place}] × 100 + a[{place + 1}])"
        )
        return Traced(program, answer[place] * 100 + answer[place + 1])
    high, c = draw.randint(4, 6), draw.randint(1, 9)
    x, y = c, 0
    for i in range(1, high + 1):
        for j in range(i, high + 1):
            if i * j % k == 0:
                x += i
            else:
                y += j
    program = (
        f"x ← {c}\ny ← 0\n{_repeat(1, high)}\n｜ {_repeat('i', high, name='j')}\n"
        f"｜ ｜ もし i × j ％ {k} ＝ 0 ならば：\n｜ ｜ ｜ x ← x + i\n｜ ｜ そうでなければ：\n"
        "｜ ｜ ｜ y ← y + j\n"
    )
    name, answer_ = draw.choice([("x - y", x - y), ("x + y", x + y)])
    return Traced(f"{program}表示する({name})", answer_)


_PSEUDO: tuple[Callable[[Draw], Traced], ...] = (
    _counting,
    _counting_with_condition,
    _while,
    _array,
    _nested,
)


def _pseudocode(draw: Draw, level: int) -> Problem:
    """1: a counting loop. 2: a condition in it, or counting down. 3: while. 4: an array. 5: nested
    loops over an array or two numbers."""
    traced = _PSEUDO[level - 1](draw)
    names = {canonical: draw.choice(pool) for canonical, pool in _NAMES}
    program = re.sub(r"(?a)\b[xya]\b", lambda match: names[match[0]], traced.program)
    lines = [f"({n}) {line}" for n, line in enumerate(program.split("\n"), 1)]
    notes = "".join(note for sign, note in _NOTES.items() if sign in program)
    return Problem(
        slots={"program": "\n".join(lines), "notes": notes},
        content=f"pseudocode|{traced.program}",
        answer=str(traced.answer),
        format=INTEGER,
        metric="number",
    )


STRUCTURE = Family(
    "coding/structure",
    1,
    (
        "{operations}\n{asked}を数字だけで答えてください。",
        "次の操作を順に行います。{operations}\n{asked}は何ですか。数字だけを書いてください。",
        "{operations}ここで、{asked}はいくつですか。数字だけで答えてください。",
        "{asked}を求め、数字だけを書いてください。\n{operations}",
        "【操作】{operations}\n【問い】{asked}\n【答え方】数字のみ",
        "データ構造の問題です。{operations}\n{asked}（数字のみ）：",
        "次の操作を上から順に実行したとします。{operations}\n"
        "このとき{asked}はいくつになりますか。数字だけを返してください。",
        "{operations}\n以上の操作がすべて終わりました。{asked}を、説明なしで数字だけ書くこと。",
        "操作の記録：{operations}\n記録をたどり、{asked}を半角数字だけで答えなさい。",
    ),
    _structure,
)

PSEUDOCODE = Family(
    "coding/pseudocode",
    1,
    (
        "次の手順が表示する数だけを答えてください。{notes}\n{program}",
        "{program}\nこの擬似コードは何を表示しますか。{notes}数字だけを書いてください。",
        "次の擬似コードを実行します。{notes}\n{program}\n表示される数を数字だけで答えてください。",
        "表示される値を求め、数字だけを書いてください。{notes}\n{program}",
        "【手順】\n{program}\n【問い】表示される数{notes}\n【答え方】数字のみ",
        "流れを1行ずつたどってください。{notes}\n{program}\n表示（数字のみ）：",
        "ある処理を擬似コードで書きました。{notes}実行結果の数字だけを返してください。\n{program}",
        "{program}\n上の手順を最後まで行うと、表示される数はいくつですか。{notes}"
        "途中経過は書かず、数字だけを答えること。",
        "情報の授業の問題です。{notes}次の擬似コードの出力を半角数字だけで書きなさい。\n\n{program}",
    ),
    _pseudocode,
)
