"""Figures of a run over its checkpoints: trajectories, mixture, genre by checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.page.curves import TOTAL, Curve, Panel
from harness.report.page.drawing import Figure, slug, to_svg
from harness.report.page.palette import LIGHT, LINES

# Steps of a heat map beyond which its cells hold no number.
_NUMBERED = 14
# Pixels left of a plot, so that figures beneath one another share their steps.
_MARGIN = 30


@dataclass(frozen=True)
class Span:
    """A stretch of the steps that is marked: a phase, or where something broke."""

    first: float
    last: float
    label: str
    kind: str


def trajectory(
    panel: Panel, curve: Curve, spans: Sequence[Span], name: str, *, wide: bool = False
) -> Figure:
    """One genre over the steps: its interval as a band, phases as grounds, what broke in red, and
    rivals as dashed lines."""
    import altair as alt

    width, height = (940, 230) if wide else (300, 150)
    points = [
        {"step": panel.place(one.step), "mean": one.mean, "low": one.low, "high": one.high}
        for one in curve.points
    ]
    rivals = [
        {"rival": one.name, "mean": one.scores[curve.genre].mean}
        for one in panel.rivals
        if curve.genre in one.scores
    ]
    values = [point[key] for point in points for key in ("low", "high")]
    values += [float(one["mean"]) for one in rivals]  # type: ignore[arg-type]
    scale = alt.Scale(domain=_domain(values, panel.highest), nice=False, clamp=True)
    y = alt.Y("mean:Q", scale=scale, title=None, axis=alt.Axis(tickCount=4, minExtent=_MARGIN))
    x = alt.X(
        "step:Q",
        title=panel.axis if wide else None,
        scale=alt.Scale(domain=_steps(panel), nice=False),
        axis=alt.Axis(
            tickCount=6 if wide else 3, format="~s", labelExpr="replace(datum.label, 'G', 'B')"
        ),
    )
    layers: list[Any] = []
    for span in spans:
        layers += _span(panel, span, x, _domain(values, panel.highest), wide)
    base = alt.Chart(alt.Data(values=points))
    layers.append(
        base.mark_area(color=LIGHT["subject"], fillOpacity=0.16).encode(
            x=x, y=alt.Y("low:Q", scale=scale, title=None), y2="high:Q"
        )
    )
    layers.append(base.mark_line(color=LIGHT["subject"], strokeWidth=2).encode(x=x, y=y))
    layers.append(
        base.mark_point(
            color=LIGHT["subject"], filled=True, size=36 if wide else 22, opacity=1
        ).encode(x=x, y=y)
    )
    for number, rival in enumerate(rivals):
        mark = alt.Chart(alt.Data(values=[rival]))
        colour = LIGHT[LINES[1 + number % (len(LINES) - 1)]]
        layers.append(mark.mark_rule(color=colour, strokeDash=[5, 4], strokeWidth=1.5).encode(y=y))
    last = curve.points[-1]
    title = f"{curve.genre}" if not wide else ""
    chart = alt.layer(*layers).properties(width=width, height=height)
    if title:
        chart = chart.properties(title=title)
    alt_text = (
        f"{panel.suite}, {curve.genre}: {curve.points[0].mean:.1f} at step "
        f"{curve.points[0].step}, {last.mean:.1f} ({last.low:.1f} to {last.high:.1f}) at step "
        f"{last.step}."
    )
    if curve.genre == TOTAL:
        alt_text += "".join(f" {one['rival']}: {one['mean']:.1f}." for one in rivals)
    return Figure(name, f"{panel.suite}: {curve.genre}", alt_text, to_svg(chart))


def mixture(panel: Panel, stages: Sequence[tuple[int, Mapping[str, float]]]) -> Figure:
    """Shares of the mixture over the steps, as a strip beneath the trajectories. Each entry is a
    checkpoint's step and the mixture that led to it."""
    import altair as alt

    rows = []
    steps = _steps(panel)
    before = steps[0]
    for step, shares in stages:
        whole = sum(shares.values()) or 1.0
        low = 0.0
        for source, share in sorted(shares.items()):
            high = low + share / whole
            rows.append(
                {
                    "from": before,
                    "to": panel.place(step),
                    "low": low,
                    "high": high,
                    "source": source,
                }
            )
            low = high
        before = panel.place(step)
    sources = sorted({str(row["source"]) for row in rows})
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_rect(stroke=LIGHT["ground"], strokeWidth=0.5)
        .encode(
            x=alt.X(
                "from:Q",
                title=None,
                axis=None,
                scale=alt.Scale(domain=list(steps), nice=False),
            ),
            x2="to:Q",
            y=alt.Y(
                "low:Q",
                title=None,
                axis=alt.Axis(
                    labels=False, ticks=False, domain=False, grid=False, minExtent=_MARGIN
                ),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y2="high:Q",
            color=alt.Color(
                "source:N",
                scale=alt.Scale(domain=sources, scheme="tableau20"),
                legend=alt.Legend(
                    orient="bottom", columns=7, title=None, labelLimit=140, symbolType="square"
                ),
            ),
        )
        .properties(width=940, height=40)
    )
    last = ", ".join(f"{name} {share:.0%}" for name, share in sorted(stages[-1][1].items()))
    return Figure(
        "mixture", "mixture", f"The mixture over the steps; at the end {last}.", to_svg(chart)
    )


def heat_map(panel: Panel) -> Figure:
    """Genre by checkpoint."""
    import altair as alt

    rows = [
        {"genre": curve.genre, "step": f"{point.step:,}", "order": point.step, "mean": point.mean}
        for curve in panel.curves
        for point in curve.points
    ]
    steps = [f"{step:,}" for step in panel.steps]
    highest = panel.highest or max(float(row["mean"]) for row in rows)  # type: ignore[arg-type]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "step:O",
            sort=steps,
            title="step",
            axis=alt.Axis(labelAngle=0 if len(steps) <= 10 else -60, labelOverlap="greedy"),
        ),
        y=alt.Y("genre:N", sort=[one.genre for one in panel.curves], title=None),
    )
    cells = base.mark_rect(stroke=LIGHT["ground"], strokeWidth=1).encode(
        color=alt.Color(
            "mean:Q",
            scale=alt.Scale(scheme="yellowgreenblue", domain=[0, highest]),
            legend=None,
        )
    )
    layers: list[Any] = [cells]
    if len(steps) <= _NUMBERED:
        layers.append(
            base.mark_text(fontSize=11).encode(
                text=alt.Text("mean:Q", format=".0f" if panel.unit == "%" else ".1f"),
                color=alt.condition(
                    alt.datum.mean > highest * 0.55, alt.value("#ffffff"), alt.value("#111418")
                ),
            )
        )
    width = 900 if len(steps) > 6 else 120 * len(steps)
    chart = alt.layer(*layers).properties(width=width, height=26 * len(panel.curves))
    lowest = min(panel.curves, key=lambda one: one.points[-1].mean)
    return Figure(
        f"heat-{slug(panel.suite)}",
        f"{panel.suite}: genre by checkpoint",
        f"Score of each genre at each checkpoint; at the last, {lowest.genre} is lowest with "
        f"{lowest.points[-1].mean:.1f}.",
        to_svg(chart),
    )


def _span(panel: Panel, span: Span, x: Any, domain: Sequence[float], wide: bool) -> list[Any]:
    import altair as alt

    data = alt.Data(
        values=[
            {
                "step": panel.place(span.first),
                "last": panel.place(span.last),
                "top": domain[1],
                "label": span.label,
            }
        ]
    )
    fill = {"broke": LIGHT["bad"], "dirty": LIGHT["dirty"], "recovered": LIGHT["good"]}
    marks: list[Any] = [
        alt.Chart(data)
        .mark_rect(
            color=fill.get(span.kind, LIGHT["phase"]),
            opacity=0.22 if span.kind in ("broke", "recovered") else 1,
        )
        .encode(x=x, x2="last:Q")
    ]
    if wide and span.label:
        marks.append(
            alt.Chart(data)
            .mark_text(
                align="left",
                baseline="top",
                dx=4,
                dy=4,
                fontSize=11,
                color=LIGHT["bad"] if span.kind == "broke" else LIGHT["muted"],
            )
            .encode(x=x, y=alt.value(0), text="label:N")
        )
    return marks


def _steps(panel: Panel) -> list[float]:
    """The range of the steps with a little air, so that the outermost points are whole."""
    steps = [panel.place(step) for step in panel.steps]
    air = (steps[-1] - steps[0]) * 0.02 or 1.0
    return [steps[0] - air, steps[-1] + air]


def _domain(values: Sequence[float], highest: float | None) -> list[float]:
    """From 0 where scores come near it, else from below the lowest: differences must be seen."""
    low, high = min(values), max(values)
    air = max((high - low) * 0.12, 1e-9, 0.02 * (highest or 0.0))
    bottom = 0.0 if highest is not None and low < 0.35 * high else low - air
    top = high + air
    if highest is not None:
        bottom, top = max(0.0, bottom), min(highest * 1.02, top)
    return [bottom, top]
