"""Answers coding probes from the text of the question alone, and so proves that one answer exists:
programs are read out of the text and run in `program`, operations are carried out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from harness.errors import HarnessError
from harness.items.probes.program import Run, run
from harness.items.probes.pseudocode import python_of

_NUMBERED = re.compile(r"^(\d+): (.*)$", re.MULTILINE)
_OPTION = re.compile(r"^([A-D]):(?:$| (.+)$)")
_CHANGE = re.compile(r"^(\d+)行目を「(.*)」に直す$", re.MULTILINE)
_WANTED = re.compile(r"「([^」\n]*)」と表示")


def solve_question(family: str, question: str) -> tuple[str, ...]:
    """Every answer to a question of a coding family, each once, sorted: one for a sound question.

    family    e.g. "coding/variable"
    question  the whole text that is asked, in any of the family's templates

    Raises HarnessError for an unknown family and for a text that is no question of the family.
    """
    solver = SOLVERS.get(family)
    if solver is None:
        raise HarnessError(f"no solver for {family!r}, expected one of {', '.join(SOLVERS)}")
    try:
        return tuple(sorted(set(solver(question))))
    except (ValueError, LookupError, TypeError):
        raise HarnessError(
            f"question {question[:60]!r} is none of {family}, expected the text of an item"
        ) from None


def _code(text: str) -> str:
    """The lines of a text that begin with an ASCII character: programs do, prose does not."""
    lines = [line for line in text.split("\n") if line and line[0].isascii()]
    return "\n".join(line for line in lines if not line.startswith("```"))


def _ended(program: str) -> Run:
    """A run to the end, of a program that does something."""
    done = run(program)
    if done.error is not None or not done.counts:
        raise ValueError(program)
    return done


def _printed(question: str) -> list[str]:
    return [_ended(_code(question)).printed]


def _variable(question: str) -> list[str]:
    (name,) = set(re.findall(r"変数(\w+?)(?:の|に)", question, re.ASCII))
    return [str(_ended(_code(question)).variables[name])]


def _line(question: str) -> list[str]:
    (number,) = set(re.findall(r"(\d+)行目", question))
    lines = dict(_NUMBERED.findall(question))
    if number not in lines:
        raise ValueError(number)
    return [str(_ended("\n".join(lines.values())).counts.get(int(number), 0))]


def _fault(question: str) -> Iterator[str]:
    (wanted,) = set(_WANTED.findall(question))
    lines = dict(_NUMBERED.findall(question))
    if run("\n".join(lines.values())).printed == wanted:
        raise ValueError("nothing is wrong")
    for number, text in _CHANGE.findall(question):
        indent = re.match(" *", lines[number])
        changed = {**lines, number: (indent[0] if indent else "") + text}
        done = run("\n".join(changed.values()))
        if done.error is None and done.printed == wanted:
            yield number


def _match(question: str) -> Iterator[str]:
    (wanted,) = set(_WANTED.findall(question))
    options: dict[str, list[str]] = {}
    label = ""
    for line in _code(question).split("\n"):
        if option := _OPTION.match(line):
            label = option[1]
            options[label] = [option[2]] if option[2] else []
        else:
            options[label].append(line)
    if len(options) != 4:
        raise ValueError(options)
    for label, lines in options.items():
        if _ended("\n".join(lines)).printed == wanted:
            yield label


def _pseudocode(question: str) -> list[str]:
    return [_ended(python_of(question)).printed]


# Holders by name; "" where the question has one only.
_PUT_FIRST = re.compile(r"空の(?:スタック|キュー)([SQ]?)に([\d、]+)の順に(?:積む|入れる)")
_PUT = re.compile(r"(?:([SQ])に)?(\d+)を(?:積む|入れる)")
_TAKE = re.compile(r"(\d+)個取り出す")
_MOVE = re.compile(r"([SQ])から1個取り出し、それを([SQ])に(?:積む|入れる)")
_NEXT = re.compile(r"次に(?:([SQ])から)?1個取り出すときに出てくる値")
_SUM = re.compile(r"(?:([SQ])に)?残っている値の合計")


def _structure(question: str) -> list[str]:
    if "辞書" in question:
        return [_table(question)]
    stacks = {name for name in ("", "S") if f"スタック{name}に" in question}
    held: dict[str, list[int]] = {}
    taken: list[int] = []

    def take(name: str) -> int:
        taken.append(held[name].pop(-1 if name in stacks else 0))
        return taken[-1]

    for sentence in re.split("[。\n：]", question):
        if found := _PUT_FIRST.search(sentence):
            held[found[1]] = [int(value) for value in found[2].split("、")]
        elif found := _MOVE.search(sentence):
            held[found[2]].append(take(found[1]))
        elif found := _TAKE.fullmatch(sentence):
            for _ in range(int(found[1])):
                take("")
        elif found := _PUT.fullmatch(sentence):
            held[found[1] or ""].append(int(found[2]))
        elif sentence.endswith(("積む", "入れる", "取り出す")):
            raise ValueError(sentence)
    if found := _NEXT.search(question):
        return [str(take(found[1] or ""))]
    if found := _SUM.search(question):
        return [str(sum(held[found[1] or ""]))]
    if "最後に取り出された値" not in question:
        raise ValueError(question)
    return [str(taken[-1])]


def _table(question: str) -> str:
    table: dict[str, int] = {}
    for sentence in re.split("[。\n：]", question):
        if found := re.search(r"「(.+)」に「(.+)」と同じ値を登録する", sentence):
            table[found[1]] = table[found[2]]
        elif found := re.search(r"「(.+)」が未登録なら(\d+)を登録する", sentence):
            table.setdefault(found[1], int(found[2]))
        elif found := re.search(r"「(.+)」に(\d+)を登録する", sentence):
            table[found[1]] = int(found[2])
        elif found := re.search(r"「(.+)」の値を(\d+)増やす", sentence):
            table[found[1]] += int(found[2])
        elif found := re.search(r"「(.+)」の値を(\d+)倍にする", sentence):
            table[found[1]] *= int(found[2])
        elif found := re.search(r"「(.+)」を削除する", sentence):
            del table[found[1]]
        elif sentence.endswith(("する", "増やす")):
            raise ValueError(sentence)
    if "登録されている値の合計" in question:
        return str(sum(table.values()))
    (name,) = set(re.findall(r"「([^」]+)」の値(?!を\d)", question))
    return str(table[name])


SOLVERS: dict[str, Callable[[str], Iterator[str] | list[str]]] = {
    "coding/variable": _variable,
    "coding/condition": _printed,
    "coding/recursion": _printed,
    "coding/string": _printed,
    "coding/list": _printed,
    "coding/count": _line,
    "coding/fault": _fault,
    "coding/match": _match,
    "coding/structure": _structure,
    "coding/pseudocode": _pseudocode,
}
