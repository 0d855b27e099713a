"""Names and texts of strangers act neither on the terminal nor on a table's markup."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.comparison_store import MadeItem, MadeScores, keep

# Sets the window's title, clears the screen, turns the text around; and is broken markup for rich.
HOSTILE = "[/x]\x1b]0;own\x07\x1b[2J\u202e[bold]赤\r"
ITEMS = [
    MadeItem(f"{HOSTILE}{number}", "math", f"d{HOSTILE}", skill=f"s{HOSTILE}", question=HOSTILE)
    for number in range(12)
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "s.duckdb"
    for step, right in ((1, 10), (2, 2), (3, 3)):
        values: dict[MadeItem, Sequence[float | None]] = {
            item: [float(place < right)] for place, item in enumerate(ITEMS)
        }
        keep(
            path,
            MadeScores(
                f"run{HOSTILE}/step_{step}",
                {"strict": values, "format": values, "lenient": values},
                run=f"run{HOSTILE}",
                step=step,
                suite=f"made{HOSTILE}",
                answers=dict.fromkeys(ITEMS, HOSTILE),
                failures=dict.fromkeys(ITEMS, f"f{HOSTILE}"),
                engine=HOSTILE,
            ),
        )
    return path


def call(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0), "".join(capfd.readouterr())


RUN = f"run{HOSTILE}"
COMMANDS = [
    (),
    ("leaderboard",),
    ("leaderboard", "--overview"),
    ("show", f"{RUN}/step_1"),
    ("show", f"{RUN}/step_1", "--wrong", "--limit", "3"),
    ("show", f"absent{HOSTILE}"),
    ("format", f"{RUN}/step_1"),
    ("compare", f"{RUN}/step_1", f"{RUN}/step_2"),
    ("regressions", RUN),
    ("regressions",),
    ("gaps", f"{RUN}/step_2", "--target", f"{RUN}/step_1"),
    ("score",),
    ("sql", "SELECT * FROM generations LIMIT 2"),
    ("sql", f"SELECT '{HOSTILE}"),
    ("arena", "play", f"{RUN}/step_1", f"{RUN}/step_2"),
    ("arena", "ratings"),
    ("eval", f"absent{HOSTILE}"),
    ("export", "card", RUN),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda given: " ".join(given[:2])[:20])
@pytest.mark.parametrize("form", [(), ("--json",), ("--markdown",), ("--csv",)])
def test_names_do_not_act(
    store: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    form: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_STORE", str(store))
    status, shown = call(capfd, *arguments, *form)
    assert status != 70, shown
    for sign in ("\x1b", "\x07", "\u202e"):
        if form not in (("--json",), ("--csv",)):
            assert sign not in shown
