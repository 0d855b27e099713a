"""A run that goes on with other phases, and one that is taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from training.extend import may_extend, roll_back
from training.run_directory import all_put_aside, checkpoints, put_checkpoints_aside

COMPONENTS = {"web": {"probe": "text"}, "crawl": {"path": "crawl.jsonl"}}
WEB = {"name": "web", "weights": {"web": 1.0}, "steps": 100}
CRAWL = {"name": "crawl", "weights": {"web": 0.5, "crawl": 0.5}, "steps": 50}


def settings(*phases: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "width": 64,
        "final_rate": 1.0,
        "mixture": {"components": dict(COMPONENTS), "phases": list(phases)},
        "phase_steps": [phase["steps"] for phase in phases],
        **others,
    }


def test_phases_may_follow_and_those_not_reached_may_be_replaced() -> None:
    other = {**CRAWL, "name": "other"}

    assert may_extend(settings(WEB), settings(WEB, CRAWL), 100) == ""
    assert may_extend(settings(WEB, CRAWL), settings(WEB, other), 100) == ""
    assert may_extend(settings(WEB, CRAWL), settings(WEB), 100) == ""
    # Cut off where the run stands, within a phase.
    half = {**CRAWL, "steps": 20}
    assert may_extend(settings(WEB, CRAWL), settings(WEB, half, other), 120) == ""


def test_what_was_trained_may_not_change() -> None:
    other = {**CRAWL, "name": "other"}
    assert "first 110 steps" in may_extend(settings(WEB, CRAWL), settings(WEB, other), 110)
    assert "first 120 steps" in may_extend(
        settings(WEB, CRAWL), settings(WEB, {**CRAWL, "steps": 10}), 120
    )
    moved = settings(WEB, CRAWL)
    moved["mixture"]["components"]["crawl"] = {"path": "elsewhere.jsonl"}
    assert "component crawl" in may_extend(settings(WEB, CRAWL), moved, 150)
    assert may_extend(settings(WEB, CRAWL), moved, 100) == ""
    assert "width 64, not 32" in may_extend(settings(WEB), settings(WEB, width=32), 10)


def test_a_learning_rate_that_falls_with_the_steps_left_cannot_be_extended() -> None:
    falling = {"final_rate": 0.1}
    why = may_extend(settings(WEB, **falling), settings(WEB, CRAWL, **falling), 100)
    assert "final_rate 1" in why


def test_a_run_is_taken_back_to_a_step_whose_state_is_kept_and_twice_is_once(
    tmp_path: Path,
) -> None:
    for step in (100, 120, 140):
        (tmp_path / f"step_{step:06d}").mkdir()
        (tmp_path / "megatron" / f"iter_{step:07d}").mkdir(parents=True)

    roll_back(tmp_path, 120, "round-02")
    roll_back(tmp_path, 120, "round-02")

    assert [path.name for path in sorted(tmp_path.glob("step_*"))] == ["step_000100", "step_000120"]
    (aside,) = all_put_aside(tmp_path)
    assert (aside.branch, aside.step) == ("rolled_back/round-02", 120)
    assert [path.name for path in aside.checkpoints] == ["step_000140"]
    assert [path.name for path in sorted((tmp_path / "megatron").iterdir())] == [
        "iter_0000100",
        "iter_0000120",
    ]
    lines = (tmp_path / "training_log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 120, "event": "rollback to step 120"}]
    with pytest.raises(HarnessError, match="keep_states"):
        roll_back(tmp_path, 140, "round-03")


def test_steps_are_ordered_as_numbers_beyond_a_million(tmp_path: Path) -> None:
    for step in (999_000, 1_000_000, 1_001_000):
        (tmp_path / f"step_{step:06d}").mkdir()
    assert [path.name for path in checkpoints(tmp_path)][-1] == "step_1001000"
    put_checkpoints_aside(tmp_path, 999_000, "1")
    assert [path.name for path in checkpoints(tmp_path)] == ["step_999000"]
    put_checkpoints_aside(tmp_path, 1_000_000, "2")
    assert [one.step for one in all_put_aside(tmp_path)] == [999_000, 1_000_000]
