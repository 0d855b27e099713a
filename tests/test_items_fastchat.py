"""MT-Bench files in FastChat's layout, with the traps that published files hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.items.fastchat import (
    load_fastchat_answers,
    load_fastchat_items,
    load_fastchat_judgments,
)
from harness.items.schema import GENRES
from tests.shared_data import shared


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def question(number: Any, category: str = "writing", **more: Any) -> dict[str, Any]:
    turns = ["俳句を1つ。", "季語を変えて。"]
    return {"question_id": number, "category": category, "turns": turns, **more}


def answer(number: Any, *turns: str, **more: Any) -> dict[str, Any]:
    return {"question_id": number, "choices": [{"index": 0, "turns": list(turns)}], **more}


def judgment(number: Any, score: Any = 7, **more: Any) -> dict[str, Any]:
    return {
        "question_id": number,
        "model": "m",
        "judge": ["gpt-4", "single-v1"],
        "user_prompt": "採点",
        "judgment": f"[[{score}]]",
        "score": score,
        "turn": 1,
        "tstamp": 0.0,
        **more,
    }


def test_a_directory_with_one_file_of_references(tmp_path: Path) -> None:
    write(tmp_path / "question.jsonl", question(1), question("2", "Math"), question(3, "stem"))
    write(
        tmp_path / "reference_answer" / "gpt-4.jsonl",
        *(answer(str(number), f"{number}-1", f"{number}-2") for number in (1, 2, 3, 4)),
    )
    items = load_fastchat_items(tmp_path)
    assert [(one.id, one.genre) for one in items] == [
        ("1", "writing"),
        ("2", "math"),
        ("3", "stem"),
    ]
    assert [one.references for one in items] == [(), ("2-1", "2-2"), ()]
    assert {(one.metric, one.format.kind, one.answer) for one in items} == {("judge", "free", "")}


def test_the_full_file_goes_before_the_short_one(tmp_path: Path) -> None:
    write(tmp_path / "question.jsonl", question(1))
    write(tmp_path / "question_full.jsonl", question(1), question(2))
    assert len(load_fastchat_items(tmp_path)) == 2
    assert len(load_fastchat_items(tmp_path / "question.jsonl")) == 1


def test_a_list_of_references_beside_the_question_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", question(1, "math", reference=["a", "b"]))
    assert load_fastchat_items(path)[0].references == ()


def test_which_genres_are_judged_against_references_is_the_callers(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", question(1))
    known = write(tmp_path / "r.jsonl", answer(1, "例1", "例2", "例3"))
    (item,) = load_fastchat_items(path, known, reference_genres=GENRES)
    assert item.references == ("例1", "例2")
    assert item.hash != load_fastchat_items(path, known)[0].hash


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([question(1), question("1")], r"q\.jsonl:2: question 1 was on line 1 already"),
        ([question(None)], "`question_id` is None"),
        ([question(True)], "`question_id` is True"),
        ([question(1, "poetry")], "`category` is 'poetry', expected one of writing"),
        ([{**question(1), "turns": "俳句"}], "`turns` is no list of texts"),
        ([{**question(1), "turns": ["俳句", " "]}], "`turns` holds no text"),
        ([question(1), question(5, "math")], r"q\.jsonl:2: question 5 \(math\) has no reference"),
        ([question(2, "math")], "question 2 has 2 turns and 1 references"),
        ([], r"q\.jsonl:1: the file is empty"),
    ],
)
def test_faults_of_questions_name_the_line(
    tmp_path: Path, rows: list[dict[str, Any]], fault: str
) -> None:
    path = write(tmp_path / "q.jsonl", *rows)
    known = write(tmp_path / "r.jsonl", answer(1, "例1", "例2"), answer(2, "例1"))
    with pytest.raises(HarnessError, match=fault):
        load_fastchat_items(path, known)


def test_faults_of_directories_and_references(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no question_full\.jsonl or question\.jsonl"):
        load_fastchat_items(tmp_path)
    write(tmp_path / "question.jsonl", question(1))
    for name in ("a", "b"):
        write(tmp_path / "reference_answer" / f"{name}.jsonl", answer(1, "例"), answer("1", "例"))
    with pytest.raises(HarnessError, match=r"2 files of references \(a.jsonl, b.jsonl\)"):
        load_fastchat_items(tmp_path)
    with pytest.raises(HarnessError, match=r"a\.jsonl:2: question 1 was on line 1"):
        load_fastchat_items(tmp_path, tmp_path / "reference_answer" / "a.jsonl")
    broken = write(tmp_path / "broken.jsonl", {"question_id": 1, "choices": []}, {"choices": [1]})
    with pytest.raises(HarnessError, match=r"broken\.jsonl:1: `choices` is missing") as raised:
        load_fastchat_items(tmp_path, broken)
    assert "broken.jsonl:2:" in str(raised.value)


def test_answers_are_called_by_their_file(tmp_path: Path) -> None:
    row = answer(1, "一", "二", model_id="other")
    row["choices"].append({"index": 1, "turns": ["三", ""]})
    path = write(tmp_path / "my-model.jsonl", row)
    first, second = load_fastchat_answers(path)
    assert (first.model, first.question, first.choice, first.turns) == (
        "my-model", "1", 0, ("一", "二")
    )  # fmt: skip
    assert (second.choice, second.turns) == (1, ("三", ""))
    write(path, answer(1, "一"), answer("1", "二"))
    with pytest.raises(HarnessError, match="question 1 was on line 1"):
        load_fastchat_answers(path)


def test_judgments_number_what_was_judged_again(tmp_path: Path) -> None:
    path = write(
        tmp_path / "gpt-4_single.jsonl",
        judgment("1", 7),
        judgment(1, 6),
        judgment(1, -1, turn=2),
        judgment(1, 9, judge=["gpt-4", "single-math-v1"]),
    )
    rows = load_fastchat_judgments(path)
    assert [(one.score, one.turn, one.repeat) for one in rows] == [
        (7.0, 0, 0),
        (6.0, 0, 1),
        (None, 1, 0),
        (9.0, 0, 0),
    ]
    assert rows[1].place.endswith("gpt-4_single.jsonl:2")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"judge": "gpt-4"}, r"jsonl:1: `judge` is missing, expected \[model, prompt\]"),
        ({"turn": 3}, "`turn` is 3, expected 1 or 2"),
        ({"score": "7"}, "`score` is '7', expected a number"),
        ({"judgment": None}, "`judgment` is missing or no text"),
    ],
)
def test_faults_of_judgments(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    with pytest.raises(HarnessError, match=fault):
        load_fastchat_judgments(write(tmp_path / "j.jsonl", {**judgment(1), **change}))


@pytest.mark.parametrize(
    ("name", "reference", "count"),
    [
        ("question.jsonl", "gpt-4.jsonl", 60),
        ("question_full.jsonl", "gpt-4-raw.jsonl", 80),
        ("question_full.jsonl", "base-gpt4o-with-human-annotation.jsonl", 80),
        ("llmjpjudge_question_question_full-v3.jsonl", "gpt-4.jsonl", 80),
        ("llmjpjudge_question_question_full-v4.jsonl", "swallow_gpt-4o-2024-08-06.jsonl", 80),
    ],
)
def test_published_questions(name: str, reference: str, count: int) -> None:
    items = load_fastchat_items(
        shared("jmt-bench", name), shared("jmt-bench", "reference_answer", reference)
    )
    genres = Counter(one.genre for one in items)
    assert len(items) == count
    assert set(genres.values()) == {10}
    assert len(genres) == count // 10
    for one in items:
        assert len(one.turns) == 2
        assert len(one.references) == 2 * (one.genre in ("math", "reasoning", "coding"))


def test_english_questions() -> None:
    items = load_fastchat_items(
        shared("jmt-bench", "mt_bench_en_question.jsonl"),
        shared("jmt-bench", "mt_bench_en_reference_gpt-4.jsonl"),
    )
    assert [one.id for one in items] == [str(number) for number in range(81, 161)]
    assert sum(bool(one.references) for one in items) == 30


def test_published_judgments_join_the_questions_and_answers() -> None:
    rows = load_fastchat_judgments(shared("jmt-bench", "gpt-4_single.jsonl"))
    items = {one.id for one in load_fastchat_items(shared("jmt-bench", "question_full.jsonl"))}
    assert len(rows) == 564
    assert sum(one.repeat for one in rows) == 4
    assert {one.question for one in rows} == items
    for model in {one.model for one in rows}:
        answers = load_fastchat_answers(shared("jmt-bench", "model_answer", f"{model}.jsonl"))
        asked = {one.question: one.asked for one in rows if one.model == model}
        for one in answers:
            assert one.turns[0] in asked[one.question]
