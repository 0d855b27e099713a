"""Draws gaps and the plan that answers them in the terminal: what lags, why, what it is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.gaps.beliefs import Belief
from harness.gaps.measure import Gap, State, SuiteGaps
from harness.gaps.plan import Line, Plan
from harness.report.comparison_table import p_value, signed
from harness.report.gaps import GapReport, gain_rows, headline, learned_rows
from harness.store.rounds import RoundGain

WIDE, WIDEST = 130, 148
_STYLES: dict[State, tuple[str, str]] = {
    "lags": ("▼", "bold red"),
    "ahead": ("▲", "green"),
    "level": ("=", "dim"),
    "within noise": ("?", "yellow"),
}
_INDENT = {"suite": "", "genre": "  ", "dataset": "    ", "skill": "    ", "level": "      "}
_LINES = 30


def print_gaps(console: Console, report: GapReport, everything: bool = False) -> None:
    """everything: every dataset, skill and level, not only what lags."""
    gaps = report.gaps
    console.print(Text(headline(gaps), style="bold"))
    console.print()
    for suite in gaps.suites:
        _print_suite(console, suite, everything)
    console.print(Text(_caption(report, console.width >= WIDE), style="dim"))
    for note in gaps.notes:
        console.print(Text(f"{note}.", style="yellow"))
    said = (*report.advice, *(report.plan.advice if report.plan else ()))
    for sentence in dict.fromkeys(said):
        console.print(Text(f"• {sentence}", style="cyan"))
    if report.plan is not None:
        console.print()
        print_plan(console, report.plan)


def shown(suite: SuiteGaps, everything: bool = False) -> list[Gap]:
    """The rows of a table, in its order: the suite, its genres by rank, under each what lags
    within it."""
    found = suite.of("suite")
    for genre in suite.of("genre"):
        found.append(genre)
        within = [
            one
            for one in suite.of("dataset", "skill", "level")
            if one.place.genre == genre.place.genre and (everything or one.state == "lags")
        ]
        grades = Counter(one.place.skill for one in suite.of("level"))
        levels = [
            one for one in within if one.place.kind == "level" and grades[one.place.skill] > 1
        ]
        for one in within:
            if one.place.kind != "level":
                found.append(one)
                found += [
                    part
                    for part in levels
                    if one.place.kind == "skill" and part.place.skill == one.place.skill
                ]
        skills = {one.place.skill for one in within if one.place.kind == "skill"}
        found += [one for one in levels if one.place.skill not in skills]
    return found


def print_plan(console: Console, plan: Plan) -> None:
    """The lines of a plan, the largest demand first."""
    counts: Counter[str] = Counter()
    for line in plan.lines:
        counts[line.purpose] += line.samples
    parts = ", ".join(f"{count:,} {purpose}" for purpose, count in counts.items())
    console.print(
        Text.assemble(
            (f"Round {plan.round}: {plan.samples:,} samples", "bold"),
            f"   policy {plan.policy}   {parts or 'nothing to make'}",
        )
    )
    table = _table(["samples", "", "level", "for"], (0, 2))
    if console.width >= WIDE:
        table.add_column("why")
    for line in plan.lines[:_LINES]:
        cells: list[Text | str] = [
            f"{line.samples:,}",
            Text(_line_name(line)),
            "–" if line.level is None else str(line.level),
            Text(line.purpose, style="" if line.purpose == "gap" else "dim"),
        ]
        if console.width >= WIDE:
            cells.append(Text(line.why, style="dim"))
        table.add_row(*cells)
    console.print(table)
    if rest := plan.lines[_LINES:]:
        left = sum(line.samples for line in rest)
        console.print(Text(f"{len(rest)} more lines of {left:,} samples.", style="dim"))


def print_learned(
    console: Console, gains: Sequence[RoundGain], known: Sequence[Belief], skills: bool = False
) -> None:
    """What past rounds bought, and what a thousand samples are therefore believed to buy."""
    if not gains:
        console.print("No round is recorded yet; `harness gaps record PLAN` does it.")
        return
    table = _table(
        ["round", "suite", "genre", "samples", "gain", "± se", "a thousand"], (3, 4, 5, 6)
    )
    for one in gain_rows([gain for gain in gains if skills or not gain.skill]):
        rate = one["per_thousand"]
        table.add_row(
            one["round"],
            Text(one["suite"]),
            Text(one["skill"] or one["genre"]),
            f"{one['samples']:,}",
            signed(one["gain"]),
            f"{one['se']:.1f}",
            "–" if rate is None else f"{rate:+.2f}",
        )
    console.print(table)
    table = _table(["genre", "rounds", "samples", "seen", "believed", "90 %"], (1, 2, 3, 4, 5))
    for one in learned_rows(known):
        table.add_row(
            Text(one["genre"]),
            str(one["rounds"]),
            f"{one['samples']:,}",
            "–" if one["seen"] is None else f"{one['seen']:+.2f} ± {one['seen_se']:.2f}",
            Text(f"{one['believed']:+.2f}", style="bold"),
            f"{one['low']:+.2f} … {one['high']:+.2f}",
        )
    console.print(table)
    console.print(
        Text(
            "Points of 100; a thousand: per thousand verified samples. Believed: the genre's own "
            "rounds drawn towards what all genres have in common.",
            style="dim",
        )
    )


def _print_suite(console: Console, suite: SuiteGaps, everything: bool) -> None:
    side, wide = suite.side, console.width >= WIDE
    metric = side.metric if side.judge is None else f"{side.metric} by {side.judge.name}"
    console.print(
        Text.assemble(
            (side.suite, "bold"),
            f"   {side.student.protocol}   {metric}   {side.student.checkpoint} beside {side.name}",
        )
    )
    headings = ["n", "student", "target"] if wide else ["n"]
    headings += ["gap", "interval", "p", "worth"]
    table = _table(["", *headings], range(1, len(headings) + 1))
    table.add_column("", no_wrap=True)
    if wide:
        table.add_column("trend", justify="right", no_wrap=True)
        table.add_column("learn", justify="right", no_wrap=True)
        table.add_column("lost", justify="right", no_wrap=True)
        # The only column that gives way.
        table.add_column("what goes wrong")
    for one in shown(suite, everything):
        table.add_row(*_cells(one, wide, 2 if console.width >= WIDEST else 1))
    console.print(table)
    measured = suite.whole.verdict.measured
    if apart := measured.only_base + measured.only_cand:
        console.print(
            Text(f"  {apart:,} items were scored on one side only and are left out.", style="dim")
        )
    if side.chosen_from > 1:
        console.print(
            Text(
                f"  {side.name} had the highest total of {side.chosen_from} checkpoints; intervals "
                "and p allow for that choice.",
                style="dim",
            )
        )


def _cells(one: Gap, wide: bool, causes: int) -> list[Text | str]:
    unit = 100 if one.scale == 1 else 1
    mark, style = _STYLES[one.state]
    bold = "bold" if one.place.kind in ("suite", "genre") else ""
    name = f"level {one.place.level}" if one.place.kind == "level" else one.place.name
    cells: list[Text | str] = [
        Text(_INDENT[one.place.kind] + name, style=bold),
        f"{one.verdict.measured.change.n:,}",
    ]
    if wide:
        cells += [f"{unit * one.student:.1f}", f"{unit * one.target:.1f}"]
    cells += [
        Text(signed(unit * one.gap), style="bold"),
        Text(f"{signed(unit * one.low)} … {signed(unit * one.high)}", style="dim"),
        p_value(one.p),
        f"{one.worth:.2f}",
        Text(f"{mark} {one.state}", style=style),
    ]
    if wide:
        lost = "–" if one.to_format is None else f"{unit * one.to_format:.1f}"
        cells += [_trend(one, unit), _learn(one), Text(lost, style="dim")]
        cells += [Text(_wrong(one, causes), style="dim")]
    return cells


def _trend(one: Gap, unit: float) -> Text:
    if one.trend is None:
        return Text("–", style="dim")
    style = "green" if one.trend.is_rising else "red" if one.trend.is_falling else "dim"
    return Text(signed(unit * one.trend.slope), style=style)


def _learn(one: Gap) -> Text:
    if one.learnable is None:
        return Text("–", style="dim")
    share = f"{100 * one.learnable.share:.0f}"
    return Text(share) if one.learnable.known else Text(f"~{share}", style="dim")


def _wrong(one: Gap, causes: int) -> str:
    if one.state == "within noise" and one.settled_by:
        return f"settled by {one.settled_by:,} items"
    if one.verdict.note:
        return one.verdict.note
    total = sum(one.failures.values())
    parts = [f"{name} {100 * n / total:.0f} %" for name, n in list(one.failures.items())[:causes]]
    return ", ".join(parts)


def _line_name(line: Line) -> str:
    if not line.settings:
        return line.skill or line.genre
    return f"{line.genre}: {line.generator} {line.settings.get('dataset', '')}".rstrip()


def _table(headings: Sequence[str], right: Sequence[int]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for at, heading in enumerate(headings):
        justify = "right" if at in right else "left"
        table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    return table


def _caption(report: GapReport, wide: bool) -> str:
    rule = report.gaps.rule
    columns = (
        "trend: points a thousand steps, coloured where it is surely not 0. learn: % of items "
        "sometimes right (~ a guess). lost: to output format. "
    )
    return (
        f"Gaps in points of 100 (ratings as they are), {1 - 2 * rule.alpha:.0%} intervals. p "
        "one-sided, corrected: genres and suites by Holm, the rest by Benjamini and Hochberg. "
        f"worth: points of the suite's total for a point here. {columns if wide else ''}A gap "
        f"surely below {100 * rule.margin:g} points is level; only what lags makes demand."
    )
