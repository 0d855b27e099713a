"""`harness watch`: what counts as complete, what is asked, what is told, and what a kill costs."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from harness.checkpoint import Checkpoint, Lineage, write_lineage
from harness.engines.types import Generation, Request
from harness.errors import HarnessError
from harness.evaluate import evaluate
from harness.items import FormatRule, Item
from harness.items.schema import content_hash
from harness.protocols.catalogue import Suite
from harness.protocols.short_answer import ShortAnswer
from harness.protocols.types import Protocol
from harness.store.database import prepare
from harness.store.regressions import regressions, set_status
from harness.store.watched import watched
from harness.watch import one_pass
from harness.watching.judging import Watch
from harness.watching.notify import post, run_command
from harness.watching.screening import Policy
from harness.watching.settled import complete_checkpoints
from tests.test_evaluate import render

GENRES = ("reasoning", "math")
RULE = FormatRule("choice", labels=("A", "B", "C", "D"))
ITEMS = tuple(
    Item(f"{genre}/{number:03d}", genre, (f"{genre}の問{number}。",), "A", RULE, "exact")
    for number in range(50)
    for genre in GENRES
)


def add(run: Path, source: Path, step: int, mixture: dict[str, float] | None = None) -> Path:
    """A complete checkpoint of a step: the source's files, and weights of its own."""
    target = run / f"step_{step:06d}"
    draft = run / f".draft_{step}"
    shutil.copytree(source, draft)
    weights = load_file(draft / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"] + np.float32(step / 1e6)
    save_file(weights, draft / "model.safetensors", metadata={"format": "pt"})
    write_lineage(draft, Lineage(run=run.name, step=step, mixture=mixture))
    draft.rename(target)
    return target


@dataclass
class Skilled:
    """Answers right at a rate that depends on step and genre; asked for the same, it answers the
    same."""

    skill: dict[int, dict[str, float]]
    asked: list[tuple[int, str, int]] = field(default_factory=list)
    step: int = 0
    name: str = "skilled"
    description: str = "skilled 1"

    def generate(self, queue: deque[Request]) -> Iterator[Generation]:
        while queue:
            request = queue.popleft()
            genre = next(genre for genre in GENRES if f"{genre}の" in str(request.prompt))
            self.asked.append((self.step, genre, request.sampling.seed or 0))
            luck = int(content_hash([request.key])[:8], 16) / 16**8
            right = luck < self.skill.get(self.step, {}).get(genre, 0.6)
            yield Generation(request.key, "A" if right else "B", "stop", 10, 1)

    def close(self) -> None:
        pass


def make_watch(
    run: Path, store: Path, engine: Skilled, told: list[Any] | None = None, **more: Any
) -> Watch:
    prepare(store)

    def ask(checkpoint: Checkpoint, protocol: Protocol, items: Any, samples: int) -> str:
        engine.step = checkpoint.step or 0
        return evaluate(
            checkpoint,
            protocol,
            items,
            store=store,
            render=render,
            open_engine=lambda: engine,
            samples=samples,
        ).evaluation

    return Watch(
        run,
        (Suite(ShortAnswer("t"), ITEMS),),
        store,
        more.pop("evaluate", ask),
        more.pop("policy", Policy(margin=0.1)),
        settle=more.pop("settle", 0.0),
        notify=None if told is None else told.append,
        **more,
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "tiger"
    directory.mkdir()
    return directory


def test_a_run_from_first_to_fixed(run: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    store = tmp_path / "results.duckdb"
    engine = Skilled({300: {"math": 0.1}, 400: {"math": 0.1}})
    told: list[Any] = []
    watch = make_watch(run, store, engine, told)
    for step in (100, 200):
        add(run, tiny_checkpoint, step, {"web": 1.0})
    done = one_pass(watch)
    assert [(one.step, one.verdict) for one in done.made] == [(100, "first"), (200, "good")]
    assert (done.run, done.exit_status, told) == ("tiger", 0, [])

    add(run, tiny_checkpoint, 300, {"web": 0.5, "chat": 0.5})
    done = one_pass(watch)
    assert [(one.step, one.verdict) for one in done.made] == [(300, "regressed")]
    assert done.exit_status == 1
    (row,) = regressions(store, status=["open"])
    assert (row.genre, row.baseline_step, row.step) == ("math", 200, 300)
    assert -0.7 < row.evidence["change"] < -0.3
    assert {one["kind"] for one in row.cause} == {"entered", "share"}
    (message,) = told
    assert message["verdict"] == "regressed"
    assert "math" in message["text"]

    # It lasts: nothing new is told, and the row stays one.
    add(run, tiny_checkpoint, 400)
    done = one_pass(watch)
    assert [one.verdict for one in done.made] == ["regressed"]
    assert (done.exit_status, len(told), len(regressions(store))) == (1, 1, 1)

    add(run, tiny_checkpoint, 500)
    done = one_pass(watch)
    assert done.exit_status == 0
    (row,) = regressions(store)
    assert (row.status, row.fixed_at_step) == ("fixed", 500)
    assert told[-1]["fixed"] == [row.id]
    assert one_pass(watch).made == ()


def test_what_changed_a_checkpoint_before_the_drop_is_suspected(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """A corpus may do its harm slowly: it enters at 300, and math is low only at 400."""
    store = tmp_path / "results.duckdb"
    watch = make_watch(run, store, Skilled({400: {"math": 0.1}}))
    web, both = {"web": 1.0}, {"web": 0.5, "chat": 0.5}
    for step, mixture in ((100, web), (200, web), (300, both), (400, both)):
        add(run, tiny_checkpoint, step, mixture)
        one_pass(watch)
    (row,) = regressions(store, status=["open"])
    assert (row.genre, row.baseline_step, row.step) == ("math", 300, 400)
    assert {(one["kind"], one["what"]) for one in row.cause} == {
        ("entered", "chat"),
        ("share", "web"),
    }
    assert {(one["since"], one["step"]) for one in row.cause} == {(200, 300)}


def test_an_acknowledged_level_becomes_the_baseline(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    store = tmp_path / "results.duckdb"
    skill = {step: {"math": 0.1} for step in (300, 400, 500)}
    watch = make_watch(run, store, Skilled(skill))
    for step in (100, 200, 300):
        add(run, tiny_checkpoint, step)
        one_pass(watch)
    (row,) = regressions(store)
    set_status(store, [row.id], "acknowledged")
    assert one_pass(watch).exit_status == 0
    add(run, tiny_checkpoint, 400)
    done = one_pass(watch)
    assert [one.verdict for one in done.made] == ["good"]
    assert done.made[0].evidence["baseline_steps"] == {
        "t/math": [300],
        "t/reasoning": [100, 200, 300],
    }


def test_one_sample_first_and_fresh_ones_only_where_it_is_low(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    engine = Skilled({300: {"math": 0.1}})
    watch = make_watch(run, tmp_path / "results.duckdb", engine)
    add(run, tiny_checkpoint, 100)
    one_pass(watch)
    assert len(engine.asked) == 100 * 9
    engine.asked.clear()
    add(run, tiny_checkpoint, 300)
    one_pass(watch)
    by_genre = {genre: [one for one in engine.asked if one[1] == genre] for genre in GENRES}
    assert len(by_genre["math"]) == 50 * 9
    assert len({seed for _, _, seed in by_genre["math"]}) == 50 * 9
    assert len(by_genre["reasoning"]) == 50


def test_the_newest_first_and_the_rest_later(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    watch = make_watch(run, tmp_path / "results.duckdb", Skilled({}))
    for step in (100, 200, 300, 400, 500, 600):
        add(run, tiny_checkpoint, step)
    done = one_pass(watch)
    assert [one.step for one in done.made] == [100, 600, 200, 300, 400, 500]
    assert {one.verdict for one in done.made} <= {"first", "good", "inconclusive"}
    pools = done.made[-1].evidence["baseline_steps"]
    assert pools["t/reasoning"] == [100, 200, 300, 400]


def test_a_half_written_checkpoint_is_never_asked(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    engine = Skilled({})
    watch = make_watch(run, tmp_path / "results.duckdb", engine)
    whole = add(run, tiny_checkpoint, 100)
    weights = (whole / "model.safetensors").read_bytes()
    (whole / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    add(run, tiny_checkpoint, 200)
    (run / "step_000200" / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    (run / "step_000300").mkdir()
    done = one_pass(watch)
    assert done.made == ()
    assert engine.asked == []
    assert len(done.waiting) == 3
    assert any("cut off" in reason for reason in done.waiting.values())
    assert done.exit_status == 0
    (whole / "model.safetensors").write_bytes(weights)
    (tmp_path / "tokenizer.json").rename(run / "step_000200" / "tokenizer.json")
    assert [one.step for one in one_pass(watch).made] == [100, 200]


def test_files_that_still_change_are_waited_for(run: Path, tiny_checkpoint: Path) -> None:
    directory = add(run, tiny_checkpoint, 100)
    add(run, tiny_checkpoint, 200)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        (directory / "trainer_state.json").write_text(json.dumps({"global_step": 100}))

    found, waiting = complete_checkpoints(run, settle=3600.0, sleep=sleep)
    assert [one.step for one in found] == [200]
    assert waiting == {directory.resolve(): "it is still being written"}
    assert waits == [3600.0]
    # Long at rest: no wait at all.
    found, waiting = complete_checkpoints(run, settle=0.0, sleep=lambda seconds: 1 / 0)
    assert (len(found), waiting) == (2, {})


def test_a_checkpoint_that_changes_while_it_is_asked_is_asked_again(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    store = tmp_path / "results.duckdb"
    plain = make_watch(run, store, Skilled({}))
    directory = add(run, tiny_checkpoint, 100)
    calls = []

    def ask(*arguments: Any) -> str:
        if not calls:
            (directory / "notes.txt").write_text("moved under our feet")
        calls.append(arguments)
        return plain.evaluate(*arguments)

    done = one_pass(replace(plain, evaluate=ask))
    assert [one.verdict for one in done.made] == ["first"]
    assert len(calls) == 2


def test_one_bad_checkpoint_does_not_stop_the_others(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    plain = make_watch(run, tmp_path / "results.duckdb", Skilled({}))

    def ask(checkpoint: Checkpoint, *rest: Any) -> str:
        if checkpoint.step == 300:
            raise HarnessError("the engine cannot load it")
        return plain.evaluate(checkpoint, *rest)

    for step in (100, 200, 300):
        add(run, tiny_checkpoint, step)
    done = one_pass(replace(plain, evaluate=ask))
    assert [one.step for one in done.made] == [100, 200]
    assert done.faults == ("tiger/step_000300: the engine cannot load it",)


def test_a_suite_without_strict_scores_is_refused(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    watch = make_watch(
        run, tmp_path / "results.duckdb", Skilled({}), evaluate=lambda *_: "nothing was scored"
    )
    add(run, tiny_checkpoint, 100)
    done = one_pass(watch)
    assert done.made == ()
    assert "judges suites that are scored without a judge" in done.faults[0]


# --- messages ------------------------------------------------------------------------------------


class _Server:
    """A webhook that answers with the given statuses in turn, then with 200."""

    def __init__(self, *statuses: int) -> None:
        left = list(statuses)
        self.bodies: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = left.pop(0) if left else 200
                if status == 200:
                    outer.bodies.append(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_webhook_that_fails_first_is_told_in_the_end() -> None:
    server = _Server(503, 500, 429)
    try:
        post(server.url, {"text": "回帰"}, longest=0.01)
        assert server.bodies == [{"text": "回帰"}]
    finally:
        server.close()


def test_a_webhook_that_refuses_is_not_asked_again() -> None:
    server = _Server(404, 404)
    try:
        with pytest.raises(HarnessError, match="nobody took the message"):
            post(server.url, {}, longest=0.01)
        assert server.bodies == []
    finally:
        server.close()


def test_a_message_that_nobody_took_is_owed(
    run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    store = tmp_path / "results.duckdb"
    watch = make_watch(run, store, Skilled({200: {"math": 0.0}}), [])
    server = _Server()
    server.close()
    log: list[str] = []
    away = replace(
        watch, notify=lambda body: post(server.url, body, attempts=2, longest=0.01), log=log.append
    )
    add(run, tiny_checkpoint, 100)
    add(run, tiny_checkpoint, 200)
    assert one_pass(away).exit_status == 1
    assert any("nobody took the message" in line for line in log)
    assert [one.notified_at for one in watched(store, "tiger", watch.policy_hash)][-1] is None
    back = _Server(500)
    try:
        there = replace(watch, notify=lambda body: post(back.url, body, longest=0.01))
        assert one_pass(there).made == ()
        assert [body["verdict"] for body in back.bodies] == ["regressed"]
        one_pass(there)
        assert len(back.bodies) == 1
    finally:
        back.close()


def test_a_command_gets_the_message_and_its_failure_is_told(tmp_path: Path) -> None:
    out = tmp_path / "message.json"
    script = (
        f'{sys.executable} -c \'import sys; open("{out}", "wb").write(sys.stdin.buffer.read())\''
    )
    run_command(script, {"text": "回帰"})
    assert json.loads(out.read_text()) == {"text": "回帰"}
    with pytest.raises(HarnessError, match="exit status 3"):
        run_command(f"{sys.executable} -c 'raise SystemExit(3)'", {})
    with pytest.raises(HarnessError, match="correct it"):
        run_command("/no/such/program", {})


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such directory"):
        complete_checkpoints(tmp_path / "nowhere")
