"""Draws a comparison in the terminal: verdicts by genre, what would settle them, flipped items."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.regression.compare import Comparison, MetricVerdict, SuiteComparison
from harness.regression.flips import Flip, Unpaired, count_flips
from harness.regression.measure import ALL
from harness.report.comparison import Report
from harness.statistics.decide import Verdict

WIDE = 100
_STYLES: dict[Verdict, tuple[str, str]] = {
    "regressed": ("▼", "bold red"),
    "improved": ("▲", "green"),
    "held": ("=", "dim"),
    "inconclusive": ("?", "yellow"),
}
_OUTCOMES = {"pass": "bold green", "regression": "bold red", "inconclusive": "bold yellow"}
_NAMED = 5
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_ANSWER = 400


def print_comparison(console: Console, report: Report, every_metric: bool = False) -> None:
    """every_metric: every metric of every genre and dataset, not only the one that ranks and what
    changed."""
    comparison = report.comparison
    for compared, flips, unpaired, causes, symptoms in zip(
        comparison.suites,
        report.flips,
        report.unpaired,
        report.causes,
        report.symptoms,
        strict=True,
    ):
        _print_suite(console, compared, unpaired, every_metric)
        for cause in causes:
            console.print(Text(f"  suspect: {cause} (since {cause.reference})", style="magenta"))
        for symptom in symptoms:
            moved = _moved(symptom.name, symptom.base, symptom.cand)
            where = "" if symptom.genre == ALL else f" in {symptom.genre}"
            console.print(Text(f"  with it: {symptom.name}{where} {moved}", style="magenta"))
        for flip in flips:
            console.print(_flip(flip))
        console.print()
    console.print(Text(_caption(comparison), style="dim"))
    for side, rows in (("BASE", comparison.only_base), ("CAND", comparison.only_cand)):
        if rows:
            suites = ", ".join(row.suite for row in rows)
            console.print(Text(f"Only {side} has {suites}: not compared.", "yellow"))
    gate = comparison.gate
    console.print(Text(gate.outcome.upper(), style=_OUTCOMES[gate.outcome]))
    for reason in gate.reasons:
        console.print(Text(f"  {reason}"))


def shown(compared: SuiteComparison, every_metric: bool = False) -> list[MetricVerdict]:
    """The rows of a table: the ranking metric everywhere, of the others the overall mean and what
    changed; a genre of one dataset stands for it."""
    datasets: dict[tuple[str, str], int] = {}
    for one in compared.verdicts:
        key = (one.measured.genre, one.measured.metric)
        datasets[key] = datasets.get(key, 0) + (one.measured.dataset != ALL)
    kept = []
    for one in compared.verdicts:
        measured = one.measured
        sole = measured.dataset != ALL and datasets[measured.genre, measured.metric] == 1
        tells = (
            measured.metric == compared.ranking
            or measured.genre == ALL
            or one.settings.critical
            or one.verdict in ("regressed", "improved")
        )
        if every_metric or (tells and not sole):
            kept.append(one)
    return sorted(kept, key=lambda one: one.measured.metric != compared.ranking)


def _print_suite(
    console: Console, compared: SuiteComparison, unpaired: Unpaired, every_metric: bool
) -> None:
    pair, wide = compared.pair, console.width >= WIDE
    title = Text.assemble(
        (pair.suite, "bold"),
        f"   {pair.cand.protocol}   "
        f"{' + '.join(row.checkpoint for row in pair.bases)} → {pair.cand.checkpoint}",
    )
    console.print(title)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True, overflow="ellipsis")
    headings = ["n", "base", "cand"] if wide else ["n"]
    for heading in (*headings, "change", "interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    if wide:
        table.add_column("would settle it", no_wrap=True, overflow="ellipsis")
    rows = shown(compared, every_metric)
    for one, following in zip_longest(rows, rows[1:]):
        ends = following is not None and one.measured.metric == compared.ranking
        ends = ends and following.measured.metric != compared.ranking
        table.add_row(*_cells(one, wide), end_section=ends)
    console.print(table)
    broken, mended = count_flips(compared)
    notes = [f"Items that fell in {compared.ranking}: {broken:,}; that rose: {mended:,}."]
    for name, rate in (("BASE", compared.failed("base")), ("CAND", compared.failed("cand"))):
        if rate:
            notes.append(f"{rate:.1%} of the requests of {name} failed and have no score.")
    engines = {row.engine for row in (*pair.bases, pair.cand) if row.engine}
    if len(engines) > 1:
        notes.append(f"Engines differ, which may move scores too: {', '.join(sorted(engines))}.")
    for side, items in (("BASE", unpaired.only_base), ("CAND", unpaired.only_cand)):
        if items:
            notes.append(f"Scored on {side} only and left out: {_some(items)}.")
    console.print(Text("  " + " ".join(notes), style="dim"))


def _some(items: Sequence[str]) -> str:
    named = ", ".join(items[:_NAMED])
    rest = ", …" if len(items) > _NAMED else ""
    return f"{len(items):,} item{'s' if len(items) > 1 else ''} ({named}{rest})"


def _cells(one: MetricVerdict, wide: bool) -> list[Text | str]:
    measured, decision = one.measured, one.decision
    unit = 100 if is_share(one) else 1
    mark, style = _STYLES[one.verdict]
    low, high = unit * decision.low, unit * decision.high
    cells: list[Text | str] = [_name(one), f"{measured.change.n:,}"]
    if wide:
        cells += [f"{unit * measured.base:.1f}", f"{unit * measured.cand:.1f}"]
    cells += [
        Text(signed(unit * decision.change), style="bold"),
        Text(f"{signed(low)} … {signed(high)}", style="dim"),
        p_value(one.p),
        Text(f"{mark} {one.verdict}", style=style),
    ]
    if wide:
        cells.append(Text(settling(one), style="dim"))
    return cells


def _name(one: MetricVerdict) -> Text:
    measured = one.measured
    mark = "●" if one.settings.critical else " "
    if measured.genre == ALL:
        return Text(f"{mark} {measured.metric}", style="bold")
    if measured.dataset == ALL:
        return Text(f"{mark}   {measured.genre}")
    return Text(f"{mark}     {measured.dataset}")


def is_share(one: MetricVerdict) -> bool:
    """Whether the score is a share, shown in points of 100; ratings are shown as they are."""
    return one.measured.metric != "rating" and max(one.measured.base, one.measured.cand) <= 1


def settling(one: MetricVerdict) -> str:
    """What would settle an inconclusive verdict; empty for the others."""
    if one.verdict != "inconclusive":
        return ""
    decision, n = one.decision, one.measured.change.n
    if one.note:
        return one.note
    if decision.unreachable:
        return "unreachable: checkpoint noise exceeds the margin"
    if decision.items_needed is None:
        return ""
    if decision.items_needed > n:
        return f"{decision.items_needed:,} items"
    return "more samples or items: it lies near the margin"


def signed(value: float) -> str:
    """One decimal with its sign; what rounds to nothing has none."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def p_value(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def _moved(name: str, base: float, cand: float) -> str:
    if name == "tokens":
        return f"{base:.1f} → {cand:.1f}"
    return f"{base:.1%} → {cand:.1%}"


def _caption(comparison: Comparison) -> str:
    policy = comparison.policy
    critical = sum(one.settings.critical for one in comparison.verdicts)
    noise = "Checkpoint noise is counted."
    if not any(one.settings.tau for one in comparison.verdicts):
        noise = (
            "Checkpoint noise is not counted: two good checkpoints of a run may differ by more "
            "than their items show (--noise, or `tau` in a policy)."
        )
    return (
        f"Changes in points of 100 (ratings as they are) with {1 - 2 * policy.alpha:.0%} "
        f"intervals. ● critical: p one-sided, corrected by Holm over {critical} metrics; the rest "
        f"by Benjamini and Hochberg over {len(comparison.verdicts)}. Policy {policy.name}, "
        f"{policy.hash[:8]}. {noise}"
    )


def _flip(flip: Flip) -> Panel:
    style = "red" if flip.is_broken else "green"
    title = f"{'broken' if flip.is_broken else 'mended'}  {flip.item}  {flip.genre}"
    parts = [("question  ", flip.question), ("gold      ", flip.gold)]
    text = Text()
    for label, content in parts:
        text.append(label, style="dim")
        text.append(f"{_short(content)}\n")
    for label, score, answer, failure in (
        ("base", flip.base, flip.base_answer, flip.base_failure),
        ("cand", flip.cand, flip.cand_answer, flip.cand_failure),
    ):
        text.append(f"{label} {score:4.2f}  ", style="dim")
        text.append(_short(answer))
        text.append(f"  ({failure})" if failure else "", style="yellow")
        text.append("\n" if label == "base" else "")
    return Panel(text, title=Text(title), title_align="left", border_style=style)


def _short(text: str) -> str:
    """The beginning of a model's text; what would steer the terminal is shown as a box."""
    text = _CONTROL.sub("\u25a1", text)
    return text if len(text) <= _ANSWER else text[: _ANSWER - 1] + "…"
