"""Worked solutions of coding problems about lines and calls: counts, faults, options, recursion,
stacks and queues."""

from __future__ import annotations

import ast
import random
import re
from collections import defaultdict

from harness.items.probes.family import Problem
from harness.items.probes.program import Event, run
from training.synthesis.traces.running import filled, story
from training.synthesis.traces.trace import Trace, Tracer

Draw = random.Random
_MOST_CALLS = 24
_MOST_ROUNDS = 24


def _unnumbered(text: str) -> dict[int, str]:
    return {int(n): line for n, line in re.findall(r"^(\d+): (.*)$", text, re.MULTILINE)}


def _count(draw: Draw, problem: Problem) -> Trace:
    asked = int(problem.slots["asked"])
    program = "\n".join(_unnumbered(problem.slots["program"]).values())
    moments: list[dict[str, object]] = []

    def watch(event: Event) -> None:
        if event.kind == "begin" and event.node.lineno == asked:
            moments.append({**event.after})

    run(program, watch)
    total = len(moments)
    lines = _unnumbered(problem.slots["program"])
    around = _loops_around(lines, asked)
    steps = [_where(lines, asked)]
    if total == 0:
        return Trace((*steps, "条件に合うことが一度もないので、0回です。"), "0")
    names = [head.split()[1] for head in around if head.startswith("for")]
    if len(around) == len(names) == 2:
        rounds: dict[object, list[object]] = defaultdict(list)
        for one in moments:
            rounds[one[names[0]]].append(one[names[1]])
        if len(rounds) > _MOST_ROUNDS:
            raise ValueError("too many rounds")
        for i, js in rounds.items():
            steps.append(
                f"{names[0]}={i}のとき、{names[1]}={'、'.join(map(str, js))}の{len(js)}回です。"
            )
        if len(rounds) > 1:
            parts = [len(js) for js in rounds.values()]
            steps.append(f"合計すると、{'+'.join(map(str, parts))}={total}（回）です。")
        return Trace(tuple(steps), str(total))
    if len(around) == len(names) == 1:
        (name,) = names
        if total > 40:
            raise ValueError("too many rounds")
        listed = "、".join(str(one[name]) for one in moments)
        steps.append(f"実行されるのは、{name}が{listed}のときです。")
        steps.append(f"数えると、{total}回です。")
        return Trace(tuple(steps), str(total))
    lines_told = story(program)
    steps += [*lines_told, f"{asked}行目が実行されたのは、数えると{total}回です。"]
    return Trace(tuple(steps), str(total))


def _loops_around(lines: dict[int, str], asked: int) -> list[str]:
    """The heads of the loops that a line stands in, outermost first."""
    found: list[str] = []
    depth = len(lines[asked]) - len(lines[asked].lstrip())
    for n in range(asked - 1, 0, -1):
        text = lines[n]
        own = len(text) - len(text.lstrip())
        if own < depth:
            depth = own
            if text.lstrip().startswith(("for", "while")):
                found.insert(0, text.strip())
    return found


def _where(lines: dict[int, str], asked: int) -> str:
    around = _loops_around(lines, asked)
    if not around:
        return f"{asked}行目は繰り返しの外にあります。"
    heads = "、".join(f"「{head.rstrip(':')}」" for head in around)
    return f"{asked}行目の「{lines[asked].strip()}」は、{heads}の中にあります。"


def _fault(draw: Draw, problem: Problem) -> Trace:
    lines, wanted = _unnumbered(problem.slots["program"]), problem.slots["wanted"]
    changes = re.findall(r"^(\d+)行目を「(.*)」に直す$", problem.slots["changes"], re.MULTILINE)
    now = run("\n".join(lines.values()))
    steps = [
        f"今のプログラムは{_outcome(now.printed, now.error)}。",
        draw.choice(("直し方を一つずつ試します。", "候補を順に調べます。")),
    ]
    answers = []
    for number, text in changes:
        n = int(number)
        indent = lines[n][: len(lines[n]) - len(lines[n].lstrip())]
        done = run("\n".join({**lines, n: indent + text}.values()))
        right = done.error is None and done.printed == wanted
        answers += [number] if right else []
        ending = f"「{wanted}」と一致します" if right else f"「{wanted}」になりません"
        steps.append(
            f"{n}行目を「{text}」に直すと、{_outcome(done.printed, done.error)}。{ending}。"
        )
    (answer,) = answers
    steps.append(f"正しくなるのは、{answer}行目を直したときです。")
    return Trace(tuple(steps), answer)


def _outcome(printed: str, error: str | None) -> str:
    if error is not None:
        return "途中でエラーになります"
    return f"「{printed}」と表示します" if printed else "何も表示しません"


def _match(draw: Draw, problem: Problem) -> Trace:
    wanted = problem.slots["wanted"]
    options: dict[str, list[str]] = {}
    label = ""
    for line in problem.slots["options"].split("\n"):
        if found := re.match(r"^([A-D]):(?:$| (.+)$)", line):
            label = found[1]
            options[label] = [found[2]] if found[2] else []
        else:
            options[label].append(line)
    steps, answers = [draw.choice(("それぞれの出力を求めます。", "A〜Dを順に実行してみます。"))], []
    for label, lines in options.items():
        program = "\n".join(lines)
        printed = run(program).printed
        steps.append(f"{label}：{_short(program, printed)}")
        answers += [label] if printed == wanted else []
    (answer,) = answers
    steps.append(f"「{wanted}」と表示するのは{answer}です。")
    return Trace(tuple(steps), answer)


def _short(program: str, printed: str) -> str:
    """A program's way in one line where it is short, and what it prints."""
    if program.startswith("print("):
        source = program[6:-1]
        return f"{source} = {printed}なので、「{printed}」と表示します。"
    if program.startswith("def"):
        return f"{'、'.join(_calls(program))}となり、「{printed}」と表示します。"
    name, values = program.split(" = ")[0], list[str]()

    def watch(event: Event) -> None:
        if event.kind == "done" and name in event.after:
            values.append(str(event.after[name]))

    run(program.rpartition("\n")[0], watch)
    return f"{name}は{'→'.join(values)}と変わるので、「{printed}」と表示します。"


def _calls(program: str) -> list[str]:
    """Each call's value, the innermost first: f(1) = f(0) + 2 = 3 + 2 = 5."""
    known: dict[str, str] = {}
    lines: list[str] = []
    parameters = {
        node.name: [one.arg for one in node.args.args]
        for node in ast.parse(program).body
        if isinstance(node, ast.FunctionDef)
    }
    owner = {
        inner: node.name
        for node in ast.parse(program).body
        if isinstance(node, ast.FunctionDef)
        for inner in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }

    def watch(event: Event) -> None:
        if event.kind != "return" or not isinstance(event.node, ast.Return):
            return
        name = owner[event.node.lineno]
        call = f"{name}({', '.join(str(event.after[one]) for one in parameters[name])})"
        if call in known or event.node.value is None:
            return
        known[call] = str(event.value)
        first = _Called(event.after).visit(ast.parse(ast.unparse(event.node.value)).body[0])
        text = ast.unparse(first)
        called = rf"(?:{'|'.join(parameters)})\([-\d, ]+\)"
        numbers = re.sub(called, lambda found: _bracketed(known.get(found[0], found[0])), text)
        chain = list(dict.fromkeys((call, text, numbers, str(event.value))))
        lines.append(" = ".join(chain))

    run(program, watch)
    if len(lines) > _MOST_CALLS:
        raise ValueError("too many calls")
    return lines


def _bracketed(number: str) -> str:
    return f"({number})" if number.startswith("-") else number


class _Called(ast.NodeTransformer):
    """Puts values in, and works out the arguments of calls."""

    def __init__(self, values: object) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.values.get(node.id) if hasattr(self.values, "get") else None
        return ast.Constant(value) if isinstance(value, int) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        done: list[ast.expr] = []
        for one in node.args:
            text = filled(one, self.values)  # type: ignore[arg-type]
            done.append(ast.Constant(int(run(f"print({text})").printed)))
        return ast.Call(node.func, done, [])


def _recursion(draw: Draw, problem: Problem) -> Trace:
    program = problem.slots["program"]
    lines = _calls(program)
    printed = run(program).printed
    lead = draw.choice(
        (
            "小さい引数の値から順に求めます。",
            "関数の値を、引数が小さいほうから順に計算します。",
            "再帰が終わるところから、順に値を求めていきます。",
        )
    )
    return Trace(
        (lead, *(f"{one}です。" for one in lines), f"よって、{printed}が表示されます。"), printed
    )


def _structure(draw: Draw, problem: Problem) -> Trace:
    text, asked = problem.slots["operations"], problem.slots["asked"]
    sentences = [one for one in text.split("。") if one]
    if "辞書" in text:
        return _table(sentences, asked)
    stacks = {name for name in ("", "S") if f"スタック{name}に" in text}
    held: dict[str, list[int]] = {}
    steps, taken = [_law(text)], 0

    def take(name: str) -> int:
        return held[name].pop(-1 if name in stacks else 0)

    def now(name: str) -> str:
        inside = "、".join(map(str, held[name])) or "空"
        return f"{name or '中身'}は［{inside}］になります"

    for one in sentences:
        if found := re.search(r"空の(?:スタック|キュー)([SQ]?)に([\d、]+)の順に", one):
            held[found[1]] = [int(value) for value in found[2].split("、")]
            inside = "、".join(map(str, held[found[1]]))
            steps.append(f"はじめ、{found[1] or '中身'}は［{inside}］です。")
        elif found := re.search(r"([SQ])から1個取り出し、それを([SQ])に", one):
            taken = take(found[1])
            held[found[2]].append(taken)
            steps.append(
                f"{found[1]}から{taken}を取り出し、{found[2]}に加えます。{now('S')}。{now('Q')}。"
            )
        elif found := re.fullmatch(r"(\d+)個取り出す", one):
            out = [take("") for _ in range(int(found[1]))]
            taken = out[-1]
            steps.append(f"{'、'.join(map(str, out))}を取り出すと、{now('')}。")
        elif found := re.fullmatch(r"(?:([SQ])に)?(\d+)を(?:積む|入れる)", one):
            held[found[1] or ""].append(int(found[2]))
            verb = "積む" if (found[1] or "") in stacks else "入れる"
            steps.append(f"{found[2]}を{verb}と、{now(found[1] or '')}。")
        else:
            raise ValueError(one)
    which = next((name for name in ("S", "Q") if name in asked), "")
    if "合計" in asked:
        value = sum(held[which])
        if len(held[which]) > 1:
            steps.append(f"{asked}は、{'+'.join(map(str, held[which]))}={value}です。")
        else:
            steps.append(f"{asked}は{value}です。")
    else:
        value = taken if asked.startswith("最後に") else take(which)
        steps.append(f"{asked}は{value}です。")
    return Trace(tuple(steps), str(value))


def _law(text: str) -> str:
    stack = "スタックは最後に積んだものから取り出します"
    queue = "キューは先に入れたものから取り出します"
    if "スタック" in text and "キュー" in text:
        return f"{stack}。{queue}。"
    return f"{stack if 'スタック' in text else queue}。左が先に入ったものとして書きます。"


def _table(sentences: list[str], asked: str) -> Trace:
    table: dict[str, int] = {}
    steps = []
    for one in sentences[1:]:
        if found := re.fullmatch(r"「(.+)」に「(.+)」と同じ値を登録する", one):
            table[found[1]] = table[found[2]]
            text = f"「{found[1]}」は「{found[2]}」と同じ{table[found[2]]}になります"
        elif found := re.fullmatch(r"「(.+)」が未登録なら(\d+)を登録する", one):
            if found[1] in table:
                text = f"「{found[1]}」は登録済みなので、{table[found[1]]}のままです"
            else:
                table[found[1]] = int(found[2])
                text = f"「{found[1]}」は未登録なので、{found[2]}を登録します"
        elif found := re.fullmatch(r"「(.+)」に(\d+)を登録する", one):
            table[found[1]] = int(found[2])
            text = f"「{found[1]}」は{found[2]}です"
        elif found := re.fullmatch(r"「(.+)」の値を(\d+)増やす", one):
            old = table[found[1]]
            table[found[1]] += int(found[2])
            text = f"「{found[1]}」は{old}+{found[2]}={table[found[1]]}になります"
        elif found := re.fullmatch(r"「(.+)」の値を2倍にする", one):
            old = table[found[1]]
            table[found[1]] *= 2
            text = f"「{found[1]}」は{old}×2={table[found[1]]}になります"
        elif found := re.fullmatch(r"「(.+)」を削除する", one):
            del table[found[1]]
            text = f"「{found[1]}」はなくなります"
        else:
            raise ValueError(one)
        steps.append(f"{text}。")
    if "合計" in asked:
        value = sum(table.values())
        listed = "、".join(f"「{word}」が{one}" for word, one in table.items())
        equation = f"{'+'.join(map(str, table.values()))}={value}" if len(table) > 1 else value
        steps.append(f"残っているのは{listed}なので、合計は{equation}です。")
    else:
        value = table[asked.removeprefix("「").removesuffix("」の値")]
        steps.append(f"最後の{asked}は{value}です。")
    return Trace(tuple(steps), str(value))


LINES: dict[str, Tracer] = {
    "coding/recursion": _recursion,
    "coding/count": _count,
    "coding/fault": _fault,
    "coding/match": _match,
    "coding/structure": _structure,
}
