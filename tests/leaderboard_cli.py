"""Runs `harness leaderboard` on a test's store in this process, for tests of what it prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main as entry

Run = Callable[..., tuple[int, str, str]]


def command(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """(exit status, stdout, stderr) of the command with some arguments, in `width` columns."""

    def run(*arguments: str, width: int = 120) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(
            "sys.argv", ["harness", "leaderboard", *arguments, "--store", str(store)]
        )
        with pytest.raises(SystemExit) as end:
            entry.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run
