"""A run's log in the store, what is found in its curves, and the table of its health."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import harness
from harness.errors import HarnessError
from harness.import_training import import_training, read_log
from harness.report.training import summarise, training_health
from harness.statistics.training_health import gradient_anomalies, loss_spikes, plateau
from harness.store.database import prepare
from harness.store.training import LogLine, TrainingCurves, training_curves, training_runs
from training.training_log import append_line


def test_a_spike_by_hand() -> None:
    # Before step 21 the losses are 2.0, 2.1 and 2.2 in turn: median 2.1, median deviation 0.1, so
    # that 5.1 lies 3.0 / (1.4826 · 0.1) = 20.2 robust deviations above.
    losses = [2.0, 2.1, 2.2] * 7 + [5.1, 4.1, 2.0, 2.2]
    (spike,) = loss_spikes(range(len(losses)), losses)
    assert (spike.step, spike.last, spike.value) == (21, 22, 5.1)
    assert spike.expected == pytest.approx(2.1)
    assert spike.z == pytest.approx(3.0 / 0.14826)


def test_a_falling_loss_and_a_drop_are_no_spikes() -> None:
    draw = random.Random(0)
    falling = [8 * math.exp(-step / 100) + 2 + draw.gauss(0, 0.05) for step in range(400)]
    assert loss_spikes(range(400), falling) == []
    assert loss_spikes(range(40), [3.0] * 20 + [1.0] * 20) == []


def test_what_is_no_number_is_a_spike_at_once() -> None:
    (spike,) = loss_spikes([1, 2, 3], [2.0, math.nan, 2.0])
    assert (spike.step, spike.last, spike.value, spike.z) == (2, 2, math.inf, math.inf)


def test_gradients_are_looked_at_by_factors() -> None:
    draw = random.Random(1)
    norms = [math.exp(draw.gauss(0, 0.3)) for _ in range(100)]
    assert gradient_anomalies(range(100), norms) == []
    norms[60] = 60.0
    (found,) = gradient_anomalies(range(100), norms)
    assert (found.step, found.value) == (60, pytest.approx(60.0))
    assert 0.5 < found.expected < 2
    assert gradient_anomalies(range(20), [0.0] * 20) == []


def test_a_plateau_is_told_from_a_fall() -> None:
    draw = np.random.default_rng(0)
    steps = list(range(300))
    flat = plateau(steps, list(2 + draw.normal(0, 0.01, 300)))
    assert flat is not None
    assert (flat.since, flat.until) == (100, 299)
    assert flat.low < 0 < flat.high
    assert flat.level == pytest.approx(2, abs=0.01)
    assert plateau(steps, list(2 - 0.001 * np.arange(300) + draw.normal(0, 0.01, 300))) is None
    # So much noise that a fall may hide in it: nothing is sure.
    assert plateau(steps, list(2 + draw.normal(0, 2, 300))) is None
    assert plateau(steps[:19], [2.0] * 19) is None


noisy = st.lists(st.floats(0.9, 1.1), min_size=11, max_size=120)


@given(values=noisy, height=st.floats(10, 1000), place=st.integers(0, 200))
def test_a_jump_is_found_wherever_it_is(values: list[float], height: float, place: int) -> None:
    index = 10 + place % (len(values) - 10)
    values[index] = height
    found = loss_spikes(range(len(values)), values)
    assert [one for one in found if one.step <= index <= one.last]


@given(values=noisy, factor=st.floats(1e-3, 1e3), gap=st.integers(1, 50))
def test_neither_the_unit_nor_the_steps_between_matter(
    values: list[float], factor: float, gap: int
) -> None:
    values = [*values, 50.0]
    plain = loss_spikes(range(len(values)), values)
    scaled = loss_spikes(
        [step * gap for step in range(len(values))], [one * factor for one in values]
    )
    assert [(one.step * gap, one.last * gap) for one in plain] == [
        (one.step, one.last) for one in scaled
    ]


@given(values=noisy)
def test_what_comes_later_changes_no_verdict(values: list[float]) -> None:
    """A spike once told stays told: each point is held against earlier ones alone."""
    values = [*values, 50.0, *values]
    cut = len(values) // 2 + 1
    early = [one.step for one in loss_spikes(range(cut), values[:cut])]
    assert [one.step for one in loss_spikes(range(len(values)), values)][: len(early)] == early


def write_log(run: Path, lines: list[dict[str, Any]]) -> Path:
    run.mkdir(exist_ok=True)
    for line in lines:
        append_line(run, line)
    return run


def test_a_log_in_the_store(tmp_path: Path) -> None:
    run = write_log(
        tmp_path / "demo",
        [
            {"step": 1, "tokens_seen": 10, "loss": 3.0, "grad_norm": 1.0, "phase": "web"},
            {"step": 2, "tokens_seen": 20, "loss": 2.0, "mfu": None},
            {"step": 2, "genre_losses": {"math": 1.5}},
            {"step": 2, "genre_losses": {"writing": 2.5}, "event": "saved"},
        ],
    )
    store = tmp_path / "s.duckdb"
    assert import_training(run, store=store).new == 2
    curves = training_curves(store, "demo")
    assert curves.lines == (
        LogLine(1, 10, 3.0, 1.0, phase="web"),
        LogLine(2, 20, 2.0, event="saved"),
    )
    assert curves.genre_losses == {"math": ((2, 1.5),), "writing": ((2, 2.5),)}
    assert import_training(run, store=store).new == 0
    write_log(run, [{"step": 3, "loss": 1.0}])
    assert import_training(run, store=store).new == 1
    assert training_runs(store) == {"demo": 3}


def test_a_resumed_or_rolled_back_run_takes_lines_back(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    run = write_log(tmp_path / "r", [{"step": s, "loss": 5.0 - s} for s in (1, 2, 3, 4)])
    write_log(run, [{"step": 4, "genre_losses": {"math": 9.0}}])
    import_training(run, store=store)
    write_log(run, [{"step": 3, "loss": 0.5}])
    result = import_training(run, store=store)
    assert (result.lines, result.new) == (3, 1)
    curves = training_curves(store, "r")
    assert [(line.step, line.loss) for line in curves.lines] == [(1, 4.0), (2, 3.0), (3, 0.5)]
    assert curves.genre_losses == {}


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.floats(0, 10), st.booleans()), min_size=1, max_size=30
    )
)
def test_the_last_word_on_each_step_counts(entries: list[tuple[int, float, bool]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for step, loss, has_genre in entries:
            more = {"genre_losses": {"math": loss}} if has_genre else {}
            append_line(Path(folder), {"step": step, "loss": loss, **more})
        curves, torn = read_log(Path(folder) / "training_log.jsonl", "r")
    expected: dict[int, float] = {}
    for step, loss, _ in entries:
        expected = {one: value for one, value in expected.items() if one < step} | {step: loss}
    assert torn == 0
    assert {line.step: line.loss for line in curves.lines} == expected
    assert {step for step, _ in curves.genre_losses.get("math", ())} <= set(expected)


def test_torn_lines_are_passed_over_and_wrong_ones_told(tmp_path: Path) -> None:
    run = write_log(tmp_path / "r", [{"step": 1, "loss": 1.0}])
    path = run / "training_log.jsonl"
    with path.open("a") as file:
        file.write('{"step": 2, "lo')
    assert import_training(run, store=tmp_path / "s.duckdb").torn == 1
    # The process that goes on does not write its line onto the torn one.
    append_line(run, {"step": 2, "loss": 0.5})
    curves, torn = read_log(path, "r")
    assert (len(curves.lines), torn) == (2, 1)
    path.write_text('{"step": 1}\n{"step": "two"}\n')
    with pytest.raises(HarnessError, match=r"training_log\.jsonl:2: expected an object with a who"):
        import_training(run, store=tmp_path / "s.duckdb")
    path.write_text('{"step": 1, "loss": "low"}\n')
    with pytest.raises(HarnessError, match=r":1: loss is 'low'"):
        import_training(run, store=tmp_path / "s.duckdb")
    with pytest.raises(HarnessError, match=r"holds no training_log\.jsonl"):
        import_training(tmp_path, store=tmp_path / "s.duckdb")


def curves_with_a_spike() -> TrainingCurves:
    draw = random.Random(2)
    lines = [
        LogLine(step, step * 100, 2 + draw.gauss(0, 0.02), 1.0, 1e-3, 500.0, None, "sft")
        for step in range(1, 101)
    ]
    lines[69] = LogLine(70, 7000, 6.0, 90.0, 1e-3, 500.0, None, "sft", "look")
    return TrainingCurves("demo", tuple(lines), {"math": ((50, 1.0), (100, 0.5))})


def test_health_is_summed_up_between_checkpoints() -> None:
    health = summarise(curves_with_a_spike(), {50: 0.0, 100: 0.25})
    first, second = health.stretches
    assert (first.step, second.step) == (50, 100)
    assert first.loss == pytest.approx(2, abs=0.02)
    assert (first.spikes, first.gradients, second.spikes, second.gradients) == (0, 0, 1, 1)
    assert (first.genre_losses, second.genre_losses) == ({"math": 1.0}, {"math": 0.5})
    assert (second.grad_norm, second.tokens_seen, second.tokens_per_second) == (90.0, 10000, 500.0)
    assert (second.repetitive, second.events) == (0.25, ("step 70: look",))
    assert health.spikes[0].step == 70


def test_a_run_without_checkpoints_is_shown_in_parts() -> None:
    curves = TrainingCurves("r", tuple(LogLine(step, loss=1.0) for step in range(1, 36)))
    health = summarise(curves, {})
    assert [row.step for row in health.stretches] == [4, 8, 12, 16, 20, 24, 28, 32, 35]


def test_the_command_shows_health(tmp_path: Path) -> None:
    run = tmp_path / "demo"
    curves = curves_with_a_spike()
    lines = [
        {name: value for name, value in vars(line).items() if value is not None}
        for line in curves.lines
    ]
    write_log(run, [*lines[:50], {"step": 50, "genre_losses": {"math": 1.0}}, *lines[50:]])
    store = str(tmp_path / "s.duckdb")
    runner = CliRunner()
    shown = runner.invoke(harness, ["train", "health", str(run), "--store", store])
    assert shown.exit_code == 0, shown.output
    assert re.search(r"loss spike at step 70: 6, expected [12]\.\d+", shown.output)
    assert "gradient norm at step 70: 90, expected 1" in shown.output
    by_name = runner.invoke(harness, ["train", "health", "demo", "--store", store, "--json"])
    rows = json.loads(by_name.output)
    assert [row["step"] for row in rows] == [50, 100]
    assert rows[0]["loss math"] == 1.0
    again = runner.invoke(harness, ["import", "training", str(run), "--store", store])
    assert "100 lines of run demo, 0 new or changed" in again.output


def test_repetitive_answers_are_counted_by_checkpoint(tmp_path: Path) -> None:
    from harness.store.database import connect

    store = tmp_path / "s.duckdb"
    prepare(store)
    run = write_log(tmp_path / "demo", [{"step": 5, "loss": 1.0}, {"step": 10, "loss": 1.0}])
    import_training(run, store=store)
    with connect(store) as connection:
        for step in (5, 10):
            connection.execute(
                "INSERT INTO checkpoints (fingerprint, name, run, step, recorded_at) "
                "VALUES (?, ?, 'demo', ?, now())",
                [f"f{step}", f"demo/{step}", step],
            )
            add_row(connection, "evaluations", {"id": f"e{step}", "fingerprint": f"f{step}"})
            for number in range(4):
                key = f"{step}-{number}"
                text = "あいう" * 40 if number == 0 and step == 10 else "三つあります。"
                request = {"key": key, "evaluation": f"e{step}", "kind": "answer"}
                answer = {
                    "key": key,
                    "fingerprint": f"f{step}",
                    "text": text,
                    "finish_reason": "stop",
                }
                add_row(connection, "requests", request)
                add_row(connection, "generations", answer)
    health = training_health(store, "demo")
    assert [(row.step, row.repetitive) for row in health.stretches] == [(5, 0.0), (10, 0.25)]


def add_row(connection: Any, table: str, values: dict[str, Any]) -> None:
    """A row with a plain value in every column that `values` does not name."""
    columns = dict(
        connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = ?",
            [table],
        ).fetchall()
    )
    plain = {"VARCHAR": "", "JSON": "{}", "BOOLEAN": False}
    row = [
        values.get(name, plain.get(kind, "2026-01-01" if "TIME" in kind else 0))
        for name, kind in columns.items()
    ]
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(row))})", row
    )


def test_a_run_that_is_not_known(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    prepare(store)
    with pytest.raises(HarnessError, match=r"run 'gone' has no training log \(.*: none\)"):
        training_health(store, "gone")
