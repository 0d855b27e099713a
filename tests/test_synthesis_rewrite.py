"""Knowledge rewriting: documents in styles and both directions, and triples without a teacher."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from tests.scripted_teacher import Teacher, by_mark, order
from training.synthesis.documents import Document, facts_in, facts_of, numbers_of
from training.synthesis.rewrite import DIRECTIONS, Turn, check, rewrite, styles, turn
from training.synthesis.teacher_prompts import prompt_file
from training.synthesis.types import Dropped, Sample

DAM = Document(
    "青葉ダム",
    "青葉ダムは、みなみ県の白根川にある。1962年に着工した。"
    "堤の高さは86メートルで、総貯水量は2,340万立方メートルである。",
)
HEIGHT = next(fact for fact in facts_of(DAM) if "86" in fact.numbers)


def documents(tmp_path: Path, *more: Document) -> str:
    path = tmp_path / "documents.jsonl"
    rows = [{"title": one.title, "text": one.text} for one in (DAM, *more)]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return str(path)


def rewritten(ask: Any, path: str, count: int = 1, **more: Any) -> list[Sample | Dropped]:
    return list(rewrite(order("humanities", count, documents=path, **more), ask))


def test_facts_are_sentences_that_name_something_or_count() -> None:
    assert [fact.text[:5] for fact in facts_of(DAM)] == ["青葉ダムは", "1962年", "堤の高さは"]
    place, begun, height = facts_of(DAM)
    assert "白根川" in place.names
    assert begun.numbers == {"1962"}
    assert height.numbers == {"86", "23400000"}
    assert not facts_of(Document("題", "とても静かで、よいところである。"))
    given = Document("題", "本文。", ("それは1200円である。",))
    assert [fact.text for fact in facts_of(given)] == ["それは1200円である。"]


def test_numbers_are_canonical_and_bullets_are_none() -> None:
    assert numbers_of("1,200円と３個、1.5万人") == {"1200", "3", "15000"}
    assert numbers_of("1. 高さ86メートル\n2. 長さ") == {"86"}
    assert numbers_of("二つ") == frozenset()


def test_every_fact_is_told_in_both_directions_and_all_styles() -> None:
    known = tuple(facts_of(DAM))
    count = 2 * max(len(styles(one)) for one in DIRECTIONS)
    turns = [turn(known, index) for index in range(count * len(known))]
    for fact in known:
        mine = [one for one in turns if one.fact is fact]
        assert Counter(one.direction for one in mine) == {
            "forward": count // 2,
            "backward": count // 2,
        }
        for direction in DIRECTIONS:
            told = [one.style for one in mine if one.direction == direction]
            assert set(told) == set(styles(direction))
        # Two are enough for both directions.
        assert {one.direction for one in mine[:2]} == set(DIRECTIONS)


def test_any_beginning_is_balanced() -> None:
    known = tuple(facts_of(DAM))
    for count in range(1, 60):
        told = Counter(turn(known, index).direction for index in range(count))
        assert abs(told["forward"] - told["backward"]) <= 2


ANSWER = "青葉ダムの堤の高さは86メートルで、総貯水量は2340万立方メートルです。"


@pytest.mark.parametrize(
    ("direction", "style", "question", "answer", "fault"),
    [
        ("forward", "question", "青葉ダムの大きさはどのくらいですか。", ANSWER, None),
        (
            "forward",
            "question",
            "その大きさはどのくらいですか。",
            ANSWER,
            "does not name the subject",
        ),
        (
            "forward",
            "question",
            "青葉ダムの高さは？",
            "高さは86メートルです。",
            "it lacks 23400000",
        ),
        (
            "forward",
            "question",
            "青葉ダムは高さ86メートル、2,340万立方メートルですか。",
            "はい。",
            "holds nothing",
        ),
        (
            "forward",
            "question",
            "青葉ダムは高さ86メートル、2,340万立方メートルですか。",
            "高さ86メートルです。",
            "the question tells",
        ),
        ("forward", "question", "青葉ダムの大きさは？", ANSWER + "88年前です。", "the number 88"),
        (
            "forward",
            "quiz",
            "青葉ダムの高さは？ A：86メートル B：1962メートル。水は2,340万立方メートル。",
            "Aの86メートルです。",
            None,
        ),
        ("backward", "reverse", "堤の高さが86メートルのダムは何ですか。", "青葉ダムです。", None),
        (
            "backward",
            "reverse",
            "青葉ダムの高さは86メートルですか。",
            "青葉ダムです。",
            "names the subject",
        ),
        (
            "backward",
            "reverse",
            "とても高いダムは何ですか。",
            "青葉ダムです。",
            "nothing of the fact",
        ),
        ("backward", "reverse", "高さが86メートルのダムは？", "白根ダムです。", "does not name"),
        ("backward", "reverse", "高さが85メートルのダムは？", "青葉ダムです。", "the number 85"),
        (
            "backward",
            "reverse_quiz",
            "高さが86メートルなのは？ 青葉ダム、白根ダム、南ダム",
            "青葉ダムです。",
            None,
        ),
    ],
)
def test_what_a_rewriting_has_to_tell(
    direction: str, style: str, question: str, answer: str, fault: str | None
) -> None:
    found = check(Turn(HEIGHT, direction, style), question, answer, asked_by_us=False)
    if fault is None:
        assert found is None
    else:
        assert found is not None
        assert fault in found


def test_a_text_has_to_tell_the_fact_and_be_another() -> None:
    one = Turn(HEIGHT, "forward", "summary")
    request = "青葉ダムとは何ですか。三文以内で説明してください。"
    assert check(one, request, ANSWER, asked_by_us=True) is None
    assert check(one, request, "大きなダムです。", asked_by_us=True) == "it lacks 23400000"
    assert check(one, request, DAM.text, asked_by_us=True) == "the document again"


def test_samples_hold_question_and_answer_and_say_whence(tmp_path: Path) -> None:
    def script(text: str, seed: int) -> str:
        if "必ず入れる事実：" in text:
            fact = re.search("必ず入れる事実：(.+)", text)
            assert fact is not None
            return f"青葉ダムについてお知らせします。{fact[1]}どうぞお見知りおきください。"
        fact = re.search("取り上げる事実：(.+)", text)
        assert fact is not None
        if "問いには「青葉ダム」という語を入れず" in text:
            hidden = fact[1].replace("青葉ダム", "ある施設")
            return f"【問い】\n{hidden}これは何ですか。\n【答え】\n青葉ダムです。"
        return f"【問い】\n青葉ダムについて教えてください。\n【答え】\n{fact[1]}そのとおりです。"

    ask = Teacher(script)
    found = rewritten(ask, documents(tmp_path), count=200, per_fact="32")
    assert len(found) == 96
    assert ask.calls == [96]
    kept = [one for one in found if isinstance(one, Sample)]
    assert len(kept) > 80
    assert {one.origin.persona["direction"] for one in kept} == set(DIRECTIONS)
    told = {one.origin.persona["style"] for one in kept}
    assert told >= {"summary", "dialogue", "table", "riddle", "cards", "news"}
    for one in kept:
        assert (one.proof.method, one.proof.proven) == ("document", True)
        assert one.origin.parents == (DAM.id,)
        assert one.messages[0].role == "user"
        assert not any(one.origin.persona[key] in one.text for key in ("role", "temperament"))
        assert one.answer == ("青葉ダム" if one.origin.persona["direction"] == "backward" else "")
    assert "資料にない数や事実を加えてはいけません" in ask.prompts[0].messages[-1].content


def test_there_is_an_end_and_chunks_change_nothing(tmp_path: Path) -> None:
    path = documents(tmp_path)

    def script(text: str, seed: int) -> str:
        keys = "86メートル、2,340万立方メートル、1962年、白根川、みなみ県"
        return f"青葉ダムは、{keys}の{'よ' * (seed % 9)}い所です。"

    whole = rewritten(Teacher(script), path, count=100, per_fact="4")
    assert len(whole) == 12
    parts = [
        one
        for start, count in ((0, 5), (5, 1), (6, 50))
        for one in rewritten(Teacher(script), path, count=count, start=start, per_fact="4")
    ]
    assert whole == parts
    idle = Teacher(script)
    assert rewritten(idle, path, start=12, per_fact="4") == []
    assert idle.calls == []


def test_each_fact_is_told_by_a_balanced_choice_of_people(tmp_path: Path) -> None:
    ask = Teacher(
        lambda *_: "青葉ダムは86メートル、2,340万立方メートル、1962年、白根川、みなみ県です。"
    )
    found = rewritten(ask, documents(tmp_path), count=10_000, per_fact="470")
    told: dict[str, Counter[str]] = {}
    for prompt in ask.prompts:
        text = prompt.messages[-1].content
        fact, role = (
            re.findall(r"事実：(.+)", text)[0],
            re.findall(r"(?:書き手：|問いは、)(.+?)（", text)[0],
        )
        told.setdefault(fact, Counter())[role] += 1
    assert len(found) == 3 * 470
    assert [set(one.values()) for one in told.values()] == [{2}] * 3
    assert {len(one) for one in told.values()} == {235}


def test_unreadable_replies_are_dropped(tmp_path: Path) -> None:
    ask = Teacher(by_mark(exchange="高さは86です。", text="The dam is 86 m high and old."))
    found = rewritten(ask, documents(tmp_path), count=6)
    assert {one.stage for one in found if isinstance(one, Dropped)} == {"unreadable"}
    assert len(found) == 6


def test_every_style_has_what_its_prompt_needs() -> None:
    assert len(styles("forward")) + len(styles("backward")) >= 20
    for direction in DIRECTIONS:
        for name, style in styles(direction).items():
            assert style["prompt"] in ("text", "exchange"), name
            asked = style.get("requests", [])
            assert bool(asked) == (style["prompt"] == "text"), name
            assert all("{title}" in one for one in asked), name
            # A text would name its subject; only an exchange can lead to it.
            assert direction == "forward" or style["prompt"] == "exchange"
    assert set(prompt_file("rewriting")["directions"]) >= set(DIRECTIONS)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.jsonl", '{"title": "題"}', "a.jsonl:1: `title` or `text`"),
        ("a.jsonl", '{"title": "題", "text": "本文", "facts": "一つ"}', "a.jsonl:1: `facts`"),
        ("a.jsonl", "{", "a.jsonl:1: broken JSON"),
        ("a.txt", "題だけ", "a title without a text"),
        ("a.txt", "題\nよいところである。", "holds no fact"),
    ],
)
def test_faults_of_documents_are_named(tmp_path: Path, name: str, text: str, fault: str) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    with pytest.raises(HarnessError, match=re.escape(fault)):
        facts_in(path)


def test_text_files_hold_documents_between_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("甲山\n高さは1204メートルである。\n\n乙川\n長さは32キロである。\n", "utf-8")
    assert [fact.document.title for fact in facts_in(path)] == ["甲山", "乙川"]


def test_a_line_without_documents_says_what_it_needs() -> None:
    with pytest.raises(HarnessError, match="needs the setting 'documents'"):
        list(rewrite(order("humanities", 1), Teacher(by_mark(free=""))))


PIECES = st.sampled_from(
    ["【問い】", "【答え】", "青葉ダム", "86", "2,340万", "です。", "\n", "1."]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(PIECES | st.text(max_size=6), max_size=9).map("".join), min_size=1))
def test_garbage_is_dropped_or_checked(
    tmp_path_factory: pytest.TempPathFactory, replies: list[str]
) -> None:
    path = documents(tmp_path_factory.mktemp("documents"))
    ask = Teacher(lambda _, seed: replies[seed % len(replies)])
    for one in rewritten(ask, path, count=8):
        assert isinstance(one, Dropped) or numbers_of(one.text) <= DAM.numbers
