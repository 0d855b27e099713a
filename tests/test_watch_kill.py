"""SIGKILL at any instant of a real `harness watch`: its verdicts equal an uninterrupted one's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.store.database import connect
from tests.test_watch import add


def start(run: Path, store: Path) -> subprocess.Popen[bytes]:
    options = "--suite basics --limit 8 --samples 1 --engine transformers --once --settle 0"
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "watch", str(run), *options.split(), "--store", store],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def content(store: Path) -> list[tuple[Any, ...]]:
    """Verdicts and answers, without times. An evaluation's own row is recorded at its end."""
    with connect(store, read_only=True) as connection:
        judged = connection.execute(
            "SELECT run, step, fingerprint, policy_hash, number, verdict, is_anchor, evidence "
            "FROM watched ORDER BY ALL"
        ).fetchall()
        answers = connection.execute(
            "SELECT r.evaluation, r.key, r.sample, g.text, s.metric, s.value FROM requests r "
            "JOIN generations g USING (key) JOIN scores s USING (key) ORDER BY ALL"
        ).fetchall()
    return [*judged, *answers]


def test_kills_change_nothing(tiny_checkpoint: Path, tmp_path: Path) -> None:
    run = tmp_path / "tiger"
    run.mkdir()
    for step in (100, 200):
        add(run, tiny_checkpoint, step)
    (run / "step_000300").mkdir()
    whole = start(run, tmp_path / "whole.duckdb")
    output, errors = whole.communicate(timeout=120)
    assert whole.returncode in (0, 1, 2), errors.decode()
    assert "tiger/step_000100: first" in output.decode()
    assert "step_000300: not complete yet" in output.decode()
    reference = content(tmp_path / "whole.duckdb")
    store = tmp_path / "killed.duckdb"
    instants = random.Random(6)
    landed = 0
    while landed < 2:
        process = start(run, store)
        try:
            process.communicate(timeout=instants.uniform(3.0, 9.0))
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            landed += 1
    last = start(run, store)
    last.communicate(timeout=120)
    assert last.returncode == whole.returncode
    assert content(store) == reference
