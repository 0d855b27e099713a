"""Filters of synthesis: what is kept, what is dropped and by which, on answers written for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.types import Message
from harness.items.load import find_evalset, load_evalset
from harness.items.probes.generate import training_samples
from harness.items.schema import FormatRule, Item
from harness.protocols.catalogue import open_suite
from tests.shared_data import shared
from tests.synthesis_answers import BAD, GOOD
from training.synthesis.filters import FILTERS, first_fault
from training.synthesis.types import Method, Origin, Proof, Sample


def sample(
    genre: str,
    *turns: str,
    item: Item | None = None,
    persona: dict[str, str] | None = None,
    method: Method = "solver",
    passed: bool = True,
) -> Sample:
    """A dialogue of questions and answers in turn."""
    roles = ("user", "assistant") * len(turns)
    messages = tuple(Message(role, text) for role, text in zip(roles, turns, strict=False))
    origin = Origin("test@1", 0, 0, persona=persona or {})
    return Sample(genre, "", None, messages, "", Proof(method, passed), origin, item)


def faults(one: Sample) -> dict[str, str]:
    found = {name: check(one) for name, check in FILTERS.items()}
    return {name: reason for name, reason in found.items() if reason is not None}


@pytest.mark.parametrize(("name", "genre", "question", "answer"), BAD)
def test_a_bad_answer_is_dropped_by_its_filter(
    name: str, genre: str, question: str, answer: str
) -> None:
    assert name in faults(sample(genre, question, answer))


@pytest.mark.parametrize(("genre", "question", "answer"), GOOD)
def test_a_good_answer_is_kept(genre: str, question: str, answer: str) -> None:
    assert faults(sample(genre, question, answer)) == {}


def test_there_are_enough_bad_answers_for_each_filter() -> None:
    assert len(BAD) >= 80
    assert {one[0] for one in BAD} == set(FILTERS) - {"verification"}


def test_the_order_is_fixed() -> None:
    assert list(FILTERS) == [
        "verification",
        "markup",
        "refusal",
        "repetition",
        "length",
        "language",
        "bluntness",
        "politeness",
    ]
    wrong = sample("math", "3足す4は？", "A. イコクエイラクブカ", passed=False)
    dropped = first_fault(wrong)
    assert dropped is not None
    assert (dropped.stage, dropped.reason) == ("verification", "solver: did not pass")
    assert dropped.text == wrong.text
    assert first_fault(sample("math", "3足す4は？", "3足す4は7です。")) is None


@pytest.mark.parametrize(
    ("rule", "question", "answer"),
    [
        (FormatRule("integer"), "84を7で割った商はいくつですか。", "12"),
        (FormatRule("number"), "平均はいくつですか。", "61.6"),
        (FormatRule("choice", ("A", "B", "C")), "正しいものはどれですか。", "B"),
        (FormatRule("choice", ("はい", "いいえ")), "これは正しいですか。", "はい"),
        (FormatRule("span", max_chars=10), "会場はどこですか。", "緑町ホール"),
        (
            FormatRule("span", max_chars=20),
            "「あめりか」を直してください。",
            "アメリカガッシュウコク",
        ),
        (FormatRule("lines", count=3), "背の高い順に並べてください。", "兄\n弟\n妹"),
        (
            FormatRule("json", keys={"name": "string"}),
            "名前をJSONにしてください。",
            '{"name": "Ann"}',
        ),
        (FormatRule("pattern", pattern=r"\d{4}-\d\d"), "いつですか。", "2024-05"),
        (FormatRule("line"), "どれを使いますか。", "for number in range(10): print(number)"),
    ],
)
def test_a_bare_answer_that_its_format_demands_is_not_blunt(
    rule: FormatRule, question: str, answer: str
) -> None:
    item = Item("x", "math", (question,), answer, rule, "exact")
    assert faults(sample("math", question, answer, item=item)) == {}


def test_a_blunt_answer_that_breaks_its_format_is_dropped() -> None:
    rule = FormatRule("choice", ("A", "B"))
    item = Item("x", "stem", ("どちらですか。",), "A", rule, "exact")
    assert faults(sample("stem", "どちらですか。", "A", item=item)) == {}
    assert "bluntness" in faults(sample("stem", "どちらですか。", "E", item=item))
    assert "bluntness" in faults(sample("stem", "どちらですか。", "B。", item=item))


def test_a_casual_character_may_speak_plainly() -> None:
    asked = "明日の予定を聞かせてください。"
    plain = "明日は朝から釣りに行くぞ。大きいのを釣ってくるから待ってろ。"
    assert "politeness" in faults(sample("roleplay", asked, plain))
    assert faults(sample("roleplay", asked, plain, persona={"role": "年老いた漁師"})) == {}
    assert faults(sample("roleplay", f"親友として答えて。{asked}", plain)) == {}
    assert "politeness" in faults(sample("humanities", asked, plain, persona={"role": "漁師"}))


def test_answers_that_were_proven_to_keep_rules_may_have_any_style() -> None:
    plain = "雪が降る。道が白くなる。静かな朝だ。"
    assert "politeness" in faults(sample("humanities", "冬の朝を説明してください。", plain))
    assert faults(sample("humanities", "冬の朝を説明してください。", plain, method="rules")) == {}


def test_every_turn_is_looked_at() -> None:
    fine = "富士山の高さは3776メートルです。"
    first = sample("stem", "富士山の高さは？", "As an AI, 3776です。", "本当ですか。", fine)
    assert "refusal" in faults(first)
    assert (
        faults(sample("stem", "富士山の高さは？", fine, "本当ですか。", "はい、本当です。")) == {}
    )
    assert "length" in faults(
        Sample("stem", "", None, (), "", Proof("solver", True), Origin("x", 0, 0))
    )


def test_references_of_the_evalsets_are_kept() -> None:
    """Answers written for readers: none is dropped."""
    answered = [
        one for one in load_evalset(find_evalset("mt-bench-ja")).items if any(one.references)
    ]
    assert len(answered) >= 60
    for one in answered:
        for question, reference in zip(one.turns, one.references, strict=True):
            if reference:
                assert faults(sample(one.genre, question, reference)) == {}, one.id


def test_a_good_model_loses_next_to_nothing() -> None:
    """Reviewed answers to the official questions, where they are here."""
    questions, answers = (
        {row["question_id"]: row for row in map(json.loads, path.open(encoding="utf-8"))}
        for path in (
            shared("jmt-bench", "question.jsonl"),
            shared("jmt-bench", "reference_answer", "base-gpt4o-with-human-annotation.jsonl"),
        )
    )
    dropped = []
    for name, question in questions.items():
        answered = answers[name]["choices"][0]["turns"]
        turns = [text for pair in zip(question["turns"], answered, strict=True) for text in pair]
        if found := faults(sample(question["category"], *turns)):
            dropped.append((name, found))
    print(f"{len(dropped)} of {len(questions)} dropped: {dropped}")
    assert len(dropped) <= 1


@pytest.mark.parametrize("suite", ["basics", "jaster-ja", "probes"])
def test_golds_that_obey_their_format_are_kept(suite: str) -> None:
    items = open_suite(suite, limit=-1).items
    assert len(items) > 200
    for one in items:
        asked = f"{one.instruction}\n{one.turns[-1]}".strip()
        assert faults(sample(one.genre, asked, one.answer, item=one)) == {}, one.id


def test_training_samples_of_programs_are_kept() -> None:
    for one in training_samples(count=3000, seed=5):
        assert faults(sample(one.genre, one.turns[0], one.answer, item=one)) == {}, one


@given(st.sampled_from(["writing", "math", "roleplay", "coding"]), st.text(max_size=80), st.text())
@settings(max_examples=200, deadline=None)
def test_filters_take_any_text_and_are_pure(genre: str, question: str, answer: str) -> None:
    one = sample(genre, question, answer)
    assert faults(one) == faults(one)
    reasons = list(faults(one).items())
    dropped = first_fault(one)
    assert (dropped.stage, dropped.reason) == reasons[0] if dropped else not reasons


@given(st.text(st.sampled_from("東京はよい街です。山が高い、川。"), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_loop_put_at_the_end_is_always_found(text: str) -> None:
    assert "repetition" in faults(sample("stem", "説明してください。", text + "同じ話です。" * 12))


@given(st.text(st.sampled_from("はい東京です。\n"), max_size=40))
@settings(max_examples=100, deadline=None)
def test_an_open_fence_is_always_found(text: str) -> None:
    assert "markup" in faults(sample("coding", "書いてください。", f"{text}\n```python\n{text}"))
    assert "markup" not in faults(sample("coding", "書いて。", f"{text}\n```python\n{text}\n```\n"))
