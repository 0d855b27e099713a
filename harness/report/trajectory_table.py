"""Draws a run's regressions: where each broke, its curve, and what may explain it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from harness.run_regressions import Account, Analysis
    from harness.statistics.findings import Finding
    from harness.store.regressions import Regression

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDEST_CURVE = 40
_NAMED = 6
# Columns from which the curve and the noise stand in the table.
_WIDE = 110


def curve(values: Sequence[float], low: range, width: int = _WIDEST_CURVE) -> Text:
    """A series from its least to its greatest value, at most `width` blocks; those of the
    positions in `low` in red."""
    bottom, top = min(values), max(values)
    rise = (top - bottom) or 1.0
    count = min(width, len(values))
    text = Text()
    for column in range(count):
        first, last = column * len(values) // count, (column + 1) * len(values) // count
        part = range(first, max(first + 1, last))
        mean = sum(values[at] for at in part) / len(part)
        block = _BLOCKS[round((mean - bottom) / rise * (len(_BLOCKS) - 1))]
        text.append(block, "red" if any(at in low for at in part) else "cyan")
    return text


def print_analysis(console: Console, analysis: Analysis) -> None:
    run, report = analysis.run, analysis.report
    if not analysis.accounts:
        console.print(Text(f"{run.name}: no regression.", style="green"))
    else:
        console.print(_table(console, analysis))
        for number, account in enumerate(analysis.accounts, 1):
            _print_account(console, analysis, number, account)
    noisy = sorted(
        ((report.noise[one.metric].tau2 ** 0.5, one.metric) for one in run.series), reverse=True
    )
    shares = [tau for tau, _ in noisy if tau > 0]
    steps = {int(step) for one in run.series for step in one.steps}
    lines = [
        f"{len(run.series)} metrics at {len(steps)} checkpoints, {report.tests:,} comparisons; at "
        f"most {report.alpha:.0%} chance of any false regression in the whole run.",
    ]
    if shares:
        lines.append(
            f"Checkpoint noise τ beyond sampling error in {len(shares)} of {len(noisy)} metrics: "
            f"median {shares[len(shares) // 2]:.4f}, most {shares[0]:.4f} ({noisy[0][1]})."
        )
    else:
        lines.append("No metric shows checkpoint noise τ beyond its sampling error.")
    lines.append(f"z < −3 between neighbours, uncorrected, would report {analysis.naive}.")
    if all(one.steps.size < 3 for one in run.series):
        lines.append("Fewer than three checkpoints: their noise is unknown, nothing can be told.")
    console.print(Text("\n".join([*lines, *run.notes]), style="dim"))


def _table(console: Console, analysis: Analysis) -> Table:
    table = Table(
        title=f"{analysis.run.name}: regressions, strongest evidence first",
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("metric", overflow="fold", min_width=16)
    table.add_column("broke between", no_wrap=True)
    table.add_column("score", no_wrap=True)
    table.add_column("p of run", justify="right", no_wrap=True)
    table.add_column("course", no_wrap=True)
    wide = console.width >= _WIDE
    if wide:
        table.add_column("τ", justify="right", no_wrap=True)
        table.add_column("curve", no_wrap=True)
    for number, account in enumerate(analysis.accounts, 1):
        for place, finding in enumerate(account.incident.findings):
            cells = _cells(analysis, account, finding)
            if wide:
                noise = analysis.report.noise[finding.metric]
                room = max(8, min(_WIDEST_CURVE, console.width - 90))
                cells += [f"{noise.tau2**0.5:.3f}", _curve(analysis, finding, room)]
            table.add_row(str(number) if place == 0 else "", *cells)
            if not wide:
                table.add_row("", _curve(analysis, finding, 16))
    return table


def _cells(analysis: Analysis, account: Account, finding: Finding) -> list[Text | str]:
    run = analysis.run
    good, bad = (run.shown(finding.metric, value) for value in (finding.good, finding.bad))
    return [
        finding.metric,
        f"{finding.before} → {finding.after}",
        f"{_level(good)} → {_level(bad)}",
        _small(finding.p_run),
        _course(account, finding),
    ]


def _curve(analysis: Analysis, finding: Finding, room: int) -> Text:
    series = next((one for one in analysis.run.series if one.metric == finding.metric), None)
    if series is None:
        return Text("")
    steps = series.steps.tolist()
    end = len(steps) if finding.recovered is None else steps.index(finding.recovered)
    return curve(series.values.tolist(), range(steps.index(finding.after), end), room)


def _course(account: Account, finding: Finding) -> Text:
    if finding.recovered is not None:
        return Text(f"back at {finding.recovered}", style="yellow")
    text = Text(finding.persistence, style="bold red")
    status = account.status(finding)
    return text if status == "open" else Text(f"{finding.persistence}, {status}", style="yellow")


def _print_account(console: Console, analysis: Analysis, number: int, account: Account) -> None:
    incident = account.incident
    seed = incident.findings[0]
    lines = []
    if (seed.earliest, seed.latest) != (seed.before, seed.after):
        lines.append(f"broke within steps {seed.earliest} to {seed.latest} (95 %)")
    if incident.companions:
        names = [part.metric for part in incident.companions]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        lines.append(f"fell with it: {', '.join(names[:_NAMED])}{more} (of {incident.watched})")
    lines += [f"suspect: {one.sentence}" for one in account.suspicions]
    if account.stages and not account.suspicions:
        lines.append("nothing that lineage records changed there")
    lines += [f"symptom: {one.sentence}" for one in account.symptoms]
    lines += [f"regression {row.id[:8]} ({row.status})" for row in account.rows.values()]
    for place, line in enumerate(lines):
        head = f"{number:>2}  " if place == 0 else "    "
        console.print(Text(head + line, style="dim" if "suspect" not in line else ""))


def print_stored(console: Console, rows: Sequence[Regression]) -> None:
    """The regressions table."""
    if not rows:
        console.print("No regression is stored with that status.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("id", "run", "broke between", "what", "change", "status", "suspect"):
        table.add_column(heading, no_wrap=heading in ("id", "status", "change"), overflow="fold")
    for row in rows:
        change = row.evidence.get("change")
        cause = next((str(one.get("sentence", "")) for one in row.cause), "")
        fixed = row.fixed_at_step is not None
        status = f"fixed at {row.fixed_at_step}" if fixed else row.status
        table.add_row(
            row.id[:8],
            row.run or "",
            f"{row.baseline_step} → {row.step}",
            f"{row.suite} {row.place}",
            f"{change:+.3f}" if isinstance(change, (int, float)) else "",
            status + (f" ({row.note})" if row.note else ""),
            cause,
        )
    console.print(table)


def _level(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.2g}"


def _small(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
