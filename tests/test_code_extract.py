"""The program in an answer: a table of answers as models give them, and properties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items.code_task import CodeTask, CodeTest
from harness.scoring.code.extract import (
    LEAST_EXPLAINED,
    blocks,
    extract_code,
    own_text,
    well_formed,
)

GIVEN = 'def double(n: int) -> int:\n    """nを2倍して返す。\n\n    >>> double(3)\n    6\n    """\n'
FUNCTION = CodeTask("function", "double", "calls", (CodeTest(args=(3,), expected=6),), given=GIVEN)
FIX = CodeTask("fix", "double", "calls", (CodeTest(args=(3,), expected=6),), given=GIVEN)
EXPLAIN = CodeTask("explain", "double", "calls", (CodeTest(args=(3,), expected=6),), given=GIVEN)
PROGRAM = CodeTask("program", "", "stdio", (CodeTest(stdin="3", stdout="6"),))

CODE = "def double(n):\n    return n * 2"
HELPER = "def twice(x):\n    return x + x"
USES = "def double(n):\n    return twice(n)"
PRINTS = "n = int(input())\nprint(n * 2)"
BODY = "    return n * 2"
WHOLE = GIVEN.rstrip("\n") + "\n" + BODY
TYPED = "from typing import List\n\n\ndef double(n: int) -> int:\n    return n * 2"


def fence(code: str, language: str = "python", sign: str = "```") -> str:
    return f"{sign}{language}\n{code}\n{sign}"


F, X, P, E = FUNCTION, FIX, PROGRAM, EXPLAIN
WHY = "受け取った整数に2を掛けて、その結果を返します。"
# (answer, task, program found, whether the answer is well formed)
ANSWERS: list[tuple[str, CodeTask, str | None, bool]] = [
    # One block
    (fence(CODE), F, CODE, True),
    (fence(CODE, "py"), F, CODE, True),
    (fence(CODE, "Python"), F, CODE, True),
    (fence(CODE, "python3"), F, CODE, True),
    (fence(CODE, ""), F, CODE, True),
    (fence(CODE, "python", "~~~"), F, CODE, True),
    (fence(CODE, "python", "````"), F, CODE, True),
    ("\n" + fence(CODE) + "\n\n", F, CODE, True),
    (fence(CODE).replace("\n", "\r\n"), F, CODE, True),
    (fence("\n" + CODE + "\n"), F, CODE, True),
    (fence(CODE, "python title=a.py"), F, CODE, True),
    (fence(PRINTS), P, PRINTS, True),
    (fence(TYPED), F, TYPED, True),
    # Prose around
    ("以下が関数です。\n" + fence(CODE), F, CODE, False),
    (fence(CODE) + "\nこの関数は、nを2倍して返します。", F, CODE, False),
    ("はい、承知しました！\n\n" + fence(CODE) + "\n\n### 解説\n- `n * 2`を返す", F, CODE, False),
    ("１．まず次のように書きます：\n" + fence(CODE) + "\n２．終わりです。", F, CODE, False),
    ("Here is the code:\n" + fence(CODE), F, CODE, False),
    ("答え：\n  " + fence(CODE).replace("\n", "\n  "), F, CODE, False),
    ("> " + fence(CODE).replace("\n", "\n> "), F, CODE, False),
    # Several blocks
    (fence(CODE) + "\n実行例：\n" + fence("print(double(3))"), F, CODE, False),
    (fence("def double(n):\n    return n") + "\n訂正します。\n" + fence(CODE), F, CODE, False),
    (fence(HELPER) + "\nこれを使います。\n" + fence(USES), F, HELPER + "\n\n" + USES, False),
    (fence(USES) + "\n補助関数：\n" + fence(HELPER), F, HELPER + "\n\n" + USES, False),
    (fence("def other():\n    pass") + "\n" + fence(CODE), F, CODE, False),
    (fence(CODE) + "\n出力：\n" + fence("6", "text"), F, CODE, False),
    (fence(CODE) + "\n出力：\n" + fence("6", ""), F, CODE, False),
    (fence("pip install numpy", "bash") + "\n" + fence(CODE), F, CODE, False),
    (fence("3", "") + "\n" + fence(PRINTS) + "\n" + fence("6", ""), P, PRINTS, False),
    (
        fence("import math") + "\n" + fence("def double(n):\n    return math.floor(n * 2)"),
        F,
        "import math\n\ndef double(n):\n    return math.floor(n * 2)",
        False,
    ),
    # Not closed, cut off
    ("```python\n" + CODE, F, CODE, False),
    ("```python\ndef double(n):\n    return (n *", F, "def double(n):\n    return (n *", False),
    # No fence
    (CODE, F, CODE, True),
    (PRINTS, P, PRINTS, True),
    ("\n" + CODE + "\n", F, CODE, True),
    (TYPED, F, TYPED, True),
    ("次のように書けます。\n\n" + CODE, F, CODE, False),
    (CODE + "\n\n以上です。", F, CODE, False),
    (CODE + "\n以上です", F, CODE, False),
    (CODE + "\n\n（注）nは整数です。", F, CODE, False),
    ("関数：\n" + CODE + "\n\n説明：2倍するだけです。", F, CODE, False),
    ("プログラムは次のとおりです。\n" + PRINTS, P, PRINTS, False),
    (CODE + "\n\nprint(double(3))", F, CODE + "\n\nprint(double(3))", True),
    # Thoughts
    ("<think>2倍だ。```python\ndef double(n): pass\n```</think>\n" + fence(CODE), F, CODE, False),
    ("<think>長い考え", F, None, False),
    ("2倍なので</think>" + CODE, F, CODE, False),
    # The signature continued
    (BODY, F, WHOLE, False),
    ("return n * 2", F, WHOLE, False),
    (BODY + "\n\nprint(double(3))", F, WHOLE, False),
    (BODY + "\n\n" + HELPER, F, WHOLE + "\n\n" + HELPER, False),
    (BODY + "\n\nif __name__ == '__main__':\n    double(1)", F, WHOLE, False),
    (
        "    m = n\n    return m + n\n\n# 以上",
        F,
        GIVEN.rstrip("\n") + "\n    m = n\n    return m + n\n\n# 以上",
        False,
    ),
    (BODY + "\nこれで終わりです。次に", F, WHOLE, False),
    (fence(BODY), F, WHOLE, True),
    (fence("m = n\nreturn m + n"), F, GIVEN.rstrip("\n") + "\n    m = n\n    return m + n", True),
    (BODY, X, None, False),
    # Transcripts and other wrappings
    (
        fence(">>> def double(n):\n...     return n * 2\n...\n>>> double(3)\n6"),
        F,
        CODE + "\n\ndouble(3)",
        True,
    ),
    (">>> def double(n):\n...     return n * 2\n>>> double(3)\n6", F, CODE + "\ndouble(3)", False),
    ('answer = """\n' + CODE + '\n"""', F, CODE, False),
    ("回答＝'''" + CODE + "'''", F, CODE, False),
    # First an explanation
    (WHY + "\n" + fence(CODE), E, CODE, True),
    (WHY + "\n\n" + fence(CODE) + "\n\n", E, CODE, True),
    ("## 考え方\n- " + WHY + "\n\n## 関数\n" + fence(CODE), E, CODE, True),
    ((WHY + "\n" + fence(CODE)).replace("\n", "\r\n"), E, CODE, True),
    (WHY + "`n * 2`です。\n" + fence(CODE, "", "~~~"), E, CODE, True),
    (WHY + "\n" + fence(BODY), E, WHOLE, True),
    (fence(CODE), E, CODE, False),
    (CODE, E, CODE, False),
    (WHY + "\n" + CODE, E, CODE, False),
    ("## 考え方\n" + fence(CODE), E, CODE, False),
    ("Multiply the number by two and return it.\n" + fence(CODE), E, CODE, False),
    (fence(CODE) + "\n" + WHY, E, CODE, False),
    (WHY + "\n" + fence(CODE) + "\n以上です。", E, CODE, False),
    (WHY + "\n" + fence(HELPER) + "\n" + fence(USES), E, HELPER + "\n\n" + USES, False),
    (WHY + "\n" + fence("3 → 6", "text") + "\n" + fence(CODE), E, CODE, False),
    (WHY + "\n" + fence(CODE, "java"), E, CODE, False),
    (WHY + "\n```python\n" + CODE, E, CODE, False),
    (WHY + "\n  " + fence(CODE).replace("\n", "\n  "), E, CODE, False),
    (fence("# " + WHY + "\n" + CODE), E, "# " + WHY + "\n" + CODE, False),
    (f"<think>{WHY}</think>\n" + fence(CODE), E, CODE, False),
    (f"<think>2倍</think>{WHY}\n" + fence(CODE), E, CODE, False),
    (WHY, E, None, False),
    # Nothing there
    ("", F, None, False),
    ("   \n", F, None, False),
    ("わかりません。", F, None, False),
    ("この関数はnを2倍します", F, None, False),
    ("6", F, None, False),
    ("6", P, None, False),
    ("申し訳ありませんが、お手伝いできません。", P, None, False),
    # Full-width signs inside code are not mended
    (fence("def double（n）：\n    return n * 2"), F, "def double（n）：\n    return n * 2", True),
]


@pytest.mark.parametrize(("answer", "task", "code", "exact"), ANSWERS)
def test_answers(answer: str, task: CodeTask, code: str | None, exact: bool) -> None:
    assert extract_code(answer, task) == code
    assert (well_formed(answer, task) is not None) is exact


def test_there_are_many_answers() -> None:
    assert len(ANSWERS) >= 50


def test_well_formed_gives_the_block_as_it_stands() -> None:
    assert well_formed(fence(CODE), F) == CODE
    assert well_formed(fence(CODE) + "\n" + fence(HELPER), F) is None
    assert well_formed(fence(CODE, "java"), F) is None
    assert well_formed(fence(" "), F) is None
    assert well_formed("<think>a</think>" + fence(CODE), F) is None


def test_blocks_keep_fences_of_other_kinds_inside() -> None:
    (block,) = blocks("~~~py\na = '''\n```\n'''\n~~~")
    assert (block.language, block.text, block.closed) == ("py", "a = '''\n```\n'''", True)


def test_a_long_answer_costs_little() -> None:
    assert extract_code("def f(\n" * 5000, F) is None
    assert extract_code("x = 1 は\n" * 7000, F) is None
    assert extract_code("(" * 50_000, F) is None
    assert extract_code("a" * 100_000, F) is None


PIECES = [
    "```", "```python", "~~~", "\n", CODE, HELPER, USES, PRINTS, BODY, "return n", ">>> ", "... ",
    "<think>", "</think>", "以上です。", "（", "：", 'answer = """', '"""', "  ", "\t", "\0",
    "def double(", "print(", "\\", "\ud800", "class A:", "@", "# ", "6",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=14),
    st.sampled_from([FUNCTION, FIX, EXPLAIN, PROGRAM]),
    st.sampled_from(["", "\n"]),
)
def test_never_raises_and_invents_nothing(parts: list[str], task: CodeTask, glue: str) -> None:
    text = glue.join(parts)
    code = extract_code(text, task)
    well_formed(text, task)
    if code is not None:
        allowed = own_text(text) + "\n" + task.given
        assert code.strip()
        assert all(line.strip() in allowed for line in code.split("\n"))


KANA = st.sampled_from("あんアヺー々漢鿿")
ASIDE = st.sampled_from(["\n", " ", "`n`", "## ", "- ", "。", "、", "ABC", "12", "``n", "１"])


@settings(max_examples=300, deadline=None)
@given(st.lists(KANA | ASIDE, max_size=40), st.sampled_from([CODE, BODY, HELPER, "(", "6"]))
def test_an_explanation_is_counted_in_japanese_letters(parts: list[str], code: str) -> None:
    letters = sum(part in "あんアヺー々漢鿿" for part in parts)
    answer = "".join(parts) + "\n" + fence(code)
    assert well_formed(answer, EXPLAIN) == (code if letters >= LEAST_EXPLAINED else None)
    # What is explained behind the block is not read for it, nor what stands in thoughts.
    assert well_formed(fence(code) + "\n" + "".join(parts), EXPLAIN) is None
    assert well_formed(f"<think>{WHY}</think>" + answer, EXPLAIN) is None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["```python", "```", "~~~py", "````"]),
    st.lists(st.sampled_from([*PIECES, WHY]) | st.text(max_size=8), max_size=6),
    st.sampled_from(["```", "~~~", "````", "```\n以上です。"]),
)
def test_behind_an_explanation_the_rule_for_a_fenced_block_is_that_of_any_kind(
    opening: str, parts: list[str], closing: str
) -> None:
    block = "\n".join([opening, *parts, closing])
    assert well_formed(f"{WHY}\n{block}", EXPLAIN) == well_formed(block, FUNCTION)
