"""Items of constraints from file to score: loading, protocol, failure classes, evaluation."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines.types import Generation, Request
from harness.errors import HarnessError
from harness.items import Constraint, FormatRule, Item, check_item
from harness.items.load import load_evalset, load_items
from harness.protocols.catalogue import open_suite
from harness.protocols.instruction_following import InstructionFollowing
from harness.protocols.types import Answer
from harness.report.standings import boards
from harness.scoring import compare, gold_fault
from harness.scoring.constraints.score import score_constraints
from harness.store import queries
from tests.if_ja_examples import EXAMPLES
from tests.test_evaluate import run

HIRAGANA = Constraint("ja:letters:hiragana_only")
SHORT = Constraint("ja:length_constraints:number_letters", {"relation": "以下", "num_letters": 40})
FRENCH = Constraint("ja:language:response_language", {"language": "fr"})


def item(
    *constraints: Constraint, name: str = "own/1", prompt: str = "海の話をしてください。"
) -> Item:
    return Item(
        name,
        "instruction",
        (prompt,),
        "",
        FormatRule("free"),
        "constraints",
        constraints=constraints or (HIRAGANA, SHORT),
    )


def values(one: Item, raw: str, finish: str = "stop") -> dict[str, float]:
    return {score.metric: score.value for score in score_constraints(one, raw, finish)}


def failure(one: Item, raw: str, finish: str = "stop") -> str | None:
    scores = score_constraints(one, raw, finish)
    assert [score.metric for score in scores if score.failure] in ([], ["strict"])
    return scores[0].failure


def test_scores() -> None:
    good = dict.fromkeys(
        (
            "strict",
            "lenient",
            "prompt_strict",
            "prompt_loose",
            "instruction_strict",
            "instruction_loose",
        ),
        1.0,
    )
    assert values(item(), "うみは ひろい。") == good
    assert values(item(), "海は ひろい。") == {
        "strict": 0.0,
        "lenient": 0.0,
        "prompt_strict": 0.0,
        "prompt_loose": 0.0,
        "instruction_strict": 0.5,
        "instruction_loose": 0.5,
    }
    assert values(item(), "承知しました。\nうみは ひろい。") == {
        "strict": 0.0,
        "lenient": 1.0,
        "prompt_strict": 0.0,
        "prompt_loose": 1.0,
        "instruction_strict": 0.5,
        "instruction_loose": 1.0,
    }
    assert set(values(item(), " \n").values()) == {0.0}


@pytest.mark.parametrize(
    ("raw", "finish", "expected"),
    [
        ("うみは ひろい。", "length", None),
        ("　\n", "stop", "empty"),
        ("海は広い。" * 20, "length", "repetition"),
        ("The sea is wide and blue and deep.", "stop", "language"),
        ("海は広いので、端から端までは", "length", "truncated"),
        ("海は広い。", "stop", "format"),
        ("はい。海です。\nうみは ひろい。", "length", "format"),
    ],
)
def test_failure_classes(raw: str, finish: str, expected: str | None) -> None:
    assert failure(item(), raw, finish) == expected


def test_a_language_that_was_asked_for_is_no_switch() -> None:
    comma = Constraint("ja:punctuation:no_comma")
    text = "Le chat est dans la maison、 et il dort."
    assert failure(item(FRENCH, comma), text) == "format"
    assert failure(item(comma), text) == "language"


def test_the_hash_of_an_item_sees_its_constraints_and_no_other_hash_has_changed() -> None:
    plain = Item("a", "math", ("1たす1は？",), "2", FormatRule("integer"), "number")
    assert plain.hash == "4f83829c50f87c3079209feb55dd368c5f73b9571f7547246cc3009cd8e4ec10"
    assert item().hash == item(name="other").hash
    assert item().hash != item(HIRAGANA).hash
    longer = replace(SHORT, kwargs={"relation": "以下", "num_letters": 41})
    assert item(SHORT).hash != item(longer).hash
    assert item(HIRAGANA, SHORT).hash != item(SHORT, HIRAGANA).hash


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"constraints": ()}, "go together"),
        ({"metric": "exact"}, "go together"),
        ({"format": FormatRule("span")}, "go together"),
        ({"answer": "うみ"}, "no gold beside `constraints`"),
        ({"accept": ("うみ",)}, "no gold beside `constraints`"),
        ({"turns": ("一", "二")}, "one user message"),
        ({"genre": "instructions"}, "format or instruction"),
    ],
)
def test_an_item_of_constraints_has_no_gold_and_one_turn(
    changes: dict[str, Any], said: str
) -> None:
    assert check_item(item()) is None
    assert gold_fault(item()) is None
    assert said in str(check_item(replace(item(), **changes)))
    with pytest.raises(ValueError, match="no gold"):
        compare("constraints", "うみ", item())


def row(**changes: Any) -> str:
    plain = {
        "id": "own/1",
        "genre": "instruction",
        "turns": ["海の話をしてください。"],
        "answer": "",
        "format": {"kind": "free"},
        "metric": "constraints",
        "constraints": [{"id": HIRAGANA.id}, {"id": SHORT.id, "kwargs": SHORT.kwargs}],
    }
    return json.dumps({**plain, **changes}, ensure_ascii=False)


def test_items_of_constraints_are_loaded_and_their_faults_named(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(row() + "\n", encoding="utf-8")
    assert load_items(path) == (item(),)
    for constraint, said in (
        ({"id": "ja:letters:x"}, "`constraints[0]`: unknown instruction id"),
        ({"id": SHORT.id}, "lacks relation, num_letters in kwargs"),
        ({"id": HIRAGANA.id, "kwarg": {}}, "did you mean `constraints[0].kwargs`?"),
        ({"kwargs": {}}, "missing `constraints[0].id`"),
        ("x", "wrong value: expected `object`"),
    ):
        path.write_text(row(constraints=[constraint]) + "\n", encoding="utf-8")
        with pytest.raises(HarnessError) as caught:
            load_items(path)
        assert str(caught.value).startswith(f"{path}:1: ")
        assert said in str(caught.value)


def test_an_evalset_of_constraints_is_asked_by_this_protocol(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(row() + "\n", encoding="utf-8")
    suite = open_suite(str(path))
    assert suite.protocol == InstructionFollowing("own")
    assert open_suite("if-ja").protocol == InstructionFollowing()
    mixed = {"id": "own/2", "turns": ["1たす1は？"], "answer": "2", "format": {"kind": "integer"}}
    plain = row(**mixed, metric="number", constraints=[])
    path.write_text(f"{row()}\n{plain}\n", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"1 of 2 items have no `constraints` .*own/2"):
        open_suite(str(path))


def test_the_protocol_asks_one_greedy_message() -> None:
    protocol = InstructionFollowing()
    (ask,) = protocol.requests([item()], 1, 0)
    assert [(one.role, one.content) for one in ask.messages] == [("user", "海の話をしてください。")]
    assert (ask.sampling.temperature, ask.sampling.max_tokens) == (0.0, 1024)
    assert protocol.follow_up(ask, Answer("うみ", "stop")) is None
    drawn = list(protocol.requests([item()], 3, 5))
    assert len({one.sampling.seed for one in drawn}) == 3
    assert {one.sampling.temperature for one in drawn} == {0.7}
    assert protocol.hash != replace(protocol, max_tokens=512).hash


@dataclass
class ExampleEngine:
    """Answers each prompt that has an example with it, and with a katakana everywhere else."""

    answers: dict[str, str]
    name: str = "examples"
    description: str = "examples 1"

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        while queue:
            request = queue.popleft()
            prompt = str(request.prompt).removeprefix("user:").removesuffix("\n")
            yield Generation(request.key, self.answers.get(prompt, "ア"), "stop", 10, 1)

    def close(self) -> None:
        pass


def test_an_evaluation_from_items_to_the_board(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    evalset = load_evalset(Path(__file__).parents[1] / "evalsets" / "if-ja")
    items = [one for one in evalset.items if one.id in EXAMPLES]
    half = {one.id for one in items[::2]}
    answers = {one.turns[0]: EXAMPLES[one.id][one.id not in half] for one in items}
    result = run(store, items, ExampleEngine(answers), protocol=InstructionFollowing())
    count = result.progress
    assert (count.planned, count.done, count.failed) == (len(items), len(items), 0)
    rows = {one.item: one for one in queries.answers(store, result.evaluation)}
    assert {name for name, one in rows.items() if one.scores["strict"] == 1.0} == half
    for one in rows.values():
        scores = one.scores
        assert scores["strict"] == scores["prompt_strict"] <= scores["instruction_strict"]
        assert scores["lenient"] == scores["prompt_loose"] <= scores["instruction_loose"]
        assert scores["lenient"] >= scores["strict"]
        assert (one.failure is None) == (scores["strict"] == 1.0)
    (board,), _ = boards(store)
    assert (board.suite, board.protocol) == ("if-ja", "if-ja/harness-1")
    assert board.genres == ("instruction",)
    (standing,) = board.standings
    assert standing.measured.score.mean == pytest.approx(len(half) / len(items))
