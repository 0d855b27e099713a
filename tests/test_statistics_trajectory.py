"""Regressions over a run: found, placed, followed; silent without one; real published runs."""

from __future__ import annotations

import csv
import json
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.series import MetricSeries, item_series, summary_series, window_contrasts
from harness.statistics.trajectory import EVERYTHING, trajectory
from tests.shared_data import shared

STEPS = [1000 * number for number in range(1, 31)]


def summaries(
    random: np.random.Generator, metrics: int = 12, sd: float = 0.01, rise: float = 0.1
) -> dict[str, np.ndarray]:
    """Rising scores with noise of `sd` a checkpoint."""
    trend = rise * np.linspace(0, 1, len(STEPS))
    return {f"m{i}": 0.4 + trend + random.normal(0, sd, len(STEPS)) for i in range(metrics)}


def as_series(scores: dict[str, np.ndarray], error: float = 0.01) -> list[MetricSeries]:
    return [
        summary_series(name, STEPS, rows, [error] * len(STEPS)) for name, rows in scores.items()
    ]


def binary_items(random: np.random.Generator, rate: np.ndarray, n: int = 200) -> np.ndarray:
    """Right or wrong, items of differing difficulty, shape (n, checkpoints)."""
    ease = random.normal(0, 1, n)[:, None]
    threshold = np.quantile(random.normal(0, 1, 4000) * np.sqrt(2), rate)
    return (ease + random.normal(0, 1, (n, rate.size)) < threshold).astype(float)


def test_a_lasting_fall_is_found_placed_and_called_lasting() -> None:
    scores = summaries(np.random.default_rng(1))
    scores["m3"][18:] -= 0.15
    found = trajectory(as_series(scores))
    (incident,) = found.incidents
    (finding,) = incident.findings
    assert finding.metric == "m3"
    assert (finding.before, finding.after) == (18000, 19000)
    assert finding.earliest <= 18000 < 19000 <= finding.latest
    assert (finding.persistence, finding.recovered) == ("lasting", None)
    assert finding.down == 12
    assert finding.bad < finding.good - 0.08
    assert finding.p <= finding.p_run <= 0.05
    assert 19000 <= finding.flagged <= 21000


def test_one_bad_checkpoint_is_transient() -> None:
    scores = summaries(np.random.default_rng(2))
    scores["m0"][20] -= 0.15
    (finding,) = trajectory(as_series(scores)).findings
    assert (finding.after, finding.persistence, finding.recovered) == (21000, "transient", 22000)
    assert (finding.lowest, finding.down) == (21000, 1)


def test_a_fall_that_comes_back_says_when() -> None:
    scores = summaries(np.random.default_rng(3))
    scores["m0"][12:20] -= 0.15
    (finding,) = trajectory(as_series(scores)).findings
    assert (finding.after, finding.recovered, finding.down) == (13000, 21000, 8)


def test_a_fall_at_the_last_checkpoint_is_recent() -> None:
    scores = summaries(np.random.default_rng(4))
    scores["m0"][-1] -= 0.2
    (finding,) = trajectory(as_series(scores)).findings
    assert (finding.after, finding.persistence) == (STEPS[-1], "recent")


def test_two_falls_are_two_findings() -> None:
    scores = summaries(np.random.default_rng(5))
    scores["m0"][10:] -= 0.15
    scores["m0"][20:] -= 0.15
    found = trajectory(as_series(scores)).findings
    assert sorted(finding.after for finding in found) == [11000, 21000]


def test_slow_decay_is_found() -> None:
    scores = summaries(np.random.default_rng(6), rise=0.0)
    scores["m0"] -= 0.1 * np.clip((np.arange(30) - 10) / 19, 0, 1)
    found = trajectory(as_series(scores)).findings
    assert found
    assert {finding.metric for finding in found} == {"m0"}
    assert found[0].persistence == "lasting"


def test_metrics_that_fall_together_are_one_incident() -> None:
    scores = summaries(np.random.default_rng(7))
    for name in ("m1", "m2", "m5"):
        scores[name][15:] -= 0.15
    scores["m8"][15:] -= 0.04
    (incident,) = trajectory(as_series(scores)).incidents
    assert {"m1", "m2", "m5", "m8"} <= set(incident.metrics)
    assert set(incident.metrics) <= {"m1", "m2", "m5", "m8", EVERYTHING}
    assert incident.watched == 12


def test_incidents_come_strongest_first() -> None:
    scores = summaries(np.random.default_rng(8))
    scores["m1"][20] -= 0.12
    scores["m2"][8:] -= 0.3
    found = trajectory(as_series(scores))
    assert [incident.findings[0].metric for incident in found.incidents] == ["m2", "m1"]
    assert [finding.p_run for finding in found.findings] == sorted(
        finding.p_run for finding in found.findings
    )


def test_items_are_compared_item_by_item() -> None:
    random = np.random.default_rng(9)
    series = []
    for number in range(8):
        rate = np.full(30, 0.6)
        if number == 0:
            rate[16:] -= 0.2
        series.append(item_series(f"m{number}", STEPS, binary_items(random, rate)))
    found = trajectory(series)
    (finding,) = found.findings
    assert (finding.metric, finding.after, finding.persistence) == ("m0", 17000, "lasting")
    json.dumps(found.to_dict()["incidents"], allow_nan=False)


@pytest.mark.parametrize("kind", ["items", "summaries"])
def test_without_change_runs_are_quiet(kind: str) -> None:
    """At most 5 % of runs of 30 checkpoints × 10 metrics say anything, with τ = 1.7 points."""
    random = np.random.default_rng(10)
    runs, loud = 60, 0
    for _ in range(runs):
        series = []
        for number in range(10):
            rate = 0.5 + random.normal(0, 0.017, 30)
            items = binary_items(random, rate, 100)
            if kind == "items":
                series.append(item_series(f"m{number}", STEPS, items))
            else:
                error = items.std(axis=0, ddof=1) / 10
                series.append(summary_series(f"m{number}", STEPS, items.mean(axis=0), error))
        loud += bool(trajectory(series).findings)
    # Beyond the 99 % point of a binomial of 5 %.
    assert loud <= 7


def test_flapping_is_noise() -> None:
    random = np.random.default_rng(11)
    scores = summaries(random)
    scores["m0"] = np.where(random.random(30) < 0.4, 0.37, 0.63)
    assert not trajectory(as_series(scores)).findings


def test_a_margin_silences_small_falls() -> None:
    scores = summaries(np.random.default_rng(12), sd=0.002)
    scores["m0"][15:] -= 0.03
    series = as_series(scores, 0.002)
    assert trajectory(series).findings
    wide = [
        summary_series(one.metric, STEPS, one.values, [0.002] * 30, margin=0.1) for one in series
    ]
    assert not trajectory(wide).findings


def test_less_is_better_for_perplexity() -> None:
    random = np.random.default_rng(13)
    scores = 3 - np.linspace(0, 1, 30) + random.normal(0, 0.02, 30)
    scores[20:] += 0.5
    series = summary_series("log ppl", STEPS, scores, [0.02] * 30, higher_is_better=False)
    found = trajectory([series])
    (finding,) = found.findings
    assert finding.after == 21000
    assert finding.change < 0 < finding.good < finding.bad
    json.dumps(found.to_dict(), allow_nan=False)


def test_order_of_steps_and_metrics_does_not_matter() -> None:
    scores = summaries(np.random.default_rng(14))
    scores["m3"][18:] -= 0.15
    backward = [
        summary_series(name, STEPS[::-1], rows[::-1], [0.01] * 30)
        for name, rows in reversed(scores.items())
    ]
    one, two = trajectory(as_series(scores)).findings, trajectory(backward).findings
    assert [f.metric for f in one] == [f.metric for f in two]
    assert one[0].p_run == pytest.approx(two[0].p_run)


def test_steps_may_differ_and_runs_may_be_short() -> None:
    random = np.random.default_rng(15)
    sparse = summary_series("sparse", STEPS[::3], 0.5 + random.normal(0, 0.01, 10), [0.01] * 10)
    assert not trajectory([*as_series(summaries(random)), sparse]).findings
    two = [summary_series("a", [1, 2], [0.9, 0.1], [0.01, 0.01])]
    (finding,) = trajectory(two).findings
    assert (finding.before, finding.after, finding.persistence) == (1, 2, "recent")
    assert not trajectory([summary_series("a", [1], [0.9], [0.01])]).findings
    assert not trajectory([summary_series("a", [1, 2], [0.9, 0.1])]).findings


def test_window_contrasts_are_paired_differences() -> None:
    from harness.statistics import paired_data, paired_difference
    from harness.statistics.noise import CheckpointNoise

    items = binary_items(np.random.default_rng(16), np.array([0.6, 0.5]), 80)
    keys = np.arange(80) // 4
    series = item_series("a", [1, 2], items, keys)
    quiet = CheckpointNoise(0.0, 0.0, np.inf, 0.0, 0.0)
    found = window_contrasts(series, [(1, 1, 1)], quiet, {1: 1.0})
    oracle = paired_difference(paired_data(items[:, 0], items[:, 1], keys))
    assert found.change[0] == pytest.approx(oracle.change)
    assert found.se[0] == pytest.approx(oracle.se)
    assert found.p[0] == pytest.approx(oracle.p_drop)


scores_of_a_run = st.lists(
    st.tuples(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.51, 1.0]) | st.floats(0, 1), min_size=1),
        st.none() | st.sampled_from([0.0, 1e-9, 0.02]),
        st.booleans(),
    ),
    min_size=1,
    max_size=7,
)


@settings(deadline=None, max_examples=80)
@given(scores_of_a_run, st.sampled_from(["dyadic", "inverse-square", "equal"]))
def test_any_run_gives_a_consistent_report(
    run: list[tuple[list[float], float | None, bool]], schedule: str
) -> None:
    series = [
        summary_series(
            str(number),
            range(len(rows)),
            rows,
            None if error is None else [error] * len(rows),
            higher_is_better=higher,
        )
        for number, (rows, error, higher) in enumerate(run)
    ]
    report = trajectory(series, schedule=schedule, planned=40)  # type: ignore[arg-type]
    json.dumps(report.to_dict(), allow_nan=False)
    for finding in report.findings:
        assert finding.earliest <= finding.before < finding.after <= finding.latest
        assert finding.change < 0
        assert finding.p <= finding.p_run <= 0.05
        assert (finding.recovered is not None) == (finding.persistence == "transient")
        assert finding.down >= 1
        assert finding.flagged >= finding.after


def test_faulty_series_are_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        summary_series("a", [1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="one finite score"):
        summary_series("a", [1, 2], [0.1])
    with pytest.raises(ValueError, match="standard error"):
        summary_series("a", [1, 2], [0.1, 0.2], [-1, 0.1])
    with pytest.raises(ValueError, match="finite scores"):
        item_series("a", [1, 2], np.array([[0.1, np.nan]]))
    with pytest.raises(ValueError, match="one cluster"):
        item_series("a", [1, 2], np.ones((3, 2)), ["p"] * 3)
    with pytest.raises(ValueError, match="each metric once"):
        trajectory([])


def test_published_runs_get_few_reports_and_the_real_falls() -> None:
    """Pythia, four runs of 65 tasks: at most one report once training is under way, and before it
    the fall of wsc, which begins as a guess of the commoner answer; BigScience tr3m: the fall of
    mc_taco and the one bad checkpoint of pubmedqa."""
    table = shared("trajectories", "pythia-v1-1.4b-and-12b-deduped.csv")
    rows: dict[tuple[str, str], dict[str, dict[int, tuple[float, float]]]] = defaultdict(dict)
    with table.open() as file:
        for row in csv.DictReader(file):
            if row["metric"] == "acc" and row["stderr"] not in ("", "None"):
                run = rows[row["model"], row["shots"]].setdefault(row["task"], {})
                run[int(row["step"])] = float(row["value"]), float(row["stderr"])
    late = 0
    for (model, _), tasks in rows.items():
        series = [
            summary_series(task, list(points), *map(list, zip(*points.values(), strict=True)))
            for task, points in tasks.items()
        ]
        found = trajectory(series).findings
        late += sum(finding.after > 1000 for finding in found)
        if model == "pythia-1.4b" and len(series[0].steps) > 20:
            assert any(f.metric == "wsc" and f.persistence == "lasting" for f in found)
    assert late <= 1

    with shared("trajectories", "tr3m-1B3-pile-checkpoints_agg.json").open() as file:
        tr3m = json.load(file)
    series = [
        summary_series(f"{task}/{name}", tr3m["checkpoints"], values, scores.get(f"{name}_stderr"))
        for task, scores in tr3m["results"].items()
        for name, values in scores.items()
        if name != "ppl" and not name.endswith("_stderr")
    ]
    found = trajectory(series).findings
    assert len(found) <= 8
    courses = {(finding.metric, finding.persistence) for finding in found}
    assert {("mc_taco/em", "lasting"), ("pubmedqa/acc", "transient")} <= courses
