"""Knowledge without a teacher: triples asked from either side."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.scoring.style import politeness
from tests.scripted_teacher import order
from training.synthesis.facts import STYLES, facts
from training.synthesis.rewrite import rewrite
from training.synthesis.types import Sample

TRIPLES = (
    "青葉山\t標高\t1204メートル\tどこ\tどのくらい\n"
    "若草山\t標高\t820メートル\tどこ\tどのくらい\n"
    "白根川\t水源\t青葉山\tどこ\tどこ\n"
    "黒部沼\t水源\t若草山\tどこ\tどこ\n"
    "紅葉滝\t水源\t青葉山\tどこ\tどこ\n"
    "光一\t職業\t大工\t誰\t何\n"
)


@pytest.fixture
def triples(tmp_path: Path) -> str:
    path = tmp_path / "triples.tsv"
    path.write_text(TRIPLES, "utf-8")
    return str(path)


def nobody(prompts: Any) -> Any:
    raise AssertionError("a teacher was asked")


def recalled(path: str, count: int, start: int = 0, **more: str) -> list[Sample]:
    found = list(rewrite(order("humanities", count, start, triples=path, **more), nobody))
    assert all(isinstance(one, Sample) for one in found)
    return [one for one in found if isinstance(one, Sample)]


def test_triples_are_asked_from_either_side_without_a_teacher(triples: str) -> None:
    found = recalled(triples, 1000, per_fact="20")
    assert len(found) == 120
    ways = Counter((one.origin.parents, one.origin.persona["direction"]) for one in found)
    assert set(ways.values()) == {10}
    assert len(ways) == 12
    assert {one.origin.persona["style"] for one in found} == set(STYLES)
    assert all(one.proof.method == "document" and one.proof.proven for one in found)
    assert len({one.id for one in found}) > 100


def test_answers_are_polite_and_tell_the_answer(triples: str) -> None:
    for one in recalled(triples, 120, per_fact="20"):
        said = one.messages[-1].content
        assert politeness(said).plain == 0
        assert one.answer in said
        assert "{" not in one.text
        if one.origin.persona["style"] == "ask" and one.origin.persona["direction"] == "backward":
            assert not any(name in one.messages[0].content for name in one.answer.split("と"))


def test_several_right_answers_are_given_together(triples: str) -> None:
    answers = {
        one.answer
        for one in recalled(triples, 120, per_fact="20")
        if one.origin.persona == {"style": "ask", "direction": "backward"}
    }
    assert {"白根川と紅葉滝", "黒部沼", "若草山", "光一"} <= answers
    assert not answers & {"白根川", "紅葉滝"}


def test_choices_and_denials_are_wrong_answers_of_the_same_kind(triples: str) -> None:
    found = recalled(triples, 120, per_fact="20")
    for one in found:
        question = one.messages[0].content
        if one.origin.persona["style"] == "quiz":
            label = dict(re.findall("(?m)^([A-D])　(.+)$", question))
            assert label[one.answer] in one.messages[1].content
            assert len(set(label.values())) == len(label)
            # 白根川 and 紅葉滝 share their source: never one as the wrong choice for the other.
            assert not {"白根川", "紅葉滝"} <= set(label.values()) or "青葉山" not in question
        if one.origin.persona["style"] == "claim":
            assert one.messages[1].content.startswith(one.answer)
    claims = Counter(one.answer for one in found if one.origin.persona["style"] == "claim")
    assert set(claims) == {"はい", "いいえ"}


def test_a_relation_without_wrong_answers_is_asked_plainly(triples: str) -> None:
    carpenter = [one for one in recalled(triples, 120, per_fact="20") if "光一" in one.text]
    assert {one.origin.persona["style"] for one in carpenter} == {"ask", "cloze", "dialogue"}


def test_dialogues_ask_both_ways(triples: str) -> None:
    for one in recalled(triples, 120, per_fact="20"):
        if one.origin.persona["style"] == "dialogue":
            assert [message.role for message in one.messages] == ["user", "assistant"] * 2
            first, second = (one.messages[place].content for place in (1, 3))
            assert first != second


def test_triples_do_not_depend_on_chunks(triples: str) -> None:
    whole = recalled(triples, 30)
    assert whole == recalled(triples, 7) + recalled(triples, 20, 7) + recalled(triples, 3, 27)
    assert recalled(triples, 5, start=48) == []


def test_triples_come_as_jsonl_too(tmp_path: Path) -> None:
    path = tmp_path / "triples.jsonl"
    path.write_text('{"subject": "甲山", "relation": "標高", "object": "1204メートル"}\n', "utf-8")
    (one, other) = list(facts(order("humanities", 2, triples=str(path)), nobody))
    assert isinstance(one, Sample)
    assert isinstance(other, Sample)
    assert (one.answer, other.answer) == ("1204メートル", "甲山")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.tsv", "青葉山\t標高", "a.tsv:1: `object` is missing"),
        ("a.tsv", "\t標高\t3\n", "a.tsv:1: `subject` is missing"),
        ("a.tsv", "甲\t乙\t丙\t誰\t何\t余り", "a.tsv:1: 6 fields"),
        ("a.jsonl", '{"subject": "甲", "relation": "乙", "object": 3}', "a.jsonl:1: `object`"),
        ("a.jsonl", '{"subject": "甲", "relation": "乙", "object": "丙", "who": 1}', "`who` or"),
        ("a.tsv", "", "holds no triple"),
    ],
)
def test_faults_of_triples_name_their_line(
    tmp_path: Path, name: str, text: str, fault: str
) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    with pytest.raises(HarnessError, match=re.escape(fault)):
        recalled(str(path), 1)
