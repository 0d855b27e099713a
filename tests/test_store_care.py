"""Backups, restored and salvaged stores, and what is promised without locks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import harness
from harness.errors import HarnessError
from harness.store import copying, database, salvage, write
from harness.store.database import connect
from tests.comparison_store import MadeScores, batch, by_item, keep


def made(step: int, items: int = 50, **more: Any) -> MadeScores:
    scores = {"strict": by_item([float(n % 3 == 0) for n in range(items)])}
    return MadeScores(f"run/{step}", scores, run="run", step=step, **more)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with connect(path, read_only=True) as connection:
        return connection.execute(query).fetchall()


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("evaluations", "requests", "generations", "scores", "items", "checkpoints")
    return {table: rows(path, f"FROM {table} ORDER BY ALL") for table in tables}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(harness, [str(one) for one in arguments], standalone_mode=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    keep(path, made(1), made(2))
    return path


def test_a_backup_has_what_was_spooled_and_is_restored(store: Path, tmp_path: Path) -> None:
    write.spool(store, batch(made(3)))
    backup = tmp_path / "backup.duckdb"
    copying.backup(store, backup)
    before = content(store)
    assert len(before["evaluations"]) == 3
    assert content(backup) == before
    store.unlink()
    assert copying.restore(backup, store) is None
    assert content(store) == before


def test_nothing_is_overwritten(store: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.duckdb"
    copying.backup(store, backup)
    with pytest.raises(HarnessError, match="there already"):
        copying.backup(store, backup)
    keep(store, made(3))
    with pytest.raises(HarnessError, match="--replace"):
        copying.restore(backup, store)
    assert len(content(store)["evaluations"]) == 3
    aside = copying.restore(backup, store, replace=True)
    assert aside is not None
    assert len(content(store)["evaluations"]) == 2
    assert len(content(aside)["evaluations"]) == 3


def test_what_was_spooled_after_a_backup_comes_into_the_restored_store(
    store: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.duckdb"
    copying.backup(store, backup)
    write.spool(store, batch(made(3)))
    copying.restore(backup, store, replace=True)
    write.ingest(store)
    assert len(content(store)["evaluations"]) == 3


@pytest.mark.parametrize("damage", ["text", "half", "other"])
def test_what_is_no_whole_store_is_not_restored(store: Path, tmp_path: Path, damage: str) -> None:
    source = tmp_path / "backup.duckdb"
    copying.backup(store, source)
    if damage == "text":
        source.write_text("not a database")
    elif damage == "half":
        source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    else:
        source.unlink()
        with duckdb.connect(str(source)) as connection:
            connection.execute("CREATE TABLE cats (name VARCHAR)")
    before = store.read_bytes()
    with pytest.raises(HarnessError):
        copying.restore(source, store, replace=True)
    assert store.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [
        source.name,
        store.name,
    ]


WRITER = """
import sys
from pathlib import Path
from harness.store import write
from tests.test_store_care import batch, made
store, count = Path(sys.argv[1]), int(sys.argv[2])
for step in range(100, 100 + count):
    write.spool(store, batch(made(step)))
    write.ingest(store)
"""


def test_backups_and_compactions_while_others_write_lose_nothing(
    store: Path, tmp_path: Path
) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(store), "8"]) for _ in range(2)]
    taken = 0
    while any(writer.poll() is None for writer in writers):
        copying.compact(store)
        copying.backup(store, tmp_path / f"backup-{taken}.duckdb")
        taken += 1
        time.sleep(0.1)
    assert [writer.wait() for writer in writers] == [0, 0]
    write.ingest(store)
    assert len(content(store)["evaluations"]) == 2 + 8
    assert salvage.check(store).faults == ()
    for number in range(taken):
        assert salvage.check(tmp_path / f"backup-{number}.duckdb").faults == ()


def test_the_commands(store: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.duckdb"
    assert "rows" in run("store", "backup", backup, "--store", store).output
    assert "MB → " in run("store", "compact", "--store", store).output
    whole = run("store", "check", "--store", store)
    assert (whole.return_value, "none lost; 0 batches" in whole.output) == (0, True)
    assert "restored" in run("store", "restore", backup, "--replace", "--store", store).output
    assert "name a new file" in str(run("store", "backup", backup, "--store", store).exception)


def test_check_finds_what_contradicts(store: Path) -> None:
    with connect(store) as connection:
        connection.execute("INSERT INTO generations SELECT * FROM generations LIMIT 1")
        connection.execute(
            "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests LIMIT 1)"
        )
        connection.execute(
            "UPDATE scores SET fingerprint = 'other' WHERE rowid = (SELECT max(rowid) FROM scores)"
        )
    found = run("store", "check", "--store", store)
    assert found.return_value == 1
    assert "generations: 1 keys stand more than once" in found.output
    assert "that are complete do not have the rows they say" in found.output
    assert "scores: 1 rows name another checkpoint" in found.output


def test_salvage_saves_all_but_the_damaged_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    keep(path, made(1))
    with connect(path) as connection:
        # Real keys do not compress, so that the table has blocks to damage.
        connection.execute(
            "INSERT INTO generations SELECT g.* REPLACE (sha256('k' || i) AS key, "
            "sha256('t' || i) || sha256('u' || i) AS text) "
            "FROM range(150000) t(i), (FROM generations LIMIT 1) g"
        )
        connection.execute(
            "INSERT INTO requests SELECT sha256('e'), sha256('k' || i), 'item', 0, 0, 'answer' "
            "FROM range(150000) t(i)"
        )
        connection.execute(
            "INSERT INTO evaluations SELECT e.* REPLACE (sha256('e') AS id, 150000 AS planned, "
            "150000 AS done) FROM evaluations e"
        )
        connection.execute(
            "INSERT INTO scores SELECT sha256('k' || i), 'p', 'strict', 1.0, NULL, fingerprint "
            "FROM range(150000) t(i), (SELECT fingerprint FROM evaluations LIMIT 1)"
        )
    write.spool(path, batch(made(2)))
    damaged = bytearray(path.read_bytes())
    at = _place_of_text(path)
    damaged[at : at + 100] = bytes(random.Random(1).randbytes(100))
    path.write_bytes(bytes(damaged))

    found = run("store", "check", "--store", path)
    assert found.return_value == 1
    assert "generations: " in found.output
    assert "rows cannot be read" in found.output
    with pytest.raises(HarnessError, match="harness store salvage"):
        rows(path, "SELECT max(text) FROM generations")

    target = tmp_path / "saved.duckdb"
    saved = run("store", "salvage", target, "--store", path)
    assert saved.exception is None
    tables = {one.name: one for one in salvage.check(target).tables}
    kept = tables["generations"].rows
    assert 0 < kept < 150_100
    assert f"{150_050 - (kept - 50):,} of generations" in saved.output
    health = salvage.check(target)
    assert health.faults == ()
    assert tables["scores"].rows == kept
    # The evaluation owes again; the small one and the one that was only spooled are complete.
    assert sorted(rows(target, "SELECT state FROM evaluations")) == [
        ("complete",),
        ("complete",),
        ("running",),
    ]
    aside = copying.restore(target, path, replace=True)
    assert aside is not None
    write.ingest(path)
    assert salvage.check(path).faults == ()


def _place_of_text(path: Path) -> int:
    """Where in the file a block of answers lies, not of the first ones."""
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute(
            "SELECT block_id FROM pragma_storage_info('generations') WHERE block_id >= 0 "
            "GROUP BY block_id HAVING bool_and(column_name = 'text') AND min(row_group_id) > 0 "
            "ORDER BY block_id LIMIT 1"
        ).fetchone()
    assert row is not None
    # Three headers of 4 KiB stand before the blocks of 256 KiB.
    return 3 * 4096 + int(row[0]) * 262_144 + 100_000


def test_a_store_of_which_nothing_can_be_read(store: Path, tmp_path: Path) -> None:
    store.write_bytes(b"\x00" * 100_000)
    found = run("store", "salvage", tmp_path / "saved.duckdb", "--store", store)
    assert isinstance(found.exception, HarnessError)
    assert "nothing of it can be read" in str(found.exception)
    assert not (tmp_path / "saved.duckdb").exists()


def test_threads_that_read_and_write_at_once_wait_for_each_other(store: Path) -> None:
    faults: list[BaseException] = []

    def work(read_only: bool) -> None:
        try:
            for _ in range(20):
                with connect(store, read_only=read_only) as connection:
                    connection.execute("SELECT count(*) FROM generations").fetchone()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_who_waits_for_a_compaction_does_not_give_up(store: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from harness.store import database\n"
            "path = Path(sys.argv[1])\n"
            "with database.housekeeping(path), database.connect(path):\n"
            "    print('held', flush=True); time.sleep(2)",
            str(store),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert database.is_kept_busy(store)
    with connect(store, wait=0.1) as connection:
        assert connection.execute("SELECT count(*) FROM evaluations").fetchone() == (2,)
    holder.wait()
    assert not database.is_kept_busy(store)


def hold(store: Path, seconds: float, *, module: bool = False) -> subprocess.Popen[bytes]:
    """A process that keeps the store open: any program, or one called as `python -m harness` is."""
    code = (
        "import sys, time, duckdb\n"
        "held = duckdb.connect(sys.argv[-2])\n"
        "print('held', flush=True); time.sleep(float(sys.argv[-1]))"
    )
    how: list[str | Path] = ["-c", code]
    if module:
        script = store.parent / "bin" / "harness"
        script.parent.mkdir()
        script.write_text(code, encoding="utf-8")
        how = [script]
    holder = subprocess.Popen(
        [sys.executable, *how, str(store), str(seconds)], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_who_waits_for_a_harness_command_does_not_give_up(store: Path) -> None:
    holder = hold(store, 1.5, module=True)
    with connect(store, wait=0.05) as connection:
        assert connection.execute("SELECT count(*) FROM evaluations").fetchone() == (2,)
    holder.wait()


def test_who_waits_for_a_stopped_command_gives_up(store: Path) -> None:
    holder = hold(store, 60, module=True)
    holder.send_signal(signal.SIGSTOP)
    try:
        with (
            pytest.raises(HarnessError, match=f"by process {holder.pid}"),
            connect(store, wait=0.2),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()


@pytest.mark.parametrize("what", ["other holders", "one that writes"])
def test_who_waits_while_others_get_on_does_not_give_up(
    what: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try takes longer than anybody waits for one holder that does nothing."""
    tries = iter(range(1, 6))
    opened = duckdb.connect

    def connecting(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.06)
        number = next(tries, None)
        if number is None:
            return opened(*arguments, **options)
        pid = 900_000
        if what == "other holders":
            pid += number
        else:
            os.utime(store, ns=(number, number))
        raise duckdb.IOException(f"Could not set lock: conflicting lock is held (PID {pid})")

    monkeypatch.setattr(duckdb, "connect", connecting)
    with connect(store, wait=0.05) as connection:
        assert connection.execute("SELECT count(*) FROM evaluations").fetchone() == (2,)
    assert next(tries, None) is None


def test_a_note_of_a_killed_process_holds_nobody_up(store: Path) -> None:
    (store.parent / (store.name + ".busy")).touch()
    assert not database.is_kept_busy(store)


def test_a_store_that_was_swapped_while_it_was_opened_is_opened_again(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced after DuckDB has opened the old one and before it has its lock."""
    other = tmp_path / "other.duckdb"
    keep(other, made(1), made(2), made(3))
    real = duckdb.connect

    def swap_then_connect(*arguments: Any, **named: Any) -> Any:
        connection = real(*arguments, **named)
        if other.exists():
            other.replace(store)
        return connection

    monkeypatch.setattr(database.duckdb, "connect", swap_then_connect)
    with connect(store) as connection:
        assert connection.execute("SELECT count(*) FROM evaluations").fetchone() == (3,)


WITHOUT_LOCKS = """
import errno, fcntl, sys
import pyseccomp
denied = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
error = pyseccomp.ERRNO(getattr(errno, sys.argv[1]))
for command in (fcntl.F_SETLK, fcntl.F_SETLKW):
    denied.add_rule(error, "fcntl", pyseccomp.Arg(1, pyseccomp.EQ, command))
denied.add_rule(error, "flock")
denied.load()
sys.argv = ["harness", *sys.argv[2:]]
from harness.cli.main import main
main()
"""


@pytest.mark.parametrize("error", ["ENOLCK", "EOPNOTSUPP"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_system_without_locks_is_named_at_once(
    store: Path, error: str, is_there: bool
) -> None:
    """The calls that lock files fail as they do on such a mount: by a filter of system calls."""
    pytest.importorskip("pyseccomp")
    before = store.read_bytes()
    if not is_there:
        store.unlink()
    arguments = ["eval", "openai:http://127.0.0.1:9/v1#m", "--suite", "basics"]
    arguments = ["store", "compact"] if is_there else arguments
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, error, *arguments, "--store", str(store)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in done.stderr or "libseccomp" in done.stderr:
        pytest.skip("no filter of system calls here")
    assert done.returncode == 3, done.stderr
    assert "its file system refuses locks" in done.stderr
    assert "Traceback" not in done.stderr
    if is_there:
        assert store.read_bytes() == before


def test_a_damaged_spooled_batch_holds_nobody_up(store: Path) -> None:
    for step in (3, 4, 5):
        write.spool(store, batch(made(step)))
    broken = write.pending(store)[1]
    file = broken / "generations.parquet"
    file.write_bytes(file.read_bytes()[:100])
    found = run("store", "check", "--store", store)
    assert (found.return_value, f"{broken}: cannot be read" in found.output) == (1, True)
    write.ingest(store)
    assert write.pending(store) == []
    assert len(content(store)["evaluations"]) == 4
    found = run("store", "check", "--store", store)
    assert (found.return_value, "set aside" in found.output) == (1, True)
