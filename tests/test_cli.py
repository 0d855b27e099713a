"""The command line: instant help, one sentence per fault, tables for people and machines."""

from __future__ import annotations

import csv
import gc
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_evaluate import ScriptedEngine, letter, run

BUFFERED = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent.parent)}


def harness(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "COLUMNS": "140",
            "HOME": str(cwd or Path.home()),
        },
        timeout=120,
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    run(path, [letter(n) for n in range(8)], ScriptedEngine(failing=frozenset({"問3"})))
    return path


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom harness.cli.main import harness\n"
        "harness.main(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'vllm', 'transformers', 'duckdb', 'numpy', 'pyarrow', 'rich', 'scipy'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == ""
    assert done.returncode == 0
    assert "leaderboard" in done.stdout


def test_whoever_calls_main_gets_the_collector_back_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harness.cli.main import main

    before = gc.get_threshold()
    monkeypatch.setattr(sys, "argv", ["harness", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert gc.get_threshold() == before


def test_the_process_ends_with_its_status_and_all_that_was_said() -> None:
    script = (
        "import atexit, sys\nfrom harness.cli import main\n"
        "def command():\n    atexit.register(print, 'ended')\n    print('said' * 99999)\n"
        "    sys.exit(7)\n"
        "main.main = command\nmain.program()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 7
    assert done.stdout == "said" * 99999 + "\nended\n"
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_what_cannot_be_written_at_the_end_is_no_success() -> None:
    script = "from harness.cli import main\nmain.main = lambda: print('unwritten')\nmain.program()"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run([sys.executable, "-c", script], stdout=full, env=BUFFERED)
    assert done.returncode == 120


def test_a_bug_in_the_process_is_shown_and_is_no_success() -> None:
    script = "from harness.cli import main\nmain.main = lambda: 1 / 0\nmain.program()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_leaderboard_imports_neither_pandas_nor_models(store: Path) -> None:
    script = (
        "import sys\nfrom harness.cli.main import harness\n"
        f"harness.main(['leaderboard', '--store', {str(store)!r}], standalone_mode=False)\n"
        "heavy = {'torch', 'vllm', 'transformers', 'pandas', 'scipy.stats'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "t/harness-1" in done.stdout


def test_every_command_has_help() -> None:
    from harness.cli.main import COMMANDS

    for name in COMMANDS:
        done = harness(name, "--help")
        assert done.returncode == 0, done.stderr
        assert "Usage: " in done.stdout


def test_alone_it_shows_commands_and_the_store(tmp_path: Path, store: Path) -> None:
    empty = harness(cwd=tmp_path.parent)
    assert empty.returncode == 0
    assert "harness eval" in empty.stdout
    assert "No store yet" in empty.stdout
    full = harness(cwd=tmp_path)
    assert "1 evaluations" in full.stdout
    assert "run/step_1" in full.stdout


def test_faults_are_one_sentence_and_status_3(tmp_path: Path) -> None:
    for arguments, words in (
        (["leaderboard"], "no store here yet"),
        (["show", "nothing"], "no store here yet"),
        (["eval", "missing"], "missing"),
        (["eval", ".", "--suite", ","], "--suite is empty"),
        (["eval", ".", "--suite", "probes:7"], "levels are one digit"),
        (["eval", ".", "--suite", "nonesuch"], "nonesuch"),
        (["eval", ".", "--engine", "magic"], "magic"),
        (["eval"], "CHECKPOINT"),
        (["items", "check", "nonesuch"], "nonesuch"),
    ):
        done = harness(*arguments, cwd=tmp_path)
        assert done.returncode == 3, (arguments, done.stdout, done.stderr)
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_leaderboard_in_every_form(store: Path) -> None:
    table = harness("leaderboard", "--store", str(store))
    assert "run/step_1" in table.stdout
    assert "12% failed" in table.stdout  # one answer and its choice, of sixteen requests
    rows = json.loads(harness("leaderboard", "--store", str(store), "--json").stdout)
    assert rows[0]["score"] == 1.0
    assert rows[0]["failed"] == 2
    assert rows[0]["low"] < 1.0 == rows[0]["high"]
    text = harness("leaderboard", "--store", str(store), "--csv").stdout
    parsed = list(csv.DictReader(io.StringIO(text)))
    assert parsed[0]["checkpoint"] == "run/step_1"
    markdown = harness("leaderboard", "--store", str(store), "--markdown").stdout
    assert markdown.startswith("| suite |")


def test_show_filters(store: Path) -> None:
    everything = json.loads(harness("show", "run/step_1", "--store", str(store), "--json").stdout)
    assert len(everything) == 8
    wrong = json.loads(
        harness("show", "run/step_1", "--wrong", "--store", str(store), "--json").stdout
    )
    assert [row["error"] for row in wrong] == ["too long"]
    page = harness("show", "run/step_1", "--store", str(store), "--limit", "3")
    assert "planned 16 = done 14 + failed 2" in page.stdout
    assert "3 of 8 answers shown" in page.stdout


def test_show_takes_the_suite_asked_for(store: Path) -> None:
    found = harness("show", "run/step_1", "--suite", "t", "--store", str(store))
    assert "t/harness-1" in found.stdout
    missing = harness("show", "run/step_1", "--suite", "probes", "--store", str(store))
    assert missing.returncode == 3
    assert "run/step_1" in missing.stderr


def test_items_check_and_probes() -> None:
    checked = harness("items", "check", "basics")
    assert checked.returncode == 0, checked.stderr
    assert "209 items" in checked.stdout
    shown = json.loads(harness("items", "probes", "--levels", "1", "--json").stdout)
    assert {row["level"] for row in shown} == {1}


def test_progress_in_a_log_is_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from harness.evaluate import Progress
    from harness.report import progress

    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    written = io.StringIO()
    with progress.progress_bar(Console(file=written, width=100), "jaster") as report:
        report(Progress(200, 40, 90, 2, prompt_tokens=100, cached_tokens=50))
    assert "jaster: 92 of 200" in written.getvalue()
    assert "40 from the store, 50% prefix-cached, 2 failed" in written.getvalue()
