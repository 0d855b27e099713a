"""Charts of one checkpoint or board: genres as a radar, format and knowledge, ratings; and plain
curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.page.curves import TOTAL, Panel, Point, Rival
from harness.report.page.drawing import Figure, slug, to_svg
from harness.report.page.palette import LIGHT, LINES


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
    return Figure(
        f"radar-{slug(panel.suite)}", f"{panel.suite}: genres", said, to_svg(chart, False)
    )


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
        to_svg(chart),
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
        to_svg(chart),
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
    return Figure(name, title, f"{title} over the steps; at the end {ends}.", to_svg(chart))


def _outline(
    alt: Any, places: list[dict[str, float]], x: Any, y: Any, colour: str, width: float, dash: Any
) -> Any:
    mark = {"color": colour, "strokeWidth": width} | ({"strokeDash": dash} if dash else {})
    return alt.Chart(alt.Data(values=places)).mark_line(**mark).encode(x=x, y=y, order="at:Q")


def _place(angle: float, radius: float, at: int) -> dict[str, float]:
    return {"x": radius * math.sin(angle), "y": radius * math.cos(angle), "at": at}


def _mean(point: Point | None) -> float:
    return 0.0 if point is None else point.mean
