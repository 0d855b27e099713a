"""Worked solutions of extraction problems: where the answer stands and how it is written."""

from __future__ import annotations

import json
import random
import re
from datetime import date, timedelta

from harness.items.probes.extraction_tables import Condition
from harness.items.probes.extraction_values import SHIFTS
from harness.items.probes.family import Problem
from harness.scoring.normalise import nfkc
from training.synthesis.traces.trace import Trace, Tracer

Draw = random.Random
Row = dict[str, str]


def _rows(parts: list[str]) -> list[Row]:
    return [dict(pair.split("=", 1) for pair in part.split(";")) for part in parts]


def _evidence(text: str, *needed: str) -> str:
    """The first line or sentence of a text that holds all the words; "" for none."""
    pieces = [piece for line in text.split("\n") for piece in re.split(r"(?<=。)", line) if piece]
    return next((piece for piece in pieces if all(one in piece for one in needed)), "")


def _quoted(draw: Draw, evidence: str) -> str:
    said = evidence.rstrip("。")
    return draw.choice((f"「{said}」とあります。", f"「{said}」と書かれています。"))


def _field(draw: Draw, problem: Problem) -> Trace:
    _, *records, asked = problem.content.split("|")
    rows, text = _rows(records), problem.slots["record"]
    target = asked
    row, steps = rows[0], list[str]()
    if found := re.fullmatch(r"(.+)さんの(.+)", asked):
        row, target = next(one for one in rows if one["名前"] == found[1]), found[2]
        steps.append(f"まず、名前が{found[1]}の記録を探します。")
    elif found := re.fullmatch(r"(.+?)が(.+)の人の(.+)", asked):
        row = next(one for one in rows if one[found[1]] == found[2])
        target = found[3]
        steps.append(f"まず、{found[1]}が{found[2]}の記録を探します。")
    value = row[target]
    if evidence := _evidence(text, target, value):
        lead = "その記録に" if steps else "記録に"
        steps.append(f"{lead}{_quoted(draw, evidence)}")
    steps.append(f"{target}に当たるのは「{value}」です。")
    return Trace(tuple(steps), value)


def _contact(draw: Draw, problem: Problem) -> Trace:
    _, *facts, asked = problem.content.split("|")
    told = dict(one.split("=", 1) for one in facts)
    name, _, label = asked.rpartition("さんの")
    old = label.startswith("現在の")
    label = label.removeprefix("現在の")
    key = f"{name}:{label}" if name else label
    if key not in told:
        key = next(one for one in told if one.endswith(f":{label}") and ":old" not in one)
    value = told[key]
    steps = [f"{label}が書かれている部分を探します。"]
    if name:
        steps = [f"{name}さんの連絡先の中から、{label}を探します。"]
    if evidence := _evidence(problem.slots["text"], value):
        steps.append(_quoted(draw, evidence))
    if old:
        steps.append("以前のものではなく、今使われているほうを答えます。")
    return Trace((*steps, f"よって、{asked}は{value}です。"), value)


def _changes(draw: Draw, problem: Problem) -> Trace:
    _, *facts, question = problem.content.split("|")
    wanted, subject = question.split(" ")
    chain = dict(one.split("=", 1) for one in facts)[subject].split(">")
    first, *later = chain
    steps = [f"{subject}の移り変わりを順に追います。", f"はじめは{first}でした。"]
    for at, one in enumerate(later):
        back = one == first
        steps.append(
            f"{'その後、' if at else ''}{f'元の{one}に戻り' if back else f'{one}に変わり'}ました。"
        )
    answer = chain[0] if wanted == "old" else chain[-1]
    steps.append(f"{problem.slots['asked']}は{answer}です。")
    return Trace(tuple(steps), answer)


def _date(draw: Draw, problem: Problem) -> Trace:
    _, *facts, asked = problem.content.split("|")
    told, text = dict(one.split("=", 1) for one in facts), problem.slots["text"]
    value, steps, label = told[asked], list[str](), asked
    shift = next(((words, days) for words, days in SHIFTS if value.endswith(words)), None)
    if shift is not None:
        label = value.removesuffix(shift[0])
        steps.append(f"{asked}は「{value}」と書かれているので、{label}を調べます。")
    base = date.fromisoformat(told[label])
    short = label.removesuffix("の日").removesuffix("日").removesuffix("期限").removesuffix("締切")
    if evidence := _evidence(text, label) or _evidence(text, short):
        steps.append(_quoted(draw, evidence))
        if era := re.search(r"(平成|令和)(元|[0-9]+)年", evidence):
            before = {"平成": 1988, "令和": 2018}[era[1]]
            year = 1 if era[2] == "元" else int(era[2])
            western = before + year
            steps.append(f"{era[0]}は、{before}+{year}={western}より西暦{western}年です。")
    answer = base
    if shift is not None:
        answer = base + timedelta(days=shift[1])
        steps.append(f"{label}は{base}なので、そ{shift[0]}は{answer}です。")
    else:
        steps.append(
            draw.choice(
                (
                    f"月と日を2桁にして、{answer}と書きます。",
                    f"YYYY-MM-DDの形に直すと、{answer}です。",
                    f"年・月・日をハイフンでつなぐと、{answer}となります。",
                )
            )
        )
    return Trace(tuple(steps), answer.isoformat())


def _amount(draw: Draw, problem: Problem) -> Trace:
    _, *facts, asked = problem.content.split("|")
    value = dict(one.split("=", 1) for one in facts)[asked]
    text, label, steps = problem.slots["text"], asked, list[str]()
    if found := re.fullmatch(r"(\d+月の)(.+)", asked):
        label = found[2]
        text = next(line for line in text.split("\n") if line.startswith(found[1]))
        steps.append(f"まず、{found[1].rstrip('の')}について書かれた部分を見ます。")
    if evidence := _evidence(text, label):
        steps.append(_quoted(draw, evidence))
    if found := re.search(r"(\d+)万([\d,]+)?円", nfkc(evidence)):
        tens, rest = int(found[1]), int((found[2] or "0").replace(",", ""))
        sum_ = f"{tens}×10000+{rest}={value}" if rest else f"{tens}×10000={value}"
        steps.append(f"{found[0]}は{sum_}より、{value}円です。")
    else:
        steps.append(
            draw.choice(
                (
                    f"この金額を区切りなしの数字で表すと、{value}円です。",
                    f"コンマなどを除いて書くと、{value}円になります。",
                )
            )
        )
    return Trace(tuple(steps), value, f"{asked}は{value}円")


def _cell(draw: Draw, problem: Problem) -> Trace:
    _, *parts, asked = problem.content.split("|")
    rows = _rows(parts)
    key = "品名" if "品名" in rows[0] else "氏名"
    if found := re.fullmatch(r"(.+)の値が最も(大きい|小さい)行の(.+)", asked):
        column, target = found[1], found[3]
        best = (max if found[2] == "大きい" else min)(rows, key=lambda row: int(row[column]))
        shown = "、".join(row[column] for row in rows)
        steps = [
            f"{column}の値を比べます。{column}は{shown}です。",
            f"最も{found[2]}のは{best[column]}で、これは{best[key]}の行です。",
        ]
    elif found := re.fullmatch(r"(.+?)が(.+)の行の(.+)", asked):
        best, target = next(row for row in rows if row[found[1]] == found[2]), found[3]
        steps = [f"{found[1]}の列で「{found[2]}」を探すと、{best[key]}の行にあります。"]
    else:
        name, _, target = asked.rpartition("の")
        best = next(row for row in rows if row[key] == name)
        steps = [f"{key}の列で「{name}」の行を探します。"]
    steps.append(f"その行の{target}は「{best[target]}」です。")
    return Trace(tuple(steps), best[target])


def _conditions(asked: str) -> list[Condition]:
    """The conditions of a question such as 年齢が40歳以上で、部署が営業部以外の人の氏名."""
    body = re.sub(r"の(?:人|商品)(?:の(?:名前|氏名|品名))?$", "", asked)
    found = []
    for part in body.split("で、"):
        column, _, rest = part.partition("が")
        if bound := re.fullmatch(r"(\d+)(?:歳|点|円)(以上|以下)", rest):
            number, is_low = int(bound[1]), bound[2] == "以上"
            found.append(
                Condition(
                    part, column, low=number if is_low else None, high=None if is_low else number
                )
            )
        else:
            group, negated = rest.removesuffix("以外"), rest.endswith("以外")
            found.append(Condition(part, column, equal=group, negated=negated))
    return found


def _listed(
    draw: Draw, problem: Problem, rows: list[Row], key: str, asked: str, order: str = ""
) -> Trace:
    conditions = _conditions(asked)
    used = [condition.column for condition in conditions]
    steps = [
        draw.choice(("条件に合うかどうかを、一つずつ確かめます。", "上から順に条件と比べます。"))
    ]
    chosen = []
    for row in rows:
        facts = "、".join(f"{column}が{row[column]}" for column in used)
        met = all(condition.met(row) for condition in conditions)
        chosen += [row] if met else []
        steps.append(f"{row[key]}は、{facts}なので、条件に{'合います' if met else '合いません'}。")
    if found := re.fullmatch(r"(.+)の(高い|安い|低い)順に", order):
        chosen.sort(key=lambda row: int(row[found[1]]), reverse=found[2] == "高い")
        if len(chosen) > 1:
            shown = "、".join(f"{row[key]}（{row[found[1]]}）" for row in chosen)
            steps.append(f"{order}並べると、{shown}です。")
    return Trace(tuple(steps), "\n".join(row[key] for row in chosen))


def _table_rows(draw: Draw, problem: Problem) -> Trace:
    _, listed, *parts, asked, order = problem.content.split("|")
    rows = _rows(parts)
    key = next(key for key in ("名前", "氏名", "品名") if key in rows[0])
    names = listed.split(">")
    rows.sort(key=lambda row: names.index(row[key]))
    return _listed(draw, problem, rows, key, asked, order)


def _people(draw: Draw, problem: Problem) -> Trace:
    _, *parts, asked = problem.content.split("|")
    rows, text = _rows(parts), problem.slots["text"]
    rows.sort(key=lambda row: _first_told(text, row["名前"]))
    return _listed(draw, problem, rows, "名前", asked)


def _first_told(text: str, name: str) -> int:
    """Where a person's own sentence stands: the first that names them and tells an age before it
    tells of anybody else."""
    for at, sentence in enumerate(text.split("。")):
        names = re.findall(rf"{re.escape(name)}(?:さん|は)", sentence)
        others = re.search(r"は(.+?)さんと", sentence)
        if names and not (others and others[1] == name):
            return at
    return len(text)


def _json(draw: Draw, problem: Problem) -> Trace:
    _, rest = problem.content.split("|", 1)
    values = json.loads(rest.rpartition("|")[0])
    answer = {key: values[key] for key in problem.format.keys}
    steps = [
        draw.choice(
            ("項目ごとに、文中の値を読み取ります。", "文の中から、必要な項目を順に探します。")
        )
    ]
    for key, value in answer.items():
        steps.append(f"「{key}」は、{_json_words(value)}です。")
    return Trace(tuple(steps), json.dumps(answer, ensure_ascii=False))


def _json_words(value: object) -> str:
    if isinstance(value, bool):
        return f"文の内容から{'true' if value else 'false'}"
    if isinstance(value, list):
        return f"順に{'、'.join(map(str, value))}"
    return f"「{value}」" if isinstance(value, str) else str(value)


EXTRACTION: dict[str, Tracer] = {
    "extraction/field": _field,
    "extraction/contact": _contact,
    "extraction/changes": _changes,
    "extraction/date": _date,
    "extraction/amount": _amount,
    "extraction/table-cell": _cell,
    "extraction/table-rows": _table_rows,
    "extraction/people": _people,
    "extraction/profile": _json,
    "extraction/event": _json,
    "extraction/order": _json,
}
