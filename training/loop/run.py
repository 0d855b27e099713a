"""Runs a loop: asks what is owed, does it, records it, until nothing is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from harness.store.loops import StageRow, add_stage, loop_stages
from training.loop import stages
from training.loop.commands import alone
from training.loop.config import Loop
from training.loop.judging import judge
from training.loop.proof import goals_reached
from training.loop.state import Next, StageName, State, Stop, next_stage, replay
from training.loop.suites import check_apart

# Takes a stage that begins, or a row that has ended.
Told = Callable[[Next | StageRow], None]

_STAGES: Mapping[StageName, stages.Stage] = {
    "plan": stages.plan,
    "synthesize": stages.synthesize,
    "mixture": stages.mixture,
    "approve": stages.approve,
    "train": stages.train,
    "judge": judge,
    "measure": stages.measure,
    "learn": stages.learn,
    "keep": stages.keep,
    "roll back": stages.roll_back,
}


def run_loop(loop: Loop, told: Told, say: Callable[[str], None]) -> Stop:
    """Goes on from the record until the loop stops, and says why it did.

    told  of every stage that begins and of every row that is recorded;  say: takes a line

    Raises HarnessError where items that steer would prove, another process runs the same loop, or a
    stage fails: then the same call goes on from that stage.
    """
    from harness.store.database import prepare

    prepare(loop.store)
    check_apart(loop)
    with alone(loop.home, say):
        while True:
            record = loop_stages(loop.store, loop.run)
            owed, state = owed_after(loop, record)
            if isinstance(owed, Stop):
                return owed
            told(owed)
            told(_do(loop, state, owed, len(record) + 1))


def owed_by(loop: Loop) -> tuple[Next | Stop, State]:
    """What a loop owes next, and where it is."""
    return owed_after(loop, loop_stages(loop.store, loop.run))


def owed_after(loop: Loop, record: Sequence[StageRow]) -> tuple[Next | Stop, State]:
    """As `owed_by`, for a record that was read already."""
    state = replay(record)
    config = loop.config
    # Goals end a loop between rounds, once the checkpoint that stands was asked what proves.
    between = state.round is None and state.standing.fingerprint in state.measured
    owed = next_stage(
        record,
        loop.given,
        rounds=config.rounds,
        approve=config.approve,
        budget=asdict(config.budget),
        reached=between and goals_reached(loop, state),
    )
    return owed, state


def _do(loop: Loop, state: State, owed: Next, number: int) -> StageRow:
    began = time.monotonic()
    inputs, outputs = _STAGES[owed.stage](loop, state, owed.round)
    row = StageRow(
        run=loop.run,
        number=number,
        round=owed.round.number,
        phase=owed.round.phase,
        made=owed.round.made,
        stage=owed.stage,
        inputs=inputs,
        outputs=outputs,
        # Whoever had to say yes took no machine's time.
        seconds=0.0 if owed.stage == "approve" else time.monotonic() - began,
    )
    add_stage(loop.store, row)
    return row
