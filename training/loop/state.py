"""Where a loop is, and what it does next: a function of its configuration and its record alone.

A loop goes in rounds, each of which trains one phase of the run's mixture. First come the given
phases, one after the other, then made ones:

    [plan → synthesize →] mixture → [approve →] train → judge → measure → [learn →] keep | roll back

Nothing else is remembered, so a loop that was killed goes on where its record ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.store.loops import StageRow
from training.mixture import Mixture, Phase

StageName = Literal[
    "plan",
    "synthesize",
    "mixture",
    "approve",
    "train",
    "judge",
    "measure",
    "learn",
    "keep",
    "roll back",
]


@dataclass(frozen=True)
class Point:
    """A checkpoint of the run; `step` 0 without a fingerprint is the beginning."""

    path: str = ""
    step: int = 0
    fingerprint: str = ""
    tokens: int = 0


@dataclass(frozen=True)
class Round:
    """The round under way, or to be begun.

    phase  its name;  made: whether it is synthesized
    done   outputs of its finished stages
    """

    number: int
    phase: str
    made: bool
    done: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def trained(self) -> tuple[Point, ...]:
        """Its checkpoints, by step."""
        return tuple(Point(**one) for one in self.done.get("train", {}).get("checkpoints", ()))


@dataclass(frozen=True)
class State:
    """What a record comes to.

    round     under way, or None between rounds
    rounds    finished
    standing  the last checkpoint that was kept
    measured  fingerprints that were asked everything
    phases    of the mixture, as far as they were kept; each has steps
    marked    components that no later mixture may draw on, with the sentence that says why
    components  of the mixture by name, those of shards too
    spent     tokens, samples, hours, dollars
    refused   whether a person has said no
    """

    round: Round | None = None
    rounds: int = 0
    standing: Point = Point()
    measured: frozenset[str] = frozenset()
    phases: tuple[Phase, ...] = ()
    marked: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    refused: bool = False


@dataclass(frozen=True)
class Next:
    """The stage that is owed, in its round."""

    stage: StageName
    round: Round


@dataclass(frozen=True)
class Stop:
    """Why nothing is owed."""

    why: str


def replay(record: Sequence[StageRow]) -> State:
    """The state that a record leads to."""
    state = State()
    for row in record:
        state = _after(state, row)
    return state


def _after(state: State, row: StageRow) -> State:
    outputs = row.outputs
    spent = dict(state.spent)
    for name in ("tokens", "samples", "dollars"):
        spent[name] = spent.get(name, 0) + outputs.get(name, 0)
    spent["hours"] = spent.get("hours", 0) + row.seconds / 3600
    state = replace(state, spent=spent)
    if row.stage == "measure":
        state = replace(state, measured=state.measured | {row.inputs["checkpoint"]})
    if row.round <= state.rounds:  # a measurement after the round's end
        return state
    if row.stage in ("keep", "roll back"):
        return _ended(state, row)
    now = state.round or Round(row.round, row.phase, row.made)
    state = replace(state, round=replace(now, done={**now.done, row.stage: outputs}))
    return replace(state, refused=row.stage == "approve" and not outputs["approved"])


def _ended(state: State, row: StageRow) -> State:
    outputs = row.outputs
    kept = tuple(Phase(**one) for one in outputs["phases"])
    return replace(
        state,
        round=None,
        rounds=row.round,
        standing=Point(**outputs["standing"]),
        phases=kept,
        marked={**state.marked, **outputs.get("marked", {})},
        components={**state.components, **outputs.get("components", {})},
    )


def next_stage(
    record: Sequence[StageRow],
    given: Mixture,
    *,
    rounds: int,
    approve: bool,
    budget: Mapping[str, float],
    reached: bool = False,
) -> Next | Stop:
    """What is owed, or why nothing is.

    given    whose phases are the first rounds;  rounds: made ones at most
    budget   by what is spent;  reached: whether the goals are, on the proof items
    """
    state = replay(record)
    if state.refused:
        return Stop("a person refused the round; change the configuration or the plan")
    if state.round is not None:
        return Next(_within(state, approve), state.round)
    if state.standing.fingerprint and state.standing.fingerprint not in state.measured:
        # Gone back to a checkpoint in the middle of a round, of which only verdicts are known.
        last = record[-1]
        return Next("measure", Round(last.round, last.phase, last.made))
    made = state.rounds - len(given.phases)
    if made >= 0 and reached:
        return Stop("the goals are reached on the proof items")
    for name, limit in budget.items():
        if state.spent.get(name, 0) >= limit:
            return Stop(f"the budget of {limit:,g} {name} is used up")
    if made < 0:
        return Next("mixture", Round(state.rounds + 1, given.phases[state.rounds].name, False))
    if made >= rounds:
        return Stop(f"all {rounds} rounds of synthesis are done")
    if not state.standing.fingerprint:
        return Stop("no checkpoint was good; there is nothing to build on")
    return Next("plan", Round(state.rounds + 1, f"round-{state.rounds + 1}", True))


def _within(state: State, approve: bool) -> StageName:
    now = state.round
    assert now is not None
    for name in _order(now.made, approve):
        if name not in now.done:
            return name
    return "roll back" if now.done["judge"]["critical"] else "keep"


def _order(made: bool, approve: bool) -> Iterator[StageName]:
    if made:
        yield "plan"
        yield "synthesize"
    yield "mixture"
    if approve:
        yield "approve"
    yield "train"
    yield "judge"
    yield "measure"
    if made:
        yield "learn"
