"""The evaluation's invariants, with an engine made of a dictionary (a fake, in this unit test)."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import evaluate as evaluation
from harness.checkpoint import Checkpoint
from harness.engines.prompt import Rendered
from harness.engines.types import Engine, Generation, Likelihood, Message, Request
from harness.evaluate import evaluate
from harness.items import FormatRule, Item
from harness.protocols.jaster import Jaster
from harness.protocols.short_answer import ShortAnswer
from harness.store import database, queries

CHECKPOINT = Checkpoint(name="run/step_1", fingerprint="f" * 64, path=None, run="run", step=1)
LETTERS = FormatRule("choice", labels=("A", "B", "C", "D"))


def letter(number: int, *more_turns: str) -> Item:
    turns = (f"問{number}。AからDで答えてください。", *more_turns)
    return Item(f"t/{number:03d}", "reasoning", turns, "A", LETTERS, "exact")


def render(messages: Sequence[Message]) -> Rendered:
    return Rendered("".join(f"{one.role}:{one.content}\n" for one in messages), False)


@dataclass
class ScriptedEngine:
    """Answers "A" out of order; breaks off, or fails requests, where it is told to."""

    shuffle: random.Random = field(default_factory=lambda: random.Random(0))
    break_after: int | None = None
    failing: frozenset[str] = frozenset()
    asked: list[Request] = field(default_factory=list)
    name: str = "scripted"
    description: str = "scripted 1"

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        window: list[Request] = []
        while queue or window:
            while queue and len(window) < 8:
                window.append(queue.popleft())
            request = window.pop(self.shuffle.randrange(len(window)))
            if self.break_after is not None and len(self.asked) >= self.break_after:
                raise KeyboardInterrupt
            self.asked.append(request)
            if any(part in str(request.prompt) for part in self.failing):
                yield Generation(request.key, "", "error", error="too long")
                continue
            likelihoods = tuple(
                Likelihood(-1.0 if label == "A" else -2.0, 1) for label in request.continuations
            )
            text = "" if likelihoods else "A"
            yield Generation(request.key, text, "stop", 10, 1, likelihoods=likelihoods)

    def close(self) -> None:
        pass


def run(store: Path, items: Sequence[Item], engine: Engine, **more: Any) -> evaluation.Result:
    protocol = more.pop("protocol", ShortAnswer("t", choice=True))
    return evaluate(
        CHECKPOINT,
        protocol,
        items,
        store=store,
        render=render,
        open_engine=lambda: engine,
        **more,
    )


def content(store: Path) -> list[tuple[Any, ...]]:
    """Everything that must be equal between an interrupted and an uninterrupted evaluation."""
    with database.connect(store, read_only=True) as connection:
        return connection.execute(
            "SELECT r.evaluation, r.key, r.item_hash, r.sample, r.turn, r.kind, g.text, "
            "g.finish_reason, g.likelihoods, s.metric, s.value, s.failure, e.state, e.planned, "
            "e.done, e.failed FROM requests r JOIN evaluations e ON e.id = r.evaluation "
            "JOIN generations g USING (key) JOIN scores s ON s.key = r.key ORDER BY ALL"
        ).fetchall()


def refused() -> Engine:
    raise AssertionError("nothing is owed, so no engine is opened")


def unrendered(messages: Sequence[Message]) -> Rendered:
    raise AssertionError("a complete evaluation needs no rendered prompt")


def test_an_answer_that_a_complete_evaluation_has_lost_is_asked_again(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = [letter(n, "もう一度。") for n in range(6)]
    run(store, items, ScriptedEngine())
    before = content(store)
    with database.connect(store) as connection:
        lost = "SELECT key FROM generations WHERE turn = 1 AND prompt LIKE '%問3。%'"
        connection.execute(f"DELETE FROM scores WHERE key IN ({lost})")
        connection.execute(f"DELETE FROM generations WHERE key IN ({lost})")
    engine = ScriptedEngine()
    result = run(store, items, engine)
    assert len(engine.asked) == 1
    assert (result.progress.planned, result.progress.done) == (12, 12)
    assert content(store) == before


def test_a_complete_evaluation_is_asked_what_is_new_in_its_protocol(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = [letter(n) for n in range(4)]
    first = run(store, items, ScriptedEngine(), protocol=Jaster("j", shots=(0,), choice=False))
    engine = ScriptedEngine()
    result = run(store, items, engine, protocol=Jaster("j", shots=(0,)))
    assert result.evaluation == first.evaluation
    assert [one.continuations for one in engine.asked] == [LETTERS.labels] * 4
    assert (result.progress.planned, result.progress.reused, result.progress.done) == (8, 4, 8)


def test_counts_add_up_and_a_repeat_asks_nothing(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = [letter(n) for n in range(10)]
    result = run(store, items, ScriptedEngine())
    assert (result.progress.planned, result.progress.done, result.progress.failed) == (20, 20, 0)
    row = queries.evaluations(store)[0]
    assert (row.state, row.planned, row.done, row.failed) == ("complete", 20, 20, 0)
    before = content(store)
    again = evaluate(
        CHECKPOINT,
        ShortAnswer("t", choice=True),
        items,
        store=store,
        render=unrendered,
        open_engine=refused,
    )
    assert (again.progress.reused, again.evaluation) == (20, result.evaluation)
    assert content(store) == before


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(breaks=st.lists(st.integers(0, 25), max_size=4), batch=st.sampled_from([1, 3, 256]))
def test_interruptions_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, breaks: list[int], batch: int
) -> None:
    items = [letter(n) for n in range(6)] + [letter(n, "二つ目。AからDで。") for n in range(6, 12)]
    whole = tmp_path_factory.mktemp("whole") / "results.duckdb"
    broken = tmp_path_factory.mktemp("broken") / "results.duckdb"
    run(whole, items, ScriptedEngine())
    previous, evaluation.BATCH_ROWS = evaluation.BATCH_ROWS, batch
    try:
        for number, at in enumerate(breaks):
            engine = ScriptedEngine(random.Random(number), break_after=at)
            try:
                run(broken, items, engine)
            except KeyboardInterrupt:
                row = queries.evaluations(broken)[0]
                assert row.state == "running"
        run(broken, items, ScriptedEngine(random.Random(99)))
    finally:
        evaluation.BATCH_ROWS = previous
    assert content(broken) == content(whole)


def test_a_second_turn_is_asked_with_its_own_first_answer(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    engine = ScriptedEngine()
    item = letter(1, "では二つ目。AからDで。")
    result = run(store, [item], engine, protocol=ShortAnswer("t"))
    assert [request.prompt for request in engine.asked] == [
        f"user:{item.turns[0]}\n",
        f"user:{item.turns[0]}\nassistant:A\nuser:{item.turns[1]}\n",
    ]
    assert (result.progress.planned, result.progress.done) == (2, 2)
    metrics = {one.metric for one in queries.item_scores(store, [result.evaluation])}
    assert metrics == {"strict", "format", "lenient"}


def test_failures_are_counted_kept_and_owed_again(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = [letter(n) for n in range(4)]
    plain = ShortAnswer("t")
    result = run(store, items, ScriptedEngine(failing=frozenset({"問2"})), protocol=plain)
    row = queries.evaluations(store)[0]
    assert (row.state, row.planned, row.done, row.failed) == ("complete", 4, 3, 1)
    failed = [one for one in queries.answers(store, result.evaluation) if one.error]
    assert [(one.item, one.error, one.scores) for one in failed] == [("t/002", "too long", {})]
    engine = ScriptedEngine()
    run(store, items, engine, protocol=plain)
    assert len(engine.asked) == 1
    row = queries.evaluations(store)[0]
    assert (row.state, row.done, row.failed) == ("complete", 4, 0)


def test_a_larger_set_reuses_what_a_smaller_one_answered(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = [letter(n) for n in range(6)]
    first = run(store, items[:2], ScriptedEngine())
    second = run(store, items, ScriptedEngine())
    assert second.progress.reused == 4
    assert second.evaluation != first.evaluation


def test_another_protocol_scores_stored_answers_without_an_engine(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    items = [letter(n) for n in range(3)]
    run(store, items, ScriptedEngine(), protocol=ShortAnswer("t"))
    renamed = ShortAnswer("t", version=2)
    result = evaluate(CHECKPOINT, renamed, items, store=store, render=render, open_engine=refused)
    assert result.progress.reused == 3
    scores = queries.item_scores(store, [result.evaluation])
    assert len({one.item_hash for one in scores if one.metric == "strict"}) == 3


def test_samples_have_seeds_of_their_own_and_greedy_has_none(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    run(tmp_path / "a.duckdb", [letter(1), letter(2)], engine, samples=3, protocol=ShortAnswer("t"))
    assert len({request.sampling.seed for request in engine.asked}) == 6
    assert {request.sampling.temperature for request in engine.asked} == {0.7}
    greedy = ScriptedEngine()
    run(tmp_path / "b.duckdb", [letter(1)], greedy, seed=7, protocol=ShortAnswer("t"))
    assert [request.sampling.seed for request in greedy.asked] == [None]


def test_requests_reach_the_engine_in_prefix_order(tmp_path: Path) -> None:
    items = [letter(n) for n in random.Random(3).sample(range(100), 40)]
    engine = ScriptedEngine()
    seen: list[str] = []
    take = engine.generate

    def watch(queue: deque[Request]) -> Iterator[Generation]:
        seen.extend(str(request.prompt) for request in queue)
        return take(queue)

    engine.generate = watch  # type: ignore[method-assign]
    run(tmp_path / "results.duckdb", items, engine)
    assert seen == sorted(seen)
    assert len(seen) == 80


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "e" * 64},
        {"prompt": "別の書き方"},
        {"temperature": 0.5},
        {"sample": 1},
        {"item": letter(2)},
    ],
)
def test_the_content_key_sees_every_part(change: dict[str, Any]) -> None:
    ask = next(iter(ShortAnswer("t").requests([letter(1)], 1, 0)))
    base = evaluation.prepare_request(ask, CHECKPOINT, render).request.key
    checkpoint = replace(CHECKPOINT, fingerprint=change.get("fingerprint", "f" * 64))
    sampling = replace(ask.sampling, temperature=change.get("temperature", 0.0))
    other = replace(
        ask,
        item=change.get("item", ask.item),
        sample=change.get("sample", 0),
        sampling=sampling,
    )
    renderer = (
        (lambda messages: Rendered(change["prompt"], False)) if "prompt" in change else render
    )
    assert evaluation.prepare_request(other, checkpoint, renderer).request.key != base
    assert evaluation.prepare_request(ask, CHECKPOINT, render).request.key == base


def test_the_stored_prompt_and_settings_are_what_was_sent(tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    engine = ScriptedEngine()
    run(store, [letter(1)], engine, protocol=ShortAnswer("t"))
    with database.connect(store, read_only=True) as connection:
        row = connection.execute("SELECT prompt, sampling, engine FROM generations").fetchone()
    assert row is not None
    assert row[0] == engine.asked[0].prompt
    assert json.loads(row[1])["max_tokens"] == engine.asked[0].sampling.max_tokens
    assert row[2] == "scripted 1"
