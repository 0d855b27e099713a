"""What came of a closed loop: its rounds as its record has them, and the change on the items that
prove, on which no decision about data rests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import HarnessError
from harness.store.loops import StageRow

if TYPE_CHECKING:
    from harness.gaps.measure import State

Outcome = Literal["kept", "rolled back", "under way"]


@dataclass(frozen=True)
class Reached:
    """A checkpoint of a loop's run; step 0 without a fingerprint is the beginning."""

    step: int = 0
    fingerprint: str = ""


@dataclass(frozen=True)
class Learned:
    """What a round's verified samples of a genre bought on the items that steer, as a share of the
    metric's scale, with its standard error."""

    gain: float
    se: float
    samples: int

    @property
    def per_thousand(self) -> float | None:
        """Gain for a thousand samples; None where none were of the genre."""
        return 1000 * self.gain / self.samples if self.samples else None


@dataclass(frozen=True)
class LoopRound:
    """One round.

    made       whether its phase was synthesized for gaps; else it was given
    began      what it was trained from;  trained: its last checkpoint;  standing: what the next
               round builds on, which after a rollback may be in the middle of this one
    mixture    shares of its phase;  synthetic: that of its own shards
    lagging    genres that its plan found below the target, most worth first
    samples    verified ones, by genre
    verdicts   (step, verdict) of `harness watch`, by step
    critical   what broke, as `judge` has recorded it;  why: the same in words, where rolled back
    marked     components that no later round may draw on, with the sentence that says why
    learned    by genre, on the items that steer
    dollars    paid to judges;  hours: of all its stages
    """

    number: int
    phase: str
    made: bool
    outcome: Outcome
    began: Reached
    trained: Reached
    standing: Reached
    mixture: Mapping[str, float] = field(default_factory=dict)
    synthetic: float = 0.0
    lagging: tuple[str, ...] = ()
    samples: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0
    verdicts: tuple[tuple[int, str], ...] = ()
    critical: tuple[Mapping[str, Any], ...] = ()
    why: str = ""
    marked: Mapping[str, str] = field(default_factory=dict)
    learned: Mapping[str, Learned] = field(default_factory=dict)
    dollars: float = 0.0
    hours: float = 0.0

    @property
    def verdict(self) -> str:
        """Its verdicts in words; equal ones in a row are told once, with the step they reach."""
        told: list[tuple[int, str]] = []
        for step, verdict in self.verdicts:
            if told and told[-1][1] == verdict:
                told.pop()
            told.append((step, verdict))
        return ", ".join(f"{verdict} to step {step:,}" for step, verdict in told)


@dataclass(frozen=True)
class ProofGain:
    """The paired change of one genre on the proof items between two checkpoints.

    before, after, gain, low, high  in the metric's unit;  state: ahead, level, lags or within noise
    level  of the interval
    """

    suite: str
    genre: str
    metric: str
    items: int
    before: float
    after: float
    gain: float
    low: float
    high: float
    state: State
    level: float = 0.9

    @property
    def factor(self) -> float:
        """To points: of 100, or of a judge's rating."""
        return 1.0 if self.metric == "rating" else 100.0


def rows_by_round(record: Sequence[StageRow]) -> Iterator[list[StageRow]]:
    """The rows of each round that has ended, and of the one under way."""
    rows: list[StageRow] = []
    for row in record:
        if rows and row.round != rows[-1].round:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def loop_rounds(record: Sequence[StageRow]) -> list[LoopRound]:
    """The rounds of a record, in order."""
    found: list[LoopRound] = []
    for rows in rows_by_round(record):
        found.append(_round(rows, found[-1].standing if found else Reached()))
    return found


def _round(rows: Sequence[StageRow], began: Reached) -> LoopRound:
    done = {row.stage: row.outputs for row in rows}
    first = rows[0]
    points = done.get("train", {}).get("checkpoints", [])
    ended: Outcome = (
        "kept" if "keep" in done else "rolled back" if "roll back" in done else "under way"
    )
    end = done.get("keep") or done.get("roll back") or {}
    weights = done.get("mixture", {}).get("phase", {}).get("weights", {})
    whole = sum(weights.values()) or 1.0
    mixture = {name: weight / whole for name, weight in weights.items() if weight}
    judged = done.get("judge", {})
    samples: dict[str, int] = {}
    for name, count in done.get("synthesize", {}).get("kept", {}).items():
        genre = name.split("\t", 1)[0]
        samples[genre] = samples.get(genre, 0) + int(count)
    return LoopRound(
        first.round,
        first.phase,
        first.made,
        ended,
        began,
        _reached(points[-1]) if points else began,
        _reached(end["standing"]) if end else began,
        mixture,
        mixture.get(first.phase, 0.0) if first.made else 0.0,
        tuple(done.get("plan", {}).get("lagging", {})),
        samples,
        int(done.get("train", {}).get("tokens", 0)),
        tuple((int(one["step"]), str(one["verdict"])) for one in judged.get("verdicts", [])),
        tuple(judged.get("critical", [])),
        str(end.get("why", "")),
        end.get("marked", {}),
        {
            genre: Learned(one["gain"], one["se"], int(one["samples"]))
            for genre, one in done.get("learn", {}).get("gains", {}).items()
        },
        sum(row.outputs.get("dollars", 0.0) for row in rows),
        sum(row.seconds for row in rows) / 3600,
    )


def _reached(point: Mapping[str, Any]) -> Reached:
    return Reached(int(point["step"]), str(point["fingerprint"]))


def proof_suites(record: Sequence[StageRow]) -> tuple[str, ...]:
    """The suites that prove, by the last checkpoint that was asked them; none where an old record
    does not say, which stands for every suite."""
    told = [row.outputs["proof"] for row in record if row.outputs.get("proof")]
    return tuple(told[-1]) if told else ()


def measured(record: Sequence[StageRow]) -> list[str]:
    """Fingerprints of the checkpoints that were asked everything, in order."""
    return list(dict.fromkeys(row.inputs["checkpoint"] for row in record if row.stage == "measure"))


def first_and_last(record: Sequence[StageRow]) -> tuple[Reached, Reached] | None:
    """The checkpoint that the first made round began with, and the last that was kept and asked
    everything; None where no made round was kept yet, in whole or in part."""
    asked = set(measured(record))
    made = [one for one in loop_rounds(record) if one.made and one.outcome != "under way"]
    stood = [one.standing for one in made if one.standing.fingerprint in asked]
    if not stood or stood[-1] == made[0].began or not made[0].began.fingerprint:
        return None
    return made[0].began, stood[-1]


def proof_gains(
    store: Path, before: Reached, after: Reached, suites: Sequence[str] = ()
) -> list[ProofGain]:
    """Every genre's change from one measured checkpoint to another, with intervals as
    `harness gaps` has them, the largest first.

    Raises HarnessError where the two were not asked the same.
    """
    from harness.gaps.measure import measure_gaps
    from harness.gaps.target import find_sides

    sides = find_sides(store, after.fingerprint, before.fingerprint, suites)
    found = [
        ProofGain(
            suite=one.suite,
            genre=one.place.genre,
            metric=one.metric,
            items=one.verdict.measured.change.n,
            before=one.target,
            after=one.student,
            gain=0.0 - one.gap,
            low=0.0 - one.high,
            high=0.0 - one.low,
            state=one.state,
            level=one.verdict.decision.level,
        )
        for one in measure_gaps(store, sides).genres
    ]
    return sorted(found, key=lambda one: -one.gain * one.factor)


def stored_gains(store: Path, record: Sequence[StageRow]) -> list[ProofGain]:
    """`proof_gains` from the beginning of synthesis to the last that was kept; none where there is
    nothing to compare yet."""
    ends = first_and_last(record)
    if ends is None:
        return []
    try:
        return proof_gains(store, *ends, proof_suites(record))
    except HarnessError:
        return []
