"""SIGKILL of a real `harness eval` with a judge: no judgment is lost, none is paid for twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store import database, write
from tests.judge_server import JudgeServer, judge_server
from tests.test_mt_bench_cli import board, eval_arguments, evalset, judged_by

__all__ = ["evalset"]


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as running:
        yield running


def judged_contents(store: Path) -> set[str]:
    """What the judge was shown, of every judgment that is durable."""
    database.prepare(store)
    write.ingest(store)
    with database.connect(store, read_only=True) as connection:
        rows = connection.execute("SELECT messages FROM judgments WHERE value = 7").fetchall()
    return {json.dumps(json.loads(row[0]), ensure_ascii=False) for row in rows}


def test_killed_and_resumed_no_judgment_is_lost_and_none_paid_for_twice(
    server: JudgeServer,
    evalset: Path,
    tmp_path: Path,
) -> None:
    store = tmp_path / "r.duckdb"
    server.pause = 0.15
    options = [*judged_by(server), "--judge-concurrency", "2", "--quiet"]
    command = [sys.executable, "-m", "harness", *eval_arguments(server, evalset, store, *options)]
    chance = random.Random(3)
    kept: set[str] = set()
    kills = 0
    while kills < 3:
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        target = len(server.paid) + 4 + chance.randrange(4)
        while len(server.paid) < min(target, 30) and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        time.sleep(0.3)  # replies in flight reach the closed connection
        kept = judged_contents(store)
        # All that had been delivered is durable, but what was in flight or on its way to the disk.
        assert len(set(server.paid) - kept) <= 4 * kills
    assert kills >= 2
    books = Counter(server.paid)
    assert subprocess.run(command, check=False).returncode == 0
    for content in kept:
        assert server.paid[content] == books[content]  # asked no more once it was kept
    assert sum(server.paid.values()) - len(server.paid) <= 4 * kills
    assert judged_contents(store) == set(server.paid)
    (row,) = board(store)
    assert (row["judged"], row["unjudged"], row["state"]) == (30, 0, "complete")
