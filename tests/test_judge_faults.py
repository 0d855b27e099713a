"""A judge that fails in every way over real HTTP: no judgment is lost, none is paid for twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines.types import Message, Request
from harness.errors import HarnessError
from harness.items.schema import FormatRule, Item
from harness.judge.budget import Budget, Price
from harness.judge.calls import ServedJudge
from harness.judge.judging import Judging
from harness.judge.prompts import load_prompts
from harness.judge.types import SAMPLING, JudgeProgress
from harness.store import database, write
from tests.judge_server import JudgeServer, judge_server

ITEM = Item(
    "mt/1",
    "writing",
    ("手紙を書いてください。", "短くしてください。"),
    "",
    FormatRule("free"),
    "judge",
)
COUNT = 24


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "r.duckdb"
    database.prepare(path)
    return path


def judge(server: JudgeServer, **more: Any) -> ServedJudge:
    settings: dict[str, Any] = {"concurrency": 4, "timeout": 10.0, "backoff": 0.01, "tries": 6}
    return ServedJudge(server.url, "judge-1", **(settings | more))


def run(store: Path, one: ServedJudge, count: int = COUNT, **more: Any) -> JudgeProgress:
    judging = Judging(store, one, load_prompts(), **more)
    for number in range(count):
        turns = ("拝啓。", "敬具。")[: 1 + number % 2]
        judging.offer(
            "evaluation", f"answer {number}", ITEM, (*turns[:-1], f"{number}番の回答"), False
        )
    try:
        return judging.close()
    finally:
        one.close()


def rows(store: Path) -> list[tuple[Any, ...]]:
    with database.connect(store, read_only=True) as connection:
        return connection.execute(
            "SELECT d.answer, g.value, g.failure, g.attempt, g.text, g.error FROM judged d "
            "JOIN judgments g USING (key) ORDER BY ALL"
        ).fetchall()


def assert_whole(store: Path, server: JudgeServer) -> None:
    """Every answer has exactly one rating, and no content was delivered twice."""
    found = rows(store)
    assert Counter(row[0] for row in found) == Counter(f"answer {n}" for n in range(COUNT))
    assert {row[1] for row in found} == {7.0}
    assert set(server.paid.values()) == {1}
    assert len(server.paid) == COUNT


def test_every_answer_is_judged_once_and_a_repeat_costs_nothing(
    store: Path, server: JudgeServer
) -> None:
    first = run(store, judge(server))
    assert (first.wanted, first.asked, first.reused, first.left) == (COUNT, COUNT, 0, 0)
    assert_whole(store, server)
    again = run(store, judge(server))
    assert (again.wanted, again.asked, again.reused) == (COUNT, 0, COUNT)
    assert_whole(store, server)
    assert server.most_at_once <= 4


@pytest.mark.parametrize("fault", ["429", "500", "empty", "malformed", "hollow", "cut"])
def test_a_fault_that_passes_costs_a_try_and_no_judgment(
    store: Path, server: JudgeServer, fault: str
) -> None:
    server.plan = lambda number, body: fault if number % 3 == 0 else None
    result = run(store, judge(server, tries=8))
    assert (result.asked, result.left, dict(result.failures)) == (COUNT, 0, {})
    assert_whole(store, server)


def test_faults_of_all_kinds_at_random(store: Path, server: JudgeServer) -> None:
    chance = random.Random(5)
    kinds = ["429", "500", "empty", "malformed", "hollow", "cut", None, None, None, None]
    server.plan = lambda number, body: chance.choice(kinds)
    for _ in range(20):
        if run(store, judge(server, tries=3)).failures == {} and len(server.paid) == COUNT:
            break
    assert_whole(store, server)


def test_a_slow_reply_is_waited_for(store: Path, server: JudgeServer) -> None:
    server.seconds_slow = 0.4
    server.plan = lambda number, body: "slow" if number % 8 == 0 else None
    assert dict(run(store, judge(server)).failures) == {}
    assert_whole(store, server)


def test_a_reply_beyond_the_time_limit_is_a_failed_request_and_owed_again(
    store: Path, server: JudgeServer
) -> None:
    server.seconds_slow = 0.6
    server.plan = lambda number, body: "slow"
    result = run(store, judge(server, tries=2, timeout=0.1, concurrency=2), 2)
    assert dict(result.failures) == {"request": 2}
    assert all("tries" in row[5] for row in rows(store))
    server.plan = lambda number, body: None
    assert run(store, judge(server), 2).asked == 2
    assert [row[1:4] for row in rows(store)] == [(7.0, None, 0)] * 2


def test_a_server_that_is_killed_midway_loses_nothing(store: Path) -> None:
    with judge_server() as first:
        port = first.server_address[1]
        one = judge(first, tries=2, concurrency=1)
        stop = COUNT // 2

        def plan(number: int, body: dict[str, Any]) -> str | None:
            return None if number < stop else "cut"

        first.plan = plan
        broken = run(store, one)
        paid = Counter(first.paid)
    assert broken.asked + broken.left == COUNT
    assert broken.left > 0  # it was not asked for the rest once it had failed often enough
    assert broken.fault is not None
    assert "in a row failed" in broken.fault
    assert len(paid) == stop
    with judge_server(port) as second:
        second.paid = paid
        result = run(store, judge(second))
        assert result.reused == stop
        assert_whole(store, second)


def test_no_server_at_all_is_told_in_a_sentence(store: Path, server: JudgeServer) -> None:
    gone = judge(server)
    with pytest.raises(HarnessError, match="no server answers"):
        ServedJudge("http://127.0.0.1:9/v1", timeout=2.0)
    gone.close()


def test_a_rejected_key_stops_the_judging(store: Path, server: JudgeServer) -> None:
    server.plan = lambda number, body: "key"
    result = run(store, judge(server, concurrency=1))
    assert result.fault is not None
    assert "rejects the key" in result.fault
    assert (result.asked, result.left) == (0, COUNT)
    assert len(server.bodies) == 1


def test_unreadable_verdicts_are_rows_and_asked_again_only_when_told(
    store: Path, server: JudgeServer
) -> None:
    server.reply = lambda body: "評価できません。"
    result = run(store, judge(server))
    assert dict(result.failures) == {"no rating": COUNT}
    assert {row[1:5] for row in rows(store)} == {(None, "no rating", 0, "評価できません。")}
    server.reply = lambda body: "よい。\n評価：[[7]]"
    assert run(store, judge(server)).asked == 0
    assert run(store, judge(server), rejudge_failed=True).asked == COUNT
    # Both attempts are kept, and a further run has nothing to ask.
    assert Counter(row[1:4] for row in rows(store)) == {
        (None, "no rating", 0): COUNT,
        (7.0, None, 1): COUNT,
    }
    assert run(store, judge(server), rejudge_failed=True).asked == 0


def test_equal_content_is_asked_once_and_every_answer_has_its_judgment(
    store: Path, server: JudgeServer
) -> None:
    server.pause = 0.05
    judging = Judging(store, one := judge(server), load_prompts(), repeats=2)
    for number in range(10):
        judging.offer("evaluation", f"answer {number}", ITEM, ("同じ回答",), False)
    result = judging.close()
    one.close()
    assert result.wanted == 20
    assert result.asked == 2  # one for each repeat
    assert result.reused == 18
    assert Counter(row[0] for row in rows(store)) == {f"answer {n}": 2 for n in range(10)}


def test_equal_content_that_cannot_be_read_is_asked_again_once(
    store: Path, server: JudgeServer
) -> None:
    server.reply = lambda body: "評価できません。"
    for again in (False, True):
        one = judge(server, concurrency=1)
        judging = Judging(store, one, load_prompts(), rejudge_failed=again)
        for number in range(5):
            judging.offer("evaluation", f"answer {number}", ITEM, ("同じ回答",), False)
        assert judging.close().asked == 1
        one.close()
    assert list(server.paid.values()) == [2]


def test_the_budget_is_never_passed_and_what_is_left_is_asked_later(
    store: Path, server: JudgeServer
) -> None:
    price = Price(1000.0, 1000.0)
    most = price.most(Request("k", (Message("user", "あ" * 3000),), SAMPLING))
    limit = most * 1.5
    result = run(store, judge(server), budget=Budget(limit, price))
    assert 0 < result.asked < COUNT
    assert result.left == COUNT - result.asked
    assert result.cost is not None
    assert result.cost <= limit
    assert sum(row[1] == 7.0 for row in rows(store)) == result.asked
    rest = run(store, judge(server), budget=Budget(None, price))
    assert rest.reused == result.asked
    assert_whole(store, server)


def test_structure_where_the_server_has_it_and_words_where_not(
    store: Path, server: JudgeServer
) -> None:
    server.reply = lambda body: '{"explanation": "よい", "rating": 7}'
    assert dict(run(store, judge(server)).failures) == {}
    assert all(body["response_format"]["type"] == "json_schema" for body in server.bodies)
    assert_whole(store, server)


def test_words_where_the_server_has_no_structure(store: Path, server: JudgeServer) -> None:
    server.plan = lambda number, body: "structure" if "response_format" in body else None
    assert dict(run(store, judge(server)).failures) == {}
    assert_whole(store, server)
    # What was asked in words is found again before structure is tried.
    before = len(server.bodies)
    assert run(store, judge(server)).reused == COUNT
    assert len(server.bodies) == before


def test_a_pace_is_kept(store: Path, server: JudgeServer) -> None:
    import time

    started = time.monotonic()
    run(store, judge(server, per_minute=1200), 10)
    assert time.monotonic() - started >= 9 * 60 / 1200 - 0.02


def test_another_prompt_or_judge_is_another_judgment(store: Path, server: JudgeServer) -> None:
    run(store, judge(server), 2)
    one = judge(server)
    one.name = "judge-2"
    assert run(store, one, 2).asked == 2
    prompts = load_prompts()
    changed = {key: replace(prompt, limit=9_999) for key, prompt in prompts.prompts.items()}
    judging = Judging(store, one := judge(server), replace(prompts, prompts=changed))
    judging.offer("evaluation", "answer 0", ITEM, ("0番の回答",), False)
    assert judging.close().asked == 1
    one.close()


def test_a_server_that_counts_no_tokens_cannot_pass_the_budget(
    store: Path, server: JudgeServer
) -> None:
    server.counts_tokens = False
    price = Price(1000.0, 1000.0)
    limit = 3 * price.most(Request("k", (Message("user", "あ" * 3000),), SAMPLING))
    result = run(store, judge(server), budget=Budget(limit, price))
    assert 0 < result.asked < COUNT
    assert result.cost is not None
    assert limit / 2 < result.cost <= limit
    assert len(server.bodies) == result.asked


def test_an_interrupt_keeps_what_is_in_flight_and_asks_no_more(
    store: Path, server: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pause = 0.1
    one = judge(server, concurrency=2)
    judging = Judging(store, one, load_prompts())
    for number in range(COUNT):
        judging.offer("evaluation", f"answer {number}", ITEM, (f"{number}番の回答",), False)
    shutdown = judging._calls.shutdown

    def interrupted(**how: bool) -> None:
        monkeypatch.setattr(judging._calls, "shutdown", shutdown)
        raise KeyboardInterrupt

    monkeypatch.setattr(judging._calls, "shutdown", interrupted)
    with pytest.raises(KeyboardInterrupt):
        judging.close()
    one.close()
    database.prepare(store)
    write.ingest(store)
    kept = rows(store)
    assert len(kept) == sum(server.paid.values()) < COUNT
