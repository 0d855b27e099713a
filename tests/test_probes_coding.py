"""Coding probes: every answer is proved from the question's text, and again by Python itself."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from harness.errors import HarnessError
from harness.items.probes.coding import CODING
from harness.items.probes.family import Family, Problem, in_evaluation
from harness.items.probes.generate import probes, training_samples
from harness.items.probes.pools import KANA_WORDS
from harness.items.probes.program import run
from harness.items.probes.pseudocode import python_of
from harness.items.probes.verify import is_proven, solve_question
from harness.items.probes.verify_coding import SOLVERS
from harness.items.probes.words import ENGLISH
from tests.probe_checks import SPLITS, accepted, check_family, golden, some

FAMILY = {family.name.split("/")[1]: family for family in CODING}

GOLDEN: dict[str, str] = {
    "coding/variable": "e550584b4b1caa08",
    "coding/condition": "6578ed8131ead83a",
    "coding/recursion": "e598a6057dbd885f",
    "coding/string": "b33f7641653a228a",
    "coding/list": "e3cdeabc17a2a812",
    "coding/count": "20de2fe9c488aaf8",
    "coding/fault": "dab1142df1afacd3",
    "coding/match": "34055a5a13ef6f66",
    "coding/structure": "21cf45b83e3340fe",
    "coding/pseudocode": "80d244f1e028c760",
}

# Runs each program of a JSON list by itself and prints what it printed, how often each of its
# lines began, and its plain variables. Lines are counted as Python's own tracer reports them.
_PYTHON = r"""
import collections, contextlib, io, json, sys

def result(program):
    code, counts, variables = compile(program, "probe", "exec"), collections.Counter(), {}
    def trace(frame, event, _):
        if frame.f_code.co_filename != "probe":
            return None
        if event == "line":
            counts[frame.f_lineno] += 1
        return trace
    printed, error = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        sys.settrace(trace)
        try:
            exec(code, variables)
        except Exception as fault:
            error = type(fault).__name__
        finally:
            sys.settrace(None)
    plain = {k: v for k, v in variables.items() if isinstance(v, (int, str, list))}
    return [printed.getvalue().removesuffix("\n"), counts, plain, error]

print(json.dumps([result(program) for program in json.load(sys.stdin)]))
"""


def real_python(programs: list[str]) -> list[tuple[str, dict[str, int], dict[str, object], str]]:
    """What Python itself makes of programs, in a process of its own: output, counts by line,
    variables, error."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PYTHON],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [tuple(one) for one in json.loads(done.stdout)]


def unnumbered(program: str) -> str:
    return re.sub(r"^\d+: ", "", program, flags=re.MULTILINE)


# --- what every family promises ---


def test_every_family_has_a_solver_and_the_genre() -> None:
    assert list(SOLVERS) == [family.name for family in CODING]
    assert {family.genre for family in CODING} == {"coding"}


@pytest.mark.parametrize("level", range(1, 6))
@pytest.mark.parametrize("family", CODING, ids=lambda family: family.name)
def test_every_family_and_level_serves_both_splits(family: Family, level: int) -> None:
    check_family(family, level)


@pytest.mark.parametrize("family", CODING, ids=lambda family: family.name)
def test_golden_problems_never_change(family: Family) -> None:
    """A change here changes items that others have stored: raise the family's version."""
    assert (family.version, golden(family)) == (1, GOLDEN[family.name])


@pytest.mark.parametrize("family", CODING, ids=lambda family: family.name)
def test_each_problem_has_one_answer_in_every_template(family: Family) -> None:
    for problem in some(family, count=25):
        assert is_proven(family.name, problem), problem


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_items_are_answered_from_their_text(seed: int) -> None:
    items = [
        *probes(CODING, per_level=4, seed=seed),
        *training_samples(CODING, count=200, seed=seed),
    ]
    for item in items:
        assert solve_question(item.skill, item.turns[0]) == (item.answer,), item.id


@pytest.mark.parametrize("family", CODING, ids=lambda family: family.name)
def test_no_answer_can_be_guessed(family: Family) -> None:
    for level in range(1, 6):
        problems = list(accepted(family, level, "training", 120))
        assert len({problem.content for problem in problems}) > 85
        counts = Counter(problem.answer for problem in problems)
        labels = problems[0].format.labels
        if labels:
            assert set(counts) == set(labels)
            assert min(counts.values()) >= len(problems) * 0.5 / len(labels), (level, counts)
        elif family is not FAMILY["fault"]:  # whose answers are few: see the next test
            assert max(counts.values()) < 0.25 * len(problems), (level, counts.most_common(3))


@pytest.mark.parametrize("level", range(1, 6))
def test_the_wrong_line_stands_anywhere_among_the_offered_ones(level: int) -> None:
    places: Counter[int] = Counter()
    for problem in accepted(FAMILY["fault"], level, "training", 180):
        offered = re.findall(r"^(\d+)行目を", problem.slots["changes"], re.MULTILINE)
        places[offered.index(problem.answer)] += 1
        count = len(offered)
    assert len(places) == count
    assert min(places.values()) >= 180 * 0.5 / count


@pytest.mark.parametrize("family", CODING, ids=lambda family: family.name)
def test_programs_grow_with_the_level(family: Family) -> None:
    """By the length of what must be read and the statements that must be followed."""

    def effort(level: int) -> int:
        efforts = []
        for problem in accepted(family, level, "training", 60):
            program = unnumbered(problem.slots.get("program", ""))
            if family is FAMILY["pseudocode"]:
                program = python_of(program)
            executed = sum(run(program).counts.values())
            efforts.append(sum(map(len, problem.slots.values())) + 5 * executed)
        return sorted(efforts)[30]

    assert effort(1) * 1.2 < effort(3) < effort(5) / 1.2
    assert effort(1) < effort(2) < effort(5)
    assert effort(1) < effort(4)


def test_words_belong_to_the_split() -> None:
    pool = [*ENGLISH, *KANA_WORDS]
    for family in (FAMILY["string"], FAMILY["structure"], FAMILY["variable"]):
        for split in SPLITS:
            for level in range(1, 6):
                for problem in accepted(family, level, split, 10):
                    quoted = re.findall(r'["「]([^"「」]+)["」]', "".join(problem.slots.values()))
                    drawn = [word for text in quoted for word in text.split() if word in pool]
                    assert all(in_evaluation(word) == (split == "evaluation") for word in drawn)


def test_names_and_the_order_of_options_make_no_other_problem() -> None:
    for key in ("variable", "match", "pseudocode"):
        shown: dict[str, set[str]] = {}
        for problem in accepted(FAMILY[key], 1, "training", 2000):
            shown.setdefault(problem.content, set()).add(str(problem.slots))
        assert max(map(len, shown.values())) > 1
    assert not re.search(r"total|price|nums", "".join(shown))


# --- Python itself ---


@pytest.mark.parametrize("key", ["condition", "recursion", "string", "list"])
def test_python_prints_the_answer(key: str) -> None:
    problems = list(some(FAMILY[key], count=60))
    results = real_python([problem.slots["program"] for problem in problems])
    assert [(one[0], one[3]) for one in results] == [(one.answer, None) for one in problems]


def test_python_ends_with_the_value_of_the_variable() -> None:
    problems = list(some(FAMILY["variable"], count=60))
    results = real_python([problem.slots["program"] for problem in problems])
    for problem, (_, _, variables, error) in zip(problems, results, strict=True):
        assert error is None
        assert str(variables[problem.slots["asked"]]) == problem.answer


def test_python_executes_the_line_as_often() -> None:
    problems = list(some(FAMILY["count"], count=60))
    results = real_python([unnumbered(problem.slots["program"]) for problem in problems])
    for problem, (_, counts, _, error) in zip(problems, results, strict=True):
        assert error is None
        assert str(counts.get(problem.slots["asked"], 0)) == problem.answer, problem.slots


def test_python_is_mended_by_the_right_change_alone() -> None:
    problems = list(some(FAMILY["fault"], count=30))
    programs, owners = [], []
    for problem in problems:
        lines = unnumbered(problem.slots["program"]).split("\n")
        programs.append("\n".join(lines))
        owners.append((problem, ""))
        for number, text in re.findall(r"(\d+)行目を「(.*)」に直す", problem.slots["changes"]):
            old = lines[int(number) - 1]
            changed = [*lines]
            changed[int(number) - 1] = old[: len(old) - len(old.lstrip())] + text
            programs.append("\n".join(changed))
            owners.append((problem, number))
    assert len(owners) > 4 * len(problems)
    for (problem, number), (printed, *_) in zip(owners, real_python(programs), strict=True):
        assert (printed == problem.slots["wanted"]) is (number == problem.answer)


def test_python_prints_the_wanted_text_for_one_option() -> None:
    problems = list(some(FAMILY["match"], count=30))
    programs = []
    for problem in problems:
        parts = re.split(r"^[A-D]:\s", problem.slots["options"], flags=re.MULTILINE)
        assert len(parts) == 5
        programs += parts[1:]
    printed = iter(one[0] for one in real_python(programs))
    for problem in problems:
        outputs = list(islice(printed, 4))
        assert len(set(outputs)) == 4
        assert "ABCD"[outputs.index(problem.slots["wanted"])] == problem.answer


def test_pseudocode_is_simulated_line_by_line() -> None:
    """Another reading of the pseudo-code: its lines become Python by their blanks and words."""
    problems = list(some(FAMILY["pseudocode"], count=60))
    results = real_python([_another_reading(problem.slots["program"]) for problem in problems])
    assert [(one[0], one[3]) for one in results] == [(one.answer, None) for one in problems]


def _another_reading(text: str) -> str:
    program = []
    for line in text.split("\n"):
        words = line.split(" ")[1:]
        depth = words.count("｜")
        words = words[depth:]
        sentence = " ".join(words)
        if words[-1].endswith("ながら繰り返す：") and "まで" in words:
            low = " ".join(words[2 : words.index("から")])
            high = " ".join(words[words.index("から") + 1 : words.index("まで")])
            step = int(words[-2]) * (-1 if "減らし" in words[-1] else 1)
            past = 1 if step > 0 else -1
            code = f"for {words[0]} in range({low}, {high} + {past}, {step}):"
        elif words[-1] == "の間、繰り返す：":
            code = f"while {' '.join(words[:-1])}:"
        elif words[0] == "もし":
            code = f"if {' '.join(words[1:-1])}:"
        elif sentence == "そうでなければ：":
            code = "else:"
        elif sentence.startswith("表示する"):
            code = sentence.replace("表示する", "print")
        else:
            name, value = sentence.split(" ← ")
            code = f"{name} = {value}"
        for sign, python in zip("＝≠≧×÷％", ("==", "!=", ">=", "*", "//", "%"), strict=True):
            code = code.replace(sign, python)
        program.append("    " * depth + code.replace("または", "or"))
    return "\n".join(program)


def test_operations_are_carried_out_one_by_one() -> None:
    for problem in some(FAMILY["structure"], count=60):
        assert _carried_out(problem) == problem.answer, problem.slots


def _carried_out(problem: Problem) -> str:
    """Another reading of operations: holders are lists whose front is the next to come out."""
    sentences = problem.slots["operations"].split("。")
    asked = problem.slots["asked"]
    table: dict[str, int] = {}
    held: dict[str, list[int]] = {}
    last = 0

    def put(name: str, value: int) -> None:
        stack = "スタック" + ("S" if name == "S" else "に") in problem.slots["operations"]
        held[name].insert(0 if stack and name != "Q" else len(held[name]), value)

    for sentence in sentences:
        names = re.findall(r"「(.+?)」", sentence)
        values = [int(value) for value in re.findall(r"\d+", sentence)]
        holder = (re.findall("[SQ]", sentence) or [""])[0]
        if "同じ値" in sentence:
            table[names[0]] = table[names[1]]
        elif "未登録" in sentence:
            table[names[0]] = table.get(names[0], values[0])
        elif "登録" in sentence:
            table[names[0]] = values[0]
        elif "増やす" in sentence:
            table[names[0]] = table[names[0]] + values[0]
        elif "倍" in sentence:
            table[names[0]] = table[names[0]] + table[names[0]]
        elif "削除" in sentence:
            table = {name: value for name, value in table.items() if name != names[0]}
        elif "順に" in sentence:
            held[holder] = []
            for value in values:
                put(holder, value)
        elif "それを" in sentence:
            source, target = re.findall("[SQ]", sentence)
            put(target, held[source].pop(0))
        elif "取り出す" in sentence:
            for _ in range(values[0]):
                last = held[holder].pop(0)
        elif values:
            put(holder, values[0])
    holder = (re.findall("[SQ]", asked) or [""])[0]
    if "合計" in asked:
        return str(sum(held[holder] if held else table.values()))
    if "次に" in asked:
        return str(held[holder][0])
    return str(last if held else table[asked[1:-3]])


# --- spoilt questions ---


def test_a_wrong_gold_is_not_proven() -> None:
    for family in CODING:
        for problem in some(family, 2, count=5):
            for other in {*problem.format.labels, "12345"} - {problem.answer}:
                assert not is_proven(family.name, dataclasses.replace(problem, answer=other))


def test_questions_with_several_answers_or_none() -> None:
    options = "A: print(1 + 2)\nB: print(4 - 1)\nC: print(4)\nD: print(5)"
    assert solve_question("coding/match", f"{options}\n「3」と表示するのは？") == ("A", "B")
    assert solve_question("coding/match", f"{options}\n「9」と表示するのは？") == ()
    program = "1: x = 2\n2: print(x * 3)"
    changes = "1行目を「x = 3」に直す\n2行目を「print(x + 7)」に直す"
    question = f"「9」と表示\n{program}\n{changes}"
    assert solve_question("coding/fault", question) == ("1", "2")


@pytest.mark.parametrize(
    ("family", "question"),
    [
        ("coding/none", "x"),
        ("math/ratio", "x"),
        ("coding/string", "何も書かれていません。"),
        ("coding/string", "実行してください。\nprint([1][5])"),
        ("coding/string", "実行してください。\nwhile True:\n    pass"),
        ("coding/string", "実行してください。\nimport os"),
        ("coding/string", "実行してください。\nprint(1"),
        ("coding/variable", "変数xの値は？\ny = 1"),
        ("coding/count", "4行目は何回？\n1: x = 1"),
        ("coding/fault", "「2」と表示\n1: print(2)\n1行目を「print(3)」に直す"),
        ("coding/match", "「3」と表示するのは？\nA: print(3)"),
        ("coding/pseudocode", "(1) x を増やす"),
        ("coding/structure", "空のスタックに1、2の順に積む。3個取り出す。最後に取り出された値は？"),
        (
            "coding/structure",
            "空のスタックに1、2の順に積む。半分取り出す。残っている値の合計？",
        ),
        (
            "coding/structure",
            "空の辞書がある。「あ」に3を登録する。全部2倍にする。「あ」の値？",
        ),
        ("coding/structure", "空の辞書がある。「あ」の値を3増やす。「あ」の値は？"),
    ],
)
def test_what_is_no_question_is_refused(family: str, question: str) -> None:
    with pytest.raises(HarnessError):
        solve_question(family, question)


def test_pseudocode_becomes_python() -> None:
    text = "問い\n(1) i を 5 から 1 まで 2 ずつ減らしながら繰り返す：\n(2) ｜ a[i] ← i ÷ 2\n終わり"
    assert ast.dump(ast.parse(python_of(text))) == ast.dump(
        ast.parse("for i in range(5, 1 - 1, -2):\n    a[i] = i // 2")
    )
