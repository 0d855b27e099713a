"""Dialogues whose second question changes a premise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripted_teacher import Teacher, by_mark, order, text_of
from training.synthesis.dialogues import dialogue
from training.synthesis.types import Dropped, Sample

ASKED = "【質問】\n6人で鍋をします。白菜はどのくらい用意すればよいですか。"
FIRST = "6人なら、白菜は1玉用意してください。"
CHANGED = "【変える前提】\n6人\n【次の質問】\n3人に減ったら、白菜はどのくらいにすればよいですか。"
SECOND = "3人でしたら、白菜は半玉で足ります。"


def answers(text: str) -> str:
    return SECOND if "3人に減ったら" in text else FIRST


def teacher(persona: str = ASKED, change: str = CHANGED, second: str = SECOND) -> Teacher:
    def script(text: str, seed: int) -> str:
        if "次の人物に" in text:
            return persona
        if "もう一度尋ねます" in text:
            return change
        return second if "3人に減ったら" in text else FIRST

    return Teacher(script)


def only(genre: str, ask: Any, **more: Any) -> Any:
    (one,) = dialogue(order(genre, 1, **more), ask)
    return one


def test_a_dialogue_has_two_turns_and_the_second_answer_sees_the_first() -> None:
    ask = teacher()
    one = only("writing", ask)
    assert [message.role for message in one.messages] == ["user", "assistant"] * 2
    assert [message.content for message in one.messages[1::2]] == [FIRST, SECOND]
    assert one.messages[2].content.startswith("3人に減ったら")
    assert one.proof.method == "unproven"
    assert one.origin.generator == "dialogue@1"
    assert len(one.origin.template.split("+")) == 4
    assert ask.calls == [1, 1, 1, 1]
    last = ask.prompts[-1].messages
    assert [message.role for message in last] == ["system", "user", "assistant", "user"]
    assert last[2].content == FIRST
    shown = ask.prompts[2].messages[-1].content
    assert "6人で鍋をします" in shown
    assert FIRST in shown


@pytest.mark.parametrize(
    ("more", "stage", "reason"),
    [
        ({"persona": "わかりません。"}, "unreadable", "a label is missing"),
        ({"change": "では3人なら？"}, "unreadable", "a label is missing"),
        (
            {"change": CHANGED.replace("\n6人\n", "\n8人\n")},
            "verification",
            "the premise does not stand in the first question",
        ),
        (
            {"change": "【変える前提】\n6人\n" + ASKED.replace("質問", "次の質問")},
            "verification",
            "the second question repeats the first",
        ),
        ({"second": FIRST}, "verification", "the changed premise leaves the answer as it was"),
        ({"second": "Half of one."}, "unreadable", "answer is not Japanese"),
    ],
)
def test_what_is_no_change_is_dropped(more: dict[str, str], stage: str, reason: str) -> None:
    found = only("writing", teacher(**more))
    assert isinstance(found, Dropped)
    assert (found.stage, found.reason) == (stage, reason)


def math_teacher(second: str) -> Teacher:
    def script(text: str, seed: int) -> str:
        if "次の人物に" in text:
            return "【質問】\n6人に3個ずつ配ると、みかんは全部で何個いりますか。"
        if "もう一度尋ねます" in text:
            return "【変える前提】\n6人\n【次の質問】\n3人に減ったら何個ですか。"
        return second if "3人に減ったら" in text else "6に3を掛けます。\n答え：18個"

    return Teacher(script)


def test_both_answers_of_a_mathematical_dialogue_are_proven() -> None:
    ask = math_teacher("3に3を掛けます。\n答え：9個")
    one = only("math", ask, program="no")
    assert (one.answer, one.proof.method) == ("9個", "agreement")
    assert one.item.turns == (one.messages[0].content, one.messages[2].content)
    assert ask.calls == [1, 5, 1, 5]
    seeds = [prompt.seed for prompt in ask.prompts]
    assert len(set(seeds)) == len(seeds)


def test_an_equal_value_is_no_change_however_it_is_told() -> None:
    found = only("math", math_teacher("はじめと変わりません。\n答え：18個"), program="no")
    assert isinstance(found, Dropped)
    assert found.reason == "the changed premise leaves the answer as it was"


def test_a_second_extraction_may_take_from_the_second_question() -> None:
    passage = "会議は4月3日に本館で行います。担当は総務課の佐藤です。資料は各自で印刷してください。"

    def script(text: str, seed: int) -> str:
        if "次の人物に" in text:
            return f"【文章】\n{passage}\n【項目】\n日付\n担当"
        if "もう一度尋ねます" in text:
            changed = "日付が4月10日に変わりました。抜き出し直してください。"
            return f"【変える前提】\n4月3日\n【次の質問】\n{changed}"
        day = "4月10日" if "変わりました" in text else "4月3日"
        return f'{{"日付": "{day}", "担当": "佐藤"}}'

    one = only("extraction", Teacher(script))
    assert one.answer == '{"日付": "4月10日", "担当": "佐藤"}'
    assert one.proof.proven


def test_a_judge_sees_the_whole_dialogue() -> None:
    judge = Teacher(by_mark(free="評価：[[9]]"))
    (one,) = dialogue(order("writing", 1), teacher(), judge)
    assert isinstance(one, Sample)
    assert one.proof.method == "judged"
    assert judge.calls == [1, 1]
    shown = text_of(judge.prompts[-1])
    assert all(message.content in shown for message in one.messages)
    assert "2番目" in shown


def test_chunks_change_nothing() -> None:
    def script(text: str, seed: int) -> str:
        if "次の人物に" in text:
            return ASKED if seed % 3 else "思いつきません。"
        if "もう一度尋ねます" in text:
            return CHANGED if seed % 2 else "では。"
        return answers(text)

    whole = list(dialogue(order("writing", 8), Teacher(script)))
    parts = [
        one
        for start, count in ((0, 3), (3, 1), (4, 4))
        for one in dialogue(order("writing", count, start), Teacher(script))
    ]
    assert whole == parts
    assert {type(one) for one in whole} == {Sample, Dropped}


LABELS = st.sampled_from(
    ["【変える前提】", "【次の質問】", "【質問】", "6人", "\n", "答え：", "です。"]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(LABELS | st.text(max_size=5), max_size=8).map("".join), min_size=1))
def test_garbage_is_dropped(replies: list[str]) -> None:
    def script(text: str, seed: int) -> str:
        return ASKED if "次の人物に" in text else replies[seed % len(replies)]

    found = list(dialogue(order("writing", 3), Teacher(script)))
    assert len(found) == 3
    assert all(isinstance(one, Dropped) or one.messages[-1].content for one in found)
