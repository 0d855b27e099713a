"""SIGKILL at random instants of a real `harness eval`: the rows equal an uninterrupted run's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.store import database

COMMAND = [sys.executable, "-m", "harness", "eval"]


def start(checkpoint: Path, store: Path) -> subprocess.Popen[bytes]:
    options = ["--suite", "probes,basics", "--limit", "120", "--engine", "transformers", "--quiet"]
    return subprocess.Popen(
        [*COMMAND, str(checkpoint), *options, "--store", str(store)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def complete(checkpoint: Path, store: Path) -> float:
    """Runs the command to its end; returns the seconds it took."""
    began = time.monotonic()
    process = start(checkpoint, store)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return time.monotonic() - began


def content(store: Path) -> list[tuple[Any, ...]]:
    with database.connect(store, read_only=True) as connection:
        return connection.execute(
            "SELECT e.id, e.state, e.planned, e.done, e.failed, e.failures, r.key, r.item_hash, "
            "r.kind, g.text, g.finish_reason, g.completion_tokens, s.metric, s.value, s.failure "
            "FROM evaluations e JOIN requests r ON r.evaluation = e.id "
            "LEFT JOIN generations g USING (key) "
            "LEFT JOIN scores s ON s.key = r.key AND s.protocol_hash = e.protocol_hash "
            "ORDER BY ALL"
        ).fetchall()


def doubled(store: Path) -> int:
    with database.connect(store, read_only=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) - count(DISTINCT key) FROM generations) + "
            "(SELECT count(*) - count(DISTINCT (key, protocol_hash, metric)) FROM scores) + "
            "(SELECT count(*) - count(DISTINCT (evaluation, key)) FROM requests)"
        ).fetchone()
    assert row is not None
    return int(row[0])


def kill_and_resume(checkpoint: Path, folder: Path, kills: int) -> None:
    whole = folder / "whole.duckdb"
    seconds = complete(checkpoint, whole)
    reference = content(whole)
    assert {row[1] for row in reference} == {"complete"}
    instants = random.Random(20)
    landed, attempt = 0, 0
    while landed < kills:
        store = folder / f"killed-{attempt}.duckdb"
        attempt += 1
        while landed < kills:
            process = start(checkpoint, store)
            try:
                process.communicate(timeout=instants.uniform(0.0, seconds))
                break  # It was faster than the kill: compare, and begin a new store.
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                landed += 1
        complete(checkpoint, store)
        assert content(store) == reference
        assert doubled(store) == 0


def test_a_few_kills(tiny_checkpoint: Path, tmp_path: Path) -> None:
    kill_and_resume(tiny_checkpoint, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills(tiny_checkpoint: Path, tmp_path: Path) -> None:
    kill_and_resume(tiny_checkpoint, tmp_path, 20)
