"""Phases of weighted components: what a run reads, in which order, and how much of each.

    components:
      web:      {path: corpora/web.jsonl, genre: web}
      wiki:     {path: corpora/wiki, genre: web}             # wiki.bin and wiki.idx
      round-3:  {path: shards/round-3.parquet, loss: answers} # its genres are its rows'
      replay:   {probe: math/arithmetic}
    phases:
      - {name: web,       tokens: 800_000, weights: {web: 3, wiki: 1}}
      - {name: anneal,    tokens: 150_000, weights: {web: 1, round-3: 1}}
      - {name: synthetic, steps: 20,       weights: {round-3: 1}}

Phases follow each other in the file's order: Web first, dialogue and synthetic data at the end, the
last phase synthetic only is the usual curriculum. A component goes on in a later phase where it
stopped in an earlier one. After a rollback the data is not read again: see `segments`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness.errors import HarnessError
from training.config_file import fault_at, load_config

Loss = Literal["", "all", "answers"]
Weight = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class Component:
    """Where the documents of one part of a mixture come from; either `path` or `probe` is given.

    path      .jsonl or .jsonl.gz with a "text" or "messages" in each line, .parquet of synthesis, a
              folder of these, or the prefix of Megatron's .bin and .idx
    probe     `text`, `copy`, or a probe genre or family: generated, from the training split
    genre     for the accounts; "" takes each row's own, else the component's name
    loss      whether everything is learned or only the assistant's answers; "" is answers where
              there are any
    """

    path: str = ""
    probe: str = ""
    genre: str = ""
    loss: Loss = ""


@dataclass(frozen=True)
class Phase:
    """A part of the schedule with weights of its own; as long as `tokens` or `steps` say, one of
    which is 0. Weights need not add up to 1."""

    name: str
    weights: dict[str, Weight]
    tokens: Count = 0
    steps: Count = 0

    @property
    def shares(self) -> dict[str, float]:
        total = sum(self.weights.values())
        return {name: weight / total for name, weight in self.weights.items() if weight}


@dataclass(frozen=True)
class Mixture:
    """Components by name, and the phases that draw on them."""

    components: dict[str, Component]
    phases: tuple[Phase, ...]

    def settings(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "components": {name: asdict(each) for name, each in self.components.items()},
            "phases": [asdict(phase) for phase in self.phases],
        }


def single(weights: Mapping[str, float], steps: int) -> Mixture:
    """One phase without a name over components that are named by their paths or probes."""
    components = {
        name: Component(path=name) if _is_path(name) else Component(probe=name) for name in weights
    }
    return Mixture(components, (Phase("", dict(weights), steps=steps),))


def _is_path(name: str) -> bool:
    return name.endswith((".jsonl", ".jsonl.gz", ".parquet")) or Path(f"{name}.idx").is_file()


def load_mixture(path: Path) -> Mixture:
    """Reads a mixture file. Raises HarnessError with file and line for what cannot be one."""
    mixture = load_config(path, Mixture)
    for place, text in _faults(mixture):
        fault_at(path, place, text)
    return mixture


def _faults(mixture: Mixture) -> Iterator[tuple[str, str]]:
    """What a mixture says that cannot be meant: (place, why)."""
    used = {name for phase in mixture.phases for name in phase.weights}
    for name, component in mixture.components.items():
        if bool(component.path) == bool(component.probe):
            yield f".components.{name}", "expected either a path or a probe"
    if not mixture.phases:
        yield ".phases", "expected one phase or more"
    names = [phase.name for phase in mixture.phases]
    for index, phase in enumerate(mixture.phases):
        place = f".phases[{index}]"
        if phase.name in names[:index]:
            yield f"{place}.name", f"{phase.name!r} is the name of an earlier phase; change one"
        if (phase.tokens > 0) == (phase.steps > 0):
            yield place, "a phase lasts as long as either tokens or steps say, 1 or more"
        for name in phase.weights:
            if name not in mixture.components:
                known = ", ".join(mixture.components)
                yield f"{place}.weights.{name}", f"no such component, expected one of {known}"
        if not sum(phase.weights.values()):
            yield f"{place}.weights", "no component has a weight above 0"
    for name in mixture.components:
        if name not in used:
            yield f".components.{name}", "no phase gives it a weight; remove it or use it"


@dataclass(frozen=True)
class Rollback:
    """After step `at` the weights of step `to` were taken up again, without the components `skip`
    (a phase's name skips what is left of the phase)."""

    at: int
    to: int
    skip: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A stretch of the data in the order in which it is read.

    start    position of its first batch in the run's data
    steps    batches
    phase    its name
    weights  share of each component, adding up to 1
    """

    start: int
    steps: int
    phase: str
    weights: Mapping[str, float] = field(default_factory=dict)


def phase_steps(mixture: Mixture, tokens_per_step: float) -> list[int]:
    """Steps of each phase: as stated, or the nearest number that gives its tokens, at least 1.

    `tokens_per_step` is exact for packed blocks and an expectation for padded rows.
    """
    return [
        phase.steps or max(1, round(phase.tokens / tokens_per_step)) for phase in mixture.phases
    ]


def segments(
    mixture: Mixture, steps: Sequence[int], rollbacks: Sequence[Rollback] = ()
) -> tuple[Segment, ...]:
    """What a run reads from its first batch on, `steps` being those of each phase.

    Without rollbacks these are the phases. After a rollback from step `at` to step `to`, what was
    read stays read: the plan for the steps after `to` is laid behind it, without what is skipped.
    So batch n of the run is always the same data, and a resumed run reads what an unbroken one
    would have read.
    """
    plan = [
        (count, phase.name, phase.shares)
        for phase, count in zip(mixture.phases, steps, strict=True)
    ]
    read: list[tuple[int, str, dict[str, float]]] = []
    done = 0
    for rollback in rollbacks:
        read += _between(plan, done, rollback.at)
        skip = set(rollback.skip)
        plan = [
            (count, name, _without(shares, skip, name))
            for count, name, shares in _skip_phase(plan, rollback)
        ]
        done = rollback.to
    read += _between(plan, done, sum(count for count, _, _ in plan))
    out, start = [], 0
    for count, name, shares in read:
        out.append(Segment(start, count, name, shares))
        start += count
    return tuple(out)


_Plan = list[tuple[int, str, dict[str, float]]]


def _between(plan: _Plan, first: int, last: int) -> _Plan:
    """The part of a plan from step `first` to step `last`."""
    out, at = [], 0
    for count, name, shares in plan:
        low, high = max(first, at), min(last, at + count)
        if low < high:
            out.append((high - low, name, shares))
        at += count
    return out


def _skip_phase(plan: _Plan, rollback: Rollback) -> _Plan:
    """A skipped phase ends at the step that was rolled back to; the phase after it takes its
    steps, so that the run is as long as planned."""
    out: _Plan = []
    at = owed = 0
    for index, (count, name, shares) in enumerate(plan):
        end, last = at + count, index == len(plan) - 1
        if name in rollback.skip and end > rollback.to and not last:
            kept = max(0, rollback.to - at)
            owed += count - kept
            out.append((kept, name, shares))
        else:
            out.append((count + owed, name, shares))
            owed = 0
        at = end
    return [each for each in out if each[0]]


def _without(shares: dict[str, float], skip: set[str], phase: str) -> dict[str, float]:
    if not skip & shares.keys():
        return shares
    left = {name: share for name, share in shares.items() if name not in skip}
    if not left:
        raise HarnessError(
            f"the rollback skips {', '.join(sorted(skip))}, all that phase {phase!r} has; stop the "
            "run or change its mixture"
        )
    total = sum(left.values())
    return {name: share / total for name, share in left.items()}
