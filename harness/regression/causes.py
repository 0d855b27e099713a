"""What may have caused a regression: what lineage says changed, and what moved with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harness.regression.compare import SuiteComparison
from harness.regression.measure import ALL, Measured, measure_pairs
from harness.statistics.multiplicity import benjamini_hochberg
from harness.store.lineage import origin
from harness.store.paired import symptom_scores

# A share of the mixture that moved by less is not worth naming.
_LEAST = 0.005
_LEVEL = 0.05


@dataclass(frozen=True)
class Cause:
    """One source of the mixture that changed: it entered, left, or its share moved.

    before, after  shares of the mixture, 0.0 to 1.0
    reference      the checkpoint whose mixture `before` is: the candidate's parent where the store
                   knows its mixture, else the baseline
    """

    kind: Literal["entered", "left", "share"]
    source: str
    before: float
    after: float
    reference: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        match self.kind:
            case "entered":
                return f"{self.source} entered the mixture at {self.after:.1%}"
            case "left":
                return f"{self.source} left the mixture (it was {self.before:.1%})"
            case "share":
                return f"{self.source} went from {self.before:.1%} to {self.after:.1%}"


@dataclass(frozen=True)
class Symptom:
    """A property of the answers that moved with a regression, on the paired items.

    genre  "all" or a genre;  p: two-sided, corrected over all properties and genres looked at
    """

    genre: str
    name: str
    base: float
    cand: float
    p: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def find_causes(path: Path, compared: SuiteComparison) -> tuple[Cause, ...]:
    """What changed in the mixture between the candidate's parent, or the baseline, and the
    candidate, the largest change first; nothing where lineage does not state both."""
    cand = origin(path, compared.pair.cand.fingerprint)
    if cand is None or not cand.mixture:
        return ()
    parent = origin(path, cand.parent) if cand.parent else None
    if parent is None or not parent.mixture:
        parent = origin(path, compared.pair.base.fingerprint)
    if parent is None or not parent.mixture or parent.fingerprint == cand.fingerprint:
        return ()
    return mixture_changes(parent.mixture, cand.mixture, parent.name)


def mixture_changes(
    before: Mapping[str, float], after: Mapping[str, float], reference: str
) -> tuple[Cause, ...]:
    """Sources whose share of the mixture changed, largest change first. Weights need not add up
    to 1: shares are compared."""
    old, new = _shares(before), _shares(after)
    found = []
    for source in sorted({*old, *new}):
        first, second = old.get(source, 0.0), new.get(source, 0.0)
        if abs(second - first) < _LEAST and (first > 0) == (second > 0):
            continue
        kind: Literal["entered", "left", "share"] = "share"
        if first == 0 or second == 0:
            kind = "entered" if first == 0 else "left"
        found.append(Cause(kind, source, first, second, reference))
    return tuple(sorted(found, key=lambda one: -abs(one.after - one.before)))


def _shares(mixture: Mapping[str, float]) -> dict[str, float]:
    total = sum(mixture.values())
    if total <= 0:
        return {}
    return {source: weight / total for source, weight in mixture.items() if weight > 0}


def find_symptoms(path: Path, compared: SuiteComparison) -> tuple[Symptom, ...]:
    """What moved with the regressions of a suite, most certain first; nothing where nothing
    regressed. Looked at over everything and in each genre that regressed: length, truncation and
    share of Japanese of the answers, and each class of failure."""
    regressed = {one.measured.genre for one in compared.verdicts if one.verdict == "regressed"}
    if not regressed:
        return ()
    pair = compared.pair
    scores = symptom_scores(
        path, [row.id for row in pair.bases], pair.cand.id, pair.cand.protocol_hash
    )
    found = [
        one
        for one in measure_pairs(pair.suite, scores)
        if one.dataset == ALL and one.genre in {ALL, *regressed} and one.test != "none"
    ]
    return _certain(found)


def _certain(found: Sequence[Measured]) -> tuple[Symptom, ...]:
    if not found:
        return ()
    corrected = benjamini_hochberg([min(1.0, one.change.p_two_sided) for one in found])
    kept = [
        Symptom(one.genre, one.metric, one.base, one.cand, float(p))
        for one, p in zip(found, corrected, strict=True)
        if p <= _LEVEL
    ]
    return tuple(sorted(kept, key=lambda one: one.p))
