"""Parts of a report that a run may lack: gaps and demand, training, arena, judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.report.page import charts
from harness.report.page.curves import Subject
from harness.report.page.drawing import Figure

# Samples of the round that demand is shown for, as shares; and points of a training curve.
_ROUND = 10_000
_MOST_POINTS = 600


@dataclass(frozen=True)
class ArenaSection:
    """Ratings of one kind of battle, and adjusted win rates of each model against each."""

    kind: str
    battles: int
    figure: Figure
    rows: tuple[dict[str, Any], ...]
    models: tuple[str, ...]
    matrix: dict[tuple[str, str], float]


@dataclass(frozen=True)
class GapSection:
    """What lags and the data that would close it.

    rows    of `report.gaps.row`, genres alone, ranked
    demand  share of the next round's samples by genre, 0.0 to 1.0
    """

    headline: str
    target: str
    rows: tuple[dict[str, Any], ...]
    demand: dict[str, float]


@dataclass(frozen=True)
class TrainingSection:
    """What the run said of itself: training loss, held-out loss by genre, and what was odd."""

    figures: tuple[Figure, ...]
    events: tuple[str, ...]


def gaps_section(
    path: Path, subject: Subject, target: str | None, suites: Sequence[str]
) -> GapSection | None:
    """The last checkpoint's gaps; nothing where there is nothing to measure it by."""
    from harness.gaps.measure import measure_gaps
    from harness.gaps.next_round import next_round
    from harness.gaps.target import BEST, find_sides
    from harness.report.gaps import headline, row

    latest = next((panel.latest for panel in subject.panels if panel.latest is not None), None)
    if latest is None:
        return None
    try:
        sides = find_sides(
            path, latest.fingerprint, target or next(iter(subject.rivals), BEST), suites
        )
    except HarnessError:
        if target is not None:
            raise
        return None
    found = measure_gaps(path, sides)
    lines = next_round(path, found, _ROUND).lines
    whole = sum(line.samples for line in lines) or 1
    demand: dict[str, float] = {}
    for line in lines:
        demand[line.genre] = demand.get(line.genre, 0.0) + line.samples / whole
    return GapSection(
        headline(found), found.target, tuple(row(one) for one in found.genres), demand
    )


def training_section(path: Path, subject: Subject) -> TrainingSection | None:
    from harness.report.training import training_health
    from harness.store.training import training_curves

    name = subject.run.name if subject.run is not None else subject.name
    curves = training_curves(path, name)
    if not curves.lines:
        return None
    loss = [(float(one.step), one.loss) for one in curves.lines if one.loss is not None]
    drawn = []
    if len(loss) > 1:
        few = loss[:: max(1, len(loss) // _MOST_POINTS)]
        drawn.append(
            charts.lines({"training loss": few}, "training-loss", "Training loss", "nats a token")
        )
    held_out = {
        genre: [(float(step), value) for step, value in points]
        for genre, points in curves.genre_losses.items()
        if len(points) > 1
    }
    if held_out:
        drawn.append(
            charts.lines(held_out, "held-out-loss", "Held-out loss by genre", "nats a token")
        )
    health = training_health(path, name)
    events = [event for one in health.stretches for event in one.events]
    events += [f"loss spike at step {one.step:,}" for one in health.spikes]
    events += [
        f"gradient norm out of the ordinary at step {one.step:,}" for one in health.gradients
    ]
    return TrainingSection(tuple(drawn), tuple(events))


def arena_section(path: Path, subject: Subject) -> tuple[ArenaSection, ...]:
    """Boards of battles in which the subject or one of its checkpoints took part."""
    from harness.report.arena import Wanted, arena_boards, pairings
    from harness.store import battles
    from harness.store.battles import Selection

    kinds = battles.kinds(path)
    if not kinds:
        return ()
    own = {subject.name, *subject.rivals}
    own |= {point.checkpoint for panel in subject.panels for point in panel.total.points}
    try:
        boards, _ = arena_boards(path, Selection(), Wanted(), by_genre=False)
    except HarnessError:
        return ()
    found = []
    for number, board in enumerate(boards):
        rows = [one.to_dict() for one in board.ratings.rows]
        if not own & {row["model"] for row in rows}:
            continue
        table = battles.load_table(path, Selection(kinds=board.kinds))
        met = pairings(table)
        found.append(
            ArenaSection(
                "+".join(board.kinds),
                board.battles,
                charts.ratings(rows, f"ratings-{number}"),
                tuple(rows),
                tuple(row["model"] for row in rows),
                {(one.model, one.opponent): one.rate.mean * 100 for one in met},
            )
        )
    return tuple(found)


def judge_rows(subject: Subject, path: Path) -> tuple[dict[str, Any], ...]:
    """What is known of each judge from the subject's own evaluations: calls, failures, noise."""
    from harness.report.judged import judged_boards, to_dict

    latest = {panel.latest.id for panel in subject.panels if panel.judge and panel.latest}
    if not latest:
        return ()
    boards, _ = judged_boards(path, every_checkpoint=True)
    rows = [to_dict(board, one) for board in boards for one in board.standings]
    return tuple(row for row in rows if row["evaluation"] in latest and row["judge"])
