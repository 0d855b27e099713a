"""Questions written from personas and their answers: each genre's proof, and strict reading."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.schema import check_item
from harness.scoring import score_answer
from tests.scripted_teacher import Teacher, by_mark, order
from tests.test_synthesis_reading import TEXTS
from training.synthesis.teacher_prompts import teacher_prompt
from training.synthesis.types import Dropped, Sample
from training.synthesis.written import keys_of, written

QUESTION = "【質問】\nりんごが3個、みかんが4個あります。合わせて何個ですか。"
SOLVED = "3と4を足します。\n答え：7個"
PROGRAM = "```python\ndef answer():\n    return 3 + 4\n```"
PROBLEM = (
    "【問題】\n整数のリストを受け取り、偶数の和を返す関数を書いてください。\n【関数名】\nsum_even"
)
SOLUTION = (
    "偶数だけを選んで足します。\n"
    "```python\ndef sum_even(values):\n    return sum(v for v in values if v % 2 == 0)\n```"
)
TESTS = (
    "\n【テスト】\nassert sum_even([1, 2, 3]) == 2\nassert sum_even([]) == 0\n"
    "assert sum_even([4, 4]) == 8"
)
PASSAGE = (
    "【文章】\n会議は4月3日の午後2時から、本館の第1会議室で行います。担当は総務課の佐藤です。"
    "資料は各自で印刷してください。\n【項目】\n・日付\n・担当"
)
OBJECT = '{"担当": "佐藤", "日付": "4月3日"}'
LETTER = "おばあさま、先日は温かいおもてなしをありがとうございました。"
ASKED = "【質問】\n祖母に送るお礼の手紙を書いてください。"


def outcomes(genre: str, teacher: Any, **more: Any) -> list[Sample | Dropped]:
    return list(written(order(genre, **more), teacher))


def only(genre: str, teacher: Any, **more: Any) -> Any:
    (one,) = outcomes(genre, teacher, count=1, **more)
    return one


def math_teacher(**replies: str) -> Teacher:
    return Teacher(
        by_mark(**({"persona": QUESTION, "program": PROGRAM, "concluded": SOLVED} | replies))
    )


def coding_teacher(**replies: str) -> Teacher:
    known = {"persona": PROBLEM, "tested": SOLUTION + TESTS, "solution": SOLUTION}
    return Teacher(by_mark(**(known | replies)))


def extraction_teacher(**replies: str) -> Teacher:
    return Teacher(by_mark(**({"persona": PASSAGE, "object": OBJECT} | replies)))


def test_math_is_proven_by_agreement_and_a_program() -> None:
    teacher = math_teacher()
    one = only("math", teacher, skill="math/ratio", level=2)
    assert [message.role for message in one.messages] == ["user", "assistant"]
    assert one.messages[0].content == "りんごが3個、みかんが4個あります。合わせて何個ですか。"
    assert one.messages[1].content == SOLVED
    assert (one.answer, one.skill, one.level) == ("7個", "math/ratio", 2)
    assert one.proof.proven
    assert one.proof.method == "math-equality"
    assert check_item(one.item) is None
    # One call for questions, one for five answers and a program.
    assert teacher.calls == [1, 6]
    assert len({prompt.seed for prompt in teacher.prompts}) == 7
    assert "割合と比" in teacher.prompts[0].messages[1].content


def test_the_persona_steers_and_is_recorded_but_not_kept() -> None:
    teacher = math_teacher()
    one = only("math", teacher)
    shown = teacher.prompts[0].messages[1].content
    assert set(one.origin.persona) == {
        "role",
        "temperament",
        "keyword",
        "other_keyword",
        "setting",
        "constraint",
    }
    assert all(value in shown for value in one.origin.persona.values())
    assert not any(value in one.text for value in one.origin.persona.values())
    question, answer = one.origin.template.split("+")
    assert question == teacher_prompt("questions", "persona", "question").label
    assert answer == teacher_prompt("answers", "math").label


@pytest.mark.parametrize(
    ("program", "method"),
    [
        ("```python\ndef answer():\n    return 8\n```", None),
        ("```python\ndef answer():\n    return 7.0\n```", "math-equality"),
        ("```python\ndef answer():\n    return '7'\n```", "math-equality"),
        ("```python\ndef answer():\n    raise ValueError\n```", "agreement"),
        ("```python\ndef other():\n    return 8\n```", "agreement"),
        ("計算すると7になります。", "agreement"),
    ],
)
def test_a_program_proves_refutes_or_says_nothing(program: str, method: str | None) -> None:
    one = only("math", math_teacher(program=program))
    if method is None:
        assert isinstance(one, Dropped)
        assert (one.stage, "computed 8" in one.reason) == ("verification", True)
    else:
        assert one.proof.method == method


def test_without_the_program_agreement_is_the_proof() -> None:
    teacher = math_teacher()
    one = only("math", teacher, program="no", samples="3")
    assert one.proof.method == "agreement"
    assert one.proof.detail == "3 of 3 attempts agree"
    assert teacher.calls == [1, 3]


def test_too_few_that_agree_are_dropped() -> None:
    def script(text: str, seed: int) -> str:
        return f"考えました。\n答え：{seed % 1000}" if "答え：（" in text else QUESTION

    one = only("math", Teacher(script), program="no")
    assert isinstance(one, Dropped)
    assert one.stage == "verification"
    assert "of 5 attempts agree" in one.reason


def test_reasoning_agrees_in_words() -> None:
    teacher = Teacher(
        by_mark(persona="【質問】\n一番高いのは誰ですか。", concluded="比べます。\n答え：「A」。")
    )
    one = only("reasoning", teacher)
    assert (one.answer, one.proof.method) == ("A", "agreement")
    assert check_item(one.item) is None


@pytest.mark.parametrize(
    ("genre", "answer", "bare"),
    [
        ("reasoning", "Aさんです。", "Aさん"),
        ("reasoning", "「赤い箱」", "赤い箱"),
        ("math", "12個です。", "12個"),
        ("math", "3/4", "3/4"),
    ],
)
def test_what_is_kept_comes_to_its_bare_answer(genre: str, answer: str, bare: str) -> None:
    known = {"persona": QUESTION, "concluded": f"順に考えます。\n答え：{answer}"}
    one = only(genre, Teacher(by_mark(**known)), program="no")
    assert one.answer == bare
    assert one.item.answer == bare
    scores = {
        score.metric: score.value
        for score in score_answer(one.item, one.messages[1].content, "stop")
    }
    assert scores["lenient"] == 1.0


def test_coding_is_proven_by_a_second_program() -> None:
    teacher = coding_teacher()
    one = only("coding", teacher)
    assert one.messages[0].content.endswith("関数名は `sum_even` としてください。")
    assert one.messages[1].content == SOLUTION
    assert "assert" not in one.messages[1].content
    assert one.proof.method == "execution"
    assert len(one.item.code.tests) == 3
    assert check_item(one.item) is None
    assert teacher.calls == [1, 2]


WRONG = SOLUTION.replace("== 0", "== 1")


@pytest.mark.parametrize(
    ("replies", "stage", "reason"),
    [
        ({"solution": WRONG}, "verification", "the second program: failed"),
        (
            {"tested": WRONG + TESTS, "solution": SOLUTION},
            "verification",
            "its own program: failed",
        ),
        ({"tested": WRONG + TESTS, "solution": WRONG}, "verification", "its own program: failed"),
        ({"tested": SOLUTION}, "unreadable", "a label is missing"),
        ({"tested": SOLUTION + "\n【テスト】\nassert sum_even([]) == 0"}, "unreadable", "1 tests"),
        ({"solution": "わかりません。"}, "unreadable", "not in the form asked for"),
        (
            {"solution": "こう書きます。\n```python\ndef other(v):\n    return v\n```"},
            "verification",
            "the second program",
        ),
        (
            {"persona": "【問題】\n偶数の和を返す関数を書いてください。\n【関数名】\nSum-Even"},
            "unreadable",
            "form",
        ),
    ],
)
def test_programs_that_prove_nothing_are_dropped(
    replies: dict[str, str], stage: str, reason: str
) -> None:
    one = only("coding", coding_teacher(**replies))
    assert isinstance(one, Dropped)
    assert one.stage == stage
    assert reason in one.reason


def test_extraction_agrees_and_is_verbatim() -> None:
    one = only("extraction", extraction_teacher())
    assert "「日付」" in one.messages[0].content
    assert "本館の第1会議室" in one.messages[0].content
    assert json.loads(one.answer) == {"日付": "4月3日", "担当": "佐藤"}
    assert list(json.loads(one.answer)) == ["日付", "担当"]
    assert one.messages[1].content == OBJECT
    assert one.proof.proven
    assert check_item(one.item) is None


@pytest.mark.parametrize(
    ("reply", "stage", "reason"),
    [
        ('{"日付": "4月4日", "担当": "佐藤"}', "unreadable", "does not stand in the passage"),
        ('{"日付": "4月3日"}', "unreadable", "other keys"),
        ('{"日付": "4月3日", "担当": "佐藤", "場所": "本館"}', "unreadable", "other keys"),
        ('{"日付": 43, "担当": "佐藤"}', "unreadable", "no text"),
        ('{"日付": [], "担当": "佐藤"}', "unreadable", "no text"),
        ("はい。" + OBJECT, "unreadable", "form"),
        ("{" + OBJECT + "}", "unreadable", "JSON"),
    ],
)
def test_objects_that_are_not_in_the_passage_are_dropped(
    reply: str, stage: str, reason: str
) -> None:
    one = only("extraction", extraction_teacher(object=reply))
    assert isinstance(one, Dropped)
    assert one.stage == stage
    assert reason in one.reason


def test_lists_of_values_may_be_extracted() -> None:
    one = only("extraction", extraction_teacher(object='{"日付": ["4月3日"], "担当": "佐藤"}'))
    assert one.item.format.keys == {"日付": "strings", "担当": "string"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("日付\n担当", ("日付", "担当")),
        ("・日付\n2. 担当者\n\n", ("日付", "担当者")),
        ("日付", "1 keys"),
        ("日付\n日付", "short, different"),
        ("\n".join("甲乙丙丁戊己"), "6 keys"),
        ("日付\n" + "長" * 21, "short, different"),
    ],
)
def test_names_of_fields(text: str, wanted: Any) -> None:
    found = keys_of(text)
    assert found == wanted if isinstance(wanted, tuple) else wanted in found


@pytest.mark.parametrize("genre", ["writing", "roleplay", "stem", "humanities"])
def test_free_answers_are_unproven_without_a_judge(genre: str) -> None:
    teacher = Teacher(by_mark(persona=ASKED, free=LETTER))
    one = only(genre, teacher)
    assert one.messages[1].content == LETTER
    assert (one.proof.method, one.proof.passed, one.proof.proven) == ("unproven", True, False)
    assert one.item is None
    assert teacher.calls == [1, 1]


@pytest.mark.parametrize(
    ("verdict", "stage"),
    [
        ("よく書けています。\n評価：[[8]]", None),
        ("短いです。\n評価：[[6]]", "judge"),
        ("良い。", "judge"),
    ],
)
def test_a_judge_decides_about_free_answers(verdict: str, stage: str | None) -> None:
    teacher = Teacher(by_mark(persona=ASKED, free=LETTER))
    judge = Teacher(by_mark(judge=verdict))
    (one,) = written(order("writing", 1), teacher, judge)
    assert judge.calls == [1]
    assert LETTER in judge.prompts[0].messages[-1].content
    if stage is None:
        assert isinstance(one, Sample)
        assert one.proof.method == "judged"
        assert not one.proof.proven
    else:
        assert isinstance(one, Dropped)
        assert one.stage == stage


def test_the_teacher_may_judge_itself_where_the_plan_says_so() -> None:
    teacher = Teacher(by_mark(persona=ASKED, judge="評価：[[9]]", free=LETTER))
    one = only("stem", teacher, judge="teacher", rating="9")
    assert one.proof.detail == "rated 9 of 10"


@pytest.mark.parametrize("genre", ["math", "coding", "extraction", "writing"])
def test_candidates_depend_on_their_number_and_not_on_chunks(genre: str) -> None:
    def script(text: str, seed: int) -> str:
        if "次の人物になったつもりで" not in text:
            return by_mark(
                program=PROGRAM,
                tested=SOLUTION + TESTS,
                solution=SOLUTION,
                object=OBJECT,
                concluded=SOLVED,
                free=f"{LETTER}{seed}",
            )(text, seed)
        if seed % 3 == 0:
            return "何も思いつきません。"
        return {"math": QUESTION, "coding": PROBLEM, "extraction": PASSAGE}.get(genre, ASKED)

    whole = outcomes(genre, Teacher(script), count=7, start=2)
    parts = [
        one
        for start, count in ((2, 1), (3, 4), (7, 2))
        for one in outcomes(genre, Teacher(script), count=count, start=start)
    ]
    assert whole == parts
    assert any(isinstance(one, Dropped) for one in whole)
    kept = [one for one in whole if isinstance(one, Sample)]
    assert kept
    assert all(2 <= one.origin.index < 9 for one in kept)
    assert len(whole) == 7


def test_lines_and_seeds_draw_apart() -> None:
    def personas(**more: Any) -> list[Any]:
        return [one.origin.persona for one in outcomes("writing", teacher, **more)]

    teacher = Teacher(by_mark(persona=ASKED, free=LETTER))
    assert personas() == personas()
    assert personas(seed=1) != personas()
    assert personas(skill="writing/letter") != personas()


def test_bad_settings_and_genres_are_named() -> None:
    with pytest.raises(HarnessError, match="setting samples is 'many'"):
        only("math", math_teacher(), samples="many")
    with pytest.raises(HarnessError, match="setting agree is '2'"):
        only("math", math_teacher(), agree="2")
    with pytest.raises(HarnessError, match="setting program is 'maybe'"):
        only("math", math_teacher(), program="maybe")
    with pytest.raises(HarnessError, match="genre 'format'"):
        only("format", math_teacher())


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["math", "reasoning", "coding", "extraction", "writing"]),
    st.lists(TEXTS, min_size=1, max_size=4),
)
def test_garbage_becomes_drops_and_never_an_exception(genre: str, replies: list[str]) -> None:
    def script(text: str, seed: int) -> str:
        good = {"math": QUESTION, "coding": PROBLEM, "extraction": PASSAGE}.get(genre, ASKED)
        return good if "次の人物に" in text and seed % 2 else replies[seed % len(replies)]

    for one in outcomes(genre, Teacher(script), count=4):
        assert isinstance(one, Dropped) or one.messages[-1].content.strip()


def test_nothing_is_asked_for_no_candidate() -> None:
    teacher = math_teacher()
    assert outcomes("math", teacher, count=0) == []
    assert teacher.calls == []
