"""A local checkpoint as judge: asked after generation, in batches, and told about when it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.engines.prompt import Rendered
from harness.engines.types import Engine, Generation, Message, Request
from harness.items.schema import FormatRule, Item
from harness.judge.judging import Judging
from harness.judge.local import LocalJudge
from harness.judge.prompts import load_prompts
from harness.judge.types import SAMPLING, JudgeProgress
from harness.store import database
from harness.store.judgments import known_judgments

ITEM = Item("mt/1", "writing", ("手紙を書いてください。",), "", FormatRule("free"), "judge")
COUNT = 20


class Scripted:
    """Takes what waits as one batch, and gives every answer a 6."""

    name = description = "scripted"

    def __init__(self, break_at: int | None = None) -> None:
        self.batches: list[int] = []
        self.prompts: list[str] = []
        self.break_at = break_at
        self.closed = False

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        while queue:
            batch = [queue.popleft() for _ in range(len(queue))]
            self.batches.append(len(batch))
            for request in reversed(batch):
                if self.break_at is not None and len(self.prompts) >= self.break_at:
                    raise RuntimeError("out of memory")
                self.prompts.append(str(request.prompt))
                yield Generation(request.key, "よい。\n評価：[[6]]", "stop", 10, 5)

    def close(self) -> None:
        self.closed = True


def render(messages: Sequence[Message]) -> Rendered:
    return Rendered("\n".join(one.content for one in messages), False, ("\n###",))


def run(store: Path, engine: Engine) -> JudgeProgress:
    one = LocalJudge("tiny@0123", "/models/tiny", render, lambda: engine, concurrency=8)
    judging = Judging(store, one, load_prompts())
    for number in range(COUNT):
        judging.offer("e", f"answer {number}", ITEM, (f"{number}番の回答",), False)
    assert not getattr(engine, "prompts", None)  # nothing is asked before the end
    try:
        return judging.close()
    finally:
        one.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "r.duckdb"
    database.prepare(path)
    return path


def test_every_answer_is_judged_once_in_batches(store: Path) -> None:
    engine = Scripted()
    result = run(store, engine)
    assert (result.asked, result.left, dict(result.failures)) == (COUNT, 0, {})
    assert len(engine.prompts) == COUNT
    assert max(engine.batches) <= 8
    assert engine.closed
    assert len(known_judgments(store, "tiny@0123")) == COUNT
    assert run(store, again := Scripted()).reused == COUNT
    assert not again.prompts


def test_an_engine_that_fails_leaves_the_rest_to_the_next_run(store: Path) -> None:
    result = run(store, Scripted(break_at=5))
    assert result.fault is not None
    assert "out of memory" in result.fault
    assert result.asked == 5
    assert result.asked + result.left == COUNT
    rest = run(store, Scripted())
    assert (rest.reused, rest.asked) == (5, COUNT - 5)


@pytest.mark.slow
def test_a_real_checkpoint_judges_from_several_threads(store: Path, tmp_path: Path) -> None:
    """Through the command line's own way of opening it, tokenizer and engine loaded at once."""
    pytest.importorskip("transformers")
    from harness.cli.judge_options import judge_settings, open_judge
    from tests.conftest import make_checkpoint

    path = make_checkpoint(tmp_path / "tiny", context=8192)
    options = {
        "judge": str(path),
        "judge_prompts": None,
        "judge_repeats": 1,
        "judge_budget": None,
        "judge_price": None,
        "judge_rate": None,
        "judge_concurrency": 8,
        "judge_tokens": 8,
        "judge_timeout": 60.0,
        "rejudge_failed": False,
    }
    one = open_judge(judge_settings(options))
    judging = Judging(store, one, load_prompts(), sampling=replace(SAMPLING, max_tokens=8))
    for number in range(COUNT):
        judging.offer("e", f"answer {number}", ITEM, (f"{number}番の回答",), False)
    result = judging.close()
    one.close()
    assert result.fault is None
    # A random model rates nothing, but every call was answered.
    assert (result.asked, result.failures.get("request", 0)) == (COUNT, 0)
