"""`--on ray`: rows, judgments and samples are those of a local run, also when a node is killed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from harness.engines.ray import RayCluster
from harness.errors import HarnessError
from harness.gaps.plan import Line, Plan
from harness.gaps.plan_file import write_plan
from harness.store import database
from harness.store.write import spool_directory
from tests.conftest import make_checkpoint
from tests.ray_cluster import Nodes, ray_apart, ray_cluster
from tests.synthesis_generators import in_catalogue, open_screen
from tests.test_kill import content, doubled
from tests.test_synthesis_teacher import PLAN, contents
from training.synthesis.asking import Asking
from training.synthesis.journal import Journal
from training.synthesis.lineage import Round, read_round
from training.synthesis.pair_round import pairs_home
from training.synthesis.run import Settings, round_home, synthesize
from training.synthesis.teachers import open_teacher

pytest.importorskip("ray", reason="Ray is not installed: pip install 'harness[ray]'")
pytestmark = pytest.mark.timeout(1800)  # what takes two minutes takes five on a busy machine

# The command line, with the generators of the tests.
COMMAND = (
    "from harness.cli.main import main\n"
    "from tests.synthesis_generators import in_catalogue\n"
    "with in_catalogue():\n"
    "    main()\n"
)
EVALUATE = ("--suite", "probes,basics", "--limit", "200", "--quiet", "--store")
JUDGED = 40


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_cluster() as found:
        found.add()
        yield found


@contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a command that succeeded has printed, and told of what went wrong meanwhile."""
    said, told = process.communicate(timeout=1200)
    assert process.returncode == 0, told
    return said, told


def run(*arguments: str | Path) -> str:
    """What a command has printed."""
    with started(*arguments) as process:
        return finish(process)[0]


def run_and_kill(
    nodes: Nodes, *arguments: str | Path, begun: Callable[[], bool] = lambda: True
) -> str:
    """Runs a command on all nodes and another one, which is killed while it answers, once it has
    `begun`; returns what was printed."""
    doomed = nodes.add()
    replicas = str(len(nodes.cluster.worker_nodes))
    place = ("--on", f"ray:{nodes.address}", "--replicas", replicas)
    try:
        with started(*arguments, *place) as process:
            for condition in (begun, partial(nodes.answers, doomed)):
                while not condition():
                    assert process.poll() is None, f"it ended early: {process.communicate()}"
                    time.sleep(0.01)
            nodes.kill(doomed)
            said, told = finish(process)
    finally:
        if doomed in nodes.cluster.worker_nodes:
            nodes.kill(doomed)
    assert "a replica was lost, its requests go to the others" in told
    return said


@pytest.fixture
def second(nodes: Nodes) -> Iterator[None]:
    """Another node, for the time of a test."""
    node = nodes.add()
    yield
    nodes.kill(node)


@pytest.mark.slow
def test_rows_are_those_of_a_local_run_when_a_node_is_killed(
    nodes: Nodes, second: None, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    here, spread = tmp_path / "here.duckdb", tmp_path / "spread.duckdb"
    command = ("eval", tiny_checkpoint, "--engine", "transformers", *EVALUATE)
    assert run(*command, here) == ""

    def begun() -> bool:
        """Answers are durable."""
        return any(spool_directory(spread).glob("*/generations.parquet"))

    assert run_and_kill(nodes, *command, spread, begun=begun) == ""
    assert content(spread) == content(here)
    assert doubled(spread) == 0


@pytest.mark.slow
def test_replicas_of_vllm_give_the_rows_of_one_when_a_node_is_killed(
    nodes: Nodes, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("vllm")
    here, spread = tmp_path / "here.duckdb", tmp_path / "spread.duckdb"
    command = ("eval", tiny_checkpoint, "--engine", "vllm", *EVALUATE)
    run(*command, here)
    assert run_and_kill(nodes, *command, spread) == ""
    assert content(spread) == content(here)
    assert doubled(spread) == 0


def open_questions(folder: Path) -> Path:
    """An evalset of questions of one turn, which only a judge can rate."""
    folder.mkdir()
    head = "---\nname: open\nversion: 1\nlicence: CC0\nmade-by: test\nreviewed: no\n---\n"
    (folder / "card.md").write_text(head, encoding="utf-8")
    items = [
        {
            "id": f"open/{number:02}",
            "genre": "writing",
            "turns": [f"{number}月の文章を世界の人に。"],
            "answer": "",
            "format": {"kind": "free"},
            "metric": "judge",
        }
        for number in range(JUDGED)
    ]
    lines = [json.dumps(one, ensure_ascii=False) for one in items]
    (folder / "items.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def judgments(store: Path) -> list[tuple[Any, ...]]:
    with database.connect(store, read_only=True) as connection:
        return connection.execute(
            "SELECT d.evaluation, d.answer, d.repeat, j.key, j.attempt, j.judge, j.messages, "
            "j.text, j.value, j.failure, j.prompt_tokens, j.completion_tokens "
            "FROM judged d JOIN judgments j USING (key) ORDER BY ALL"
        ).fetchall()


@pytest.mark.slow
def test_judgments_are_those_of_a_local_judge_when_a_node_is_killed(
    nodes: Nodes, tmp_path: Path
) -> None:
    judge = make_checkpoint(tmp_path / "judge", context=4096, seed=2)
    here, spread = tmp_path / "here.duckdb", tmp_path / "spread.duckdb"
    suite = open_questions(tmp_path / "open")
    short = make_checkpoint(tmp_path / "short", context=128)
    command = ("eval", short, "--engine", "transformers", "--suite", suite, "--quiet")
    run(*command, "--store", here)
    shutil.copy(here, spread)
    judged = (*command, "--judge", judge, "--judge-tokens", "128", "--no-canary", "--store")
    run(*judged, here)
    assert run_and_kill(nodes, *judged, spread) == ""
    assert judgments(spread) == judgments(here)
    assert len(judgments(here)) == JUDGED
    assert content(spread) == content(here)


def replies(output: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(output / "replies.sqlite") as journal:
        return journal.execute("SELECT * FROM replies ORDER BY key").fetchall()


@pytest.mark.slow
def test_samples_are_those_of_a_local_teacher_when_a_node_is_killed(
    nodes: Nodes, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    lines = tuple(Line("stem", skill, None, 500, generator="retold") for skill in ("物理", "化学"))
    plan = Plan("demo", "0" * 64, "", "uniform", 1, 3, lines)
    write_plan(tmp_path / "plan.yaml", plan)
    here, spread = tmp_path / "here", tmp_path / "spread"
    teacher = ("--teacher", tiny_checkpoint, "--teacher-engine", "transformers")
    command = ("synthesize", tmp_path / "plan.yaml", *teacher, "--attempts", "1", "--output")
    run(*command, here)
    run_and_kill(nodes, *command, spread)
    assert len(replies(here)) == 1000
    assert replies(spread) == replies(here)
    made = read_round(round_home(here, plan))
    assert made.lineage["counts"]["kept"] > 500
    assert contents(read_round(round_home(spread, plan))) == contents(made)


@pytest.mark.slow
def test_pairs_are_those_of_a_local_student_and_judge(
    nodes: Nodes, second: None, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """Both are asked side by side, each by its part of the cluster."""
    judge = make_checkpoint(tmp_path / "judge", context=4096, seed=2)
    questions = tmp_path / "questions.jsonl"
    asked = [{"question": f"{number}年の日本の文章を考えてください。"} for number in range(4)]
    questions.write_text("\n".join(json.dumps(one) for one in asked), encoding="utf-8")
    settings = {"questions": str(questions), "samples": "3", "tokens": "32"}
    line = Line("writing", "", None, 2, generator="pairs", settings=settings)
    plan = Plan("demo", "0" * 64, "", "uniform", 1, 3, (line,))
    write_plan(tmp_path / "plan.yaml", plan)
    here, spread = tmp_path / "here", tmp_path / "spread"
    asked_of = ("--student", tiny_checkpoint, "--judge", judge, "--engine", "transformers")
    command = ("synthesize", "pairs", tmp_path / "plan.yaml", *asked_of, "--attempts", "2")
    run(*command, "--output", here)
    run(*command, "--output", spread, "--on", f"ray:{nodes.address}")
    assert len({row[1] for row in replies(here)}) == 2
    assert replies(spread) == replies(here)
    made = read_round(pairs_home(here, plan))
    assert contents(read_round(pairs_home(spread, plan))) == contents(made)


@pytest.mark.slow
def test_one_machine_needs_no_cluster(tiny_checkpoint: Path, tmp_path: Path) -> None:
    here, spread = tmp_path / "here.duckdb", tmp_path / "spread.duckdb"
    command = ("eval", tiny_checkpoint, "--engine", "transformers", *EVALUATE)
    run(*command, here)
    with ray_apart():
        assert run(*command, spread, "--on", "ray") == ""
    assert content(spread) == content(here)


def test_a_round_is_that_of_a_local_teacher(
    nodes: Nodes, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    def made(output: Path, cluster: RayCluster | None) -> Round:
        teacher = open_teacher(str(tiny_checkpoint), engine="transformers", cluster=cluster)
        journal = Journal(output / "replies.sqlite")
        try:
            one = Asking(teacher, journal, "r")
            return synthesize(PLAN, output, open_screen, Settings(attempts=1), one)
        finally:
            teacher.close()
            journal.close()

    with in_catalogue():
        here = made(tmp_path / "here", None)
        spread = made(tmp_path / "spread", RayCluster(nodes.address, 1, patience=240))
    assert here.lineage["counts"]["tried"] > 20
    assert contents(spread) == contents(here)
    assert spread.lineage["counts"] == here.lineage["counts"]


def test_options_that_do_not_go_together(tiny_checkpoint: Path, tmp_path: Path) -> None:
    def told(*arguments: str) -> str:
        store = ["--store", str(tmp_path / "s.duckdb")]
        done = CliRunner().invoke(harness, [*arguments, *store])
        assert isinstance(done.exception, HarnessError)
        return str(done.exception)

    checkpoint = str(tiny_checkpoint)
    assert told("eval", checkpoint, "--replicas", "2").endswith("add --on ray")
    assert "--on moon: expected ray" in told("eval", checkpoint, "--on", "moon")
    write_plan(plan := tmp_path / "plan.yaml", PLAN)
    pairs = ("synthesize", "pairs", str(plan), "--student", checkpoint)
    assert told(*pairs, "--replica-gpus", "2").endswith("add --on ray")
