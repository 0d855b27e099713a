"""Where a loop is, and what it owes, from its record alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from harness.store.loops import StageRow
from training.loop.state import Next, Point, Stop, next_stage, replay
from training.mixture import Component, Mixture, Phase

GIVEN = Mixture(
    {"web": Component(probe="text"), "crawl": Component(probe="copy")},
    (
        Phase("web", {"web": 1.0}, steps=100),
        Phase("crawl", {"web": 0.3, "crawl": 0.7}, steps=50),
    ),
)
STEPS = 50


def point(step: int) -> Point:
    return Point(f"runs/x/step_{step:06d}", step, f"f{step}", 10 * step)


class Driver:
    """Plays a loop: does what is owed, with outcomes that are given."""

    def __init__(self, broken: set[int], **settings: Any) -> None:
        self.broken = broken
        self.settings = {"rounds": 2, "approve": False, "budget": {}} | settings
        self.record: list[StageRow] = []

    def owed(self) -> Next | Stop:
        return next_stage(self.record, GIVEN, **self.settings)

    def step(self) -> Next | Stop:
        owed = self.owed()
        if isinstance(owed, Next):
            inputs, outputs = self._done(owed)
            self.record.append(
                StageRow(
                    "x",
                    len(self.record) + 1,
                    owed.round.number,
                    owed.round.phase,
                    owed.round.made,
                    owed.stage,
                    inputs,
                    outputs,
                    1.0,
                )
            )
        return owed

    def to_the_end(self) -> Stop:
        for _ in range(200):
            owed = self.step()
            if isinstance(owed, Stop):
                return owed
        raise AssertionError("the loop does not end")

    def _done(self, owed: Next) -> tuple[dict[str, str], dict[str, Any]]:
        state, now = replay(self.record), owed.round
        start = state.standing.step
        phase = Phase(now.phase, {"web": 1.0}, steps=STEPS)
        phases = [asdict(each) for each in state.phases]
        match owed.stage:
            case "synthesize":
                return {}, {"samples": 300}
            case "mixture":
                return {}, {"mixture": f"m{now.number}", "phase": asdict(phase), "components": {}}
            case "approve":
                return {}, {"approved": True, "by": "me"}
            case "train":
                points = [asdict(point(start + 25)), asdict(point(start + 50))]
                return {}, {"checkpoints": points, "tokens": 500}
            case "judge":
                is_critical = now.number in self.broken
                return {}, {"critical": [{"genre": "math"}] if is_critical else []}
            case "measure":
                last = now.trained[-1] if now.trained else state.standing
                return {"checkpoint": last.fingerprint}, {"step": last.step, "dollars": 0.5}
            case "keep":
                last = asdict(now.trained[-1])
                return {}, {"standing": last, "phases": [*phases, asdict(phase)], "components": {}}
            case "roll back":
                # To the middle of the round: its first checkpoint was good.
                back = asdict(now.trained[0])
                part = asdict(Phase(now.phase, {"web": 1.0}, steps=25))
                marked = {"crawl": "crawl entered the mixture"}
                return {}, {"standing": back, "phases": [*phases, part], "marked": marked}
        return {}, {}

    def stages(self, number: int) -> list[str]:
        return [row.stage for row in self.record if row.round == number]


def test_given_phases_come_first_and_then_as_many_made_rounds_as_are_wanted() -> None:
    driver = Driver(set())

    assert "2 rounds" in driver.to_the_end().why
    assert [row.phase for row in driver.record if row.stage == "keep"] == [
        "web",
        "crawl",
        "round-3",
        "round-4",
    ]
    assert driver.stages(1) == ["mixture", "train", "judge", "measure", "keep"]
    assert driver.stages(3) == [
        *("plan", "synthesize", "mixture", "train", "judge", "measure", "learn", "keep"),
    ]


def test_a_critical_round_is_rolled_back_and_where_it_stands_then_is_measured() -> None:
    driver = Driver({2})
    driver.to_the_end()

    assert driver.stages(2) == ["mixture", "train", "judge", "measure", "roll back", "measure"]
    state = replay([row for row in driver.record if row.round <= 2])
    assert state.standing == point(75)
    assert state.phases[-1].steps == 25
    assert state.marked == {"crawl": "crawl entered the mixture"}
    assert state.rounds == 2
    assert state.round is None


def test_whoever_approves_is_asked_before_each_training_and_a_refusal_stops_the_loop() -> None:
    driver = Driver(set(), approve=True)
    driver.to_the_end()
    assert [driver.stages(number).index("approve") + 1 for number in (1, 2, 3)] == [
        driver.stages(number).index("train") for number in (1, 2, 3)
    ]

    refused = Driver(set(), approve=True)
    while refused.owed().stage != "approve":  # type: ignore[union-attr]
        refused.step()
    row = StageRow("x", len(refused.record) + 1, 1, "web", False, "approve", {}, {}, 1.0)
    refused.record.append(
        StageRow(**vars(row) | {"outputs": {"approved": False, "by": "me"}}),
    )
    owed = refused.owed()
    assert isinstance(owed, Stop)
    assert "refused" in owed.why


def test_a_budget_and_reached_goals_stop_it_between_rounds_alone() -> None:
    driver = Driver(set(), budget={"tokens": 1000})
    assert "1,000 tokens" in driver.to_the_end().why
    assert driver.record[-1].stage == "keep"
    assert replay(driver.record).spent["tokens"] == 1000

    goals = Driver(set())
    while not isinstance(goals.owed(), Stop):
        goals.step()
        goals.settings["reached"] = True
    # Given phases are trained all the same; no round is made for goals that are reached.
    assert [row.phase for row in goals.record if row.stage == "keep"] == ["web", "crawl"]


@settings(deadline=None, max_examples=30)
@drawn(st.sets(st.integers(min_value=2, max_value=6)), st.integers(1, 4), st.booleans())
def test_every_loop_ends_and_spends_what_its_rows_say(
    broken: set[int], rounds: int, approve: bool
) -> None:
    driver = Driver(broken, rounds=rounds, approve=approve)
    driver.to_the_end()
    state = replay(driver.record)

    assert state.rounds == len(GIVEN.phases) + rounds
    assert state.standing.fingerprint in state.measured
    assert state.spent["tokens"] == 500 * state.rounds
    assert state.spent["samples"] == 300 * rounds
    assert state.spent["hours"] == pytest.approx(len(driver.record) / 3600)
    # Nothing is remembered but the record: any beginning of it owes what came next.
    for at, row in enumerate(driver.record):
        owed = next_stage(driver.record[:at], GIVEN, **driver.settings)
        assert isinstance(owed, Next)
        assert (owed.stage, owed.round.number, owed.round.phase) == (
            row.stage,
            row.round,
            row.phase,
        )
