"""Draws a report's figures with Altair: trajectories, mixture, heat map, radar, format, arena."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from harness.report.page.curves import TOTAL, Curve, Panel, Point, Rival
from harness.report.page.palette import FONT, LIGHT, LINES

# Steps of a heat map beyond which its cells hold no number.
_NUMBERED = 14
# Pixels below which a wide figure is scrolled instead of shrunk.
_LEGIBLE = 620


@dataclass(frozen=True)
class Figure:
    """A drawn figure.

    name   of the file it can be saved as
    title  what it shows;  alt: the same for whoever does not see it, with the main numbers
    svg    in light colours, complete in itself
    """

    name: str
    title: str
    alt: str
    svg: str

    @property
    def inline(self) -> str:
        """The figure as part of a page: in the page's colours, with ids of its own, as one image
        with a text for screen readers."""
        from harness.report.page.palette import themed

        svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", self.svg)
        svg = re.sub(r'\bid="([^"]+)"', rf'id="{self.name}-\1"', svg)
        svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{self.name}-\1)", svg)
        svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
        width = re.search(r'viewBox="0 0 ([0-9.]+)', svg)
        # A wide figure keeps a legible size on a phone, where it is scrolled.
        size = float(width[1]) if width else 0.0
        limit = f' style="max-width:{size:.0f}px;min-width:min({size:.0f}px,{_LEGIBLE}px)"'
        label = escape(self.alt, quote=True)
        return themed(svg).replace("<svg", f'<svg role="img" aria-label="{label}"{limit}', 1)


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
        {"step": one.step, "mean": one.mean, "low": one.low, "high": one.high}
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
    y = alt.Y("mean:Q", scale=scale, title=None, axis=alt.Axis(tickCount=4))
    x = alt.X(
        "step:Q",
        title="step" if wide else None,
        scale=alt.Scale(domain=_steps(panel), nice=False),
        axis=alt.Axis(tickCount=6 if wide else 3, format="~s"),
    )
    layers: list[Any] = []
    for span in spans:
        layers += _span(span, x, _domain(values, panel.highest), wide)
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
    return Figure(name, f"{panel.suite}: {curve.genre}", alt_text, _svg(chart))


def mixture(stages: Sequence[tuple[int, Mapping[str, float]]], steps: Sequence[float]) -> Figure:
    """Shares of the mixture over the steps, as a strip beneath the trajectories. Each entry is a
    checkpoint's step and the mixture that led to it."""
    import altair as alt

    rows = []
    before = float(steps[0])
    for step, shares in stages:
        whole = sum(shares.values()) or 1.0
        low = 0.0
        for source, share in sorted(shares.items()):
            high = low + share / whole
            rows.append({"from": before, "to": step, "low": low, "high": high, "source": source})
            low = high
        before = float(step)
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
            y=alt.Y("low:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1])),
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
        "mixture", "mixture", f"The mixture over the steps; at the end {last}.", _svg(chart)
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
        f"heat-{_slug(panel.suite)}",
        f"{panel.suite}: genre by checkpoint",
        f"Score of each genre at each checkpoint; at the last, {lowest.genre} is lowest with "
        f"{lowest.points[-1].mean:.1f}.",
        _svg(chart),
    )


def radar(panel: Panel) -> Figure | None:
    """The genres of the subject's last checkpoint against rivals; None for fewer than three."""
    import altair as alt

    genres = [one.genre for one in panel.curves if one.genre != TOTAL]
    if len(genres) < 3:
        return None
    subject = Rival(
        panel.total.points[-1].checkpoint,
        {one.genre: one.points[-1] for one in panel.curves},
    )
    models = (subject, *panel.rivals)
    highest = panel.highest or max(one.mean for model in models for one in model.scores.values())
    angle = {genre: math.tau * at / len(genres) for at, genre in enumerate(genres)}
    scale = alt.Scale(domain=[-1.75, 1.75])
    x, y = (
        alt.X("x:Q", axis=None, scale=scale),
        alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-1.2, 1.2])),
    )
    layers: list[Any] = []
    for ring in (0.25, 0.5, 0.75, 1.0):
        places = [_place(angle[genre], ring, at) for at, genre in enumerate([*genres, genres[0]])]
        layers.append(_outline(alt, places, x, y, LIGHT["rule"], 1, None))
    for number, model in reversed(list(enumerate(models))):
        places = [
            _place(angle[genre], max(0.0, _mean(model.scores.get(genre)) / highest), at)
            for at, genre in enumerate([*genres, genres[0]])
        ]
        colour = LIGHT[LINES[number % len(LINES)]]
        layers.append(_outline(alt, places, x, y, colour, 2, None if number == 0 else [5, 4]))
    for genre in genres:
        out = {**_place(angle[genre], 1.13, 0), "genre": genre}
        side = math.sin(angle[genre])
        align = "center" if abs(side) < 0.3 else "left" if side > 0 else "right"
        layers.append(
            alt.Chart(alt.Data(values=[out]))
            .mark_text(fontSize=12, color=LIGHT["ink"], align=align)
            .encode(x=x, y=y, text="genre:N")
        )
    said = "; ".join(
        f"{model.name}: "
        + ", ".join(f"{g} {model.scores[g].mean:.1f}" for g in genres if g in model.scores)
        for model in models
    )
    chart = alt.layer(*layers).properties(width=430, height=300)
    return Figure(f"radar-{_slug(panel.suite)}", f"{panel.suite}: genres", said, _svg(chart, False))


def format_bars(rows: Sequence[Mapping[str, Any]], name: str) -> Figure:
    """Strict score, points lost to format, and what the model knows, by dataset.

    Each row has `dataset`, `strict`, `lost` (0 or more) and `choice` (or None), in percent.
    """
    import altair as alt

    parts = [
        {"dataset": row["dataset"], "from": start, "to": end, "part": part}
        for row in rows
        for part, start, end in (
            ("strict: right, in format", 0.0, row["strict"]),
            ("lost to format", row["strict"], row["strict"] + max(0.0, row["lost"])),
        )
    ]
    order = [row["dataset"] for row in rows]
    y = alt.Y("dataset:N", sort=order, title=None, axis=alt.Axis(labelLimit=160))
    x = alt.X(
        "from:Q", scale=alt.Scale(domain=[0, 100]), title="percent", axis=alt.Axis(tickCount=6)
    )
    bars = (
        alt.Chart(alt.Data(values=parts))
        .mark_bar(height=14)
        .encode(
            y=y,
            x=x,
            x2="to:Q",
            color=alt.Color(
                "part:N",
                scale=alt.Scale(
                    domain=["strict: right, in format", "lost to format"],
                    range=[LIGHT["subject"], LIGHT["unsure"]],
                ),
                legend=alt.Legend(orient="top", title=None, labelLimit=260, symbolType="square"),
            ),
        )
    )
    layers: list[Any] = [bars]
    known = [row for row in rows if row.get("choice") is not None]
    if known:
        layers.append(
            alt.Chart(alt.Data(values=known))
            .mark_tick(color=LIGHT["ink"], thickness=2.5, height=20)
            .encode(y=y, x=alt.X("choice:Q", scale=alt.Scale(domain=[0, 100])))
        )
    chart = alt.layer(*layers).properties(width=560, height=26 * len(rows))
    worst = max(rows, key=lambda row: row["lost"])
    return Figure(
        name,
        "format and knowledge",
        f"Most is lost to format in {worst['dataset']}: {worst['lost']:.1f} points beside a strict "
        f"score of {worst['strict']:.1f}.",
        _svg(chart),
    )


def ratings(rows: Sequence[Mapping[str, Any]], name: str) -> Figure:
    """Arena ratings with their intervals, best first: `model`, `rating`, `low`, `high`."""
    import altair as alt

    order = [row["model"] for row in rows]
    base = alt.Chart(alt.Data(values=list(rows))).encode(
        y=alt.Y("model:N", sort=order, title=None, axis=alt.Axis(labelLimit=260))
    )
    scale = alt.Scale(zero=False, nice=True)
    chart = alt.layer(
        base.mark_rule(color=LIGHT["subject"], strokeWidth=2).encode(
            x=alt.X("low:Q", scale=scale, title="rating"), x2="high:Q"
        ),
        base.mark_point(color=LIGHT["subject"], filled=True, size=60, opacity=1).encode(
            x=alt.X("rating:Q", scale=scale)
        ),
    ).properties(width=520, height=26 * len(rows))
    best = rows[0]
    return Figure(
        name,
        "arena ratings",
        f"{best['model']} is first with {best['rating']:.0f} ({best['low']:.0f} to "
        f"{best['high']:.0f}), of {len(rows)} models.",
        _svg(chart),
    )


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]], name: str, title: str, axis: str
) -> Figure:
    """Plain curves of training, one a name: (step, value)."""
    import altair as alt

    rows = [
        {"series": key, "step": step, "value": value}
        for key, points in series.items()
        for step, value in points
    ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=1.6)
        .encode(
            x=alt.X("step:Q", axis=alt.Axis(format="~s", tickCount=6), scale=alt.Scale(nice=False)),
            y=alt.Y("value:Q", title=axis, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "series:N",
                scale=alt.Scale(domain=list(series), scheme="tableau10"),
                legend=alt.Legend(orient="bottom", columns=6, title=None)
                if len(series) > 1
                else None,
            ),
        )
        .properties(width=940, height=190)
    )
    ends = ", ".join(f"{key} {points[-1][1]:.3g}" for key, points in series.items() if points)
    return Figure(name, title, f"{title} over the steps; at the end {ends}.", _svg(chart))


def _span(span: Span, x: Any, domain: Sequence[float], wide: bool) -> list[Any]:
    import altair as alt

    data = alt.Data(
        values=[{"step": span.first, "last": span.last, "top": domain[1], "label": span.label}]
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


def _outline(
    alt: Any, places: list[dict[str, float]], x: Any, y: Any, colour: str, width: float, dash: Any
) -> Any:
    mark = {"color": colour, "strokeWidth": width} | ({"strokeDash": dash} if dash else {})
    return alt.Chart(alt.Data(values=places)).mark_line(**mark).encode(x=x, y=y, order="at:Q")


def _place(angle: float, radius: float, at: int) -> dict[str, float]:
    return {"x": radius * math.sin(angle), "y": radius * math.cos(angle), "at": at}


def _mean(point: Point | None) -> float:
    return 0.0 if point is None else point.mean


def _steps(panel: Panel) -> list[float]:
    """The range of the steps with a little air, so that the outermost points are whole."""
    steps = panel.steps
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


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "suite"


def _svg(chart: Any, framed: bool = True) -> str:
    import vl_convert

    chart = (
        chart.configure(font=FONT, background="transparent")
        .configure_view(stroke=LIGHT["rule"] if framed else None)
        .configure_axis(
            labelColor=LIGHT["muted"],
            titleColor=LIGHT["muted"],
            titleFontWeight="normal",
            gridColor=LIGHT["rule"],
            domainColor=LIGHT["rule"],
            tickColor=LIGHT["rule"],
            labelFontSize=11,
            titleFontSize=11,
        )
        .configure_legend(labelColor=LIGHT["ink"], labelFontSize=11)
        .configure_title(color=LIGHT["ink"], fontSize=13, anchor="start", fontWeight="bold")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))
