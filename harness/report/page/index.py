"""The index of a folder of reports: every run and model of the store, its verdict, its report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.report.cells import sparkline, thin
from harness.report.page.curves import TOTAL
from harness.report.page.headline import Tone
from harness.report.standings import Board, boards
from harness.store.database import connect
from harness.store.queries import EvaluationRow, evaluations
from harness.store.regressions import Regression, regressions
from harness.store.watched import ROLLED_BACK

NAME = "index.html"
# Blocks of a curve.
_WIDEST = 32


@dataclass(frozen=True)
class Entry:
    """One run, or a model by itself.

    report   file name of its report in the folder, "" where there is none
    scores   (suite, latest total in percent, curve over steps)
    """

    name: str
    report: str
    verdict: str
    tone: Tone
    checkpoints: int
    latest: str
    scores: tuple[tuple[str, float, str], ...]
    measured_at: datetime


def report_name(subject: str) -> str:
    """The file name of a subject's report."""
    return f"{subject.replace('/', '-')}.html"


def write_index(path: Path, folder: Path) -> Path:
    """Writes the folder's index anew from the store, whole or not at all; returns its file."""
    from harness.report.page.render import render_index, write_text

    output = folder / NAME
    others = (
        sorted(one.name for one in folder.glob("*.html") if one.name != NAME)
        if folder.is_dir()
        else []
    )
    found = entries(path, folder)
    linked = {one.report for one in found}
    html = render_index(found, [name for name in others if name not in linked], datetime.now(UTC))
    write_text(html, output)
    return output


def entries(path: Path, folder: Path) -> list[Entry]:
    """Runs and models, the latest measured first."""
    members: dict[tuple[bool, str], list[EvaluationRow]] = defaultdict(list)
    for row in evaluations(path):
        is_run = row.run is not None and row.step is not None
        members[is_run, str(row.run) if is_run else row.checkpoint].append(row)
    scored, _ = boards(path, every_checkpoint=True)
    told = _watched(path)
    broken: dict[str | None, list[Regression]] = defaultdict(list)
    for one in regressions(path):
        broken[one.run].append(one)
    found = [
        _entry(folder, name, rows, scored, broken[name], told.get(name) if is_run else None)
        for (is_run, name), rows in members.items()
    ]
    return sorted(found, key=lambda one: one.measured_at, reverse=True)


def _entry(
    folder: Path,
    name: str,
    rows: Sequence[EvaluationRow],
    scored: Sequence[Board],
    broken: Sequence[Regression],
    watched: str | None,
) -> Entry:
    ids = {row.id for row in rows}
    scores = []
    for board in scored:
        own = [one.measured for one in board.standings if one.measured.evaluation.id in ids]
        own.sort(key=lambda one: one.evaluation.step or 0)
        if own:
            curve = thin([one.score.mean for one in own], _WIDEST)
            line = sparkline(curve, max(0.1, *curve)) if len(curve) > 1 else ""
            scores.append((board.suite, own[-1].score.mean * 100, line))
    last = max(rows, key=lambda row: (row.step or 0, row.started_at))
    report = report_name(name)
    verdict, tone = _verdict(broken, watched)
    return Entry(
        name,
        report if (folder / report).is_file() else "",
        verdict,
        tone,
        len({row.fingerprint for row in rows}),
        last.checkpoint,
        tuple(scores),
        max(row.finished_at or row.started_at for row in rows),
    )


def _verdict(rows: Sequence[Regression], watched: str | None) -> tuple[str, Tone]:
    """From the regressions that are kept and from `harness watch`; nothing is computed anew."""
    still = [row for row in rows if row.status == "open"]
    if still:
        places = ", ".join(sorted({f"{row.suite} {_place(row.genre)}" for row in still}))
        steps = {row.step for row in still if row.step is not None}
        since = f" since step {min(steps):,}" if steps else ""
        return f"regressed in {places}{since}", "bad"
    if watched == "inconclusive":
        return "newest checkpoint in doubt", "unsure"
    if rows:
        return f"no open regression, {len(rows)} closed or known", "good"
    if watched is not None:
        return "no regression so far", "good"
    return "not judged", "unsure"


def _place(genre: str) -> str:
    return TOTAL if genre == "all" else genre


def _watched(path: Path) -> dict[str, str]:
    """The verdict of `harness watch` on each run's newest checkpoint."""
    with connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT run, arg_max(verdict, (step, judged_at)) FROM watched "
            "WHERE NOT json_exists(evidence, ?) GROUP BY run",
            [ROLLED_BACK],
        ).fetchall()
    return dict(rows)
