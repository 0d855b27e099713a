"""Coding items from suite to score, with our own programs in place of a model's."""

from __future__ import annotations

import io
import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.engines.types import Generation, Request
from harness.errors import HarnessError
from harness.items import FormatRule, Item
from harness.items.code_task import CodeTask, CodeTest
from harness.protocols import catalogue
from harness.protocols.catalogue import open_suite, protocol_from
from harness.protocols.code import Code
from harness.protocols.types import Answer, Ask
from harness.report.leaderboard import print_boards
from harness.report.standings import boards
from harness.scoring.code.score import HarnessFaultError
from harness.scoring.code.types import VERDICTS, CodeOutcome, CodeRun
from harness.store import queries
from tests.code_runner import run_trusted
from tests.test_evaluate import run
from tests.test_humaneval import HUMANEVAL, MBPP, write

TESTS = tuple(CodeTest(args=(n,), expected=2 * n) for n in (0, 3, -1, 10))
ITEM = Item(
    "own/1",
    "coding",
    ("nを2倍する関数doubleを書いてください。",),
    "",
    FormatRule("free"),
    "code",
    code=CodeTask("function", "double", "calls", TESTS, given="def double(n):\n"),
)
RIGHT, WRONG = "def double(n):\n    return n * 2", "def double(n):\n    return n * n"
WHY = "受け取った整数に2を掛けて、その結果を返します。\n"
PROTOCOL = Code("own", runner=run_trusted)


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def in_form(task: CodeTask, code: str) -> str:
    """An answer of the form that the task asks for."""
    return (WHY if task.kind == "explain" else "") + fenced(code)


def scores(text: str, finish: str = "stop") -> tuple[dict[str, float], str | None]:
    (ask,) = PROTOCOL.requests([ITEM], 1, 0)
    found = PROTOCOL.scores(ask, Answer(text, finish))
    assert [one.metric for one in found if one.failure] in ([], ["strict"])
    return {one.metric: one.value for one in found}, found[0].failure


@pytest.mark.parametrize(
    ("text", "finish", "strict", "form", "lenient", "tests", "failure"),
    [
        (fenced(RIGHT), "stop", 1, 1, 1, 1, None),
        (RIGHT, "stop", 1, 1, 1, 1, None),
        ("はい。\n" + fenced(RIGHT), "stop", 0, 0, 1, 1, "format"),
        ("    return n * 2", "stop", 0, 0, 1, 1, "format"),
        (fenced("    return n * 2"), "stop", 0, 1, 1, 1, "format"),
        (fenced(WRONG), "stop", 0, 1, 0, 0.25, "knowledge"),
        ("はい。\n" + fenced(WRONG), "stop", 0, 0, 0, 0.25, "knowledge"),
        (fenced("def double(n):\n    return (n *"), "stop", 0, 1, 0, 0, "knowledge"),
        ("```python\ndef double(n):\n    return n *", "length", 0, 0, 0, 0, "truncated"),
        (fenced(WRONG), "length", 0, 1, 0, 0.25, "truncated"),
        (fenced(RIGHT), "length", 1, 1, 1, 1, None),
        ("わかりません。", "stop", 0, 0, 0, 0, "format"),
        (" \n　", "stop", 0, 0, 0, 0, "empty"),
        ("<think>2倍</think>\n", "stop", 0, 0, 0, 0, "empty"),
        ("<think>2倍", "length", 0, 0, 0, 0, "truncated"),
    ],
)
def test_scores(
    text: str,
    finish: str,
    strict: float,
    form: float,
    lenient: float,
    tests: float,
    failure: str | None,
) -> None:
    expected = {"strict": strict, "format": form, "lenient": lenient, "tests": tests}
    assert scores(text, finish) == (expected, failure)


@pytest.mark.parametrize(
    ("text", "finish", "expected", "failure"),
    [
        (WHY + fenced(RIGHT), "stop", (1, 1, 1, 1), None),
        (fenced(RIGHT), "stop", (0, 0, 1, 1), "format"),
        (RIGHT, "stop", (0, 0, 1, 1), "format"),
        ("考え方\n" + fenced(RIGHT), "stop", (0, 0, 1, 1), "format"),
        (WHY + fenced(RIGHT) + "\n以上です。", "stop", (0, 0, 1, 1), "format"),
        (fenced(RIGHT) + "\n" + WHY, "stop", (0, 0, 1, 1), "format"),
        (WHY + fenced(WRONG), "stop", (0, 1, 0, 0.25), "knowledge"),
        (fenced(WRONG), "stop", (0, 0, 0, 0.25), "knowledge"),
        (WHY, "stop", (0, 0, 0, 0), "format"),
        (WHY, "length", (0, 0, 0, 0), "truncated"),
        (WHY + "```python\ndef double(n):\n    return n *", "length", (0, 0, 0, 0), "truncated"),
        (" ", "stop", (0, 0, 0, 0), "empty"),
    ],
)
def test_scores_of_an_explanation_and_a_function(
    text: str, finish: str, expected: tuple[float, ...], failure: str | None
) -> None:
    assert ITEM.code is not None
    item = replace(ITEM, code=replace(ITEM.code, kind="explain"))
    (ask,) = PROTOCOL.requests([item], 1, 0)
    found = PROTOCOL.scores(ask, Answer(text, finish))
    assert tuple(one.value for one in found) == expected
    assert found[0].failure == failure


def test_one_program_is_run_once() -> None:
    seen: list[str] = []

    def counting(runs: Sequence[CodeRun]) -> Sequence[CodeOutcome]:
        seen.extend(one.source for one in runs)
        return run_trusted(runs)

    protocol = replace(PROTOCOL, runner=counting, seconds=3.0)
    (ask,) = protocol.requests([ITEM], 1, 0)
    protocol.scores(ask, Answer(fenced(RIGHT), "stop"))
    assert seen == [RIGHT]
    protocol.scores(ask, Answer("", "stop"))
    assert seen == [RIGHT]


def test_every_verdict_but_a_fault_is_an_answer() -> None:
    (ask,) = PROTOCOL.requests([ITEM], 1, 0)
    for verdict in VERDICTS:
        given = CodeOutcome(verdict, 4 if verdict == "passed" else 1)

        def runner(runs: Sequence[CodeRun], outcome: CodeOutcome = given) -> Sequence[CodeOutcome]:
            assert runs[0].limits.seconds == 5.0
            return [outcome] * len(runs)

        protocol = replace(PROTOCOL, runner=runner)
        if verdict == "harness fault":
            with pytest.raises(HarnessFaultError, match=r"own/1 could not be run"):
                protocol.scores(ask, Answer(fenced(RIGHT), "stop"))
        else:
            strict, *_, tests = protocol.scores(ask, Answer(fenced(RIGHT), "stop"))
            assert strict.failure == (None if verdict == "passed" else "knowledge")
            assert tests.value == given.passed / 4


def test_asking() -> None:
    (ask,) = PROTOCOL.requests([ITEM], 1, 0)
    assert [(one.role, one.content) for one in ask.messages] == [("user", ITEM.turns[0])]
    assert (ask.sampling.temperature, ask.sampling.max_tokens) == (0.0, 1024)
    drawn = list(PROTOCOL.requests([ITEM], 3, 5))
    assert {(one.sampling.temperature, one.sampling.top_p) for one in drawn} == {(0.8, 0.95)}
    assert len({one.sampling.seed for one in drawn}) == 3
    assert PROTOCOL.follow_up(ask, Answer("", "stop")) is None
    assert PROTOCOL.reading(ask, Answer("", "stop")) is None
    plain = replace(ITEM, code=None)
    with pytest.raises(ValueError, match="has no `code`"):
        PROTOCOL.scores(Ask(plain, (), ask.sampling), Answer("", "stop"))


def test_the_runner_is_no_part_of_the_hash() -> None:
    bare = Code("own")
    assert PROTOCOL.hash == bare.hash
    assert bare == PROTOCOL
    assert PROTOCOL.id == "own/harness-1"
    json.dumps(PROTOCOL.definition)
    assert protocol_from(PROTOCOL.definition) == bare
    assert replace(bare, seconds=1.0).hash != bare.hash
    with pytest.raises(HarnessFaultError, match="nothing here runs untrusted programs"):
        bare.requests([ITEM], 1, 0)


def test_suites(tmp_path: Path) -> None:
    suite = open_suite("code-ja")
    assert suite.protocol == Code("code-ja")
    assert suite.protocol.id == "code-ja/harness-1"
    assert len(suite.items) == 78
    assert len(open_suite("code-ja", limit=7).items) == 7
    path = write(tmp_path, HUMANEVAL, MBPP)
    suite = open_suite(f"code:{path}")
    assert suite.protocol == Code("code")
    assert [item.id for item in suite.items] == ["Own/0", "MBPP/7"]
    evalset = catalogue.load_evalset(catalogue.find_evalset("code-ja"))
    rows = [
        json.dumps({"id": "a", "genre": "math", "turns": ["1+1は？"], "answer": "2"})[:-1]
        + ', "format": {"kind": "integer"}, "metric": "number"}'
    ]
    source = Path(__file__).parents[1] / "evalsets" / "code-ja" / "fix.jsonl"
    rows.append(source.read_text(encoding="utf-8").split("\n")[0])
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(HarnessError, match=r"1 of 2 items have no `code` \(the first is a\)"):
        open_suite(str(path))
    assert evalset.name == "code-ja"


@dataclass
class Programmer:
    """Answers each prompt with the text written for it."""

    answers: dict[str, str]
    name: str = "programmer"
    description: str = "programmer 1"

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        while queue:
            request = queue.popleft()
            prompt = str(request.prompt).removeprefix("user:").removesuffix("\n")
            yield Generation(request.key, self.answers[prompt], "stop", 10, 1)

    def close(self) -> None:
        pass


def test_an_evaluation_and_a_sandbox_that_fails_in_between(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = open_suite("code-ja", limit=12).items
    half = {item.id for item in items[::2]}
    answers = {
        item.turns[0]: in_form(item.code, item.code.reference if item.id in half else "import math")
        for item in items
        if item.code
    }
    broken = items[0].code
    assert broken is not None

    def failing(runs: Sequence[CodeRun]) -> Sequence[CodeOutcome]:
        if runs[0].tests == broken.tests:
            return [CodeOutcome("harness fault", 0, detail="no namespace left")]
        return run_trusted(runs)

    result = run(store, items, Programmer(answers), protocol=Code(runner=failing))
    count = result.progress
    assert (count.planned, count.done, count.failed) == (12, 11, 1)
    assert queries.evaluations(store)[0].state == "complete"
    rows = {one.item: one for one in queries.answers(store, result.evaluation)}
    right = {name for name, one in rows.items() if one.scores.get("strict") == 1.0}
    assert right == half - {items[0].id}
    assert "no namespace left" in str(rows[items[0].id].error)
    # The same command again tries what failed, and nothing else.
    result = run(store, items, Programmer(answers), protocol=Code(runner=run_trusted))
    count = result.progress
    assert (count.reused, count.done, count.failed) == (11, 12, 0)
    (board,), _ = boards(store)
    assert (board.suite, board.genres) == ("code-ja", ("coding",))
    assert board.standings[0].measured.score.mean == pytest.approx(0.5)


@dataclass
class Sampler(Programmer):
    """Answers right in the first `right[prompt]` of each prompt's samples."""

    right: dict[str, int] = field(default_factory=dict)

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        asked: Counter[str] = Counter()
        while queue:
            request = queue.popleft()
            prompt = str(request.prompt).removeprefix("user:").removesuffix("\n")
            asked[prompt] += 1
            good = asked[prompt] <= self.right[prompt]
            text = self.answers[prompt] if good else "pass"
            yield Generation(request.key, text, "stop", 10, 1)


def test_pass_at_k_stands_on_the_board(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = open_suite("code-ja", limit=3).items
    tasks = {item.turns[0]: item.code for item in items if item.code}
    answers = {prompt: in_form(code, code.reference) for prompt, code in tasks.items()}
    right = dict(zip(tasks, (0, 1, 4), strict=True))
    engine = Sampler(answers, right=right)
    run(store, items, engine, protocol=Code(runner=run_trusted), samples=4)
    (board,), _ = boards(store)
    (standing,) = board.standings
    assert {k: one.mean for k, one in standing.measured.pass_at.items()} == pytest.approx(
        {1: (0 + 1 / 4 + 1) / 3, 4: 2 / 3}
    )
    assert standing.to_dict()["pass_at"]["4"]["clusters"] == 3
    console = Console(width=200, record=True, file=io.StringIO())
    print_boards(console, [board], 0)
    assert "pass@1 41.7 (" in console.export_text()


def test_the_sandbox_scores_what_a_model_wrote(tmp_path: Path) -> None:
    """The suite as a user names it: no runner of our own."""
    if catalogue.code_runner() is None:
        pytest.skip("no sandbox here")
    suite = open_suite("code-ja", limit=8)
    answers = {
        item.turns[0]: in_form(
            item.code, item.code.reference if n % 2 else "import os\nos._exit(0)"
        )
        for n, item in enumerate(suite.items)
        if item.code
    }
    store = tmp_path / "results.duckdb"
    run(store, suite.items, Programmer(answers), protocol=suite.protocol)
    (board,), _ = boards(store)
    assert board.standings[0].measured.score.mean == pytest.approx(0.5)
