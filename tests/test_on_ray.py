"""`--on ray`: the rows and the samples are those of a local run, also when a node is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from harness.engines.ray import RayCluster
from harness.errors import HarnessError
from harness.store.write import spool_directory
from tests.ray_cluster import Nodes, ray_cluster
from tests.synthesis_generators import in_catalogue, open_screen
from tests.test_kill import content, doubled
from tests.test_synthesis_teacher import PLAN, contents
from training.synthesis.asking import Asking
from training.synthesis.journal import Journal
from training.synthesis.lineage import Round
from training.synthesis.run import Settings, synthesize
from training.synthesis.teachers import open_teacher

pytest.importorskip("ray", reason="Ray is not installed: pip install 'harness[ray]'")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_cluster() as found:
        found.add()
        yield found


def start(checkpoint: Path, store: Path, *options: str) -> subprocess.Popen[bytes]:
    command = ["eval", str(checkpoint), "--suite", "probes,basics", "--limit", "100", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *command, "--store", str(store), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    said, errors = process.communicate(timeout=1500)
    assert process.returncode == 0, errors.decode()
    assert said == b""


def evaluate(
    nodes: Nodes, checkpoint: Path, folder: Path, engine: str, *, kill: bool
) -> tuple[Path, Path]:
    """A local run's store, and that of one on two nodes, of which one is killed in the middle."""
    here, spread = folder / "here.duckdb", folder / "spread.duckdb"
    finish(start(checkpoint, here, "--engine", engine))
    doomed = nodes.add()
    place = ["--on", f"ray:{nodes.address}", "--replicas", "2", "--engine", engine]
    process = start(checkpoint, spread, *place)
    answers = "*/generations.parquet"  # spooled: the first batch is durable
    while kill and process.poll() is None and not any(spool_directory(spread).glob(answers)):
        time.sleep(0.02)
    if kill:
        assert process.poll() is None, "the evaluation ended before a node could be killed"
        nodes.kill(doomed)
    finish(process)
    if not kill:
        nodes.kill(doomed)
    return here, spread


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_rows_are_those_of_a_local_run_when_a_node_is_killed(
    nodes: Nodes, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    here, spread = evaluate(nodes, tiny_checkpoint, tmp_path, "transformers", kill=True)
    assert content(spread) == content(here)
    assert doubled(spread) == 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_replicas_of_vllm_give_the_rows_of_one(
    nodes: Nodes, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("vllm")
    here, spread = evaluate(nodes, tiny_checkpoint, tmp_path, "vllm", kill=False)
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
