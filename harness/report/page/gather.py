"""Reads everything that a report shows from the store, into the values that the template prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.report.page import charts, figures
from harness.report.page.curves import TOTAL, Panel, Subject, collect, over_tokens
from harness.report.page.drawing import Figure
from harness.report.page.headline import Headline, Tone, headline, spans
from harness.report.page.items import Rows, answer_rows, flip_rows
from harness.report.page.loop import LoopSection, loop_section
from harness.report.page.sections import (
    ArenaSection,
    GapSection,
    TrainingSection,
    arena_section,
    gaps_section,
    judge_rows,
    training_section,
)

if TYPE_CHECKING:
    from harness.regression.compare import Comparison
    from harness.run_regressions import Analysis

# Items of a suite whose answers are shown, broken and mended each.
MOST_ITEMS = 20_000
# Datasets or metrics that have a figure of their own in one suite; the heat map has them all.
_MOST_CURVES = 24


@dataclass(frozen=True)
class SuiteSection:
    """One suite's figures: its total, each genre, genre by checkpoint, genres against rivals."""

    panel: Panel
    total: Figure | None
    mixture: Figure | None
    genres: tuple[Figure, ...]
    heat: Figure | None
    radar: Figure | None
    bars: Figure | None
    formats: tuple[dict[str, Any], ...]
    left_out: int

    @property
    def every(self) -> list[Figure]:
        single = (self.total, self.mixture, self.heat, self.radar, self.bars)
        return [one for one in (*single, *self.genres) if one is not None]


@dataclass(frozen=True)
class Page:
    """A whole report.

    loop      of the run, where it is trained by one
    verdicts  the comparison's rows on the metrics that rank, suite by suite
    made      how each number was made: one row an evaluation
    rests_on  ids of the evaluations that the page compares or shows answers of; `harness prune`
              finds them in the file and keeps them
    """

    title: str
    made_at: datetime
    subject: Subject
    headline: Headline
    loop: LoopSection | None
    sections: tuple[SuiteSection, ...]
    verdicts: tuple[dict[str, Any], ...]
    compared: tuple[str, str] | None
    gaps: GapSection | None
    training: TrainingSection | None
    arena: tuple[ArenaSection, ...]
    judges: tuple[dict[str, Any], ...]
    rows: Rows | None
    made: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    rests_on: tuple[str, ...] = ()

    @property
    def tone(self) -> Tone:
        """The worse of the run's and its loop's."""
        order: tuple[Tone, ...] = ("bad", "unsure", "good")
        tones = [self.headline.tone, *([self.loop.verdict.tone] if self.loop else [])]
        return min(tones, key=order.index)

    @property
    def figures(self) -> list[Figure]:
        found = list(self.loop.figures) if self.loop is not None else []
        found += [figure for section in self.sections for figure in section.every]
        found += self.training.figures if self.training is not None else ()
        return found + [one.figure for one in self.arena]


def gather(
    path: Path,
    names: Sequence[str],
    *,
    suites: Sequence[str] = (),
    base: str | None = None,
    target: str | None = None,
    tokens: bool = False,
    title: str | None = None,
) -> Page:
    """The report on a run, a checkpoint or an evaluation, beside rivals; see `curves.collect`.

    base  what the last checkpoint is compared with; left out, for a run the checkpoint before its
          last break where one lasts, else the checkpoint before the last

    target  what gaps are measured to, as in `harness gaps`; left out, the first rival or the best

    tokens  draw over tokens seen instead of steps

    Raises HarnessError for unknown names, where nothing is scored, and where tokens are not known.
    """
    from harness.store.regressions import rolled_back_regressions

    subject = collect(path, names, suites)
    if tokens:
        subject = replace(subject, panels=tuple(map(over_tokens, subject.panels)))
    analysis = _analysis(path, subject)
    comparison = _comparison(path, subject, analysis, base, suites)
    sections = tuple(
        _section(path, subject, analysis, number, panel)
        for number, panel in enumerate(subject.panels)
    )
    return Page(
        title or f"{subject.name}: report",
        datetime.now(UTC),
        subject,
        headline(subject, analysis, comparison, rolled_back_regressions(path, subject.name)),
        loop_section(path, subject.name, suites),
        sections,
        _verdicts(comparison),
        _sides(comparison),
        gaps_section(path, subject, target, suites),
        training_section(path, subject),
        arena_section(path, subject),
        judge_rows(subject, path),
        _rows(path, subject, comparison),
        _made(subject),
        (*subject.notes, *(analysis.run.notes if analysis is not None else ())),
        _rests_on(subject, comparison),
    )


def _rests_on(subject: Subject, comparison: Comparison | None) -> tuple[str, ...]:
    ids = [panel.latest.id for panel in subject.panels if panel.latest is not None]
    for suite in comparison.suites if comparison is not None else ():
        ids += [row.id for row in (*suite.pair.bases, suite.pair.cand)]
    return tuple(dict.fromkeys(ids))


def _analysis(path: Path, subject: Subject) -> Analysis | None:
    if subject.run is None:
        return None
    from harness.run_regressions import analyse

    return analyse(subject.run, path, keep=False)


def _comparison(
    path: Path,
    subject: Subject,
    analysis: Analysis | None,
    base: str | None,
    suites: Sequence[str],
) -> Comparison | None:
    from harness.regression.compare import compare
    from harness.regression.pairing import named_evaluations
    from harness.regression.policy_file import load_policy

    latest = [panel.latest for panel in subject.panels if panel.latest is not None]
    if not latest:
        return None
    cand = [row for row in latest if row.fingerprint == latest[-1].fingerprint]
    name = base or _before(subject, analysis) or next(iter(subject.rivals), None)
    if name is None:
        return None
    try:
        bases = [named_evaluations(path, name)]
        return compare(path, bases, cand, load_policy(None, ()), suites=suites)
    except HarnessError:
        if base is not None:
            raise
        return None


def _before(subject: Subject, analysis: Analysis | None) -> str | None:
    """The checkpoint that the last one should be compared with."""
    by_step = {
        point.step: point.checkpoint for panel in subject.panels for point in panel.total.points
    }
    steps = sorted(by_step)
    if subject.run is None or len(steps) < 2:
        return None
    lasting = [
        account.incident.findings[0].before
        for account in (analysis.accounts if analysis is not None else ())
        if account.incident.recovered is None
    ]
    good = max((step for step in lasting if step in by_step and step < steps[-1]), default=None)
    return by_step[steps[-2] if good is None else good]


def _section(
    path: Path, subject: Subject, analysis: Analysis | None, number: int, panel: Panel
) -> SuiteSection:
    several = len(panel.steps) > 1
    genres = [one for one in panel.curves if one.genre != TOTAL]
    shown = _most_telling(genres, analysis)
    drawn = [
        figures.trajectory(
            panel,
            curve,
            spans(subject, analysis, panel, curve.genre),
            f"curve-{number}-{at}",
        )
        for at, curve in enumerate(shown)
        if several and len(curve.points) > 1
    ]
    formats, bars = _formats(path, panel, number)
    return SuiteSection(
        panel,
        figures.trajectory(
            panel,
            panel.total,
            spans(subject, analysis, panel, TOTAL),
            f"total-{number}",
            wide=True,
        )
        if several
        else None,
        _mixture(subject, panel) if several and number == 0 else None,
        tuple(drawn),
        figures.heat_map(panel) if several else None,
        charts.radar(panel),
        bars,
        formats,
        len(genres) - len(shown),
    )


def _most_telling(curves: Sequence[Any], analysis: Analysis | None) -> list[Any]:
    """The curves that get a figure: all where there is room, else those that broke and then those
    that moved most against their own interval."""
    if len(curves) <= _MOST_CURVES:
        return list(curves)
    broken = {
        finding.metric
        for account in (analysis.accounts if analysis is not None else ())
        for finding in account.incident.findings
    }

    def rank(curve: Any) -> tuple[bool, float]:
        means = [point.mean for point in curve.points]
        return curve.genre not in broken, min(means) - max(means)

    return sorted(curves, key=rank)[:_MOST_CURVES]


def _mixture(subject: Subject, panel: Panel) -> Figure | None:
    stages = [(one.step, one.mixture) for one in subject.stages if one.mixture]
    # A mixture that never changes tells nothing by a figure.
    if len({tuple(sorted(shares.items())) for _, shares in stages}) < 2:
        return None
    return figures.mixture(panel, stages)


def _formats(
    path: Path, panel: Panel, number: int
) -> tuple[tuple[dict[str, Any], ...], Figure | None]:
    """The latest evaluation's points lost to format, by dataset or genre."""
    if panel.latest is None or panel.unit != "%":
        return (), None
    from harness.report.formats import format_report

    gaps = [one for one in format_report(path, panel.latest).gaps if "strict" in one.scores]
    rows = tuple(
        {
            "dataset": one.dataset,
            "strict": one.scores["strict"].mean * 100,
            "lost": (one.lost.mean if one.lost is not None else 0.0) * 100,
            "choice": one.scores["choice"].mean * 100 if "choice" in one.scores else None,
            "format": one.scores["format"].mean * 100 if "format" in one.scores else None,
            "shapes": [(shape.shape, shape.count) for shape in one.shapes[:3]],
            "failures": one.failures,
        }
        for one in gaps
    )
    if not any(row["lost"] or row["choice"] is not None for row in rows):
        return rows, None
    return rows, charts.format_bars(rows, f"format-{number}")


def _verdicts(comparison: Comparison | None) -> tuple[dict[str, Any], ...]:
    if comparison is None:
        return ()
    from harness.report.comparison import row

    return tuple(
        row(one)
        for suite in comparison.suites
        for one in suite.verdicts
        if one.measured.metric == suite.ranking and one.measured.dataset == "all"
    )


def _sides(comparison: Comparison | None) -> tuple[str, str] | None:
    if comparison is None:
        return None
    pair = comparison.suites[0].pair
    return pair.base.checkpoint, pair.cand.checkpoint


def _rows(path: Path, subject: Subject, comparison: Comparison | None) -> Rows | None:
    if comparison is not None:
        from harness.regression.flips import find_flips

        pair = comparison.suites[0].pair
        flips = [one for part in find_flips(path, comparison.suites, MOST_ITEMS) for one in part]
        return flip_rows(flips, pair.base.checkpoint, pair.cand.checkpoint)
    latest = next((panel.latest for panel in subject.panels if panel.latest is not None), None)
    if latest is None:
        return None
    return answer_rows(path, latest.id, latest.suite, latest.checkpoint)


def _made(subject: Subject) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "suite": panel.suite,
            "protocol": panel.protocol,
            "protocol_hash": panel.latest.protocol_hash[:12],
            "items_hash": panel.latest.items_hash[:12],
            "items": panel.latest.items,
            "samples": panel.latest.samples,
            "judge": panel.judge or "none: decided by rule",
            "engine": panel.latest.engine or "",
            "checkpoint": panel.latest.checkpoint,
            "fingerprint": panel.latest.fingerprint[:12],
            "evaluation": panel.latest.id[:12],
            "done": panel.latest.done,
            "failed": panel.latest.failed,
            "finished": panel.latest.finished_at,
        }
        for panel in subject.panels
        if panel.latest is not None
    )
