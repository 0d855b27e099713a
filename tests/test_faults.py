"""Faults of the machine at the command line: one line that says what is wrong and what mends it."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.cli.machine_faults import machine_fault
from harness.errors import HarnessError
from harness.store import database, queries, write
from tests.judge_server import judge_server
from tests.test_store import rows

ROOT = Path(__file__).parents[1]


def command(
    *arguments: str, cwd: Path, before: Callable[[], None] | None = None, **more: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
        **more,
    )


def told(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The exit status, and the lines of standard error."""
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors.splitlines()


def small_files() -> None:
    """No file of this process grows beyond 16 KiB: to a program, a disk without room."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))


def no_record_locks() -> None:
    """The kernel answers this process's requests for record locks as a mount without them does."""
    import pyseccomp

    made = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for request in (fcntl.F_SETLK, fcntl.F_SETLKW):
        asked = pyseccomp.Arg(1, pyseccomp.EQ, request)
        made.add_rule(pyseccomp.ERRNO(errno.ENOLCK), "fcntl", asked)
    made.load()


def test_a_file_system_without_locks_is_one_line(tmp_path: Path) -> None:
    try:
        import pyseccomp  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"no filter of system calls to refuse locks with: {error}")
    store = tmp_path / "s.duckdb"
    database.prepare(store)
    before = store.read_bytes()
    for arguments in (("leaderboard",), ("sql", "FROM items"), ("store", "check")):
        status, lines = told(
            command(*arguments, "--store", str(store), cwd=tmp_path, before=no_record_locks)
        )
        assert status == 3
        (line,) = lines
        assert f"{store}: its file system refuses locks" in line
        assert line.endswith("(--store, or HARNESS_STORE)")
    assert store.read_bytes() == before


def test_a_store_that_cannot_grow_is_one_line(tmp_path: Path) -> None:
    """DuckDB's own files need more than that at once."""
    with judge_server() as server:
        status, lines = told(
            command(
                *("eval", f"openai:{server.url}#model-1", "--suite", "if-ja", "--limit", "8"),
                *("--quiet", "--store", "s.duckdb"),
                cwd=tmp_path,
                before=small_files,
            )
        )
    assert status == 3, lines
    (line,) = [one for one in lines if one.startswith("error: ")]
    assert line == lines[-1]
    assert "File too large" in line
    assert not any("Traceback" in one for one in lines)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place that nobody can write")
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """/proc stands for a read-only disk: root may not write there either."""
    with pytest.raises(HarnessError) as caught:
        database.prepare(Path("/proc/s.duckdb"))
    assert "/proc/s.duckdb" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(HarnessError, match="cannot write results"):
        write.spool(Path("/proc/s.duckdb"), {"ingested": [{}], "checkpoints": [{}]})


def test_termination_commits_what_is_in_hand(tmp_path: Path) -> None:
    """SIGTERM, as a scheduler sends it before it kills: one line, nothing lost, goes on."""
    store = tmp_path / "s.duckdb"
    with judge_server() as server:
        server.pause = 0.3
        arguments = ("eval", f"openai:{server.url}#model-1", "--suite", "if-ja", "--quiet")
        options = ("--limit", "60", "--store", str(store))
        process = command(*arguments, *options, cwd=tmp_path)
        while len(server.bodies) < 24:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        status, lines = told(process)
        assert status == 128 + signal.SIGTERM, lines
        assert lines[-1] == "terminated (SIGTERM); repeat the command to go on"
        assert not any("Traceback" in one for one in lines)
        (kept,) = rows(store, "SELECT count(*) FROM generations")
        assert kept[0] > 0
        server.pause = 0.0
        status, lines = told(command(*arguments, *options, cwd=tmp_path))
        assert status == 0, lines
    assert rows(store, "SELECT state, planned = done FROM evaluations") == [("complete", True)]
    assert rows(store, "SELECT count(*) - count(DISTINCT key) FROM generations") == [(0,)]


def test_a_store_of_a_newer_harness_is_one_line(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    database.prepare(store)
    with duckdb.connect(str(store)) as connection:
        connection.execute("INSERT INTO harness_schema VALUES (99, now())")
    before = store.read_bytes()
    status, lines = told(command("leaderboard", "--store", str(store), cwd=tmp_path))
    assert status == 3
    (line,) = lines
    assert "schema version 99 was written by a newer harness" in line
    assert line.endswith("Upgrade harness, or name another file with --store")
    assert store.read_bytes() == before


def test_a_clock_that_is_set_back_does_not_bring_back_old_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later row of an evaluation wins, whatever the clock said when it was written."""
    from harness.store.write import spool
    from tests.comparison_store import MadeItem, MadeScores, batch

    store = tmp_path / "s.duckdb"
    database.prepare(store)
    made = batch(MadeScores("m", {"strict": {MadeItem("i"): [1.0]}}))
    (row,) = made["evaluations"]
    now = time.time_ns()
    for back, state in ((0, "running"), (3_600 * 10**9, "complete")):
        monkeypatch.setattr(time, "time_ns", lambda back=back: now - back)
        spool(store, {**made, "evaluations": [{**row, "state": state}]})
    monkeypatch.undo()
    write.ingest(store)
    assert [one.state for one in queries.evaluations(store)] == ["complete"]


def test_a_clock_that_jumps_ahead_loses_no_batch_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer whose clock is days ahead takes another's unfinished draft for a dead one's."""
    from tests.comparison_store import MadeItem, MadeScores, batch

    store = tmp_path / "s.duckdb"
    database.prepare(store)
    made = batch(MadeScores("m", {"strict": {MadeItem("i"): [1.0]}}))
    write.spool(store, batch(MadeScores("n", {"strict": {MadeItem("i"): [1.0]}})))
    now, really_written = time.time(), write._write_parquet

    def meanwhile(*arguments: Any) -> None:
        really_written(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now + 30 * 86_400)
            write.ingest(store)

    with monkeypatch.context() as patch:
        patch.setattr(write, "_write_parquet", meanwhile)
        with pytest.raises(HarnessError, match="cannot write results"):
            write.spool(store, made)
    assert [one.checkpoint for one in queries.evaluations(store)] == ["n"]
    write.spool(store, made)
    write.ingest(store)
    assert sorted(one.checkpoint for one in queries.evaluations(store)) == ["m", "n"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            OSError(28, "No space left on device", "/x/y"),
            "/x/y: No space left on device; make room",
        ),
        (OSError(30, "Read-only file system", "/x"), "/x: Read-only file system; name a place"),
        (OSError(37, "No locks available"), "No locks available; its file system has no locks"),
        (MemoryError(), "out of memory; end other programs"),
        (duckdb.IOException("IO Error: No space left on device\nmore"), "the store: IO Error: No"),
        (duckdb.OutOfMemoryException("failed to allocate"), "the store: failed to allocate; out"),
        (ValueError("a bug"), None),
        (duckdb.BinderException("a bug"), None),
        (OSError(2, "No such file", "/x"), None),
    ],
)
def test_faults_of_the_machine_are_told_from_bugs(error: Exception, says: str | None) -> None:
    found = machine_fault(error)
    if says is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith(says)
        assert "\n" not in found


def test_a_reader_that_has_enough_is_no_fault(tmp_path: Path) -> None:
    process = command("items", "probes", "--help", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors
    assert process.returncode in (0, 128 + signal.SIGPIPE)
