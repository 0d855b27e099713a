"""`harness prune`: what goes, what stays and why; a kill in the middle leaves all or nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import harness
from harness.store import copying, retention
from harness.store.database import connect
from harness.store.regressions import Regression, record
from harness.store.rounds import Round, RoundGain, add_round
from harness.store.watched import Watched, add_watched
from harness.store.write import pending, spool
from tests.comparison_store import MadeScores, by_item, keep

STEPS = (100, 200, 300, 400)
TABLES = ("evaluations", "requests", "generations", "scores")


def made(step: int, run: str = "tiger", **more: Any) -> MadeScores:
    return MadeScores(
        f"{run}/step_{step}",
        {"strict": by_item([1.0, 0.0, 1.0])},
        run=run,
        step=step,
        later=step,
        **more,
    )


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with connect(path, read_only=True) as connection:
        return connection.execute(query).fetchall()


def counts(path: Path) -> dict[str, int]:
    return {table: rows(path, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    keep(path, *(made(step) for step in STEPS), made(50, "lion"))
    return path


def reasons(plan: retention.Plan) -> dict[str, tuple[str, ...]]:
    return {one.checkpoint: why for one, why in plan.kept}


def removed(plan: retention.Plan) -> list[str]:
    return [one.checkpoint for one in plan.removed]


def test_the_last_checkpoints_of_each_run_stay(store: Path) -> None:
    plan = retention.plan(store, retention.Policy(keep_last=2))
    assert removed(plan) == ["tiger/step_100", "tiger/step_200"]
    assert plan.kept == ()
    assert plan.rows["generations"] == plan.rows["scores"] == plan.rows["requests"] == 6
    assert plan.rows["evaluations"] == 2
    assert plan.text > 0
    assert counts(store) == dict(zip(TABLES, (5, 15, 15, 15), strict=True))
    done = retention.prune(store, retention.Policy(keep_last=2))
    assert (done.removed, done.rows) == (plan.removed, plan.rows)
    assert counts(store) == dict(zip(TABLES, (3, 9, 9, 9), strict=True))
    assert removed(retention.prune(store, retention.Policy(keep_last=2))) == []


def test_every_condition_must_hold(store: Path) -> None:
    # tiger/step_200 finished on 2026-01-09 at 08:00.
    before = datetime(2026, 1, 9, 8, tzinfo=UTC)
    assert removed(retention.plan(store, retention.Policy(before))) == [
        "lion/step_50",
        "tiger/step_100",
    ]
    assert removed(retention.plan(store, retention.Policy(before, ("tig*",)))) == ["tiger/step_100"]
    assert removed(retention.plan(store, retention.Policy(before, ("lion",), 1))) == []


def regression(baseline: str, candidate: str) -> Regression:
    return Regression(
        baseline=baseline,
        candidate=candidate,
        protocol_hash="p",
        suite="made-up",
        genre="math",
        dataset="all",
        metric="strict",
        evidence={},
        policy={},
        policy_hash="h",
    )


def test_what_something_rests_on_stays(store: Path, tmp_path: Path) -> None:
    ids = {step: made(step).id for step in STEPS}
    record(store, [regression(ids[100], ids[200])])
    add_watched(
        store,
        Watched(
            run="tiger",
            step=300,
            fingerprint="f",
            policy_hash="h",
            checkpoint="tiger/step_300",
            number=0,
            verdict="first",
            is_anchor=True,
            evidence={"evaluations": {"made-up": ids[300]}},
            judged_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
    )
    baseline = tmp_path / "good.json"
    baseline.write_text(json.dumps({"evaluations": {"made-up": ids[400]}}))
    plan = retention.prune(store, retention.Policy(runs=("*",)), [baseline])
    assert reasons(plan) == {
        "tiger/step_100": ("a verdict",),
        "tiger/step_200": ("a verdict",),
        "tiger/step_300": ("a watched checkpoint",),
        "tiger/step_400": (str(baseline),),
    }
    assert removed(plan) == ["lion/step_50"]
    assert counts(store)["generations"] == 12


def test_a_verdict_that_is_only_spooled_counts(store: Path) -> None:
    ids = {step: made(step).id for step in STEPS}
    found = Regression(
        baseline=ids[100],
        candidate=ids[200],
        protocol_hash="p",
        suite="made-up",
        genre="math",
        dataset="all",
        metric="strict",
        evidence={"bases": [ids[300]]},
        policy={},
        policy_hash="h",
    )
    from harness.store.regressions import _row

    spool(store, {"regressions": [_row(found)]})
    assert pending(store)
    plan = retention.prune(store, retention.Policy(runs=("tiger",)))
    assert removed(plan) == ["tiger/step_400"]


def test_a_rounds_gain_and_student_stay(store: Path) -> None:
    ids = {step: made(step).id for step in STEPS}
    one = Round("tiger", 1, "tiger/step_100", made(100).fingerprint, "best", "greedy", 0, {})
    gain = RoundGain(one.id, "made-up", "math", "", "strict", 10, 0.1, 0.01, 3, ids[200], ids[300])
    add_round(store, one, [gain])
    plan = retention.plan(store, retention.Policy(runs=("tiger",)))
    assert reasons(plan) == {
        "tiger/step_100": ("a round of synthesis",),
        "tiger/step_200": ("a round's gain",),
        "tiger/step_300": ("a round's gain",),
    }


def test_battles_between_evaluations_stay(store: Path) -> None:
    from harness.arena.play import play

    play(store, ["tiger/step_100", "tiger/step_300"], None)
    plan = retention.plan(store, retention.Policy(runs=("tiger",)))
    assert reasons(plan) == {"tiger/step_100": ("battles",), "tiger/step_300": ("battles",)}


def test_a_table_that_retention_does_not_know_counts(store: Path) -> None:
    with connect(store) as connection:
        connection.execute("CREATE TABLE later (what JSON)")
        connection.execute("INSERT INTO later VALUES (?)", [json.dumps({"a": [made(200).id]})])
    plan = retention.plan(store, retention.Policy(runs=("tiger",)))
    assert reasons(plan) == {"tiger/step_200": ("a row of later",)}


def test_what_is_not_complete_stays(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    keep(path, made(100, state="running"), made(200))
    plan = retention.plan(path, retention.Policy(runs=("tiger",)))
    assert reasons(plan) == {"tiger/step_100": ("not complete: repeat its command",)}


def test_an_evaluation_of_a_replaced_checkpoint_goes_and_counts_for_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "results.duckdb"
    keep(path, made(100), made(200), made(300, state="void"), made(400, state="void"))
    record(path, [regression(made(200).id, made(400).id)])
    # The last checkpoint that the run has is 200; a verdict is worth more than a void evaluation.
    plan = retention.prune(path, retention.Policy(keep_last=1))
    assert removed(plan) == ["tiger/step_100", "tiger/step_300"]
    assert reasons(plan) == {"tiger/step_400": ("a verdict",)}


def test_answers_that_two_evaluations_share_stay_with_the_one_that_stays(store: Path) -> None:
    # The same answers, asked for by a second evaluation and scored under its own protocol too.
    with connect(store) as connection:
        connection.execute(
            "INSERT INTO evaluations SELECT repeat('a', 64), fingerprint, repeat('b', 64), "
            "items_hash, suite, items, samples, seed, engine, state, planned, done, failed, "
            "failures, TIMESTAMPTZ '2027-01-01 00:00:00+00', TIMESTAMPTZ '2027-01-01 00:00:00+00' "
            f"FROM evaluations WHERE id = '{made(100).id}'"
        )
        connection.execute(
            "INSERT INTO scores SELECT s.* REPLACE (repeat('b', 64) AS protocol_hash) "
            "FROM scores s WHERE key IN (SELECT key FROM requests "
            f"WHERE evaluation = '{made(100).id}')"
        )
        connection.execute(
            "INSERT INTO requests SELECT repeat('a', 64), key, item_hash, sample, turn, kind "
            f"FROM requests WHERE evaluation = '{made(100).id}'"
        )
    before = datetime(2026, 12, 1, tzinfo=UTC)
    done = retention.prune(store, retention.Policy(before, ("tiger/step_100",)))
    assert (done.rows["generations"], done.rows["scores"], done.rows["requests"]) == (0, 3, 3)
    left = rows(
        store,
        "SELECT count(*), count(g.key), count(s.key) FROM requests r JOIN evaluations e "
        "ON e.id = r.evaluation LEFT JOIN generations g USING (key) LEFT JOIN scores s "
        "ON s.key = r.key AND s.protocol_hash = e.protocol_hash WHERE e.id = repeat('a', 64)",
    )
    assert left == [(3, 3, 3)]


def test_the_command_says_what_it_keeps_and_gives_space_back(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "tiger.html").write_text(f"<td>{made(200).id[:12]}</td>")
    options = ["prune", "--keep-last", "1", "--store", str(store)]
    dry = CliRunner().invoke(harness, [*options, "--dry-run"])
    assert "would go" in dry.output
    assert "2 evaluations would go, 1 kept" in dry.output
    assert "tiger/step_200 made-up: " in dry.output
    assert counts(store)["evaluations"] == 5
    done = CliRunner().invoke(harness, options, catch_exceptions=False)
    assert "2 evaluations removed, 1 kept" in done.output
    assert " MB → " in done.output
    assert counts(store)["evaluations"] == 3
    table = CliRunner().invoke(harness, [*options, "--dry-run", "--json"])
    assert [row["goes"] for row in json.loads(table.output)] == [False]


def test_what_a_report_compares_stays(store: Path, tmp_path: Path) -> None:
    pytest.importorskip("altair")
    from harness.report.page.gather import gather
    from harness.report.page.render import write

    page = tmp_path / "tiger.html"
    write(gather(store, ["tiger"]), page)
    plan = retention.plan(store, retention.Policy(runs=("tiger",)), [page])
    assert reasons(plan)["tiger/step_400"] == (str(page),)
    assert "tiger/step_100" in removed(plan)


def test_nothing_goes_without_a_condition(store: Path) -> None:
    done = CliRunner().invoke(harness, ["prune", "--store", str(store)])
    assert done.exit_code == 2
    assert "say what may go" in done.output


def test_compaction_keeps_every_row_and_gives_space_back(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    many = [1.0] * 3000
    for step in (1, 2):
        keep(path, MadeScores(f"run/{step}", {"strict": by_item(many)}, run="run", step=step))
    keep(path, made(1))
    retention.prune(path, retention.Policy(runs=("run",)))
    whole = rows(path, "FROM generations ORDER BY ALL")
    before, after = copying.compact(path)
    assert after < before == pytest.approx(before)
    assert path.stat().st_size == after
    assert rows(path, "FROM generations ORDER BY ALL") == whole
    keep(path, made(2))  # Its keys still hold: the copy has the constraints.
    assert counts(path)["evaluations"] == 2
    assert [file.name for file in tmp_path.glob("results*") if file.is_file()] == [path.name]


def test_kills_leave_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    scores = {"strict": by_item([1.0] * 4000)}
    for step in range(1, 5):
        keep(path, MadeScores(f"run/{step}", scores, run="run", step=step))
    command = [sys.executable, "-m", "harness", "prune", "--run", "run/1", "--store", str(path)]
    whole, pruned = (4, 16_000, 16_000, 16_000), (3, 12_000, 12_000, 12_000)
    for instant in (0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(instant)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert tuple(counts(path).values()) in (whole, pruned)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert tuple(counts(path).values()) == pruned
    assert not list(tmp_path.glob("*.compacting*"))
