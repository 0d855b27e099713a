"""Tasks of format drills: a question of a training family, the form its answer must have, and the
words that demand the form."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache

from harness.errors import HarnessError
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.family import Family, Problem
from harness.items.probes.generate import LEVELS, training_draw
from harness.items.schema import FormatRule, Item
from harness.scoring import shape
from training.synthesis.questions import STATEMENTS

Draw = random.Random

# Kinds of drill, and what each asks for.
KINDS: dict[str, str] = {
    "options": "the letter or number of one of several options",
    "entailment": "the label of a premise and a hypothesis",
    "labels": "one word of a closed set, such as はい",
    "integer": "digits and nothing else",
    "number": "digits, perhaps with a decimal part",
    "span": "a name or a part of the text, alone",
    "lines": "one entry a line",
    "json": "one JSON object with the keys asked for",
    "pattern": "a text of one fixed form, such as YYYY-MM-DD",
}

_LABELLED = ("options", "entailment", "labels")
_NUMBERS = ("integer", "number")
# Which kinds of drill cure a shape of `harness.scoring.shape`. What is not named here is cured by
# all of them.
CURES: dict[str, tuple[str, ...]] = {
    shape.FENCE: ("json", "options", "integer"),
    shape.WIDE_LABEL: ("options",),
    shape.CASE: ("entailment",),
    shape.DESU: _LABELLED,
    shape.OPTION: ("options",),
    shape.TEXT_ONLY: ("options",),
    shape.AFTER: _LABELLED,
    shape.BEFORE: _LABELLED,
    shape.SEVERAL: _LABELLED,
    shape.WIDE_NUMBER: _NUMBERS,
    shape.THOUSANDS: _NUMBERS,
    shape.UNIT: _NUMBERS,
    shape.DECIMAL: ("integer",),
    shape.LINES: ("span", "pattern"),
    shape.LONG: ("span",),
    shape.NOT_COPIED: ("span",),
    shape.BULLETS: ("lines",),
    shape.STRUCTURE: ("json", "lines", "pattern"),
}

# A word of warning against a shape; not every drill has one.
WARNINGS: dict[str, tuple[str, ...]] = {
    shape.THOUGHTS: ("考えた過程は書きません。",),
    shape.FENCE: ("コードブロックにはしません。",),
    shape.LOOP: ("同じ言葉を繰り返さないでください。",),
    shape.ECHO: ("問題文は書き写しません。",),
    shape.NEW_QUESTION: ("新しい問題を続けて書かないでください。", "答えたらそこで終わりです。"),
    shape.FOREIGN: ("日本語の指示に従ってください。",),
    shape.HEADER: ("「答えは」などの前置きは付けません。", "見出しを付けずに書きます。"),
    shape.SIGNS: ("かぎかっこや句点は付けません。", "記号で囲まないでください。"),
    shape.AROUND: ("文にせず、答えそのものを書きます。", "前後に言葉を添えません。"),
    shape.WIDE_LABEL: ("半角で書きます。",),
    shape.CASE: ("大文字と小文字は示したとおりにします。",),
    shape.DESU: ("「です」は付けません。",),
    shape.OPTION: ("選択肢の文は書かず、記号で答えます。",),
    shape.TEXT_ONLY: ("選択肢の中身ではなく、記号で答えます。",),
    shape.AFTER: ("理由は書きません。", "説明は加えません。"),
    shape.BEFORE: ("理由は書きません。", "説明なしで答えます。"),
    shape.SEVERAL: ("選ぶのは1つです。",),
    shape.WIDE_NUMBER: ("数字は半角で書きます。",),
    shape.THOUSANDS: ("桁区切りのコンマは入れません。",),
    shape.UNIT: ("単位は付けません。", "円や個などの単位は書きません。"),
    shape.DECIMAL: ("整数で書きます。",),
    shape.LINES: ("1行で書きます。",),
    shape.LONG: ("短く答えます。",),
    shape.NOT_COPIED: ("文中の言葉をそのまま使います。",),
    shape.BULLETS: ("番号や「・」は付けません。",),
    shape.STRUCTURE: ("示した形から外れないようにします。",),
}

# The words that demand the form.
ORDERS: dict[str, tuple[str, ...]] = {
    "options": (
        "{labels}のどれか1つを、記号だけで答えてください。",
        "正しい選択肢の記号（{labels}）だけを書いてください。",
        "答えは{labels}のいずれか1文字とします。",
    ),
    "entailment": (
        "前提と仮説の関係を、{labels}のどれか一語で答えてください。",
        "{labels}のうち、当てはまるラベルだけを書いてください。",
        "関係を表すラベルを1つ選んでください。ラベルは{labels}です。ラベル以外は出力しません。",
    ),
    "labels": (
        "{labels}のどれか一つだけを書いてください。",
        "答えは{labels}のうちの一語とします。",
        "{labels}から選び、選んだ語だけを返してください。",
    ),
    "integer": (
        "答えは半角の整数だけにしてください。",
        "求めた数を、半角数字だけで書いてください。",
        "出力は数値のみです。",
    ),
    "number": (
        "答えは半角の数字だけ（必要なら小数点を使う）にしてください。",
        "求めた数を、整数か小数の形で数字だけ書いてください。",
        "出力は数値のみです。分数は使いません。",
    ),
    "span": (
        "答えの語句だけを書いてください。",
        "該当する言葉だけを出力してください。",
        "文中に出てくる形のまま、答えだけを書いてください。",
    ),
    "lines": (
        "答えだけを、1行に1つずつ並べてください。",
        "該当するものだけを改行で区切って出力してください。",
    ),
    "json": (
        "JSONオブジェクト1つだけを出力してください。",
        "出力はJSONのみとし、説明は付けないでください。",
    ),
    "pattern": (
        "指定の形の答えだけを書いてください。",
        "決められた形式の文字列だけを出力してください。",
    ),
}

_LETTERS: tuple[tuple[str, ...], ...] = (
    ("A", "B", "C", "D"),
    ("A", "B", "C", "D"),
    ("0", "1", "2", "3", "4"),
    ("1", "2", "3", "4"),
    ("ア", "イ", "ウ", "エ"),
    ("a", "b", "c", "d"),
)
_RELATIONS: tuple[tuple[str, str, str], ...] = (
    ("entailment", "contradiction", "neutral"),
    ("entailment", "contradiction", "neutral"),
    ("含意", "矛盾", "中立"),
    ("yes", "no", "unknown"),
)
# In which order the levels 1 to 4 of format/entailment have the labels of `_RELATIONS`.
_ENTAILMENT_LABELS = (
    ("含意", "矛盾", "中立"),
    ("entailment", "contradiction", "neutral"),
    ("E", "C", "N"),
    ("[含意]", "[矛盾]", "[中立]"),
)


@dataclass(frozen=True)
class Form:
    """What the tasks of one drill have in common: kind, family, statement, labels, order."""

    kind: str
    family: Family
    statement: str
    labels: tuple[str, ...]
    order: str


@dataclass(frozen=True)
class Task:
    """One question without its order, the item with the answer and the rule of the drill, and what
    it was made from: an item and its problem, whose answer can be proven."""

    text: str
    item: Item
    source: Item
    problem: Problem


def families_of(kind: str, pool: tuple[Family, ...] = FAMILIES) -> tuple[Family, ...]:
    """The families of a pool from which drills of a kind are built."""
    if kind == "entailment":
        return tuple(one for one in pool if one.name == "format/entailment")
    return tuple(one for one in pool if kind in _kinds(one.name))


@cache
def _kinds(name: str) -> tuple[str, ...]:
    if name not in STATEMENTS:
        return ()
    # A level may have problems of several forms: some draws of each tell.
    drawn = (
        training_draw(_BY_NAME[name], level, f"kind/{n}")[1] for level in LEVELS for n in range(8)
    )
    found = {problem.format.kind for problem in drawn}
    if found == {"integer"}:
        return "integer", "options"
    if found <= {"integer", "number"}:
        return ("number",)
    (kind,) = found
    # A statement says in which form a date is wanted, but not how a string is.
    if kind == "pattern" and name != "extraction/date":
        return ()
    return ("labels",) if kind == "choice" else (kind,)


_BY_NAME = {family.name: family for family in FAMILIES}


def form(draw: Draw, kind: str, family: Family, labels: tuple[str, ...] = ()) -> Form:
    """A form for a kind and a family; `labels` overrides those that are drawn."""
    if kind == "options":
        labels = labels or draw.choice(_LETTERS)
    elif kind == "entailment":
        labels = labels or draw.choice(_RELATIONS)
        if len(labels) != 3:
            raise HarnessError(
                f"{len(labels)} labels of entailment, expected three: of entailment, "
                "contradiction and neutral in this order"
            )
    elif kind == "labels":
        labels = training_draw(family, 2, "labels")[1].format.labels
    statement = "" if kind == "entailment" else draw.choice(STATEMENTS[family.name])
    listed = "、".join(labels) if kind != "labels" else "".join(f"「{one}」" for one in labels)
    order = draw.choice(ORDERS[kind]).format(labels=listed)
    return Form(kind, family, statement, labels, order)


def task(draw: Draw, form: Form, level: int, key: str) -> Task:
    """The task that a key draws, of a form and a level."""
    if form.kind == "entailment":
        return _entailment(form, min(level, 4), key)
    source, problem = training_draw(form.family, level, key)
    item = source
    text = form.statement.format_map(problem.slots)
    if form.kind == "options":
        values = _options(draw, int(problem.answer), len(form.labels))
        right = form.labels[values.index(int(problem.answer))]
        mark = draw.choice((". ", "：", " ", "）"))
        text += "\n" + "\n".join(
            f"{label}{mark}{value}" for label, value in zip(form.labels, values, strict=True)
        )
        rule = FormatRule("choice", labels=form.labels)
        item = replace(item, answer=right, accept=(), format=rule, metric="exact")
    return Task(text, item, source, problem)


def _options(draw: Draw, right: int, count: int) -> list[int]:
    """The right number among near ones, none of them negative unless it is."""
    near = {right + d for d in (-20, -10, -5, -3, -2, -1, 1, 2, 3, 5, 10, 20)} | {right * 2}
    others = sorted(one for one in near if one != right and (one >= 0 or right < 0))
    values = [right, *draw.sample(others, count - 1)]
    draw.shuffle(values)
    return values


def _entailment(form: Form, level: int, key: str) -> Task:
    item, problem = training_draw(form.family, level, key)
    answer = form.labels[_ENTAILMENT_LABELS[level - 1].index(problem.answer)]
    text = f"{problem.slots['premise']}\n{problem.slots['hypothesis']}"
    rule = FormatRule("choice", labels=form.labels)
    return Task(text, replace(item, answer=answer, accept=(), format=rule), item, problem)
