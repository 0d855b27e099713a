"""The closed loop in a report: what came of it, genre by genre and round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.report.loop import (
    LoopRound,
    ProofGain,
    loop_rounds,
    measured,
    proof_suites,
    stored_gains,
)
from harness.report.page.curves import TOTAL, Panel, Point, panels_of
from harness.report.page.drawing import Figure
from harness.report.page.loop_figures import Progress, Spot, progress_figure, shared_domain
from harness.report.page.loop_words import LoopVerdict, label, loop_verdict
from harness.store.loops import loop_stages

# Genres that have a figure of their own.
_MOST_FIGURES = 24


@dataclass(frozen=True)
class LoopSection:
    """A run's loop.

    suites   that prove; none where the record does not say, which stands for all
    level    of the intervals of its changes, 0.0 to 1.0; None without any
    figures  one a genre, those that lagged first;  left_out: genres without one
    """

    verdict: LoopVerdict
    suites: tuple[str, ...]
    level: float | None
    rounds: tuple[LoopRound, ...]
    gains: tuple[ProofGain, ...]
    figures: tuple[Figure, ...]
    left_out: int

    @property
    def spent(self) -> str:
        """Rolled back rounds and all."""
        tokens = sum(one.tokens for one in self.rounds)
        samples = sum(sum(one.samples.values()) for one in self.rounds)
        hours = sum(one.hours for one in self.rounds)
        dollars = sum(one.dollars for one in self.rounds)
        paid = f", ${dollars:,.2f} for judges" if dollars else ""
        return f"{tokens:,} tokens, {samples:,} synthesized samples, {hours:,.1f} hours{paid}"


def loop_section(path: Path, run: str, wanted: Sequence[str] = ()) -> LoopSection | None:
    """What the loop of a run came to; None where it has none.

    wanted  suites that the report is about, all when empty; of them those that prove are drawn
    """
    record = loop_stages(path, run)
    if not record:
        return None
    rounds = tuple(loop_rounds(record))
    suites = proof_suites(record)
    gains = tuple(stored_gains(path, record))
    drawn = [name for name in suites or wanted if not wanted or name in wanted]
    panels = panels_of(path, measured(record), drawn) if drawn or not suites else []
    found = _ordered(_progress(panels, rounds, gains), rounds)
    domains = {unit: shared_domain([one for one in found if one.unit == unit]) for unit in
               {one.unit for one in found}}  # fmt: skip
    most = max((count for one in found for count in one.samples.values()), default=0)
    shown = found[:_MOST_FIGURES]
    return LoopSection(
        loop_verdict(rounds, gains),
        suites,
        gains[0].level if gains else None,
        rounds,
        gains,
        tuple(
            progress_figure(one, rounds, domains[one.unit], most, f"loop-{number}")
            for number, one in enumerate(shown)
        ),
        len(found) - len(shown),
    )


def _progress(
    panels: Sequence[Panel], rounds: Sequence[LoopRound], gains: Sequence[ProofGain]
) -> list[Progress]:
    places = [
        (panel.suite, curve.genre)
        for panel in panels
        for curve in panel.curves
        if curve.genre != TOTAL
    ]
    told = {(one.suite, one.genre): one for one in gains}
    made = [one for one in rounds if one.made and one.samples]
    found = []
    for panel in panels:
        for curve in panel.curves:
            if curve.genre == TOTAL:
                continue
            points = {point.fingerprint: point for point in curve.points}
            found.append(
                Progress(
                    label(panel.suite, curve.genre, places),
                    panel.suite,
                    curve.genre,
                    panel.unit,
                    panel.highest,
                    _kept(rounds, points),
                    _gone(rounds, points),
                    {one.number: one.samples.get(curve.genre, 0) for one in made},
                    told.get((panel.suite, curve.genre)),
                )
            )
    return [one for one in found if one.kept or one.gone]


def _kept(rounds: Sequence[LoopRound], points: Mapping[str, Point]) -> tuple[Spot, ...]:
    """What stood after each round that moved the run on."""
    return tuple(
        Spot(one.number, points[one.standing.fingerprint])
        for one in rounds
        if one.outcome != "under way"
        and one.standing != one.began
        and one.standing.fingerprint in points
    )


def _gone(rounds: Sequence[LoopRound], points: Mapping[str, Point]) -> tuple[Spot, ...]:
    return tuple(
        Spot(one.number, points[one.trained.fingerprint])
        for one in rounds
        if one.outcome == "rolled back" and one.trained.fingerprint in points
    )


def _ordered(found: Sequence[Progress], rounds: Sequence[LoopRound]) -> list[Progress]:
    """Genres that lagged first, in the order in which the plans had them; then by their gain."""
    lagging = list(dict.fromkeys(genre for one in rounds for genre in one.lagging))

    def rank(one: Progress) -> tuple[int, float, str]:
        at = lagging.index(one.genre) if one.genre in lagging else len(lagging)
        return at, -one.gain.gain if one.gain is not None else 0.0, one.name

    return sorted(found, key=rank)
