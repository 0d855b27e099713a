"""Draws a format report in the terminal: stacked bars, points lost, wrong shapes with examples."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.items.schema import JASTER_ASIDE
from harness.report.formats import FormatGap, FormatReport
from harness.statistics.means import Estimate

WIDE, BAR, SHORT_BAR = 100, 24, 10
_SHAPES = 3
_EXAMPLE = 48


def print_format_report(console: Console, report: FormatReport) -> None:
    evaluation = report.evaluation
    console.print(
        Text.assemble(
            (evaluation.checkpoint, "bold"),
            f"   {evaluation.protocol}   evaluation {evaluation.id[:12]}",
        )
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    wide = console.width >= WIDE
    bar = BAR if wide else SHORT_BAR
    table.add_column("dataset", no_wrap=True, overflow="ellipsis")
    for heading in ("n", "strict", "lenient", "choice", "in format", "lost"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=cell_len(heading))
    table.add_column("", no_wrap=True, min_width=bar)
    category = None
    for gap in report.gaps:
        if gap.category != category:
            category = gap.category
            table.add_row(*_category(category, report, bar))
        table.add_row(*_row(gap, wide, bar))
    if "AVG" in report.categories:
        table.add_section()
        table.add_row(*_category("AVG", report, bar))
    console.print(table)
    console.print(
        Text.assemble(
            "Percent; lost is lenient − strict. ",
            ("█", "green"),
            " strict  ",
            ("█", "yellow"),
            " right, lost to format  ",
            ("█", "cyan"),
            " known (label of highest likelihood), not said",
            style="dim",
        )
    )
    for metric in report.corpus:
        value = "–" if metric.value is None else f"{metric.value:.4f}"
        note = f"  ({metric.note})" if metric.note else ""
        console.print(Text(f"{metric.dataset}  {metric.metric} {value}{note}"))
    _print_shapes(console, report)
    console.print()


def _row(gap: FormatGap, wide: bool, bar: int) -> list[Text | str]:
    scores = gap.scores
    return [
        Text(f"  {gap.dataset}"),
        str(gap.answers),
        _percent(scores.get("strict")),
        _percent(scores.get("lenient")),
        _percent(scores.get("choice")),
        _percent(scores.get("format")),
        _lost(gap.lost, wide),
        _bar(bar, *(None if one is None else one.mean for one in map(scores.get, _STACK))),
    ]


_STACK = ("strict", "lenient", "choice")


def _category(name: str, report: FormatReport, bar: int) -> list[Text | str]:
    means = report.categories[name]
    aside = " (aside)" if name in JASTER_ASIDE else ""
    cells = [
        "–" if name not in means else f"{means[name] * 100:.1f}" for name in (*_STACK, "format")
    ]
    lost = ""
    if "strict" in means and "lenient" in means:
        lost = f"{(means['lenient'] - means['strict']) * 100:.1f}"
    return [
        Text(f"{name}{aside}", style="bold"),
        "",
        *(Text(cell, style="bold") for cell in cells),
        Text(lost, style="bold"),
        _bar(bar, *map(means.get, _STACK)),
    ]


def _bar(width: int, strict: float | None, lenient: float | None, choice: float | None) -> Text:
    """Three parts of a whole: strict, what lenient adds, what choice adds to that."""
    if strict is None:
        return Text("")
    lenient = max(strict, lenient or 0.0)
    known = max(lenient, choice or 0.0)
    ends = [round(share * width) for share in (strict, lenient, known)]
    return Text.assemble(
        ("█" * ends[0], "green"),
        ("█" * (ends[1] - ends[0]), "yellow"),
        ("█" * (ends[2] - ends[1]), "cyan"),
        ("·" * (width - ends[2]), "dim"),
    )


def _print_shapes(console: Console, report: FormatReport) -> None:
    told = [gap for gap in report.gaps if gap.shapes]
    if not told:
        console.print(Text("Every answer obeys its format.", style="green"))
        return
    console.print()
    console.print(Text("Wrong shapes, and the format examples to plan for", style="bold"))
    for gap in sorted(told, key=lambda one: -(one.lost.mean if one.lost else 0.0)):
        head = Text.assemble((f"  {gap.dataset}", "bold"), f"  wants {gap.target}")
        if gap.examples:
            head.append(f": about {gap.examples} examples", style="cyan")
        console.print(head)
        for shape in gap.shapes[:_SHAPES]:
            shown = "  ".join(f"「{_short(example)}」" for example in shape.examples[:2])
            console.print(
                Text.assemble(f"    {shape.shape}: {shape.count}  ", (shown, "dim")),
                no_wrap=True,
                overflow="ellipsis",
                crop=True,
            )
        if len(gap.shapes) > _SHAPES:
            rest = sum(shape.count for shape in gap.shapes[_SHAPES:])
            console.print(Text(f"    other shapes: {rest}", style="dim"))
    console.print(
        Text(
            "A planning figure: in proportion to the share of malformed answers, 1,000 at worst.",
            style="dim",
        )
    )


def _short(text: str) -> str:
    plain = text.replace("\n", "⏎")
    return plain if len(plain) <= _EXAMPLE else plain[: _EXAMPLE - 1] + "…"


def _lost(estimate: Estimate | None, wide: bool) -> str:
    if estimate is None or not wide:
        return _percent(estimate)
    return f"{estimate.mean * 100:.1f} ({estimate.low * 100:.1f}–{estimate.high * 100:.1f})"


def _percent(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{estimate.mean * 100:.1f}"
