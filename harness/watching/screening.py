"""Judges a checkpoint against pooled good ones: a cheap screen, then fresh samples where it flags.

Pure: tables of scores in, verdicts out. The screen compares one sample an item with the baseline at
a generous level, and so does a look at the first fresh samples; both only choose what to ask more
of. The verdict rests on fresh samples alone, is corrected by Holm over every genre watched, flagged
or not, and held against the share of the run's α that this checkpoint may spend. Looks that can
only acquit cost no α (as with a non-binding futility bound; Jennison and Turnbull 2000, chapter 5),
so the chance of any false alarm in a whole run stays within it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from harness.statistics import Decision, PairedDifference, decide_paired, holm
from harness.statistics.noise import CheckpointNoise
from harness.statistics.paired import paired_data, paired_difference
from harness.store.watched import SampleScores

# (suite, genre), the scores of its items by item hash, and those of all genres of a checkpoint.
Genre = tuple[str, str]
Items = Mapping[str, SampleScores]
Table = Mapping[Genre, Items]
Which = Literal["first", "fresh", "mean"]


@dataclass(frozen=True)
class Policy:
    """How checkpoints are judged.

    samples  fresh answers an item for a genre that stays low, and for each anchor
    look     of these, how many are asked first; a genre no longer low then is let go
    pooled   last good checkpoints that the baseline is the mean of
    anchors  each so many good checkpoints, one gets all samples of every item
    screen   one-sided level of screen and look, not corrected: how readily more is asked
    alpha    chance of any false alarm over the whole run
    margin   a drop smaller than this does not matter
    planned  checkpoints that the run will have, if known: alpha is then spread evenly
    """

    samples: int = 8
    look: int = 2
    pooled: int = 4
    anchors: int = 16
    screen: float = 0.10
    alpha: float = 0.05
    margin: float = 0.05
    planned: int | None = None

    def __post_init__(self) -> None:
        if min(self.samples, self.look, self.pooled, self.anchors) < 1:
            raise ValueError("expected samples and checkpoints, one or more of each")
        if not (0 < self.screen < 0.5 and 0 < self.alpha < 0.5 and self.margin > 0):
            raise ValueError("expected levels between 0 and 0.5 and a margin above 0")


@dataclass(frozen=True)
class GenreVerdict:
    """What one genre of a checkpoint came to.

    screened   the decision on one sample an item, at the screen's level
    confirmed  the decision on fresh samples at this checkpoint's share of α, None if not flagged
    p          of the fresh samples, corrected over all genres; 1 if not flagged
    verdict    regressed; doubtful: p is within 5 %, as if this checkpoint were the only one, but
               not within its share of the run's; good
    """

    suite: str
    genre: str
    screened: Decision
    confirmed: Decision | None
    p: float
    verdict: Literal["regressed", "doubtful", "good"]
    items: int
    tau2: float

    @property
    def decision(self) -> Decision:
        return self.confirmed or self.screened

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {
            "screened": self.screened.to_dict(),
            "confirmed": self.confirmed.to_dict() if self.confirmed else None,
        }


def difference(
    baseline: Sequence[Items],
    candidate: Items,
    which: Which,
) -> PairedDifference | None:
    """The paired change over the items that the candidate and every baseline checkpoint have; None
    for fewer than two clusters. A baseline item is the mean of its checkpoints' means."""
    base: list[float] = []
    cand: list[float] = []
    clusters: list[str] = []
    for item, scores in candidate.items():
        value = getattr(scores, which)
        before = [table[item].mean for table in baseline if item in table]
        known = [mean for mean in before if mean is not None]
        if value is not None and len(known) == len(baseline):
            base.append(sum(known) / len(known))
            cand.append(value)
            clusters.append(scores.cluster)
    if len(set(clusters)) < 2:
        return None
    return paired_difference(paired_data(base, cand, clusters))


def screen(
    baselines: Mapping[Genre, Sequence[Items]],
    candidate: Table,
    noise: Mapping[Genre, CheckpointNoise],
    policy: Policy,
) -> dict[Genre, tuple[PairedDifference, Decision]]:
    """Each genre's change on one sample an item, where it has a baseline: the scores of the last
    good checkpoints. A genre is flagged where p_regressed is below `policy.screen`."""
    found = {}
    for genre, scores in candidate.items():
        before = baselines.get(genre, ())
        moved = difference(before, scores, "first") if before else None
        if moved is not None:
            decision = _decide(moved, genre, len(before), noise, policy, policy.screen)
            found[genre] = (moved, decision)
    return found


def still_low(
    baselines: Mapping[Genre, Sequence[Items]],
    candidate: Table,
    flagged: Sequence[Genre],
    noise: Mapping[Genre, CheckpointNoise],
    policy: Policy,
) -> list[Genre]:
    """Those of the flagged genres that are low on their fresh samples so far, too."""
    low = []
    for genre in flagged:
        before = baselines[genre]
        moved = difference(before, candidate.get(genre, {}), "fresh")
        if moved is None:
            continue
        decision = _decide(moved, genre, len(before), noise, policy, policy.screen)
        if decision.p_regressed < policy.screen:
            low.append(genre)
    return low


def confirm(
    baselines: Mapping[Genre, Sequence[Items]],
    candidate: Table,
    screened: Mapping[Genre, tuple[PairedDifference, Decision]],
    flagged: Sequence[Genre],
    noise: Mapping[Genre, CheckpointNoise],
    policy: Policy,
    level: float,
) -> list[GenreVerdict]:
    """The verdict of each screened genre, from the fresh samples of those flagged.

    level  the share of the run's α that this checkpoint may spend
    """
    moved: dict[Genre, PairedDifference] = {}
    for genre in flagged:
        found = difference(baselines[genre], candidate.get(genre, {}), "fresh")
        if found is not None:
            moved[genre] = found
    order = list(screened)
    # Genres that were not flagged stand for a p of 1: they count, or the screen would be free.
    plain = [
        _decide(moved[genre], genre, len(baselines[genre]), noise, policy, 0.05).p_regressed
        if genre in moved
        else 1.0
        for genre in order
    ]
    corrected = dict(zip(order, holm(plain).tolist(), strict=True)) if order else {}
    verdicts = []
    for genre in order:
        suite, name = genre
        tau2 = noise[genre].tau2 if genre in noise else 0.0
        first, on_first = screened[genre]
        if genre not in moved:
            verdicts.append(GenreVerdict(suite, name, on_first, None, 1.0, "good", first.n, tau2))
            continue
        here = moved[genre]
        alone = _decide(here, genre, len(baselines[genre]), noise, policy, 0.05, corrected[genre])
        strict = _decide(here, genre, len(baselines[genre]), noise, policy, level, corrected[genre])
        verdict: Literal["regressed", "doubtful", "good"] = "good"
        if strict.verdict == "regressed":
            verdict = "regressed"
        elif alone.verdict == "regressed":
            verdict = "doubtful"
        verdicts.append(
            GenreVerdict(suite, name, on_first, strict, corrected[genre], verdict, here.n, tau2)
        )
    return verdicts


def checkpoint_noise(series: Mapping[Genre, Sequence[Table]]) -> dict[Genre, CheckpointNoise]:
    """τ² of each genre from the first samples of the run's checkpoints, in the order of steps;
    nothing for fewer than three checkpoints.

    series  the tables of the checkpoints that have the genre
    """
    import numpy as np

    from harness.statistics.noise import detrended_noise, pooled_noise
    from harness.statistics.series import item_series

    made = []
    for genre, tables in series.items():
        rows = [table[genre] for table in tables]
        common = [
            item
            for item in rows[0]
            if all(item in row and row[item].first is not None for row in rows)
        ]
        clusters = [rows[0][item].cluster for item in common]
        if len(rows) >= 3 and len(set(clusters)) >= 2:
            scores = np.array([[row[item].first for row in rows] for item in common], dtype=float)
            made.append((genre, item_series(str(genre), range(len(rows)), scores, clusters)))
    if not made:
        return {}
    pooled = pooled_noise(
        [detrended_noise(one.values) for _, one in made], [one.sampling() for _, one in made]
    )
    return {genre: noise for (genre, _), noise in zip(made, pooled, strict=True)}


def _decide(
    moved: PairedDifference,
    genre: Genre,
    pooled: int,
    noise: Mapping[Genre, CheckpointNoise],
    policy: Policy,
    level: float,
    corrected: float | None = None,
) -> Decision:
    own = noise.get(genre)
    return decide_paired(
        moved,
        policy.margin,
        own.tau2 if own else 0.0,
        pooled,
        level,
        p_regressed=corrected,
        **({"tau_df": own.df} if own else {}),
    )
