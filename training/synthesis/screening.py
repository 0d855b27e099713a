"""What every candidate goes through after its generator: proof, filters, decontamination against
all evaluation items, and near-duplicates over all rounds; each drop has its stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

from harness.gaps.plan import Line
from harness.scoring.code.types import Runner
from training.synthesis.decontaminate import Decontamination, Match
from training.synthesis.near_duplicates import THRESHOLD, NearDuplicates
from training.synthesis.types import Dropped, Filter, Proof, Sample
from training.synthesis.verify import prove

VERIFICATION, CONTAMINATION, DUPLICATES = "verification", "decontamination", "near-duplicates"

Outcome = Sample | Dropped

# Of the closest pairs so many of each kind are shown.
SHOWN = 10


class Index(Protocol):
    """Texts seen so far. `admit` takes in those that are like none of them or of each other, and
    says for each of the rest the number of the earlier text that it copies (None: it is new).
    `thresholds` says for each text how much alike is a copy; at 1 only an equal text is one."""

    def admit(
        self, texts: Sequence[str], thresholds: Sequence[float] | None = None
    ) -> Sequence[int | None]: ...


# For each text, why it is too near to an evaluation item, or None.
Decontaminate = Callable[[Sequence[str]], Sequence[str | None]]


@dataclass(frozen=True)
class Close:
    """A sample that was kept, and what it is most like: an earlier sample, or an evaluation item
    by its suite and id; `similarity` is the share of n-grams, 0 to 1."""

    text: str
    like: str
    similarity: float


@dataclass(frozen=True)
class Screen:
    """What a round's samples must pass besides verification.

    filters        by name, in order
    decontaminate  compares with every item of every evalset
    index          of near-duplicates; it grows
    evalsets       how many items of each evalset were compared with, for the record
    closest        the kept samples that are most like another one, or like an evaluation item

    Near-duplicates come last, so that the index holds exactly what was kept: no sample is lost to
    a copy that is not there, and a resumed round builds the same index from its own samples.
    """

    filters: Mapping[str, Filter]
    decontaminate: Decontaminate
    index: Index
    evalsets: Mapping[str, int]
    closest: Callable[[], Sequence[Close]] = tuple

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that a kept sample has passed, in order."""
        return (VERIFICATION, *self.filters, CONTAMINATION, DUPLICATES)


def filters() -> dict[str, Filter]:
    """The filters of samples, by name, in order; verification is a stage of its own."""
    from training.synthesis.filters import FILTERS

    return {name: check for name, check in FILTERS.items() if name != VERIFICATION}


def examined(
    outcomes: Iterable[Outcome], line: Line, filters: Mapping[str, Filter]
) -> list[Outcome]:
    """Verification and filters: all that looks at one sample alone, so that any process can do it.
    A kept sample carries the proof that was made here."""
    return [_examined(one, line, filters) if isinstance(one, Sample) else one for one in outcomes]


def _examined(sample: Sample, line: Line, filters: Mapping[str, Filter]) -> Outcome:
    found = proof_of(sample, line)
    if not found.passed:
        return Dropped(VERIFICATION, f"{found.method}: {found.detail}", sample.text)
    kept = replace(sample, proof=found)
    for name, check in filters.items():
        if (reason := check(kept)) is not None:
            return Dropped(name, reason, sample.text)
    return kept


def proof_of(sample: Sample, line: Line) -> Proof:
    """`prove` with this process's sandbox where the sample needs one."""
    needs_sandbox = sample.item is not None and sample.item.code is not None
    return prove(sample, line, _runner() if needs_sandbox else None)


@cache
def _runner() -> Runner | None:
    from harness.protocols.catalogue import code_runner

    return code_runner()


def passed(screen: Screen, outcomes: Sequence[Outcome], wanted: int) -> list[Outcome]:
    """The fates of examined candidates, in their order, by decontamination and then by
    near-duplicates, up to the one with which `wanted` are kept.

    What comes after that is neither kept, nor counted, nor in the index, so that the size of a
    chunk decides nothing.
    """
    clean = _decontaminated(screen, outcomes)
    fates: list[Outcome] = []
    kept = 0
    while kept < wanted and len(fates) < len(clean):
        # No more than are still wanted are shown to the index at once, for it takes them in.
        batch = _reaching(clean[len(fates) :], wanted - kept)
        samples = [one for one in batch if isinstance(one, Sample)]
        copies = iter(_copies(screen.index, samples))
        for one in batch:
            copy = next(copies) if isinstance(one, Sample) else None
            fates.append(one if copy is None else Dropped(DUPLICATES, f"copies {copy}", one.text))
            kept += isinstance(fates[-1], Sample)
    return fates


def _decontaminated(screen: Screen, outcomes: Sequence[Outcome]) -> list[Outcome]:
    texts = [one.text for one in outcomes if isinstance(one, Sample)]
    reasons = iter(screen.decontaminate(texts) if texts else ())
    found: list[Outcome] = []
    for one in outcomes:
        reason = next(reasons) if isinstance(one, Sample) else None
        found.append(one if reason is None else Dropped(CONTAMINATION, reason, one.text))
    return found


def _reaching(outcomes: Sequence[Outcome], samples: int) -> Sequence[Outcome]:
    """The beginning that holds so many samples, or all."""
    for place, one in enumerate(outcomes, start=1):
        samples -= isinstance(one, Sample)
        if not samples:
            return outcomes[:place]
    return outcomes


def _copies(index: Index, samples: Sequence[Sample]) -> Sequence[int | None]:
    """Programs share templates by design, and their samples differ in numbers and names: of them
    only an equal one is a copy."""
    thresholds = [THRESHOLD if one.origin.teacher else 1.0 for one in samples]
    return index.admit([one.text for one in samples], thresholds) if samples else ()


def open_screen(
    store: Path | None = None, paths: Sequence[Path] = (), seeds: Sequence[int] = (0,)
) -> Screen:
    """The screen with every filter, against every evalset of this project, its probes at these
    seeds, all that a store has asked and imported, and benchmarks on disk.

    Raises HarnessError where any of these cannot be read: what was not compared with the
    evaluation items must not be trained on.
    """

    return screen_against(Decontamination.build(store, paths, seeds))


def screen_against(against: Decontamination) -> Screen:
    """The screen with every filter, an empty index, and these evaluation items."""

    def reasons(texts: Sequence[str]) -> list[str | None]:
        return [None if one is None else _told(one) for one in against.check(texts)]

    index = NearDuplicates()

    def closest() -> list[Close]:
        copies = [
            Close(index.texts[one.number], index.texts[one.earlier], one.similarity)
            for one in index.report(SHOWN)
        ]
        near = [
            Close(one.text, f"{one.match.suite} {one.match.item}", one.match.overlap)
            for one in against.report(SHOWN)
        ]
        return [*copies, *near]

    held = {(one.suite, one.item) for one in against.texts}
    counts = Counter(suite for suite, _ in held)
    return Screen(filters(), reasons, index, dict(sorted(counts.items())), closest)


def _told(match: Match) -> str:
    return f"{match.suite} {match.item}: {match.method} {match.overlap:.0%}"
