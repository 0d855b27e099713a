"""Preference pairs: the student's own words, best against worst, and never an evaluation item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.load import find_evalset, load_evalset
from harness.items.probes.catalogue import FAMILIES
from harness.items.probes.generate import probes, training_samples
from tests.scripted_teacher import Teacher, by_mark, order
from training.synthesis.pairs import LengthBias, length_bias, preference_pairs
from training.synthesis.types import Dropped, Origin, Pair

WORDS = ("はい", "いいえ", "不明", "わかりません")


def guessing(text: str, seed: int) -> str:
    return WORDS[seed % len(WORDS)]


def pairs(ask: Any, count: int = 1, judge: Any = None, **more: Any) -> list[Pair | Dropped]:
    wanted = order("reasoning", count, **more)
    return list(preference_pairs(wanted, ask, "f" * 64, judge))


def test_the_best_answer_is_chosen_and_the_worst_rejected_as_they_were_written() -> None:
    student = Teacher(guessing)
    found = pairs(student, 20, skill="reasoning/transitivity", level=1)
    assert student.calls == [160]
    assert len({prompt.seed for prompt in student.prompts}) == 160
    assert {len(prompt.messages) for prompt in student.prompts} == {1}
    made = [one for one in found if isinstance(one, Pair)]
    assert len(made) > 10
    for one in made:
        assert {one.chosen, one.rejected} <= set(WORDS)
        assert one.chosen in ("はい", "いいえ", "不明")
        assert (one.method, one.margin, one.student) == ("verifier", 1.0, "f" * 64)
        assert (one.skill, one.level) == ("reasoning/transitivity", 1)
        # The right one, by the item itself.
        assert one.origin.parents


def test_the_chosen_answer_is_right_by_the_item() -> None:
    from training.synthesis.draws import prompt_seed
    from training.synthesis.seeds import training_item

    wanted = order("reasoning", 10, skill="reasoning/transitivity", level=1)
    for index, one in enumerate(preference_pairs(wanted, Teacher(guessing), "s")):
        item = training_item(wanted.line, prompt_seed(wanted, index, "item"))
        if isinstance(one, Pair):
            assert one.chosen == item.answer
            assert one.rejected != item.answer
            assert one.messages[0].content == item.turns[0]


def test_equal_scores_make_no_pair() -> None:
    (one,) = pairs(Teacher(lambda *_: "わかりません"), skill="reasoning/transitivity")
    assert one == Dropped("tie", "all answers score 0", "わかりません")


def test_failed_and_empty_answers_are_no_answers() -> None:
    (one,) = pairs(Teacher(guessing, finish="error"), skill="reasoning/transitivity")
    assert isinstance(one, Dropped)
    assert one.reason == "fewer than two answers"
    (one,) = pairs(Teacher(lambda *_: "　\n　"), skill="reasoning/transitivity")
    assert isinstance(one, Dropped)
    assert one.reason == "fewer than two answers"


def questions(tmp_path: Path) -> str:
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"question": "秋の手紙の書き出しを考えてください。"}), "utf-8")
    return str(path)


def rating(text: str, seed: int) -> str:
    shown = "ABCD".index(next(letter for letter in "ABCD" if f"手紙{letter}" in text))
    return f"評価：[[{(9, 9, 4, 4)[shown]}]]"


def letters(text: str, seed: int) -> str:
    letter = "ABCD"[seed % 4]
    return f"手紙{letter}です。" + "秋" * {"A": 40, "B": 6, "C": 5, "D": 90}[letter]


def test_a_judge_rates_and_lengths_are_kept_close(tmp_path: Path) -> None:
    judge = Teacher(rating)
    (one,) = pairs(Teacher(letters), judge=judge, questions=questions(tmp_path), samples="30")
    assert isinstance(one, Pair)
    assert judge.calls == [30]
    assert (one.method, one.margin) == ("judge", 5.0)
    # Of A and B (9 each) and C and D (4 each) B and C are the closest in length.
    assert (one.chosen[:3], one.rejected[:3]) == ("手紙B", "手紙C")


def test_ratings_have_to_be_apart(tmp_path: Path) -> None:
    where = {"questions": questions(tmp_path), "samples": "30"}
    (one,) = pairs(Teacher(letters), judge=Teacher(rating), margin="6", **where)
    assert isinstance(one, Dropped)
    assert one.reason == "scores 4 to 9"
    (one,) = pairs(Teacher(letters), judge=Teacher(by_mark(judge="どちらもよい。")), **where)
    assert isinstance(one, Dropped)
    assert one.stage == "judge"


def test_questions_need_a_judge(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no verifier and no judge"):
        pairs(Teacher(letters), questions=questions(tmp_path))


def items_file(tmp_path: Path, *rows: dict[str, Any]) -> str:
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return str(path)


OWN = {
    "id": "own/1",
    "genre": "math",
    "turns": ["17と25を足すといくつですか。数字だけを書いてください。"],
    "answer": "42",
    "format": {"kind": "integer"},
    "metric": "exact",
}
CODED = {
    "id": "own/2",
    "genre": "coding",
    "turns": ["二倍にする関数 double を書いてください。コードだけを書いてください。"],
    "answer": "",
    "format": {"kind": "free"},
    "metric": "code",
    "code": {
        "kind": "function",
        "entry_point": "double",
        "checks": "calls",
        "tests": [{"args": [n], "expected": 2 * n} for n in (1, 2, 5)],
    },
}


def test_items_of_a_file_are_scored_by_their_own_rule(tmp_path: Path) -> None:
    def student(text: str, seed: int) -> str:
        if "double" in text:
            body = "2 * n" if seed % 2 else "n"
            return f"```python\ndef double(n):\n    return {body}\n```"
        return ("42", "答えは42です。", "41")[seed % 3]

    found = pairs(Teacher(student), 2, items=items_file(tmp_path, OWN, CODED))
    number, program = found
    assert isinstance(number, Pair)
    assert isinstance(program, Pair)
    # Strict: the right number in a sentence is as wrong as another number.
    assert number.chosen == "42"
    assert number.rejected in ("答えは42です。", "41")
    assert "2 * n" in program.chosen
    assert "2 * n" not in program.rejected


def test_evaluation_items_are_refused(tmp_path: Path) -> None:
    item = load_evalset(find_evalset("basics")).items[0]
    row = OWN | {"turns": [f"　{item.turns[0]} "]}
    with pytest.raises(HarnessError, match="question of the evalset basics"):
        pairs(Teacher(guessing), items=items_file(tmp_path, row))
    path = tmp_path / "asked.jsonl"
    path.write_text(json.dumps({"question": item.turns[0]}), "utf-8")
    with pytest.raises(HarnessError, match="question of the evalset basics"):
        pairs(Teacher(letters), judge=Teacher(rating), questions=str(path))


def test_probes_of_the_evaluation_split_are_refused(tmp_path: Path) -> None:
    (evaluated, *_) = probes(FAMILIES[:1], (1,), 2)
    trained = next(training_samples(FAMILIES[:1], (1,), 1))

    def row(item: Any) -> dict[str, Any]:
        return OWN | {
            "id": item.id,
            "turns": list(item.turns),
            "answer": item.answer,
            "seen": True,
            "template": item.template,
        }

    with pytest.raises(HarnessError, match="probe of the evaluation split"):
        pairs(Teacher(guessing), items=items_file(tmp_path, row(evaluated)))
    assert len(pairs(Teacher(guessing), items=items_file(tmp_path, row(trained)))) == 1


@pytest.mark.parametrize("name", ["store", "evaluation"])
def test_stored_answers_to_evaluations_are_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="never trained on"):
        pairs(Teacher(guessing), **{name: "results.duckdb"})


def test_items_that_no_rule_decides_are_refused(tmp_path: Path) -> None:
    row = OWN | {"metric": "judge", "answer": "", "format": {"kind": "free"}}
    with pytest.raises(HarnessError, match="with a judge"):
        pairs(Teacher(guessing), items=items_file(tmp_path, row))


def test_chunks_change_nothing() -> None:
    whole = pairs(Teacher(guessing), 9, skill="reasoning/syllogism")
    parts = [
        one
        for start, count in ((0, 4), (4, 1), (5, 4))
        for one in pairs(Teacher(guessing), count, start=start, skill="reasoning/syllogism")
    ]
    assert whole == parts


def pair(chosen: str, rejected: str) -> Pair:
    origin = Origin("pairs@1", 0, 0)
    return Pair("math", "", None, (), chosen, rejected, "verifier", 1.0, "s", origin)


def test_length_bias_is_told() -> None:
    made = [pair("長い答え", "短い"), pair("同じ", "長さ"), pair("一", "二二二")]
    assert length_bias(made) == LengthBias(3, 0.5, 0.0)
    assert length_bias(made[:2]) == LengthBias(2, 0.75, 1.0)
    assert length_bias([]) == LengthBias(0, 0.5, 0.0)


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=8))
def test_length_bias_turns_with_its_pairs(texts: list[tuple[str, str]]) -> None:
    there = length_bias(pair(*one) for one in texts)
    back = length_bias(pair(other, one) for one, other in texts)
    assert there.longer + back.longer == pytest.approx(1)
    assert there.difference == pytest.approx(-back.difference)
