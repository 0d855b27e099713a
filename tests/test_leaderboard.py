"""`harness leaderboard` at every width: which rows, in which order, how names line up, and live."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from harness.errors import HarnessError
from harness.report.cells import Name, laid_out, shortened
from harness.report.choice import Choice, parse_since
from harness.report.live import progress, watch
from harness.store.running import running
from tests.comparison_store import MadeItem, MadeScores, by_item, keep, rate, strict
from tests.leaderboard_cli import Run, command

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Run r: step 2 has gained in math; model 日本語: worse; one suite more that only r/2 has."""

    def scores(math: list[float | None], stem: list[float | None]) -> dict[str, Any]:
        return {"strict": by_item(math, dataset="算数") | by_item(stem, "stem", dataset="理科")}

    path = tmp_path / "results.duckdb"
    keep(
        path,
        MadeScores("r/step_1", scores([0] * 24, [1] * 12 + [0] * 12), run="r", step=1),
        MadeScores("r/step_2", scores([1] * 24, [1] * 12 + [0] * 12), run="r", step=2, later=1),
        MadeScores("東京/日本語モデル", scores([0] * 24, [0] * 22 + [1] * 2), later=26),
        strict("r/step_2", [1] * 10 + [0] * 10, suite="other", run="r", step=2, later=1),
    )
    return path


@pytest.fixture
def leaderboard(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return command(store, monkeypatch, capsys)


def rows(run: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*arguments, "--json")[1])
    return found


def test_arrows_in_the_table_and_in_json(leaderboard: Run) -> None:
    wide = leaderboard(width=140)[1]
    line = next(line for line in wide.splitlines() if "r/step_2" in line)
    assert line.count("▲") == 2  # total and math, not stem
    assert "r/step_2 since step_1: ▲ total, math." in wide
    found = {(one["suite"], one["name"]): one for one in rows(leaderboard)}
    moved = found["made-up", "r/step_2"]["changes"]
    assert moved["against"] == "r/step_1"
    assert moved["math"]["direction"] == "up"
    assert moved["math"]["change"] == pytest.approx(1.0)
    assert moved["stem"]["direction"] is None
    assert found["made-up", "東京/日本語モデル"]["changes"] is None
    assert found["made-up", "r/step_2"]["aggregate"] == "genre-mean"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_columns_line_up_under_full_width_names(leaderboard: Run, width: int) -> None:
    for arguments in ((), ("--datasets",), ("--overview",), ("--checkpoints",)):
        table = leaderboard(*arguments, width=width)[1]
        assert max(map(cell_len, table.splitlines())) <= width
        assert "\n\n" in table
        lines = table.splitlines()
        top = next(n for n, line in enumerate(lines) if "95 %" in line)
        end = cell_len(lines[top][: lines[top].index("95 %") + 4])
        body = lines[top + 2 : next(n for n in range(top, len(lines)) if not lines[n].strip())]
        assert body
        for line in body:
            # Set to the right, so every interval ends where its heading does.
            shown = chop(line, end)
            assert cell_len(shown) == end
            assert shown[-1].isdigit()


def test_no_column_is_half_shown(leaderboard: Run) -> None:
    for width in range(30, 60, 7):
        for arguments in ((), ("--overview",), ("--datasets",)):
            lines = leaderboard(*arguments, width=width)[1].splitlines()
            top = next(line for line in lines if "checkpoint" in line)
            known = {"#", "checkpoint", "score", "95", "%", "genres", "steps", "suites"}
            known |= {"math", "stem", "算数", "理科", "suite-mean", "made-up", "other"}
            assert set(top.split()) <= known
            # A rule as long as the table is below the headings.
            assert cell_len(top) <= width


def chop(line: str, cells: int) -> str:
    shown = ""
    for character in line:
        if cell_len(shown + character) > cells:
            break
        shown += character
    return shown


def test_narrow_keeps_bars_and_wide_has_numbers(leaderboard: Run) -> None:
    narrow, wide = leaderboard(width=60)[1], leaderboard(width=140)[1]
    assert "Genres: math, stem." in narrow
    assert "Genres:" not in wide
    assert "█ 100" in wide


def test_datasets_are_columns_or_lines(leaderboard: Run) -> None:
    wide = leaderboard("--datasets", "--suite", "made-up", width=140)[1]
    assert "算数" in next(line for line in wide.splitlines() if "checkpoint" in line)
    narrow = leaderboard("--datasets", "--suite", "made-up", width=52)[1]
    lines = [line.split() for line in narrow.splitlines() if line.strip().startswith("算数")]
    assert [line[1] for line in lines] == ["100.0", "0.0"]
    found = rows(leaderboard, "--suite", "made-up")
    assert found[0]["datasets"] == {"math/算数": 1.0, "stem/理科": 0.5}
    assert "belong to no datasets" in leaderboard("--datasets", "--suite", "other")[1]


def test_order_leaves_ranks(leaderboard: Run) -> None:
    def order(*arguments: str) -> list[tuple[str, int]]:
        found = rows(leaderboard, "--suite", "made-up", *arguments)
        return [(one["name"], one["rank"]) for one in found]

    by_score = order("--group", "checkpoint")
    assert [name for name, _ in by_score] == ["r/step_2", "r/step_1", "東京/日本語モデル"]
    assert order("--checkpoints") == by_score
    ranks = dict(by_score)
    for sort, names in {
        "name": ["r/step_1", "r/step_2", "東京/日本語モデル"],
        "step": ["r/step_2", "r/step_1", "東京/日本語モデル"],
        "date": ["東京/日本語モデル", "r/step_2", "r/step_1"],
        "stem": ["r/step_2", "r/step_1", "東京/日本語モデル"],
    }.items():
        found = order("--checkpoints", "--sort", sort)
        assert [name for name, _ in found] == names, sort
        assert dict(found) == ranks
    status, _, error = leaderboard("--sort", "magic")
    assert status == 3
    assert "score, name, step, date, or a genre of these boards (math, stem)" in error


def test_filter_and_since(leaderboard: Run) -> None:
    def names(*arguments: str) -> list[str]:
        return [one["name"] for one in rows(leaderboard, *arguments)]

    assert names("--filter", "r") == ["r/step_2", "r/step_2"]
    assert names("--filter", "other") == ["r/step_2"]
    assert names("--filter", "東京/*", "--filter", "nobody") == ["東京/日本語モデル"]
    assert names("--since", "2026-01-02") == ["東京/日本語モデル"]
    assert names("--since", "2026-01-01T00:30") == ["r/step_2", "東京/日本語モデル", "r/step_2"]
    assert (
        "1 of 2 rows are shown; ranks are those among all of them."
        in (leaderboard("--since", "2026-01-02", width=100)[1])
    )
    nothing = " ".join(leaderboard("--filter", "nobody")[1].split())
    assert "that --since and --filter leave" in nothing
    assert rows(leaderboard, "--since", "2026-01-02")[0]["rank"] == 2
    status, _, error = leaderboard("--since", "soon")
    assert (status, "7d or 24h" in error) == (3, True)


def test_since_is_a_span_or_a_date() -> None:
    assert parse_since("7d", NOW) == NOW - timedelta(days=7)
    assert parse_since("90m", NOW) == NOW - timedelta(minutes=90)
    assert parse_since("2026-11-01", NOW) == datetime(2026, 11, 1, tzinfo=UTC)
    assert parse_since("2026-11-01T09:00+09:00", NOW) == datetime(2026, 11, 1, tzinfo=UTC)
    assert parse_since("999999999w", NOW) < datetime(2, 1, 1, tzinfo=UTC)
    for wrong in ("", "7", "d", "-7d", "7y", "yesterday"):
        with pytest.raises(HarnessError, match="--since"):
            parse_since(wrong, NOW)


def test_patterns_are_those_of_file_names() -> None:
    assert Choice(patterns=("a*", "r")).fits("b", None, "r")
    assert not Choice(patterns=("A*",)).fits("a1")
    assert Choice().fits(None)


@settings(deadline=None)
@given(st.text(alphabet="ab/日本語ｱ、", max_size=40), st.integers(1, 40))
def test_a_shortened_name_fits_and_keeps_both_ends(name: str, cells: int) -> None:
    found = shortened(name, cells)
    assert cell_len(found) <= cells
    if found != name:
        front, _, back = found.partition("…")
        assert name.startswith(front)
        assert name.endswith(back)


def test_a_name_keeps_its_step() -> None:
    name = "a-very-long-organisation/an-even-longer-run/step_001000"
    assert shortened(name, 24) == "a-very-long…/step_001000"
    assert shortened("日本語日本語日本語", 9) == "日本…本語"
    assert shortened("short", 24) == "short"


def test_only_names_give_way() -> None:
    table = laid_out("t", ["#", "checkpoint", "score"], [["1", Name("x" * 60), "12.5"]], 30)
    console = Console(width=30, file=io.StringIO(), color_system=None)
    with console.capture() as shown:
        console.print(table)
    line = next(line for line in shown.get().splitlines() if "12.5" in line)
    assert "…" in line
    assert line.rstrip().endswith("12.5")


def test_a_name_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "named.duckdb"
    name = "[red]a\x1b[31m\u202eb"
    values = {"strict": by_item([1] * 5, dataset="[bold]d")}
    keep(path, MadeScores(f"{name}/1", values, run=name, step=1, suite="[blue]s"))
    keep(path, MadeScores(f"{name}/2", values, run=name, step=2, suite="[blue]s", later=1))
    run = command(path, monkeypatch, capsys)
    for arguments in ((), ("--datasets",), ("--overview",), ("--live",)):
        shown = run(*arguments, width=140)[1]
        assert "[red]a‹U+001B›[31m‹U+202E›b/2" in shown
        assert "[blue]s" in shown
        assert "\x1b" not in shown
    assert "[bold]d" in run("--datasets", width=140)[1]


def test_csv_and_markdown(leaderboard: Run) -> None:
    parsed = list(csv.DictReader(io.StringIO(leaderboard("--csv")[1])))
    assert json.loads(parsed[0]["changes"])["all"]["direction"] == "up"
    assert leaderboard("--overview", "--markdown")[1].startswith("| rank | name |")


def test_overview_averages_what_every_row_has(leaderboard: Run) -> None:
    found = rows(leaderboard, "--overview")
    assert [one["name"] for one in found] == ["r/step_2", "東京/日本語モデル"]
    assert found[0]["counted"] == ["made-up"]  # the model was not asked `other`
    assert found[0]["score"] == pytest.approx(0.75)
    assert found[0]["suites"] == pytest.approx({"made-up": 0.75, "other": 0.5})
    assert [one["rank"] for one in found] == [1, 2]
    table = leaderboard("--overview", width=100)[1]
    assert "other is not counted: 東京/日本語モデル lacks it." in table
    alone = rows(leaderboard, "--overview", "--filter", "r")
    assert alone[0]["counted"] == ["made-up", "other"]
    assert alone[0]["score"] == pytest.approx((0.75 + 0.5) / 2)
    assert alone[0]["aggregate"] == "suite-mean"
    every = rows(leaderboard, "--overview", "--checkpoints", "--sort", "other")
    assert [one["name"] for one in every] == ["r/step_2", "r/step_1", "東京/日本語モデル"]
    assert leaderboard("--overview", "--all")[0] == 3


def test_overview_counts_ratings_by_ten_and_shows_the_arena(
    store: Path,
    leaderboard: Run,
) -> None:
    from harness.arena.types import Battle
    from harness.store import battles

    protocol = {"protocol": "mt-bench", "name": "harness-1", "lowest": 1, "evalset": "mt-bench-ja"}
    item = {MadeItem(str(n), "writing"): [0.0] for n in range(6)}
    made = MadeScores("r/step_2", {"length": item}, run="r", step=2, protocol=protocol, later=2)
    made = MadeScores(**{**vars(made), "suite": "mt-bench-ja"})
    keep(store, made)
    rate(store, made, "judge", "p", lambda item, repeat: 8.0)
    battles.add(
        store,
        [
            Battle(
                id=str(n),
                kind="people",
                model_a="r/step_2",
                model_b="東京/日本語モデル",
                outcome="a" if n % 4 else "b",
                prompt=str(n),
                source="s",
                sequence=n,
            )
            for n in range(24)
        ],
    )
    found = rows(leaderboard, "--overview", "--filter", "r")[0]
    assert found["suites"]["mt-bench-ja"] == pytest.approx(0.8)
    assert found["counted"] == ["made-up", "other", "mt-bench-ja"]
    assert found["score"] == pytest.approx((0.75 + 0.5 + 0.8) / 3)
    assert found["arena"]["arena"] > 1000
    table = leaderboard("--overview", width=140)[1]
    assert "(#1)" in table
    assert "arena" in leaderboard(width=100)[1].splitlines()[0]


def running_store(path: Path, state: str, later: int = 0) -> MadeScores:
    one = strict("r/step_9", [1] * 6, suite="live", run="r", step=9, state=state, later=later)
    keep(path, one)
    return one


def test_progress_counts_answers(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    one = running_store(path, "running")
    found = running(path)
    assert [(each.done, each.failed) for each in found] == [(6, 0)]
    assert running(path, ["another"]) == []
    assert found[0].evaluation.id == one.id
    console = Console(width=100, file=io.StringIO(), color_system=None)
    with console.capture() as shown:
        console.print(progress(found, 100, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)))
        console.print(progress(found, 100, datetime(2026, 1, 1, 1, tzinfo=UTC)))
    fresh, silent = (line for line in shown.get().splitlines() if "6 of 6  100%" in line)
    assert "no answer since" not in fresh
    assert "no answer since 00:00 UTC" in silent


def test_live_ends_with_the_last_evaluation(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    running_store(path, "running")
    out = io.StringIO()
    console = Console(width=80, file=out, force_terminal=True, color_system=None)
    waits: list[float] = []
    drawn: list[int] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            running_store(path, "complete")

    def draw() -> Text:
        drawn.append(1)
        return Text(f"board {len(drawn)}")

    watch(console, path, draw, every=3.0, sleep=sleep)
    assert waits == [3.0, 3.0]
    assert len(drawn) == 3  # twice live, once for good
    assert "6 of 6" in out.getvalue()
    assert out.getvalue().rstrip().endswith("board 3")


def test_live_stops_at_ctrl_c_and_looks_at_its_suites_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    running_store(path, "running")

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    def told(sleep: Callable[[float], None], *suites: str) -> str:
        out = io.StringIO()
        watch(Console(file=out), path, lambda: Text("board"), suites=suites, sleep=sleep)
        return out.getvalue()

    assert told(interrupt) == "r/step_9 live: 6 of 6 done\nboard\n"
    assert told(interrupt, "another") == "board\n"


def test_live_from_the_command_line(leaderboard: Run) -> None:
    status, out, _ = leaderboard("--live", "0.1")
    assert (status, "r/step_2" in out) == (0, True)
    assert leaderboard("--live", "--json")[0] == 3
