"""Coding probes on sequences: what a program prints of a string, and of a list."""

from __future__ import annotations

from itertools import accumulate

from harness.items.probes.coding_program import PRINTED, PRINTED_LIST, Traced, traced_problem
from harness.items.probes.family import Draw, Family, Problem
from harness.items.probes.pools import KANA_WORDS
from harness.items.probes.words import ENGLISH

_VOWELS = "aeiou"
_LONG_ENGLISH = [word for word in ENGLISH if len(word) >= 4]


def _words(draw: Draw, count: int) -> list[str]:
    """Different words of one script."""
    return draw.entities(draw.choice((ENGLISH, KANA_WORDS)), count)


def _index_or_slice(draw: Draw) -> Traced:
    (word,) = _words(draw, 1)
    i, j = sorted(draw.sample(range(1, len(word)), 2))
    k = draw.randrange(len(word))
    text, answer = draw.choice(
        [
            (f"s[{k}]", word[k]),
            (f"s[-{len(word) - k}]", word[k]),
            (f"s[{i}:{j}]", word[i:j]),
            (f"s[:{j}]", word[:j]),
            (f"s[{i}:]", word[i:]),
        ]
    )
    return Traced(f's = "{word}"\nprint({text})', answer)


def _two_slices(draw: Draw) -> Traced:
    word, other = _words(draw, 2)
    i, j, k = draw.randint(1, 2), draw.randint(1, 2), draw.randint(2, 3)
    text, answer = draw.choice(
        [
            (f"s[{i}:] + t[:{j}]", word[i:] + other[:j]),
            (f"s[::-1] + t[-{j}:]", word[::-1] + other[-j:]),
            (f"s[:-{i}] + t[{j}]", word[:-i] + other[j]),
            (f"(s[0] + t[-1]) * {k}", (word[0] + other[-1]) * k),
            ("s[::2] + t[1::2]", word[::2] + other[1::2]),
            (f"t[-{i}] + s[1:-1]", other[-i] + word[1:-1]),
        ]
    )
    return Traced(f's = "{word}"\nt = "{other}"\nprint({text})', answer)


def _methods(draw: Draw) -> Traced:
    word, other = draw.entities(_LONG_ENGLISH, 2)
    old, i = draw.choice(word), draw.randint(1, 2)
    new = draw.choice([letter for letter in "xyzqk" if letter not in word])
    text, answer = draw.choice(
        [
            (f's.replace("{old}", "{new}")[{i}:]', word.replace(old, new)[i:]),
            (f"s[:{i}].upper() + s[{i}:]", word[:i].upper() + word[i:]),
            (f"s[{i}:].capitalize() + t[0]", word[i:].capitalize() + other[0]),
            (f's[s.find("{old}"):] + t[:{i}]', word[word.find(old) :] + other[:i]),
            (f's.split("{old}")[0] + t[::-1]', word.split(old)[0] + other[::-1]),
            ("(s + t).upper()[::3]", (word + other).upper()[::3]),
            (f's[::-1].replace("{old}", "") + t[{i}]', word[::-1].replace(old, "") + other[i]),
        ]
    )
    return Traced(f's = "{word}"\nt = "{other}"\nprint({text})', answer)


def _string_loop(draw: Draw) -> Traced:
    word, k = draw.entity(_LONG_ENGLISH), draw.randint(2, 3)
    mark = draw.choice("-_*+")
    marks = draw.choice((_VOWELS, "".join(sorted(draw.sample(sorted(set(word)), 2)))))
    body, answer = draw.choice(
        [
            (f'    if c in "{marks}":\n        t += "{mark}"\n    else:\n        t += c',
             "".join(mark if c in marks else c for c in word)),
            (f'    if c in "{marks}":\n        t = c + t\n    else:\n        t = t + c',
             "".join(c for c in word[::-1] if c in marks)
             + "".join(c for c in word if c not in marks)),
            (f'    if c not in "{marks}":\n        t += c * {k}',
             "".join(c * k for c in word if c not in marks)),
            (f'    if c in "{marks}":\n        t += c.upper()\n'
             "    elif c not in t:\n        t += c",
             _capitals_or_new(word, marks)),
        ]
    )  # fmt: skip
    return Traced(f's = "{word}"\nt = ""\nfor c in s:\n{body}\nprint(t)', answer)


def _capitals_or_new(word: str, marks: str) -> str:
    text = ""
    for letter in word:
        if letter in marks:
            text += letter.upper()
        elif letter not in text:
            text += letter
    return text


def _string_algorithm(draw: Draw) -> Traced:
    kind = draw.randrange(4)
    if kind == 0:  # run lengths
        letters = draw.sample("abcdxyz", 3)
        runs = [(letters[n % 3], draw.randint(1, 4)) for n in range(draw.randint(3, 5))]
        word = "".join(letter * length for letter, length in runs)
        program = (
            f's = "{word}"\nt = ""\nx = 1\nfor i in range(1, len(s) + 1):\n'
            "    if i < len(s) and s[i] == s[i - 1]:\n        x += 1\n    else:\n"
            "        t += s[i - 1] + str(x)\n        x = 1\nprint(t)"
        )
        return Traced(program, "".join(f"{letter}{length}" for letter, length in runs))
    word, other = draw.entities(_LONG_ENGLISH, 2)
    k = draw.randint(1, 5)
    if kind == 1:  # a shift of the alphabet
        k *= draw.choice((1, -1))
        program = (
            f's = "{word}"\nt = ""\nfor c in s:\n    x = ord(c) - ord("a")\n'
            f'    t += chr((x {"+" if k > 0 else "-"} {abs(k)}) % 26 + ord("a"))\nprint(t)'
        )
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        return Traced(program, "".join(alphabet[(alphabet.index(c) + k) % 26] for c in word))
    if kind == 2:  # letters of two words in turn
        low = draw.randint(0, 1)
        pairs = [word[i] + other[-1 - i] for i in range(low, min(len(word), len(other)))]
        program = (
            f's = "{word}"\nt = "{other}"\na = []\n'
            f"for i in range({low}, min(len(s), len(t))):\n"
            '    a.append(s[i] + t[-1 - i])\nprint("".join(a[::-1]))'
        )
        return Traced(program, "".join(pairs[::-1]))
    third, mark = draw.entity(_LONG_ENGLISH), draw.choice("-/_")
    parts = [
        part[-k:] if n % 2 else part[:k].upper() for n, part in enumerate((word, other, third))
    ]
    program = (
        f'a = "{word} {other} {third}".split()\nfor i in range(len(a)):\n    if i % 2 == 0:\n'
        f"        a[i] = a[i][:{k}].upper()\n    else:\n        a[i] = a[i][-{k}:]\n"
        f'print("{mark}".join(a))'
    )
    return Traced(program, mark.join(parts))


_STRINGS = (_index_or_slice, _two_slices, _methods, _string_loop, _string_algorithm)


def _string(draw: Draw, level: int) -> Problem:
    """1: an index or a slice. 2: two slices, steps, repetition. 3: methods. 4: a loop over the
    characters. 5: run lengths, shifts, words in turn."""
    while not (traced := _STRINGS[level - 1](draw)).answer:
        pass
    return traced_problem(draw, "string", traced, PRINTED)


def _one_change(draw: Draw) -> Traced:
    values = draw.sample(range(1, 20), 3)
    new, place = draw.randint(1, 20), draw.randrange(3)
    line, answer = draw.choice(
        [
            (f"a.append({new})", [*values, new]),
            (f"a[{place}] = {new}", [*values[:place], new, *values[place + 1 :]]),
            (f"a.insert({place}, {new})", [*values[:place], new, *values[place:]]),
            ("a.reverse()", values[::-1]),
            ("a.sort()", sorted(values)),
            (f"a.remove({values[place]})", values[:place] + values[place + 1 :]),
        ]
    )
    return Traced(f"a = {values}\n{line}\nprint(a)", answer)


def _changes(draw: Draw, count: int) -> Traced:
    values = draw.sample(range(1, 20), 4)
    lines = [f"a = {values}"]
    kinds = ("append", "insert", "pop", "assign", "swap", "sort", "reverse", "shift")
    for kind in draw.sample(kinds, count):
        new, place = draw.randint(1, 20), draw.randrange(len(values))
        if kind == "append":
            lines.append(f"a.append({new})")
            values.append(new)
        elif kind == "insert":
            lines.append(f"a.insert({place}, {new})")
            values.insert(place, new)
        elif kind == "pop":
            lines.append(f"a.pop({place})")
            del values[place]
        elif kind == "assign":
            lines.append(f"a[-{place + 1}] = {new}")
            values[len(values) - 1 - place] = new
        elif kind == "swap":
            lines.append("a[0], a[-1] = a[-1], a[0]")
            values = [values[-1], *values[1:-1], values[0]]
        elif kind == "sort":
            lines.append("a.sort(reverse=True)")
            values = sorted(values)[::-1]
        elif kind == "reverse":
            lines.append("a = a[::-1]")
            values.reverse()
        else:
            lines.append(f"a = a[1:] + [{new}]")
            values = [*values[1:], new]
    return Traced("\n".join([*lines, "print(a)"]), values)


def _comprehension(draw: Draw) -> Traced:
    values = draw.sample(range(1, 30), 5)
    k, rest, bound = draw.randint(2, 4), draw.randint(0, 1), draw.choice(values)
    text, answer = draw.choice(
        [
            (f"[x * {k} for x in a if x > {bound}]", [x * k for x in values if x > bound]),
            (f"[x + {k} for x in a if x % {k} == {rest}]",
             [x + k for x in values if x % k == rest]),
            (f"[x // {k} for x in a[1:]]", [x // k for x in values[1:]]),
            (f"[x % {k} for x in sorted(a)]", [x % k for x in sorted(values)]),
            (f"[i * x for i, x in enumerate(a) if i != {k}]",
             [i * x for i, x in enumerate(values) if i != k]),
            ("[x if x % 2 == 0 else -x for x in a]", [x if x % 2 == 0 else -x for x in values]),
        ]
    )  # fmt: skip
    return Traced(f"a = {values}\nprint({text})", answer)


def _shared_or_copied(draw: Draw) -> Traced:
    """Two names of one list, or of two; or a loop that writes into the list it reads."""
    values, new, k = draw.sample(range(1, 20), 4), draw.randint(1, 20), draw.randint(2, 3)
    place = draw.randrange(4)
    if draw.random() < 0.6:
        copied = draw.random() < 0.5
        text = draw.choice(("a[:]", "a.copy()", "list(a)")) if copied else "a"
        other = list(values) if copied else values
        lines = [f"a = {values}", f"b = {text}"]
        other.append(new)
        lines.append(f"b.append({new})")
        values[place] = values[place] * k
        lines.append(f"a[{place}] = a[{place}] * {k}")
        if draw.random() < 0.5:  # changes the list that both names may share
            lines.append(f"a += [{k}]")
            values.append(k)
        else:  # makes another list
            lines.append(f"a = a + [{k}]")
            values = [*values, k]
        if draw.random() < 0.5:
            other.reverse()
            lines.append("b.reverse()")
        else:
            values.pop(1)
            lines.append("a.pop(1)")
        name, shown = draw.choice([("a", values), ("b", other)])
        return Traced("\n".join([*lines, f"print({name})"]), shown)
    body, before = draw.choice([("a[i] += a[i - 1]", -1), (f"a[i] = a[i - 1] * {k} - a[i]", k)])
    first = list(values)
    for i in range(1, 4):
        values[i] = values[i] + values[i - 1] if before < 0 else values[i - 1] * k - values[i]
    return Traced(f"a = {first}\nfor i in range(1, len(a)):\n    {body}\nprint(a)", values)


def _list_algorithm(draw: Draw) -> Traced:
    kind = draw.randrange(5)
    values = draw.sample(range(1, 40), draw.randint(5, 6))
    start = f"a = {values}"
    if kind == 0:  # some rounds of bubble sort
        rounds, answer = draw.randint(1, 2), list(values)
        for _ in range(rounds):
            for i in range(len(answer) - 1):
                if answer[i] > answer[i + 1]:
                    answer[i : i + 2] = answer[i + 1], answer[i]
        program = (
            f"{start}\nfor j in range({rounds}):\n    for i in range(len(a) - 1):\n"
            "        if a[i] > a[i + 1]:\n            a[i], a[i + 1] = a[i + 1], a[i]\nprint(a)"
        )
        return Traced(program, answer)
    if kind == 1:  # running sums, cut at a bound
        k = draw.randint(20, 60)
        answer = [total % k for total in accumulate(values)]
        program = (
            f"{start}\nb = []\nx = 0\nfor i in a:\n    x += i\n    b.append(x % {k})\nprint(b)"
        )
        return Traced(program, answer)
    if kind == 2:  # apart by a bound, each part in its own order
        bound = draw.choice(values)
        program = (
            f"{start}\nb = []\nfor x in a:\n    if x < {bound}:\n        b.insert(0, x)\n"
            "    else:\n        b.append(x)\nprint(b)"
        )
        low = [x for x in values if x < bound]
        return Traced(program, low[::-1] + [x for x in values if x >= bound])
    if kind == 3:  # columns of a table
        rows = [draw.sample(range(1, 10), 3) for _ in range(3)]
        k = draw.randrange(3)
        program = (
            f"a = {rows}\nb = []\nfor i in range(3):\n    x = 0\n    for j in range(3):\n"
            f"        if j != {k}:\n            x += a[j][i]\n    b.append(x)\nprint(b)"
        )
        return Traced(
            program, [sum(row[i] for j, row in enumerate(rows) if j != k) for i in range(3)]
        )
    few = draw.randint(2, 4)  # how often each remainder occurs
    answer = [sum(x % few == rest for x in values) for rest in range(few)]
    program = f"{start}\nb = [0] * {few}\nfor x in a:\n    b[x % {few}] += 1\nprint(b)"
    return Traced(program, answer)


def _list(draw: Draw, level: int) -> Problem:
    """1: one change. 2: three or four. 3: a comprehension. 4: two names of one list, a loop that
    writes. 5: rounds of sorting, running sums, tables."""
    if level == 2:
        traced = _changes(draw, draw.randint(3, 4))
    else:
        makers = {1: _one_change, 3: _comprehension, 4: _shared_or_copied, 5: _list_algorithm}
        traced = makers[level](draw)
    return traced_problem(draw, "list", traced, PRINTED_LIST)


STRING = Family(
    "coding/string",
    1,
    (
        "次のPythonが表示する文字列だけを書いて。\n{program}",
        "{program}\nこのPythonのコードは何を表示しますか。表示される文字列だけを答えてください。",
        "```python\n{program}\n```\n出力だけを、引用符を付けずに書いてください。",
        "表示される文字列を答えてください。ほかは書かないでください。\n```python\n{program}\n```",
        "【プログラム】\n{program}\n【問い】表示される文字列\n【答え方】出力のみ（引用符なし）",
        "文字列の操作を順に考えましょう。\n{program}\n表示（文字列のみ）：",
        "このコードを動かすと画面に何と出ますか。出た文字列だけをそのまま返してください。\n"
        "```\n{program}\n```",
        "{program}\n上のPythonプログラムの出力を、大文字と小文字を区別して書くこと。説明は不要です。",
        "文字列処理の問題です（Python）。\n\n{program}\n\n出力される文字の並びだけを書きなさい。",
    ),
    _string,
)

LIST = Family(
    "coding/list",
    1,
    (
        "次のPythonの出力を、[1, 2]のような形だけで答えて。\n{program}",
        "{program}\nこのPythonのコードが表示するリストだけを、Pythonの表示どおりに書いてください。",
        "```python\n{program}\n```\n何が表示されますか。リストだけを [ ] も含めて書いてください。",
        "出力されるリストだけを、角かっこも付けて答えてください。\n```python\n{program}\n```",
        "【プログラム】\n{program}\n【問い】表示されるリスト\n【答え方】[ ]付きの出力のみ",
        "リストの変化を順に追ってください。\n{program}\n表示（角かっこ付きのリストのみ）：",
        "このコードを動かすと画面に何と出ますか。出たリストをそのままの形で返してください。\n"
        "```\n{program}\n```",
        "{program}\n上のPythonプログラムが表示するリストを、角かっこも含めて書くこと。説明は不要です。",
        "リスト処理の問題です（Python）。\n\n{program}\n\n"
        "画面に出るとおりに、リストだけを書きなさい。",
    ),
    _list,
)
