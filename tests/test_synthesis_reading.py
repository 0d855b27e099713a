"""Prompts for a teacher, and its replies read strictly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.synthesis.reading import read
from training.synthesis.teacher_prompts import fields_of, prompt_file, teacher_prompt
from training.synthesis.types import Dropped, Reply

QUESTION = "【質問】\nりんごが3個、みかんが4個あります。合わせて何個ですか。"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(QUESTION, "length"), "cut by the token limit"),
        (Reply("", "error"), "the teacher failed"),
        (Reply(" \n", "stop"), "empty"),
        (Reply("<think>考え中", "stop"), "thoughts without an end"),
        (Reply("はい。\n" + QUESTION, "stop"), "not in the form asked for"),
        (Reply(QUESTION + QUESTION, "stop"), "a label occurs twice"),
        (Reply("りんごは何個ですか。", "stop"), "a label is missing"),
        (Reply("【質問】\n（ここに質問の本文）", "stop"), "question repeats the form"),
        (Reply("【質問】\n何？", "stop"), "question is too short"),
        (Reply("【質問】\n" + "りんごは何個" * 300, "stop"), "question is too long"),
        (Reply("【質問】\n" + "りんごは何個ですか" * 12, "stop"), "question loops"),
        (Reply("【質問】\nHow many apples are there?", "stop"), "question is not Japanese"),
        (Reply("【質問】\n这些苹果一共有多少个呢？", "stop"), "question is not Japanese"),
        (Reply("【質問】" + "長" * 20_001, "stop"), "too long"),
        (Reply("【質問】りんごは\ud800何個ですか。", "stop"), "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_read_is_dropped_with_a_reason(reply: Reply, reason: str) -> None:
    found = read(teacher_prompt("questions", "persona"), reply)
    assert found == Dropped("unreadable", reason, reply.text)


def test_thoughts_are_no_part_of_a_reply() -> None:
    reply = Reply("<think>\n【質問】を書こう。\n</think>\n" + QUESTION, "stop")
    found = read(teacher_prompt("questions", "persona"), reply)
    assert isinstance(found, dict)
    assert found["question"].startswith("りんごが3個")


PROMPTS = [
    (file, name, form)
    for file in ("questions", "answers", "rewriting")
    for name, prompt in prompt_file(file)["prompts"].items()
    for form in prompt["forms"]
]


@pytest.mark.parametrize(("file", "name", "form"), PROMPTS)
def test_prompts_fill_and_their_labels_name_them(file: str, name: str, form: str) -> None:
    prompt = teacher_prompt(file, name, form)
    asked = prompt.ask(3, dict.fromkeys(fields_of(prompt), "〈入〉"))
    assert asked.messages[0].role == "system"
    assert "{" not in "".join(one.content for one in asked.messages).replace("{question}", "")
    assert prompt.form.ask in asked.messages[-1].content
    assert prompt.label.startswith(f"{file}/{name}/{form}@")


LABELS = [
    "【質問】",
    "【問題】",
    "【関数名】",
    "【文章】",
    "【項目】",
    "【テスト】",
    "答え：",
    "```python\n",
]


PIECES = st.sampled_from(
    [*LABELS, "```", "\n", "{", "}", '"', "assert f(1) == 2", "<think>", "</think>"]
)


TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=12).map("".join)


@settings(max_examples=60)
@given(TEXTS, st.sampled_from(PROMPTS), st.sampled_from(["stop", "length", "error", "?"]))
def test_reading_never_raises(text: str, prompt: tuple[str, str, str], finish: str) -> None:
    found = read(teacher_prompt(*prompt), Reply(text, finish))
    assert isinstance(found, Dropped) or all(value.strip() for value in found.values())
