"""Samples made from others: evolved questions, and problems written for given code."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.items.code_task import CodeTest
from harness.items.schema import check_item
from harness.scoring.code.types import CodeRun
from tests.scripted_teacher import Teacher, by_mark, order
from training.synthesis.back_translate import back_translate
from training.synthesis.draws import prompt_seed
from training.synthesis.evolve import evolve
from training.synthesis.personas import data
from training.synthesis.programs import returned
from training.synthesis.seeds import seeds_of, training_item
from training.synthesis.snippets import generated, snippets_of
from training.synthesis.teacher_prompts import prompt_file
from training.synthesis.types import Dropped, Sample

EVOLVED = "【質問】\n学級園で育てたなすを、3つの組に4本ずつ分けます。なすは全部で何本ですか。"
SOLVED = "3と4を掛けます。\n答え：12本"
OPERATIONS = list(prompt_file("questions")["operations"])


def teacher(**replies: str) -> Teacher:
    return Teacher(by_mark(**({"evolve": EVOLVED, "concluded": SOLVED} | replies)))


def outcomes(ask: Any, count: int = 1, **more: Any) -> list[Sample | Dropped]:
    return list(evolve(order("math", count, program="no", **more), ask))


def test_a_generated_problem_of_the_training_split_evolves() -> None:
    ask = teacher()
    (one,) = outcomes(ask, skill="math/ratio", level=2)
    assert isinstance(one, Sample)
    assert one.messages[0].content.startswith("学級園で")
    assert (one.answer, one.proof.method) == ("12本", "agreement")
    wanted = order("math", skill="math/ratio", level=2, program="no")
    seed = training_item(wanted.line, prompt_seed(wanted, 0, "seed"))
    assert one.origin.parents == (seed.hash,)
    assert seed.turns[0] in ask.prompts[0].messages[-1].content
    assert (seed.skill, seed.level) == ("math/ratio", 2)
    assert "/train/" in seed.id


def test_operations_take_turns() -> None:
    found = outcomes(teacher(), count=8, skill="math/average")
    done = [one.origin.persona["operation"] for one in found if isinstance(one, Sample)]
    assert len(done) == 8
    assert set(done[:4]) == set(OPERATIONS)
    assert done[:4] == done[4:]


def test_every_seed_of_a_file_meets_every_operation(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    rows = [{"question": f"りんごが{n}個あります。何個ですか。"} for n in range(4)]
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    found = outcomes(teacher(), count=16, seeds=str(path))
    pairs = [
        (one.origin.parents, one.origin.persona["operation"])
        for one in found
        if isinstance(one, Sample)
    ]
    assert len(set(pairs)) == 16


def test_seeds_come_from_shards_and_jsonl(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    messages = [{"role": "user", "content": "問い一"}, {"role": "assistant", "content": "答え"}]
    shard = tmp_path / "shard.parquet"
    table = {"id": ["a", "b"], "messages": [json.dumps(messages), json.dumps(messages)]}
    pq.write_table(pa.table(table), shard)
    assert [(one.id, one.question) for one in seeds_of(shard)] == [("a", "問い一"), ("b", "問い一")]
    nested = tmp_path / "nested.parquet"
    pq.write_table(pa.table({"messages": [messages]}), nested)
    assert [one.question for one in seeds_of(nested)] == ["問い一"]
    plain = tmp_path / "seeds.jsonl"
    plain.write_text(
        '{"prompt": "問い二"}\n{"messages": [{"role": "user", "content": "問い三"}]}\n', "utf-8"
    )
    assert [one.question for one in seeds_of(plain)] == ["問い二", "問い三"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "holds no sample"),
        ('{"text": "本文"}', "seeds.jsonl:1: no `messages`"),
        ('{"prompt": "問い"}\n{"messages": 3}', "seeds.jsonl:2: no `messages`"),
        ("壊れた行", "seeds.jsonl:1: broken JSON"),
    ],
)
def test_faults_of_a_seed_file_name_its_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(HarnessError, match=fault):
        outcomes(teacher(), seeds=str(path))


def test_missing_files_and_families_are_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such file"):
        outcomes(teacher(), seeds=str(tmp_path / "none.jsonl"))
    with pytest.raises(HarnessError, match="no probe family"):
        list(evolve(order("writing", 1), teacher()))


def test_a_question_that_is_its_seed_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    question = EVOLVED.partition("\n")[2]
    path.write_text(json.dumps({"question": question}), "utf-8")
    (one,) = outcomes(teacher(), seeds=str(path))
    assert isinstance(one, Dropped)
    assert (one.stage, one.reason) == ("verification", "the question is its seed again")


def test_evolved_candidates_do_not_depend_on_chunks() -> None:
    def script(text: str, seed: int) -> str:
        if "作り変え方：" in text:
            return EVOLVED if seed % 2 else "思いつきません。"
        return SOLVED

    whole = outcomes(Teacher(script), count=9)
    parts = [
        one
        for start, count in ((0, 2), (2, 5), (7, 2))
        for one in outcomes(Teacher(script), count=count, start=start)
    ]
    assert whole == parts


# Back-translation ---------------------------------------------------------------------------------

CODE = "def total(values):\n    return sum(v for v in values if v > 10)"
PROBLEM = "【質問】\n整数のリストを受け取り、10より大きいものの和を返す関数を書いてください。"
SOLUTION = "大きいものだけを足します。\n```python\n" + CODE + "\n```"


def functions(tmp_path: Path, **more: Any) -> str:
    path = tmp_path / "code.jsonl"
    row = {"code": CODE, "entry_point": "total", "inputs": [[[]], [[5, 20]], [[11, 12, 3]]]}
    path.write_text(json.dumps(row | more), "utf-8")
    return str(path)


def translated(ask: Any, count: int = 1, **more: Any) -> list[Sample | Dropped]:
    return list(back_translate(order("coding", count, **more), ask))


def coder(**replies: str) -> Teacher:
    return Teacher(by_mark(**({"describe": PROBLEM, "solution": SOLUTION} | replies)))


def test_a_problem_is_kept_when_a_solution_of_it_behaves_as_the_code(tmp_path: Path) -> None:
    ask = coder()
    (one,) = translated(ask, code=functions(tmp_path))
    assert isinstance(one, Sample)
    assert one.messages[0].content.endswith("関数名は `total`、引数は1個とします。")
    assert one.messages[1].content == SOLUTION
    assert one.proof.method == "execution"
    assert one.item is not None
    assert check_item(one.item) is None
    assert one.item.code is not None
    assert [test.expected for test in one.item.code.tests] == [0, 20, 23]
    assert ask.calls == [1, 1]
    assert CODE in ask.prompts[0].messages[-1].content
    # Whoever solves the problem sees neither the code nor its values.
    assert CODE not in ask.prompts[1].messages[-1].content


def test_problems_of_another_genre_are_refused() -> None:
    with pytest.raises(HarnessError, match="makes coding problems"):
        list(back_translate(order("math", 1), coder()))


@pytest.mark.parametrize(
    ("replies", "stage", "reason"),
    [
        ({"solution": SOLUTION.replace("> 10", ">= 5")}, "verification", "the solution: failed"),
        ({"solution": SOLUTION.replace("total", "other")}, "verification", "the solution"),
        ({"solution": "書けません。"}, "unreadable", "form"),
        ({"describe": "書けません。"}, "unreadable", "a label is missing"),
        (
            {"describe": PROBLEM + "\ndef total(values):\n    ここを書く"},
            "unreadable",
            "shows code",
        ),
    ],
)
def test_problems_that_do_not_say_it_all_are_dropped(
    tmp_path: Path, replies: dict[str, str], stage: str, reason: str
) -> None:
    (one,) = translated(coder(**replies), code=functions(tmp_path))
    assert isinstance(one, Dropped)
    assert one.stage == stage
    assert reason in one.reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def total(values):\n    return 3", "a constant"),
        ("def total(values):\n    return values", "its own argument"),
        ("def total(values):\n    return values[0]", "returns no value"),
        ("def total(values):\n    return {1, 2}", "returns no value"),
        ("def total(values):\n    return total(values)", "returns no value"),
    ],
)
def test_functions_that_no_problem_can_be_made_of_are_not_asked_about(
    tmp_path: Path, code: str, reason: str
) -> None:
    ask = coder()
    (one,) = translated(ask, code=functions(tmp_path, code=code))
    assert isinstance(one, Dropped)
    assert one.stage == "seed"
    assert reason in one.reason
    assert ask.calls == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"entry_point": "f"}, "does not define"),
        ({"inputs": [[1], [2]]}, "2 `inputs`"),
        ({"inputs": "1"}, "no list of lists"),
    ],
)
def test_faults_of_a_file_of_functions_name_the_line(
    tmp_path: Path, row: dict[str, Any], fault: str
) -> None:
    with pytest.raises(HarnessError, match=r"code\.jsonl:1") as caught:
        translated(coder(), code=functions(tmp_path, **row))
    assert fault in str(caught.value)


def _call(args: tuple[Any, ...]) -> CodeTest:
    return CodeTest(args=args)


def test_generated_functions_return_values_for_all_their_inputs() -> None:
    drawn = [generated(random.Random(key)) for key in range(60)]
    assert len({one.code.partition("(")[2][:60] for one in drawn}) > 15
    runs = [
        CodeRun(one.code, "calls", tuple(map(_call, one.inputs)), one.entry_point) for one in drawn
    ]
    for one, values in zip(drawn, returned(runs), strict=True):
        assert values is not None
        assert all(value is not None for value in values), one.code


def test_generated_functions_can_be_translated_back() -> None:
    def script(text: str, seed: int) -> str:
        if "同じ働きをする関数を書かせる" not in text:
            return "不明です。\n```python\ndef solve(*given):\n    return '違う'\n```"
        return "【質問】\n与えられた値を決まった規則で変える関数を書いてください。"

    found = translated(Teacher(script), count=6)
    assert {one.stage for one in found if isinstance(one, Dropped)} <= {"verification", "seed"}
    assert len(found) == 6
    halves = translated(Teacher(script), count=3) + translated(Teacher(script), count=3, start=3)
    assert found == halves


def test_every_generated_function_compiles() -> None:
    for one in data("snippets")["snippets"]:
        compile(one["code"].format(a=3, b=1, c=7), "snippet", "exec")


PIECES = st.sampled_from(
    ["【質問】", "```python\n", "def total(v):\n", "    return 1\n", "```", "和", "\n"]
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(PIECES | st.text(max_size=6), max_size=8).map("".join), min_size=2))
def test_garbage_is_dropped(tmp_path_factory: pytest.TempPathFactory, replies: list[str]) -> None:
    path = functions(tmp_path_factory.mktemp("code"))
    found = translated(Teacher(lambda text, seed: replies[seed % len(replies)]), 2, code=path)
    assert all(isinstance(one, Dropped) for one in found)
    evolved = list(evolve(order("math", 2), Teacher(lambda _, seed: replies[seed % len(replies)])))
    assert len(evolved) == 2


def test_functions_of_a_file_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    rows = [
        {"code": CODE, "entry_point": "total", "inputs": [[[n]], [[n, 20]], [[11, n]]]}
        for n in (1, 2)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    ids = [one.id for one in snippets_of(path)]
    found = translated(coder(), count=4, code=str(path))
    parents = [one.origin.parents for one in found if isinstance(one, Sample)]
    assert parents == [(ids[0],), (ids[1],)] * 2
