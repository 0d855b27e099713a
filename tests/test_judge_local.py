"""A local checkpoint as judge: asked after generation, in batches, and told about when it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.engines.prompt import Rendered
from harness.engines.types import Engine, Generation, Message, Request
from harness.items.schema import FormatRule, Item
from harness.judge.judging import Judging
from harness.judge.local import LocalJudge
from harness.judge.prompts import load_prompts
from harness.judge.types import JudgeProgress
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
