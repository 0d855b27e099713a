"""What changed in training where a metric broke, and what else changed in the answers: suspicions
and symptoms, never proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from harness.regression.causes import mixture_changes
from harness.runs import Stage
from harness.store.database import connect
from harness.store.pruned import rows_of

Kind = Literal["entered", "left", "share", "phase", "learning rate"]
# Answers read for symptoms, of each checkpoint; the rest would tell no more.
_MOST_ANSWERS = 2000


@dataclass(frozen=True)
class Suspicion:
    """One thing that lineage says changed between two neighbouring checkpoints.

    what           the corpus or shard, the new phase, or ""
    before, after  its share of the mixture, or the learning rate; None for a phase
    since, step    the checkpoints that it changed between
    """

    kind: Kind
    what: str
    before: float | None
    after: float | None
    since: int
    step: int

    @property
    def sentence(self) -> str:
        place = f"between steps {self.since} and {self.step}"
        if self.kind == "phase":
            return f"phase {self.what!r} began {place}"
        if self.kind == "learning rate":
            return f"the learning rate went from {self.before:.3g} to {self.after:.3g} {place}"
        if self.kind == "entered":
            return f"{self.what} entered the mixture at {self.after:.1%} {place}"
        if self.kind == "left":
            return f"{self.what}, {self.before:.1%} before, left the mixture {place}"
        return f"{self.what} went from {self.before:.1%} to {self.after:.1%} {place}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return asdict(self) | {"sentence": self.sentence}


@dataclass(frozen=True)
class MovedTrait:
    """A trait of the answers that moved together with a drop; p two-sided, over common items."""

    name: str
    before: float
    after: float
    p: float

    @property
    def sentence(self) -> str:
        if self.name == "characters":
            longer = "longer" if self.after > self.before else "shorter"
            return f"answers {longer}: {self.before:.0f} → {self.after:.0f} characters"
        return f"{self.name}: {self.before:.1%} → {self.after:.1%}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return asdict(self) | {"sentence": self.sentence}


def suspicions(stages: Sequence[Stage], earliest: int, latest: int) -> list[Suspicion]:
    """What lineage says changed between neighbouring checkpoints from step `earliest` to `latest`,
    the largest change of the mixture first.

    Of the mixture, what `regression.causes.mixture_changes` names. A learning rate is named
    where it rose, or fell to less than half: schedules lower it a little at every step.
    """
    found: list[Suspicion] = []
    within = [stage for stage in stages if earliest <= stage.step <= latest]
    for old, new in pairwise(within):
        here = (old.step, new.step)
        if old.mixture and new.mixture:
            found += [
                Suspicion(cause.kind, cause.source, cause.before, cause.after, *here)
                for cause in mixture_changes(old.mixture, new.mixture, str(old.step))
            ]
        if new.phase is not None and old.phase is not None and new.phase != old.phase:
            found.append(Suspicion("phase", new.phase, None, None, *here))
        if old.learning_rate is not None and new.learning_rate is not None:
            before, after = old.learning_rate, new.learning_rate
            if after > before or after < before / 2:
                found.append(Suspicion("learning rate", "", before, after, *here))
    return sorted(found, key=_size, reverse=True)


def suspects(stages: Sequence[Stage], earliest: int, latest: int, since: int) -> list[Suspicion]:
    """`suspicions` where a metric broke; where nothing changed there, those of the nearest change
    before it, back to step `since`: a new corpus may show in the scores checkpoints late."""
    found = suspicions(stages, earliest, latest)
    steps = sorted({stage.step for stage in stages if since <= stage.step <= earliest})
    for before, after in reversed(list(pairwise(steps))):
        found = found or suspicions(stages, before, after)
    return found


def _size(found: Suspicion) -> float:
    # A phase or a learning rate has no weight: after the mixture's large changes, before its small.
    if found.kind in ("phase", "learning rate") or found.before is None or found.after is None:
        return 0.1
    return abs(found.after - found.before)


def symptoms(
    store: Path, before: str, after: str, genre: str, dataset: str = "all"
) -> list[MovedTrait]:
    """Traits of the answers to a genre that differ between two evaluations, over common items.

    Repetition and answers cut off at the limit are symptoms where they rise, the share of Japanese
    where it falls, the length either way; each by a paired t-test, kept where Benjamini and
    Hochberg's correction over the four stays within 5 %.
    """
    from harness.statistics import benjamini_hochberg, paired_data, paired_difference

    old, new = (_traits(store, one, genre, dataset) for one in (before, after))
    common = sorted(old.keys() & new.keys())
    if len({old[item][0] for item in common}) < 2:
        return []
    clusters = [old[item][0] for item in common]
    found = []
    for name in _TRAITS:
        first, second = ([table[item][1][name] for item in common] for table in (old, new))
        scale = max(1.0, *first, *second)
        moved = paired_difference(paired_data(first, second, clusters, scale))
        means = (sum(first) / len(common), sum(second) / len(common))
        found.append(MovedTrait(name, *means, moved.p_two_sided))
    corrected = benjamini_hochberg([one.p for one in found])
    return [
        one
        for one, p in zip(found, corrected, strict=True)
        if p <= 0.05 and _is_bad(one.name, one.after - one.before)
    ]


def _is_bad(name: str, change: float) -> bool:
    if name == "characters":
        return change != 0
    return change < 0 if name == "share of Japanese" else change > 0


def _repetitive(text: str, reason: str) -> float:
    from harness.scoring.repetition import is_repetitive

    return float(is_repetitive(text))


def _japanese(text: str, reason: str) -> float:
    from harness.scoring.language import japanese_share

    return japanese_share(text)


_TRAITS: dict[str, Callable[[str, str], float]] = {
    "repetitive answers": _repetitive,
    "share of Japanese": _japanese,
    "answers cut off at the limit": lambda text, reason: float(reason == "length"),
    "characters": lambda text, reason: float(len(text)),
}


def _traits(
    store: Path, evaluation: str, genre: str, dataset: str
) -> dict[str, tuple[str, dict[str, float]]]:
    """(cluster, mean of each trait over samples and turns) by item."""
    with connect(store, read_only=True) as connection:
        rows = connection.execute(
            "SELECT i.hash, coalesce(i.cluster, i.hash), g.text, g.finish_reason "
            "FROM requests r JOIN items i ON i.hash = r.item_hash "
            f"JOIN {rows_of('generations')} g USING (key) "
            "WHERE r.evaluation IN (SELECT unnest($ids)) AND r.kind = 'answer' "
            "AND g.finish_reason <> 'error' AND i.genre = $genre "
            "AND ($dataset = 'all' OR i.dataset = $dataset) ORDER BY i.hash, g.key LIMIT $most",
            {"ids": [evaluation], "genre": genre, "dataset": dataset, "most": _MOST_ANSWERS},
        ).fetchall()
    answers: dict[str, list[tuple[str, str]]] = {}
    clusters: dict[str, str] = {}
    for item, cluster, text, reason in rows:
        answers.setdefault(item, []).append((text, reason))
        clusters[item] = cluster
    return {
        item: (
            clusters[item],
            {
                name: sum(trait(*one) for one in given) / len(given)
                for name, trait in _TRAITS.items()
            },
        )
        for item, given in answers.items()
    }
